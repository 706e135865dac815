"""Rows of a profile generic (class 7), a part of them, for people and for machines.

A register's column is scaled and has its unit above it; that costs one question a column.
"""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from headend.device import Device
from headend.errors import Refused, UsageError
from headend.reading.objects import name_of
from headend.reading.values import format_value, to_json
from headend.times import meter_text
from obis import catalogue
from obis.code import ObisCode
from obis.units import SCALERS, format_scaled, symbol
from protocol.axdr import Data, Tag
from protocol.cosem.profile_generic import (
    CAPTURE_OBJECT,
    ENTRY_DESCRIPTOR,
    RANGE_DESCRIPTOR,
)
from protocol.cosem.register import SCALER_UNIT
from protocol.cosem.types import ArrayOf, TypeMismatch
from protocol.cosem_time import CosemDate, CosemDateTime, CosemTime
from protocol.errors import AccessRefused, ProtocolError
from protocol.events import AttributeRef, SelectiveAccess

PROFILE_GENERIC: Final = 7
#: Access selectors of its buffer.
BY_RANGE, BY_ENTRY = 1, 2
_BUFFER, _COLUMNS, _IN_USE = 2, 3, 7
_DATE_TIME_OCTETS: Final = 12
_REGISTERS: Final = {3: 3, 4: 3, 5: 4}


class Part(Struct, frozen=True):
    """Which rows are asked for.

    Args:
        since: from this moment on, by the meter's clock.
        until: up to this moment.
        last: so many of the newest; with it there are no moments.
    """

    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None

    @classmethod
    def of(cls, since: str | None, until: str | None, last: int | None) -> "Part | None":
        """Return what the options of a command line say; None where they say nothing.

        Raises:
            UsageError: no moment, or moments and a number of rows.
        """
        if since is None and until is None:
            return None if last is None else cls(last=last)
        if last is not None:
            raise UsageError("--last or --from and --to, not both")
        return cls(_moment(since), _moment(until))


class Column(Struct, frozen=True):
    """A column: the attribute that it has captured, and how its numbers are read."""

    name: str
    scaler: int | None = None
    unit: str = ""

    @property
    def heading(self) -> str:
        """Its name, and its unit where it has one."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


def rows(device: Device, code: ObisCode, part: Part) -> tuple[list[Column], list[list[str]]]:
    """Read a part of a profile's buffer.

    Raises:
        Refused: it is no profile, or the meter does not give it by part.
    """
    columns = _columns(device, code)
    access = _by_entry(device, code, part.last) if part.last else _by_range(part)
    try:
        buffer = device.session.get(AttributeRef(PROFILE_GENERIC, code, _BUFFER), access)
    except AccessRefused as error:
        raise Refused(f"{code} does not give that part of its rows: {error}") from error
    if buffer.tag is not Tag.ARRAY:
        raise Refused(f"{code} answered with {buffer.tag.type_name} where rows were expected")
    return columns, [_cells(columns, row) for row in buffer.value]


def _columns(device: Device, code: ObisCode) -> list[Column]:
    found = device.get(code, PROFILE_GENERIC, _COLUMNS)
    try:
        captured = ArrayOf(CAPTURE_OBJECT).from_data(found)
        return [_column(device, *each) for each in captured]
    except (TypeMismatch, ValueError) as error:
        raise Refused(f"{code} has no columns that are known here: {error}") from error


def _column(device: Device, class_id: int, octets: bytes, index: int, _data_index: int) -> Column:
    code = ObisCode.from_bytes(octets)
    name = name_of(code) or str(code)
    if index != _BUFFER:  # attribute 2 is the value of nearly every class
        name = f"{name} attribute {index}"
    if class_id not in _REGISTERS or index != _BUFFER:
        return Column(name)
    try:
        scaling = device.session.get(AttributeRef(class_id, code, _REGISTERS[class_id]))
        scaler, unit = SCALER_UNIT.from_data(scaling)
    except (AccessRefused, TypeMismatch):
        return Column(name)
    return Column(name, scaler, symbol(unit)) if scaler in SCALERS else Column(name)


def _by_entry(device: Device, code: ObisCode, last: int) -> SelectiveAccess:
    used = device.get(code, PROFILE_GENERIC, _IN_USE).value
    if not isinstance(used, int) or isinstance(used, bool):
        raise Refused(f"{code} does not say how many rows it has")
    first = max(used - last, 0) + 1
    return SelectiveAccess(BY_ENTRY, ENTRY_DESCRIPTOR.to_data((first, max(used, 1), 1, 0)))


def _by_range(part: Part) -> SelectiveAccess:
    clock = (8, catalogue.CLOCK.to_bytes(), 2, 0)
    since = _stamp(part.since or datetime(1970, 1, 1))  # noqa: DTZ001 # the meter's wall clock
    until = _stamp(part.until or datetime(2099, 12, 31))  # noqa: DTZ001 # likewise
    return SelectiveAccess(BY_RANGE, RANGE_DESCRIPTOR.to_data((clock, since, until, [])))


def _stamp(moment: datetime) -> Data:
    """Return a moment of the meter's wall clock; its offset only where it says one."""
    if moment.tzinfo is not None:
        made = CosemDateTime.from_datetime(moment)
    else:
        made = CosemDateTime(CosemDate.from_date(moment), CosemTime.from_time(moment.time()))
    return Data(Tag.OCTET_STRING, made.to_bytes())


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no moment such as 2026-12-31T08:00") from None


def _cells(columns: list[Column], row: Data) -> list[str]:
    members = row.value if isinstance(row.value, tuple) else (row,)
    padded = [*columns, *(Column("") for _ in members[len(columns) :])]
    return [_cell(column, each) for column, each in zip(padded, members, strict=False)]


def _cell(column: Column, data: Data) -> str:
    value: Any = data.value
    if isinstance(value, bytes) and len(value) == _DATE_TIME_OCTETS:
        try:
            return meter_text(CosemDateTime.from_bytes(value))
        except ProtocolError:
            return value.hex().upper()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if column.scaler is None else format_scaled(value, column.scaler)
    plain = to_json(data)
    return str(plain) if isinstance(plain, str | bool | None) else format_value(data)
