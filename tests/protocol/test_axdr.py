"""A-XDR: every wire type there and back, and its octets pinned."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import axdr
from protocol.axdr import WIRE_TYPES, CompactArray, Data, Tag, TypeDescription, decode, encode
from protocol.errors import EncodeError
from tests.strategies import PLAIN_VALUES, compact_arrays, data, plain_data

PINNED: list[tuple[Data, str]] = [
    (axdr.null(), "00"),
    (axdr.array(), "0100"),
    (axdr.array(axdr.unsigned(1), axdr.unsigned(2)), "010211011102"),
    (axdr.structure(), "0200"),
    (axdr.structure(axdr.null(), axdr.enum(3)), "0202001603"),
    (axdr.boolean(False), "0300"),
    (axdr.boolean(True), "0301"),
    (axdr.bit_string(""), "0400"),
    (axdr.bit_string("1"), "040180"),
    (axdr.bit_string("10100000"), "0408A0"),
    (axdr.bit_string("000000001"), "04090080"),
    (axdr.double_long(-1), "05FFFFFFFF"),
    (axdr.double_long(-(1 << 31)), "0580000000"),
    (axdr.double_long_unsigned((1 << 32) - 1), "06FFFFFFFF"),
    (axdr.octet_string(b""), "0900"),
    (axdr.octet_string(b"\x01\x00\x01\x08\x00\xff"), "09060100010800FF"),
    (axdr.visible_string("kWh"), "0A036B5768"),
    (axdr.visible_string("\xff"), "0A01FF"),
    (axdr.utf8_string("€"), "0C03E282AC"),
    (Data(Tag.BCD, 0x42), "0D42"),
    (axdr.integer(-128), "0F80"),
    (axdr.long_(-2), "10FFFE"),
    (axdr.unsigned(255), "11FF"),
    (axdr.long_unsigned(0x1234), "121234"),
    (Data(Tag.LONG64, -(1 << 63)), "148000000000000000"),
    (Data(Tag.LONG64_UNSIGNED, (1 << 64) - 1), "15FFFFFFFFFFFFFFFF"),
    (axdr.enum(30), "161E"),
    (Data(Tag.FLOAT32, 1.5), "173FC00000"),
    (Data(Tag.FLOAT64, -2.0), "18C000000000000000"),
    (Data(Tag.DATE_TIME, bytes(range(12))), "19000102030405060708090A0B"),
    (Data(Tag.DATE, bytes(range(5))), "1A0001020304"),
    (Data(Tag.TIME, bytes(range(4))), "1B00010203"),
    (Data(Tag.DELTA_INTEGER, -1), "1CFF"),
    (Data(Tag.DELTA_LONG, -1), "1DFFFF"),
    (Data(Tag.DELTA_DOUBLE_LONG, -1), "1EFFFFFFFF"),
    (Data(Tag.DELTA_UNSIGNED, 1), "1F01"),
    (Data(Tag.DELTA_LONG_UNSIGNED, 1), "200001"),
    (Data(Tag.DELTA_DOUBLE_LONG_UNSIGNED, 1), "2100000001"),
    (Data(Tag.DONT_CARE, None), "FF"),
    # compact arrays: of longs; of structures; of structures with an array of two inside
    (axdr.compact_array([axdr.long_(1), axdr.long_(-1)]), "131004" "0001FFFF"),
    (
        axdr.compact_array([axdr.structure(axdr.unsigned(7), axdr.octet_string(b"ab"))] * 2),
        "1302021109" "08" "07026162" "07026162",
    ),
    (
        axdr.compact_array([axdr.structure(axdr.array(axdr.enum(1), axdr.enum(2)), axdr.null())]),
        "13" "0202" "01000216" "00" "02" "0102",
    ),
    (Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.LONG), ())), "131000"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "octets"), PINNED, ids=[octets for _, octets in PINNED])
def test_octets_are_pinned(value: Data, octets: str) -> None:
    """Each type has these octets on the wire, and they are read as this value."""
    assert encode(value).hex().upper() == octets
    assert decode(bytes.fromhex(octets)) == value


def test_every_tag_has_one_row_and_is_pinned() -> None:
    """The table is complete, and so is this test."""
    assert sorted(row.tag for row in WIRE_TYPES) == sorted(Tag)
    assert {value.tag for value, _ in PINNED} == set(Tag)
    assert PLAIN_VALUES.keys() | {Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY} == set(Tag)


@pytest.mark.parametrize("tag", sorted(PLAIN_VALUES))
@given(st.data())
def test_every_plain_type_goes_there_and_back(tag: Tag, source: st.DataObject) -> None:
    """Nothing is lost, and the tag comes back as a ``Tag``."""
    value = source.draw(plain_data(tag))
    read = decode(encode(value))
    assert read == value
    assert type(read.tag) is Tag
    assert type(read.value) is type(value.value)


@given(data())
def test_nested_values_go_there_and_back(value: Data) -> None:
    """Arrays and structures of whatever there is."""
    assert decode(encode(value)) == value


@given(compact_arrays())
def test_compact_arrays_go_there_and_back(value: Data) -> None:
    """Their elements come back with tags, their description as it was."""
    assert decode(encode(value)) == value


@given(data(), st.binary(max_size=8), st.binary(max_size=8))
def test_a_value_is_read_from_the_middle_of_octets(value: Data, head: bytes, tail: bytes) -> None:
    """``decode_prefix`` says where the value ends and ignores what follows."""
    octets = head + encode(value) + tail
    assert axdr.decode_prefix(octets, len(head)) == (value, len(octets) - len(tail))


@given(data())
def test_values_are_hashable(value: Data) -> None:
    """Equal values are one key."""
    assert {value: 1}[decode(encode(value))] == 1


def test_not_a_number_goes_there_and_back() -> None:
    """NaN equals nothing, so it is not among the examples above."""
    for tag in (Tag.FLOAT32, Tag.FLOAT64):
        assert math.isnan(decode(encode(Data(tag, math.nan))).value)


@pytest.mark.parametrize("octet", [0x01, 0x02, 0x80, 0xFF])
def test_any_octet_but_zero_is_true(octet: int) -> None:
    """Public implementations write 1, as we do; some meters write 0xFF."""
    assert decode(bytes((Tag.BOOLEAN, octet))) == axdr.boolean(True)


def test_unused_bits_of_a_bit_string_do_not_matter() -> None:
    """What stands after the last bit is padding."""
    assert decode(bytes.fromhex("0403BF")) == axdr.bit_string("101")


def test_a_description_is_taken_from_a_value() -> None:
    """A compact array's type is that of its first element."""
    value = axdr.structure(axdr.array(axdr.long_(1), axdr.long_(2)), axdr.null())
    inner = TypeDescription(Tag.ARRAY, (TypeDescription(Tag.LONG),), 2)
    assert axdr.describe(value) == TypeDescription(
        Tag.STRUCTURE, (inner, TypeDescription(Tag.NULL))
    )


RANGES = {
    Tag.INTEGER: (-(1 << 7), (1 << 7) - 1),
    Tag.UNSIGNED: (0, (1 << 8) - 1),
    Tag.ENUM: (0, (1 << 8) - 1),
    Tag.BCD: (0, (1 << 8) - 1),
    Tag.LONG: (-(1 << 15), (1 << 15) - 1),
    Tag.LONG_UNSIGNED: (0, (1 << 16) - 1),
    Tag.DOUBLE_LONG: (-(1 << 31), (1 << 31) - 1),
    Tag.DOUBLE_LONG_UNSIGNED: (0, (1 << 32) - 1),
    Tag.LONG64: (-(1 << 63), (1 << 63) - 1),
    Tag.LONG64_UNSIGNED: (0, (1 << 64) - 1),
}


@pytest.mark.parametrize("tag", RANGES, ids=lambda tag: tag.name)
def test_integers_are_taken_to_the_ends_of_their_range_and_no_further(tag: Tag) -> None:
    """One more on either side is an error, not another number."""
    least, most = RANGES[tag]
    for inside in (least, most):
        assert decode(encode(Data(tag, inside))).value == inside
    for outside in (least - 1, most + 1):
        with pytest.raises(EncodeError, match=tag.type_name):
            encode(Data(tag, outside))


MISFITS: list[Data] = [
    Data(Tag.NULL, 0),
    Data(Tag.DONT_CARE, b""),
    Data(Tag.ARRAY, None),
    Data(Tag.ARRAY, [axdr.null()]),
    Data(Tag.ARRAY, axdr.unsigned(5)),
    Data(Tag.STRUCTURE, (1,)),
    Data(Tag.STRUCTURE, ((Tag.UNSIGNED, 5),)),
    Data(Tag.BOOLEAN, 1),
    Data(Tag.BIT_STRING, "012"),
    Data(Tag.BIT_STRING, "1_0"),
    Data(Tag.BIT_STRING, 5),
    Data(Tag.UNSIGNED, "5"),
    Data(Tag.UNSIGNED, 5.0),
    Data(Tag.UNSIGNED, None),
    Data(Tag.OCTET_STRING, "text"),
    Data(Tag.OCTET_STRING, 5),
    Data(Tag.VISIBLE_STRING, b"octets"),
    Data(Tag.VISIBLE_STRING, "€"),
    Data(Tag.UTF8_STRING, "\ud800"),
    Data(Tag.FLOAT32, 1e300),
    Data(Tag.FLOAT64, "1"),
    Data(Tag.DATE_TIME, bytes(11)),
    Data(Tag.DATE, bytes(6)),
    Data(Tag.TIME, "0000"),
    Data(Tag.COMPACT_ARRAY, ()),
    Data(7, 0),  # type: ignore[arg-type] # no such tag: what a careless caller might pass
    Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.LONG), (axdr.unsigned(1),))),
    Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.LONG), (1,))),  # type: ignore[arg-type] # as above
    Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.COMPACT_ARRAY), ())),
    Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.ARRAY), ())),
    Data(
        Tag.COMPACT_ARRAY,
        CompactArray(
            TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.LONG),)), (axdr.structure(),)
        ),
    ),
    Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.NULL), (axdr.null(),) * 100)),
]  # fmt: skip


@pytest.mark.parametrize("value", MISFITS, ids=str)
def test_a_value_that_does_not_fit_its_type_is_an_encode_error(value: Data) -> None:
    """Nothing that a caller can put into ``Data`` gives another exception."""
    with pytest.raises(EncodeError):
        encode(value)


@pytest.mark.parametrize(
    "elements",
    [[], [axdr.array()], [axdr.array(axdr.unsigned(1), axdr.long_(1))]],
    ids=["no element", "an empty array", "mixed types"],
)
def test_a_type_that_cannot_be_told_is_an_encode_error(elements: list[Data]) -> None:
    """Then the description has to be given."""
    with pytest.raises(EncodeError):
        axdr.compact_array(elements)


def test_what_is_no_data_is_an_encode_error() -> None:
    """A plain value has no type."""
    with pytest.raises(EncodeError, match="int is no COSEM data"):
        encode(5)  # type: ignore[arg-type] # what an unchecked caller might pass
