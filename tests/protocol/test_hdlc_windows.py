"""Windows above 1: what is sent in a row, what a loss in it costs, and stations that are busy."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkBusy,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnected,
    LinkEvent,
    LinkWanted,
)
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters, HdlcServer
from protocol.hdlc.frame import Control, FrameKind
from protocol.hdlc.transfer import MAX_QUEUED, Transfer
from protocol.timing import Instant
from tests.protocol.hdlc_tools import (
    LLC_COMMAND,
    LLC_RESPONSE,
    PEER,
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
SIZE = 10


def windows(transmit: int, receive: int = 1) -> HdlcParameters:
    """Return parameters with short fields and these windows."""
    return HdlcParameters(SIZE, SIZE, transmit, receive)


def controls(octets: bytes) -> list[Control]:
    """Return the control fields of the frames in ``octets``."""
    return [frame.control for frame in frames_in(octets)]


def numbers(octets: bytes) -> list[int]:
    """Return N(S) of the frames in ``octets``, the last of which gives the turn away alone."""
    found = controls(octets)
    assert [control.kind for control in found] == [FrameKind.I] * len(found)
    assert [control.poll for control in found] == [False] * (len(found) - 1) + [True]
    return [control.send for control in found]


def apdu_of(segments: int) -> bytes:
    """Return an APDU of so many segments."""
    return bytes(index % 251 for index in range(SIZE * segments - len(LLC_COMMAND)))


def sending_client(window: int, segments: int, retries: int = 3) -> HdlcClient:
    """Return a client that has just been given an APDU to send."""
    client = connected_client(windows(window, window), TIMES, retries)
    client.send(LinkData(PEER, apdu_of(segments)), T0)
    return client


# --- the window ----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", range(1, 8))
@pytest.mark.parametrize("segments", [1, 2, 6, 7, 8, 15])
def test_a_client_sends_its_window_and_waits(window: int, segments: int) -> None:
    """As many as agreed, the last with the poll bit, and more only when they are acknowledged."""
    client = sending_client(window, segments)
    sent = 0
    while sent < segments:
        row = numbers(client.outgoing())
        assert row == [number % 8 for number in range(sent, min(sent + window, segments))]
        sent += len(row)
        client.receive(response(FrameKind.RR, receive=sent % 8), T0)
    assert client.outgoing() == b""


@pytest.mark.parametrize("window", range(1, 8))
@pytest.mark.parametrize("segments", [1, 2, 6, 7, 8, 15])
def test_a_server_sends_its_window_and_waits(window: int, segments: int) -> None:
    """The same the other way: the last has the final bit, RR fetches the next ones."""
    server = connected_server(windows(7, 7) if window == 7 else windows(window, 7))
    # The client states the window that it takes; what the server may send is the lesser of both.
    server.receive(command(FrameKind.SNRM, windows(1, window).to_information()), T0)
    server.outgoing()
    server.send(LinkData(PEER, apdu_of(segments)), T0)
    pdu, sent = b"", 0
    while sent < segments:
        server.receive(command(FrameKind.RR, receive=sent % 8), T0)
        octets = server.outgoing()
        row = numbers(octets)
        assert row == [number % 8 for number in range(sent, min(sent + window, segments))]
        pdu += b"".join(frame.information for frame in frames_in(octets))
        sent += len(row)
    assert pdu == LLC_RESPONSE + apdu_of(segments)


@pytest.mark.parametrize("ours", range(1, 8))
@pytest.mark.parametrize("theirs", [1, 3, 7])
@pytest.mark.parametrize("length", [1, 69, 70, 71, 500])
def test_the_two_directions_have_windows_of_their_own(ours: int, theirs: int, length: int) -> None:
    """Whatever each side offers, any APDU arrives whole, three times over."""
    client = HdlcClient(PEER, 2, windows(ours, theirs))
    server = make_server(windows(ours, theirs))
    client.send(LinkConnect(PEER), T0)
    assert carry(client, server) == [LinkConnected(PEER)]
    apdu = bytes(index * 7 % 256 for index in range(length))
    for _ in range(3):
        client.send(LinkData(PEER, apdu), T0)
        assert carry(client, server) == [LinkData(PEER, apdu[::-1])]


def test_ua_states_the_lesser_window_of_each_direction() -> None:
    """What the client sends, the server takes, and the other way round."""
    server = make_server(HdlcParameters(128, 128, 3, 5))
    server.receive(command(FrameKind.SNRM, HdlcParameters(128, 128, 7, 2).to_information()), T0)
    ua = HdlcParameters.from_information(only_frame(server.outgoing()).information)
    assert (ua.window_transmit, ua.window_receive) == (2, 5)


def test_a_window_ends_with_its_apdu() -> None:
    """The next APDU waits for the answer to the first."""
    client = sending_client(7, 2)
    client.send(LinkData(PEER, apdu_of(1)), T0)
    assert numbers(client.outgoing()) == [0, 1]
    client.receive(response(FrameKind.I, LLC_RESPONSE + b"a", receive=2), T0)
    assert numbers(client.outgoing()) == [2]


def test_a_servers_window_goes_on_over_the_end_of_an_apdu() -> None:
    """The blocks of a general block transfer come in a row, as far as the window reaches."""
    server = connected_server(windows(7, 7))
    for _ in range(4):
        server.send(LinkData(PEER, apdu_of(2)), T0)
    server.receive(command(FrameKind.RR), T0)
    assert numbers(server.outgoing()) == [0, 1, 2, 3, 4, 5, 6]
    server.receive(command(FrameKind.RR, receive=7), T0)
    assert numbers(server.outgoing()) == [7]


@pytest.mark.parametrize("window", [1, 2, 7])
def test_what_follows_an_apdu_is_polled_for(window: int) -> None:
    """With a window of 1 each APDU takes a turn, which the client gives when it is told to."""
    client, server = connected_client(windows(1, window)), connected_server(windows(window))
    said = [apdu_of(1), apdu_of(3), apdu_of(2)]
    for apdu in said:
        server.send(LinkData(PEER, apdu), T0)
    heard: list[LinkEvent] = []
    while len(heard) < len(said):
        client.send(LinkWanted(PEER), T0)
        polled = client.outgoing()
        assert only_frame(polled).control.kind is FrameKind.RR
        client.send(LinkWanted(PEER), T0)
        assert client.outgoing() == b""  # the turn is the server's already
        server.receive(polled, T0)
        before = len(heard)
        while octets := server.outgoing():
            heard += client.receive(octets, T0)
            server.receive(client.outgoing(), T0)
        assert len(heard) > before
    assert heard == [LinkData(PEER, apdu) for apdu in said]


def test_more_is_asked_for_while_the_patience_lasts() -> None:
    """A server that has nothing yet is polled again, and nothing is polled without a link."""
    client = connected_client(times=TIMES)
    client.send(LinkWanted(PEER), T0)
    assert only_frame(client.outgoing()).control == Control(FrameKind.RR)
    client.receive(response(FrameKind.RR), T0)
    client.send(LinkWanted(PEER), T0)
    assert client.outgoing() == b""
    client.receive(b"", at(TIMES.poll))
    assert only_frame(client.outgoing()).control == Control(FrameKind.RR)
    alone = HdlcClient(PEER, 2)
    alone.send(LinkWanted(PEER), T0)
    assert alone.outgoing() == b""


def test_unpolled_frames_of_a_window_are_taken_and_not_answered() -> None:
    """One RR, at the poll, acknowledges them all."""
    server = connected_server(windows(7, 7))
    pdu = LLC_COMMAND + apdu_of(4)
    for number in range(3):
        octets = command(FrameKind.I, pdu[:SIZE], send=number, poll=number == 2, more=True)
        server.receive(octets, T0)
        if number < 2:
            assert server.outgoing() == b""
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR, receive=3)


# --- losses, from the sender's side --------------------------------------------------------------


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_client_repeats_from_the_frame_that_was_lost(lost: int) -> None:
    """Go-back-N: what came before it is acknowledged, and new frames fill the window up."""
    client = sending_client(7, 10)
    assert numbers(client.outgoing()) == list(range(7))
    client.receive(response(FrameKind.RR, receive=lost), T0)
    assert numbers(client.outgoing()) == [number % 8 for number in range(lost, min(lost + 7, 10))]


def test_a_client_repeats_the_whole_window_only_after_an_enquiry() -> None:
    """RR that acknowledges nothing may be old; the time-out asks, and the answer tells."""
    client = sending_client(3, 4)
    client.outgoing()
    assert client.receive(response(FrameKind.RR, receive=0), T0) == []
    assert client.outgoing() == b""
    client.receive(b"", at(1000))
    assert controls(client.outgoing()) == [Control(FrameKind.RR)]
    client.receive(response(FrameKind.RR, receive=0), at(1001))
    assert numbers(client.outgoing()) == [0, 1, 2]


def test_a_lost_acknowledgement_costs_an_enquiry_and_no_repetition() -> None:
    """The server has it all: the next window goes."""
    client = sending_client(3, 4)
    client.outgoing()
    client.receive(b"", at(1000))
    assert controls(client.outgoing()) == [Control(FrameKind.RR)]
    client.receive(response(FrameKind.RR, receive=3), at(1001))
    assert numbers(client.outgoing()) == [3]


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_server_repeats_from_the_frame_that_was_lost(lost: int) -> None:
    """It learns it from N(R) of the next poll."""
    server = connected_server(windows(7, 7))
    server.send(LinkData(PEER, apdu_of(10)), T0)
    server.receive(command(FrameKind.RR), T0)
    assert numbers(server.outgoing()) == list(range(7))
    server.receive(command(FrameKind.RR, receive=lost), T0)
    assert numbers(server.outgoing()) == [number % 8 for number in range(lost, min(lost + 7, 10))]


# --- losses, from the receiver's side ------------------------------------------------------------


def answer_window(count: int) -> list[bytes]:
    """Return the frames of an answer that fills a window of ``count``."""
    pdu = LLC_RESPONSE + apdu_of(count)
    return [
        response(
            FrameKind.I,
            pdu[number * SIZE : (number + 1) * SIZE],
            send=number,
            receive=1,
            final=number == count - 1,
            more=number < count - 1,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [3, 7])
def test_a_client_asks_again_for_what_was_lost_in_a_window(count: int) -> None:
    """At once, for the final bit has come; what came behind the loss is not taken."""
    for lost in range(count - 1):
        client = sending_client(7, 1)
        client.outgoing()
        frames = answer_window(count)
        events = client.receive(b"".join(frames[:lost] + frames[lost + 1 :]), T0)
        assert events == []
        assert controls(client.outgoing()) == [Control(FrameKind.RR, receive=lost)]
        assert client.receive(b"".join(frames[lost:]), T0) == [LinkData(PEER, apdu_of(count))]
        assert client.outgoing() == b""


def test_a_lost_final_frame_is_asked_for_at_the_time_out() -> None:
    """Which counts from the last frame that came."""
    client = sending_client(7, 1)
    client.outgoing()
    frames = answer_window(3)
    client.receive(frames[0], at(500))
    client.receive(frames[1], at(900))
    assert client.wake_at() == at(1900)
    client.receive(b"", at(1900))
    assert controls(client.outgoing()) == [Control(FrameKind.RR, receive=2)]
    assert client.receive(frames[2], at(1901)) == [LinkData(PEER, apdu_of(3))]


@pytest.mark.parametrize("count", [1, 3, 6, 7])
def test_a_window_that_comes_twice_is_delivered_once(count: int) -> None:
    """And asks for nothing: it was taken already, its last frame included."""
    client = sending_client(7, 1)
    client.outgoing()
    window = b"".join(answer_window(count))
    assert client.receive(window + window, T0) == [LinkData(PEER, apdu_of(count))]
    assert client.outgoing() == b""


def test_a_server_that_always_loses_a_frame_is_given_up() -> None:
    """It is asked again as often as told, and then at the time-out no more."""
    client = sending_client(7, 1, retries=2)
    client.outgoing()
    asked = 0
    for _ in range(10):
        client.receive(b"".join(answer_window(3)[1:]), T0)
        asked += len(frames_in(client.outgoing()))
    assert asked == 2
    assert client.receive(b"", at(1000)) == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    assert client.wake_at() is None


def test_a_window_with_a_gap_is_waited_for_to_its_end_and_no_longer() -> None:
    """Its other frames put the time-out off, as many as it can have; a babbler does not."""
    client = sending_client(7, 1)
    client.outgoing()
    middle = answer_window(7)[3]
    for turn in range(2):  # and the second time as the first
        start = client.wake_at()
        assert start is not None
        for number in range(1, 10):
            client.receive(middle, Instant(start - 1000 + number * 50))
        assert client.wake_at() == start + 6 * 50
        client.receive(b"", Instant(start + 6 * 50))
        assert controls(client.outgoing()) == [Control(FrameKind.RR)], turn


@pytest.mark.parametrize("lost", range(7))
def test_a_server_takes_nothing_behind_a_lost_frame(lost: int) -> None:
    """Its RR says which is due; the repetition completes the request."""
    server = connected_server(windows(7, 7))
    pdu = LLC_COMMAND + apdu_of(7)
    frames = [
        command(FrameKind.I, pdu[n * SIZE : (n + 1) * SIZE], send=n, poll=n == 6, more=n < 6)
        for n in range(7)
    ]
    assert server.receive(b"".join(frames[:lost] + frames[lost + 1 :]), T0) == []
    if lost == 6:  # with the poll: nothing may be said until the client asks
        assert server.outgoing() == b""
        server.receive(command(FrameKind.RR), T0)
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR, receive=lost)
    assert server.receive(b"".join(frames[lost:]), T0) == [LinkData(PEER, apdu_of(7))]


@given(
    window=st.integers(1, 7),
    segments=st.integers(1, 30),
    losses=st.lists(st.booleans(), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_any_losses_cost_time_and_nothing_else(
    window: int, segments: int, losses: list[bool]
) -> None:
    """Frames lost anywhere, either way, until the line is clean: once, whole, or ended by name."""
    fate = iter(losses)
    client = connected_client(windows(window, window), TIMES, retries=200)
    server = connected_server(windows(window, window))
    client.send(LinkData(PEER, apdu_of(segments)), T0)
    heard: list[LinkEvent] = []
    answered: list[LinkEvent] = []
    now = T0
    for _ in range(600):
        octets = spoilt(client.outgoing(), fate)
        for event in server.receive(octets, now):
            heard.append(event)
            server.send(LinkData(PEER, apdu_of(segments)[::-1]), now)
        answered += client.receive(spoilt(server.outgoing(), fate), now)
        wake = client.wake_at()
        if answered or wake is None:
            break
        if not client._outgoing:
            now = max(now, wake)
            answered += client.receive(b"", now)
    assert heard == [LinkData(PEER, apdu_of(segments))]
    assert answered == [LinkData(PEER, apdu_of(segments)[::-1])]


def spoilt(octets: bytes, fate: Iterator[bool]) -> bytes:
    """Return what arrives of the frames in ``octets``."""
    kept = [frame for frame in frames_in(octets) if not next(fate, False)]
    return b"".join(frame.to_bytes() for frame in kept)


# --- the numbers ---------------------------------------------------------------------------------


@given(window=st.integers(1, 7), start=st.integers(0, 7), count=st.integers(1, 7))
def test_only_outstanding_numbers_can_be_acknowledged(window: int, start: int, count: int) -> None:
    """N(R) from V(A) to V(S), wherever they stand; each moves V(A) and nothing else."""
    transfer = Transfer(windows(window), LLC_COMMAND, LLC_RESPONSE, 1000)
    transfer.send_number = start
    transfer.enqueue(apdu_of(count))
    sent = [segment.number for segment in transfer.window()]
    assert sent == [(start + n) % 8 for n in range(min(window, count))]
    valid = {*sent, transfer.send_number}
    assert {number for number in range(8) if transfer.can_acknowledge(number)} == valid
    assert transfer.acknowledge(start) is False
    assert transfer.acknowledge((start + 1) % 8) is True
    assert not transfer.can_acknowledge(start)


@pytest.mark.parametrize("window", range(1, 8))
def test_a_repetition_is_never_taken_for_a_gap(window: int) -> None:
    """Ahead are the numbers of the window behind V(R); all others have been taken already."""
    transfer = Transfer(HdlcParameters(10, 10, 1, window), LLC_COMMAND, LLC_RESPONSE, 1000)
    for expected in range(8):
        transfer.receive_number = expected
        ahead = {(number - expected) % 8 for number in range(8) if transfer.is_ahead(number)}
        assert ahead == set(range(1, window))


# --- busy stations -------------------------------------------------------------------------------


def test_a_server_that_is_held_up_says_so_and_takes_nothing() -> None:
    """RNR with the old N(R): the client keeps its frame, and polls."""
    server = connected_server()
    server.send(LinkBusy(PEER), T0)
    request = command(FrameKind.I, LLC_COMMAND + b"get")
    assert server.receive(request, T0) == []
    assert only_frame(server.outgoing()).control == Control(FrameKind.RNR)
    server.receive(command(FrameKind.RR), T0)
    assert only_frame(server.outgoing()).control == Control(FrameKind.RNR)
    server.send(LinkBusy(PEER, busy=False), T0)
    server.receive(command(FrameKind.RR), T0)
    assert only_frame(server.outgoing()).control == Control(FrameKind.RR)
    assert server.receive(request, T0) == [LinkData(PEER, b"get")]


def test_a_server_that_is_held_up_can_still_send() -> None:
    """Taking and giving are two things."""
    server = connected_server()
    server.send(LinkData(PEER, b"waits"), T0)
    server.send(LinkBusy(PEER), T0)
    server.receive(command(FrameKind.RR), T0)
    assert only_frame(server.outgoing()).information == LLC_RESPONSE + b"waits"


def test_a_server_whose_answers_nobody_fetches_takes_no_more_requests() -> None:
    """Until there is room again; nothing is lost."""
    server = connected_server()
    for number in range(MAX_QUEUED):
        server.send(LinkData(PEER, bytes((number,))), T0)
    request = command(FrameKind.I, LLC_COMMAND + b"get")
    assert server.receive(request, T0) == []
    assert only_frame(server.outgoing()).control == Control(FrameKind.RNR)
    server.receive(command(FrameKind.RR), T0)
    assert only_frame(server.outgoing()).information == LLC_RESPONSE + b"\0"
    again = command(FrameKind.I, LLC_COMMAND + b"get", receive=1)
    assert server.receive(again, T0) == [LinkData(PEER, b"get")]


def test_snrm_makes_a_held_server_free() -> None:
    """Whoever was slow has lost the connection it was slow for."""
    server = connected_server()
    server.send(LinkBusy(PEER), T0)
    server.receive(command(FrameKind.SNRM), T0)
    server.outgoing()
    request = command(FrameKind.I, LLC_COMMAND + b"get")
    assert server.receive(request, T0) == [LinkData(PEER, b"get")]


@pytest.mark.parametrize("window", [1, 7])
def test_a_busy_server_holds_a_client_up_and_costs_it_nothing(window: int) -> None:
    """The client polls until it may, and then sends its window again."""
    client = sending_client(window, 3)
    first = client.outgoing()
    client.receive(response(FrameKind.RNR), T0)
    assert client.outgoing() == b""
    client.receive(b"", at(300))
    assert controls(client.outgoing()) == [Control(FrameKind.RR)]
    client.receive(response(FrameKind.RNR), at(301))
    client.receive(b"", at(601))
    client.outgoing()
    client.receive(response(FrameKind.RR), at(602))
    assert client.outgoing() == first


def test_a_client_that_is_held_up_says_so_and_takes_nothing() -> None:
    """RNR in place of the RR that would fetch more; afterwards all comes once."""
    client = sending_client(7, 1)
    client.outgoing()
    frames = answer_window(3)
    client.receive(frames[0], T0)
    client.send(LinkBusy(PEER), T0)
    assert client.receive(frames[1] + frames[2], T0) == []
    assert controls(client.outgoing()) == [Control(FrameKind.RNR, receive=1)]
    client.receive(response(FrameKind.RR, receive=1), at(10))
    assert client.outgoing() == b""
    client.send(LinkBusy(PEER, busy=False), at(50))
    assert controls(client.outgoing()) == [Control(FrameKind.RR, receive=1)]
    assert client.receive(frames[1] + frames[2], at(60)) == [LinkData(PEER, apdu_of(3))]


def test_a_held_client_keeps_its_connection_alive() -> None:
    """It polls with RNR, which is answered with RR and brings nothing."""
    client = sending_client(7, 1)
    client.outgoing()
    client.send(LinkBusy(PEER), T0)
    client.receive(answer_window(1)[0], T0)
    client.outgoing()
    client.receive(response(FrameKind.RR, receive=1), at(10))
    client.receive(b"", at(310))
    assert controls(client.outgoing()) == [Control(FrameKind.RNR)]


def test_only_a_connection_can_be_held_up() -> None:
    """There is nothing to say RNR on before."""
    with pytest.raises(LocalProtocolError):
        HdlcClient(PEER, 2).send(LinkBusy(PEER), T0)
    with pytest.raises(LocalProtocolError):
        make_server().send(LinkBusy(PEER), T0)


# --- memory --------------------------------------------------------------------------------------


def test_the_largest_window_of_the_longest_fields() -> None:
    """7 times 2030 octets in one turn, each way."""
    largest = HdlcParameters(2030, 2030, 7, 7)
    client, server = HdlcClient(PEER, 2, largest), HdlcServer(17, {1}, largest)
    client.send(LinkConnect(PEER), T0)
    carry(client, server)
    apdu = bytes(7 * 2030 - len(LLC_COMMAND))
    client.send(LinkData(PEER, apdu), T0)
    octets = client.outgoing()
    assert len(frames_in(octets)) == 7
    assert server.receive(octets, T0) == [LinkData(PEER, apdu)]
    server.send(LinkData(PEER, apdu), T0)
    octets = server.outgoing()
    assert [len(frame.information) for frame in frames_in(octets)] == [2030] * 7
    assert client.receive(octets, Instant(T0 + 1)) == [LinkData(PEER, apdu)]


def test_frames_beyond_the_window_are_taken_all_the_same() -> None:
    """A client that overruns it is lenient work: they come in order, and nothing grows."""
    server = connected_server(windows(1, 1))
    pdu = LLC_COMMAND + apdu_of(8)
    frames = [
        command(FrameKind.I, pdu[n * SIZE : (n + 1) * SIZE], send=n, poll=n == 7, more=n < 7)
        for n in range(8)
    ]
    octets = b"".join(frames)
    assert server.receive(octets, T0) == [LinkData(PEER, apdu_of(8))]
