"""A meter as a whole: every object that it lists for a client, with rights, values and faults."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from headend.device import Device
from headend.errors import Refused
from headend.reading.objects import class_name, name_of
from headend.reading.values import to_json
from headend.session import ExceptionAnswered
from obis import catalogue
from obis.code import ObisCode, ObisError
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem import CLASSES, latest
from protocol.cosem.association_ln import AttributeAccessMode, MethodAccessMode
from protocol.cosem.interface import InterfaceClass
from protocol.errors import AccessRefused
from protocol.events import AttributeRef

_ASSOCIATION_LN: Final = 15
#: From this version of Association LN on, an access mode is a set of bits.
_BITS_FROM_VERSION: Final = 3
_BITS: Final = (
    "read", "write", "authenticated-request", "encrypted-request", "signed-request",
    "authenticated-response", "encrypted-response", "signed-response",
)  # fmt: skip # a table
_METHOD_BITS: Final = ("execute", "reserved", *_BITS[2:])
_NO_RIGHT: Final = "no right to read"
_READING: Final = frozenset((
    AttributeAccessMode.READ_ONLY,
    AttributeAccessMode.READ_AND_WRITE,
    AttributeAccessMode.AUTHENTICATED_READ_ONLY,
    AttributeAccessMode.AUTHENTICATED_READ_AND_WRITE,
))  # fmt: skip # a table


class AttributeDump(Struct, frozen=True):
    """An attribute of an object.

    Args:
        index: from 1.
        name: empty where its class is not declared.
        access: the right to it in words.
        value: None where it could not be read.
        error: why; empty where it was read.
    """

    index: int
    name: str
    access: str
    value: Data | None = None
    error: str = ""


class MethodDump(Struct, frozen=True):
    """A method of an object."""

    index: int
    name: str
    access: str


class ObjectDump(Struct, frozen=True):
    """An object of the association's list; ``class_name`` and ``name`` are empty if unknown."""

    class_id: int
    version: int
    code: ObisCode
    class_name: str
    name: str
    attributes: tuple[AttributeDump, ...]
    methods: tuple[MethodDump, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object for a JSON document."""
        return {
            "code": str(self.code),
            "class": self.class_id,
            "version": self.version,
            "class_name": self.class_name,
            "name": self.name,
            "attributes": [_attribute_json(each) for each in self.attributes],
            "methods": [
                {"index": each.index, "name": each.name, "access": each.access}
                for each in self.methods
            ],
        }


def _attribute_json(attribute: AttributeDump) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "index": attribute.index,
        "name": attribute.name,
        "access": attribute.access,
    }
    if attribute.value is None:
        return shown | {"error": attribute.error}
    return shown | {"type": attribute.value.tag.type_name, "value": to_json(attribute.value)}


class _Right(Struct, frozen=True):
    index: int
    mode: int
    bits: bool = field(default=False)

    @property
    def readable(self) -> bool:
        return bool(self.mode & 1) if self.bits else self.mode in _READING

    def attribute_words(self) -> str:
        if self.bits:
            return _bit_words(self.mode, _BITS)
        return _mode_words(AttributeAccessMode, self.mode)

    def method_words(self) -> str:
        if self.bits:
            return _bit_words(self.mode, _METHOD_BITS)
        return _mode_words(MethodAccessMode, self.mode)


def _bit_words(mode: int, names: Sequence[str]) -> str:
    return " ".join(name for i, name in enumerate(names) if mode >> i & 1) or "no-access"


def _mode_words(modes: type[AttributeAccessMode] | type[MethodAccessMode], mode: int) -> str:
    try:
        return modes(mode).name.lower().replace("_", "-")
    except ValueError:
        return f"mode {mode}"


class Entry(Struct, frozen=True):
    """An object as the list has it, before anything of it has been read."""

    class_id: int
    version: int
    code: ObisCode
    attributes: tuple[_Right, ...]
    methods: tuple[_Right, ...]


def entries(device: Device) -> list[Entry]:
    """Return what the meter lists for this client with the rights, sorted by code and class.

    Raises:
        Refused: it lists nothing, or not in a form that is known.
    """
    listed = device.get(catalogue.CURRENT_ASSOCIATION, _ASSOCIATION_LN)
    if listed.tag not in (Tag.ARRAY, Tag.COMPACT_ARRAY):
        raise Refused("the meter's object list is no array")
    elements = listed.value if listed.tag is Tag.ARRAY else listed.value.elements
    try:
        found = [_head(element) for element in elements]
        own = (version for class_id, version, _ in found if class_id == _ASSOCIATION_LN)
        bits = next(own, 0) >= _BITS_FROM_VERSION
        rights = [_rights(element, bits=bits) for element in elements]
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise Refused("the meter's object list is not what this head-end knows") from error
    made = [Entry(*head, *right) for head, right in zip(found, rights, strict=True)]
    return sorted(made, key=lambda each: (each.code, each.class_id))


def _head(element: Data) -> tuple[int, int, ObisCode]:
    class_id, version, name = (member.value for member in element.value[:3])
    try:
        return int(class_id), int(version), ObisCode.from_bytes(name)
    except ObisError as error:
        raise ValueError(str(error)) from error


def _rights(element: Data, *, bits: bool) -> tuple[tuple[_Right, ...], tuple[_Right, ...]]:
    """Return the rights to attributes and to methods, each sorted by index."""
    attributes, methods = element.value[3].value
    return _right_list(attributes, bits=bits), _right_list(methods, bits=bits)


def _right_list(listed: Data, *, bits: bool) -> tuple[_Right, ...]:
    pairs = [(right.value[0].value, right.value[1].value) for right in listed.value]
    return tuple(_Right(int(i), int(mode), bits) for i, mode in sorted(pairs))


def dump(device: Device, listed: Sequence[Entry], done: Callable[[], None]) -> list[ObjectDump]:
    """Read each attribute that the client may read, one after the other.

    Args:
        device: the meter.
        listed: what to read.
        done: called after each object, for a progress bar.

    Raises:
        NoAnswer: the meter has fallen silent.
    """
    objects = []
    for entry in listed:
        objects.append(_object(device, entry))
        done()
    return objects


def _object(device: Device, entry: Entry) -> ObjectDump:
    declared = CLASSES.get((entry.class_id, entry.version)) or latest(entry.class_id)
    return ObjectDump(
        entry.class_id,
        entry.version,
        entry.code,
        class_name(entry.class_id),
        name_of(entry.code),
        tuple(_attribute(device, entry, right, declared) for right in entry.attributes),
        tuple(_method(right, declared) for right in entry.methods),
    )


def _method(right: _Right, declared: InterfaceClass | None) -> MethodDump:
    member = declared.method(right.index) if declared else None
    return MethodDump(right.index, member.name if member else "", right.method_words())


def _attribute(
    device: Device, entry: Entry, right: _Right, declared: InterfaceClass | None
) -> AttributeDump:
    member = declared.attribute(right.index) if declared else None
    name, access = member.name if member else "", right.attribute_words()
    if not right.readable:
        return AttributeDump(right.index, name, access, error=_NO_RIGHT)
    try:
        value = device.session.get(AttributeRef(entry.class_id, entry.code, right.index))
    except AccessRefused as error:
        return AttributeDump(right.index, name, access, error=_result_words(error.result))
    except ExceptionAnswered as error:
        return AttributeDump(right.index, name, access, error=str(error))
    return AttributeDump(right.index, name, access, value)


def _result_words(result: DataAccessResult) -> str:
    return result.name.lower().replace("_", "-")


def meter_name(objects: Sequence[ObjectDump]) -> str:
    """Return the logical device name in a dump, empty where it is not there or no text."""
    for each in objects:
        if each.code == catalogue.LOGICAL_DEVICE_NAME and len(each.attributes) > 1:
            value = each.attributes[1].value
            text = value.value if value is not None else ""
            if isinstance(text, bytes):
                text = text.decode("latin-1")
            return text if isinstance(text, str) and text.isprintable() else ""
    return ""
