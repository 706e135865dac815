"""A transport that shows what passes: for finding out who is wrong, with passwords and all."""

from collections.abc import Callable

from headend.transports import Transport
from protocol.timing import Instant


class TracedTransport:
    """A transport around another.

    Args:
        transport: the one that does the work.
        line: takes each line of the trace.
    """

    def __init__(self, transport: Transport, line: Callable[[str], None]) -> None:
        self._transport = transport
        self._line = line

    def read(self, deadline: Instant) -> bytes:
        """Return what has come, shown as ``<``."""
        octets = self._transport.read(deadline)
        if octets:
            self._line(f"< {octets.hex(' ').upper()}")
        return octets

    def write(self, octets: bytes) -> None:
        """Send, shown as ``>``."""
        self._line(f"> {octets.hex(' ').upper()}")
        self._transport.write(octets)

    def close(self) -> None:
        """Give the port back."""
        self._transport.close()
