"""The bodies of the wire types: each function makes a row of the table."""

import struct
from typing import Any

from protocol.axdr.length import cut_short, decode_length, encode_length, take
from protocol.axdr.row import MAX_DEPTH, WireType, decode_tagged, encode_tagged
from protocol.axdr.values import Data, Tag
from protocol.errors import DecodeError, EncodeError


def empty(tag: Tag) -> WireType:
    """Return the row of a type without a body."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if value is not None:
            raise EncodeError(f"{tag.type_name} has no value, not a {type(value).__name__}")
        return b""

    def decode_body(_octets: bytes, offset: int, _depth: int) -> tuple[None, int]:
        return None, offset

    return WireType(tag, encode_body, decode_body, 0)


def number(tag: Tag, layout: str) -> WireType:
    """Return the row of a number; ``layout`` as the letter of ``struct``."""
    packer = struct.Struct(">" + layout)
    pack, unpack_from, size = packer.pack, packer.unpack_from, packer.size
    signed, bits = layout.islower(), 8 * packer.size
    least, most = (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def encode_body(value: Any, _depth: int) -> bytes:
        try:
            return pack(value)
        except (struct.error, OverflowError) as error:
            reason = str(error) if layout in "fd" else f"{least} to {most}"
            raise EncodeError(f"not a value of {tag.type_name}: {reason}") from error

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[Any, int]:
        if offset + size > len(octets):
            raise cut_short(octets)
        return unpack_from(octets, offset)[0], offset + size

    return WireType(tag, encode_body, decode_body, size)


def octet_string(tag: Tag) -> WireType:
    """Return the row of octets with their length."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if not isinstance(value, bytes):
            raise EncodeError(f"{tag.type_name} takes bytes, not a {type(value).__name__}")
        return encode_length(len(value)) + value

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[bytes, int]:
        length, offset = decode_length(octets, offset)
        return take(octets, offset, length)

    return WireType(tag, encode_body, decode_body, 1)


def octets_of(tag: Tag, size: int) -> WireType:
    """Return the row of octets that are always ``size`` many."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise EncodeError(f"{tag.type_name} takes {size} octets")
        return value

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[bytes, int]:
        return take(octets, offset, size)

    return WireType(tag, encode_body, decode_body, size)


def text(tag: Tag, codec: str) -> WireType:
    """Return the row of a text with its length in octets."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if not isinstance(value, str):
            raise EncodeError(f"{tag.type_name} takes a str, not a {type(value).__name__}")
        try:
            body = value.encode(codec)
        except UnicodeEncodeError as error:
            raise EncodeError(f"not a value of {tag.type_name}: {error.reason}") from error
        return encode_length(len(body)) + body

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[str, int]:
        length, offset = decode_length(octets, offset)
        body, end = take(octets, offset, length)
        try:
            return body.decode(codec), end
        except UnicodeDecodeError as error:
            raise DecodeError(f"not a value of {tag.type_name}: {error.reason}") from error

    return WireType(tag, encode_body, decode_body, 1)


def boolean(tag: Tag) -> WireType:
    """Return the row of a boolean; any octet but 0 is true, and 1 is written."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if not isinstance(value, bool):
            raise EncodeError(f"{tag.type_name} takes a bool, not a {type(value).__name__}")
        return b"\x01" if value else b"\x00"

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[bool, int]:
        body, end = take(octets, offset, 1)
        return body != b"\x00", end

    return WireType(tag, encode_body, decode_body, 1)


def bit_string(tag: Tag) -> WireType:
    """Return the row of a bit-string; its length counts bits."""

    def encode_body(value: Any, _depth: int) -> bytes:
        if not isinstance(value, str) or value.strip("01"):
            raise EncodeError(f"{tag.type_name} takes a str of 0 and 1")
        size = (len(value) + 7) // 8
        bits = int(value.ljust(8 * size, "0") or "0", 2)
        return encode_length(len(value)) + bits.to_bytes(size, "big")

    def decode_body(octets: bytes, offset: int, _depth: int) -> tuple[str, int]:
        length, offset = decode_length(octets, offset)
        body, end = take(octets, offset, (length + 7) // 8)
        bits = f"{int.from_bytes(body, 'big'):0{8 * len(body)}b}" if body else ""
        return bits[:length], end

    return WireType(tag, encode_body, decode_body, 1)


def sequence(tag: Tag) -> WireType:
    """Return the row of a container whose elements have tags."""

    def encode_body(value: Any, depth: int) -> bytes:
        if depth >= MAX_DEPTH:
            raise EncodeError(f"nested deeper than {MAX_DEPTH}")
        if not isinstance(value, tuple):
            raise EncodeError(f"{tag.type_name} takes a tuple, not a {type(value).__name__}")
        return encode_length(len(value)) + b"".join(
            [encode_tagged(one, depth + 1) for one in value]
        )

    def decode_body(octets: bytes, offset: int, depth: int) -> tuple[tuple[Data, ...], int]:
        if depth >= MAX_DEPTH:
            raise DecodeError(f"nested deeper than {MAX_DEPTH}")
        count, offset = decode_length(octets, offset)
        if count > len(octets) - offset:  # each element has a tag at least
            raise cut_short(octets)
        elements = []
        for _ in range(count):
            element, offset = decode_tagged(octets, offset, depth + 1)
            elements.append(element)
        return tuple(elements), offset

    return WireType(tag, encode_body, decode_body, 1)
