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

The two dates of an entry are compared in the fields that they name; without a year they come again
every year (November to March goes over the turn), without year and month every month. The date
of a special day may also be "the last Sunday of March" or "the Monday on or after the 25th". So
what a wildcard leaves open is read as other DLMS software shows it to people; dates of daylight
saving are not taken here.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self, TypeVar
from zoneinfo import ZoneInfo

from prepay.friendly import WEEK, FriendlyError, WeeklyWindow, merge_weekly

#: Rows that a table may have.
MAX_ENTRIES: Final = 512
MAX_SPECIAL_DAYS: Final = 1024
#: Day_ids that an entry can name.
MAX_DAY_IDS: Final = 32
#: An entry that ran this long ago says nothing any more.
MEMORY: Final = timedelta(days=31)
#: The farthest that ``Schedule.next_edge`` looks ahead.
HORIZON: Final = timedelta(days=400)
#: Days of the month that are counted from its end, as COSEM dates have them.
SECOND_LAST: Final = 0xFD
LAST: Final = 0xFE
#: A schedule entry whose missed moments are made up for however late: the only kind there is here.
ALWAYS_VALID: Final = 0xFFFF

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DAY: Final = 24 * 60 * 60
_MEMORY_MS: Final = MEMORY // _MILLISECOND
_HORIZON_DAYS: Final = HORIZON.days
#: Local days in which an entry may lie whose moment is not older than ``MEMORY``.
_LOOK_BACK: Final = MEMORY.days + 1
_YEARS: Final = range(2, 9998)  # with the days around them
_CACHED_DAYS: Final = 512
_NO_YEAR: Final = 0xFFFF
_NO: Final = 0xFF
_Found = TypeVar("_Found")


class ScheduleError(FriendlyError):
    """A row or a table that a calendar cannot have; the message says why."""


@dataclass(frozen=True, slots=True)
class DatePattern:
    """A date, or the dates that a COSEM date with wildcards stands for; None is "any".

    Args:
        year: 1..9999.
        month: 1..12.
        day: 1..31, ``LAST`` or ``SECOND_LAST`` of the month.
        weekday: 1 (Monday)..7.

    Raises:
        ScheduleError: a field out of range, or a whole date that no calendar has.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("year", self.year, range(1, 10_000)),
            ("month", self.month, range(1, 13)),
            ("day", self.day, (*range(1, 32), SECOND_LAST, LAST)),
            ("weekday", self.weekday, range(1, 8)),
        ):
            if value is not None and value not in allowed:
                raise ScheduleError(f"{name} {value} is none of a calendar's")
        whole = self.whole
        if self.is_whole and (whole is None or self.weekday not in (None, whole.isoweekday())):
            raise ScheduleError(f"{self} is no day of the calendar")

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the pattern of one date."""
        return cls(day.year, day.month, day.day)

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Return what the 5 octets of a COSEM date say.

        Raises:
            ScheduleError: not 5 octets, or a field out of range.
        """
        if len(octets) != 5:
            raise ScheduleError(f"a date has 5 octets, not {len(octets)}")
        year = int.from_bytes(octets[:2], "big")
        return cls(
            None if year == _NO_YEAR else year,
            *(None if octet == _NO else octet for octet in octets[2:]),
        )

    def to_bytes(self) -> bytes:
        """Return the 5 octets of a COSEM date."""
        year = _NO_YEAR if self.year is None else self.year
        fields = (self.month, self.day, self.weekday)
        return year.to_bytes(2, "big") + bytes(_NO if one is None else one for one in fields)

    @property
    def is_whole(self) -> bool:
        """Whether year, month and day (from the front) are named: at most one date."""
        return self.year is not None and self.month is not None and (self.day or LAST) <= 31

    @property
    def is_any(self) -> bool:
        """Whether every date is meant."""
        return self == _ANY

    @property
    def whole(self) -> date | None:
        """The one date that is meant; None where it may be several, or none."""
        if not self.is_whole:
            return None
        try:
            return date(self.year or 0, self.month or 0, self.day or 0)
        except ValueError:
            return None

    def matches(self, today: date) -> bool:
        """Say whether a date is one of those meant."""
        if (self.year or today.year) != today.year or (self.month or today.month) != today.month:
            return False
        if self.weekday is None:
            return self.day is None or _day_of_month(self.day, today) == today.day
        if self.weekday != today.isoweekday():
            return False
        if self.day is None:
            return True
        if self.day in (LAST, SECOND_LAST):  # the last, or last but one, of this weekday
            left = (_days_in_month(today) - today.day) // 7
            return left == (0 if self.day == LAST else 1)
        return 0 <= today.day - self.day < 7  # the weekday on or after that day

    def __str__(self) -> str:
        year = "****" if self.year is None else f"{self.year:04d}"
        month = "**" if self.month is None else f"{self.month:02d}"
        ends = {None: "**", LAST: "last", SECOND_LAST: "second-last"}
        text = f"{year}-{month}-{ends.get(self.day) or f'{self.day:02d}'}"
        return text if self.weekday is None else f"{text} ({_WEEKDAYS[self.weekday - 1]})"


_ANY: Final = DatePattern()
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One row of the schedule.

    Args:
        index: 1 to 65535, its name; 0 is used for none.
        opens: it opens the window; else it closes it.
        at: time of day, to the second.
        weekdays: a bit a day, "1000000" is Monday.
        day_ids: a bit a day_id, the first for day_id 0; at most ``MAX_DAY_IDS``.
        begin: the first date on which it may run.
        end: the last one.
        enabled: it runs at all.
        validity: minutes within which other meters make up for a missed moment. Kept, and without
            effect: nothing is missed here.

    Raises:
        ScheduleError: a field that no entry has.
    """

    index: int
    opens: bool
    at: time
    weekdays: str = "0000000"
    day_ids: str = ""
    begin: DatePattern = _ANY
    end: DatePattern = _ANY
    enabled: bool = True
    validity: int = ALWAYS_VALID

    def __post_init__(self) -> None:
        if not 1 <= self.index <= 0xFFFF:
            raise ScheduleError(f"index {self.index} is not from 1 to 65535")
        if self.at.tzinfo is not None or self.at.microsecond:
            raise ScheduleError(f"{self.at} is no time of day in whole seconds")
        if len(self.weekdays) != 7 or len(self.day_ids) > MAX_DAY_IDS:
            raise ScheduleError(f"7 weekdays, and at most {MAX_DAY_IDS} day_ids")
        if not set(self.weekdays + self.day_ids) <= {"0", "1"}:
            raise ScheduleError("weekdays and day_ids are bits")
        if not 0 <= self.validity <= 0xFFFF:
            raise ScheduleError(f"a validity window of {self.validity} minutes")
        for edge in (self.begin, self.end):
            if edge.weekday is not None and not edge.is_whole:
                raise ScheduleError(f"{edge}: an entry's dates name a weekday only with a date")

    @property
    def second(self) -> int:
        """The second of the day at which it runs."""
        return self.at.hour * 3600 + self.at.minute * 60 + self.at.second

    @property
    def single(self) -> date | None:
        """The only date on which it may run, None where there may be more."""
        return self.begin.whole if self.begin == self.end else None

    def between(self, today: date) -> bool:
        """Say whether a date lies between its two dates."""
        first, here = _compared(self.begin, today)
        last, there = _compared(self.end, today)
        if first > last and self.begin.year is None and len(here) == len(there):
            return here >= first or there <= last  # over the turn of the year, or of the month
        return first <= here and there <= last


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """One row of the special days table: the dates, and what kind of day they are.

    Args:
        index: 0 to 65535, its name.
        pattern: the dates.
        day_id: 0 to 255; entries can name those below ``MAX_DAY_IDS``.

    Raises:
        ScheduleError: a number out of range.
    """

    index: int
    pattern: DatePattern
    day_id: int

    def __post_init__(self) -> None:
        if not (0 <= self.index <= 0xFFFF and 0 <= self.day_id <= 0xFF):
            raise ScheduleError(f"index {self.index} or day_id {self.day_id} is out of range")


@dataclass(frozen=True, slots=True)
class Tables:
    """The two tables, and the dates for which they are known to be complete.

    Args:
        entries: the schedule.
        special_days: the dates that are not like their weekday.
        complete_from: aware; from when on no window is missing; None for always.
        complete_until: aware; until when; None for ever.

    Raises:
        ScheduleError: too many rows, two of one index, or a moment without a zone.
    """

    entries: tuple[ScheduleEntry, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    complete_from: datetime | None = None
    complete_until: datetime | None = None

    def __post_init__(self) -> None:
        check_rows(self.entries, MAX_ENTRIES)
        check_rows(self.special_days, MAX_SPECIAL_DAYS)
        for moment in (self.complete_from, self.complete_until):
            if moment is not None and moment.utcoffset() is None:
                raise ScheduleError(f"{moment} has no zone")


def check_rows(rows: Iterable[ScheduleEntry | SpecialDay], most: int) -> None:
    """Check what holds for a whole table.

    Raises:
        ScheduleError: more than ``most`` rows, or two of one index.
    """
    indices = [row.index for row in rows]
    if len(indices) > most:
        raise ScheduleError(f"{len(indices)} rows; the table has room for {most}")
    if len(set(indices)) < len(indices):
        raise ScheduleError("two rows have one index")


@dataclass(frozen=True, slots=True)
class Stroke:
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


def weekly_entries(windows: Iterable[WeeklyWindow]) -> list[ScheduleEntry]:
    """Return the entries of weekly windows, weekdays that share an edge in one entry.

    Windows may touch and overlap; their union is what comes out.
    """
    edges: dict[tuple[int, bool], set[int]] = {}
    for start, end in merge_weekly(windows):
        if end - start >= WEEK:  # no gap: an opening a day is as good as any
            edges = {(0, True): set(range(7))}
            break
        for opens, second in ((True, start), (False, end)):
            day, at = divmod(second % WEEK, _DAY)
            edges.setdefault((at, opens), set()).add(day)
    return [
        ScheduleEntry(
            place,
            opens,
            time(at // 3600, at // 60 % 60, at % 60),
            "".join("1" if day in days else "0" for day in range(7)),
        )
        for place, ((at, opens), days) in enumerate(sorted(edges.items()), start=1)
    ]


def renumbered(entries: Iterable[ScheduleEntry]) -> tuple[ScheduleEntry, ...]:
    """Return the same entries with indices from 1 on, in their order."""
    return tuple(replace(entry, index=place) for place, entry in enumerate(entries, start=1))


def _keep(cache: dict[int, _Found], day: int, found: _Found) -> None:
    """Remember what a day comes to; a cache that is full begins anew."""
    if len(cache) >= _CACHED_DAYS:
        cache.clear()
    cache[day] = found


def _compared(edge: DatePattern, today: date) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the fields that an entry's date names, and the same ones of a date."""
    day = None if edge.day is None else _day_of_month(edge.day, today)
    pairs = ((edge.year, today.year), (edge.month, today.month), (day, today.day))
    named = [(one, here) for one, here in pairs if one is not None]
    return tuple(one for one, _ in named), tuple(here for _, here in named)


def _day_of_month(day: int, today: date) -> int:
    if day <= 31:
        return day
    return _days_in_month(today) - (day == SECOND_LAST)


def _days_in_month(today: date) -> int:
    return monthrange(today.year, today.month)[1]


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
