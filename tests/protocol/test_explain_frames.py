"""Explanations of HDLC frames, wrapper headers and IEC 62056-21 messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.explain import FORMS, MAX_OCTETS, Conversation, Node, explain, form_of
from protocol.explain.walker import MAX_INSIDE
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from tests.protocol.explain_tools import apdus, covers

SNRM = "7EA01E0321 93CD3B 818012 050180 060180 070400000001 080400000001 533B7E"
AARQ = "7EA02B032110FBAFE6E600601DA109060760857405080101BE10040E01000000065F1F0400401E5DFFFF91237E"


def explained(octets: bytes, talk: Conversation | None = None) -> Node:
    """Return an explanation, which has to cover its octets."""
    root = explain(octets, talk)
    assert covers(root, octets)
    return root


def rows(root: Node) -> dict[str, str]:
    """Return the meanings by name; of names that come again the last."""
    return {node.name: node.meaning for node in root.walk(inside=True)}


def frame(information: bytes, *, send: int = 0, segmented: bool = False) -> bytes:
    """Return an information frame from client 16 to server 1."""
    control = Control(FrameKind.I, True, send, 0)
    to, by = HdlcAddress(1), HdlcAddress(16)
    return Frame(to, by, control, information, segmented).to_bytes()


def test_an_snrm_states_its_parameters() -> None:
    """As published in the tests' notes of other people's clients."""
    told = rows(explained(bytes.fromhex(SNRM)))
    assert told["control"] == "SNRM set normal response mode, poll/final"
    assert (told["max-information-transmit"], told["window-receive"]) == ("128", "1")
    assert (told["HCS"], told["FCS"]) == ("right", "right")


def test_an_information_frame_holds_llc_and_apdu() -> None:
    """Down to the conformance block."""
    told = rows(explained(bytes.fromhex(AARQ)))
    assert told["control"] == "I information, N(S) 0, N(R) 0, poll/final"
    assert told["LLC header"] == "from a client"
    assert (told["destination-address"], told["source-address"]) == ("1", "16")
    assert told["client-max-receive-pdu-size"] == "65535 octets"


@pytest.mark.parametrize(("at", "name", "due"), [(6, "HCS", "FB AF"), (-2, "FCS", "91 23")])
def test_a_wrong_check_sequence_is_shown_with_what_it_should_be(
    at: int, name: str, due: str
) -> None:
    """And the frame is explained all the same."""
    octets = bytearray.fromhex(AARQ)
    octets[at] ^= 1
    root = explained(bytes(octets))
    faults = [node for node in root.faults() if node.name == name]
    assert [node.fault for node in faults] == [f"{name} should be {due}"]
    assert "AARQ" in rows(root)


def test_frames_in_a_row_may_share_a_flag() -> None:
    """Two frames with one flag between them, and two with two."""
    one = bytes.fromhex("7EA0070321930F017E")
    for octets in (one + one[1:], one + one):
        root = explained(octets)
        assert not root.faults()
        assert [node.name for node in root.walk()].count("HDLC frame") == 2


def test_garbage_before_and_between_frames_is_passed_over() -> None:
    """It is the only fault."""
    one = bytes.fromhex("7EA0070321930F017E")
    root = explain(b"\x01\x02" + one + b"\x55\xaa" + one, form="hdlc")
    assert [node.octets for node in root.faults()] == [b"\x01\x02", b"\x55\xaa"]
    assert [node.name for node in root.walk()].count("FCS") == 2


def test_a_length_that_leads_nowhere_ends_at_the_next_flag() -> None:
    """The frame behind it is explained."""
    broken = bytes.fromhex("7EA0FF0321930F01")
    root = explained(broken + bytes.fromhex("7EA0070321930F017E"))
    assert any("255 octets are announced" in node.fault for node in root.faults())
    assert rows(root)["FCS"] == "right"


def test_segments_are_put_together_at_the_last_one() -> None:
    """Across messages of one conversation, a repeated one counted once."""
    talk = Conversation()
    whole = bytes.fromhex("E6E700C401C1000600001391")
    first = frame(whole[:5], segmented=True)
    assert "segment" in rows(explained(first, talk))
    assert "repeated" in rows(explained(first, talk))["segment"]
    told = rows(explained(frame(whole[5:], send=1), talk))
    assert told["data"] == "5009"


def test_a_frame_reject_says_why() -> None:
    """The control field that was rejected, the numbers, and W, X, Y and Z."""
    control = Control(FrameKind.FRMR, True)
    octets = Frame(HdlcAddress(16), HdlcAddress(1), control, b"\x10\x22\x0c").to_bytes()
    told = rows(explained(octets))
    assert told["state-variables"] == "V(R) 1, V(S) 1"
    assert told["reasons"] == "y information too long, z invalid receive number"


def test_wrapper_frames_follow_each_other() -> None:
    """Ports, length and APDU; a length beyond the end is a fault, with what is there explained."""
    one = bytes.fromhex("000100100001000DC001C100080000010000FF0200")
    root = explained(one + one)
    assert not root.faults()
    assert rows(root)["wrapper"] == "16 to 1"
    (fault,) = explained(one[:7] + b"\x20" + one[8:]).faults()
    assert fault.fault == "cut short: 19 octets are missing"


READOUT = b"\x02" + b"1-0:1.8.0(0123.4*kWh)\r\n0.0.0(12345678)\r\n!\r\n\x03"


def test_a_readout_is_explained_data_set_by_data_set() -> None:
    """With the check character, right and wrong; and with parity bits as without."""
    check = 0
    for octet in READOUT[1:]:
        check ^= octet
    good = READOUT + bytes((check,))
    sets = [node.value for node in explained(good).walk() if node.name == "data-set"]
    assert sets == ["1-0:1.8.0(0123.4*kWh)", "0.0.0(12345678)"]
    assert not explained(good).faults()
    (fault,) = explained(READOUT + bytes((check ^ 1,))).faults()
    assert fault.fault == f"BCC should be {check:02X}"
    parity = bytes(octet | (octet.bit_count() & 1) << 7 for octet in good)
    assert [node.meaning for node in explained(parity).walk() if node.name == "BCC"] == ["right"]


def test_a_sign_on_is_explained() -> None:
    """Request, identification and option select in a row."""
    told = rows(explained(b"/?12345678!\r\n/ABC5meter\r\n\x06252\r\n"))
    assert told["device-address"] == "'12345678'"
    assert told["manufacturer"] == "'ABC'"
    assert told["identification"] == "'meter'"
    assert told["protocol-control"] == "'2', HDLC"
    assert told["baud-rate"] == "'5', 9600 baud"
    assert told["mode-control"] == "'2', binary, mode E"


def test_a_programming_command_is_explained() -> None:
    """P1 with its operand."""
    told = rows(explained(b"\x01P1\x02(00000000)\x03a"))
    assert told["command"] == "'P1', password"
    assert told["BCC"] == "right"


@pytest.mark.parametrize(
    ("octets", "form"),
    [
        ("7EA0", "hdlc"),
        ("00010010", "wrapper"),
        ("E6E600C0", "llc"),
        ("2F3F210D0A", "iec21"),
        ("063030300D0A", "iec21"),
        ("0602", "apdu"),
        ("0601020000", "apdu"),
        ("C001", "apdu"),
        ("", "apdu"),
    ],
)
def test_octets_are_taken_for_what_they_begin_as(octets: str, form: str) -> None:
    """ACK and the tag of WriteRequest are one octet; what follows tells them apart."""
    assert form_of(bytes.fromhex(octets)) == form


# --- anything ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, deadline=None)
@given(octets=st.binary(max_size=80))
def test_arbitrary_octets_are_covered_whatever_they_are_taken_for(form: str, octets: bytes) -> None:
    """Nothing is raised, every octet is there once, and the rows are bounded."""
    root = explain(octets, form=form)
    assert covers(root, octets)
    assert sum(1 for _ in root.walk(inside=True)) <= 40 * (len(octets) + 2)


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(apdus(), max_size=3), place=st.integers(0, 10_000), octet=st.binary(max_size=1)
)
def test_a_line_with_a_changed_octet_is_covered(
    pieces: list[bytes], place: int, octet: bytes
) -> None:
    """Frames of APDUs in a row, one octet changed or lost."""
    octets = b"".join(frame(b"\xe6\xe6\x00" + piece) for piece in pieces)
    at = place % (len(octets) + 1)
    assert covers(explain(octets, form="hdlc"), octets)
    changed = octets[:at] + octet + octets[at + 1 :]
    assert covers(explain(changed, form="hdlc"), changed)


def test_apdus_in_apdus_nest_to_a_bound() -> None:
    """General blocks in general blocks: the innermost is not looked into."""
    octets = bytes.fromhex("D80101")
    for _ in range(MAX_INSIDE + 1):
        octets = bytes.fromhex("E08000010000") + bytes((len(octets),)) + octets
    (fault,) = explained(octets).faults()
    assert fault.fault == f"nested deeper than {MAX_INSIDE}: not explained further"


def test_signed_apdus_in_each_other_end_without_recursion_error() -> None:
    """Signing nests in place, so its bound is that of the nodes."""
    octets = bytes.fromhex("D80101")
    for _ in range(200):
        length = len(octets).to_bytes(2, "big")
        octets = bytes.fromhex("DF0000000000") + b"\x82" + length + octets + b"\x00"
    root = explained(octets)
    assert any("nested too deep" in node.fault for node in root.faults())


def test_more_octets_than_the_bound_are_refused() -> None:
    """A named error, before any work."""
    with pytest.raises(LocalProtocolError):
        explain(bytes(MAX_OCTETS + 1))


def test_an_unknown_form_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(LocalProtocolError, match="hdlc, wrapper"):
        explain(b"", form="pigeon")
