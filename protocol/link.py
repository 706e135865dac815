"""The shape that every link has, HDLC and wrapper, client and server alike."""

from typing import Protocol

from protocol.events import LinkEvent
from protocol.timing import Instant


class Link(Protocol):
    """Octets on one side, whole APDUs on the other."""

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        ...

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Queue what ``event`` asks for.

        Raises:
            LocalProtocolError: the link's state does not allow it.
        """
        ...

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        ...

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest, if nothing comes before."""
        ...
