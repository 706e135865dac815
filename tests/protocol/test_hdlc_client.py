"""The client's half of an HDLC line."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.errors import EncodeError, LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    Peer,
)
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.state import State
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
    frames_in,
    make_server,
    only_frame,
    response,
)

TIMES = ClientTimes(response=1000, inter_octet=100, poll=300, patience=2000)
ANSWER = LLC_RESPONSE + b"answer"
RR_1 = response(FrameKind.RR, receive=1)


def sending_client(apdu: bytes = b"get", retries: int = 3) -> HdlcClient:
    """Return a client that has just sent a request."""
    client = connected_client(times=TIMES, retries=retries)
    client.send(LinkData(PEER, apdu), T0)
    client.outgoing()
    return client


def sent_at(client: HdlcClient, milliseconds: int) -> Control:
    """Return the control field of the one frame that the clock makes the client send."""
    assert client.receive(b"", at(milliseconds)) == []
    return only_frame(client.outgoing()).control


# --- connecting and disconnecting ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "octets", "snrm"),
    [
        (Peer(16, 1, 17), 4, "7EA00A00020023219318717E"),
        (Peer(16, 1, 17), 2, "7EA00802232193BD647E"),
        (Peer(16, 1), 1, command(FrameKind.SNRM, server=HdlcAddress(1)).hex()),
    ],
)
def test_snrm_with_the_defaults_has_no_information(peer: Peer, octets: int, snrm: str) -> None:
    """As published, see ``test_hdlc_frame``."""
    client = HdlcClient(peer, octets)
    client.send(LinkConnect(peer), T0)
    assert client.outgoing() == bytes.fromhex(snrm)
    assert client.state is State.CONNECTING


def test_other_parameters_are_proposed_and_ua_decides() -> None:
    """We send no more than the server takes, here 40 octets."""
    client = HdlcClient(PEER, 2, HdlcParameters(2030, 1000))
    client.send(LinkConnect(PEER), T0)
    snrm = only_frame(client.outgoing())
    assert snrm.information == HdlcParameters(2030, 1000).to_information()
    ua = response(FrameKind.UA, HdlcParameters(500, 40).to_information())
    assert client.receive(ua, T0) == [LinkConnected(PEER)]
    client.send(LinkData(PEER, bytes(100)), T0)
    frame = only_frame(client.outgoing())
    assert (len(frame.information), frame.segmented) == (40, True)


def test_ua_without_information_means_the_defaults() -> None:
    """However much we proposed."""
    client = HdlcClient(PEER, 2, HdlcParameters(2030, 2030))
    client.send(LinkConnect(PEER), T0)
    client.outgoing()
    client.receive(response(FrameKind.UA), T0)
    client.send(LinkData(PEER, bytes(1000)), T0)
    assert len(only_frame(client.outgoing()).information) == 128


def test_a_malformed_ua_is_ignored() -> None:
    """The time-out asks again."""
    client = HdlcClient(PEER, 2, times=TIMES)
    client.send(LinkConnect(PEER), T0)
    client.outgoing()
    assert client.receive(response(FrameKind.UA, b"\x81\x80\x05"), T0) == []
    assert sent_at(client, 1000) == Control(FrameKind.SNRM)


def test_dm_refuses_the_connection() -> None:
    """The state is known again."""
    client = HdlcClient(PEER, 2)
    client.send(LinkConnect(PEER), T0)
    client.outgoing()
    assert client.receive(response(FrameKind.DM), T0) == [
        LinkDisconnected(PEER, DisconnectReason.REJECTED)
    ]
    assert client.state is State.DISCONNECTED
    assert client.wake_at() is None


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_snrm_is_repeated_and_given_up(retries: int) -> None:
    """As often as told, then the time-out is reported."""
    client = HdlcClient(PEER, 2, times=TIMES, retries=retries)
    client.send(LinkConnect(PEER), T0)
    snrm = client.outgoing()
    for attempt in range(1, retries + 1):
        assert client.wake_at() == at(attempt * 1000)
        assert client.receive(b"", at(attempt * 1000)) == []
        assert client.outgoing() == snrm
    events = client.receive(b"", at((retries + 1) * 1000))
    assert events == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    assert client.outgoing() == b""
    assert client.wake_at() is None


@pytest.mark.parametrize("kind", [FrameKind.UA, FrameKind.DM])
def test_disc_ends_the_connection(kind: FrameKind) -> None:
    """UA and DM both say that it has ended."""
    client = connected_client()
    client.send(LinkDisconnect(PEER), T0)
    assert only_frame(client.outgoing()).control == Control(FrameKind.DISC)
    assert client.receive(response(kind), T0) == [LinkDisconnected(PEER, DisconnectReason.LOCAL)]
    assert client.state is State.DISCONNECTED


def test_disc_without_an_answer_ends_the_connection_as_well() -> None:
    """We asked for it, so that is the reason."""
    client = connected_client(times=TIMES, retries=1)
    client.send(LinkDisconnect(PEER), T0)
    client.outgoing()
    assert sent_at(client, 1000) == Control(FrameKind.DISC)
    events = client.receive(b"", at(2000))
    assert events == [LinkDisconnected(PEER, DisconnectReason.LOCAL)]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FrameKind.DM, DisconnectReason.REJECTED),
        (FrameKind.FRMR, DisconnectReason.FRAME_REJECTED),
    ],
)
def test_the_server_can_end_the_connection(kind: FrameKind, reason: DisconnectReason) -> None:
    """DM: it knows of none. FRMR: it cannot go on."""
    client = sending_client()
    information = b"\x10\x00\x08" if kind is FrameKind.FRMR else b""
    assert client.receive(response(kind, information), T0) == [LinkDisconnected(PEER, reason)]
    assert client.wake_at() is None
    client.send(LinkConnect(PEER), T0)
    assert only_frame(client.outgoing()).control == Control(FrameKind.SNRM)


@pytest.mark.parametrize(
    "server", [HdlcAddress(1, 18, 2), HdlcAddress(2, 17, 2), HdlcAddress(1), HdlcAddress(17, 1, 2)]
)
def test_frames_of_other_servers_are_ignored(server: HdlcAddress) -> None:
    """Only our server's UA connects."""
    client = HdlcClient(PEER, 2)
    client.send(LinkConnect(PEER), T0)
    assert client.receive(response(FrameKind.UA, server=server), T0) == []


def test_frames_to_other_clients_are_ignored() -> None:
    """On a shared line there may be others."""
    client = HdlcClient(PEER, 2)
    client.send(LinkConnect(PEER), T0)
    ua = Frame(HdlcAddress(1), SERVER, Control(FrameKind.UA)).to_bytes()
    assert client.receive(ua, T0) == []


def test_our_own_echo_is_ignored() -> None:
    """A two-wire adapter may give us what we send."""
    client = connected_client()
    client.send(LinkData(PEER, b"get"), T0)
    assert client.receive(client.outgoing(), T0) == []
    assert client.receive(response(FrameKind.I, ANSWER, receive=1), T0) == [
        LinkData(PEER, b"answer")
    ]


# --- information ---------------------------------------------------------------------------------


def test_a_request_and_its_answer() -> None:
    """LLC is added and stripped, the next request acknowledges the answer."""
    client = connected_client()
    client.send(LinkData(PEER, b"get"), T0)
    request = only_frame(client.outgoing())
    assert request.control == Control(FrameKind.I)
    assert request.information == LLC_COMMAND + b"get"
    answer = response(FrameKind.I, ANSWER, receive=1)
    assert client.receive(answer, T0) == [LinkData(PEER, b"answer")]
    assert client.wake_at() is None
    client.send(LinkData(PEER, b"next"), T0)
    assert only_frame(client.outgoing()).control == Control(FrameKind.I, send=1, receive=1)


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (length, size)
        for length in (1, 2, 29, 124, 125, 126, 2026, 2027, 2028, 5000)
        for size in (1, 2, 3, 32, 127, 128, 129, 2029, 2030)
        # Thousands of segments are as many again; once is enough.
        if length <= 500 * size or (length, size) == (2026, 1)
    ],
)
def test_both_halves_segment_and_reassemble(size: int, length: int) -> None:
    """Any APDU arrives whole, whatever was negotiated."""
    ours = HdlcParameters(size, size)
    server, client = make_server(ours), HdlcClient(PEER, 2, ours)
    client.send(LinkConnect(PEER), T0)
    assert carry(client, server) == [LinkConnected(PEER)]
    apdu = bytes(index * 7 % 256 for index in range(length))
    for _ in range(3):
        client.send(LinkData(PEER, apdu), T0)
        assert carry(client, server) == [LinkData(PEER, apdu[::-1])]


@pytest.mark.parametrize("octets", [1, 2, 4])
def test_both_halves_with_every_address_size(octets: int) -> None:
    """Connect, exchange, disconnect."""
    peer = Peer(16, 1, 0 if octets == 1 else 17)
    server, client = make_server(), HdlcClient(peer, octets)
    client.send(LinkConnect(peer), T0)
    assert carry(client, server) == [LinkConnected(peer)]
    client.send(LinkData(peer, b"abc"), T0)
    assert carry(client, server) == [LinkData(peer, b"cba")]
    client.send(LinkDisconnect(peer), T0)
    assert carry(client, server) == [LinkDisconnected(peer, DisconnectReason.LOCAL)]
    assert server.connected == frozenset()


def test_requests_wait_for_their_turn() -> None:
    """A second one goes when the first has been answered."""
    client = sending_client()
    client.send(LinkData(PEER, b"second"), T0)
    assert client.outgoing() == b""
    client.receive(response(FrameKind.I, ANSWER, receive=1), T0)
    assert only_frame(client.outgoing()).information == LLC_COMMAND + b"second"


def test_a_request_waits_for_all_segments_of_the_answer() -> None:
    """A begun PDU is fetched first."""
    client = sending_client()
    client.receive(response(FrameKind.I, LLC_RESPONSE + b"an", receive=1, more=True), T0)
    assert only_frame(client.outgoing()).control == Control(FrameKind.RR, receive=1)
    client.send(LinkData(PEER, b"second"), T0)
    assert client.outgoing() == b""
    last = response(FrameKind.I, b"swer", send=1, receive=1)
    assert client.receive(last, T0) == [LinkData(PEER, b"answer")]
    assert only_frame(client.outgoing()).control == Control(FrameKind.I, send=1, receive=2)


def test_a_repeated_answer_is_not_delivered_twice() -> None:
    """Same N(S): known already, whether we wait for something or not."""
    client = sending_client()
    answer = response(FrameKind.I, ANSWER, receive=1)
    assert len(client.receive(answer + answer, T0)) == 1
    client.send(LinkData(PEER, b"second"), T0)
    client.outgoing()
    assert client.receive(answer, T0) == []
    assert client.outgoing() == b""
    second = response(FrameKind.I, LLC_RESPONSE + b"2", send=1, receive=2)
    assert client.receive(second, T0) == [LinkData(PEER, b"2")]


def test_a_repeated_rr_does_not_double_the_segments() -> None:
    """It would otherwise go on for ever: each frame twice, each answer twice."""
    client = sending_client(bytes(500))
    client.receive(RR_1 + RR_1, T0)
    assert len(frames_in(client.outgoing())) == 1


def test_an_unanswered_request_is_enquired_after_and_repeated_when_it_was_lost() -> None:
    """RR asks; the old N(R) says that the request never came; then the same one goes again."""
    client = sending_client()
    assert sent_at(client, 1000) == Control(FrameKind.RR)
    client.receive(response(FrameKind.RR, receive=0), at(1100))
    request = only_frame(client.outgoing())
    assert (request.control, request.information) == (Control(FrameKind.I), LLC_COMMAND + b"get")


def test_an_unanswered_request_is_not_repeated_when_it_came() -> None:
    """The server repeats its answer instead."""
    client = sending_client()
    assert sent_at(client, 1000) == Control(FrameKind.RR)
    answer = response(FrameKind.I, ANSWER, receive=1)
    assert client.receive(answer, at(1100)) == [LinkData(PEER, b"answer")]
    assert client.outgoing() == b""
    assert client.wake_at() is None


def test_a_request_that_is_lost_again_and_again_is_given_up() -> None:
    """Enquiries that are answered do not make us go on for ever."""
    client = sending_client(retries=3)
    now, events = 0, []
    for _ in range(4):
        now += 1000
        events += client.receive(b"", at(now))
        client.outgoing()
        events += client.receive(response(FrameKind.RR, receive=0), at(now))
        client.outgoing()
    assert events == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    assert client.wake_at() is None


def test_a_server_without_an_answer_is_polled_for_it() -> None:
    """It had taken the request; its answer comes at a later poll."""
    client = sending_client()
    assert client.receive(RR_1, at(10)) == []
    assert client.outgoing() == b""
    assert client.wake_at() == at(310)
    assert sent_at(client, 310) == Control(FrameKind.RR)
    answer = response(FrameKind.I, ANSWER, receive=1)
    assert client.receive(answer, at(320)) == [LinkData(PEER, b"answer")]
    assert client.wake_at() is None


def test_polling_ends_with_our_patience() -> None:
    """An unconfirmed request has no answer: after a while the line is silent."""
    client = sending_client()
    now, polls = 0, 0
    while (wake := client.wake_at()) is not None:
        now = wake - T0
        client.receive(b"", at(now))
        polls += 1
        client.outgoing()
        client.receive(RR_1, at(now))
        assert polls < 20
    assert polls == 1 + (2000 - 1000) // 300 + 1
    client.send(LinkData(PEER, b"next"), at(now))
    assert only_frame(client.outgoing()).control == Control(FrameKind.I, send=1)


def test_a_server_that_is_not_ready_gets_nothing_until_it_is() -> None:
    """RNR acknowledges, but the next segment waits for RR."""
    client = sending_client(bytes(300))
    client.receive(response(FrameKind.RNR, receive=1), at(10))
    assert client.outgoing() == b""
    assert sent_at(client, 310) == Control(FrameKind.RR)
    client.receive(RR_1, at(320))
    assert only_frame(client.outgoing()).control == Control(FrameKind.I, send=1)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(response(FrameKind.I, ANSWER, receive=2), id="N(R) beyond V(S)"),
        pytest.param(response(FrameKind.RR, receive=7), id="N(R) before V(A)"),
        pytest.param(response(FrameKind.I, ANSWER, send=1, receive=1), id="N(S) ahead"),
        pytest.param(response(FrameKind.I, bytes(129), receive=1), id="too long"),
        pytest.param(response(FrameKind.UA), id="UA of an earlier SNRM"),
        pytest.param(response(FrameKind.SNRM), id="a command"),
    ],
)
def test_false_answers_are_dropped(octets: bytes) -> None:
    """They neither deliver nor change anything: the true answer is still taken."""
    client = sending_client()
    assert client.receive(octets, T0) == []
    assert client.outgoing() == b""
    assert client.wake_at() == at(1000)
    assert client.receive(response(FrameKind.I, ANSWER, receive=1), T0) == [
        LinkData(PEER, b"answer")
    ]


def test_an_answer_under_way_is_waited_for_once() -> None:
    """A long frame on a slow line passes the time-out; a babbler cannot hold us for ever."""
    client = sending_client()
    answer = response(FrameKind.I, ANSWER, receive=1)
    client.receive(answer[:5], at(950))
    assert client.receive(b"", at(1000)) == []
    assert client.outgoing() == b""
    assert client.receive(answer[5:], at(1040)) == [LinkData(PEER, b"answer")]
    client = sending_client()
    for moment in range(900, 2100, 50):
        client.receive(b"\x7e\xa0", at(moment))
    assert only_frame(client.outgoing()).control == Control(FrameKind.RR)


# --- misuse --------------------------------------------------------------------------------------


def test_what_a_client_cannot_do() -> None:
    """Each in the state that does not allow it, and for another peer in any."""
    client = HdlcClient(PEER, 2)
    stranger = Peer(1, 1, 17)
    for wrong in (LinkData(PEER, b"x"), LinkConnected(PEER), LinkConnect(stranger)):
        with pytest.raises(LocalProtocolError):
            client.send(wrong, T0)
    client.send(LinkConnect(PEER), T0)
    for wrong in (LinkData(PEER, b"x"), LinkConnect(PEER)):
        with pytest.raises(LocalProtocolError):
            client.send(wrong, T0)
    client.receive(response(FrameKind.UA), T0)
    for wrong in (LinkConnect(PEER), LinkData(PEER, b""), LinkData(stranger, b"x")):
        with pytest.raises(LocalProtocolError):
            client.send(wrong, T0)


@pytest.mark.parametrize(
    ("peer", "octets"),
    [(Peer(128, 1), 1), (Peer(16, 128), 1), (Peer(16, 1, 17), 1), (Peer(16, 1, 300), 2)],
)
def test_a_peer_that_does_not_fit_the_addresses_is_refused(peer: Peer, octets: int) -> None:
    """When it is made, not when it speaks."""
    with pytest.raises(EncodeError):
        HdlcClient(peer, octets)


# --- arbitrary octets in each state --------------------------------------------------------------


def _connecting() -> HdlcClient:
    client = HdlcClient(PEER, 2, times=TIMES)
    client.send(LinkConnect(PEER), T0)
    return client


def _disconnecting() -> HdlcClient:
    client = connected_client(times=TIMES)
    client.send(LinkDisconnect(PEER), T0)
    return client


def _reassembling() -> HdlcClient:
    client = sending_client()
    client.receive(response(FrameKind.I, LLC_RESPONSE + b"an", receive=1, more=True), T0)
    return client


def _enquiring() -> HdlcClient:
    client = sending_client()
    client.receive(b"", at(1000))
    return client


STATES = {
    "disconnected": lambda: HdlcClient(PEER, 2, times=TIMES),
    "connecting": _connecting,
    "connected": lambda: connected_client(times=TIMES),
    "request outstanding": lambda: sending_client(bytes(300)),
    "enquiring": _enquiring,
    "reassembling": _reassembling,
    "disconnecting": _disconnecting,
}


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return a well-formed frame with any control field and any information."""
    control = Control.from_int(draw(st.integers(0, 255)))
    information = draw(st.one_of(st.binary(max_size=140), st.just(ANSWER)))
    return Frame(CLIENT, SERVER, control, information, draw(st.booleans())).to_bytes()


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=2 * settings().max_examples)  # of two to four inputs each; in a soak more
@given(pieces=st.lists(st.one_of(st.binary(max_size=40), responses()), min_size=2, max_size=4))
def test_no_octets_raise_in_any_state(state: str, pieces: list[bytes]) -> None:
    """Arbitrary octets and arbitrary good frames: no error, and the clock ends every wait."""
    client = STATES[state]()
    now = at(1000)
    for piece in pieces:
        for happened in client.receive(piece, now):
            event(f"{state}: {type(happened).__name__}")
        event(f"{state}: now {client.state.name}")
        client.outgoing()
        now = at(now - T0 + 200)
    for _ in range(100):
        wake = client.wake_at()
        if wake is None:
            break
        now = max(now, wake)
        client.receive(b"", now)
        client.outgoing()
    assert client.wake_at() is None
    assert client.state in (State.DISCONNECTED, State.CONNECTED)
