"""The wrapper of IEC 62056-47: APDUs behind headers of eight octets, here on a TCP stream.

A header is version (1), source wPort, destination wPort and the APDU's length, two octets each.
The layout as gurux-dlms, dlms-cosem and pydlms-client agree on it. There is no check and no mark
to find a header by, so a stream that has gone wrong once cannot be followed any more: the link
says so, once, and is deaf and dumb from then on. The owner of the port hangs up. On UDP
(``protocol.udp``) each datagram begins anew.
"""

from collections.abc import Collection
from struct import Struct
from typing import ClassVar, NamedTuple, Self

from protocol.errors import LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    LinkEvent,
    LinkWanted,
    Peer,
)
from protocol.timing import Instant, earliest, later

VERSION = 1
#: The wPort of all logical devices, as dlms-cosem and pydlms-client have it: for broadcasts, which
#: nobody answers.
ALL_STATION = 0x7F
_HEADER = Struct(">4H")  # version, source wPort, destination wPort, length of the APDU
HEADER_OCTETS: int = _HEADER.size
#: The length field and the wPorts have sixteen bits.
MAX_APDU = MAX_PORT = 0xFFFF
DEFAULT_FRAME_TIMEOUT = 10_000
#: A frame has to be whole after so many times of the silence allowed in it: octet by octet at the
#: last moment, one of 64 KiB would hold a port for a week.
SLOWEST_FRAME = 6
#: The same as HDLC's inactivity time-out.
DEFAULT_IDLE_TIMEOUT = 120_000
DEFAULT_MAX_PEERS = 8
#: Octets that wait to be fetched; beyond, ``send`` refuses.
OUTGOING_LIMIT = 0x100000


class Header(NamedTuple):
    """The fields of a header."""

    version: int
    source: int
    destination: int
    length: int


class WrapperLink:
    """One TCP stream, a ``protocol.link.Link``; ``client`` and ``server`` make its two halves.

    There are no connections within the stream: a peer is reported with ``LinkConnected`` when it
    is asked for (client) or first heard (server). Where too many come, the one not heard for the
    longest time goes.
    """

    #: The longest APDU that fits.
    LONGEST: ClassVar[int] = MAX_APDU

    def __init__(
        self,
        *,
        peer: Peer | None,
        logical: Collection[int],
        max_apdu: int,
        frame_timeout: int,
        idle_timeout: int | None,
        max_peers: int,
    ) -> None:
        if not 0 < max_apdu <= MAX_APDU:
            raise LocalProtocolError(f"a wrapper carries APDUs of 1 to {MAX_APDU} octets")
        ports = (peer.client, peer.server) if peer else tuple(logical)
        if not all(0 <= port <= MAX_PORT for port in ports):
            raise LocalProtocolError(f"a wPort is 0 to {MAX_PORT}, not {ports}")
        self._own = peer
        self._logical = frozenset(logical)
        self._max_apdu = min(max_apdu, self.LONGEST)
        self._timeout = frame_timeout
        self._idle_timeout = idle_timeout
        self._max_peers = max_peers
        self._peers: dict[Peer, None] = {}  # in the order in which they were last heard
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._events: list[LinkEvent] = []
        self._events_at: Instant | None = None
        self._deadline: Instant | None = None
        self._slowest: Instant | None = None  # when the frame under way has to be whole
        self._broken = False

    @classmethod
    def client(
        cls,
        peer: Peer,
        *,
        max_apdu: int = MAX_APDU,
        frame_timeout: int = DEFAULT_FRAME_TIMEOUT,
    ) -> Self:
        """Make the client's half.

        Args:
            peer: our wPort (client) and the server's (logical device).
            max_apdu: octets of the longest APDU, sent or received, at most 65535.
            frame_timeout: milliseconds of silence within a frame that end the stream.

        Raises:
            LocalProtocolError: a wPort or the bound does not fit the header.
        """
        return cls(
            peer=peer,
            logical=(),
            max_apdu=max_apdu,
            frame_timeout=frame_timeout,
            idle_timeout=None,
            max_peers=1,
        )

    @classmethod
    def server(
        cls,
        logical: Collection[int],
        *,
        max_apdu: int = MAX_APDU,
        frame_timeout: int = DEFAULT_FRAME_TIMEOUT,
        idle_timeout: int | None = DEFAULT_IDLE_TIMEOUT,
        max_peers: int = DEFAULT_MAX_PEERS,
    ) -> Self:
        """Make the server's half.

        Args:
            logical: the wPorts of the logical devices; frames for others get no answer. One for
                ``ALL_STATION`` is heard, unnumbered, by each that knows the client.
            max_apdu: octets of the longest APDU, sent or received, at most 65535.
            frame_timeout: milliseconds of silence within a frame that end the stream.
            idle_timeout: milliseconds without any octet that end it; None for ever. Counted from
                the first call of ``receive``, which its owner makes when the port opens.
            max_peers: pairs of wPorts served at a time; a further one drives out the one that was
                last heard before all others.

        Raises:
            LocalProtocolError: a wPort or the bound does not fit the header.
        """
        return cls(
            peer=None,
            logical=logical,
            max_apdu=max_apdu,
            frame_timeout=frame_timeout,
            idle_timeout=idle_timeout,
            max_peers=max_peers,
        )

    @property
    def broken(self) -> bool:
        """Whether the stream cannot be followed any more, and has to be hung up."""
        return self._broken

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        events, self._events, self._events_at = self._events, [], None
        if self._broken:
            return events
        if self._deadline is not None and now >= self._deadline:
            return events + self._break(DisconnectReason.TIMEOUT)
        if data:
            begun = len(self._buffer)
            self._buffer += data
            events += self._frames()
            if len(self._buffer) != begun + len(data) or not begun:  # another frame, or none
                self._slowest = later(now, SLOWEST_FRAME * self._timeout)
        if not self._broken and (data or self._deadline is None):
            self._deadline = self._next_deadline(now)
        return events

    def _may_call(self, peer: Peer) -> bool:
        """A client calls its server; a logical device may call a client that it notifies."""
        return peer == self._own if self._own is not None else peer.server in self._logical

    def _next_deadline(self, now: Instant) -> Instant | None:
        """Until when the rest of a frame has to come, or else anything at all."""
        if self._buffer:
            return earliest(later(now, self._timeout), self._slowest)
        return None if self._idle_timeout is None else later(now, self._idle_timeout)

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Queue an APDU; meet (client) or forget a peer.

        Raises:
            LocalProtocolError: the stream is broken, the peer is none of this stream, the APDU is
                empty or too long, or too much is waiting to be fetched.
        """
        if self._broken:
            raise LocalProtocolError("this stream cannot be followed any more")
        match event:
            case LinkConnect(peer=peer) if self._may_call(peer):
                self._report(self._meet(peer), now)
            case LinkData(peer=peer, apdu=apdu) if peer == self._own or peer in self._peers:
                self._transmit(peer, apdu)
            case LinkDisconnect(peer=peer) if peer == self._own or peer in self._peers:
                self._peers.pop(peer, None)
                self._report([LinkDisconnected(peer, DisconnectReason.LOCAL)], now)
            case LinkWanted():
                pass  # whoever has something to say here says it
            case _:
                raise LocalProtocolError(f"not possible on this wrapper stream: {event.peer}")

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return earliest(self._events_at, self._deadline)

    def _frames(self) -> list[LinkEvent]:
        """Take every whole frame out of the buffer."""
        events: list[LinkEvent] = []
        start = 0
        while (apdu_at := start + HEADER_OCTETS) <= len(self._buffer):
            header = parse_header(self._buffer[start:apdu_at])
            if header is None or header.length > self._max_apdu:
                return events + self._break(DisconnectReason.STREAM_BROKEN)
            end = apdu_at + header.length
            if end > len(self._buffer):
                break
            events += self._frame(header, bytes(self._buffer[apdu_at:end]))
            start = end
        del self._buffer[:start]
        if not _may_be_header(self._buffer):
            events += self._break(DisconnectReason.STREAM_BROKEN)
        return events

    def _frame(self, header: Header, apdu: bytes) -> list[LinkEvent]:
        if self._own is not None:
            peer = Peer(header.destination, header.source)
            known = peer == self._own
        else:
            peer = Peer(header.source, header.destination)
            known = peer.server in self._logical
            if header.destination == ALL_STATION and not known:
                return self._broadcast(header.source, apdu)
        if not known or not apdu:
            return []
        return [*self._meet(peer), LinkData(peer, apdu)]

    def _broadcast(self, client: int, apdu: bytes) -> list[LinkEvent]:
        """Let every logical device that knows a client hear what he says to all."""
        heard = [Peer(client, device) for device in sorted(self._logical)] if apdu else []
        return [LinkData(peer, apdu, unnumbered=True) for peer in heard if peer in self._peers]

    def _meet(self, peer: Peer) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        if peer not in self._peers:
            if len(self._peers) >= self._max_peers:
                oldest = next(iter(self._peers))
                del self._peers[oldest]
                events.append(LinkDisconnected(oldest, DisconnectReason.CROWDED_OUT))
            events.append(LinkConnected(peer))
        self._peers.pop(peer, None)
        self._peers[peer] = None
        return events

    def _transmit(self, peer: Peer, apdu: bytes) -> None:
        if not 0 < len(apdu) <= self._max_apdu:
            raise LocalProtocolError(f"an APDU of {len(apdu)} octets; 1 to {self._max_apdu} can go")
        if len(self._outgoing) + len(apdu) > OUTGOING_LIMIT:
            raise LocalProtocolError("too much is waiting to be sent")
        source, destination = peer.server, peer.client
        if self._own is not None:
            source, destination = destination, source
        self._queue(build_header(source, destination, len(apdu)) + apdu)

    def _queue(self, frame: bytes) -> None:
        self._outgoing += frame

    def _break(self, reason: DisconnectReason) -> list[LinkEvent]:
        """Give the stream up. A server that has met nobody yet reports ``Peer(0, 0)``."""
        self._broken = True
        self._deadline = None
        self._buffer.clear()
        peers = list(self._peers) or [self._own or Peer(0, 0)]
        self._peers.clear()
        return [LinkDisconnected(peer, reason) for peer in peers]

    def _report(self, events: list[LinkEvent], now: Instant) -> None:
        """Keep events for the next ``receive``, and ask to be woken for it."""
        if events:
            self._events += events
            self._events_at = now


def build_header(source: int, destination: int, length: int) -> bytes:
    """Return the eight octets in front of an APDU of ``length`` octets."""
    return _HEADER.pack(VERSION, source, destination, length)


def parse_header(octets: bytes | bytearray) -> Header | None:
    """Return the header's fields, or None when it is not of version 1."""
    header = Header(*_HEADER.unpack(octets))
    return header if header.version == VERSION else None


def _may_be_header(octets: bytes | bytearray) -> bool:
    """Whether what has come of a header so far begins with the version."""
    version = VERSION.to_bytes(2, "big")
    return octets[:2] == version[: len(octets)]
