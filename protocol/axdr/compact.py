"""The compact array: the tags of its elements' type once, then their bodies alone."""

from typing import Any, Final

from protocol.axdr.length import OCTETS, cut_short, decode_length, encode_length, take
from protocol.axdr.row import MAX_DEPTH, ROWS, WireType
from protocol.axdr.values import CompactArray, Data, Tag, TypeDescription
from protocol.errors import DecodeError, EncodeError

#: How many elements, inner ones included, a compact array may have for each of its octets.
MAX_ELEMENTS_PER_OCTET: Final = 4


def compact_array(tag: Tag) -> WireType:
    """Return the row of the compact array."""

    def encode_body(value: Any, depth: int) -> bytes:
        if not isinstance(value, CompactArray):
            raise EncodeError(f"{tag.type_name} takes a CompactArray")
        description, elements = value
        head = _encode_description(description, depth)
        contents = b"".join([_encode_untagged(one, description, depth + 1) for one in elements])
        octets = head + encode_length(len(contents)) + contents
        if len(elements) * _weight(description) > MAX_ELEMENTS_PER_OCTET * len(octets):
            raise EncodeError("a compact array of nothing but null-data: use an array")
        return octets

    def decode_body(octets: bytes, offset: int, depth: int) -> tuple[CompactArray, int]:
        start = offset
        description, offset = _decode_description(octets, offset, depth)
        length, offset = decode_length(octets, offset)
        contents, end = take(octets, offset, length)
        allowed = MAX_ELEMENTS_PER_OCTET * (end - start)
        elements = _decode_contents(contents, description, depth + 1, allowed)
        return CompactArray(description, elements), end

    return WireType(tag, encode_body, decode_body, 2)


def _encode_description(description: TypeDescription, depth: int) -> bytes:
    tag, members, length = description
    if depth >= MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH}")
    if tag == Tag.STRUCTURE:
        inner = b"".join([_encode_description(member, depth + 1) for member in members])
        return OCTETS[tag] + encode_length(len(members)) + inner
    if tag == Tag.ARRAY:
        if len(members) != 1 or not 0 <= length <= 0xFFFF:
            raise EncodeError("an array's description has one member and a length of 16 bits")
        return OCTETS[tag] + length.to_bytes(2, "big") + _encode_description(members[0], depth + 1)
    if tag == Tag.COMPACT_ARRAY or tag not in ROWS:
        raise EncodeError(f"a compact array cannot hold a wire type {tag}")
    return OCTETS[tag]


def _decode_description(octets: bytes, offset: int, depth: int) -> tuple[TypeDescription, int]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH}")
    if offset >= len(octets):
        raise cut_short(octets)
    row = ROWS.get(octets[offset])
    offset += 1
    if row is None or row.tag == Tag.COMPACT_ARRAY:
        raise DecodeError(f"a compact array cannot hold a wire type {octets[offset - 1]}")
    if row.tag == Tag.ARRAY:
        body, offset = take(octets, offset, 2)
        member, offset = _decode_description(octets, offset, depth + 1)
        return TypeDescription(row.tag, (member,), int.from_bytes(body, "big")), offset
    members = []
    if row.tag == Tag.STRUCTURE:
        count, offset = decode_length(octets, offset)
        if count > len(octets) - offset:  # each member has a tag at least
            raise cut_short(octets)
        for _ in range(count):
            member, offset = _decode_description(octets, offset, depth + 1)
            members.append(member)
    return TypeDescription(row.tag, tuple(members)), offset


def _weight(description: TypeDescription) -> int:
    """Return how many elements one of this type is, itself included."""
    inner = sum(_weight(member) for member in description.members)
    return 1 + (inner * description.length if description.tag == Tag.ARRAY else inner)


def _least(description: TypeDescription) -> int:
    """Return the fewest octets that an element of this type takes without tags."""
    if description.tag in (Tag.ARRAY, Tag.STRUCTURE):
        inner = sum(_least(member) for member in description.members)
        return inner * description.length if description.tag == Tag.ARRAY else inner
    return ROWS[description.tag].least


def _decode_contents(
    contents: bytes, description: TypeDescription, depth: int, allowed: int
) -> tuple[Data, ...]:
    if not contents:
        return ()
    weight, least = _weight(description), _least(description)
    if not least:
        raise DecodeError("a compact array's elements have no octets, but its contents have")
    elements = []
    offset = 0
    while offset < len(contents):
        allowed -= weight
        if allowed < 0:
            raise DecodeError("a compact array with more elements than its octets warrant")
        if least > len(contents) - offset:
            raise cut_short(contents)
        element, offset = _decode_untagged(contents, offset, description, depth)
        elements.append(element)
    return tuple(elements)


def _decode_untagged(
    octets: bytes, offset: int, description: TypeDescription, depth: int
) -> tuple[Data, int]:
    tag, members, length = description
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        value, offset = ROWS[tag].decode(octets, offset, depth)
        return Data(tag, value), offset
    elements = []
    for member in members * length if tag == Tag.ARRAY else members:
        element, offset = _decode_untagged(octets, offset, member, depth + 1)
        elements.append(element)
    return Data(tag, tuple(elements)), offset


def _encode_untagged(data: Data, description: TypeDescription, depth: int) -> bytes:
    tag, members, length = description
    if not isinstance(data, Data) or data.tag != tag:
        raise EncodeError(f"an element of a compact array is no {Tag(tag).type_name}")
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        return ROWS[tag].encode(data.value, depth)
    expected = members * length if tag == Tag.ARRAY else members
    if not isinstance(data.value, tuple) or len(data.value) != len(expected):
        raise EncodeError(f"an element of a compact array does not have {len(expected)} members")
    pairs = zip(data.value, expected, strict=True)
    return b"".join([_encode_untagged(one, member, depth + 1) for one, member in pairs])
