"""What remembers the other side's invocation counters."""

from typing import Protocol

from protocol.security import KeyUse, ReplayBook


class Guard(Protocol):
    """Whatever remembers the invocation counters of the other side."""

    @property
    def last(self) -> int:
        """The greatest counter accepted so far, -1 when there was none."""
        ...

    def accept(self, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: it is not greater than every one accepted before.
        """
        ...


def guard_of(guards: Guard | ReplayBook, title: bytes, use: KeyUse) -> Guard:
    """Return what remembers the counters of one of the other side's keys."""
    return guards.guard(title, use) if isinstance(guards, ReplayBook) else guards
