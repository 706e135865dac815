"""HDLC frames of format type 3, against published frames and their own inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.hdlc.address import PART_LIMITS, HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind, Incomplete, decode_frame
from tests.protocol.hdlc_tools import CLIENT, SERVER

_CLIENT_1, _PUBLIC = HdlcAddress(1), HdlcAddress(16)
_SERVER_2, _SERVER_4 = HdlcAddress(1, 17, 2), HdlcAddress(1, 17, 4)
_AARQ = "E6E600601DA109060760857405080101BE10040E01000000065F1F040000301DFFFF"
_AARE_54 = (
    "E6E7006129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F0400001E1D04C80007"
)

PUBLISHED = [
    pytest.param(
        "7EA00A00020023219318717E",
        Frame(_SERVER_4, _PUBLIC, Control(FrameKind.SNRM)),
        id="SNRM, DLMS UA examples for information exchange (G. Kmethy)",
    ),
    pytest.param(
        "7EA023210002002373F6C58180140502008006020080070400000001080400000001CE6A7E",
        Frame(
            _PUBLIC,
            _SERVER_4,
            Control(FrameKind.UA),
            bytes.fromhex("8180140502008006020080070400000001080400000001"),
        ),
        id="UA, DLMS UA examples for information exchange (G. Kmethy)",
    ),
    pytest.param(
        "7EA02E0002002321107ECBE6E600601DA109060760857405080101"
        "BE10040E01000000065F1F040000301DFFFFD4C57E",
        Frame(_SERVER_4, _PUBLIC, Control(FrameKind.I), bytes.fromhex(_AARQ)),
        id="AARQ with 0x7E in its HCS, DLMS UA examples for information exchange (G. Kmethy)",
    ),
    pytest.param(
        "7EA00802232193BD647E",
        Frame(_SERVER_2, _PUBLIC, Control(FrameKind.SNRM)),
        id="SNRM, u9n/dlms-cosem tests/test_hdlc",
    ),
    pytest.param(
        "7EA01F21022373E6C781801205019A06019A070400000001080400000001CCA27E",
        Frame(
            _PUBLIC,
            _SERVER_2,
            Control(FrameKind.UA),
            bytes.fromhex("81801205019A06019A070400000001080400000001"),
        ),
        id="UA, u9n/dlms-cosem tests/test_hdlc",
    ),
    pytest.param(
        f"7EA0382102233034E7{_AARE_54}B86A7E",
        Frame(_PUBLIC, _SERVER_2, Control(FrameKind.I, receive=1), bytes.fromhex(_AARE_54)),
        id="AARE, u9n/dlms-cosem tests/test_hdlc",
    ),
    pytest.param(
        "7EA0230002FEFF0393E4B0818014050207D0060207D00704000000010804000000013AF27E",
        Frame(
            HdlcAddress(1, 0x3FFF, 4),
            _CLIENT_1,
            Control(FrameKind.SNRM),
            bytes.fromhex("818014050207D0060207D0070400000001080400000001"),
        ),
        id="SNRM to all stations, several head-ends' sources on GitHub",
    ),
]

SEGMENTS = (
    "7EA88C0300020023421CB9E6E700C401C10001010205020209060000600100FF0A08736E3030303030300205"
    "09060100628601FF1224D502020F001604020211001101090C07E10A19030D1813FF8000FF01010206020309"
    "060101020800FF060000000002020F03161E020309060101010800FF060000000002020F03161E0203090601"
    "01050800FF060096CC7E7EA88C0300020023442ADC00000002020F001620020309060101060800FF06000000"
    "0002020F001620020309060101070800FF060000000002020F001620020309060101080800FF060000000002"
    "020F00162001010201020509060101010801FF060000000002020F00161E0000010102020906000062853DFF"
    "0105020312000002020F00161B090C07E1EED87E7EA07A030002002356990D0A19FF0D1813FF8000FF020312"
    "000002020F00161B090C07E10A19FF0D1503FF8000FF020312000002020F00161B090C07C80106FF161E00FF"
    "8000FF020312000002020F00161B090C07C80106FF160F00FF8000FF020312000002020F00161B090C07C801"
    "06FF160000FF8000FF05B47E"
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame, control fields of unknown kind included."""

    def address() -> HdlcAddress:
        octets = draw(st.sampled_from(sorted(PART_LIMITS)))
        part = st.integers(0, PART_LIMITS[octets])
        return HdlcAddress(draw(part), 0 if octets == 1 else draw(part), octets)

    control = Control.from_int(draw(st.integers(0, 255)))
    information = draw(st.binary(max_size=200))
    return Frame(address(), address(), control, information, draw(st.booleans()))


@pytest.mark.parametrize(("octets", "frame"), PUBLISHED)
def test_published_frames_are_read_and_written(octets: str, frame: Frame) -> None:
    """Frames that other people published come out of us octet for octet, and are understood."""
    published = bytes.fromhex(octets)
    assert frame.to_bytes() == published
    assert decode_frame(published) == (frame, len(published) - 1)


def test_published_segments_of_a_meter() -> None:
    """Three frames of one answer in a row, published with meterkit/cosemlib's tests."""
    stream, start = bytes.fromhex(SEGMENTS), 0
    seen = []
    for _ in range(3):
        found = decode_frame(stream, start)
        assert not isinstance(found, Incomplete)
        frame, end = found
        start = end + 1
        seen.append((frame.control.send, frame.segmented, len(frame.information)))
    assert seen == [(1, True, 128), (2, True, 128), (3, False, 110)]
    assert start == len(stream)


@given(frames())
def test_decode_is_the_inverse_of_encode(frame: Frame) -> None:
    """Any frame is read back as it was written."""
    octets = frame.to_bytes()
    assert decode_frame(octets) == (frame, len(octets) - 1)


@given(frames())
def test_a_cut_frame_is_not_complete_yet(frame: Frame) -> None:
    """No beginning of a good frame is refuted, and what it waits for is never beyond its end."""
    octets = frame.to_bytes()
    for size in range(1, len(octets)):
        found = decode_frame(octets[:size])
        assert isinstance(found, Incomplete)
        assert size < found.needed <= len(octets)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 257, 1023, 1024, 2029, 2030])
@pytest.mark.parametrize("octets", [1, 2, 4])
def test_information_of_boundary_lengths(size: int, octets: int) -> None:
    """The eleven bits of length are written and read across octet boundaries."""
    server = HdlcAddress(1, 0 if octets == 1 else 17, octets)
    frame = Frame(server, CLIENT, Control(FrameKind.I), bytes(size))
    encoded = frame.to_bytes()
    assert (encoded[1] & 7) << 8 | encoded[2] == len(encoded) - 2
    assert decode_frame(encoded) == (frame, len(encoded) - 1)


def test_a_frame_of_2047_octets_is_the_longest() -> None:
    """One octet more does not fit the length."""
    room = 2047 - 2 - 2 - 1 - 1 - 2 - 2
    assert len(Frame(SERVER, CLIENT, Control(FrameKind.I), bytes(room)).to_bytes()) == 2049
    with pytest.raises(EncodeError):
        Frame(SERVER, CLIENT, Control(FrameKind.I), bytes(room + 1)).to_bytes()


@pytest.mark.parametrize("octet", range(256))
def test_every_control_field_is_read_and_written(octet: int) -> None:
    """All 256 octets survive, known or not."""
    assert Control.from_int(octet).to_int() == octet


@pytest.mark.parametrize(
    ("octet", "control"),
    [
        (0x93, Control(FrameKind.SNRM)),
        (0x73, Control(FrameKind.UA)),
        (0x53, Control(FrameKind.DISC)),
        (0x1F, Control(FrameKind.DM)),
        (0x97, Control(FrameKind.FRMR)),
        (0x13, Control(FrameKind.UI)),
        (0x03, Control(FrameKind.UI, poll=False)),
        (0x11, Control(FrameKind.RR)),
        (0xF1, Control(FrameKind.RR, receive=7)),
        (0x35, Control(FrameKind.RNR, receive=1)),
        (0x10, Control(FrameKind.I)),
        (0xFE, Control(FrameKind.I, send=7, receive=7)),
        (0x19, Control(FrameKind.UNKNOWN, octet=0x19)),
    ],
)
def test_known_control_fields(octet: int, control: Control) -> None:
    """The kinds as gurux-dlms and pydlms-client number them; REJ (0x19) is not of this profile."""
    assert Control.from_int(octet) == control


def test_an_unknown_control_field_needs_its_octet() -> None:
    """There is nothing to write otherwise."""
    with pytest.raises(EncodeError):
        Control(FrameKind.UNKNOWN).to_int()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("7E900A00020023219318717E", "format type"),
        ("7EA00600020023219318717E", "frame of 6"),
        ("7EA00B00020023219318717E", "header check"),
        ("7EA00C0002002321931871007E", "header check"),
        ("7EA00A00020023219318707E", "check sequence"),
        ("7EA00A000200232193187100", "no flag"),
        ("7EA00A02020323219318717E", "not 3"),
        ("7EA00A00020022229318717E", "four octets"),
    ],
)
def test_what_is_no_frame_is_refuted(octets: str, why: str) -> None:
    """Each check, failing alone."""
    with pytest.raises(DecodeError, match=why):
        decode_frame(bytes.fromhex(octets))


def test_a_false_header_does_not_wait_for_its_length() -> None:
    """A length that claims 2047 octets is refuted by the header check, at once."""
    claim = bytes.fromhex("7EA7FF022321100000")
    with pytest.raises(DecodeError, match="check sequence"):
        decode_frame(claim)
