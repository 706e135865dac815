"""Friendly windows: the times in which supply is never cut, as people agree on them.

They say so in the wall time of a place ("Friday 16:00 to Monday 08:00"), or by two moments. What a
meter lives by is a schedule that is made of them: ``prepay.schedule`` has the rules.

Windows that touch or overlap are one window: there is no edge between them. A window holds its
first moment and not its last. Moments are kept in UTC, because Python compares two times of one
zone by their wall time and so gets the repeated hour wrong.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

_EDGE = re.compile(r"([A-Za-z]{3}) ([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)")
_DAY = 24 * 60 * 60
#: Seconds of wall time in a week.
WEEK = 7 * _DAY


class FriendlyError(ValueError):
    """A window, a table or a moment that makes no sense; the message says why."""


class CalendarKind(IntEnum):
    """Which holidays a profile's dated windows come from. How they are made is not known here."""

    NONE = 0
    ISRAEL = 1  # the festivals of the Jewish calendar as kept in Israel
    BELGIUM = 2  # public holidays
    IRELAND = 3  # the same
    GREAT_BRITAIN = 4  # the bank holidays of England and Wales


class Weekday(IntEnum):
    """Days as ``datetime.weekday`` counts them."""

    MON = 0
    TUE = 1
    WED = 2
    THU = 3
    FRI = 4
    SAT = 5
    SUN = 6


class WeeklyWindow(Struct, frozen=True):
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
        return self._end_second + (WEEK if self._end_second < self.start_second else 0)

    @property
    def _end_second(self) -> int:
        return _second_of_week(self.end_day, self.end)

    def __str__(self) -> str:
        first = f"{self.start_day.name.title()} {self.start.isoformat('auto')}"
        return f"{first} to {self.end_day.name.title()} {self.end.isoformat('auto')}"


class DatedWindow(Struct, frozen=True):
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
        force_setattr(self, "start", _in_utc(self.start))
        force_setattr(self, "end", _in_utc(self.end))
        if self.start >= self.end:
            raise FriendlyError(f"a window cannot end at {self.end} that starts at {self.start}")


class Calendar(Protocol):
    """Whatever can say when a window is in force."""

    @property
    def valid_until(self) -> datetime | None:
        """Until when the answers are known to miss no window; None for ever."""

    def covers(self, moment: datetime) -> bool:
        """Say whether a window is in force at ``moment``."""

    def next_edge(self, after: datetime) -> datetime | None:
        """Return the first moment after ``after`` at which to ask again; None for never."""

    def runs_out_within(self, moment: datetime, notice: timedelta) -> bool:
        """Say whether the answers end at ``moment`` plus ``notice`` or before."""


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


def merge_weekly(windows: Iterable[WeeklyWindow]) -> tuple[tuple[int, int], ...]:
    """Return the cover of a week as (start, end) seconds of wall time that do not touch.

    A week is a circle. Laid out three times in a row, every segment of the circle starts once in
    the middle round, whole.
    """
    rounds = sorted(
        (window.start_second + shift, window.end_second + shift)
        for window in windows
        for shift in (-WEEK, 0, WEEK)
    )
    merged: list[tuple[int, int]] = []
    for start, end in rounds:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    if any(end - start >= WEEK for start, end in merged):
        return ((0, WEEK),)
    return tuple(segment for segment in merged if 0 <= segment[0] < WEEK)


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
