"""A port with one line that is there from the start and never hangs up, as on a serial wire."""

from meter_fw.board import PortId, PortKind
from sim.ports.base import News
from sim.ports.stream import Stream


class FixedLine:
    """What such ports have in common; whoever opens the descriptor closes it.

    Args:
        line: its name.
        kind: what is spoken on it.
        stream: its octets.
    """

    def __init__(self, line: PortId, kind: PortKind, stream: Stream) -> None:
        self._line = line
        self._kind = kind
        self._stream = stream
        self._announced = False

    def collect(self) -> News:
        """Return the octets received; the first call opens the line."""
        news = News()
        if not self._announced:
            self._announced = True
            news.opened[self._line] = self._kind
        data = self._stream.take()
        if data:
            news.rx[self._line] = data
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Write to the line; what nobody reads is lost."""
        if line == self._line:
            self._stream.write(data)

    def hang_up(self, line: PortId) -> None:
        """Do nothing: a serial line cannot be hung up."""
