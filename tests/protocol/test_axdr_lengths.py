"""Lengths and counts at the edges of their forms: random values seldom come near them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import axdr
from protocol.axdr import Data, Tag, decode, decode_length, encode, encode_length
from protocol.errors import DecodeError, EncodeError

LENGTHS = {
    0: "00",
    1: "01",
    127: "7F",
    128: "8180",
    255: "81FF",
    256: "820100",
    65535: "82FFFF",
    65536: "83010000",
}
OTHER_LENGTHS = {0xFF_FFFF: "83FFFFFF", 0x100_0000: "8401000000", 0xFFFF_FFFF: "84FFFFFFFF"}

MAKERS: dict[str, tuple[Tag, Callable[[int], Data], Callable[[int], int]]] = {
    "octet-string": (Tag.OCTET_STRING, lambda n: axdr.octet_string(b"\xa5" * n), lambda n: n),
    "visible-string": (Tag.VISIBLE_STRING, lambda n: axdr.visible_string("v" * n), lambda n: n),
    "utf8-string": (Tag.UTF8_STRING, lambda n: axdr.utf8_string("u" * n), lambda n: n),
    "bit-string": (Tag.BIT_STRING, lambda n: axdr.bit_string("1" * n), lambda n: (n + 7) // 8),
    "array": (Tag.ARRAY, lambda n: axdr.array(*[axdr.null()] * n), lambda n: n),
    "structure": (Tag.STRUCTURE, lambda n: axdr.structure(*[axdr.null()] * n), lambda n: n),
}


@pytest.mark.parametrize(("length", "octets"), [*LENGTHS.items(), *OTHER_LENGTHS.items()])
def test_a_length_is_written_in_its_shortest_form(length: int, octets: str) -> None:
    """And read back, with the offset after it."""
    written = bytes.fromhex(octets)
    assert encode_length(length) == written
    assert decode_length(b"\x00" + written + b"\x00", 1) == (length, 1 + len(written))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", MAKERS)
def test_every_type_with_a_length_is_pinned_at_its_edges(kind: str, length: int) -> None:
    """Tag, length, body: no octet more or less, and the same value back."""
    tag, make, body_size = MAKERS[kind]
    value = make(length)
    octets = encode(value)
    head = bytes((tag,)) + bytes.fromhex(LENGTHS[length])
    assert octets.startswith(head)
    assert len(octets) == len(head) + body_size(length)
    assert decode(octets) == value


@pytest.mark.parametrize("length", LENGTHS)
def test_a_compact_array_is_pinned_at_the_edges_of_its_contents(length: int) -> None:
    """Its length counts octets of contents: here one for each element."""
    value = Data(
        Tag.COMPACT_ARRAY,
        axdr.CompactArray(axdr.TypeDescription(Tag.UNSIGNED), (axdr.unsigned(5),) * length),
    )
    octets = encode(value)
    assert octets == b"\x13\x11" + bytes.fromhex(LENGTHS[length]) + b"\x05" * length
    assert decode(octets) == value


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 15, 16, 17])
def test_bits_fill_octets_from_the_most_significant(bits: int) -> None:
    """At the edges of octets too."""
    octets = encode(axdr.bit_string("0" * (bits - 1) + "1"))
    assert int.from_bytes(octets[2:], "big") == 1 << (-bits % 8)
    assert decode(octets) == axdr.bit_string("0" * (bits - 1) + "1")


@given(st.integers(0, 0xFFFF_FFFF))
def test_lengths_go_there_and_back(length: int) -> None:
    """Over the whole range."""
    octets = encode_length(length)
    assert decode_length(octets, 0) == (length, len(octets))


@pytest.mark.parametrize("length", ["03", "8103", "820003", "83000003", "8400000003"])
def test_a_length_need_not_be_in_its_shortest_form(length: str) -> None:
    """Other makers write leading zeros."""
    octets = bytes.fromhex("09" + length + "414243")
    assert decode(octets) == axdr.octet_string(b"ABC")


@pytest.mark.parametrize("first", [0x80, 0x85, 0x88, 0xFF])
def test_indefinite_and_overlong_lengths_are_refused(first: int) -> None:
    """A-XDR has no indefinite form, and no length needs more than four octets."""
    with pytest.raises(DecodeError, match=f"0x{first:02X}"):
        decode_length(bytes((first,)) + bytes(200), 0)


@pytest.mark.parametrize("octets", ["", "81", "82FF", "84FFFFFF"])
def test_a_length_that_is_cut_short_is_refused(octets: str) -> None:
    """It has fewer octets than its first one says."""
    with pytest.raises(DecodeError, match="goes on"):
        decode_length(bytes.fromhex(octets), 0)


@pytest.mark.parametrize("length", [-1, 1 << 32])
def test_what_is_no_length_is_an_encode_error(length: int) -> None:
    """Below zero or above 32 bits."""
    with pytest.raises(EncodeError):
        encode_length(length)
