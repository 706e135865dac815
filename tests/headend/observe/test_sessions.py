"""Sessions in a capture: ours by their comments, another's by who talks to whom."""

import pytest

from headend.errors import UsageError
from headend.observe import sessions as module
from headend.observe.capture import About
from headend.observe.packets import ACK, PSH, SYN, TCP, UDP, Dialogue, End, tcp_packet
from headend.observe.pcapng import RAW_IP, USER0, Packet
from headend.observe.sessions import Sessions

CLIENT, METER = End("192.0.2.1", 50000), End("192.0.2.9", 4059)


def tcp(sequence: int, payload: bytes, *, back: bool = False, flags: int = PSH | ACK) -> Packet:
    """Return a captured segment of another's capture."""
    ends = (METER, CLIENT) if back else (CLIENT, METER)
    return Packet(RAW_IP, sequence, tcp_packet(*ends, flags, sequence, 0, payload))


def said(packets: list[Packet]) -> list[list[tuple[bool, bytes]]]:
    """Return who said what in each session."""
    found = Sessions()
    found.take(packets)
    return [[(each.by_client, each.octets) for each in one.said] for one in found.found()]


START = 0xFFFFFFFE  # sequence numbers go round


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ([0, 1, 2], "as it was sent"),
        ([2, 0, 1], "the last before the others"),
        ([0, 2, 1], "two in the wrong order"),
        ([0, 1, 0, 1, 2, 2], "repeated"),
    ],
)
def test_segments_are_put_in_their_order(order: list[int], why: str) -> None:
    """Repeated ones are dropped, and sequence numbers may go round."""
    pieces = [tcp(START, b"abc"), tcp(1, b"def"), tcp(4, b"ghi")]
    begun = tcp(START - 1, b"", flags=SYN)
    ((*found,),) = said([begun, *(pieces[i] for i in order)])
    assert b"".join(octets for _, octets in found) == b"abcdefghi", why


def test_segments_that_overlap_are_said_once() -> None:
    """A sender may send again with more behind it."""
    found = said([tcp(10, b"abc"), tcp(11, b"bcde"), tcp(12, b"c")])
    assert found == [[(True, b"abc"), (True, b"de")]]


def test_what_follows_a_gap_is_said_at_the_end() -> None:
    """A capture may have missed a segment."""
    assert said([tcp(10, b"abc"), tcp(20, b"xyz")]) == [[(True, b"abc"), (True, b"xyz")]]


@pytest.mark.parametrize(
    "first",
    [tcp(9, b"", flags=SYN), tcp(9, b"", flags=SYN | ACK, back=True), tcp(9, b"x", back=True)],
    ids=["called", "answered", "in the middle"],
)
def test_the_server_is_found(first: Packet) -> None:
    """By the call, by its answer, or by the port of DLMS where nobody saw a call."""
    ((*found,),) = said([first, tcp(10, b"ask"), tcp(10, b"answer", back=True)])
    assert [octets for by_client, octets in found if by_client] == [b"ask"]


def test_each_connection_is_a_session() -> None:
    """Of the same two ends too, when they begin anew."""
    once = [tcp(9, b"", flags=SYN), tcp(10, b"ask")]
    assert said(once + once) == [[(True, b"ask")], [(True, b"ask")]]


def test_datagrams_between_two_ends_are_a_session() -> None:
    """Whoever has the port of DLMS is the server."""
    talk = Dialogue(CLIENT, METER, UDP)
    packets = talk.said(b"ask", by_client=True) + talk.said(b"answer", by_client=False)
    found = said([Packet(RAW_IP, 0, each) for each in packets])
    assert found == [[(True, b"ask"), (False, b"answer")]]


def ours(number: int, meter: str, place: str = "tcp:a:1") -> Packet:
    """Return a packet of a session of ours."""
    comment = About(f"{number:016x}", meter, place).words()
    return Packet(USER0, number, b"~", True, comment)


@pytest.mark.parametrize(
    ("last", "found"), [(None, [1, 3, 4]), (1, [4]), (2, [3, 4]), (9, [1, 3, 4])]
)
def test_the_sessions_of_a_meter(last: int | None, found: list[int]) -> None:
    """By its name, or by its place where a session had none; the last ones where asked."""
    wanted = Sessions("M 1", "tcp:b:1", last)
    packets = [ours(1, "M 1"), ours(2, "M 2"), ours(3, "", "tcp:b:1"), ours(4, "M 1")]
    wanted.take([*packets, ours(5, ""), tcp(1, b"another's")])
    assert [int(each.about.session, 16) for each in wanted.found()] == found


def test_old_sessions_are_let_go_where_only_the_last_are_asked_for() -> None:
    """A file of any length can be asked for the end of it."""
    wanted = Sessions(last=1)
    wanted.take(ours(number, "M") for number in range(1000))
    assert [int(each.about.session, 16) for each in wanted.found()] == [999]
    assert len(wanted._kept) <= 64


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held has a bound."""
    monkeypatch.setattr(module, "_MOST_OCTETS", 10)
    with pytest.raises(UsageError, match="too large"):
        Sessions().take([ours(1, "M")] * 11)


@pytest.mark.parametrize(
    "about",
    [
        About("0a"),
        About("0a", "M 1", "serial:/dev/tty USB=0%", "topup", "c0ffee"),
        About("0a", "µ\n=", "tcp:[::1]:4059"),
    ],
)
def test_a_comment_is_read_as_it_was_written(about: About) -> None:
    """Whatever names have in them."""
    assert About.read(about.words()) == about
    assert "\n" not in about.words()


@pytest.mark.parametrize("comment", ["", "hello world", "a=b", "session"])
def test_anothers_comment_is_no_session(comment: str) -> None:
    """People write comments into captures."""
    assert About.read(comment) is None


def test_tcp_is_tcp() -> None:
    """The numbers are those of the Internet's protocols."""
    assert (TCP, UDP) == (6, 17)
