"""A-XDR values as nodes: one row a plain value, tag, length and all; parts of a container below.

Where the declared type of an attribute is known, its structures' members have their names from it.
"""

from typing import Any, Final

from protocol import axdr
from protocol.axdr import Data, Tag, TypeDescription
from protocol.axdr.row import ROWS
from protocol.cosem.types import ArrayOf, ChoiceOf, Simple, StructureOf, Type
from protocol.explain import names
from protocol.explain.walker import Fault, Walker

_TEXTS: Final = (Tag.VISIBLE_STRING, Tag.UTF8_STRING)
_LENGTHED: Final = (Tag.OCTET_STRING, Tag.BIT_STRING, *_TEXTS)
_TIMES: Final = (Tag.DATE_TIME, Tag.DATE, Tag.TIME)
_LOGICAL_NAME_OCTETS: Final = 6


def data(walker: Walker, name: str, declared: Type | None = None) -> Data:
    """Explain one A-XDR value and return it.

    Args:
        walker: at its tag.
        name: of the field.
        declared: what it should be, for the names of its members; None where that is not known.
    """
    return _tagged(walker, name, declared, 0)


def _tagged(walker: Walker, name: str, declared: Type | None, depth: int) -> Data:
    number = walker.number()
    row = ROWS.get(number)
    if row is None:
        raise Fault(f"there is no wire type {number}", walker.offset - 1)
    tag = row.tag
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        return _sequence(walker, name, tag, declared, depth)
    if tag is Tag.COMPACT_ARRAY:
        return _compact(walker, name, declared, depth)
    return _plain(walker, name, tag, declared)


def _sequence(walker: Walker, name: str, tag: Tag, declared: Type | None, depth: int) -> Data:
    _check_depth(depth)
    count = walker.count("elements")
    with walker.group(name, str(count), kind=tag.type_name):
        elements = []
        for index in range(count):
            member, expected = _member(declared, tag, index)
            elements.append(_tagged(walker, member, expected, depth + 1))
    return Data(tag, tuple(elements))


def _plain(walker: Walker, name: str, tag: Tag, declared: Type | None) -> Data:
    """Explain a value without parts, behind its tag (which a compact array's elements lack)."""
    row, start = ROWS[tag], walker.offset
    if tag in _LENGTHED:
        length = walker.length()
        walker.take((length + 7) // 8 if tag is Tag.BIT_STRING else length)
    else:
        walker.take(row.least)
    value, _ = row.decode(walker.octets[start : walker.offset], 0, 0)
    node = walker.leaf(name, "", value, kind=tag.type_name)
    node.meaning = plain_meaning(tag, value, declared)
    return Data(tag, value)


def plain_meaning(tag: Tag, value: Any, declared: Type | None = None) -> str:
    """Return a plain value as people write it."""
    if value is None:
        return ""
    if tag is Tag.BOOLEAN:
        return "true" if value else "false"
    if tag in _TIMES:
        return names.date_time(value) or value.hex().upper()
    if tag is Tag.OCTET_STRING:
        return _octets_meaning(value, declared)
    if tag in _TEXTS:
        return repr(value)
    if tag is Tag.BIT_STRING:
        return f"{value or 'empty'}"
    return str(value)


def _octets_meaning(octets: bytes, declared: Type | None) -> str:
    simple = _fitting(declared, Tag.OCTET_STRING)
    named = isinstance(simple, Simple) and simple.length == _LOGICAL_NAME_OCTETS
    if named and len(octets) == _LOGICAL_NAME_OCTETS:
        return names.object_name(octets)
    return names.octets_meaning(octets) or (octets.hex().upper() if octets else "empty")


def _member(declared: Type | None, tag: Tag, index: int) -> tuple[str, Type | None]:
    """Return name and declared type of an element of a container."""
    fitting = _fitting(declared, tag)
    if isinstance(fitting, StructureOf) and index < len(fitting.fields):
        return fitting.fields[index]
    inner = fitting.element if isinstance(fitting, ArrayOf) else None
    return f"[{index + 1}]", inner


def _fitting(declared: Type | None, tag: Tag) -> Type | None:
    """Return of a declared choice the first alternative for a tag; other types as they are."""
    alternatives = declared.alternatives if isinstance(declared, ChoiceOf) else (declared,)
    for one in alternatives:
        if tag is Tag.STRUCTURE and isinstance(one, StructureOf):
            return one
        if tag in (Tag.ARRAY, Tag.COMPACT_ARRAY) and isinstance(one, ArrayOf):
            return one
        if isinstance(one, Simple) and one.tag == tag:
            return one
    return None


# --- compact arrays ------------------------------------------------------------------------------


def _compact(walker: Walker, name: str, declared: Type | None, depth: int) -> Data:
    start = walker.offset
    fitting = _fitting(declared, Tag.COMPACT_ARRAY)
    expected = fitting.element if isinstance(fitting, ArrayOf) else None
    with walker.group(name, kind=Tag.COMPACT_ARRAY.type_name) as node:
        description = _description(walker, "contents-description", depth)
        length = walker.length()
        if length > walker.left:
            raise Fault(f"contents of {length} octets are announced, {walker.left} are left")
        walker.leaf("contents-length", f"{length} octets", length)
        end = walker.offset + length
        allowed = _Allowance(axdr.MAX_ELEMENTS_PER_OCTET * (end - start))
        elements: list[Data] = []
        outer, walker.end = walker.end, end
        try:
            while walker.left:
                here = walker.offset
                part = f"[{len(elements) + 1}]"
                elements.append(_untagged(walker, part, description, expected, depth + 1, allowed))
                if walker.offset == here:
                    raise Fault("elements that have no octets, in contents that have some")
        finally:
            walker.end = outer
            node.meaning = str(len(elements))
    return Data(Tag.COMPACT_ARRAY, axdr.CompactArray(description, tuple(elements)))


class _Allowance:
    """How many elements a compact array may still have."""

    def __init__(self, elements: int) -> None:
        self._left = elements

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Fault("a compact array with more elements than its octets warrant")


def _description(walker: Walker, name: str, depth: int) -> TypeDescription:
    _check_depth(depth)
    number = walker.number()
    row = ROWS.get(number)
    if row is None or row.tag is Tag.COMPACT_ARRAY:
        raise Fault(f"a compact array cannot hold a wire type {number}", walker.offset - 1)
    tag = row.tag
    if tag is Tag.ARRAY:
        length = walker.number(2)
        with walker.group(name, f"array of {length}"):
            member = _description(walker, "element", depth + 1)
        return TypeDescription(tag, (member,), length)
    if tag is Tag.STRUCTURE:
        count = walker.count("members")
        with walker.group(name, f"structure of {count}"):
            members = [_description(walker, f"[{i + 1}]", depth + 1) for i in range(count)]
        return TypeDescription(tag, tuple(members))
    walker.leaf(name, tag.type_name)
    return TypeDescription(tag)


def _untagged(
    walker: Walker,
    name: str,
    description: TypeDescription,
    declared: Type | None,
    depth: int,
    allowed: _Allowance,
) -> Data:
    allowed.spend()
    tag, members, length = description
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        return _plain(walker, name, tag, declared)
    expected = members * length if tag is Tag.ARRAY else members
    with walker.group(name, str(len(expected)), kind=tag.type_name):
        elements = []
        for index, one in enumerate(expected):
            member, inner = _member(declared, tag, index)
            elements.append(_untagged(walker, member, one, inner, depth + 1, allowed))
    return Data(tag, tuple(elements))


def _check_depth(depth: int) -> None:
    if depth >= axdr.MAX_DEPTH:
        raise Fault(f"nested deeper than {axdr.MAX_DEPTH}")
