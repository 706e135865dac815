"""The selector as the ports of one meter have it: a bell rings when one of them is ready.

So a world of ten thousand meters asks those that have something, not all of them.
"""

from collections.abc import Callable, Mapping
from selectors import BaseSelector, SelectorKey
from typing import Any

from sim.ports.base import Ready


def nobody() -> None:
    """Ring where nobody hears it."""


class Bell(BaseSelector):
    """A selector within another one.

    Args:
        selector: the world's.
    """

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        #: Called just before a port that is ready is.
        self.ring: Callable[[], None] = nobody

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch a descriptor for a port, which is called when it is ready."""
        call: Ready = data

        def ready(mask: int) -> None:
            self.ring()
            call(mask)

        return self._selector.register(fileobj, events, ready)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch for other events; ``data`` is as ``get_key`` gives it, with the bell in it."""
        return self._selector.modify(fileobj, events, data)

    def unregister(self, fileobj: Any) -> SelectorKey:
        """Watch a descriptor no more."""
        return self._selector.unregister(fileobj)

    def get_key(self, fileobj: Any) -> SelectorKey:
        """Return what a descriptor was registered with."""
        return self._selector.get_key(fileobj)

    def get_map(self) -> Mapping[Any, SelectorKey]:
        """Return all that is watched, other meters' ports included."""
        return self._selector.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait as the world does."""
        return self._selector.select(timeout)
