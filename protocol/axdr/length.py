"""Lengths and counts, and the end of the octets: what every body reads and writes with."""

from typing import Final

from protocol.errors import DecodeError, EncodeError

#: Each octet by its value.
OCTETS: Final = tuple(bytes((n,)) for n in range(256))


def encode_length(length: int) -> bytes:
    """Return the shortest octets of a length or count, 0..0xFFFFFFFF.

    Raises:
        EncodeError: it is out of that range.
    """
    if 0 <= length < 0x80:
        return OCTETS[length]
    if not 0 <= length <= 0xFFFF_FFFF:
        raise EncodeError(f"no length: {length}")
    size = (length.bit_length() + 7) // 8
    return OCTETS[0x80 | size] + length.to_bytes(size, "big")


def decode_length(octets: bytes, offset: int) -> tuple[int, int]:
    """Return the length or count at ``offset``, and the offset after it.

    Raises:
        DecodeError: it is cut short, indefinite, or has more than four octets.
    """
    if offset >= len(octets):
        raise cut_short(octets)
    first = octets[offset]
    offset += 1
    if first < 0x80:
        return first, offset
    end = offset + (first & 0x7F)
    if not 0x81 <= first <= 0x84:
        raise DecodeError(f"a length may not start with 0x{first:02X}")
    if end > len(octets):
        raise cut_short(octets)
    return int.from_bytes(octets[offset:end], "big"), end


def cut_short(octets: bytes) -> DecodeError:
    """Return the error of a value that goes on after the last octet."""
    return DecodeError(f"the value goes on after the last of the {len(octets)} octets")


def take(octets: bytes, offset: int, length: int) -> tuple[bytes, int]:
    """Return ``length`` octets from ``offset`` on, and the offset after them.

    Raises:
        DecodeError: there are not so many.
    """
    end = offset + length
    if end > len(octets):
        raise cut_short(octets)
    return octets[offset:end], end
