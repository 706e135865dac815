"""The friendly windows over the line: schedule, special days, scripts, and how long they hold.

| object | |
|---|---|
| 0-1:12.0.1 (class 10) | the schedule; script 1 opens the window, script 2 closes it |
| 0-1:11.0.2 (class 11) | the special days table |
| 0-1:10.0.106 (class 9) | the two scripts, so that the entries' references lead somewhere |
| 0-0:128.4.0, 128.4.1 | from when and until when the tables are complete; all FF is no bound |
| 0-0:128.4.2 | whether they are about to end |

What an entry does is decided by the clock (``prepay.schedule``): nobody executes the scripts, and
nobody can. A table written by a client replaces the factory's as a whole.

**The order in which to write them.** Each write is in force at once, and between two of them the
tables are half old and half new. So whoever writes both sets "complete until" to the past first:
then no cut begins. Then the special days, then the schedule, then "complete from", and last
"complete until": only now may a cut begin again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from meter_fw.calendar_tables import (
    bounds,
    tables,
    with_bounds,
    with_entries,
    with_special_days,
)
from meter_fw.identity import data
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.friendly import FriendlyError
from prepay.schedule import (
    MAX_ENTRIES,
    MAX_SPECIAL_DAYS,
    ScheduleEntry,
    SpecialDay,
    check_rows,
)
from prepay.schedule_rows import (
    CLOSE,
    OPEN,
    entry_of,
    entry_row,
    special_day_of,
    special_day_row,
)
from protocol.axdr import boolean
from protocol.codes import DataAccessResult
from protocol.cosem.data import DATA
from protocol.cosem.schedule import SCHEDULE
from protocol.cosem.script_table import SCRIPT_TABLE, ServiceId
from protocol.cosem.special_days_table import SPECIAL_DAYS_TABLE
from protocol.cosem.types import BOOLEAN, DATE_TIME
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import AccessRefused, DecodeError

#: That the tables are about to end is announced so long before.
NOTICE: Final = timedelta(days=90)

_NOTICE_MS: Final = NOTICE // timedelta(milliseconds=1)
_NO_BOUND: Final = CosemDateTime().to_bytes()
_Row = TypeVar("_Row", bound=ScheduleEntry | SpecialDay)


def runs_out(view: View) -> bool:
    """Say whether the tables end within ``NOTICE``, or have ended; False without a clock."""
    until = bounds(view.state, view.factory)[1]
    return until is not None and view.state.clock.known and view.clock >= until - _NOTICE_MS


# --- 10 Schedule ---------------------------------------------------------------------------------


def _get_entries(view: View) -> Any:
    return [entry_row(entry) for entry in tables(view.state, view.factory).entries]


def _entry(row: tuple[Any, ...]) -> ScheduleEntry:
    try:
        return entry_of(row)
    except FriendlyError as error:
        raise _refused(str(error)) from error


def _set_entries(view: View, rows: Any) -> Change:
    if len(rows) > MAX_ENTRIES:
        raise _refused(f"at most {MAX_ENTRIES} entries")
    return _with_entries(view, map(_entry, rows))


def _with_entries(view: View, entries: Iterable[ScheduleEntry]) -> Change:
    rows = tuple(entries)
    try:
        check_rows(rows, MAX_ENTRIES)
    except FriendlyError as error:
        raise _refused(str(error)) from error
    return Change(with_entries(view.state, rows))


def _enable_disable(view: View, ranges: tuple[int, int, int, int]) -> Change:
    """Disable the entries of range A, then enable those of range B; 0 to 0 is no entry."""
    off, on = _indices(*ranges[:2]), _indices(*ranges[2:])
    found = tables(view.state, view.factory).entries
    return _with_entries(view, (_switched(entry, off, on) for entry in found))


def _switched(entry: ScheduleEntry, off: range, on: range) -> ScheduleEntry:
    if entry.index not in off and entry.index not in on:
        return entry
    return replace(entry, enabled=entry.index in on)


def _insert_entry(view: View, row: tuple[Any, ...]) -> Change:
    """Put an entry in the place of the one that has its index, or behind all others."""
    new = _entry(row)
    return _with_entries(view, _with_row(tables(view.state, view.factory).entries, new))


def _delete_entries(view: View, ends: tuple[int, int]) -> Change:
    gone = _indices(*ends)
    found = tables(view.state, view.factory).entries
    left = tuple(entry for entry in found if entry.index not in gone)
    if len(left) == len(found):
        raise _refused("no entry has such an index")
    return _with_entries(view, left)


def _indices(first: int, last: int) -> range:
    if first > last:
        raise _refused(f"a range from {first} to {last}")
    return range(max(first, 1), last + 1)


# --- 11 Special days table -----------------------------------------------------------------------


def _get_special_days(view: View) -> Any:
    return [special_day_row(day) for day in tables(view.state, view.factory).special_days]


def _special_day(row: tuple[int, bytes, int]) -> SpecialDay:
    try:
        return special_day_of(row)
    except FriendlyError as error:
        raise _refused(str(error)) from error


def _set_special_days(view: View, rows: Any) -> Change:
    if len(rows) > MAX_SPECIAL_DAYS:
        raise _refused(f"at most {MAX_SPECIAL_DAYS} special days")
    return _with_special_days(view, map(_special_day, rows))


def _with_special_days(view: View, days: Iterable[SpecialDay]) -> Change:
    rows = tuple(days)
    try:
        check_rows(rows, MAX_SPECIAL_DAYS)
    except FriendlyError as error:
        raise _refused(str(error)) from error
    return Change(with_special_days(view.state, rows))


def _insert_special_day(view: View, row: tuple[int, bytes, int]) -> Change:
    """Put a day in the place of the one that has its index; another of its date goes."""
    new = _special_day(row)
    found = tables(view.state, view.factory).special_days
    others = (day for day in found if day.index == new.index or day.pattern != new.pattern)
    return _with_special_days(view, _with_row(others, new))


def _delete_special_day(view: View, index: int) -> Change:
    found = tables(view.state, view.factory).special_days
    left = tuple(day for day in found if day.index != index)
    if len(left) == len(found):
        raise _refused("no special day has such an index")
    return _with_special_days(view, left)


# --- how long they hold --------------------------------------------------------------------------


def _bound(view: View, which: int) -> bytes:
    at = bounds(view.state, view.factory)[which]
    return _NO_BOUND if at is None or at < 0 else view.stamp(at)


def _set_bound(view: View, which: int, octets: bytes) -> Change:
    since, until = (_moment(view, _bound(view, one)) for one in (0, 1))
    new = _moment(view, octets)
    bound = (new, until) if which == 0 else (since, new)
    return Change(with_bounds(view.state, *bound))


def _moment(view: View, octets: bytes) -> datetime | None:
    if octets == _NO_BOUND:
        return None
    try:
        return view.at(max(view.moment(CosemDateTime.from_bytes(octets)), 0))
    except (DecodeError, WildcardError) as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error


# ---------------------------------------------------------------------------------------------


def objects() -> tuple[CosemObject, ...]:
    """Return the calendar."""
    manager = Role.MANAGEMENT
    schedule = CosemObject(
        SCHEDULE,
        catalogue.CALENDAR_SCHEDULE,
        {2: Attribute(_get_entries, READERS, _set_entries, manager)},
        {
            1: Method(_enable_disable, manager),
            2: Method(_insert_entry, manager),
            3: Method(_delete_entries, manager),
        },
    )
    special_days = CosemObject(
        SPECIAL_DAYS_TABLE,
        catalogue.CALENDAR_SPECIAL_DAYS,
        {2: Attribute(_get_special_days, READERS, _set_special_days, manager)},
        {1: Method(_insert_special_day, manager), 2: Method(_delete_special_day, manager)},
    )
    scripts = CosemObject(
        SCRIPT_TABLE, catalogue.CALENDAR_SCRIPTS, {2: Attribute(lambda view: _SCRIPTS, READERS)}
    )
    return (
        schedule,
        special_days,
        scripts,
        _bound_object(catalogue.CALENDAR_FROM, 0),
        _bound_object(catalogue.CALENDAR_UNTIL, 1),
        data(catalogue.CALENDAR_RUNS_OUT, BOOLEAN, runs_out),
    )


def _bound_object(logical_name: ObisCode, which: int) -> CosemObject:
    attribute = Attribute(
        lambda view: _bound(view, which),
        READERS,
        lambda view, value: _set_bound(view, which, value),
        Role.MANAGEMENT,
    )
    return CosemObject(DATA.typed(value=DATE_TIME), logical_name, {2: attribute})


#: What the scripts say they do: they set the window in force, which follows from the clock.
_SCRIPTS: Final = [
    (
        script,
        [
            (
                int(ServiceId.WRITE_ATTRIBUTE),
                1,
                catalogue.FRIENDLY_WINDOW.to_bytes(),
                2,
                boolean(script == OPEN),
            )
        ],
    )
    for script in (OPEN, CLOSE)
]


def _with_row(rows: Iterable[_Row], new: _Row) -> list[_Row]:
    """Return rows with a new one in the place of that of its index, or behind them."""
    found = list(rows)
    places = [place for place, row in enumerate(found) if row.index == new.index]
    return [*found[: places[0]], new, *found[places[0] + 1 :]] if places else [*found, new]


def _refused(why: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.OTHER_REASON, why)
