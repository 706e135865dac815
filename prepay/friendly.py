"""Friendly windows: the times in which supply is never cut.

People agree on windows in the wall time of a place ("Friday 16:00 to Monday 08:00"); a cut happens
at one instant. So each edge of a weekly window is turned into an instant of UTC, and everything
else is done there. Two kinds of edge have no plain answer:

* **An edge that the clock skips** (02:30 on the night when 02:00 becomes 03:00) happens when the
  gap ends, at 03:00. A window that lies wholly in the gap does not happen that night.
* **An edge that the clock shows twice** (02:30 on the night when 03:00 becomes 02:00 again): a
  window starts at the first and ends at the second, so that doubt never cuts, and so that a
  window does not fall in two.

Windows that touch or overlap are one window: there is no edge between them. A window holds its
first instant and not its last. Dated windows are instants from the beginning.

Whether a window is in force is a pure function of the moment and the table. The answers come in
UTC, because Python compares two times of one zone by their wall time and so gets the repeated
hour wrong.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

#: The first instant of a window and the first after it, in UTC.
Span = tuple[datetime, datetime]

_EDGE = re.compile(r"([A-Za-z]{3}) ([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)")
_DAY = 24 * 60 * 60
_WEEK = 7 * _DAY
_ONE_WEEK = timedelta(weeks=1)
# Weeks around a moment in which the weekly window that holds it, or the next one, can start:
# the week before for one that runs over Sunday, two after for one that a clock change swallows.
_WEEKS_AROUND = range(-1, 3)
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # a week either side still has a date


class FriendlyError(ValueError):
    """A window, a table or a moment that makes no sense; the message says why."""


class CalendarKind(IntEnum):
    """Which holidays a profile's dated windows come from. How they are made is not known here."""

    NONE = 0
    ISRAEL = 1  # the festivals of the Jewish calendar as kept in Israel


class Weekday(IntEnum):
    """Days as ``datetime.weekday`` counts them."""

    MON = 0
    TUE = 1
    WED = 2
    THU = 3
    FRI = 4
    SAT = 5
    SUN = 6


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A window that comes every week, in wall time, to the second.

    Args:
        start_day: weekday of the start.
        start: wall time of the start.
        end_day: weekday of the end; the first one after the start, so less than a week on.
        end: wall time of the end; midnight is 00:00 of the day that follows.

    Raises:
        FriendlyError: start and end are the same, or a time has a zone or parts of a second.
    """

    start_day: Weekday
    start: time
    end_day: Weekday
    end: time

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.tzinfo is not None or moment.microsecond:
                raise FriendlyError(f"{moment} is not a wall time in whole seconds")
        if self.start_second == self._end_second:
            raise FriendlyError(f"the window {self} is empty, or a whole week: give two")

    @classmethod
    def parse(cls, start: str, end: str) -> "WeeklyWindow":
        """Return the window between two edges such as "Fri 16:00" and "Mon 08:00".

        Raises:
            FriendlyError: an edge is not a weekday of three letters and a time.
        """
        return cls(*_parse_edge(start), *_parse_edge(end))

    @property
    def start_second(self) -> int:
        """Seconds of wall time from Monday 00:00 to the start."""
        return _second_of_week(self.start_day, self.start)

    @property
    def end_second(self) -> int:
        """Seconds of wall time from the Monday 00:00 before the start to the end."""
        return self._end_second + (_WEEK if self._end_second < self.start_second else 0)

    @property
    def _end_second(self) -> int:
        return _second_of_week(self.end_day, self.end)

    def __str__(self) -> str:
        first = f"{self.start_day.name.title()} {self.start.isoformat('auto')}"
        return f"{first} to {self.end_day.name.title()} {self.end.isoformat('auto')}"


@dataclass(frozen=True, slots=True)
class DatedWindow:
    """A window that comes once, between two instants.

    Args:
        start: aware; the first instant inside.
        end: aware; the first instant after it.

    Both are kept in UTC.

    Raises:
        FriendlyError: a time without a zone, or an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _in_utc(self.start))
        object.__setattr__(self, "end", _in_utc(self.end))
        if self.start >= self.end:
            raise FriendlyError(f"a window cannot end at {self.end} that starts at {self.start}")


@dataclass(frozen=True)
class FriendlyCalendar:
    """All the windows of a place.

    Between two edges the answer does not change, so whoever asks often asks ``next_edge`` once.

    Args:
        zone: where the wall clock hangs.
        weekly: windows in wall time.
        dated: windows in instants, in any order.
        valid_until: until when the dated table is complete; None when it needs none. Past it the
            weekly windows still hold, and somebody has to be told in time.
    """

    zone: ZoneInfo
    weekly: tuple[WeeklyWindow, ...] = ()
    dated: tuple[DatedWindow, ...] = ()
    valid_until: datetime | None = None
    _segments: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)
    _spans: tuple[DatedWindow, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.valid_until is not None:
            object.__setattr__(self, "valid_until", _in_utc(self.valid_until))
        object.__setattr__(self, "_segments", _merge_weekly(self.weekly))
        object.__setattr__(self, "_spans", merge_dated(self.dated))

    @property
    def always(self) -> bool:
        """Whether the weekly windows leave no gap at all."""
        return any(end - start >= _WEEK for start, end in self._segments)

    def covers(self, moment: datetime) -> bool:
        """Whether a window is in force at ``moment``.

        Raises:
            FriendlyError: no zone, or a year that no meter lives in (2 to 9998 are taken).
        """
        return self.always or self._end_of_window(_in_utc(moment)) is not None

    def next_edge(self, after: datetime) -> datetime | None:
        """Return the first instant after ``after`` at which ``covers`` changes, in UTC.

        None when it never does: no window, or nothing but windows.

        Raises:
            FriendlyError: as ``covers``.
        """
        moment = _in_utc(after)
        if self.always:
            return None
        end = self._end_of_window(moment)
        if end is None:
            starts = (start for start, _ in self._around(moment) if start > moment)
            return min(starts, default=None)
        while (longer := self._end_of_window(end)) is not None:
            end = longer
        return end

    def runs_out_within(self, moment: datetime, notice: timedelta) -> bool:
        """Whether the dated table ends at ``moment`` plus ``notice`` or before."""
        return self.valid_until is not None and self.valid_until <= _in_utc(moment) + notice

    def _end_of_window(self, moment: datetime) -> datetime | None:
        """Return the latest end of the windows that hold ``moment``, if any does."""
        holding = (end for start, end in self._around(moment) if start <= moment < end)
        return max(holding, default=None)

    def _around(self, moment: datetime) -> Iterator[Span]:
        """Yield the windows that may hold ``moment``, and the next to start after it."""
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise FriendlyError(f"no windows in the year {moment.year}")
        index = bisect_right(self._spans, moment, key=lambda span: span.start)
        for window in self._spans[max(index - 1, 0) : index + 1]:
            yield window.start, window.end
        if self._segments:
            today = moment.astimezone(self.zone).date()
            monday = today - timedelta(days=today.weekday())
            for week in _WEEKS_AROUND:
                yield from _week(monday + week * _ONE_WEEK, self._segments, self.zone)


def merge_dated(windows: Iterable[DatedWindow]) -> tuple[DatedWindow, ...]:
    """Return the same cover as windows that are in order and do not touch."""
    merged: list[DatedWindow] = []
    for window in sorted(windows, key=lambda window: window.start):
        if merged and window.start <= merged[-1].end:
            end = max(merged[-1].end, window.end)
            merged[-1] = DatedWindow(merged[-1].start, end)
        else:
            merged.append(window)
    return tuple(merged)


def _merge_weekly(windows: Iterable[WeeklyWindow]) -> tuple[tuple[int, int], ...]:
    """Return the cover of a week as (start, end) seconds of wall time that do not touch.

    A week is a circle. Laid out three times in a row, every segment of the circle starts once in
    the middle round, whole.
    """
    rounds = sorted(
        (window.start_second + shift, window.end_second + shift)
        for window in windows
        for shift in (-_WEEK, 0, _WEEK)
    )
    merged: list[tuple[int, int]] = []
    for start, end in rounds:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    if any(end - start >= _WEEK for start, end in merged):
        return ((0, _WEEK),)
    return tuple(segment for segment in merged if 0 <= segment[0] < _WEEK)


@lru_cache(maxsize=128)  # every meter of a place asks for the same few weeks
def _week(monday: date, segments: tuple[tuple[int, int], ...], zone: ZoneInfo) -> tuple[Span, ...]:
    """Return the windows that start in the wall-clock week of ``monday``, in UTC."""
    spans = (
        (_instant(monday, start, zone, last=False), _instant(monday, end, zone, last=True))
        for start, end in segments
    )
    return tuple((start, end) for start, end in spans if start < end)  # else wholly in a gap


def _instant(monday: date, second: int, zone: ZoneInfo, *, last: bool) -> datetime:
    """Return when the wall clock shows ``second`` of the week, in UTC; see the top.

    Args:
        monday: the first day of the week.
        second: seconds of wall time from its midnight.
        zone: where the wall clock hangs.
        last: of two answers take the second.
    """
    wall = datetime.combine(monday, time()) + timedelta(seconds=second)
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if early > late:
        return _end_of_gap(late, early, zone)
    return late if last else early


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second at which the clock of ``zone`` jumps, between two instants of UTC."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise FriendlyError(f"{moment} has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise FriendlyError(f"no windows in the year {moment.year}") from None


def _second_of_week(day: Weekday, at: time) -> int:
    return day * _DAY + at.hour * 3600 + at.minute * 60 + at.second


def _parse_edge(text: str) -> tuple[Weekday, time]:
    edge = _EDGE.fullmatch(text)
    try:
        if edge is not None:
            return Weekday[edge[1].upper()], time.fromisoformat(edge[2])
    except (KeyError, ValueError):  # no such day or no such time
        pass
    raise FriendlyError(f'{text[:32]!a} is not an edge of a week: write one such as "Fri 16:00"')
