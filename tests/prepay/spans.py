"""The judge of ``prepay.schedule``: friendly windows as a union of spans of time.

Each weekly window of each week is turned into two instants, and a moment is friendly when any of
them holds it: no entry, no order of entries, no day of a special kind. An edge that the clock skips
happens when the gap ends; of one that it shows twice a start takes the first and an end the
second; a window that lies wholly in a gap does not happen.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from prepay.friendly import (
    WEEK,
    DatedWindow,
    FriendlyError,
    WeeklyWindow,
    merge_dated,
    merge_weekly,
)

#: The first instant of a window and the first after it, in UTC.
Span = tuple[datetime, datetime]

_ONE_WEEK = timedelta(weeks=1)
# Weeks around a moment in which the weekly window that holds it, or the next one, can start:
# the week before for one that runs over Sunday, two after for one that a clock change swallows.
_WEEKS_AROUND = range(-1, 3)
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # a week either side still has a date


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
        object.__setattr__(self, "_segments", merge_weekly(self.weekly))
        object.__setattr__(self, "_spans", merge_dated(self.dated))

    @property
    def always(self) -> bool:
        """Whether the weekly windows leave no gap at all."""
        return any(end - start >= WEEK for start, end in self._segments)

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
    if moment.utcoffset() is None:
        raise FriendlyError(f"{moment} has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise FriendlyError(f"no windows in the year {moment.year}") from None
