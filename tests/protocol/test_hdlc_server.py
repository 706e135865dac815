"""The server's half of an HDLC line."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    LinkEvent,
    Peer,
)
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.server import OUTGOING_LIMIT
from protocol.hdlc.transfer import MAX_QUEUED
from tests.protocol.hdlc_tools import (
    LLC_COMMAND,
    LLC_RESPONSE,
    PEER,
    T0,
    at,
    command,
    connected_server,
    frames_in,
    make_server,
    only_frame,
    response,
)

REQUEST = LLC_COMMAND + b"get"
SNRM = command(FrameKind.SNRM)
#: Lengths of an information field, and how many of them an APDU takes with its LLC header.
SEGMENTATIONS = [
    (size, segments)
    for size in (1, 2, 3, 4, 127, 128, 129, 2029, 2030)
    for segments in range(1, 9)
    if size * segments > len(LLC_COMMAND)
]


def answered(server: HdlcServer, octets: bytes) -> Frame:
    """Give the server a frame and return its one answer."""
    server.receive(octets, T0)
    return only_frame(server.outgoing())


# --- connecting and disconnecting ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "physical"),
    [
        (HdlcAddress(1), 0),
        (HdlcAddress(1, 17, 2), 17),
        (HdlcAddress(1, 17, 4), 17),
    ],
)
def test_snrm_is_answered_in_the_form_of_its_address(
    destination: HdlcAddress, physical: int
) -> None:
    """One, two or four octets: UA comes from the address that was called."""
    server = make_server()
    events = server.receive(command(FrameKind.SNRM, server=destination), T0)
    assert events == [LinkConnected(Peer(16, 1, physical))]
    ua = only_frame(server.outgoing())
    assert (ua.source, ua.destination) == (destination, HdlcAddress(16))
    assert ua.control == Control(FrameKind.UA)


@pytest.mark.parametrize(
    "destination",
    [
        HdlcAddress(2),
        HdlcAddress(0),
        HdlcAddress(0x7F),
        HdlcAddress(2, 17, 2),
        HdlcAddress(1, 18, 2),
        HdlcAddress(1, 0, 2),
        HdlcAddress(1, 0x7F, 2),
        HdlcAddress(0x7F, 17, 2),
        HdlcAddress(1, 0x3FFF, 4),
        HdlcAddress(17, 1, 4),
    ],
)
@pytest.mark.parametrize("kind", [FrameKind.SNRM, FrameKind.DISC, FrameKind.I, FrameKind.RR])
def test_frames_for_others_get_no_answer(destination: HdlcAddress, kind: FrameKind) -> None:
    """Another logical device, another physical one, nobody and everybody."""
    server = make_server()
    assert server.receive(command(kind, server=destination), T0) == []
    assert server.outgoing() == b""


@pytest.mark.parametrize("client", [HdlcAddress(0), HdlcAddress(0x7F), HdlcAddress(16, 1, 2)])
def test_a_client_has_one_octet_and_is_a_station(client: HdlcAddress) -> None:
    """Nobody, everybody, and a server's address are no clients."""
    server = make_server()
    assert server.receive(command(FrameKind.SNRM, client=client), T0) == []
    assert server.outgoing() == b""


def test_responses_of_other_stations_are_not_ours() -> None:
    """On a shared line we hear the answers of our neighbours."""
    server = connected_server()
    assert server.receive(response(FrameKind.I, b"x") + response(FrameKind.UA), T0) == []
    assert server.outgoing() == b""


@pytest.mark.parametrize(
    ("ours", "proposed", "agreed"),
    [
        (HdlcParameters(), "", HdlcParameters()),
        (HdlcParameters(2030, 2030), "", HdlcParameters()),
        (HdlcParameters(200, 300), "818008050207EE060207EE", HdlcParameters(200, 300)),
        (HdlcParameters(2030, 2030), "8180060501280601C8", HdlcParameters(200, 40)),
        (HdlcParameters(64, 2030), "818003060110", HdlcParameters(16, 128)),
        (HdlcParameters(), "818012050180060180070400000007080400000007", HdlcParameters()),
    ],
)
def test_ua_states_what_was_negotiated(
    ours: HdlcParameters, proposed: str, agreed: HdlcParameters
) -> None:
    """Our transmission is bounded by the client's reception, and the other way round; window 1."""
    ua = answered(make_server(ours), command(FrameKind.SNRM, bytes.fromhex(proposed)))
    assert ua.information == agreed.to_information()


def test_a_malformed_proposal_is_ignored() -> None:
    """No connection with parameters that nobody can know."""
    server = make_server()
    assert server.receive(command(FrameKind.SNRM, b"\x81\x80\x03\x05\x01"), T0) == []
    assert server.outgoing() == b""
    assert server.connected == frozenset()


def test_disc_is_answered_with_ua_when_connected_and_dm_when_not() -> None:
    """The second DISC finds no connection; neither UA nor DM carries information."""
    server = connected_server()
    assert server.receive(command(FrameKind.DISC), T0) == [
        LinkDisconnected(PEER, DisconnectReason.REMOTE)
    ]
    ua = only_frame(server.outgoing())
    assert (ua.control.kind, ua.information) == (FrameKind.UA, b"")
    dm = answered(server, command(FrameKind.DISC))
    assert (dm.control.kind, dm.information) == (FrameKind.DM, b"")
    assert server.connected == frozenset()


@pytest.mark.parametrize("kind", [FrameKind.I, FrameKind.RR, FrameKind.RNR])
def test_numbered_frames_in_disconnected_mode_are_answered_with_dm(kind: FrameKind) -> None:
    """The client finds out at once, and nothing is delivered."""
    server = make_server()
    assert server.receive(command(kind, REQUEST if kind is FrameKind.I else b""), T0) == []
    assert only_frame(server.outgoing()).control == Control(FrameKind.DM)
    assert server.connected == frozenset()


@pytest.mark.parametrize("kind", list(FrameKind))
def test_nothing_is_answered_without_the_poll_bit(kind: FrameKind) -> None:
    """Connected or not: a secondary has no right to send."""
    octet = None if kind is not FrameKind.UNKNOWN else 0x09
    octets = Frame(
        HdlcAddress(1, 17, 2), HdlcAddress(16), Control(kind, poll=False, octet=octet)
    ).to_bytes()
    for server in (make_server(), connected_server()):
        server.receive(octets, T0)
        assert server.outgoing() == b""


def test_snrm_while_connected_begins_anew() -> None:
    """The layer above hears of the end first; the numbers start at 0 and old data is gone."""
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    server.send(LinkData(PEER, b"stale"), T0)
    server.outgoing()
    assert server.receive(SNRM, T0) == [
        LinkDisconnected(PEER, DisconnectReason.REPLACED),
        LinkConnected(PEER),
    ]
    server.outgoing()
    poll = answered(server, command(FrameKind.RR))
    assert poll.control == Control(FrameKind.RR)
    assert server.receive(command(FrameKind.I, REQUEST), T0) == [LinkData(PEER, b"get")]


def test_an_idle_connection_ends_silently() -> None:
    """After the inactivity time-out there is no frame, only DM at the next poll."""
    server = connected_server(inactivity_timeout=120_000)
    assert server.wake_at() == at(120_000)
    assert server.receive(b"", at(119_999)) == []
    assert server.receive(b"", at(120_000)) == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    assert server.outgoing() == b""
    assert server.wake_at() is None
    assert answered(server, command(FrameKind.RR)).control.kind is FrameKind.DM


def test_any_frame_keeps_a_connection_alive() -> None:
    """The time-out counts from the last frame; a late one comes too late."""
    server = connected_server(inactivity_timeout=120_000)
    server.receive(command(FrameKind.RR), at(119_999))
    assert server.wake_at() == at(239_999)
    events = server.receive(command(FrameKind.RR), at(239_999))
    assert events == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]


def test_frames_for_others_do_not_keep_a_connection_alive() -> None:
    """Nor does noise."""
    server = connected_server(inactivity_timeout=120_000)
    server.receive(command(FrameKind.RR, server=HdlcAddress(1, 18, 2)) + b"noise", at(60_000))
    assert server.wake_at() == at(120_000)


def test_we_can_end_a_connection() -> None:
    """The client learns it with DM; the event comes at the wake-up that is asked for."""
    server = connected_server()
    server.send(LinkDisconnect(PEER), at(5))
    assert server.wake_at() == at(5)
    assert server.receive(b"", at(5)) == [LinkDisconnected(PEER, DisconnectReason.LOCAL)]
    assert server.wake_at() is None
    assert answered(server, command(FrameKind.RR)).control.kind is FrameKind.DM


# --- several clients -----------------------------------------------------------------------------


def test_clients_are_independent() -> None:
    """Each has its own numbers and its own answers."""
    server = make_server()
    for client in (1, 16):
        server.receive(command(FrameKind.SNRM, client=HdlcAddress(client)), T0)
    server.outgoing()
    for number in range(3):
        octets = command(FrameKind.I, REQUEST, send=number, client=HdlcAddress(1), poll=False)
        assert server.receive(octets, T0) == [LinkData(Peer(1, 1, 17), b"get")]
    assert server.receive(command(FrameKind.I, REQUEST), T0) == [LinkData(PEER, b"get")]
    server.send(LinkData(Peer(1, 1, 17), b"for 1"), T0)
    assert server.outgoing() == b""
    server.send(LinkData(PEER, b"for 16"), T0)
    frame = only_frame(server.outgoing())
    assert (frame.destination, frame.information) == (HdlcAddress(16), LLC_RESPONSE + b"for 16")
    poll = command(FrameKind.RR, receive=0, client=HdlcAddress(1))
    assert answered(server, poll).information == LLC_RESPONSE + b"for 1"


def test_the_number_of_connections_is_bounded() -> None:
    """One client too many drives out the one that has been silent the longest."""
    server = make_server(max_connections=2)
    for client in (1, 2):
        answered(server, command(FrameKind.SNRM, client=HdlcAddress(client)))
    answered(server, command(FrameKind.RR, receive=0, client=HdlcAddress(1)))
    third = command(FrameKind.SNRM, client=HdlcAddress(3))
    events = server.receive(third, T0)
    assert [type(event) for event in events] == [LinkConnected, LinkDisconnected]
    assert {peer.client for peer in server.connected} == {1, 3}
    server.outgoing()
    driven_out = command(FrameKind.RR, receive=0, client=HdlcAddress(2))
    assert answered(server, driven_out).control.kind is FrameKind.DM


def test_strangers_who_connect_and_say_no_more_keep_nobody_out() -> None:
    """However many of them there are, the next client is served."""
    server = make_server()
    for client in range(20, 60):
        server.receive(command(FrameKind.SNRM, client=HdlcAddress(client)), T0)
    server.outgoing()
    snrm = command(FrameKind.SNRM, client=HdlcAddress(1))
    assert answered(server, snrm).control.kind is FrameKind.UA


# --- information ---------------------------------------------------------------------------------


def test_a_request_is_delivered_and_its_answer_goes_out_at_once() -> None:
    """LLC is stripped and added; the answer acknowledges the request."""
    server = connected_server()
    assert server.receive(command(FrameKind.I, REQUEST), T0) == [LinkData(PEER, b"get")]
    assert server.outgoing() == b""
    server.send(LinkData(PEER, b"answer"), T0)
    frame = only_frame(server.outgoing())
    assert frame.control == Control(FrameKind.I, send=0, receive=1)
    assert frame.information == LLC_RESPONSE + b"answer"
    assert server.outgoing() == b""


def test_a_slow_answer_waits_for_the_next_poll() -> None:
    """The turn goes back with RR first, so the client is not left waiting."""
    server = connected_server(answer_within=200)
    server.receive(command(FrameKind.I, REQUEST), T0)
    assert server.wake_at() == at(200)
    server.receive(b"", at(199))
    assert server.outgoing() == b""
    server.receive(b"", at(200))
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR, receive=1)
    server.send(LinkData(PEER, b"late"), at(300))
    assert server.outgoing() == b""
    assert answered(server, command(FrameKind.RR)).information == LLC_RESPONSE + b"late"


def test_a_poll_while_the_layer_above_works_is_answered_with_rr() -> None:
    """And the answer comes at the poll after that."""
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    assert answered(server, command(FrameKind.RR)).control == Control(FrameKind.RR, receive=1)
    server.send(LinkData(PEER, b"late"), T0)
    assert server.outgoing() == b""


@pytest.mark.parametrize(("size", "segments"), SEGMENTATIONS)
def test_an_answer_goes_out_in_segments(size: int, segments: int) -> None:
    """Exactly as many as needed, each polled with RR; the numbers wrap at 8."""
    ours = HdlcParameters(size, size)
    server = connected_server(ours)
    length = size * segments - len(LLC_RESPONSE)
    apdu = bytes(index % 251 for index in range(length))
    server.send(LinkData(PEER, apdu), T0)
    pdu = b""
    for number in range(segments):
        frame = answered(server, command(FrameKind.RR, receive=number % 8))
        assert frame.control == Control(FrameKind.I, send=number % 8)
        assert len(frame.information) == size
        assert frame.segmented is (number < segments - 1)
        pdu += frame.information
    assert pdu == LLC_RESPONSE + apdu
    last = answered(server, command(FrameKind.RR, receive=segments % 8))
    assert last.control == Control(FrameKind.RR)


@pytest.mark.parametrize(("size", "segments"), SEGMENTATIONS)
def test_a_request_comes_in_segments(size: int, segments: int) -> None:
    """Each but the last is answered with RR, and the whole is delivered once."""
    ours = HdlcParameters(size, size)
    server = connected_server(ours)
    length = size * segments - len(LLC_COMMAND)
    apdu = bytes(index % 251 for index in range(length))
    pdu = LLC_COMMAND + apdu
    for number in range(segments):
        more = number < segments - 1
        information = pdu[number * size : (number + 1) * size]
        octets = command(FrameKind.I, information, send=number % 8, more=more)
        events = server.receive(octets, T0)
        if more:
            assert events == []
            ready = only_frame(server.outgoing())
            assert ready.control == Control(FrameKind.RR, receive=(number + 1) % 8)
    assert events == [LinkData(PEER, apdu)]


def test_a_lost_answer_is_repeated_and_its_request_not_delivered_again() -> None:
    """A repeated request (same N(S)) gets the same answer, as often as it comes."""
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    server.send(LinkData(PEER, b"answer"), T0)
    first = server.outgoing()
    for _ in range(3):
        assert server.receive(command(FrameKind.I, REQUEST), T0) == []
        assert server.outgoing() == first


def test_a_lost_answer_is_repeated_when_polled_with_the_old_number() -> None:
    """RR with the old N(R) asks for it, RR with the new one has it."""
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    server.send(LinkData(PEER, b"answer"), T0)
    first = server.outgoing()
    for _ in range(3):
        server.receive(command(FrameKind.RR, receive=0), T0)
        assert server.outgoing() == first
    acknowledged = answered(server, command(FrameKind.RR, receive=1))
    assert acknowledged.control == Control(FrameKind.RR, receive=1)


def test_a_request_repeated_while_the_layer_above_works_is_dropped() -> None:
    """Its one answer is still to come, and comes once."""
    server = connected_server()
    assert len(server.receive(command(FrameKind.I, REQUEST) * 3, T0)) == 1
    assert server.outgoing() == b""
    server.send(LinkData(PEER, b"answer"), T0)
    assert len(frames_in(server.outgoing())) == 1


@pytest.mark.parametrize("number", range(1, 8))
def test_an_information_frame_out_of_sequence_is_not_delivered(number: int) -> None:
    """RR says which one is due."""
    server = connected_server()
    assert server.receive(command(FrameKind.I, REQUEST, send=number), T0) == []
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR, receive=0)


def test_a_client_that_is_not_ready_gets_no_information() -> None:
    """RNR is answered with RR; the next RR fetches what waits."""
    server = connected_server()
    server.send(LinkData(PEER, b"waits"), T0)
    assert answered(server, command(FrameKind.RNR)).control == Control(FrameKind.RR)
    assert answered(server, command(FrameKind.RR)).information == LLC_RESPONSE + b"waits"


@pytest.mark.parametrize(
    "pdu",
    [b"get", LLC_RESPONSE + b"get", b"\xe6\xe6\x01get", b"\xe6\xe6", LLC_COMMAND, b""],
)
def test_information_without_the_llc_header_is_dropped(pdu: bytes) -> None:
    """It is acknowledged, since repeating would not help, and the next request is taken."""
    server = connected_server()
    assert server.receive(command(FrameKind.I, pdu), T0) == []
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR, receive=1)
    assert server.receive(command(FrameKind.I, REQUEST, send=1), T0) == [LinkData(PEER, b"get")]


def test_a_pdu_without_the_llc_header_is_dropped_with_all_its_segments() -> None:
    """A later segment that looks like a header does not begin a new one."""
    server = connected_server()
    server.receive(command(FrameKind.I, b"bad", more=True), T0)
    assert server.receive(command(FrameKind.I, REQUEST, send=1, more=True), T0) == []
    assert server.receive(command(FrameKind.I, REQUEST, send=2), T0) == []
    assert server.receive(command(FrameKind.I, REQUEST, send=3), T0) == [LinkData(PEER, b"get")]


@pytest.mark.parametrize(("length", "taken"), [(999, True), (1000, True), (1001, False)])
def test_the_longest_apdu(length: int, taken: bool) -> None:
    """At the bound it is delivered; one octet more and it is dropped as a whole."""
    server = connected_server(max_apdu=1000)
    pdu = LLC_COMMAND + bytes(length)
    chunks = [pdu[start : start + 100] for start in range(0, len(pdu), 100)]
    events: list[LinkEvent] = []
    for number, chunk in enumerate(chunks):
        more = number < len(chunks) - 1
        events += server.receive(command(FrameKind.I, chunk, send=number % 8, more=more), T0)
    assert events == ([LinkData(PEER, bytes(length))] if taken else [])
    octets = command(FrameKind.I, REQUEST, send=len(chunks) % 8)
    assert server.receive(octets, T0) == [LinkData(PEER, b"get")]


def test_segments_without_end_do_not_fill_the_memory() -> None:
    """Far beyond the bound, nothing is kept and the line still answers."""
    server = connected_server(max_apdu=1000)
    for number in range(10_000):
        octets = command(FrameKind.I, bytes(128), send=number % 8, more=True)
        assert server.receive(octets, T0) == []
        assert only_frame(server.outgoing()).control.kind is FrameKind.RR


# --- frame reject --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "field"),
    [
        pytest.param(
            Frame(
                HdlcAddress(1, 17, 2), HdlcAddress(16), Control(FrameKind.UNKNOWN, octet=0x19)
            ).to_bytes(),
            "190001",
            id="W: REJ is not of this profile",
        ),
        pytest.param(command(FrameKind.RR, b"x"), "110003", id="W and X: information in RR"),
        pytest.param(command(FrameKind.I, bytes(129)), "100004", id="Y: too long"),
        pytest.param(command(FrameKind.I, REQUEST, receive=1), "300008", id="Z: N(R) in I"),
        pytest.param(command(FrameKind.RR, receive=7), "F10008", id="Z: N(R) in RR"),
        pytest.param(command(FrameKind.RNR, receive=2), "550008", id="Z: N(R) in RNR"),
    ],
)
def test_frames_that_are_rejected(octets: bytes, field: str) -> None:
    """FRMR says why, nothing is delivered, and only SNRM or DISC help from then on."""
    server = connected_server()
    assert server.receive(octets, T0) == []
    frmr = only_frame(server.outgoing())
    assert frmr.control == Control(FrameKind.FRMR)
    assert frmr.information.hex().upper() == field
    assert server.receive(command(FrameKind.I, REQUEST), T0) == []
    assert only_frame(server.outgoing()) == frmr
    with pytest.raises(LocalProtocolError):
        server.send(LinkData(PEER, b"answer"), T0)
    assert server.receive(SNRM, T0) == [
        LinkDisconnected(PEER, DisconnectReason.REPLACED),
        LinkConnected(PEER),
    ]
    server.outgoing()
    assert server.receive(command(FrameKind.I, REQUEST), T0) == [LinkData(PEER, b"get")]


def test_a_reject_states_our_numbers() -> None:
    """V(S) and V(R) are where they belong in the second octet."""
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    server.send(LinkData(PEER, b"answer"), T0)
    server.outgoing()
    assert answered(server, command(FrameKind.RR, receive=5)).information == b"\xb1\x22\x08"


def test_a_rejecting_connection_cannot_be_sent_to() -> None:
    """Also when the reject comes in one piece with a request that was delivered before it."""
    server = connected_server()
    request_and_nonsense = command(FrameKind.I, REQUEST) + command(FrameKind.RR, receive=7)
    assert server.receive(request_and_nonsense, T0) == [LinkData(PEER, b"get")]
    assert server.connected == frozenset()
    with pytest.raises(LocalProtocolError):
        server.send(LinkData(PEER, b"answer"), T0)


def test_a_rejecting_connection_can_be_ended_or_times_out() -> None:
    """By DISC, or by silence."""
    rejected = command(FrameKind.RR, receive=7)
    server = connected_server(inactivity_timeout=1000)
    server.receive(rejected, T0)
    assert server.receive(command(FrameKind.DISC), T0) == [
        LinkDisconnected(PEER, DisconnectReason.REMOTE)
    ]
    server.receive(SNRM + rejected, T0)
    assert server.receive(b"", at(1000)) == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]


@pytest.mark.parametrize("size", [2029, 2030, 2031])
def test_the_longest_information_field_is_the_negotiated_one(size: int) -> None:
    """2030 octets are taken, 2031 rejected."""
    server = connected_server(HdlcParameters(2030, 2030))
    octets = command(FrameKind.I, LLC_COMMAND + bytes(size - 3))
    taken = size <= 2030
    assert server.receive(octets, T0) == ([LinkData(PEER, bytes(size - 3))] if taken else [])


# --- bounds and misuse ---------------------------------------------------------------------------


def test_what_a_server_cannot_do() -> None:
    """Connect, speak to nobody, send nothing or too much."""
    server = connected_server(max_apdu=1000)
    stranger = Peer(1, 1, 17)
    for wrong in (
        LinkConnect(PEER),
        LinkConnected(PEER),
        LinkData(stranger, b"x"),
        LinkDisconnect(stranger),
        LinkData(PEER, b""),
        LinkData(PEER, bytes(1001)),
    ):
        with pytest.raises(LocalProtocolError):
            server.send(wrong, T0)
    for _ in range(MAX_QUEUED):
        server.send(LinkData(PEER, bytes(1000)), T0)
    with pytest.raises(LocalProtocolError):
        server.send(LinkData(PEER, b"x"), T0)


def test_octets_that_nobody_fetches_are_bounded() -> None:
    """Polls in a row, their answers not fetched, do not fill the memory."""
    server = connected_server(HdlcParameters(2030, 2030))
    server.send(LinkData(PEER, bytes(2000)), T0)
    server.receive(command(FrameKind.RR) * 1000, T0)
    assert len(server.outgoing()) <= OUTGOING_LIMIT
    assert answered(server, command(FrameKind.RR)).control.kind is FrameKind.I


# --- arbitrary octets in each state --------------------------------------------------------------


def _waiting_for_answer() -> HdlcServer:
    server = connected_server()
    server.receive(command(FrameKind.I, REQUEST), T0)
    return server


def _answer_outstanding() -> HdlcServer:
    server = _waiting_for_answer()
    server.send(LinkData(PEER, bytes(1000)), T0)
    server.outgoing()
    return server


def _reassembling() -> HdlcServer:
    server = connected_server()
    server.receive(command(FrameKind.I, LLC_COMMAND + b"part", more=True), T0)
    return server


def _rejecting() -> HdlcServer:
    server = connected_server()
    server.receive(command(FrameKind.RR, receive=7), T0)
    return server


def _in_frame() -> HdlcServer:
    server = connected_server()
    server.receive(command(FrameKind.I, bytes(50))[:20], T0)
    return server


STATES = {
    "disconnected": make_server,
    "connected": connected_server,
    "waiting for an answer": _waiting_for_answer,
    "answer outstanding": _answer_outstanding,
    "reassembling": _reassembling,
    "rejecting": _rejecting,
    "in a frame": _in_frame,
}


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """Return a well-formed frame with any control field and any information."""
    control = Control.from_int(draw(st.integers(0, 255)))
    information = draw(st.one_of(st.binary(max_size=140), st.just(REQUEST)))
    server = draw(st.sampled_from([HdlcAddress(1, 17, 2), HdlcAddress(1), HdlcAddress(1, 17, 4)]))
    return Frame(server, HdlcAddress(16), control, information, draw(st.booleans())).to_bytes()


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=2 * settings().max_examples)  # of two to four inputs each; in a soak more
@given(pieces=st.lists(st.one_of(st.binary(max_size=40), commands()), min_size=2, max_size=4))
def test_no_octets_raise_in_any_state(state: str, pieces: list[bytes]) -> None:
    """Arbitrary octets and arbitrary good frames: no error, and SNRM always helps."""
    server = STATES[state]()
    now = T0
    for piece in pieces:
        for happened in server.receive(piece, now):
            event(f"{state}: {type(happened).__name__}")
            if isinstance(happened, LinkData) and happened.peer in server.connected:
                server.send(LinkData(happened.peer, b"answer"), now)
        for frame in frames_in(server.outgoing()):
            event(f"{state}: answered {frame.control.kind.name}")
        now = at(now - T0 + 100)
    server.receive(b"", at(10_000))
    server.outgoing()
    assert answered_late(server)


def answered_late(server: HdlcServer) -> bool:
    """Whether SNRM on a silent line is answered with UA."""
    server.receive(SNRM, at(10_000))
    return only_frame(server.outgoing()).control.kind is FrameKind.UA
