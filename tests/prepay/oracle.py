"""Friendly windows, minute by minute: slow, and written apart from ``prepay.friendly``.

A person stands before the wall clock and writes down what it shows, one line a UTC minute. A
weekly window of a week runs from the first line that shows its start to the last line that shows
its end; where the clock skips one of them, the next line that comes counts. A minute is friendly
when any window holds it. Nothing is merged, sorted or converted back.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
WEEK = 7 * 24 * 60

#: A weekly window: minutes of the wall clock from Monday 00:00; the end may be of the week after.
Weekly = tuple[int, int]
#: A dated window, as two minutes of UTC.
Dated = tuple[datetime, datetime]


class Diary:
    """What the wall clock of a zone showed, for ``days`` before and after ``middle``."""

    def __init__(self, zone: str, middle: datetime, days: int) -> None:
        self.first = middle - timedelta(days=days)
        place = ZoneInfo(zone)
        count = 2 * days * 24 * 60
        self.lines = [
            (self.first + number * MINUTE).astimezone(place).replace(tzinfo=None, fold=0)
            for number in range(count)
        ]
        self.shown: dict[datetime, list[int]] = {}
        for number, line in enumerate(self.lines):
            self.shown.setdefault(line, []).append(number)

    def line(self, wall: datetime, which: int) -> int | None:
        """Return the first (0) or last (-1) line that shows a wall time, or what came instead."""
        while wall <= self.lines[-1]:
            if wall in self.shown:
                return self.shown[wall][which]
            wall += MINUTE
        return None


@lru_cache
def diary(zone: str, middle: datetime, days: int) -> Diary:
    """Return a diary; it is written once."""
    return Diary(zone, middle, days)


def friendly_minutes(book: Diary, weekly: list[Weekly], dated: list[Dated]) -> list[bool]:
    """Say for each line of a diary whether a window holds it.

    Windows that began before the diary are missing: look at its second half only, and leave the
    last week out.
    """
    held = [False] * len(book.lines)
    day = book.lines[0].date()
    monday = datetime.combine(day, datetime.min.time()) - timedelta(days=day.weekday())
    while monday < book.lines[-1]:
        for start, end in weekly:
            first = book.line(monday + start * MINUTE, 0)
            last = book.line(monday + end * MINUTE, -1)
            if first is not None:
                for number in range(first, len(held) if last is None else last):
                    held[number] = True
        monday += WEEK * MINUTE
    for begin, finish in dated:
        for number in range(len(held)):
            held[number] |= begin <= book.first + number * MINUTE < finish
    return held


def utc(text: str) -> datetime:
    """Return a moment of UTC from "2026-03-29 01:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
