"""Dated windows laid over those that come every week: the tables that come of both.

Each date that a dated window touches becomes a special day, on which none of the weekly entries
runs, and what opens and closes on that date, by either, is told by entries of that one date. So a
Sabbath that runs into a festival has no edge in between, and a date on which nothing opens or
closes has no entry at all. Whose windows they are is nothing that this module knows.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prepay.friendly import DatedWindow, merge_dated
from prepay.schedule import (
    MEMORY,
    DatePattern,
    Schedule,
    ScheduleEntry,
    SpecialDay,
    Tables,
    renumbered,
)

#: The day_id of the dates on which a dated window begins, lasts or ends.
HOLIDAY: Final = 1

_ONE_DAY = timedelta(days=1)
# An opening that makes no difference is told anyway when nothing else has run for so long.
_FRESH = MEMORY // 2
_ON_HOLIDAYS = "0" * HOLIDAY + "1"

#: From and to, by the wall clock.
_Span = tuple[datetime, datetime]


def laid_over(
    base: Iterable[ScheduleEntry], windows: Iterable[DatedWindow], zone: ZoneInfo
) -> Tables:
    """Return the tables of entries that come every week with dated windows laid over them.

    Args:
        base: entries by weekdays, without special days.
        windows: dated windows, in any order.
        zone: where the wall clock hangs.

    Raises:
        ScheduleError: too many windows.
    """
    entries = list(base)
    plain = Schedule(zone, Tables(renumbered(entries)))
    spans = [_wall(window, zone) for window in merge_dated(windows)]
    special: list[date] = []
    last = _midnight(date.min)
    for first, until, inside in _touched(spans, plain):
        special += (first + count * _ONE_DAY for count in range((until - first).days + 1))
        for at, opens, needed in _union(first, until, inside, plain):
            if needed or _is_stale(at, last, plain, special):
                entries.append(_dated_entry(at, opens))
                last = at
    days = (
        SpecialDay(number, DatePattern.of(day), HOLIDAY)
        for number, day in enumerate(special, start=1)
    )
    return Tables(renumbered(entries), tuple(days))


def _wall(window: DatedWindow, zone: ZoneInfo) -> _Span:
    """Return first and last moment of a window by the wall clock."""
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    return start.replace(tzinfo=None), end.replace(tzinfo=None)


def _touched(spans: list[_Span], plain: Schedule) -> Iterator[tuple[date, date, list[_Span]]]:
    """Yield runs of dates that dated windows touch: the first, the last, and those windows.

    A window that ends at midnight does not touch the next date, if a weekly one goes on there.
    """
    run: list[_Span] = []
    first = last = date.min
    for start, end in spans:
        until = end.date()
        if end.time() == time() and _was_open(plain, end):
            until -= _ONE_DAY
        if run and start.date() > last + _ONE_DAY:
            yield first, last, run
            run = []
        if not run:
            first = start.date()
        run, last = [*run, (start, end)], until
    if run:
        yield first, last, run


def _union(
    first: date, last: date, inside: list[_Span], plain: Schedule
) -> Iterator[tuple[datetime, bool, bool]]:
    """Yield what opens or closes from ``first`` to ``last``, by weekly and by dated windows.

    Each with whether it makes a difference: a weekly opening within a window makes none.
    """
    begin, end = _midnight(first), _midnight(last + _ONE_DAY)
    weekly = dict(_strokes(plain, first, last))
    dated = {edge for span in inside for edge in span}
    moments = sorted({begin, *weekly, *(edge for edge in dated if begin <= edge < end)})
    base = before = _was_open(plain, begin)
    for moment in moments:
        base = weekly.get(moment, base)
        now = base or any(start <= moment < until for start, until in inside)
        if now is not before or (now and weekly.get(moment, False)):
            yield moment, now, now is not before
        before = now


def _is_stale(at: datetime, last: datetime, plain: Schedule, special: list[date]) -> bool:
    """Say whether nothing has run for so long that an open window would be forgotten."""
    if at - last < _FRESH:
        return False
    days = (at.date() - back * _ONE_DAY for back in range(1, _FRESH.days + 1))
    return not any(plain.strokes(day) for day in days if day not in special)


def _dated_entry(at: datetime, opens: bool) -> ScheduleEntry:
    when = DatePattern.of(at.date())
    return ScheduleEntry(1, opens, at.time(), day_ids=_ON_HOLIDAYS, begin=when, end=when)


def _strokes(plain: Schedule, first: date, last: date) -> Iterator[tuple[datetime, bool]]:
    """Yield what the weekly entries do, by the wall clock; of equal moments the last counts."""
    for count in range((last - first).days + 1):
        day = first + count * _ONE_DAY
        for stroke in plain.strokes(day):
            yield _midnight(day) + timedelta(seconds=stroke.second), stroke.opens


def _was_open(plain: Schedule, moment: datetime) -> bool:
    """Say whether a weekly window is open up to a midnight, by the wall clock."""
    days = MEMORY.days
    return next(
        (
            strokes[-1].opens
            for back in range(1, days + 1)
            if (strokes := plain.strokes((moment - back * _ONE_DAY).date()))
        ),
        False,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
