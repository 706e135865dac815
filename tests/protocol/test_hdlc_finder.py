"""Finding frames: whatever surrounds a good frame, it is found; whatever is bad, is dropped."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import FLAG, Frame, FrameKind, frame_check
from protocol.timing import Instant
from tests.protocol.hdlc_tools import T0, at, command, frames_in, only_frame, response

TIMEOUT = 500
SNRM = command(FrameKind.SNRM)
SHORT = command(FrameKind.RR, receive=3)
LONG = command(FrameKind.I, bytes(range(256)), send=1, receive=2)
FRAME = command(FrameKind.I, b"\xe6\xe6\x00\xc0\x01\xc1\x00", send=2)
GOOD = only_frame(LONG)


def find(stream: bytes) -> list[Frame]:
    """Return what is found in ``stream``, silence afterwards included."""
    finder = FrameFinder(TIMEOUT)
    found = finder.receive(stream, T0)
    return found + finder.receive(b"", at(TIMEOUT))


def test_frames_may_share_a_flag() -> None:
    """The closing flag of one is the opening flag of the next; many flags are as good as one."""
    frames = [only_frame(octets) for octets in (SNRM, SHORT, LONG)]
    assert frames_in(SNRM + SHORT + LONG) == frames
    assert frames_in(SNRM + SHORT[1:] + LONG[1:]) == frames
    assert frames_in(b"~~~" + SNRM + b"~~" + SHORT[1:] + b"~" + LONG) == frames


def test_octets_may_come_one_by_one() -> None:
    """A frame is reported with its closing flag, not before and not later."""
    finder = FrameFinder(TIMEOUT)
    for octet in LONG[:-1]:
        assert finder.receive(bytes((octet,)), T0) == []
    assert finder.receive(LONG[-1:], T0) == [GOOD]
    assert finder.wake_at() is None


@given(st.lists(st.integers(1, 60), max_size=20))
def test_octets_may_come_in_any_pieces(sizes: list[int]) -> None:
    """How a stream is cut makes no difference."""
    stream = b"noise" + SNRM + b"\x7e\xa0" + LONG + SHORT[1:]
    finder = FrameFinder(TIMEOUT)
    found = []
    rest = stream
    for size in sizes:
        found += finder.receive(rest[:size], T0)
        rest = rest[size:]
    found += finder.receive(rest, T0)
    assert found == frames_in(stream)
    assert found == [only_frame(octets) for octets in (SNRM, LONG, SHORT)]


@given(before=st.binary(max_size=40), between=st.binary(max_size=40), after=st.binary(max_size=40))
def test_good_frames_are_found_in_garbage(before: bytes, between: bytes, after: bytes) -> None:
    """Arbitrary octets before, between and after cost no frame."""
    found = find(before + SNRM + between + LONG + after)
    assert [frame for frame in found if frame in (only_frame(SNRM), GOOD)] == [
        only_frame(SNRM),
        GOOD,
    ]


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x7e", id="a flag"),
        pytest.param(b"\x7e\xa0", id="a flag and half a format"),
        pytest.param(b"\x7e\xa7\xff", id="a claim of 2047 octets"),
        pytest.param(b"\x7e\xa0\x0c", id="a claim that swallows the next frame"),
        pytest.param(b"\x7e\xa7\xff\x03\x21\x10", id="a whole false header"),
        pytest.param(SNRM[:-2], id="a frame without its last two octets"),
        pytest.param(LONG[:100], id="half a frame"),
        pytest.param(LONG[:-3] + b"\x00\x00\x7e", id="a frame with a false check"),
        pytest.param(b"\x7e\x7e\x7e\x7e", id="flags"),
        pytest.param(b"/?!\r\n", id="the sign-on of IEC 62056-21"),
    ],
)
@pytest.mark.parametrize("good", [SNRM, SHORT, LONG])
def test_a_good_frame_after_pinned_garbage_is_found(garbage: bytes, good: bytes) -> None:
    """At the latest when silence proves that the garbage was no frame."""
    assert find(garbage + good) == [only_frame(good)]


def test_a_claimed_length_does_not_block_the_line() -> None:
    """A good header that claims more than comes holds the line for the time-out, not for ever."""
    finder = FrameFinder(TIMEOUT)
    assert finder.receive(LONG[:40], T0) == []
    assert finder.wake_at() == at(TIMEOUT)
    assert finder.receive(SNRM, at(TIMEOUT - 1)) == []
    assert finder.wake_at() == at(2 * TIMEOUT - 1)
    assert finder.receive(b"", at(2 * TIMEOUT - 2)) == []
    assert finder.receive(b"", at(2 * TIMEOUT - 1)) == [only_frame(SNRM)]
    assert finder.wake_at() is None


def test_octets_after_the_silence_begin_anew() -> None:
    """Octets that come together with the time-out are not taken as the rest of the old frame."""
    finder = FrameFinder(TIMEOUT)
    finder.receive(LONG[:40], T0)
    assert finder.receive(LONG[40:], at(TIMEOUT)) == []
    finder.receive(LONG[:40], at(TIMEOUT))
    assert finder.receive(LONG[40:], at(2 * TIMEOUT - 1)) == [GOOD]


def test_a_lone_flag_needs_no_wake_up() -> None:
    """Between frames the line is idle."""
    finder = FrameFinder(TIMEOUT)
    finder.receive(b"noise\x7e", T0)
    assert finder.wake_at() is None
    assert not finder.in_frame


@pytest.mark.parametrize("octets", [SNRM, FRAME], ids=["without information", "with information"])
def test_every_single_bit_counts(octets: bytes) -> None:
    """A frame with any one bit flipped is dropped, and the next good frame is found."""
    for position, bit in itertools.product(range(len(octets)), range(8)):
        flipped = bytearray(octets)
        flipped[position] ^= 1 << bit
        assert find(bytes(flipped) + LONG) == [GOOD], (position, bit)


@pytest.mark.parametrize("octets", [SNRM, FRAME], ids=["without information", "with information"])
def test_every_octet_counts(octets: bytes) -> None:
    """A frame that lost any one octet is dropped, and the next good frame is found.

    A lost closing flag does no harm: the next frame's opening flag closes the frame as well.
    """
    for position in range(len(octets) - 1):
        assert find(octets[:position] + octets[position + 1 :] + LONG) == [GOOD], position
    assert find(octets[:-1] + b"\x00" + LONG) == [GOOD]


@pytest.mark.parametrize("octets", [SNRM, FRAME], ids=["without information", "with information"])
def test_a_doubled_octet_costs_the_frame_only(octets: bytes) -> None:
    """Doubling a flag does no harm at all; any other octet costs this frame and no other."""
    for position in range(len(octets)):
        doubled = octets[: position + 1] + octets[position:]
        kept = [only_frame(octets)] if position in (0, len(octets) - 1) else []
        assert find(doubled + LONG) == [*kept, GOOD], position


def test_frames_with_a_flag_octet_anywhere_are_found() -> None:
    """0x7E is legal in the information, the header check and the frame check."""
    seen = set()
    for first, second in itertools.product(range(256), range(0, 256, 6)):
        octets = command(FrameKind.I, bytes((first, second)), send=second % 8)
        if FLAG in octets[1:-1]:
            places = [place for place in range(1, len(octets) - 1) if octets[place] == FLAG]
            seen.update(places)
            assert find(octets + SHORT[1:]) == [only_frame(octets), only_frame(SHORT)]
    header_end = 1 + 2 + 3 + 1
    assert {header_end + 2, header_end + 3, header_end + 4, header_end + 5} <= seen


def test_a_header_check_may_hold_a_flag_octet() -> None:
    """Both of its octets, found by trying lengths."""
    places = set()
    for size, number in itertools.product(range(1, 300), range(8)):
        octets = command(FrameKind.I, bytes(size), send=number)
        for place in (7, 8):
            if octets[place] == FLAG:
                places.add(place)
                assert find(octets) == [only_frame(octets)]
    assert places == {7, 8}


def test_a_frame_inside_a_good_frame_is_content() -> None:
    """Octets of a frame that is good are not searched again."""
    outer = command(FrameKind.I, b"\xe6\xe6\x00" + SNRM)
    assert find(outer) == [only_frame(outer)]


def test_a_frame_inside_a_bad_frame_is_found() -> None:
    """The search goes on behind the opening flag of what was refuted."""
    outer = bytearray(command(FrameKind.I, b"\xe6\xe6\x00" + SNRM + b"rest"))
    outer[-2] ^= 1
    assert find(bytes(outer)) == [only_frame(SNRM)]


def test_clear_forgets_what_is_under_way() -> None:
    """Half a frame, then a clear, then its second half: nothing."""
    finder = FrameFinder(TIMEOUT)
    finder.receive(LONG[:40], T0)
    finder.clear()
    assert finder.wake_at() is None
    assert finder.receive(LONG[40:], T0) == []


def test_the_check_is_crc_16_x25() -> None:
    """The check value that CRC catalogues give for CRC-16/X.25."""
    assert frame_check(b"123456789") == 0x906E


def _endless_claim() -> bytes:
    """Return headers with a true check, each claiming the longest frame."""
    header = b"\xa7\xff\x02\x23\x21\x10"
    return b"\x7e" + header + frame_check(header).to_bytes(2, "little")


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00",
        b"\x7e",
        b"\x7e\xa7",
        b"\x7e\xa7\xff\x02",
        _endless_claim(),
        SNRM[:-1],
        b"\x7e\xa0\x07",
    ],
)
def test_memory_stays_bounded_under_noise(noise: bytes) -> None:
    """Octets that always look as if a frame were under way, as many as sixteen of the longest."""
    chunk = (noise * (1024 // len(noise) + 1))[:1024]
    finder = FrameFinder(TIMEOUT)
    finder.receive(chunk, T0)
    tracemalloc.start()
    try:
        for step in range(32):
            finder.receive(chunk, Instant(T0 + step))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000
    later = Instant(T0 + 32 + TIMEOUT)
    finder.receive(b"", later)
    assert finder.receive(LONG, later)[-1] == GOOD


@given(st.binary(max_size=300))
def test_no_octets_raise(octets: bytes) -> None:
    """Arbitrary input gives frames or nothing, and leaves nothing behind once silent."""
    finder = FrameFinder(TIMEOUT)
    finder.receive(octets, T0)
    finder.receive(b"", at(TIMEOUT))
    assert finder.wake_at() is None
    assert finder.receive(LONG, at(TIMEOUT))[-1:] == [GOOD]


def test_responses_are_found_as_well() -> None:
    """The finder does not care who speaks."""
    assert frames_in(response(FrameKind.UA)) == [only_frame(response(FrameKind.UA))]
