"""Friendly windows as a person with a wall clock and a list would keep them: slow, and plain.

Two kinds of list, one question (`open_at`, a moment of UTC) and one help for whoever steps through
time (`edges`, all moments at which the answer may change):

* `Spans`: from this wall time to that one, by week or by date; open where any span holds.
* `Timetable`: entries that open or close at a time of day (classes 10 and 11): of those that have
  run, the last one by the wall clock rules.

Nothing is shared with ``prepay``. A wall time becomes a moment by looking at the clock: one that
is skipped comes when the gap ends; of one that is shown twice an opening takes the first and a
closing the second.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
#: An entry that ran longer ago than this says nothing any more.
MEMORY = timedelta(days=31)

#: Weekday (Monday is 0) and time of day.
WeekTime = tuple[int, time]
#: Year, month, day; None stands for any.
Pattern = tuple[int | None, int | None, int | None]
ANY: Pattern = (None, None, None)


def moment(wall: datetime, zone: ZoneInfo, *, opens: bool) -> datetime:
    """Return the moment of UTC at which the clock of a zone shows a wall time."""
    while True:
        at = wall.replace(tzinfo=zone, fold=0 if opens else 1).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall:
            return at
        wall = wall.replace(second=0) + timedelta(minutes=1)  # skipped: try the next minute


class Windows:
    """No window at all; the two kinds of list say more."""

    #: The tables are known to be complete between these; outside of it no cut begins.
    complete: tuple[datetime, datetime] | None = None

    def open_at(self, at: datetime) -> bool:
        """Say whether a window holds at a moment."""
        return False

    def edges(self, day: date) -> list[datetime]:
        """Return the moments of a local day at which that may change."""
        return []

    def complete_at(self, at: datetime) -> bool:
        """Say whether the tables are known to be complete."""
        return self.complete is None or self.complete[0] <= at < self.complete[1]


@dataclass
class Spans(Windows):
    """Windows from one wall time to another, by week or by date; the end is outside."""

    zone: ZoneInfo
    weekly: list[tuple[WeekTime, WeekTime]] = field(default_factory=list)
    dated: list[tuple[datetime, datetime]] = field(default_factory=list)
    complete: tuple[datetime, datetime] | None = None
    weeks: dict[date, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return, as moments, every span that may touch the week of a day."""
        monday = day - day.weekday() * DAY
        if monday not in self.weeks:
            walls = list(self.dated)
            for week in (monday - 7 * DAY, monday, monday + 7 * DAY):
                for (first, start), (last, end) in self.weekly:
                    days = last - first + (7 if (last, end) <= (first, start) else 0)
                    begin = datetime.combine(week + first * DAY, start)
                    walls.append((begin, datetime.combine(begin.date() + days * DAY, end)))
            self.weeks[monday] = [
                (moment(a, self.zone, opens=True), moment(b, self.zone, opens=False))
                for a, b in walls
            ]
        return self.weeks[monday]

    def open_at(self, at: datetime) -> bool:
        """Say whether any span holds a moment."""
        return any(a <= at < b for a, b in self.spans(at.astimezone(self.zone).date()))

    def edges(self, day: date) -> list[datetime]:
        """Return the beginnings and ends that fall on a local day."""
        every = {edge for span in self.spans(day) for edge in span}
        return sorted(edge for edge in every if edge.astimezone(self.zone).date() == day)


@dataclass(frozen=True)
class Entry:
    """Opens or closes the window at a time of day, on some days."""

    opens: bool
    at: time
    weekdays: str = ""  # "0123456", Monday is 0
    day_ids: tuple[int, ...] = ()  # special days on which it runs
    begin: Pattern = ANY
    end: Pattern = ANY


def between(day: date, begin: Pattern, end: Pattern) -> bool:
    """Say whether a day lies between two dates; with wildcards they come again each year."""
    if begin == ANY and end == ANY:
        return True
    fields = [n for n in range(3) if begin[n] is not None]
    first, last, today = (
        tuple(value[n] for n in fields) for value in (begin, end, (day.year, day.month, day.day))
    )
    if first <= last or 0 in fields:  # with a year it cannot wrap
        return first <= today <= last
    return today >= first or today <= last


@dataclass
class Timetable(Windows):
    """Entries and special days; the entry that ran last says whether the window is open."""

    zone: ZoneInfo
    entries: Iterable[Entry]
    special: dict[Pattern, int] = field(default_factory=dict)
    complete: tuple[datetime, datetime] | None = None
    days: dict[date, list[tuple[datetime, bool]]] = field(default_factory=dict)

    def strokes(self, day: date) -> list[tuple[datetime, bool]]:
        """Return what runs on a local day, in the order of the wall clock, an opening last.

        Not in the order of the moments: in the night with an hour twice, the closing of 02:15
        comes after the opening of 02:30, and would end a window that the table has open.
        """
        if day not in self.days:
            ids = [self.special[p] for p in self.special if between(day, p, p)]
            runs = sorted(
                (entry.at, entry.opens)
                for entry in self.entries
                if between(day, entry.begin, entry.end)
                and (
                    any(one in entry.day_ids for one in ids)
                    if ids
                    else str(day.weekday()) in entry.weekdays
                )
            )
            self.days[day] = [
                (moment(datetime.combine(day, when), self.zone, opens=opens), opens)
                for when, opens in runs
            ]
        return self.days[day]

    def open_at(self, at: datetime) -> bool:
        """Look back day by day for the last stroke; none within the memory means closed."""
        day = at.astimezone(self.zone).date()
        for back in range(MEMORY.days + 2):
            for when, opens in reversed(self.strokes(day - back * DAY)):
                if when <= at:
                    return opens and at - when < MEMORY
        return False

    def edges(self, day: date) -> list[datetime]:
        """Return the strokes of a local day, and the ends of the memory of earlier ones."""
        edges = {when for when, _ in self.strokes(day)}
        for back in (30, 31, 32):  # 31 days of 24 hours may end on a neighbouring day
            edges |= {when + MEMORY for when, _ in self.strokes(day - back * DAY)}
        return sorted(edges)
