"""Fill the calendar of a meter, its friendly windows for years ahead, or show it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import DATA, VALUE, Device
from headend.errors import Refused, UsageError
from headend.reach import reached
from headend.reading.objects import profile_of
from headend.report import Report
from headend.times import meter_text
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import Data, encode, octet_string
from protocol.cosem.schedule import SCHEDULE
from protocol.cosem.special_days_table import SPECIAL_DAYS_TABLE
from protocol.cosem.types import TypeMismatch, from_data, to_data
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, DecodeError
from protocol.events import AttributeRef

if TYPE_CHECKING:  # the calendars of the world take time, and most commands need none
    from prepay.profile import Profile
    from prepay.schedule import ScheduleEntry, Tables

#: The most years that tables are made for.
MOST_YEARS: Final = 20

_LONG_AGO: Final = CosemDateTime.from_datetime(datetime(2000, 1, 1, tzinfo=UTC))
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ENTRIES: Final = SCHEDULE.attributes[1].type
_DAYS: Final = SPECIAL_DAYS_TABLE.attributes[1].type


@click.command("calendar")
@click.option(
    "--years", type=click.IntRange(1, MOST_YEARS), default=10, show_default=True,
    help="Years that the tables last, from 1 January of the year before.",
)  # fmt: skip # as the others
@click.option("--show", "only_show", is_flag=True, help="Show the tables and change nothing.")
@with_context
def command(context: Context, years: int, only_show: bool) -> Report:
    """Fill the calendar of a meter, its friendly windows for years ahead, or show it.

    Example: prepay --port serial:./meter0 calendar --years 10
    """
    return calendar(context, years, only_show=only_show)


def calendar(context: Context, years: int = 10, *, only_show: bool = False) -> Report:
    """Fill the calendar of the meter at the context's port by its profile, or show it.

    While the tables are written no cut begins at the meter: the end of what it takes for complete
    is set to the past first, and to the new end last. Whatever goes wrong on the way leaves it so,
    and the same command done again completes it.

    Args:
        context: the run of the command.
        years: how long the tables last, 1 to ``MOST_YEARS``.
        only_show: change nothing.

    Raises:
        UsageError: the years are out of range.
        Refused: the meter is of no profile that is known here, has no such calendar, does not
            take the tables, or does not give them back as they were written.
        NoAnswer: see there.
    """
    if not 1 <= years <= MOST_YEARS:
        raise UsageError(f"a calendar is made for 1 to {MOST_YEARS} years")
    with reached(context) as device:
        profile = profile_of(device)
        if not only_show:
            if profile is None:
                raise Refused("the meter is of no profile that is known here: who knows its hours?")
            today = datetime.fromtimestamp(context.now() / 1000, profile.zone).date()
            _fill(device, _made(profile, today, years))
        return _shown(device, whole=only_show)


def _made(profile: "Profile", today: date, years: int) -> "Tables":
    from prepay.calendars import CalendarError, tables
    from prepay.schedule import ScheduleError

    try:
        return tables(profile, date(today.year - 1, 1, 1), years)
    except (CalendarError, ScheduleError) as error:
        raise UsageError(str(error)) from error


# --- writing -------------------------------------------------------------------------------------


def _fill(device: Device, made: "Tables") -> None:
    """Write tables and bounds in the safe order, and read them back."""
    from prepay.schedule_rows import entry_row, special_day_row

    rows = [entry_row(entry) for entry in made.entries]
    days = [special_day_row(day) for day in made.special_days]
    bounds = [
        CosemDateTime() if moment is None else CosemDateTime.from_datetime(moment)
        for moment in (made.complete_from, made.complete_until)
    ]
    since, until, ended = (octet_string(bound.to_bytes()) for bound in (*bounds, _LONG_AGO))
    steps = [
        (AttributeRef(DATA, catalogue.CALENDAR_UNTIL, VALUE), ended),
        (AttributeRef(11, catalogue.CALENDAR_SPECIAL_DAYS, VALUE), to_data(_DAYS, days)),
        (AttributeRef(10, catalogue.CALENDAR_SCHEDULE, VALUE), to_data(_ENTRIES, rows)),
        (AttributeRef(DATA, catalogue.CALENDAR_FROM, VALUE), since),
    ]
    for ref, value in steps:
        _write(device, ref, value)
    for ref, value in steps[1:3]:
        if device.get(ref.logical_name, ref.class_id) != value:
            raise Refused(f"the meter does not give {ref.logical_name} back as it was written")
    _write(device, AttributeRef(DATA, catalogue.CALENDAR_UNTIL, VALUE), until)


def _write(device: Device, ref: AttributeRef, value: Data) -> None:
    try:
        device.session.set(ref, value)
    except AccessRefused as error:
        raise Refused(f"the meter does not take {ref.logical_name}: {error}") from error


# --- showing -------------------------------------------------------------------------------------


def _shown(device: Device, *, whole: bool) -> Report:
    entries_data = device.get(catalogue.CALENDAR_SCHEDULE, 10)
    days_data = device.get(catalogue.CALENDAR_SPECIAL_DAYS, 11)
    entries, days = _rows(_ENTRIES, entries_data), _rows(_DAYS, days_data)
    since, until = (
        _bound(device, code) for code in (catalogue.CALENDAR_FROM, catalogue.CALENDAR_UNTIL)
    )
    octets = len(encode(entries_data)), len(encode(days_data))
    ends = bool(device.get(catalogue.CALENDAR_RUNS_OUT).value)
    data: dict[str, Any] = {
        "entries": len(entries),
        "special_days": len(days),
        "octets": sum(octets),
        "complete_from": since,
        "complete_until": until,
        "about_to_end": ends,
    }
    lines = [
        ("" if whole else "written and read back: ")
        + f"{len(entries)} entries, {len(days)} special days, {sum(octets)} octets",
        _complete(since, until) + (": about to end" if ends else ""),
    ]
    if not whole:
        return Report(data, lines)
    table = [*_entry_rows(entries), *_day_rows(days)]
    columns = ("row", "does", "at", "on", "from", "to")
    data["rows"] = [dict(zip(columns, row, strict=True)) for row in table]
    return Report(data, lines, columns, table)


def _complete(since: str | None, until: str | None) -> str:
    """Return the dates for which no window is missing, in words."""
    if since is None and until is None:
        return "complete for ever"
    return " ".join(
        ["complete", *([f"from {since}"] if since else []), *([f"until {until}"] if until else [])]
    )


def _rows(kind: Any, data: Data) -> list[tuple[Any, ...]]:
    try:
        found: list[tuple[Any, ...]] = from_data(kind, data)
    except TypeMismatch as error:
        raise Refused(f"what the meter holds is no such table: {error}") from error
    return found


def _entry_rows(rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, ...]]:
    from prepay.schedule import ScheduleError
    from prepay.schedule_rows import entry_of

    for row in rows:
        try:
            entry = entry_of(row)
        except ScheduleError as error:
            raise Refused(f"entry {row[0]} of the meter's schedule: {error}") from error
        does = "opens" if entry.opens else "closes"
        yield (
            f"entry {entry.index}",
            does if entry.enabled else f"({does})",
            entry.at.isoformat("auto"),
            _days_of(entry),
            "" if entry.begin.is_any else str(entry.begin),
            "" if entry.end.is_any else str(entry.end),
        )


def _days_of(entry: "ScheduleEntry") -> str:
    named = [day for day, bit in zip(_WEEKDAYS, entry.weekdays, strict=True) if bit == "1"]
    named += [f"day_id {number}" for number, bit in enumerate(entry.day_ids) if bit == "1"]
    return " ".join(named) or "no day"


def _day_rows(rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, ...]]:
    from prepay.schedule import ScheduleError
    from prepay.schedule_rows import special_day_of

    for row in rows:
        try:
            day = special_day_of((row[0], row[1], row[2]))
        except ScheduleError as error:
            raise Refused(f"special day {row[0]} of the meter: {error}") from error
        yield (f"day {day.index}", f"day_id {day.day_id}", "", str(day.pattern), "", "")


def _bound(device: Device, code: ObisCode) -> str | None:
    """Return a bound as text, None where there is none."""
    octets = device.get(code).value
    try:
        moment = CosemDateTime.from_bytes(bytes(octets))
    except (DecodeError, TypeError, ValueError) as error:
        raise Refused(f"{code} holds no date-time: {error}") from error
    return None if moment == CosemDateTime() else meter_text(moment, None)
