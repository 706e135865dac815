"""Values that are structures on the wire: the fields of a class are the members, in their order.

So what a member is stands once, in the structure; to it and back the value goes by itself. A
moment is a ``CosemDateTime`` here and twelve octets there, all else is the plain value of its type.
"""

from typing import Any, ClassVar, Self

from msgspec import Struct

from protocol.axdr import Data
from protocol.cosem.types import DATE_TIME, StructureOf, TypeMismatch
from protocol.cosem_time import CosemDateTime
from protocol.errors import DecodeError


class StructureValue(Struct, frozen=True):
    """A value that is a structure; a class of it names that in ``TYPE``."""

    TYPE: ClassVar[StructureOf]

    def to_data(self) -> Data:
        """Return the value with its tags.

        Raises:
            TypeMismatch: a field is not of the declared type.
        """
        return self.TYPE.to_data(self.plain())

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the value that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        return cls.of_plain(cls.TYPE.from_data(data))

    def plain(self) -> tuple[Any, ...]:
        """Return the plain values of the members."""
        return tuple(_plain(getattr(self, name)) for name in self.__struct_fields__)

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Self:
        """Return the value of which the members have these plain values.

        Raises:
            TypeMismatch: one is no moment that has to be.
        """
        kinds = (kind for _, kind in cls.TYPE.fields)
        members = zip(kinds, plain, strict=True)
        return cls(*(moment(each) if kind == DATE_TIME else each for kind, each in members))


def moment(octets: bytes) -> CosemDateTime:
    """Return the moment that octets are.

    Raises:
        TypeMismatch: they are none.
    """
    try:
        return CosemDateTime.from_bytes(octets)
    except DecodeError as error:
        raise TypeMismatch(f"expected a COSEM date-time: {error}") from error


def _plain(value: Any) -> Any:
    return value.to_bytes() if isinstance(value, CosemDateTime) else value
