"""Cells of fixed layout from values.

The first octet of the value is the layout's version, then come the fields::

    class Relay(msgspec.Struct, frozen=True):
        state: ControlState  # an IntEnum
        causes: int
        closed: bool

    RELAY = Cell(4, 1, Relay, Struct("state" / Int8ub, "causes" / Int8ub, "closed" / Flag))

    journal.commit({RELAY.key(): RELAY.encode(relay)})
    relay = RELAY.decode(mounted.cells[RELAY.key()])
"""

import struct
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum, IntFlag
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_type_hints

from construct import Struct

from meter_fw.nvram.errors import CellError
from meter_fw.nvram.layout import MAX_VALUE, CellKey, compiled
from obis.values import field_names

T = TypeVar("T")


class Cell(Generic[T]):
    """One kind of cell, and how its value is laid out.

    Fields are integers (also ``IntEnum`` and ``IntFlag``), booleans and octets of fixed length,
    big-endian.

    Args:
        kind: the cell's kind, 0 to 255.
        version: of the layout, 0 to 255; a change of the layout takes the next.
        record: the type of the value.
        layout: construct's declaration of its fields, same names in the same order.

    Raises:
        TypeError: the declaration does not fit the value.
    """

    def __init__(self, kind: int, version: int, record: type[T], layout: Struct) -> None:
        names = field_names(record)
        if list(names) != [field.name for field in layout.subcons]:
            raise TypeError(f"the layout does not name the fields of {record.__name__}")
        self.kind = kind
        self.version = version
        self._key = CellKey(kind)
        self.layout = layout
        self._record = record
        self._form = struct.Struct(">B" + compiled(layout).format[1:])
        if self._form.size > MAX_VALUE:
            raise TypeError(f"{record.__name__} needs {self._form.size} octets of {MAX_VALUE}")
        #: gives the fields of a value in the order of the layout: equal where the value is equal
        self.values: Callable[[T], tuple[Any, ...]] = self._picker(names)
        self._enums = tuple(_enums(record, names))
        self._octets = tuple(_octet_fields(layout))

    def key(self, index: int = 0) -> CellKey:
        """Return the key of the cell of this kind with that index."""
        return CellKey(self.kind, index) if index else self._key

    @property
    def size(self) -> int:
        """Octets of the value."""
        return self._form.size

    def encode(self, value: T) -> bytes:
        """Return the octets of ``value``.

        Raises:
            CellError: a field does not fit its place.
        """
        return self.pack(self.values(value))

    def _picker(self, names: Sequence[str]) -> Callable[[T], tuple[Any, ...]]:
        """Return what ``values`` does: it is asked for each cell at each tick."""
        pick = attrgetter(*names)
        return pick if len(names) > 1 else lambda value: (pick(value),)

    def pack(self, values: tuple[Any, ...]) -> bytes:
        """Return the octets of a value that is given field by field.

        Raises:
            CellError: a field does not fit its place.
        """
        for position, length in self._octets:
            # struct would cut what is too long and fill what is too short
            if len(values[position]) != length:
                raise CellError(f"{self._record.__name__}: not {length} octets")
        try:
            return self._form.pack(self.version, *values)
        except struct.error as error:
            raise CellError(f"{self._record.__name__}: {error}") from error

    def decode(self, octets: bytes) -> T:
        """Return the value that ``octets`` hold.

        Raises:
            CellError: another length or version, or an enumeration without that member.
        """
        if len(octets) != self._form.size or octets[0] != self.version:
            raise CellError(
                f"{self._record.__name__}: {len(octets)} octets of version {octets[:1].hex()}, "
                f"not {self._form.size} of {self.version:02x}"
            )
        _, *values = self._form.unpack(octets)
        try:
            for position, enum in self._enums:
                values[position] = enum(values[position])
        except ValueError as error:
            raise CellError(f"{self._record.__name__}: {error}") from error
        return self._record(*values)


def _enums(record: type, names: Sequence[str]) -> list[tuple[int, type[Enum]]]:
    hints = get_type_hints(record)
    enums: list[tuple[int, type[Enum]]] = []
    for position, name in enumerate(names):
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Enum):
            if not issubclass(hint, IntEnum | IntFlag):
                raise TypeError(f"{record.__name__}.{name}: only enumerations of integers")
            enums.append((position, hint))
    return enums


def _octet_fields(layout: Any) -> list[tuple[int, int]]:
    forms = [compiled(Struct(field)) for field in layout.subcons]
    return [(n, form.size) for n, form in enumerate(forms) if form.format.endswith("s")]
