"""A row of the table of wire types, and the way from a tag to its row."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from protocol.axdr.length import OCTETS, cut_short
from protocol.axdr.values import Data, Tag
from protocol.errors import DecodeError, EncodeError

#: How deep arrays, structures and compact arrays may nest.
MAX_DEPTH: Final = 16

#: The octets of a value without its tag. Arguments: value, depth.
Encoder = Callable[[Any, int], bytes]
#: A value without its tag, and the offset after it. Arguments: octets, offset, depth.
Decoder = Callable[[bytes, int, int], tuple[Any, int]]


class WireType(NamedTuple):
    """A row of the table.

    Args:
        tag: the tag.
        encode: makes the octets after the tag.
        decode: reads the octets after the tag.
        least: the fewest octets these can be.
    """

    tag: Tag
    encode: Encoder
    decode: Decoder
    least: int


#: The table by tag; ``protocol.axdr`` fills it.
ROWS: Final[dict[int, WireType]] = {}


def encode_tagged(data: Data, depth: int) -> bytes:
    """Return a value's octets, its tag first; ``depth`` is how many containers it is in.

    Raises:
        EncodeError: it does not fit its type, or nests too deep.
    """
    if not isinstance(data, Data):
        raise EncodeError(f"{type(data).__name__} is no COSEM data")
    tag, value = data
    row = ROWS.get(tag)
    if row is None:
        raise EncodeError(f"there is no wire type {tag}")
    return OCTETS[tag] + row.encode(value, depth)


def decode_tagged(octets: bytes, offset: int, depth: int) -> tuple[Data, int]:
    """Return the value at ``offset`` and the offset after it; ``depth`` as for encoding.

    Raises:
        DecodeError: there is no whole value, or it exceeds a bound.
    """
    if offset >= len(octets):
        raise cut_short(octets)
    row = ROWS.get(octets[offset])
    if row is None:
        raise DecodeError(f"there is no wire type {octets[offset]}")
    value, end = row.decode(octets, offset + 1, depth)
    # Made as the tuple it is: the constructor costs as much as reading the value.
    return tuple.__new__(Data, (row.tag, value)), end
