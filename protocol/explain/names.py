"""Names for people: of codes, objects, attributes, dates; all from where they are declared."""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from obis import catalogue
from obis.code import ObisCode
from protocol.codes import Conformance
from protocol.cosem import latest
from protocol.cosem_time import CosemDate, CosemDateTime, CosemTime
from protocol.errors import DecodeError
from protocol.events import AttributeRef, MethodRef

_OBJECTS: Final = {entry.code: entry.name for entry in catalogue.CATALOGUE}
_DATE_TIME_OCTETS: Final = 12
_CODE_OCTETS: Final = 6
_TIMES: Final[dict[int, Callable[[bytes], object]]] = {
    _DATE_TIME_OCTETS: CosemDateTime.from_bytes,
    5: CosemDate.from_bytes,
    4: CosemTime.from_bytes,
}


def word(name: str) -> str:
    """Return the name of a member of an enumeration as the books write it."""
    return name.lower().replace("_", "-")


def code_name(codes: type[IntEnum], number: int) -> str | None:
    """Return the name of a code, None where the enumeration has none."""
    try:
        return word(codes(number).name)
    except ValueError:
        return None


def conformance_names(bits: int) -> str:
    """Return the services in a conformance block of 24 bits."""
    named = [(int(bit), word(bit.name or "")) for bit in Conformance]
    known = [name for bit, name in sorted(named, reverse=True) if bits & bit]
    for bit, _ in named:
        bits &= ~bit
    reserved = [f"reserved bit {23 - place}" for place in range(23, -1, -1) if bits >> place & 1]
    return ", ".join(known + reserved) or "none"


def object_name(octets: bytes) -> str:
    """Return a logical name as a code, with the catalogue's name where it has one."""
    code = ObisCode.from_bytes(octets)
    name = _OBJECTS.get(code)
    return f"{code} {name}" if name else str(code)


def is_known_object(octets: bytes) -> bool:
    """Whether six octets are a logical name of the catalogue."""
    return len(octets) == _CODE_OCTETS and ObisCode.from_bytes(octets) in _OBJECTS


def class_name(class_id: int) -> str:
    """Return a class by number and name."""
    declared = latest(class_id)
    return f"{class_id} {declared.name}" if declared else f"{class_id}"


def member_name(reference: AttributeRef | MethodRef) -> str:
    """Return the name of an attribute or method, empty where its class is not declared."""
    declared = latest(reference.class_id)
    if declared is None:
        return ""
    if isinstance(reference, MethodRef):
        method = declared.method(reference.index)
        return method.name if method else ""
    attribute = declared.attribute(reference.index)
    return attribute.name if attribute else ""


def date_time(octets: bytes) -> str | None:
    """Return 12, 5 or 4 octets as a COSEM date-time, date or time; None where they are none."""
    reader = _TIMES.get(len(octets))
    try:
        return None if reader is None else str(reader(octets))
    except DecodeError:
        return None


def octets_meaning(octets: bytes) -> str:
    """Return what a string of octets says to people, empty where it says nothing.

    A logical name ends in 255 or is the catalogue's; a date-time has its 12 octets; a text is of
    printable ASCII.
    """
    if len(octets) == _CODE_OCTETS and (octets[-1] == 255 or is_known_object(octets)):
        return object_name(octets)
    if len(octets) == _DATE_TIME_OCTETS and (moment := date_time(octets)):
        return moment
    text = octets.decode("latin-1")
    return repr(text) if text and octets.isascii() and text.isprintable() else ""
