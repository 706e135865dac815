"""Sessions in a capture: who said what, in order, whoever captured it.

What ``--capture`` wrote has the session on each packet. In another's capture a session is a TCP
connection, the datagrams between two ends, or a line; segments are put in their order, repeated
ones are dropped, and the server is who was called, or has the lower port.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from headend.errors import UsageError
from headend.observe.capture import About
from headend.observe.packets import ACK, SYN, TCP, End, Segment, parse
from headend.observe.pcapng import Packet, ip_of, is_octets

#: What may be held of a capture at once; more is a matter for a tool that cuts captures.
_MOST_OCTETS: Final = 64 << 20
_MOST_PIECES: Final = 500_000
#: Octets that wait for a segment before them.
_MOST_WAITING: Final = 1 << 20
#: By which a server is known where nobody saw it called.
_PORTS: Final = (4059,)


class Said(Struct, frozen=True):
    """Octets that passed at once.

    Args:
        nanoseconds: since 1970.
        by_client: whether the head-end sent them.
        octets: at least one.
    """

    nanoseconds: int
    by_client: bool
    octets: bytes


@dataclass
class Session:
    """One conversation with one meter.

    Args:
        about: what is known of it; ``session`` is made up for another's capture.
        said: in the order of time.
    """

    about: About
    said: list[Said] = field(default_factory=list)

    @property
    def octets(self) -> int:
        """How many passed."""
        return sum(len(each.octets) for each in self.said)


@dataclass
class _Way:
    """One direction of a TCP connection."""

    next: int | None = None
    waiting: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def take(self, sequence: int, octets: bytes, time: int) -> list[tuple[int, bytes]]:
        """Return what can be said now, in order."""
        if self.next is None:
            self.next = sequence
        self.waiting.setdefault(sequence, (time, octets))
        if sum(len(kept) for _, kept in self.waiting.values()) > _MOST_WAITING:
            self.next = min(self.waiting, key=self._ahead)  # what is missing never came
        found: list[tuple[int, bytes]] = []
        while True:
            due = [number for number in self.waiting if self._ahead(number) <= 0]
            if not due:
                return found
            number = min(due, key=self._ahead)
            at, octets = self.waiting.pop(number)
            fresh = octets[-self._ahead(number) :]
            if fresh:
                found.append((at, fresh))
                self.next = (self.next + len(fresh)) % (1 << 32)

    def _ahead(self, sequence: int) -> int:
        """Return how far a sequence number is ahead of the next one; below 0 it was there."""
        assert self.next is not None  # ``take`` has set it
        return (sequence - self.next + (1 << 31)) % (1 << 32) - (1 << 31)

    def rest(self) -> list[tuple[int, bytes]]:
        """Return what still waits for something that never came."""
        return [self.waiting[number] for number in sorted(self.waiting, key=self._ahead)]


@dataclass
class _Connection:
    session: Session
    client: End
    ways: dict[End, _Way] = field(default_factory=dict)


class Sessions:
    """The sessions of a capture.

    Args:
        meter: name of the meter whose sessions are kept; None keeps all, another's too.
        place: where it is: that is how a session is known in which the meter was not named.
        last: how many are kept, those that began last; None for all.
    """

    def __init__(self, meter: str | None = None, place: str = "", last: int | None = None) -> None:
        self._meter = meter
        self._place = place
        self._last = last
        self._kept: dict[str, Session] = {}
        self._connections: dict[frozenset[End], _Connection] = {}
        self._pieces = self._octets = 0

    def take(self, packets: Iterable[Packet]) -> None:
        """Take the packets of a capture.

        Raises:
            UsageError: there is more than can be shown.
        """
        for packet in packets:
            about = About.read(packet.comment)
            if about is not None and packet.sent is not None:
                self._ours(packet, about, by_client=packet.sent)
            elif self._meter is None:
                self._others(packet)

    def found(self) -> list[Session]:
        """Return the sessions in which something was said, in the order of their beginnings."""
        for connection in self._connections.values():
            for end, way in connection.ways.items():
                for time, octets in way.rest():
                    self._add(connection.session, time, end == connection.client, octets)
        found = [session for session in self._kept.values() if session.said]
        return found if self._last is None else found[-self._last :]

    def _ours(self, packet: Packet, about: About, *, by_client: bool) -> None:
        if self._meter is not None and not self._is_meter(about):
            return
        octets = packet.octets
        if not is_octets(packet.link):
            segment = parse(ip_of(packet) or b"")
            octets = b"" if segment is None else segment.payload
        session = self._kept.get(about.session)
        if session is None:
            session = self._begin(about)
        self._add(session, packet.nanoseconds, by_client, octets)

    def _is_meter(self, about: About) -> bool:
        """Whether a session was with the meter; one that was not named is known by its place."""
        return about.meter == self._meter if about.meter else about.place == self._place

    def _others(self, packet: Packet) -> None:
        if is_octets(packet.link):
            name = packet.interface or "line"
            session = self._kept.get(name) or self._begin(About(name, place=name))
            self._add(session, packet.nanoseconds, packet.sent is not False, packet.octets)
            return
        segment = parse(ip_of(packet) or b"")
        if segment is None:
            return
        connection = self._connection(segment)
        by_client = segment.source == connection.client
        if segment.protocol != TCP:
            self._add(connection.session, packet.nanoseconds, by_client, segment.payload)
            return
        way = connection.ways.setdefault(segment.source, _Way())
        if segment.flags & SYN:
            way.next = (segment.sequence + 1) % (1 << 32)
        elif segment.payload:
            for time, octets in way.take(segment.sequence, segment.payload, packet.nanoseconds):
                self._add(connection.session, time, by_client, octets)

    def _connection(self, segment: Segment) -> _Connection:
        key = frozenset((segment.source, segment.destination))
        known = self._connections.get(key)
        calling = bool(segment.flags & SYN) and not segment.flags & ACK
        if known is not None and not (calling and known.session.said):
            return known
        client, server = _roles(segment)
        number = sum(1 for _ in self._kept) + 1
        place = f"{server.host}:{server.port} from {client.host}:{client.port}"
        made = _Connection(self._begin(About(f"{number}", place=place)), client)
        self._connections[key] = made
        return made

    def _begin(self, about: About) -> Session:
        session = self._kept[about.session] = Session(about)
        if self._last is not None:
            while len(self._kept) > max(self._last, 1) * 64:  # one of these is the oldest
                gone = self._kept.pop(next(iter(self._kept)))
                self._octets -= gone.octets
                self._pieces -= len(gone.said)
        return session

    def _add(self, session: Session, time: int, by_client: bool, octets: bytes) -> None:
        if not octets:
            return
        self._octets += len(octets)
        self._pieces += 1
        if self._octets > _MOST_OCTETS or self._pieces > _MOST_PIECES:
            raise UsageError("the capture is too large: cut it with editcap, or give --last")
        session.said.append(Said(time, by_client, octets))


def _roles(segment: Segment) -> tuple[End, End]:
    """Return who calls and who is called, as far as one segment tells."""
    source, destination = segment.source, segment.destination
    if segment.protocol == TCP and segment.flags & SYN:
        called = bool(segment.flags & ACK)
    elif (source.port in _PORTS) != (destination.port in _PORTS):
        called = source.port in _PORTS
    else:
        called = source.port < destination.port
    return (destination, source) if called else (source, destination)
