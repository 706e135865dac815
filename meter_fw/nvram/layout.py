"""Every octet of the journal: the declarations, and the codec made from them.

A block is a header and then records; the first record is the checkpoint, which puts every cell.
All numbers are big-endian::

    block   = header, checkpoint, commit, commit, ..., erased octets
    header  = magic, version, generation, CRC-32
    record  = tag (checkpoint or commit), length of the body, sequence, body, CRC-32
    body    = number of cells, cells put, keys deleted (to the end of the body)

The CRC-32 at the end of a record is its commit mark: a record counts when it is right, and
flash is programmed from the front. It starts from the block's generation, so that a record
which an unfinished erase left behind belongs to no other generation.

The records are written and read with ``struct``, compiled from the same declarations; a test
holds the two against each other.
"""

import struct
import zlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

from construct import (
    Bytes,
    FixedSized,
    Flag,
    FormatField,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int32ub,
    PrefixedArray,
    Renamed,
    Struct,
    this,
)

from meter_fw.nvram.errors import InvalidCell, UnknownFormat

MAGIC: Final = b"OPnv"
VERSION: Final = 1
#: Octets of a value: its length is one octet.
MAX_VALUE: Final = 0xFF
#: Octets of a body: its length is two octets.
MAX_BODY: Final = 0xFFFF
#: Generations and sequences count in 32 bits and wrap.
MODULUS: Final = 1 << 32
ERASED: Final = b"\xff"

HEADER_FIELDS = Struct("magic" / Bytes(4), "version" / Int8ub, "generation" / Int32ub)
HEADER = Struct("fields" / HEADER_FIELDS, "check" / Int32ub)
RECORD_HEAD = Struct("tag" / Int8ub, "length" / Int16ub, "sequence" / Int32ub)
CELL_COUNT = Int16ub
CELL_KEY = Struct("kind" / Int8ub, "index" / Int16ub)
CELL_HEAD = Struct(*CELL_KEY.subcons, "length" / Int8ub)
CELL = Struct("head" / CELL_HEAD, "value" / Bytes(this.head.length))
BODY = Struct("cells" / PrefixedArray(CELL_COUNT, CELL), "deleted" / GreedyRange(CELL_KEY))
CHECK = Int32ub
RECORD = Struct("head" / RECORD_HEAD, "body" / FixedSized(this.head.length, BODY), "check" / CHECK)


def compiled(layout: Any) -> struct.Struct:
    """Return the ``struct.Struct`` of a declaration of fixed length.

    Args:
        layout: a construct ``Struct`` of integers, flags and ``Bytes`` of constant length, or
            one such integer.

    Raises:
        TypeError: the declaration has a field of another sort.
    """
    fields = layout.subcons if isinstance(layout, Struct) else [layout]
    return struct.Struct(">" + "".join(_format(field) for field in fields))


def _format(field: Any) -> str:
    inner = field.subcon if isinstance(field, Renamed) else field
    if inner is Flag:
        return "?"
    if isinstance(inner, FormatField) and inner.fmtstr[0] == ">":
        return str(inner.fmtstr[1:])
    if isinstance(inner, Bytes) and isinstance(inner.length, int):
        return f"{inner.length}s"
    raise TypeError(f"not a big-endian field of fixed length: {field!r}")


_HEADER_FIELDS: Final = compiled(HEADER_FIELDS)
_RECORD_HEAD: Final = compiled(RECORD_HEAD)
_CELL_COUNT: Final = compiled(CELL_COUNT)
_CELL_KEY: Final = compiled(CELL_KEY)
_CELL_HEAD: Final = compiled(CELL_HEAD)
_CHECK: Final = compiled(CHECK)
#: Octets of a block's header.
HEADER_LENGTH: Final = _HEADER_FIELDS.size + _CHECK.size
#: Octets of a record besides its body.
RECORD_OVERHEAD: Final = _RECORD_HEAD.size + _CHECK.size
#: Octets of a body that changes nothing.
EMPTY_BODY: Final = _CELL_COUNT.size
#: Octets of a cell besides its value.
CELL_OVERHEAD: Final = _CELL_HEAD.size


class Tag(IntEnum):
    """What a record is; 0xFF would be erased flash."""

    CHECKPOINT = 0x43  # "C"
    COMMIT = 0x52  # "R", for record


class CellKey(NamedTuple):
    """The name of a cell.

    Args:
        kind: what the cell is, 0 to 255.
        index: which of its kind, 0 to 65535.
    """

    kind: int
    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody asks a key for


Changes = Mapping[CellKey, bytes | None]


class Record(NamedTuple):
    """A record that was read and whose CRC is right.

    Args:
        sequence: its number.
        changes: values put, and None for keys deleted.
        end: offset of the octet behind it.
    """

    sequence: int
    changes: dict[CellKey, bytes | None]
    end: int


def encode_header(generation: int) -> bytes:
    """Return the header of a block of that generation."""
    fields = _HEADER_FIELDS.pack(MAGIC, VERSION, generation)
    return fields + _CHECK.pack(zlib.crc32(fields))


def decode_header(image: bytes) -> int | None:
    """Return the generation of the block ``image``, or None when its header is not right.

    Raises:
        UnknownFormat: the header is right, but its version is not ours.
    """
    magic, version, generation = _HEADER_FIELDS.unpack_from(image)
    (check,) = _CHECK.unpack_from(image, _HEADER_FIELDS.size)
    if magic != MAGIC or check != zlib.crc32(image[: _HEADER_FIELDS.size]):
        return None
    if version != VERSION:
        raise UnknownFormat(f"the journal has format version {version}, we know {VERSION}")
    return int(generation)


def encode_body(changes: Changes) -> bytes:
    """Return the body of a record with these changes.

    Raises:
        InvalidCell: a key out of range, or a value too long.
    """
    put: list[bytes] = []
    deleted: list[bytes] = []
    for key, value in changes.items():
        kind, index = key
        try:
            if value is None:
                deleted.append(_CELL_KEY.pack(kind, index))
            else:
                put += (_CELL_HEAD.pack(kind, index, len(value)), value)
        except struct.error as error:
            raise InvalidCell(f"cell {kind}/{index}: {error}") from error
    return b"".join((_CELL_COUNT.pack(len(put) // 2), *put, *deleted))


def encode_record(tag: Tag, body: bytes, sequence: int, generation: int) -> bytes:
    """Return the record of that body, for a block of that generation."""
    content = _RECORD_HEAD.pack(tag, len(body), sequence) + body
    return content + _CHECK.pack(zlib.crc32(content, generation))


def decode_record(tag: Tag, image: bytes, start: int, generation: int) -> Record | None:
    """Return the record at ``start``, or None when there is none of that tag that is right.

    Args:
        tag: what it has to be.
        image: the block.
        start: offset of its first octet.
        generation: of the block.
    """
    if start + RECORD_OVERHEAD > len(image) or image[start] != tag:
        return None
    _, length, sequence = _RECORD_HEAD.unpack_from(image, start)
    body = start + _RECORD_HEAD.size
    check = body + length
    end = check + _CHECK.size
    if end > len(image):
        return None
    if _CHECK.unpack_from(image, check)[0] != zlib.crc32(image[start:check], generation):
        return None
    try:
        changes = _decode_body(image[body:check])
    except struct.error:
        return None
    return None if changes is None else Record(sequence, changes, end)


def _decode_body(body: bytes) -> dict[CellKey, bytes | None] | None:
    changes: dict[CellKey, bytes | None] = {}
    (count,) = _CELL_COUNT.unpack_from(body)
    at = _CELL_COUNT.size
    for _ in range(count):
        kind, index, length = _CELL_HEAD.unpack_from(body, at)
        at += _CELL_HEAD.size
        if at + length > len(body):
            return None
        changes[CellKey(kind, index)] = body[at : at + length]
        at += length
    for kind, index in _CELL_KEY.iter_unpack(body[at:]):
        changes[CellKey(kind, index)] = None
    return changes


def find_commit(image: bytes, start: int, generation: int, after: int) -> Record | None:
    """Return the first commit at or behind ``start``, wherever it begins.

    Args:
        image: the block.
        start: where to look first.
        generation: of the block.
        after: the commit has to be newer than this sequence.
    """
    while (start := image.find(Tag.COMMIT, start)) >= 0:
        record = decode_record(Tag.COMMIT, image, start, generation)
        if record is not None and is_newer(record.sequence, after):
            return record
        start += 1
    return None


def is_blank(octets: bytes) -> bool:
    """Return whether every octet reads as erased."""
    return not octets.strip(ERASED)


def following(number: int) -> int:
    """Return the generation or sequence after ``number``."""
    return (number + 1) % MODULUS


def is_newer(number: int, than: int) -> bool:
    """Return whether a generation or sequence came after another, in serial number arithmetic."""
    return 0 < (number - than) % MODULUS < MODULUS // 2
