"""The readers that field tables are made of.

A reader takes a walker and the name that the table has for the field, makes its nodes and returns
the plain value. A table is a tuple of (name, reader); ``fields`` reads one, ``choice`` has one a
tag. The services' files are such tables and little else.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from obis.code import ObisCode
from protocol.events import AttributeRef, MethodRef
from protocol.explain import names
from protocol.explain.nodes import Node
from protocol.explain.values import data
from protocol.explain.walker import Fault, Walker

Reader = Callable[[Walker, str], Any]
Table = tuple[tuple[str, Reader], ...]


def fields(table: Table) -> Reader:
    """Return the reader of the fields of a table, without a node around them."""

    def read(walker: Walker, _name: str) -> dict[str, Any]:
        return {name: reader(walker, name) for name, reader in table}

    return read


def balanced(table: Table, *lists: str) -> Reader:
    """Return the reader of the fields of a table, of which some are lists of the same count."""
    inner = fields(table)

    def read(walker: Walker, name: str) -> dict[str, Any]:
        found: dict[str, Any] = inner(walker, name)
        counts = {one: len(found[one]) for one in lists if found[one] is not None}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{count} in {one}" for one, count in counts.items())
            walker.complain(f"lists of different counts: {shown}")
        return found

    return read


def group(table: Table) -> Reader:
    """Return the reader of the fields of a table under one node."""

    def read(walker: Walker, name: str) -> dict[str, Any]:
        with walker.group(name):
            return {field: reader(walker, field) for field, reader in table}

    return read


def number(length: int = 1, *, signed: bool = False) -> Reader:
    """Return the reader of a number of ``length`` octets."""

    def read(walker: Walker, name: str) -> int:
        value = int.from_bytes(walker.take(length), "big", signed=signed)
        walker.leaf(name, str(value), value)
        return value

    return read


def flag(walker: Walker, name: str) -> bool:
    """Read a BOOLEAN."""
    value = walker.number() != 0
    walker.leaf(name, "true" if value else "false", value)
    return value


def code(codes: type[IntEnum]) -> Reader:
    """Return the reader of a one-octet enumeration."""

    def read(walker: Walker, name: str) -> int:
        value = walker.number()
        meaning = names.code_name(codes, value)
        node = walker.leaf(name, meaning or str(value), value)
        if meaning is None:
            walker.wrong(node, f"{codes.__name__} has no {value}")
        return value

    return read


def octets(walker: Walker, name: str) -> bytes:
    """Read octets that their length precedes."""
    value = walker.take(walker.length())
    walker.leaf(name, names.octets_meaning(value) or f"{len(value)} octets", value)
    return value


def moment(walker: Walker, name: str) -> bytes:
    """Read a date-time that its length precedes; a length of 0 is none."""
    value = walker.take(walker.length())
    meaning = (names.date_time(value) or f"{len(value)} octets") if value else "none"
    node = walker.leaf(name, meaning, value)
    if len(value) not in (0, 12):
        walker.wrong(node, f"a date-time of {len(value)} octets, not 12 or none")
    return value


def title(walker: Walker, name: str) -> bytes:
    """Read a system title that its length precedes."""
    value = walker.take(walker.length())
    node = walker.leaf(name, title_meaning(value), value)
    if len(value) not in (0, 8):
        walker.wrong(node, f"a system title of {len(value)} octets, not 8 or none")
    return value


def title_meaning(octets: bytes) -> str:
    """Return a system title with the manufacturer's letters, which come first."""
    maker = octets[:3].decode("latin-1")
    letters = f" ({maker})" if maker.isascii() and maker.isalpha() else ""
    return f"{octets.hex().upper()}{letters}" if octets else "none"


def choice(tags: Mapping[int, tuple[str, Reader]]) -> Reader:
    """Return the reader of a CHOICE: its tag under the field's name, then what the tag says."""

    def read(walker: Walker, name: str) -> Any:
        tag = walker.number()
        if tag not in tags:
            raise Fault(
                f"{name}: choice {tag} is none of {', '.join(map(str, tags))}", walker.offset - 1
            )
        chosen, reader = tags[tag]
        with walker.group(name, chosen) as node:
            node.value = tag
            return reader(walker, chosen)

    return read


def optional(reader: Reader, absent: str = "none") -> Reader:
    """Return the reader of an OPTIONAL: its usage flag, then what it announces.

    Args:
        reader: of what it announces.
        absent: what it means that there is none.
    """

    def read(walker: Walker, name: str) -> Any:
        present = walker.number()
        if present not in (0, 1):
            raise Fault(f"{name}: a usage flag of {present}", walker.offset - 1)
        if not present:
            walker.leaf(name, absent)
            return None
        with walker.group(name, "present"):
            return reader(walker, name)

    return read


def list_of(reader: Reader, element: str) -> Reader:
    """Return the reader of a SEQUENCE OF."""

    def read(walker: Walker, name: str) -> list[Any]:
        count = walker.count(element + "s")
        with walker.group(name, f"{count}"):
            return [reader(walker, f"{element} {index + 1}") for index in range(count)]

    return read


def nothing(walker: Walker, name: str) -> None:
    """Read a NULL, which has no octets."""


def value(walker: Walker, name: str) -> Any:
    """Read one A-XDR value, of the next attribute or method that was asked for."""
    return data(walker, name, walker.talk.next_type())


def any_value(walker: Walker, name: str) -> Any:
    """Read one A-XDR value of which nothing is known."""
    return data(walker, name)


def parameter(walker: Walker, name: str) -> Any:
    """Read one A-XDR value: the parameter of the next method that is invoked here."""
    return data(walker, name, walker.talk.next_parameter())


def made(
    walker: Walker, node: Node, how: str, octets: bytes, reader: Callable[[Walker], Any]
) -> None:
    """Hang octets that were made from others at a node, and explain them by a reader."""
    inner = walker.inside(node, how, octets)
    if inner is not None:
        with inner.region():
            reader(inner)


# --- fields that several services have ---------------------------------------------------------


def invoke_id(walker: Walker, name: str) -> int:
    """Read invoke-id-and-priority; the number is returned."""
    octet = walker.number()
    service = "confirmed" if octet & 0x40 else "unconfirmed"
    priority = "high priority" if octet & 0x80 else "normal priority"
    reserved = f", reserved bits {octet >> 4 & 3}" if octet & 0x30 else ""
    walker.leaf(name, f"{octet & 0x0F}, {service}, {priority}{reserved}", octet)
    return octet & 0x0F


def long_invoke_id(walker: Walker, name: str) -> int:
    """Read long-invoke-id-and-priority; the number is returned."""
    octets = walker.number(4)
    flags = (
        (0x8000_0000, "high priority", "normal priority"),
        (0x4000_0000, "confirmed", "unconfirmed"),
        (0x2000_0000, "break on error", "continue on error"),
        (0x1000_0000, "self-descriptive", "not self-descriptive"),
    )
    words = [yes if octets & bit else no for bit, yes, no in flags]
    walker.leaf(name, ", ".join([str(octets & 0xFF_FFFF), *words]), octets)
    return octets & 0xFF_FFFF


def attribute(walker: Walker, name: str) -> AttributeRef:
    """Read a COSEM attribute descriptor."""
    with walker.group(name) as node:
        class_id, code = _object(walker)
        found = AttributeRef(class_id, code, walker.number())
        called = names.member_name(found) if found.index else "all attributes"
        walker.talk.refers(found)
        walker.leaf("attribute-id", f"{found.index} {called}".rstrip(), found.index)
    node.meaning = called
    return found


def method(walker: Walker, name: str) -> MethodRef:
    """Read a COSEM method descriptor."""
    with walker.group(name) as node:
        class_id, code = _object(walker)
        found = MethodRef(class_id, code, walker.number())
        called = names.member_name(found)
        walker.talk.refers(found)
        walker.leaf("method-id", f"{found.index} {called}".rstrip(), found.index)
    node.meaning = called
    return found


def _object(walker: Walker) -> tuple[int, ObisCode]:
    class_id = walker.number(2)
    walker.leaf("class-id", names.class_name(class_id), class_id)
    octets = walker.take(6)
    walker.leaf("instance-id", names.object_name(octets), octets)
    return class_id, ObisCode.from_bytes(octets)


def selection(walker: Walker, name: str) -> Any:
    """Read an access selector and its parameters."""
    selector = walker.number()
    words = {1: "1 by range (or class)", 2: "2 by entry (or object)"}
    walker.leaf("access-selector", words.get(selector, str(selector)), selector)
    return data(walker, "access-parameters")


#: An attribute and, perhaps, what of it.
selected_attribute: Reader = group(
    (("attribute-descriptor", attribute), ("access-selection", optional(selection)))
)
