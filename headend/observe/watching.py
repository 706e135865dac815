"""Being told of sessions and of what goes over their lines, without being in the way."""

from typing import Protocol

from headend.transports import Transport
from protocol.timing import Instant


class Watch(Protocol):
    """Is told; from the thread of the session."""

    def opened(self, place: str) -> None:
        """A session begins there."""
        ...

    def passed(self, octets: int, *, sent: bool) -> None:
        """So many octets were sent, or came, at once."""
        ...

    def closed(self, received: int, sent: int) -> None:
        """A session is over in which so many octets came and were sent."""
        ...


class WatchedTransport:
    """A transport around another that tells of what passes.

    Args:
        transport: the one that does the work.
        watch: is told.
        place: where the meter is.
    """

    def __init__(self, transport: Transport, watch: Watch, place: str) -> None:
        self._transport = transport
        self._watch = watch
        self._received = self._sent = 0
        self._closed = False
        watch.opened(place)

    def read(self, deadline: Instant) -> bytes:
        """Return what has come."""
        octets = self._transport.read(deadline)
        if octets:
            self._received += len(octets)
            self._watch.passed(len(octets), sent=False)
        return octets

    def write(self, octets: bytes) -> None:
        """Send."""
        self._transport.write(octets)
        self._sent += len(octets)
        self._watch.passed(len(octets), sent=True)

    def close(self) -> None:
        """Give the port back."""
        try:
            self._transport.close()
        finally:
            if not self._closed:
                self._closed = True
                self._watch.closed(self._received, self._sent)
