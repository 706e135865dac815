"""Explanations of APDUs: they cover every octet once and agree with the decoders."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import apdu, axdr
from protocol.axdr import Data, Tag
from protocol.errors import DecodeError, ProtocolError, ServiceNotSupported
from protocol.explain import Conversation, Node, explain
from protocol.explain.values import data as explain_data
from protocol.explain.walker import Walker
from tests import strategies
from tests.protocol.explain_tools import FAMILIES, apdus, covers, tells

MANY = settings(max_examples=60, deadline=None)


def explained(text: str, talk: Conversation | None = None) -> Node:
    """Return the explanation of hexadecimal octets, which has to cover them."""
    octets = bytes.fromhex(text)
    root = explain(octets, talk)
    assert covers(root, octets)
    return root


def meaning(root: Node, name: str) -> str:
    """Return what the first node of a name means."""
    node = root.find(name)
    assert node is not None, name
    return node.meaning


# --- every APDU that is encoded ----------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@settings(max_examples=40, deadline=None)
@given(picks=st.data())
def test_an_encoded_apdu_is_explained_as_it_is_decoded(
    family: st.SearchStrategy[Any], picks: st.DataObject
) -> None:
    """Every octet once and in order, no fault, and each value that the decoder reads is there."""
    made = picks.draw(family)
    octets = bytes(made.encode())
    root = explain(octets, form="apdu")
    assert covers(root, octets)
    # What a last block's octets are together is not the codec's to know: any will do here.
    assert [node.fault for node in root.walk() if node.fault] == []
    assert not tells(root, apdu.decode(octets))


@MANY
@given(octets=apdus(), place=st.integers(0, 10_000), octet=st.binary(max_size=2))
def test_what_the_decoder_refuses_has_a_fault(octets: bytes, place: int, octet: bytes) -> None:
    """APDUs with an octet changed, put in or taken out; and what it takes has none."""
    at = place % (len(octets) + 1)
    changed = octets[:at] + octet + octets[at + 1 :]
    root = explain(changed, form="apdu")
    assert covers(root, changed)
    if not changed or changed[0] in _LENIENT:
        return
    try:
        apdu.decode(changed)
    except ServiceNotSupported:
        return
    except DecodeError:
        assert root.faults()
    else:  # what blocks are together the decoder does not know
        assert [node.fault for node in root.walk() if node.fault] == []


@MANY
@given(octets=apdus(), kept=st.integers(0, 10_000))
def test_an_apdu_that_is_cut_off_has_a_fault_at_its_end(octets: bytes, kept: int) -> None:
    """Wherever it is cut off, but where an optional end is."""
    cut = octets[: kept % len(octets)]
    root = explain(cut, form="apdu")
    assert covers(root, cut)
    try:
        apdu.decode(cut)
    except ProtocolError:
        assert root.faults()


#: Of these the decoder does not look inside, or passes over fields that are explained here, or
#: reads forms that some meters have and nobody's book.
_LENIENT = (
    *apdu.PLAIN_BY_GLO, *apdu.PLAIN_BY_DED, apdu.ApduTag.GENERAL_GLO_CIPHERING,
    apdu.ApduTag.GENERAL_DED_CIPHERING, apdu.ApduTag.GENERAL_CIPHERING,
    apdu.ApduTag.GENERAL_SIGNING, apdu.ApduTag.GENERAL_BLOCK_TRANSFER,
    apdu.ApduTag.AARQ, apdu.ApduTag.AARE, apdu.ApduTag.RLRQ, apdu.ApduTag.RLRE,
    apdu.ApduTag.DATA_NOTIFICATION, apdu.ApduTag.DATA_NOTIFICATION_CONFIRM,
    apdu.ApduTag.INFORMATION_REPORT_REQUEST, apdu.ApduTag.READ_REQUEST,
    apdu.ApduTag.WRITE_REQUEST, apdu.ApduTag.UNCONFIRMED_WRITE_REQUEST,
)  # fmt: skip # a table


@MANY
@given(value=strategies.data())
def test_a_value_is_walked_as_it_is_decoded(value: Data) -> None:
    """The walk over A-XDR gives the same ``Data`` as the decoder."""
    octets = axdr.encode(value)
    walker = Walker(octets, Conversation())
    assert repr(explain_data(walker, "value")) == repr(axdr.decode(octets))
    assert covers(walker.root, octets)


@MANY
@given(octets=st.binary(max_size=40))
def test_a_value_is_refused_where_the_decoder_refuses_it(octets: bytes) -> None:
    """Octets that are no value have a fault, and such that are have none."""
    root = explain(octets, form="data")
    assert covers(root, octets)
    try:
        axdr.decode(octets)
    except DecodeError:
        assert root.faults()
    else:
        assert not root.faults()


# --- single facts ------------------------------------------------------------------------------


def test_a_get_request_names_class_object_and_attribute() -> None:
    """From the declarations and the catalogue."""
    root = explained("C001C100030100010800FF0200")
    assert meaning(root, "class-id") == "3 Register"
    assert meaning(root, "instance-id") == "1-0:1.8.0*255 active energy import"
    assert meaning(root, "attribute-id") == "2 value"
    assert meaning(root, "invoke-id-and-priority") == "1, confirmed, high priority"


def test_the_answer_is_typed_by_its_request() -> None:
    """The members of a structure have the names that the attribute's class declares."""
    talk = Conversation()
    explained("C001C100030100010800FF0300", talk)
    root = explained("C401C10002020F00161E", talk)
    assert [(n.name, n.type) for n in root.walk() if n.type] == [
        ("data", "structure"), ("scaler", "integer"), ("unit", "enum"),
    ]  # fmt: skip # a table


def test_an_aarq_names_its_object_identifiers_and_conformance() -> None:
    """Context, mechanism, authentication value and the InitiateRequest inside."""
    root = explained(
        "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738"
        "BE10040E01000000065F1F0400007E1F04B0"
    )
    names = [node.meaning for node in root.walk() if node.name == "name"]
    assert names == ["2.16.756.5.8.1.1 ln", "2.16.756.5.8.2.1 lls"]
    assert meaning(root, "value") == "'12345678'"
    assert "selective-access" in meaning(root, "services")
    assert meaning(root, "client-max-receive-pdu-size") == "1200 octets"


def test_a_conformance_block_with_its_tag_in_one_octet_is_understood() -> None:
    """As old clients write it, and as the codec takes it."""
    root = explained("01000000065F0400007E1F04B0")
    assert "selective-access" in meaning(root, "services")
    assert not root.faults()


def test_what_is_cut_short_is_understood_up_to_there() -> None:
    """The fault is at the octet where it shows; the array around it stands."""
    root = explain(bytes.fromhex("C401C1000102090600002A0000FF0600"))
    (fault,) = root.faults()
    assert (fault.fault_at, fault.octets) == (0x0F, b"\x06\x00")
    assert fault.fault == "cut short: 4 octets are announced here, 1 are left"
    assert meaning(root, "[1]") == "0-0:42.0.0*255 logical device name"


@pytest.mark.parametrize(
    ("octets", "at", "reason"),
    [
        ("", 0, "cut short: 1 octets are announced here, 0 are left"),
        ("FF", 0, "no APDU has the tag 255"),
        ("C009", 1, "type: choice 9 is none of 1, 2, 3"),
        ("C401C10042", 4, "there is no wire type 66"),
        ("C401C1000500000001FF", 9, "1 octets too many"),
        ("C401C101FB", 4, "DataAccessResult has no 251"),
        ("0E0106", 3, "cut short: 1 octets are announced here, 0 are left"),
        ("C401C10001FF", 5, "a length may not start with 0xFF"),
        ("C401C1000184FFFFFFFF", 10, "4294967295 elements are announced"),
    ],
)
def test_a_fault_has_its_place_and_reason(octets: str, at: int, reason: str) -> None:
    """One fault each."""
    (fault,) = explained(octets).faults()
    assert fault.fault_at == at
    assert fault.fault.startswith(reason)


def test_a_fault_in_a_field_of_an_aarq_spares_the_fields_behind_it() -> None:
    """The mechanism's identifier ends within an arc; the user-information is still read."""
    root = explained("6021A1090607608574050801018B028588BE10040E01000000065F1F0400007E1F04B0")
    (fault,) = root.faults()
    assert fault.fault == "an object identifier that ends within an arc"
    assert meaning(root, "proposed-dlms-version-number") == "6"


def test_values_nest_no_deeper_than_the_decoder_allows() -> None:
    """17 arrays in each other."""
    (fault,) = explain(b"\x01\x01" * 17 + b"\x00", form="data").faults()
    assert fault.fault == "nested deeper than 16"


# --- blocks ------------------------------------------------------------------------------------


def test_datablocks_are_put_together_at_the_last_one() -> None:
    """And the whole is typed by the request."""
    talk = Conversation()
    explained("C001C100080000010000FF0200", talk)
    value = "090C07EA0B18020C000004FFC400"
    explained(f"C402C100000000010008{value[:16]}", talk)
    root = explained(f"C402C101000000020006{value[16:]}", talk)
    last = next(each for each in root.walk() if each.inside is not None)
    assert last.inside is not None
    assert last.inside.octets.hex().upper() == value
    assert last.inside.how == "put together from 2 blocks"
    assert "2026-11-24 12:00:00.04+01:00" in meaning(root, "value")


def test_a_missing_datablock_leaves_the_pieces_alone() -> None:
    """Block 3 after block 1: nothing can be put together, and no octet is wrong."""
    talk = Conversation()
    explained("C402C1000000000100020906", talk)
    root = explained("C402C10100000003000101", talk)
    assert not root.faults()
    assert all(node.inside is None for node in root.walk())


def test_general_blocks_come_in_any_order_and_hold_an_apdu() -> None:
    """Each direction has blocks of its own."""
    talk = Conversation(direction="<")
    whole = "C401C1000600001391"
    explained(f"E0000002000004{whole[8:16]}", talk)
    talk.direction = ">"
    explained("E0800001000002C001", talk)
    talk.direction = "<"
    explained(f"E0000001000004{whole[:8]}", talk)
    root = explained(f"E0800003000001{whole[16:]}", talk)
    assert meaning(root, "data") == "5009"


def test_short_names_and_list_counts() -> None:
    """A WRITE with two variables and one value contradicts itself."""
    root = explained("060202FA0002FA08011105")
    (fault,) = root.faults()
    assert fault.fault.startswith("lists of different counts: 2 in")
    assert meaning(root, "variable-name") == "0xFA00"


def test_the_tag_enumeration_is_known_in_full() -> None:
    """Each APDU tag by name has an explanation of its own; only its content is missing."""
    for tag in apdu.ApduTag:
        faults = explain(bytes((tag,)), form="apdu").faults()
        assert all("no APDU has the tag" not in node.fault for node in faults), tag


def test_every_wire_type_is_named() -> None:
    """A value of each type shows the name that the books write."""
    for tag in set(Tag) - {Tag.COMPACT_ARRAY}:
        root = explain(bytes((tag,)) + bytes(12), form="data")
        assert root.parts[0].type == tag.type_name
