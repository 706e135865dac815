"""What the HDLC tests share: frames by a short hand, and a line without losses."""

from typing import Any

from protocol.events import LinkConnect, LinkData, LinkEvent, Peer
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters, HdlcServer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.timing import Instant

T0 = Instant(1_700_000_000_000)
PEER = Peer(16, 1, 17)
CLIENT = HdlcAddress(16)
SERVER = HdlcAddress(1, 17, 2)
LLC_COMMAND = bytes.fromhex("E6E600")
LLC_RESPONSE = bytes.fromhex("E6E700")


def at(milliseconds: int) -> Instant:
    """Return an instant after the start of the test."""
    return Instant(T0 + milliseconds)


def command(
    kind: FrameKind,
    information: bytes = b"",
    *,
    send: int = 0,
    receive: int = 0,
    poll: bool = True,
    more: bool = False,
    client: HdlcAddress = CLIENT,
    server: HdlcAddress = SERVER,
) -> bytes:
    """Return a client's frame."""
    return Frame(server, client, Control(kind, poll, send, receive), information, more).to_bytes()


def response(
    kind: FrameKind,
    information: bytes = b"",
    *,
    send: int = 0,
    receive: int = 0,
    final: bool = True,
    more: bool = False,
    server: HdlcAddress = SERVER,
) -> bytes:
    """Return a server's frame."""
    return Frame(CLIENT, server, Control(kind, final, send, receive), information, more).to_bytes()


def frames_in(octets: bytes) -> list[Frame]:
    """Return the frames in ``octets``."""
    return FrameFinder(inter_octet_timeout=500).receive(octets, T0)


def only_frame(octets: bytes) -> Frame:
    """Return the one frame that ``octets`` must hold."""
    (frame,) = frames_in(octets)
    return frame


def make_server(parameters: HdlcParameters | None = None, **settings: Any) -> HdlcServer:
    """Return a station with physical address 17 and logical device 1."""
    return HdlcServer(17, {1}, parameters, **settings)


def connected_server(parameters: HdlcParameters | None = None, **settings: Any) -> HdlcServer:
    """Return a station to which client 16 is connected, its UA fetched."""
    server = make_server(parameters, **settings)
    information = parameters.to_information() if parameters else b""
    server.receive(command(FrameKind.SNRM, information), T0)
    server.outgoing()
    return server


def connected_client(
    parameters: HdlcParameters | None = None, times: ClientTimes | None = None, retries: int = 3
) -> HdlcClient:
    """Return a client whose SNRM was answered."""
    client = HdlcClient(PEER, 2, parameters, times, retries)
    client.send(LinkConnect(PEER), T0)
    client.outgoing()
    information = parameters.to_information() if parameters else b""
    client.receive(response(FrameKind.UA, information), T0)
    return client


def carry(client: HdlcClient, server: HdlcServer, now: Instant = T0) -> list[LinkEvent]:
    """Carry octets to and fro until the line is silent; return what the client reported.

    The server's upper layer answers every APDU with its octets reversed.
    """
    reported: list[LinkEvent] = []
    while octets := client.outgoing():
        for event in server.receive(octets, now):
            if isinstance(event, LinkData):
                server.send(LinkData(event.peer, event.apdu[::-1]), now)
        reported += client.receive(server.outgoing(), now)
    return reported
