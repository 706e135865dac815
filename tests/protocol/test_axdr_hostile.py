"""What a stranger can send: an error of one type, soon, and without eating the memory."""

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import axdr
from protocol.axdr import MAX_DEPTH, Data, Tag, decode, decode_prefix, encode
from protocol.errors import DecodeError, EncodeError
from tests.strategies import data


def nested(depth: int, tag: Tag = Tag.STRUCTURE) -> Data:
    """Return a null-data inside so many containers."""
    value = axdr.null()
    for _ in range(depth):
        value = Data(tag, (value,))
    return value


@pytest.mark.parametrize("tag", [Tag.ARRAY, Tag.STRUCTURE])
def test_nesting_is_bounded_both_ways(tag: Tag) -> None:
    """As deep as the bound is fine, one deeper is refused, by the encoder as well."""
    deepest = nested(MAX_DEPTH, tag)
    assert decode(encode(deepest)) == deepest
    with pytest.raises(EncodeError, match="nested deeper"):
        encode(nested(MAX_DEPTH + 1, tag))
    with pytest.raises(DecodeError, match="nested deeper"):
        decode(bytes((tag, 1)) * (MAX_DEPTH + 1) + b"\x00")


def test_a_compact_array_counts_as_a_level() -> None:
    """Its elements and the containers around it are one nest."""

    def around(levels: int, inside: int) -> Data:
        value = axdr.compact_array([nested(inside).value[0] if inside else axdr.unsigned(1)])
        for _ in range(levels):
            value = axdr.structure(value)
        return value

    fits = around(MAX_DEPTH - 1, 0)
    assert decode(encode(fits)) == fits
    with pytest.raises(EncodeError, match="nested deeper"):
        encode(around(MAX_DEPTH, 0))


HOSTILE = {
    "a nest of 6000 octets": b"\x02\x01" * 3000,
    "a nest of arrays": b"\x01\x01" * 3000,
    "a nest of compact arrays": b"\x13" * 6000,
    "a nest of described structures": b"\x13" + b"\x02\x01" * 3000,
    "a nest of described arrays": b"\x13" + b"\x01\x00\x01" * 2000,
    "an array of 4 G elements": b"\x01\x84\xff\xff\xff\xff",
    "a structure of 4 G elements": b"\x02\x84\xff\xff\xff\xff" + bytes(100),
    "4 G elements and 60000 there": b"\x01\x84\xff\xff\xff\xff" + bytes(60000),
    "4 G described members and 60000 there": b"\x13\x02\x84\xff\xff\xff\xff" + b"\x11" * 60000,
    "60000 in a compact array and one missing": b"\x13\x01\xea\x60\x11\x82\xea\x5f" + bytes(59999),
    "4 G octets": b"\x09\x84\xff\xff\xff\xff" + bytes(100),
    "4 G characters": b"\x0a\x84\xff\xff\xff\xff" + bytes(100),
    "4 G characters in UTF-8": b"\x0c\x84\xff\xff\xff\xff" + bytes(100),
    "4 G bits": b"\x04\x84\xff\xff\xff\xff" + bytes(100),
    "a described structure of 4 G members": b"\x13\x02\x84\xff\xff\xff\xff" + bytes(100),
    "65535 null-data in one octet": b"\x13\x02\x02\x01\xff\xff\x00\x11\x01\x05",
    "65535 to the power of 8 null-data": b"\x13\x02\x02"
    + b"\x01\xff\xff" * 8
    + b"\x00\x11\x01\x05",
    "65535 to the power of 8 octets": b"\x13" + b"\x01\xff\xff" * 8 + b"\x11\x01\x05",
    "elements without octets": b"\x13\x00\x05abcde",
    "empty structures": b"\x13\x02\x00\x05abcde",
    "arrays of nothing": b"\x13\x01\x00\x00\x11\x05abcde",
    "a compact array in a compact array": b"\x13\x13\x03\x11\x01\x05",
    "an array as a length": b"\x01\x80\x00\x00",
    "no such tag": b"\x07\x00\x00\x00\x00",
    "no such tag inside": b"\x02\x02\x00\x22",
    "no such tag described": b"\x13\x22\x01\x00",
    "half an element in a compact array": b"\x13\x12\x03\x00\x01\x02",
    "an element past the contents": b"\x13\x09\x02\x05\x41\x41\x41\x41\x41",
    "text that is no UTF-8": b"\x0c\x02\xc3\x28",
    "nothing": b"",
    "two values": b"\x00\x00",
}  # fmt: skip


@pytest.mark.parametrize("octets", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_octets_are_a_decode_error_and_cost_little(octets: bytes) -> None:
    """Whatever they claim to be, they get an error before they get memory."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(octets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 1024


SIZE = 0xFFFF
GREEDY = {
    "null-data": b"\x01\x82\xff\xf0" + bytes(0xFFF0),
    "unsigned": b"\x01\x82\x7f\xf0" + b"\x11\xc8" * 0x7FF0,
    "empty strings": b"\x01\x82\x7f\xf0" + b"\x09\x00" * 0x7FF0,
    "empty structures": b"\x01\x82\x7f\xf0" + b"\x02\x00" * 0x7FF0,
    "nests": b"\x01\x82\x07\xf0" + (b"\x02\x01" * 15 + b"\x11\xc8") * 0x7F0,
    "compact octets": b"\x13\x11\x82\xff\xf0" + b"\xc8" * 0xFFF0,
    "compact null-data": b"\x13\x02\x04\x00\x00\x11\x00\x82\x7f\xf0" + b"\xc8" * 0x7FF0,
    "compact nests": b"\x13\x02\x01\x02\x01\x02\x01\x11\x82\x7f\xf0" + b"\xc8" * 0x7FF0,
    "compact arrays": b"\x01\x82\x33\x00" + b"\x13\x11\x02\xc8\xc8" * 0x3300,
    "bits": b"\x04\x83\x07\xff\x00" + b"\xff" * 0xFFE0,
}


@pytest.mark.parametrize("octets", GREEDY.values(), ids=GREEDY.keys())
def test_a_whole_apdu_of_anything_costs_at_most_1_kib_an_octet(octets: bytes) -> None:
    """64 KiB is the largest APDU there is: no value of it may take more than 64 MiB."""
    assert len(octets) <= SIZE
    tracemalloc.start()
    try:
        with suppress(DecodeError):  # refusing it is fine as well: what counts is what it cost
            decode(octets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * len(octets)


@pytest.mark.parametrize("description", ["00", "FF", "0200", "01000011", "0202000100FF00"])
def test_elements_without_octets_cannot_fill_contents(description: str) -> None:
    """They are told from an array that is merely too rich in null-data."""
    with pytest.raises(DecodeError, match="elements have no octets"):
        decode(bytes.fromhex("13" + description + "0141"))
    assert decode(bytes.fromhex("13" + description + "00")).value.elements == ()


@given(data())
def test_a_value_cut_at_any_octet_is_a_decode_error(value: Data) -> None:
    """No beginning of a value is a value."""
    octets = encode(value)
    for end in range(len(octets)):
        with pytest.raises(DecodeError):
            decode(octets[:end])
        with pytest.raises(DecodeError):
            decode_prefix(octets[:end])


@given(data(), st.binary(min_size=1, max_size=4))
def test_octets_after_the_value_are_a_decode_error(value: Data, rest: bytes) -> None:
    """``decode`` takes a whole buffer."""
    with pytest.raises(DecodeError, match="too many"):
        decode(encode(value) + rest)


def attempt(octets: bytes) -> None:
    """Decode, and let nothing but a ``DecodeError`` be the alternative."""
    try:
        decode(octets)
    except DecodeError:
        return


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_octets_are_a_value_or_a_decode_error(octets: bytes) -> None:
    """Nothing else comes out of the decoder."""
    attempt(octets)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(sorted({*range(0x24), 0x80, 0x81, 0x82, 0xFF})), max_size=40))
def test_octets_that_look_like_tags_are_a_value_or_a_decode_error(octets: list[int]) -> None:
    """Random octets seldom nest; these do."""
    attempt(bytes(octets))
    attempt(b"\x13" + bytes(octets))


@given(data(), st.integers(0), st.integers(1, 255))
def test_a_value_with_one_octet_changed_is_a_value_or_a_decode_error(
    value: Data, position: int, flip: int
) -> None:
    """A line that garbles, or somebody who tries."""
    octets = bytearray(encode(value))
    octets[position % len(octets)] ^= flip
    attempt(bytes(octets))
