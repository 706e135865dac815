"""COSEM values with their types, and short ways to make them."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from protocol.errors import EncodeError


class Tag(IntEnum):
    """The tag of a wire type."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    COMPACT_ARRAY = 19
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INTEGER = 28
    DELTA_LONG = 29
    DELTA_DOUBLE_LONG = 30
    DELTA_UNSIGNED = 31
    DELTA_LONG_UNSIGNED = 32
    DELTA_DOUBLE_LONG_UNSIGNED = 33
    DONT_CARE = 255

    @property
    def type_name(self) -> str:
        """The type's name as the books write it, e.g. "double-long-unsigned"."""
        return "null-data" if self is Tag.NULL else self.name.lower().replace("_", "-")


class Data(NamedTuple):
    """One COSEM value with its type. Whether the value fits is checked when it is encoded."""

    tag: Tag
    value: Any


class TypeDescription(NamedTuple):
    """The type of a compact array's elements.

    Args:
        tag: any type but a compact array.
        members: of a structure the types of its members; of an array the one type it holds.
        length: of an array how many elements it has, 0..65535.
    """

    tag: Tag
    members: tuple["TypeDescription", ...] = ()
    length: int = 0


class CompactArray(NamedTuple):
    """The value of a compact array.

    Args:
        description: the type of each element.
        elements: as they would stand in an array, each with its tag.
    """

    description: TypeDescription
    elements: tuple[Data, ...]


def null() -> Data:
    """Return null-data."""
    return Data(Tag.NULL, None)


def boolean(value: bool) -> Data:
    """Return a boolean."""
    return Data(Tag.BOOLEAN, value)


def integer(value: int) -> Data:
    """Return an integer, 8 bits signed."""
    return Data(Tag.INTEGER, value)


def unsigned(value: int) -> Data:
    """Return an unsigned, 8 bits."""
    return Data(Tag.UNSIGNED, value)


def long_(value: int) -> Data:
    """Return a long, 16 bits signed."""
    return Data(Tag.LONG, value)


def long_unsigned(value: int) -> Data:
    """Return a long-unsigned, 16 bits."""
    return Data(Tag.LONG_UNSIGNED, value)


def double_long(value: int) -> Data:
    """Return a double-long, 32 bits signed."""
    return Data(Tag.DOUBLE_LONG, value)


def double_long_unsigned(value: int) -> Data:
    """Return a double-long-unsigned, 32 bits."""
    return Data(Tag.DOUBLE_LONG_UNSIGNED, value)


def enum(value: int) -> Data:
    """Return an enum, 8 bits."""
    return Data(Tag.ENUM, value)


def octet_string(value: bytes) -> Data:
    """Return an octet-string."""
    return Data(Tag.OCTET_STRING, value)


def visible_string(value: str) -> Data:
    """Return a visible-string."""
    return Data(Tag.VISIBLE_STRING, value)


def utf8_string(value: str) -> Data:
    """Return a utf8-string."""
    return Data(Tag.UTF8_STRING, value)


def bit_string(bits: str) -> Data:
    """Return a bit-string, e.g. of "10100000"; the first character is bit 0."""
    return Data(Tag.BIT_STRING, bits)


def structure(*members: Data) -> Data:
    """Return a structure."""
    return Data(Tag.STRUCTURE, members)


def array(*elements: Data) -> Data:
    """Return an array."""
    return Data(Tag.ARRAY, elements)


def describe(data: Data) -> TypeDescription:
    """Return the description of the type of ``data``, for a compact array of such elements.

    Raises:
        EncodeError: it holds an array of no elements or of mixed types.
    """
    if data.tag == Tag.STRUCTURE:
        return TypeDescription(data.tag, tuple(describe(member) for member in data.value))
    if data.tag == Tag.ARRAY:
        kinds = {describe(element) for element in data.value}
        if len(kinds) != 1:
            raise EncodeError("an array of no elements or of mixed types cannot be described")
        return TypeDescription(data.tag, tuple(kinds), len(data.value))
    return TypeDescription(data.tag)


def compact_array(elements: Sequence[Data]) -> Data:
    """Return a compact array of ``elements``, at least one, all of the type of the first.

    Raises:
        EncodeError: there is none, or the type of the first cannot be described.
    """
    if not elements:
        raise EncodeError("no element to take the compact array's type from")
    return Data(Tag.COMPACT_ARRAY, CompactArray(describe(elements[0]), tuple(elements)))
