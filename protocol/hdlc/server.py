"""The server's half of an HDLC line: one station, several clients."""

from collections.abc import Collection

from protocol.errors import LocalProtocolError
from protocol.events import LinkBusy, LinkData, LinkDisconnect, LinkEvent, Peer
from protocol.hdlc.address import PART_LIMITS, HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.reassembly import DEFAULT_MAX_APDU, LLC_COMMAND, LLC_RESPONSE
from protocol.hdlc.secondary import Secondary, SecondarySettings
from protocol.hdlc.state import State
from protocol.hdlc.unnumbered import UnnumberedReceiver, UnnumberedSender
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

    Frames for other stations get no answer, and those for all never do: of them only UI is taken.
    A 1-octet address names a logical device only, so it is answered whatever our physical address
    is, unless others on the line would answer too. Answers use the address form of the request.

    Args:
        physical: our lower address, on the line.
        logical: our upper addresses, the logical devices.
        parameters: the lengths of an information field and the windows that we offer.
        inactivity_timeout: milliseconds without a frame after which a connection ends silently.
        inter_octet_timeout: milliseconds of silence within a frame after which it is given up.
        answer_within: milliseconds that the layer above has before an RR gives the turn back.
        max_connections: SNRM beyond that many connections ends the one silent the longest.
        max_apdu: octets of the longest APDU, sent or received.
        shared: other servers are on the line. We never speak unasked then, and a 1-octet address
            is one of several stations.
        calling: we have made the call, so the calling address is ours too.
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
        shared: bool = False,
        calling: bool = False,
    ) -> None:
        self._physical = physical
        self._logical = frozenset(logical)
        self._shared = shared
        self._calling = calling
        offered = parameters or HdlcParameters()
        self._settings = SecondarySettings(offered, inactivity_timeout, answer_within, max_apdu)
        self._max_connections = max_connections
        self._finder = FrameFinder(inter_octet_timeout)
        self._connections: dict[Peer, Secondary] = {}
        self._heard = UnnumberedReceiver(LLC_COMMAND, max_apdu)
        self._unasked = UnnumberedSender(LLC_RESPONSE, offered.transmit, max_apdu)
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
        """Queue an APDU, hold a connection up (``LinkBusy``), or end it (``LinkDisconnect``).

        A server cannot speak unasked: an ended connection shows as DM at the client's next poll.
        Only unnumbered data goes out by itself where the line is not shared, and needs no
        connection.

        Raises:
            LocalProtocolError: no such connection, or not an event that a server can ask for.
        """
        if isinstance(event, LinkData) and event.unnumbered:
            self._push(event)
            return
        connection = self._connections.get(event.peer)
        if connection is None:
            raise LocalProtocolError(f"no HDLC connection with {event.peer}")
        match event:
            case LinkData(apdu=apdu):
                connection.send(apdu)
            case LinkBusy(busy=busy):
                connection.held = busy
            case LinkDisconnect():
                self._events += connection.disconnect()
                self._events_at = now
                self._keep(event.peer, connection)
            case _:
                raise LocalProtocolError(f"an HDLC server cannot do {type(event).__name__}")

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        for connection in self._connections.values():
            connection.flush()
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def at_a_stretch(self, peer: Peer, octets: int) -> int:
        """Return how many APDUs of so many octets a peer can be sent before it has to poll."""
        connection = self._connections.get(peer)
        return 1 if connection is None else connection.at_a_stretch(octets)

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        timers = [connection.wake_at() for connection in self._connections.values()]
        return earliest(self._events_at, self._finder.wake_at(), *timers)

    def _frame(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        client, server = frame.source, frame.destination
        if client.octets != 1 or not client.is_station:
            return []
        if frame.control.kind is FrameKind.UI:
            return self._unnumbered(frame, now)
        if not self._is_only_us(server) or server.upper not in self._logical:
            return []
        peer = Peer(client.upper, server.upper, server.lower)
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

    def _is_only_us(self, server: HdlcAddress) -> bool:
        """Whether the physical part means this station and no other."""
        if server.octets == 1:
            return not self._shared
        if server.lower in (0, server.everybody):
            return False
        return server.lower == self._physical or (self._calling and server.lower == server.calling)

    def _keep(self, peer: Peer, connection: Secondary) -> None:
        """Only connections that stand take up room; the one that spoke last stands last."""
        self._connections.pop(peer, None)
        if connection.state is not State.DISCONNECTED:
            self._connections[peer] = connection

    # --- UI frames -------------------------------------------------------------------------------

    def _unnumbered(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        """Take a UI frame for us or for all, and use the turn that one for us may give."""
        server = frame.destination
        only_us = self._is_only_us(server)
        if not only_us and server.octets > 1 and server.lower != server.everybody:
            return []
        everybody = server.upper == server.everybody
        devices = sorted(self._logical) if everybody else sorted(self._logical & {server.upper})
        if not devices:
            return []
        events: list[LinkEvent] = []
        apdu = self._heard.accept(frame)
        for device in devices:
            peer = self._listening(frame, device)
            if peer in self._connections:
                self._connections[peer].heard(now)
            if apdu is not None:
                events.append(LinkData(peer, apdu, unnumbered=True))
        if frame.control.poll and only_us and not everybody:
            frames = self._unasked.take(frame.source, final=True)
            silence = Frame(frame.source, server, Control(FrameKind.UI))
            for answer in frames or [silence]:
                self._write(answer)
        return events

    def _listening(self, frame: Frame, device: int) -> Peer:
        """Return which conversation a UI frame belongs to: the client's connection, if any."""
        client, server = frame.source.upper, frame.destination
        exact = Peer(client, device, server.lower)
        if exact in self._connections:
            return exact
        for peer in self._connections:
            if (peer.client, peer.server) == (client, device):
                return peer
        return Peer(client, device, 0 if server.octets == 1 else self._physical)

    def _push(self, event: LinkData) -> None:
        """Queue an APDU for UI frames; it goes at once where nobody else could be speaking."""
        peer = event.peer
        if peer.server not in self._logical:
            raise LocalProtocolError(f"no logical device {peer.server} here")
        client = HdlcAddress(peer.client)
        self._unasked.enqueue(client, self._own_address(peer), event.apdu)
        answering = any(connection.awaited for connection in self._connections.values())
        if not self._shared and not answering:
            for frame in self._unasked.take(client, final=True):
                self._write(frame)

    def _own_address(self, peer: Peer) -> HdlcAddress:
        """Return our address in the form that a peer uses, or the shortest that names us."""
        if peer in self._connections:
            return self._connections[peer].address
        if not peer.physical:
            return HdlcAddress(peer.server)
        long = max(peer.server, peer.physical) >= PART_LIMITS[2] - 1
        return HdlcAddress(peer.server, peer.physical, 4 if long else 2)

    # --- what goes out ---------------------------------------------------------------------------

    def _transmit(self, frame: Frame) -> None:
        """Send a connection's frame, and before it what waits for the same client."""
        if frame.control.kind in (FrameKind.I, FrameKind.RR, FrameKind.RNR):
            for waiting in self._unasked.take(frame.destination):
                self._write(waiting)
        self._write(frame)

    def _write(self, frame: Frame) -> None:
        octets = frame.to_bytes()
        if len(self._outgoing) + len(octets) <= OUTGOING_LIMIT:
            self._outgoing += octets
