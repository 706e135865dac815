"""Friendly windows as two tables: a schedule and its special days (classes 10 and 11).

The tables are what a meter carries and what any head-end can write. Whether a window is in force
is a pure function of the moment and of them, never of a script having run: a meter that slept
through an edge, or whose clock was set over it, knows as well as one that did not.

How the tables are read:

1. A date that the special days table names is special. On it only those entries run that have a
   day_id of its rows among their special days; on any other date those with its weekday. Either
   way only if they are enabled and the date lies between their two dates.
2. Each entry that runs opens or closes the window at its time of day. Of the entries whose moment
   has come, **the latest by the wall clock** decides: of the latest date, then of the latest time,
   then one that opens. If its moment is 31 days past or more, the window is closed.
3. A wall time that the clock skips comes when the gap ends; of one that it shows twice an opening
   takes the first and a closing the second.

Why by the wall clock, and not by the moment: in the night when an hour comes twice the closing of
02:15 comes after the opening of 02:30, and in the night when it is missing both come at once. In
both the window between two other edges has to stay what its table says.

The rows themselves, and what their wildcards mean, are in ``prepay/schedule_tables.py``.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from prepay.schedule_tables import (
    ALWAYS_VALID,
    LAST,
    MAX_DAY_IDS,
    MAX_ENTRIES,
    MAX_SPECIAL_DAYS,
    SECOND_LAST,
    DatePattern,
    ScheduleEntry,
    ScheduleError,
    SpecialDay,
    Tables,
    check_rows,
    renumbered,
    weekly_entries,
)

__all__ = [
    "ALWAYS_VALID",
    "HORIZON",
    "LAST",
    "MAX_DAY_IDS",
    "MAX_ENTRIES",
    "MAX_SPECIAL_DAYS",
    "MEMORY",
    "SECOND_LAST",
    "DatePattern",
    "Schedule",
    "ScheduleEntry",
    "ScheduleError",
    "SpecialDay",
    "Stroke",
    "Tables",
    "check_rows",
    "renumbered",
    "weekly_entries",
]

#: An entry that ran this long ago says nothing any more.
MEMORY: Final = timedelta(days=31)
#: The farthest that ``Schedule.next_edge`` looks ahead.
HORIZON: Final = timedelta(days=400)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MEMORY_MS: Final = MEMORY // _MILLISECOND
_HORIZON_DAYS: Final = HORIZON.days
#: Local days in which an entry may lie whose moment is not older than ``MEMORY``.
_LOOK_BACK: Final = MEMORY.days + 1
_YEARS: Final = range(2, 9998)  # with the days around them
_CACHED_DAYS: Final = 512
_Found = TypeVar("_Found")


class Stroke(Struct, frozen=True):
    """An entry on a date on which it runs.

    Args:
        second: of the day, by the wall clock.
        opens: or closes.
        at: the moment, ms since 1970.
    """

    second: int
    opens: bool
    at: int


@dataclass(frozen=True)
class Schedule:
    """Two tables at a place.

    Between two edges the answer does not change, so whoever asks often asks ``next_edge`` once.
    What the days near the last answers came to is remembered.

    Args:
        zone: where the wall clock hangs.
        tables: the tables.

    ``bounds`` are the dates for which they are complete, in ms since 1970: from (-1 is always) and
    until (None is for ever).
    """

    zone: ZoneInfo
    tables: Tables
    bounds: tuple[int, int | None] = field(init=False, repr=False, compare=False)
    _plan: "_Plan" = field(init=False, repr=False, compare=False)
    _days: dict[int, tuple[Stroke, ...]] = field(init=False, repr=False, compare=False)
    _known: dict[int, tuple[tuple[int, bool], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", _Plan(self.tables))
        since, until = self.tables.complete_from, self.tables.complete_until
        first = -1 if since is None else max(_milliseconds(since), 0)
        last = None if until is None else max(_milliseconds(until), 0)
        object.__setattr__(self, "bounds", (first, last))
        object.__setattr__(self, "_days", {})
        object.__setattr__(self, "_known", {})

    @property
    def valid_until(self) -> datetime | None:
        """Until when the tables are complete; None for ever."""
        return self.tables.complete_until

    def covers(self, moment: datetime) -> bool:
        """Say whether a window is in force at ``moment``.

        Raises:
            FriendlyError: no zone, or a year that no meter lives in.
        """
        return self._state(_milliseconds(moment))

    def next_edge(self, after: datetime) -> datetime | None:
        """Return the first moment after ``after`` at which ``covers`` changes, in UTC.

        Where none is within ``HORIZON``, the moment at which to ask again; None where no entry
        can ever run.

        Raises:
            FriendlyError: as ``covers``.
        """
        if not self._plan.entries:
            return None
        begin = _milliseconds(after)
        now, today = self._state(begin), self._today(begin)
        for day in range(today - 1, today + _HORIZON_DAYS):
            for at, state in self._answers(day):
                if at > begin and state is not now:
                    return _EPOCH + at * _MILLISECOND
        return after.astimezone(UTC) + HORIZON

    def complete(self, moment: datetime) -> bool:
        """Say whether the tables are known to miss no window at ``moment``."""
        first, last = self.tables.complete_from, self.tables.complete_until
        return (first is None or first <= moment) and (last is None or moment < last)

    def runs_out_within(self, moment: datetime, notice: timedelta) -> bool:
        """Say whether the tables end at ``moment`` plus ``notice`` or before."""
        last = self.tables.complete_until
        return last is not None and last - notice <= moment

    def strokes(self, day: date) -> tuple[Stroke, ...]:
        """Return what runs on a local date, in the order of the wall clock, openings last.

        What changes nothing is left out: see ``_telling``.
        """
        return self._strokes(day.toordinal())

    def _state(self, at: int) -> bool:
        """Say whether the window is open at ``at``, ms since 1970: the rules at the top."""
        today = self._today(at)
        for day in range(today + 1, today - _LOOK_BACK - 1, -1):
            for stroke in reversed(self._strokes(day)):
                if stroke.at <= at:
                    return stroke.opens and at - stroke.at < _MEMORY_MS
        return False

    def _answers(self, day: int) -> tuple[tuple[int, bool], ...]:
        """Return the moments of a local day at which the answer may change, each with it."""
        found = self._known.get(day)
        if found is None:
            moments = {stroke.at for stroke in self._strokes(day)}
            for back in (_LOOK_BACK - 2, _LOOK_BACK - 1, _LOOK_BACK):
                forgotten = (one.at + _MEMORY_MS for one in self._strokes(day - back))
                moments.update(at for at in forgotten if self._today(at) == day)
            found = tuple((at, self._state(at)) for at in sorted(moments))
            _keep(self._known, day, found)
        return found

    def _today(self, at: int) -> int:
        try:
            moment = (_EPOCH + at * _MILLISECOND).astimezone(self.zone)
        except OverflowError:
            raise ScheduleError("no windows before the year 2 or after 9997") from None
        if moment.year not in _YEARS:
            raise ScheduleError(f"no windows in the year {moment.year}")
        return moment.toordinal()

    def _strokes(self, day: int) -> tuple[Stroke, ...]:
        found = self._days.get(day)
        if found is None:
            today = date.fromordinal(day)
            found = tuple(
                Stroke(second, opens, _moment(today, second, self.zone, opens=opens))
                for second, opens in _telling(self._plan.edges(today))
            )
            _keep(self._days, day, found)
        return found


class _Plan:
    """The tables, laid out so that a date finds its entries without looking at all of them."""

    def __init__(self, tables: Tables) -> None:
        self.entries = [entry for entry in tables.entries if entry.enabled]
        self._single: dict[date, list[ScheduleEntry]] = {}
        self._spans: dict[tuple[DatePattern, DatePattern], _Span] = {}
        for entry in self.entries:
            if entry.single is not None:
                self._single.setdefault(entry.single, []).append(entry)
            else:
                span = self._spans.setdefault((entry.begin, entry.end), _Span(entry))
                span.add(entry)
        self._dates: dict[date, set[int]] = {}
        self._patterns: list[SpecialDay] = []
        for row in tables.special_days:
            if row.pattern.whole is not None:
                self._dates.setdefault(row.pattern.whole, set()).add(row.day_id)
            else:
                self._patterns.append(row)

    def edges(self, today: date) -> list[tuple[int, bool]]:
        """Return second of the day and direction of all that runs on a date, in order."""
        ids = self._dates.get(today, frozenset[int]()) | {
            row.day_id for row in self._patterns if row.pattern.matches(today)
        }
        bits = sum(1 << one for one in ids if one < MAX_DAY_IDS) if ids else 1 << today.weekday()
        found = {
            (one.second, one.opens)
            for one in self._single.get(today, ())
            if bits & _bits(one.day_ids if ids else one.weekdays)
        }
        for span in self._spans.values():
            rows = span.special if ids else span.weekly
            if any(bits & days for days in rows) and span.entry.between(today):
                found.update(*(edges for days, edges in rows.items() if bits & days))
        return sorted(found)


def _telling(edges: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """Return the edges of a day without those that never decide.

    These are a closing at the second of an opening, and what stands between two of its own
    direction. So a table that repeats itself costs no more than one that does not.
    """
    openings = {second for second, opens in edges if opens}
    left = [edge for edge in edges if edge[1] or edge[0] not in openings]
    return [
        edge
        for place, edge in enumerate(left)
        if not (0 < place < len(left) - 1)
        or not left[place - 1][1] is edge[1] is left[place + 1][1]
    ]


class _Span:
    """The entries that share two dates, as those of a season do: the dates are compared once.

    Args:
        entry: one of them, for its dates.

    ``weekly`` and ``special`` are the edges by the weekdays and day_ids on which they run.
    """

    def __init__(self, entry: ScheduleEntry) -> None:
        self.entry = entry
        self.weekly: dict[int, set[tuple[int, bool]]] = {}
        self.special: dict[int, set[tuple[int, bool]]] = {}

    def add(self, entry: ScheduleEntry) -> None:
        """Take in an entry of these dates."""
        edge = entry.second, entry.opens
        self.weekly.setdefault(_bits(entry.weekdays), set()).add(edge)
        self.special.setdefault(_bits(entry.day_ids), set()).add(edge)


def _bits(days: str) -> int:
    """Return days as a number: bit n is the n-th from the left."""
    return int("0" + days[::-1], 2)


def _keep(cache: dict[int, _Found], day: int, found: _Found) -> None:
    """Remember what a day comes to; a cache that is full begins anew."""
    if len(cache) >= _CACHED_DAYS:
        cache.clear()
    cache[day] = found


def _moment(day: date, second: int, zone: ZoneInfo, *, opens: bool) -> int:
    """Return when the clock of ``zone`` shows a second of a date, ms since 1970: rule 3."""
    wall = datetime.combine(day, time()) + timedelta(seconds=second)
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if early > late:
        return _milliseconds(_end_of_gap(late, early, zone))
    return _milliseconds(early if opens else late)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second at which the clock of ``zone`` jumps, between two moments of UTC."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _milliseconds(moment: datetime) -> int:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ScheduleError(f"{moment} has no zone")
    return (moment - _EPOCH) // _MILLISECOND
