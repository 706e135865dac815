"""What every kind of port is: a place where lines appear, carry octets and go.

A port belongs to one meter. A pseudo-terminal is a port with one line that is always there; a
TCP port has a line for each connection. Nothing blocks and nothing runs by itself: the file
descriptors are registered with the world's selector, ready ones call back, and what they
brought is collected once a turn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from meter_fw.board import PortId, PortKind

#: What a selector calls, with its event mask, when a registered descriptor is ready.
Ready = Callable[[int], None]


class PortError(Exception):
    """A port could not be opened."""


class PortSpecError(PortError):
    """The text given for a port does not name one."""


@dataclass(slots=True)
class News:
    """What happened on some ports since it was last asked for; fields as in ``Inputs``."""

    opened: dict[PortId, PortKind] = field(default_factory=dict)
    rx: dict[PortId, bytes] = field(default_factory=dict)
    closed: set[PortId] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.opened or self.rx or self.closed)

    @classmethod
    def together(cls, parts: Iterable["News"]) -> "News":
        """Return one piece of news for all of ``parts``."""
        whole = cls()
        for part in parts:
            whole.opened.update(part.opened)
            for line, data in part.rx.items():
                whole.rx[line] = whole.rx.get(line, b"") + data
            whole.closed |= part.closed
        return whole


@runtime_checkable
class Rated(Protocol):
    """A port whose lines run at a rate; on the others it is only noted."""

    def set_baud(self, line: PortId, baud: int) -> None:
        """Run a line at another rate from now on."""
        ...


class Port(Protocol):
    """Lines to one meter."""

    @property
    def client_spec(self) -> str:
        """What a client gives to reach this port, e.g. ``serial:./meter0``."""
        ...

    def collect(self) -> News:
        """Return, once, what happened since the last call."""
        ...

    def send(self, line: PortId, data: bytes) -> None:
        """Queue octets; those for a line that has gone are lost, as on a wire."""
        ...

    def hang_up(self, line: PortId) -> None:
        """End a line once its octets are out; a line that cannot end stays."""
        ...

    def close(self) -> None:
        """Give everything back: descriptors, links. Safe to call twice."""
        ...
