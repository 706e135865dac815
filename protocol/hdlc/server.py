"""The server's half of an HDLC line: one station, several clients."""

from collections.abc import Collection

from protocol.errors import LocalProtocolError
from protocol.events import LinkData, LinkDisconnect, LinkEvent, Peer
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Frame
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.secondary import Secondary, SecondarySettings
from protocol.hdlc.state import State
from protocol.hdlc.transfer import DEFAULT_MAX_APDU
from protocol.timing import Instant, earliest

#: The book's 25 ms are for a bare line; operating systems and networks in between need more.
DEFAULT_INTER_OCTET_TIMEOUT = 500
DEFAULT_INACTIVITY_TIMEOUT = 120_000
DEFAULT_ANSWER_WITHIN = 200
DEFAULT_MAX_CONNECTIONS = 8
#: Octets that wait to be fetched; answers beyond are lost, as on a line, and polled for again.
OUTGOING_LIMIT = 0x10000


class HdlcServer:
    """One station on one line, a ``protocol.link.Link``.

    Frames for other stations get no answer. A 1-octet address names a logical device only, so it
    is answered whatever the physical address is. Answers use the address form of the request.

    Args:
        physical: our lower address, on the line.
        logical: our upper addresses, the logical devices.
        parameters: the lengths of an information field that we offer.
        inactivity_timeout: milliseconds without a frame after which a connection ends silently.
        inter_octet_timeout: milliseconds of silence within a frame after which it is given up.
        answer_within: milliseconds that the layer above has before an RR gives the turn back.
        max_connections: SNRM beyond that many connections ends the one silent the longest.
        max_apdu: octets of the longest APDU, sent or received.
    """

    def __init__(
        self,
        physical: int,
        logical: Collection[int],
        parameters: HdlcParameters | None = None,
        *,
        inactivity_timeout: int = DEFAULT_INACTIVITY_TIMEOUT,
        inter_octet_timeout: int = DEFAULT_INTER_OCTET_TIMEOUT,
        answer_within: int = DEFAULT_ANSWER_WITHIN,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        max_apdu: int = DEFAULT_MAX_APDU,
    ) -> None:
        self._physical = physical
        self._logical = frozenset(logical)
        self._settings = SecondarySettings(
            parameters or HdlcParameters(), inactivity_timeout, answer_within, max_apdu
        )
        self._max_connections = max_connections
        self._finder = FrameFinder(inter_octet_timeout)
        self._connections: dict[Peer, Secondary] = {}
        self._outgoing = bytearray()
        self._events: list[LinkEvent] = []
        self._events_at: Instant | None = None

    @property
    def connected(self) -> frozenset[Peer]:
        """The peers that can be sent to now: those in NRM, not those that were sent a FRMR."""
        return frozenset(
            peer
            for peer, connection in self._connections.items()
            if connection.state is State.CONNECTED
        )

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        events, self._events, self._events_at = self._events, [], None
        for peer, connection in list(self._connections.items()):
            events += connection.expire(now)
            self._keep(peer, connection)
        for frame in self._finder.receive(data, now):
            events += self._frame(frame, now)
        return events

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Queue an APDU (``LinkData``), or end a connection (``LinkDisconnect``).

        A server cannot speak unasked: an ended connection shows as DM at the client's next poll.

        Raises:
            LocalProtocolError: no such connection, or not an event that a server can ask for.
        """
        connection = self._connections.get(event.peer)
        if connection is None:
            raise LocalProtocolError(f"no HDLC connection with {event.peer}")
        match event:
            case LinkData(apdu=apdu):
                connection.send(apdu)
            case LinkDisconnect():
                self._events += connection.disconnect()
                self._events_at = now
                self._keep(event.peer, connection)
            case _:
                raise LocalProtocolError(f"an HDLC server cannot do {type(event).__name__}")

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        timers = [connection.wake_at() for connection in self._connections.values()]
        return earliest(self._events_at, self._finder.wake_at(), *timers)

    def _frame(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        peer = self._peer_of(frame)
        if peer is None:
            return []
        connection = self._connections.get(peer)
        if connection is None:
            connection = Secondary(peer, self._settings, self._transmit)
        events = connection.receive(frame, now)
        self._keep(peer, connection)
        return events + self._make_room()

    def _make_room(self) -> list[LinkEvent]:
        """End the connection that has been silent the longest, if there is one too many.

        Strangers who connect and say no more must not keep others out for two minutes.
        """
        if len(self._connections) <= self._max_connections:
            return []
        peer = next(iter(self._connections))
        events = self._connections[peer].disconnect()
        del self._connections[peer]
        return events

    def _peer_of(self, frame: Frame) -> Peer | None:
        """Return whose frame this is; None when it is not for this station."""
        client, server = frame.source, frame.destination
        if client.octets != 1 or not client.is_station or not server.is_station:
            return None
        if server.octets != 1 and server.lower != self._physical:
            return None
        if server.upper not in self._logical:
            return None
        return Peer(client.upper, server.upper, server.lower)

    def _keep(self, peer: Peer, connection: Secondary) -> None:
        """Only connections that stand take up room; the one that spoke last stands last."""
        self._connections.pop(peer, None)
        if connection.state is not State.DISCONNECTED:
            self._connections[peer] = connection

    def _transmit(self, frame: Frame) -> None:
        octets = frame.to_bytes()
        if len(self._outgoing) + len(octets) <= OUTGOING_LIMIT:
            self._outgoing += octets
