"""The compact array: the tags of its elements' type once, then their bodies alone.

Compact data (class 62) has the same in two attributes, a template and a buffer. There an array's
description has no count: that stands in the buffer, before the elements. So ``pydlms-client`` has
it from the book's own example; Gurux.DLMS.Net writes the count into the template, as a compact
array has it. The first form is tried first, as ``pydlms-client`` does.
"""

from typing import Any, Final

from protocol.axdr.length import OCTETS, cut_short, decode_length, encode_length, take
from protocol.axdr.row import MAX_DEPTH, ROWS, WireType
from protocol.axdr.values import CompactArray, Data, Tag, TypeDescription
from protocol.errors import DecodeError, EncodeError

#: How many elements, inner ones included, a compact array may have for each of its octets.
MAX_ELEMENTS_PER_OCTET: Final = 4
#: The length of an array in a template that leaves the count to the buffer.
UNCOUNTED: Final = -1


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


def decode_template(octets: bytes) -> TypeDescription:
    """Return the description that a template of compact data is, to the last octet.

    Raises:
        DecodeError: it is none, in neither form.
    """
    try:
        return _whole_description(octets, counted=False)
    except DecodeError:
        return _whole_description(octets, counted=True)


def _whole_description(octets: bytes, *, counted: bool) -> TypeDescription:
    description, end = _decode_description(octets, 0, 0, counted=counted)
    if end != len(octets):
        raise DecodeError(f"{len(octets) - end} octets too many after the description")
    return description


def decode_by_template(contents: bytes, description: TypeDescription) -> Data:
    """Return the one value of a template's type that a compact buffer is, to the last octet.

    Raises:
        DecodeError: it is not one whole value, or exceeds a bound.
    """
    # An octet of the buffer, or a tag of the template, is in so many containers at most.
    budget = _Budget((MAX_DEPTH + 1) * (len(contents) + _tags(description)))
    value, end = _decode_counting(contents, 0, description, 0, budget)
    if end != len(contents):
        raise DecodeError(f"{len(contents) - end} octets too many after the value")
    return value


class _Budget:
    """How many elements a buffer may still turn out to be."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, coming: int) -> None:
        """Take one element off that has so many inside.

        Raises:
            DecodeError: there are not so many left.
        """
        self._left -= 1
        if self._left < coming:
            raise DecodeError("compact data of more elements than their octets warrant")


def _tags(description: TypeDescription) -> int:
    """Return how many tags a description has."""
    return 1 + sum(_tags(member) for member in description.members)


def _decode_counting(
    octets: bytes, offset: int, description: TypeDescription, depth: int, budget: _Budget
) -> tuple[Data, int]:
    tag, members, length = description
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        budget.spend(0)
        value, offset = ROWS[tag].decode(octets, offset, depth)
        return Data(tag, value), offset
    times = 1
    if tag == Tag.ARRAY:
        times = length
        if length == UNCOUNTED:
            times, offset = decode_length(octets, offset)
        if times * _least(members[0]) > len(octets) - offset:
            raise cut_short(octets)
    budget.spend(times * len(members))
    elements = []
    for member in members * times:
        element, offset = _decode_counting(octets, offset, member, depth + 1, budget)
        elements.append(element)
    return Data(tag, tuple(elements)), offset


def _decode_description(
    octets: bytes, offset: int, depth: int, *, counted: bool = True
) -> tuple[TypeDescription, int]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH}")
    if offset >= len(octets):
        raise cut_short(octets)
    row = ROWS.get(octets[offset])
    offset += 1
    if row is None or row.tag == Tag.COMPACT_ARRAY:
        raise DecodeError(f"a compact array cannot hold a wire type {octets[offset - 1]}")
    if row.tag == Tag.ARRAY:
        length = UNCOUNTED
        if counted:
            body, offset = take(octets, offset, 2)
            length = int.from_bytes(body, "big")
        member, offset = _decode_description(octets, offset, depth + 1, counted=counted)
        return TypeDescription(row.tag, (member,), length), offset
    members = []
    if row.tag == Tag.STRUCTURE:
        count, offset = decode_length(octets, offset)
        if count > len(octets) - offset:  # each member has a tag at least
            raise cut_short(octets)
        for _ in range(count):
            member, offset = _decode_description(octets, offset, depth + 1, counted=counted)
            members.append(member)
    return TypeDescription(row.tag, tuple(members)), offset


def _weight(description: TypeDescription) -> int:
    """Return how many elements one of this type is, itself included."""
    inner = sum(_weight(member) for member in description.members)
    return 1 + (inner * description.length if description.tag == Tag.ARRAY else inner)


def _least(description: TypeDescription) -> int:
    """Return the fewest octets that an element of this type takes without tags."""
    if description.tag in (Tag.ARRAY, Tag.STRUCTURE):
        if description.length == UNCOUNTED:
            return 1  # the count itself
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
