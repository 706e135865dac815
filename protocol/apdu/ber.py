"""The little of BER that ACSE needs: one-octet tags, definite lengths, two levels deep."""

from protocol.axdr import decode_length, encode_length
from protocol.errors import DecodeError

#: An ACSE APDU has a dozen kinds of field; more than this many is nobody's AARQ.
MAX_FIELDS = 32

OBJECT_IDENTIFIER = 0x06
OCTET_STRING = 0x04
INTEGER = 0x02

_MULTI_OCTET_TAG = 0x1F


def encode_field(tag: int, content: bytes) -> bytes:
    """Return tag, length and content."""
    return bytes((tag,)) + encode_length(len(content)) + content


def encode_nested(tag: int, inner: int, content: bytes) -> bytes:
    """Return a field ``tag`` that holds nothing but a field ``inner``."""
    return encode_field(tag, encode_field(inner, content))


def decode_fields(octets: bytes) -> list[tuple[int, bytes]]:
    """Split octets into (tag, content) pairs, in their order.

    Raises:
        DecodeError: a length runs past the end, a tag has several octets, or there are more
            than ``MAX_FIELDS``.
    """
    fields: list[tuple[int, bytes]] = []
    offset = 0
    while offset < len(octets):
        if len(fields) == MAX_FIELDS:
            raise DecodeError(f"more than {MAX_FIELDS} fields")
        tag = octets[offset]
        if tag & _MULTI_OCTET_TAG == _MULTI_OCTET_TAG:
            raise DecodeError(f"BER tag 0x{tag:02X} has several octets")
        length, offset = decode_length(octets, offset + 1)
        if length > len(octets) - offset:
            raise DecodeError(f"BER field 0x{tag:02X} is cut short")
        fields.append((tag, octets[offset : offset + length]))
        offset += length
    return fields


def decode_field(octets: bytes, tag: int, what: str) -> bytes:
    """Return the content of the one field that ``octets`` are.

    Raises:
        DecodeError: not exactly one field, or another tag.
    """
    fields = decode_fields(octets)
    if len(fields) != 1 or fields[0][0] != tag:
        raise DecodeError(f"{what} is not one field of tag 0x{tag:02X}")
    return fields[0][1]


def decode_integer(octets: bytes, what: str, longest: int = 1) -> int:
    """Return the INTEGER that is the content of a field, taken as unsigned.

    Raises:
        DecodeError: not one INTEGER of 1 to ``longest`` octets.
    """
    content = decode_field(octets, INTEGER, what)
    if not 1 <= len(content) <= longest:
        raise DecodeError(f"{what} is not an integer of 1 octet, or {longest} at most")
    return int.from_bytes(content, "big")
