"""Profile generic (class 7): a buffer of rows, whole, by range or by entry."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from meter_fw.server import Attribute, CosemObject
from meter_fw.view import Role, View
from obis.code import ObisCode
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem.profile_generic import (
    ENTRY_DESCRIPTOR,
    PROFILE_GENERIC,
    RANGE_DESCRIPTOR,
    SortMethod,
)
from protocol.cosem.types import Type, TypeMismatch
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import AccessRefused, DecodeError
from protocol.events import SelectiveAccess

BY_RANGE: Final = 1
BY_ENTRY: Final = 2

Rows = Callable[[View], Sequence[tuple[Any, ...]]]


class Column(Struct, frozen=True):
    """A captured attribute, and the type that its values have in the buffer."""

    class_id: int
    logical_name: ObisCode
    index: int
    type: Type
    data_index: int = 0

    @property
    def definition(self) -> tuple[int, bytes, int, int]:
        """The capture object definition, in the order of its structure."""
        return (self.class_id, self.logical_name.to_bytes(), self.index, self.data_index)


def profile_generic(
    logical_name: ObisCode,
    *,
    columns: tuple[Column, ...],
    rows: Rows,
    entries: int,
    readers: Role,
    period: int = 0,
) -> CosemObject:
    """Return a profile generic over ``rows``, which are in the order of capture.

    Args:
        logical_name: of the object.
        columns: what a row has; the first is the time, and restricts access by range.
        rows: the buffer, plain values in the order of the columns.
        entries: how many rows there may be.
        readers: who may read it.
        period: seconds between captures, 0 where an event captures.
    """
    buffer = _Buffer(columns, rows)
    return CosemObject(
        PROFILE_GENERIC,
        logical_name,
        {
            2: Attribute(buffer.read, readers, select=buffer.select, selectors=(1, 2)),
            3: Attribute(lambda view: [column.definition for column in columns], readers),
            4: Attribute(lambda view: period, readers),
            5: Attribute(lambda view: SortMethod.FIFO, readers),
            6: Attribute(lambda view: columns[0].definition, readers),
            7: Attribute(lambda view: len(rows(view)), readers),
            8: Attribute(lambda view: entries, readers),
        },
    )


class _Buffer(Struct, frozen=True):
    columns: tuple[Column, ...]
    rows: Rows

    def read(self, view: View) -> list[Data]:
        return self._encode(self.rows(view), self.columns)

    def select(self, view: View, access: SelectiveAccess) -> list[Data]:
        try:
            if access.selector == BY_ENTRY:
                return self._by_entry(view, ENTRY_DESCRIPTOR.from_data(access.parameters))
            return self._by_range(view, RANGE_DESCRIPTOR.from_data(access.parameters))
        except (TypeMismatch, DecodeError, WildcardError) as error:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error

    def _by_entry(self, view: View, asked: tuple[int, int, int, int]) -> list[Data]:
        first, last, first_column, last_column = asked
        if not max(first_column, 1) <= (last_column or len(self.columns)) <= len(self.columns):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such columns")
        rows = self.rows(view)[max(first, 1) - 1 : last or None]
        picked = slice(max(first_column, 1) - 1, last_column or None)
        return self._encode([row[picked] for row in rows], self.columns[picked])

    def _by_range(self, view: View, asked: tuple[Any, ...]) -> list[Data]:
        restricting, start, end, selected = asked
        if restricting != self.columns[0].definition:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "not by that column")
        since, until = self._moment(view, start), self._moment(view, end)
        picked = self._picked(selected)
        rows = [
            tuple(row[index] for index in picked)
            for row in self.rows(view)
            if since <= self._moment(view, Data(Tag.OCTET_STRING, row[0])) <= until
        ]
        return self._encode(rows, [self.columns[index] for index in picked])

    def _picked(self, selected: list[tuple[Any, ...]]) -> list[int]:
        """Return the indices of the selected columns; none selected is all of them."""
        definitions = [column.definition for column in self.columns]
        if len(selected) > len(definitions):  # the answer would outgrow the buffer
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "too many columns")
        if not all(definition in definitions for definition in selected):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such column")
        return [definitions.index(d) for d in selected] or list(range(len(definitions)))

    def _moment(self, view: View, data: Data) -> float:
        """Return a bound as seconds since 1970; without a deviation it is local time."""
        if data.tag not in (Tag.OCTET_STRING, Tag.DATE_TIME):
            raise TypeMismatch("a bound has to be a date-time")
        moment = CosemDateTime.from_bytes(data.value).to_datetime(view.factory.zone)
        return moment.timestamp()

    @staticmethod
    def _encode(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column]) -> list[Data]:
        return [
            Data(
                Tag.STRUCTURE,
                tuple(column.type.to_data(v) for column, v in zip(columns, row, strict=True)),
            )
            for row in rows
        ]
