"""The rows of friendly windows: entries of a schedule, special days, and dates with wildcards.

They are classes 10 and 11 as plain values. How they are read as windows stands in
``prepay/schedule.py``.

The two dates of an entry are compared in the fields that they name; without a year they come again
every year (November to March goes over the turn), without year and month every month. The date
of a special day may also be "the last Sunday of March" or "the Monday on or after the 25th". So
what a wildcard leaves open is read as other DLMS software shows it to people; dates of daylight
saving are not taken here.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Final, Self

from msgspec import Struct

from obis.values import replace
from prepay.friendly import WEEK, FriendlyError, WeeklyWindow, merge_weekly

#: Rows that a table may have.
MAX_ENTRIES: Final = 512
MAX_SPECIAL_DAYS: Final = 1024
#: Day_ids that an entry can name.
MAX_DAY_IDS: Final = 32
#: Days of the month that are counted from its end, as COSEM dates have them.
SECOND_LAST: Final = 0xFD
LAST: Final = 0xFE
#: A schedule entry whose missed moments are made up for however late: the only kind there is here.
ALWAYS_VALID: Final = 0xFFFF

_DAY: Final = 24 * 60 * 60
_NO_YEAR: Final = 0xFFFF
_NO: Final = 0xFF


class ScheduleError(FriendlyError):
    """A row or a table that a calendar cannot have; the message says why."""


class DatePattern(Struct, frozen=True):
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


class ScheduleEntry(Struct, frozen=True):
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


class SpecialDay(Struct, frozen=True):
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


class Tables(Struct, frozen=True):
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
