"""Rows of the two calendar tables as classes 10 and 11 carry them, for meter and head-end alike.

A row is a tuple of plain values in the order of the class: numbers, booleans, bits as "0101",
and the octets of times, dates and logical names.
"""

from datetime import time
from typing import Any, Final

from obis import catalogue
from prepay.schedule import DatePattern, ScheduleEntry, ScheduleError, SpecialDay

#: The scripts that entries execute, by what they do to the window.
OPEN: Final = 1
CLOSE: Final = 2

_ANY: Final = 0xFF


def entry_row(entry: ScheduleEntry) -> tuple[Any, ...]:
    """Return an entry as class 10 has it."""
    return (
        entry.index,
        entry.enabled,
        catalogue.CALENDAR_SCRIPTS.to_bytes(),
        OPEN if entry.opens else CLOSE,
        bytes((entry.at.hour, entry.at.minute, entry.at.second, 0)),
        entry.validity,
        entry.weekdays,
        entry.day_ids,
        entry.begin.to_bytes(),
        entry.end.to_bytes(),
    )


def entry_of(row: tuple[Any, ...]) -> ScheduleEntry:
    """Return the entry that a row of class 10 is.

    An eighth weekday is left out where it is 0: some clients write bits in whole octets.

    Raises:
        ScheduleError: it is nothing that a calendar of windows can do.
    """
    index, enabled, table, script, at, validity, weekdays, day_ids, begin, end = row
    if table != catalogue.CALENDAR_SCRIPTS.to_bytes() or script not in (OPEN, CLOSE):
        raise ScheduleError("an entry executes script 1 or 2 of the calendar's script table")
    return ScheduleEntry(
        index,
        script == OPEN,
        _time(at),
        weekdays[:7] if weekdays[7:] == "0" else weekdays,
        day_ids,
        DatePattern.from_bytes(begin),
        DatePattern.from_bytes(end),
        enabled,
        validity,
    )


def special_day_row(day: SpecialDay) -> tuple[int, bytes, int]:
    """Return a special day as class 11 has it."""
    return (day.index, day.pattern.to_bytes(), day.day_id)


def special_day_of(row: tuple[int, bytes, int]) -> SpecialDay:
    """Return the special day that a row of class 11 is.

    Raises:
        ScheduleError: no dates that a calendar has.
    """
    index, octets, day_id = row
    return SpecialDay(index, DatePattern.from_bytes(octets), day_id)


def _time(octets: bytes) -> time:
    """Return a switch time; a second that is not specified is 0, hundredths do not count."""
    hour, minute, second = octets[:3]
    try:
        return time(hour, minute, 0 if second == _ANY else second)
    except ValueError:
        raise ScheduleError(f"{octets.hex(' ').upper()} is no time of day to switch at") from None
