"""``memory:KIND``: lines inside this process, for tests, faults and worlds without real time."""

from collections.abc import Callable
from selectors import BaseSelector

from meter_fw.board import PortId, PortKind
from sim.ports.base import News, PortSpecError
from sim.ports.bell import Bell, nobody

SCHEME = "memory"
FORM = "memory:hdlc, memory:wrapper, memory:optical"
#: Nobody outside this process can reach it, so nobody is told of it.
LISTED = False
SUMMARY = "lines inside one process; for tests"

#: Octets that wait in one direction.
QUEUE_LIMIT = 65536


class QueueFullError(Exception):
    """More octets were sent than the other side has room for."""


class MemoryLine:
    """The client's end of a line, as it would hold a serial port or a socket.

    Args:
        name: the line's.
        ring: called when there is something for the meter.
    """

    def __init__(self, name: PortId, ring: Callable[[], None] = nobody) -> None:
        self.name = name
        self._ring = ring
        #: Either side has ended the line.
        self.closed = False
        self._to_meter = bytearray()
        self._to_client = bytearray()

    def send(self, data: bytes) -> None:
        """Send octets to the meter.

        Raises:
            QueueFullError: the meter has not taken what came before.
        """
        if len(self._to_meter) + len(data) > QUEUE_LIMIT:
            raise QueueFullError(f"{self.name}: {QUEUE_LIMIT} octets wait for the meter")
        if not self.closed:
            self._to_meter += data
            self._ring()

    def receive(self) -> bytes:
        """Return, once, what the meter has sent."""
        data = bytes(self._to_client)
        self._to_client.clear()
        return data

    def close(self) -> None:
        """Leave."""
        self.closed = True
        self._ring()

    def take(self) -> bytes:
        """Return, once, what the client has sent; the meter's side."""
        data = bytes(self._to_meter)
        self._to_meter.clear()
        return data

    def give(self, data: bytes) -> None:
        """Bring octets to the client, which is dropped if it does not read; the meter's side."""
        if len(self._to_client) + len(data) > QUEUE_LIMIT:
            self.closed = True
        elif not self.closed:
            self._to_client += data


class MemoryPort:
    """A port whose lines are made by ``connect``.

    Args:
        kind: what is spoken on it.
        name: start of its lines' names.
        ring: called when a line has something for the meter.
    """

    def __init__(
        self, kind: PortKind, name: str = SCHEME, ring: Callable[[], None] = nobody
    ) -> None:
        self._kind = kind
        self._ring = ring
        self._name = name
        self._lines: dict[PortId, MemoryLine] = {}
        self._made = 0
        self._fresh = News()

    @property
    def client_spec(self) -> str:
        """Its name; no other process can reach it."""
        return f"{SCHEME}:{self._kind.value}"

    def connect(self) -> MemoryLine:
        """Return the client's end of a new line."""
        self._made += 1
        line = MemoryLine(PortId(f"{self._name}#{self._made}"), self._ring)
        self._lines[line.name] = line
        self._fresh.opened[line.name] = self._kind
        self._ring()
        return line

    def collect(self) -> News:
        """Return new lines, octets received and lines that ended."""
        news, self._fresh = self._fresh, News()
        for name, line in list(self._lines.items()):
            data = line.take()
            if data:
                news.rx[name] = data
            elif line.closed:
                del self._lines[name]
                news.closed.add(name)
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Bring octets to the client at the other end of ``line``."""
        if line in self._lines:
            self._lines[line].give(data)

    def hang_up(self, line: PortId) -> None:
        """End a line; what was sent can still be received."""
        if line in self._lines:
            self._lines[line].close()

    def close(self) -> None:
        """End every line."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()


def open_port(rest: str, selector: BaseSelector) -> MemoryPort:
    """Open the port that ``memory:`` and ``rest`` name; of ``selector`` only a bell is needed.

    Raises:
        PortSpecError: ``rest`` is none of ``hdlc``, ``wrapper`` and ``optical``.
    """
    ring = (lambda: selector.ring()) if isinstance(selector, Bell) else nobody  # as it is then
    try:
        return MemoryPort(PortKind(rest), ring=ring)
    except ValueError:
        raise PortSpecError(f"memory:{rest} is none of {FORM}") from None
