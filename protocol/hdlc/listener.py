"""Who only listens on an HDLC line: the UI frames that stations send unasked, from any to any.

There is no connection, and nobody is polled: where a station may speak unasked it is alone on the
line, see ``unnumbered``. An answer, as the confirmation of a push, goes back in UI frames too.
"""

from typing import Final

from protocol.errors import LocalProtocolError
from protocol.events import DisconnectReason, LinkData, LinkDisconnected, LinkEvent, Peer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Frame, FrameKind
from protocol.hdlc.parameters import DEFAULT_INFORMATION
from protocol.hdlc.reassembly import DEFAULT_MAX_APDU, LLC_COMMAND, LLC_RESPONSE
from protocol.hdlc.unnumbered import UnnumberedReceiver, UnnumberedSender
from protocol.timing import Instant

#: Ends that are remembered; strangers can make up any number of them.
MAX_PEERS: Final = 8
DEFAULT_INTER_OCTET_TIMEOUT: Final = 500


class HdlcListener:
    """A ``protocol.link.Link`` that hears every UI frame of a server.

    As in a wrapper that is called, the ``client`` of a peer is who speaks, the station's logical
    device, and its ``server`` is who is spoken to, a client address.

    Args:
        max_apdu: octets of the longest APDU heard; a longer one is dropped.
    """

    #: A line is never given up, whatever is on it.
    broken: Final = False

    def __init__(self, max_apdu: int = DEFAULT_MAX_APDU) -> None:
        self._finder = FrameFinder(DEFAULT_INTER_OCTET_TIMEOUT)
        self._heard = UnnumberedReceiver(LLC_RESPONSE, max_apdu)
        self._answers = UnnumberedSender(LLC_COMMAND, DEFAULT_INFORMATION, max_apdu)
        self._peers: dict[Peer, tuple[HdlcAddress, HdlcAddress]] = {}
        self._outgoing = bytearray()

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent]:
        """Take octets from the port (none: only look at the clock) and say what was heard."""
        return [event for frame in self._finder.receive(data, now) for event in self._frame(frame)]

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Answer somebody who was heard.

        Raises:
            LocalProtocolError: it is another one, or nothing that can be sent.
        """
        del now
        if not isinstance(event, LinkData) or event.peer not in self._peers:
            raise LocalProtocolError(f"a listener only answers whom it has heard: {event.peer}")
        server, client = self._peers[event.peer]
        self._answers.enqueue(server, client, event.apdu)
        for frame in self._answers.take(server):
            self._outgoing += frame.to_bytes()

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return self._finder.wake_at()

    def _frame(self, frame: Frame) -> list[LinkEvent]:
        client, server = frame.destination, frame.source
        if frame.control.kind is not FrameKind.UI or client.octets != 1:
            return []
        apdu = self._heard.accept(frame)
        if apdu is None:
            return []
        peer = Peer(server.upper, client.upper, server.lower)
        return [*self._meet(peer, server, client), LinkData(peer, apdu, unnumbered=True)]

    def _meet(self, peer: Peer, server: HdlcAddress, client: HdlcAddress) -> list[LinkEvent]:
        self._peers.pop(peer, None)
        self._peers[peer] = server, client
        if len(self._peers) <= MAX_PEERS:
            return []
        oldest = next(iter(self._peers))
        del self._peers[oldest]
        return [LinkDisconnected(oldest, DisconnectReason.CROWDED_OUT)]
