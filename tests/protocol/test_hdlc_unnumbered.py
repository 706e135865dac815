"""UI frames: broadcasts to servers, and what servers push."""

import pytest

from protocol.errors import LocalProtocolError
from protocol.events import LinkConnect, LinkConnected, LinkData, LinkEvent, Peer
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters, HdlcServer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.unnumbered import MAX_WAITING
from tests.protocol.hdlc_tools import (
    CLIENT,
    LLC_COMMAND,
    LLC_RESPONSE,
    PEER,
    SERVER,
    T0,
    at,
    carry,
    command,
    connected_client,
    connected_server,
    frames_in,
    make_server,
    only_frame,
    response,
)

TIMES = ClientTimes(response=1000, inter_octet=100, poll=300, patience=2000)
UNASKED = LLC_COMMAND + b"set"
PUSH = LLC_RESPONSE + b"push"


def ui(
    server: HdlcAddress, *, poll: bool = False, more: bool = False, pdu: bytes = UNASKED
) -> bytes:
    """Return a client's UI frame."""
    return command(FrameKind.UI, pdu, poll=poll, more=more, server=server)


def unnumbered(apdu: bytes, peer: Peer = PEER) -> LinkData:
    """Return the event of an APDU in UI frames."""
    return LinkData(peer, apdu, unnumbered=True)


# --- to a server ---------------------------------------------------------------------------------


@pytest.mark.parametrize("connected", [True, False])
def test_a_server_takes_a_ui_frame_with_or_without_a_connection(connected: bool) -> None:
    """It is delivered as what it is, and not answered."""
    server = connected_server() if connected else make_server()
    assert server.receive(ui(SERVER), T0) == [unnumbered(b"set")]
    assert server.outgoing() == b""


@pytest.mark.parametrize(
    ("address", "heard"),
    [
        pytest.param(HdlcAddress(1, 17, 2), True, id="us"),
        pytest.param(HdlcAddress(1, 17, 4), True, id="us, four octets"),
        pytest.param(HdlcAddress(1), True, id="our logical device"),
        pytest.param(HdlcAddress(1, 0x7F, 2), True, id="all physical devices"),
        pytest.param(HdlcAddress(0x7F, 0x7F, 2), True, id="all of both"),
        pytest.param(HdlcAddress(0x7F, 17, 2), True, id="all our logical devices"),
        pytest.param(HdlcAddress(0x3FFF, 0x3FFF, 4), True, id="all, four octets"),
        pytest.param(HdlcAddress(0x7F), True, id="all, one octet"),
        pytest.param(HdlcAddress(1, 18, 2), False, id="a neighbour"),
        pytest.param(HdlcAddress(2, 17, 2), False, id="another logical device"),
        pytest.param(HdlcAddress(2, 0x7F, 2), False, id="another logical device of all"),
        pytest.param(HdlcAddress(1, 0, 2), False, id="no physical device"),
        pytest.param(HdlcAddress(0, 17, 2), False, id="no logical device"),
        pytest.param(HdlcAddress(0), False, id="nobody"),
        pytest.param(HdlcAddress(0x7F, 0x7F, 4), False, id="0x7F is one station in four octets"),
        pytest.param(HdlcAddress(1, 0x7E, 2), False, id="who called, which we have not"),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_who_hears_a_ui_frame(address: HdlcAddress, heard: bool, shared: bool) -> None:
    """The one that is named, and all for the all-station addresses."""
    server = HdlcServer(17, {1}, shared=shared)
    events = server.receive(ui(address), T0)
    assert [event.apdu for event in events if isinstance(event, LinkData)] == [b"set"] * heard
    assert server.outgoing() == b""


@pytest.mark.parametrize("kind", list(FrameKind))
@pytest.mark.parametrize("poll", [True, False])
@pytest.mark.parametrize(
    "address",
    [
        HdlcAddress(0x7F),
        HdlcAddress(1, 0x7F, 2),
        HdlcAddress(0x7F, 17, 2),
        HdlcAddress(0x7F, 0x7F, 2),
        HdlcAddress(0x3FFF, 0x3FFF, 4),
        HdlcAddress(0, 17, 2),
        HdlcAddress(1, 0, 2),
        HdlcAddress(0),
    ],
)
def test_nobody_answers_a_frame_for_all_or_none(
    kind: FrameKind, poll: bool, address: HdlcAddress
) -> None:
    """Several would speak at once; and no connection begins or ends by one."""
    octet = 0x19 if kind is FrameKind.UNKNOWN else None
    octets = Frame(address, CLIENT, Control(kind, poll, octet=octet), b"").to_bytes()
    for server in (make_server(), connected_server()):
        before = server.connected
        assert server.receive(octets, T0) == []
        assert server.outgoing() == b""
        assert server.connected == before


def test_a_broadcast_belongs_to_the_connection_of_its_client() -> None:
    """Whatever form its address has, so the layer above finds the association."""
    server = HdlcServer(17, {1})
    peer = Peer(16, 1)
    server.receive(command(FrameKind.SNRM, server=HdlcAddress(1)), T0)
    assert server.receive(ui(HdlcAddress(0x7F, 0x7F, 2)), T0) == [unnumbered(b"set", peer)]


def test_a_broadcast_reaches_every_logical_device() -> None:
    """One event each, in their order."""
    server = HdlcServer(17, {3, 1})
    events = server.receive(ui(HdlcAddress(0x7F, 0x7F, 2)), T0)
    assert events == [unnumbered(b"set", Peer(16, device, 17)) for device in (1, 3)]


def test_a_ui_frame_keeps_a_connection_alive() -> None:
    """The client is there."""
    server = connected_server(inactivity_timeout=120_000)
    server.receive(ui(SERVER), at(60_000))
    assert server.wake_at() == at(180_000)


def test_a_ui_frame_leaves_the_numbers_alone() -> None:
    """The next request is as new as before, and its answer comes."""
    server = connected_server()
    server.receive(ui(SERVER), T0)
    request = command(FrameKind.I, LLC_COMMAND + b"get")
    assert server.receive(request, T0) == [LinkData(PEER, b"get")]


def test_segments_of_ui_frames_come_together() -> None:
    """Unless another sender comes between: nothing counts them."""
    server = make_server()
    assert server.receive(ui(SERVER, more=True), T0) == []
    assert server.receive(ui(SERVER, pdu=b"ting"), T0) == [unnumbered(b"setting")]
    server.receive(ui(SERVER, more=True), T0)
    other = command(FrameKind.UI, UNASKED, poll=False, client=HdlcAddress(1))
    assert server.receive(other, T0) == [unnumbered(b"set", Peer(1, 1, 17))]
    assert server.receive(ui(SERVER, pdu=b"ting"), T0) == []


@pytest.mark.parametrize("pdu", [b"set", LLC_RESPONSE + b"set", b"", LLC_COMMAND])
def test_ui_frames_without_the_llc_header_are_dropped(pdu: bytes) -> None:
    """And the next one is taken."""
    server = make_server()
    assert server.receive(ui(SERVER, pdu=pdu), T0) == []
    assert server.receive(ui(SERVER), T0) == [unnumbered(b"set")]


def test_segments_without_end_do_not_fill_the_memory() -> None:
    """Nothing is kept beyond the longest APDU."""
    server = make_server(max_apdu=1000)
    for _ in range(1000):
        assert server.receive(ui(SERVER, more=True, pdu=LLC_COMMAND + bytes(100)), T0) == []
    assert len(server._heard._reassembly._partial) <= 1000
    assert server.receive(ui(SERVER), T0) == []
    assert server.receive(ui(SERVER), T0) == [unnumbered(b"set")]


# --- several stations on a line ------------------------------------------------------------------


def test_on_a_shared_line_an_address_without_a_physical_part_is_not_answered() -> None:
    """Every station would; with two octets exactly one does."""
    stations = [HdlcServer(physical, {1}, shared=True) for physical in (17, 18, 19)]
    for address, answers in (
        (HdlcAddress(1), []),
        (HdlcAddress(1, 18, 2), [18]),
        (HdlcAddress(1, 20, 2), []),
        (HdlcAddress(1, 0x7F, 2), []),
    ):
        found = []
        for station in stations:
            station.receive(command(FrameKind.SNRM, server=address), T0)
            found += [frame.source.lower for frame in frames_in(station.outgoing())]
        assert found == answers


def test_the_station_that_called_answers_to_the_calling_address() -> None:
    """Whoever was called need not know the caller's own."""
    server = HdlcServer(17, {1}, calling=True)
    for octets, calling in ((2, 0x7E), (4, 0x3FFE)):
        address = HdlcAddress(1, calling, octets)
        peer = Peer(16, 1, calling)
        assert server.receive(command(FrameKind.SNRM, server=address), T0) == [LinkConnected(peer)]
        ua = only_frame(server.outgoing())
        assert (ua.control.kind, ua.source) == (FrameKind.UA, address)
    client = HdlcClient(Peer(16, 1, 0x7E), 2)
    client.send(LinkConnect(Peer(16, 1, 0x7E)), T0)
    assert carry(client, HdlcServer(17, {1}, calling=True)) == [LinkConnected(Peer(16, 1, 0x7E))]


# --- from a server -------------------------------------------------------------------------------


def test_a_server_alone_on_its_line_pushes_at_once() -> None:
    """With the final bit, as meters with a push port do; no connection is needed."""
    server = make_server()
    server.send(unnumbered(b"push"), T0)
    frame = only_frame(server.outgoing())
    assert frame == Frame(CLIENT, SERVER, Control(FrameKind.UI), PUSH)


def test_a_push_uses_the_address_that_the_client_uses() -> None:
    """Of the connection, where there is one."""
    server, address = make_server(), HdlcAddress(1, 17, 4)
    server.receive(command(FrameKind.SNRM, server=address), T0)
    server.outgoing()
    server.send(unnumbered(b"push"), T0)
    assert only_frame(server.outgoing()).source == address
    server.send(unnumbered(b"push", Peer(1, 1)), T0)
    assert only_frame(server.outgoing()).source == HdlcAddress(1)


def test_a_long_push_goes_in_segments() -> None:
    """Of the length that the server has; only the last gives the turn away."""
    server = make_server(HdlcParameters(20, 20))
    server.send(unnumbered(bytes(50)), T0)
    frames = frames_in(server.outgoing())
    assert [len(frame.information) for frame in frames] == [20, 20, 13]
    assert [frame.segmented for frame in frames] == [True, True, False]
    assert [frame.control.poll for frame in frames] == [False, False, True]


def test_on_a_shared_line_a_push_waits_for_the_turn() -> None:
    """It goes before what is answered, in the same turn, whose last frame has the final bit."""
    server = HdlcServer(17, {1}, shared=True)
    server.receive(command(FrameKind.SNRM), T0)
    server.outgoing()
    server.send(unnumbered(b"push"), T0)
    assert server.outgoing() == b""
    server.receive(command(FrameKind.RR), T0)
    push, ready = frames_in(server.outgoing())
    assert (push.control, push.information) == (Control(FrameKind.UI, poll=False), PUSH)
    assert ready.control == Control(FrameKind.RR)


def test_a_push_waits_while_the_layer_above_works_on_an_answer() -> None:
    """The client waits for that; the push goes with it, and first."""
    server = connected_server()
    server.receive(command(FrameKind.I, LLC_COMMAND + b"get"), T0)
    server.send(unnumbered(b"push"), T0)
    assert server.outgoing() == b""
    server.send(LinkData(PEER, b"answer"), T0)
    kinds = [frame.control.kind for frame in frames_in(server.outgoing())]
    assert kinds == [FrameKind.UI, FrameKind.I]


def test_an_empty_ui_frame_with_the_poll_bit_lets_a_server_push() -> None:
    """All that waits for this client, the last of it final; then there is nothing more."""
    server = HdlcServer(17, {1}, shared=True)
    for apdu, client in ((b"one", 16), (b"other", 1), (b"two", 16)):
        server.send(unnumbered(apdu, Peer(client, 1, 17)), T0)
    server.receive(ui(SERVER, poll=True, pdu=b""), T0)
    first, second = frames_in(server.outgoing())
    assert (first.information, first.control.poll) == (LLC_RESPONSE + b"one", False)
    assert (second.information, second.control.poll) == (LLC_RESPONSE + b"two", True)
    server.receive(ui(SERVER, poll=True, pdu=b""), T0)
    assert only_frame(server.outgoing()) == Frame(CLIENT, SERVER, Control(FrameKind.UI))


def test_pushes_that_may_not_go_out_are_bounded() -> None:
    """One too many is refused, and nothing is lost of the others."""
    server = HdlcServer(17, {1}, shared=True, max_apdu=100)
    for _ in range(MAX_WAITING):
        server.send(unnumbered(b"push"), T0)
    for wrong in (unnumbered(b"push"), unnumbered(b"x", Peer(16, 2, 17))):
        with pytest.raises(LocalProtocolError):
            server.send(wrong, T0)
    server.receive(ui(SERVER, poll=True, pdu=b""), T0)
    assert len(frames_in(server.outgoing())) == MAX_WAITING
    for wrong in (unnumbered(b""), unnumbered(bytes(101))):
        with pytest.raises(LocalProtocolError):
            server.send(wrong, T0)


# --- the client's half ---------------------------------------------------------------------------


def client_hears(client: HdlcClient, octets: bytes) -> list[LinkEvent]:
    """Give a client octets at the start of the test."""
    return client.receive(octets, T0)


@pytest.mark.parametrize("connected", [True, False])
def test_a_client_takes_a_push_at_any_time(connected: bool) -> None:
    """Connected or not, to itself or to all clients."""
    client = connected_client() if connected else HdlcClient(PEER, 2)
    assert client_hears(client, response(FrameKind.UI, PUSH)) == [unnumbered(b"push")]
    to_all = Frame(HdlcAddress(0x7F), SERVER, Control(FrameKind.UI), PUSH).to_bytes()
    assert client_hears(client, to_all) == [unnumbered(b"push")]
    other = response(FrameKind.UI, PUSH, server=HdlcAddress(1, 18, 2))
    assert client_hears(client, other) == []
    assert client.outgoing() == b""


@pytest.mark.parametrize("final", [True, False])
def test_a_push_in_place_of_an_answer_is_not_one(final: bool) -> None:
    """The client goes on waiting, its time-out unchanged, and takes the answer."""
    client = connected_client(times=TIMES)
    client.send(LinkData(PEER, b"get"), T0)
    client.outgoing()
    push = response(FrameKind.UI, PUSH, final=final)
    assert client.receive(push, at(10)) == [unnumbered(b"push")]
    assert client.outgoing() == b""
    assert client.wake_at() == at(1000)
    answer = response(FrameKind.I, LLC_RESPONSE + b"answer", receive=1)
    assert client.receive(answer, at(20)) == [LinkData(PEER, b"answer")]


def test_a_client_sends_unnumbered_data_with_or_without_a_connection() -> None:
    """Without the poll bit, and nothing is waited for."""
    for client in (HdlcClient(PEER, 2), connected_client()):
        client.send(unnumbered(b"set"), T0)
        frame = only_frame(client.outgoing())
        assert frame == Frame(SERVER, CLIENT, Control(FrameKind.UI, poll=False), UNASKED)
        assert client.wake_at() is None


def test_unnumbered_data_waits_for_the_turn() -> None:
    """The server is speaking; it goes before the next poll."""
    client = connected_client()
    client.send(LinkData(PEER, b"get"), T0)
    client.outgoing()
    client.send(unnumbered(b"set"), T0)
    assert client.outgoing() == b""
    more = response(FrameKind.I, LLC_RESPONSE + b"an", receive=1, more=True)
    client.receive(more, T0)
    kinds = [frame.control.kind for frame in frames_in(client.outgoing())]
    assert kinds == [FrameKind.UI, FrameKind.RR]


def test_a_client_can_broadcast_and_nothing_else() -> None:
    """Its server is everybody: no connection, and nobody to let speak."""
    everybody = Peer(16, 0x7F, 0x7F)
    client = HdlcClient(everybody, 2)
    client.send(unnumbered(b"set", everybody), T0)
    assert only_frame(client.outgoing()).destination == HdlcAddress(0x7F, 0x7F, 2)
    for wrong in (LinkConnect(everybody), unnumbered(b"", everybody), LinkData(everybody, b"x")):
        with pytest.raises(LocalProtocolError):
            client.send(wrong, T0)


def test_a_client_lets_a_server_push() -> None:
    """It waits until the final bit, or for a time; then a request that waited goes."""
    client = connected_client(times=TIMES)
    client.send(unnumbered(b""), T0)
    frame = only_frame(client.outgoing())
    assert frame == Frame(SERVER, CLIENT, Control(FrameKind.UI))
    client.send(LinkData(PEER, b"get"), T0)
    assert client.outgoing() == b""
    first = response(FrameKind.UI, PUSH, final=False)
    last = response(FrameKind.UI, PUSH)
    assert client_hears(client, first) == [unnumbered(b"push")]
    assert client.outgoing() == b""
    assert client_hears(client, last) == [unnumbered(b"push")]
    assert only_frame(client.outgoing()).control.kind is FrameKind.I


def test_a_server_that_has_nothing_to_push_costs_a_time_out_at_most() -> None:
    """An empty UI frame ends the wait at once; silence does in time, without a repetition."""
    client = HdlcClient(PEER, 2, times=TIMES)
    client.send(unnumbered(b""), T0)
    client.outgoing()
    with pytest.raises(LocalProtocolError):
        client.send(unnumbered(b""), T0)
    assert client_hears(client, response(FrameKind.UI)) == []
    assert client.wake_at() is None
    client.send(unnumbered(b""), T0)
    client.send(unnumbered(b"set"), T0)
    client.outgoing()
    assert client.receive(b"", at(1000)) == []
    assert only_frame(client.outgoing()).information == UNASKED
    assert client.wake_at() is None
