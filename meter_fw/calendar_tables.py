"""How the calendar tables lie in flash: packed rows, cut into parts of a cell each.

As long as no head-end has written a table, that of the factory holds and nothing is stored. The
first change stores the whole table; a later one rewrites the parts that differ, so that a row put
behind the others costs one part.

| row of the schedule | octets |
|---|---|
| index | 2 |
| flags: 0x80 enabled, 0x40 opens, and what follows: 0x20, 0x10, 0x02, 0x01 | 1 |
| hour, minute | 2 |
| second, if flagged 0x20: else 0 | 1 |
| validity window, if flagged 0x10: else 0xFFFF | 2 |
| weekdays, Monday is 0x80 | 1 |
| count of day_ids, then a bit each | 1 + count / 8 |
| first date, if flagged 0x02: else any | 5 |
| last date, if flagged 0x01: else as the first | 5 |

A special day is its index (2), its day_id (1) and its date (5). Dates are COSEM dates.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Final

from meter_fw.factory import Factory
from meter_fw.line_state import PART, CalendarState, TablePart
from meter_fw.state import MeterState
from obis.values import replace
from prepay.schedule import (
    ALWAYS_VALID,
    DatePattern,
    Schedule,
    ScheduleEntry,
    SpecialDay,
    Tables,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AS_MADE: Final = CalendarState()
_ENABLED, _OPENS, _SECONDS, _VALIDITY = 0x80, 0x40, 0x20, 0x10
_BEGIN, _END = 0x02, 0x01
_DATE: Final = 5


class Calendar:
    """The calendar in force: compiled anew when the state's tables have changed, and only then."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._of: MeterState | None = None
        self._schedule = factory.calendar

    def of(self, state: MeterState) -> Schedule:
        """Return the calendar of a state; the same object as long as its cells are the same."""
        last = self._of
        if last is None or not (
            state.calendar is last.calendar
            and state.schedule is last.schedule
            and state.special_days is last.special_days
        ):
            as_made = state.calendar == _AS_MADE
            self._schedule = (
                self._factory.calendar
                if as_made
                else Schedule(self._factory.zone, tables(state, self._factory))
            )
        self._of = state
        return self._schedule


def tables(state: MeterState, factory: Factory) -> Tables:
    """Return the tables in force: what a head-end has written, else the factory's."""
    held, made = state.calendar, factory.calendar.tables
    entries, days = made.entries, made.special_days
    return Tables(
        entries if held.entries < 0 else entries_of(_joined(state.schedule)),
        days if held.special_days < 0 else special_days_of(_joined(state.special_days)),
        _bound(held.since) if held.bounded else made.complete_from,
        _bound(held.until) if held.bounded else made.complete_until,
    )


def bounds(state: MeterState, factory: Factory) -> tuple[int, int | None]:
    """Return for which dates the tables are complete: from and until, ms since 1970.

    From -1 on is always; until None is for ever.
    """
    held = state.calendar
    if held.bounded:
        return held.since, None if held.until < 0 else held.until
    return factory.calendar.bounds


def with_entries(state: MeterState, entries: Iterable[ScheduleEntry]) -> MeterState:
    """Return the state with another schedule."""
    octets = packed_entries(entries)
    calendar = replace(state.calendar, entries=len(octets))
    parts = _parts(octets, state.schedule)
    return replace(state, calendar=calendar, schedule=parts)


def with_special_days(state: MeterState, days: Iterable[SpecialDay]) -> MeterState:
    """Return the state with another special days table."""
    octets = packed_special_days(days)
    calendar = replace(state.calendar, special_days=len(octets))
    parts = _parts(octets, state.special_days)
    return replace(state, calendar=calendar, special_days=parts)


def with_bounds(state: MeterState, since: datetime | None, until: datetime | None) -> MeterState:
    """Return the state with other dates for which its tables are complete; None is no bound."""
    held: CalendarState = replace(
        state.calendar, bounded=True, since=_milliseconds(since), until=_milliseconds(until)
    )
    return replace(state, calendar=held)


def packed_entries(entries: Iterable[ScheduleEntry]) -> bytes:
    """Return the rows of a schedule as they are stored."""
    return b"".join(map(_packed, entries))


def packed_special_days(days: Iterable[SpecialDay]) -> bytes:
    """Return the rows of a special days table as they are stored."""
    return b"".join(
        day.index.to_bytes(2, "big") + bytes((day.day_id,)) + day.pattern.to_bytes() for day in days
    )


def entries_of(octets: bytes) -> tuple[ScheduleEntry, ...]:
    """Return the rows that ``packed_entries`` has stored."""
    found = []
    rest = _Reader(octets)
    while rest.left:
        index, flags = rest.number(2), rest.number(1)
        hour, minute = rest.number(1), rest.number(1)
        second = rest.number(1) if flags & _SECONDS else 0
        validity = rest.number(2) if flags & _VALIDITY else ALWAYS_VALID
        weekdays = rest.bits(7)
        day_ids = rest.bits(rest.number(1))
        begin = rest.date() if flags & _BEGIN else DatePattern()
        end = rest.date() if flags & _END else begin
        found.append(
            ScheduleEntry(
                index,
                bool(flags & _OPENS),
                time(hour, minute, second),
                weekdays,
                day_ids,
                begin,
                end,
                bool(flags & _ENABLED),
                validity,
            )
        )
    return tuple(found)


def special_days_of(octets: bytes) -> tuple[SpecialDay, ...]:
    """Return the rows that ``packed_special_days`` has stored."""
    found = []
    rest = _Reader(octets)
    while rest.left:
        index, day_id = rest.number(2), rest.number(1)
        found.append(SpecialDay(index, rest.date(), day_id))
    return tuple(found)


def _packed(entry: ScheduleEntry) -> bytes:
    flags = (_ENABLED if entry.enabled else 0) | (_OPENS if entry.opens else 0)
    octets = bytes((entry.at.hour, entry.at.minute))
    if entry.at.second:
        flags |= _SECONDS
        octets += bytes((entry.at.second,))
    if entry.validity != ALWAYS_VALID:
        flags |= _VALIDITY
        octets += entry.validity.to_bytes(2, "big")
    octets += _bits(entry.weekdays) + bytes((len(entry.day_ids),)) + _bits(entry.day_ids)
    if not entry.begin.is_any:
        flags |= _BEGIN
        octets += entry.begin.to_bytes()
    if entry.end != entry.begin:
        flags |= _END
        octets += entry.end.to_bytes()
    return entry.index.to_bytes(2, "big") + bytes((flags,)) + octets


def _bits(bits: str) -> bytes:
    count = -(-len(bits) // 8)
    return int(bits.ljust(8 * count, "0") or "0", 2).to_bytes(count, "big")


class _Reader:
    """Octets from the front; they are our own, and whole."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._octets)

    def take(self, count: int) -> bytes:
        self._at += count
        return self._octets[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def bits(self, count: int) -> str:
        octets = self.take(-(-count // 8))
        return "".join(f"{octet:08b}" for octet in octets)[:count]

    def date(self) -> DatePattern:
        return DatePattern.from_bytes(self.take(_DATE))


def _joined(parts: Iterable[TablePart]) -> bytes:
    return b"".join(part.octets[: part.length] for part in parts)


def _parts(octets: bytes, before: tuple[TablePart, ...]) -> tuple[TablePart, ...]:
    """Return octets as parts; one that is as before is the same object."""
    cut = [octets[start : start + PART] for start in range(0, len(octets), PART)]
    made = tuple(
        TablePart(number, len(piece), piece.ljust(PART, b"\0")) for number, piece in enumerate(cut)
    )
    return before if made == before else made


def _bound(at: int) -> datetime | None:
    return None if at < 0 else _EPOCH + at * _MILLISECOND


def _milliseconds(moment: datetime | None) -> int:
    return -1 if moment is None else max((moment - _EPOCH) // _MILLISECOND, 0)
