"""Compact data (class 62): one value of a template's type, its tags apart from its octets."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.axdr import (
    MAX_DEPTH,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    compact_array,
    decode_by_template,
    decode_template,
    double_long_unsigned,
    encode,
    structure,
    unsigned,
)
from protocol.cosem.compact_data import decode_buffer
from protocol.errors import DecodeError
from tests.strategies import described, type_descriptions

#: The logbook example of the book's edition 13 as ``pydlms-client`` quotes it: template id, and an
#: array of time and event that has its count in the buffer.
LOGBOOK = bytes.fromhex("02 02 11 01 02 02 06 11")
ENTRIES = bytes.fromhex("07 02 00000001 02 00000003 04")
#: The same as Gurux.DLMS.Net writes it: the count in the template.
COUNTED = bytes.fromhex("02 02 11 01 0002 02 02 06 11")
VALUES = (
    unsigned(7),
    array(
        structure(double_long_unsigned(1), unsigned(2)),
        structure(double_long_unsigned(3), unsigned(4)),
    ),
)


def test_the_count_of_an_array_is_in_the_buffer_or_in_the_template() -> None:
    """Both forms of the logbook are the same values."""
    assert decode_buffer(LOGBOOK, ENTRIES) == VALUES
    assert decode_buffer(COUNTED, ENTRIES[:1] + ENTRIES[2:]) == VALUES


def test_nothing_captured_are_no_values() -> None:
    """The buffer is empty, and its template is looked at all the same."""
    assert decode_buffer(LOGBOOK, b"") == ()
    with pytest.raises(DecodeError):
        decode_buffer(b"\x11", b"")


@given(type_descriptions().flatmap(lambda one: st.tuples(st.just(one), described(one))))
def test_what_a_compact_array_holds_one_template_and_buffer_hold(
    case: tuple[TypeDescription, Data],
) -> None:
    """The octets of a compact array of one element are the template, a length, and the buffer."""
    description, value = case
    wrapped = structure(value)
    outer = TypeDescription(Tag.STRUCTURE, (description,))
    whole = encode(compact_array([wrapped]))
    empty = encode(Data(Tag.COMPACT_ARRAY, CompactArray(outer, ())))
    template = empty[1:-1]
    contents = whole[-_length(whole, template) :] if whole != empty else b""
    assert decode_by_template(contents, outer) == wrapped


def _length(whole: bytes, template: bytes) -> int:
    """Octets of the contents: what is left behind the template and the length."""
    rest = len(whole) - 1 - len(template)
    return rest - (1 if rest <= 0x80 else 2 if rest <= 0x101 else 3)


FALSE = [
    ("", "", "no template"),
    ("11", "07", "no structure"),
    ("020211", "07", "a template cut short"),
    ("02011100", "07", "octets behind a template"),
    ("020113", "00", "a compact array inside"),
    ("02010E", "00", "an unknown tag"),
    ("020106", "000001", "a buffer cut short"),
    ("020106", "0000000102", "octets behind the buffer"),
    ("02010111", "0501", "fewer elements than announced"),
    ("02010111", "84FFFFFFFF", "four thousand million elements"),
    ("02010100", "84FFFFFFFF", "as many without octets"),
    ("020101FFFF01FFFF01FFFF00", "00", "as many by the template's own counts"),
]


@pytest.mark.parametrize(("template", "buffer", "why"), FALSE, ids=[why for *_, why in FALSE])
def test_what_is_not_compact_data_is_an_error(template: str, buffer: str, why: str) -> None:
    """Before anything is allocated for it."""
    with pytest.raises(DecodeError):
        decode_buffer(bytes.fromhex(template), bytes.fromhex(buffer))


def test_arrays_of_one_element_may_nest_as_deep_as_anything() -> None:
    """What costs an octet is not too much, however many arrays it is in."""
    depth = MAX_DEPTH - 2
    template = bytes.fromhex("0201") + b"\x01" * depth + b"\x11"
    found = decode_buffer(template, b"\x01" * depth + b"\x09")[0]
    for _ in range(depth):
        assert found.tag is Tag.ARRAY
        (found,) = found.value
    assert found == unsigned(9)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 6000])
def test_a_template_may_not_nest_deeper(depth: int) -> None:
    """Nor end in a RecursionError."""
    with pytest.raises(DecodeError):
        decode_template(b"\x01" * depth + b"\x11")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_octets_are_values_or_an_error(template: bytes, buffer: bytes) -> None:
    """Nothing else comes out."""
    with suppress(DecodeError):
        decode_buffer(b"\x02" + template, buffer)
