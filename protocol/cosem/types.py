"""Type descriptions: what a COSEM value looks like, and its way to plain Python and back.

| description | Python value |
|---|---|
| ``Simple`` | the plain value, as ``protocol.axdr`` says for its tag |
| ``StructureOf`` | tuple, in the order of the fields |
| ``ArrayOf`` | list; any sequence is taken, and a compact array is read as well |
| ``ChoiceOf`` | the value of the first alternative that fits |
| ``AnyType`` | the ``Data`` itself: only whoever has the object knows more |

Types are checked, ranges are not: that is for the encoder, and on the way in the tag has done it.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from protocol.axdr import Data, Tag
from protocol.errors import ProtocolError


class TypeMismatch(ProtocolError):
    """A value is not of the declared type; as an answer it is ``type-unmatched``."""


class Type(Protocol):
    """A type description."""

    def to_data(self, value: Any) -> Data:
        """Return ``value`` with its tags.

        Raises:
            TypeMismatch: it is not of this type.
        """
        ...

    def from_data(self, data: Data) -> Any:
        """Return the plain value of ``data``.

        Raises:
            TypeMismatch: it is not of this type.
        """
        ...


def to_data(declared: Type, value: Any) -> Data:
    """Return ``value`` with the tags of its declared type.

    Raises:
        TypeMismatch: it is not of that type.
    """
    return declared.to_data(value)


def from_data(declared: Type, data: Data) -> Any:
    """Return the plain value of ``data``, which has to be of the declared type.

    Raises:
        TypeMismatch: it is not.
    """
    return declared.from_data(data)


_PYTHON_TYPES: Final[Mapping[Tag, type | tuple[type, ...]]] = {
    Tag.NULL: type(None),
    Tag.BOOLEAN: bool,
    Tag.BIT_STRING: str,
    Tag.OCTET_STRING: bytes,
    Tag.VISIBLE_STRING: str,
    Tag.UTF8_STRING: str,
    Tag.FLOAT32: (float, int),
    Tag.FLOAT64: (float, int),
    Tag.DATE_TIME: bytes,
    Tag.DATE: bytes,
    Tag.TIME: bytes,
    Tag.DONT_CARE: type(None),
}  # the rest are integers


class Simple(Struct, frozen=True):
    """A value without parts.

    Args:
        tag: its wire type.
        length: of a string, the only length in octets, characters or bits that it may have.
    """

    tag: Tag
    length: int | None = None

    def to_data(self, value: Any) -> Data:
        """Return ``value`` with its tag; see ``Type``."""
        expected = _PYTHON_TYPES.get(self.tag, int)
        # A bool is an int to Python, but a boolean is no integer to COSEM.
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise TypeMismatch(f"{self} takes no {type(value).__name__}")
        return Data(self.tag, self._of_length(value))

    def from_data(self, data: Data) -> Any:
        """Return the plain value; see ``Type``."""
        if data.tag != self.tag:
            raise TypeMismatch(f"expected {self}, got {data.tag.type_name}")
        return self._of_length(data.value)

    def _of_length(self, value: Any) -> Any:
        if self.length is not None and len(value) != self.length:
            raise TypeMismatch(f"expected {self}, got a length of {len(value)}")
        return value

    def __str__(self) -> str:
        name = self.tag.type_name
        return name if self.length is None else f"{name}({self.length})"


class StructureOf(Struct, frozen=True):
    """A structure; ``structure_of`` makes one.

    Args:
        fields: name and type of each member, in order.
    """

    fields: tuple[tuple[str, Type], ...]

    def to_data(self, value: Any) -> Data:
        """Return a tuple of plain values as a structure; see ``Type``."""
        if not isinstance(value, tuple):
            raise TypeMismatch(f"{self} takes a tuple, not a {type(value).__name__}")
        self._check_count(len(value))
        members = []
        for (name, member), plain in zip(self.fields, value, strict=True):
            try:
                members.append(member.to_data(plain))
            except TypeMismatch as error:
                raise TypeMismatch(f"{name}: {error}") from error
        return Data(Tag.STRUCTURE, tuple(members))

    def from_data(self, data: Data) -> tuple[Any, ...]:
        """Return the tuple of plain values; see ``Type``."""
        if data.tag != Tag.STRUCTURE:
            raise TypeMismatch(f"expected {self}, got {data.tag.type_name}")
        self._check_count(len(data.value))
        values = []
        for (name, member), tagged in zip(self.fields, data.value, strict=True):
            try:
                values.append(member.from_data(tagged))
            except TypeMismatch as error:
                raise TypeMismatch(f"{name}: {error}") from error
        return tuple(values)

    def _check_count(self, count: int) -> None:
        if count != len(self.fields):
            raise TypeMismatch(f"expected {self}, got {count} members")

    def __str__(self) -> str:
        return f"structure {{{', '.join(name for name, _ in self.fields)}}}"


class ArrayOf(Struct, frozen=True):
    """An array.

    Args:
        element: the type of each element.
    """

    element: Type

    def to_data(self, value: Any) -> Data:
        """Return a list or tuple of plain values as an array; see ``Type``."""
        if not isinstance(value, list | tuple):
            raise TypeMismatch(f"{self} takes a list, not a {type(value).__name__}")
        return Data(Tag.ARRAY, tuple([self.element.to_data(plain) for plain in value]))

    def from_data(self, data: Data) -> list[Any]:
        """Return the list of plain values; see ``Type``."""
        if data.tag == Tag.ARRAY:
            return [self.element.from_data(tagged) for tagged in data.value]
        if data.tag == Tag.COMPACT_ARRAY:
            return [self.element.from_data(tagged) for tagged in data.value.elements]
        raise TypeMismatch(f"expected {self}, got {data.tag.type_name}")

    def __str__(self) -> str:
        return f"array of {self.element}"


class ChoiceOf(Struct, frozen=True):
    """One of several types; the first that fits is taken.

    Args:
        alternatives: the types.
    """

    alternatives: tuple[Type, ...]

    def to_data(self, value: Any) -> Data:
        """Return ``value`` as the first alternative that takes it; see ``Type``."""
        for alternative in self.alternatives:
            try:
                return alternative.to_data(value)
            except TypeMismatch:
                continue
        raise TypeMismatch(f"{self} takes no {type(value).__name__}")

    def from_data(self, data: Data) -> Any:
        """Return the plain value by the first alternative that fits; see ``Type``."""
        for alternative in self.alternatives:
            try:
                return alternative.from_data(data)
            except TypeMismatch:
                continue
        raise TypeMismatch(f"expected {self}, got {data.tag.type_name}")

    def __str__(self) -> str:
        return " or ".join(str(alternative) for alternative in self.alternatives)


class AnyType(Struct, frozen=True):
    """A type that the class leaves open; the Python value is the ``Data``.

    ``InterfaceClass.typed`` narrows it for an object whose type is known.
    """

    def to_data(self, value: Any) -> Data:
        """Return ``value``, which has to be ``Data``; see ``Type``."""
        if not isinstance(value, Data):
            raise TypeMismatch(f"a value of open type is given as Data, not {type(value).__name__}")
        return value

    def from_data(self, data: Data) -> Data:
        """Return ``data`` as it is."""
        return data

    def __str__(self) -> str:
        return "any type"


def structure_of(**fields: Type) -> StructureOf:
    """Return a structure of the given members, in the order in which they are given."""
    return StructureOf(tuple(fields.items()))


ANY: Final = AnyType()
NULL: Final = Simple(Tag.NULL)
BOOLEAN: Final = Simple(Tag.BOOLEAN)
INTEGER: Final = Simple(Tag.INTEGER)
UNSIGNED: Final = Simple(Tag.UNSIGNED)
LONG: Final = Simple(Tag.LONG)
LONG_UNSIGNED: Final = Simple(Tag.LONG_UNSIGNED)
DOUBLE_LONG: Final = Simple(Tag.DOUBLE_LONG)
DOUBLE_LONG_UNSIGNED: Final = Simple(Tag.DOUBLE_LONG_UNSIGNED)
LONG64_UNSIGNED: Final = Simple(Tag.LONG64_UNSIGNED)
ENUM: Final = Simple(Tag.ENUM)
BIT_STRING: Final = Simple(Tag.BIT_STRING)
OCTET_STRING: Final = Simple(Tag.OCTET_STRING)
VISIBLE_STRING: Final = Simple(Tag.VISIBLE_STRING)
UTF8_STRING: Final = Simple(Tag.UTF8_STRING)

#: The six octets of a logical name.
LOGICAL_NAME: Final = Simple(Tag.OCTET_STRING, 6)
#: A date and time, as attributes carry it: an octet-string of 12.
DATE_TIME: Final = Simple(Tag.OCTET_STRING, 12)
#: A date alone and a time alone, as attributes carry them.
DATE: Final = Simple(Tag.OCTET_STRING, 5)
TIME: Final = Simple(Tag.OCTET_STRING, 4)
#: What a method without a parameter takes: integer 0.
TRIGGER: Final = INTEGER


def bits(length: int) -> Simple:
    """Return a bit-string of so many bits."""
    return Simple(Tag.BIT_STRING, length)
