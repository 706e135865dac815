"""A-XDR: the COSEM ``Data`` type as octets, a tag and a body.

``WIRE_TYPES`` has one row a wire type, and encoding and decoding both read it. The Python value
of each type:

| wire type | Python value |
|---|---|
| null-data, dont-care | None |
| array, structure | tuple of ``Data`` |
| boolean | bool |
| bit-string | str of "0" and "1"; the first is bit 0, the most significant of the first octet |
| integers, enum, bcd (one octet), delta types | int |
| octet-string | bytes |
| visible-string, utf8-string | str; visible-string as Latin-1, so that any octet decodes |
| float32, float64 | float |
| date-time, date, time | bytes, 12, 5 and 4 of them (``cosem_time`` says what they mean) |
| compact-array | ``CompactArray``: the type of its elements, and the elements |

What a stranger sends is bounded before anything is allocated for it: depth by ``MAX_DEPTH``,
lengths and counts by the octets that are left. An element of an array costs at least one octet.
An element of a compact array may cost none (null-data), so those are bounded by
``MAX_ELEMENTS_PER_OCTET`` for each octet that the compact array itself takes.

Lengths need not be minimal when read; the indefinite form (0x80) is refused. Tags and bodies are
as ``pydlms-client`` has them, and but for delta types and dont-care, which it does not know, as
``gurux-dlms`` reads them. True is written as 1, as both do.
"""

from typing import Final

from protocol.axdr import bodies, compact
from protocol.axdr.compact import (
    MAX_ELEMENTS_PER_OCTET,
    UNCOUNTED,
    decode_by_template,
    decode_template,
)
from protocol.axdr.length import decode_length, encode_length
from protocol.axdr.row import MAX_DEPTH, ROWS, WireType, decode_tagged, encode_tagged
from protocol.axdr.values import (
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    bit_string,
    boolean,
    compact_array,
    describe,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    long_,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
    utf8_string,
    visible_string,
)
from protocol.errors import DecodeError

__all__ = [
    "MAX_DEPTH",
    "MAX_ELEMENTS_PER_OCTET",
    "UNCOUNTED",
    "WIRE_TYPES",
    "CompactArray",
    "Data",
    "Tag",
    "TypeDescription",
    "WireType",
    "array",
    "bit_string",
    "boolean",
    "compact_array",
    "decode",
    "decode_by_template",
    "decode_length",
    "decode_prefix",
    "decode_template",
    "describe",
    "double_long",
    "double_long_unsigned",
    "encode",
    "encode_length",
    "enum",
    "integer",
    "long_",
    "long_unsigned",
    "null",
    "octet_string",
    "structure",
    "unsigned",
    "utf8_string",
    "visible_string",
]

WIRE_TYPES: Final[tuple[WireType, ...]] = (
    bodies.empty(Tag.NULL),
    bodies.sequence(Tag.ARRAY),
    bodies.sequence(Tag.STRUCTURE),
    bodies.boolean(Tag.BOOLEAN),
    bodies.bit_string(Tag.BIT_STRING),
    bodies.number(Tag.DOUBLE_LONG, "i"),
    bodies.number(Tag.DOUBLE_LONG_UNSIGNED, "I"),
    bodies.octet_string(Tag.OCTET_STRING),
    bodies.text(Tag.VISIBLE_STRING, "latin-1"),
    bodies.text(Tag.UTF8_STRING, "utf-8"),
    bodies.number(Tag.BCD, "B"),
    bodies.number(Tag.INTEGER, "b"),
    bodies.number(Tag.LONG, "h"),
    bodies.number(Tag.UNSIGNED, "B"),
    bodies.number(Tag.LONG_UNSIGNED, "H"),
    compact.compact_array(Tag.COMPACT_ARRAY),
    bodies.number(Tag.LONG64, "q"),
    bodies.number(Tag.LONG64_UNSIGNED, "Q"),
    bodies.number(Tag.ENUM, "B"),
    bodies.number(Tag.FLOAT32, "f"),
    bodies.number(Tag.FLOAT64, "d"),
    bodies.octets_of(Tag.DATE_TIME, 12),
    bodies.octets_of(Tag.DATE, 5),
    bodies.octets_of(Tag.TIME, 4),
    bodies.number(Tag.DELTA_INTEGER, "b"),
    bodies.number(Tag.DELTA_LONG, "h"),
    bodies.number(Tag.DELTA_DOUBLE_LONG, "i"),
    bodies.number(Tag.DELTA_UNSIGNED, "B"),
    bodies.number(Tag.DELTA_LONG_UNSIGNED, "H"),
    bodies.number(Tag.DELTA_DOUBLE_LONG_UNSIGNED, "I"),
    bodies.empty(Tag.DONT_CARE),
)

ROWS.update({row.tag: row for row in WIRE_TYPES})


def encode(data: Data) -> bytes:
    """Return the octets of ``data``, its tag first.

    Raises:
        EncodeError: a value does not fit its type, or nests deeper than ``MAX_DEPTH``.
    """
    return encode_tagged(data, 0)


def decode(octets: bytes) -> Data:
    """Return the value that ``octets`` are, to the last of them.

    Raises:
        DecodeError: they are not one whole value, or exceed a bound.
    """
    data, end = decode_tagged(octets, 0, 0)
    if end != len(octets):
        raise DecodeError(f"{len(octets) - end} octets too many after the value")
    return data


def decode_prefix(octets: bytes, offset: int = 0) -> tuple[Data, int]:
    """Return the value that starts at ``offset``, and the offset after it.

    Raises:
        DecodeError: there is no whole value, or it exceeds a bound.
    """
    return decode_tagged(octets, offset, 0)
