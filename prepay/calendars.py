"""The making of a meter's calendar tables, years ahead, from the calendars of the world.

Whoever prepares a meter runs this (the head-end, the simulator); a meter carries only the two
tables that come out (``prepay.schedule``).

**What the tables are made of.** The weekly windows of the profile, and Sabbath where it keeps it,
come every week: entries without a year. Dated windows, of festivals and public holidays, are laid
over them (``prepay.overlay``).

**Sabbath** by season: sunset moves by three hours in a year, and a window that held every Friday's
would be hours too long. For each half of a month an entry opens before the earliest candle
lighting that any year has in it, by the clock of that year, and another closes after the latest
nightfall. Half months that round to the same time are one.

**A festival** is kept from before sunset of its eve to nightfall. How long before, and how dark
nightfall is, differs by custom: both are settings. **A public holiday** lasts from midnight to
midnight; a window of the night before or after makes it longer.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

import holidays
from astral import Observer
from astral.sun import dusk, sunset
from msgspec import Struct
from pyluach.dates import HebrewDate

from obis.values import replace
from prepay.friendly import CalendarKind, DatedWindow, merge_dated
from prepay.overlay import laid_over
from prepay.profile import Place, Profile
from prepay.schedule import (
    DatePattern,
    Schedule,
    ScheduleEntry,
    Tables,
    renumbered,
    weekly_entries,
)

#: Tables are made for so many years, from 1 January of the year before.
YEARS: Final = 10

_ONE_DAY = timedelta(days=1)
_FRIDAY, _SABBATH = "0000100", "0000010"
# Four years of dates: by how much the sun of one date differs between other years is in the margin.
_LEAP_CYCLE = range(2024, 2028)
# Years whose rules of daylight saving a season has to hold.
_CLOCK_YEARS = range(2020, 2080)
_MINUTE = timedelta(minutes=1)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SATURDAY = 5
# Longer than any run of festivals and Sabbaths that touch (three days).
_LONGEST_RUN = timedelta(days=7)


class CalendarError(ValueError):
    """A table that cannot be made: the place has no sunset, or the years make no sense."""


class HolyTimes(Struct, frozen=True):
    """The customs that bound a holy day; settings.

    Args:
        before_sunset: candle lighting, as long before sunset of the eve; 40 minutes is the custom
            of Jerusalem.
        depression: degrees that the sun is below the horizon at nightfall; 8.5 is the usual one.
        margin: by how much more a plain Sabbath's window is open at either end: for a meter that
            is not exactly at its profile's place.
    """

    before_sunset: timedelta = timedelta(minutes=40)
    depression: float = 8.5
    margin: timedelta = timedelta(minutes=10)


class DatedTable(Struct, frozen=True):
    """Dated windows, and until when no other is to be expected; None when none ever is."""

    windows: tuple[DatedWindow, ...]
    valid_until: datetime | None


def commissioned(profile: Profile, today: date) -> Schedule:
    """Return the calendar that a meter is given on a day: ``YEARS`` from the year before.

    The same profile and year give the same object: meters of one place share what it remembers.

    Raises:
        CalendarError: see ``dated_table``.
    """
    return _commissioned(profile, today.year - 1)


def friendly_calendar(profile: Profile, first: date, years: int) -> Schedule:
    """Return all the windows of a profile, dated ones for whole years from ``first``.

    Raises:
        CalendarError: see ``dated_table``.
    """
    return Schedule(profile.zone, tables(profile, first, years))


def tables(
    profile: Profile, first: date, years: int = YEARS, times: HolyTimes | None = None
) -> Tables:
    """Return the tables of a profile.

    Args:
        profile: names the windows, the calendar, the zone and the place.
        first: local date on which the dated part begins.
        years: how long it lasts, 1 to 50; see ``dated_table``.
        times: the customs, where the usual ones do not fit.

    Raises:
        CalendarError: as ``dated_table``.
        ScheduleError: so many years that the tables have no room for them.
    """
    dated = dated_table(profile, first, years, times)
    made = laid_over(_base(profile, times or HolyTimes()), dated.windows, profile.zone)
    if dated.valid_until is None:
        return made
    since = datetime.combine(first, time(), profile.zone)
    return replace(made, complete_from=since, complete_until=dated.valid_until)


def of_windows(
    profile: Profile,
    windows: Iterable[DatedWindow] = (),
    complete_from: datetime | None = None,
    complete_until: datetime | None = None,
) -> Schedule:
    """Return the calendar of a profile with dated windows of one's own choice.

    Raises:
        CalendarError: Sabbath cannot be had at the place.
        ScheduleError: too many windows, or a bound without a zone.
    """
    made = laid_over(_base(profile, HolyTimes()), windows, profile.zone)
    made = replace(made, complete_from=complete_from, complete_until=complete_until)
    return Schedule(profile.zone, made)


def sabbath_entries(profile: Profile, times: HolyTimes) -> list[ScheduleEntry]:
    """Return the entries of plain Sabbaths at the profile's place, by season, without a year.

    Raises:
        CalendarError: the profile names no place, or the sun does not set there.
    """
    if profile.place is None:
        raise CalendarError(f"profile {profile.name} names no place for sunset")
    found = []
    for opens, weekday in ((True, _FRIDAY), (False, _SABBATH)):
        seasons = _seasons(profile.place, profile.zone, times)
        for minute, run in groupby(seasons, key=lambda one: one.opens if opens else one.closes):
            halves = list(run)
            found.append(
                ScheduleEntry(
                    1,
                    opens,
                    time(*divmod(minute, 60)),
                    weekday,
                    begin=halves[0].begin,
                    end=halves[-1].end,
                )
            )
    return list(renumbered(found))


def dated_table(
    profile: Profile, first: date, years: int, times: HolyTimes | None = None
) -> DatedTable:
    """Return the dated windows of a profile.

    Args:
        profile: names the calendar, the zone and the place.
        first: local date on which the table begins.
        years: how many years of 365 days and a quarter it lasts, 1 to 50.
        times: the customs, where the usual ones do not fit.

    Raises:
        CalendarError: the years are out of range, or sunset cannot be had at the place.
    """
    if not 1 <= years <= 50 or not 1900 <= first.year <= 2200:
        raise CalendarError(f"a table of {years} years from {first} is none that a meter needs")
    last = first + timedelta(days=years * 1461 // 4)
    return _MAKERS[profile.holidays](profile, first, last, times or HolyTimes())


def holy_window(
    first: date, last: date, zone: ZoneInfo, place: Place, times: HolyTimes
) -> DatedWindow:
    """Return the window of holy days that touch: sunset of the eve to nightfall, whole minutes.

    Args:
        first: the first of the holy days (its eve is the evening before).
        last: the last of them.
        zone: of the dates.
        place: where the sun is watched.
        times: the customs.

    Raises:
        CalendarError: the sun does not set, or not that deep, on such a day.
    """
    observer = Observer(place.latitude, place.longitude)
    eve = first - _ONE_DAY
    try:
        down = sunset(observer, eve, zone)
        dark = dusk(observer, last, times.depression, zone)
    except ValueError as error:
        raise CalendarError(f"no sunset at {place} from {eve} to {last}: {error}") from error
    start = (down - times.before_sunset).replace(second=0, microsecond=0)
    end = dark.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return DatedWindow(start, end)


def public_holidays(kind: CalendarKind, first: date, last: date) -> list[date]:
    """Return the public holidays from ``first`` to ``last``, those in lieu included, in order."""
    country, part = _COUNTRIES[kind]
    years = range(first.year, last.year + 1)
    found = holidays.country_holidays(country, subdiv=part, years=years)
    return sorted(day for day in found if first <= day <= last)


def is_festival_in_israel(day: date) -> bool:
    """Whether work rests on a day as a festival in Israel; a plain Sabbath is none."""
    hebrew = HebrewDate.from_pydate(day)
    return hebrew.festival(israel=True, include_working_days=False) is not None


def _none(profile: Profile, first: date, last: date, times: HolyTimes) -> DatedTable:
    return DatedTable((), None)


def _israel(profile: Profile, first: date, last: date, times: HolyTimes) -> DatedTable:
    if profile.place is None:
        raise CalendarError(f"profile {profile.name} names no place for sunset")
    windows = tuple(
        holy_window(run[0], run[-1], profile.zone, profile.place, times)
        for run in _runs(first, last)
        if any(is_festival_in_israel(day) for day in run)
    )
    return DatedTable(windows, datetime.combine(last + _ONE_DAY, time(), profile.zone))


def _runs(first: date, last: date) -> Iterator[list[date]]:
    """Yield the runs of holy days that touch and that have an hour within ``first``..``last``.

    The eve is such an hour: a run may begin on the day after ``last``.
    """
    run: list[date] = []
    day = first - _LONGEST_RUN
    while day <= last + _LONGEST_RUN:
        if day.weekday() == _SATURDAY or is_festival_in_israel(day):
            run.append(day)
        else:
            if run and run[-1] >= first and run[0] <= last + _ONE_DAY:
                yield run
            run = []
        day += _ONE_DAY


def _public(
    kind: CalendarKind, profile: Profile, first: date, last: date, times: HolyTimes
) -> DatedTable:
    midnight = partial(datetime.combine, time=time(), tzinfo=profile.zone)
    windows = tuple(
        DatedWindow(midnight(day), midnight(day + _ONE_DAY))
        for day in public_holidays(kind, first, last)
    )
    return DatedTable(merge_dated(windows), midnight(last + _ONE_DAY))


@lru_cache(maxsize=64)
def _commissioned(profile: Profile, year: int) -> Schedule:
    return friendly_calendar(profile, date(year, 1, 1), YEARS)


def _base(profile: Profile, times: HolyTimes) -> list[ScheduleEntry]:
    """Return what comes every week, by the profile."""
    sabbaths = sabbath_entries(profile, times) if profile.sabbath else []
    return [*weekly_entries(profile.weekly), *sabbaths]


# --- Sabbath by season ---------------------------------------------------------------------------


class _HalfMonth(Struct, frozen=True):
    """A season: its dates of every year, and the minutes of the day at which Sabbath's window
    opens on a Friday and closes on a Saturday of it."""

    begin: DatePattern
    end: DatePattern
    opens: int
    closes: int


@lru_cache(maxsize=64)
def _seasons(place: Place, zone: ZoneInfo, times: HolyTimes) -> tuple[_HalfMonth, ...]:
    halves: dict[tuple[int, bool], list[tuple[float, float]]] = {}
    for (month, day), (down, dark) in sorted(_suns(place, times.depression).items()):
        minutes = halves.setdefault((month, day > 15), [])
        minutes += [(down + offset, dark + offset) for offset in _offsets(zone, month, day)]
    before = (times.before_sunset + times.margin) / _MINUTE
    after = times.margin / _MINUTE
    return tuple(
        _HalfMonth(
            DatePattern(None, month, 16 if second else 1),
            DatePattern(None, month, (_LONGEST[month - 1] if second else 15)),
            int(min(down for down, _ in minutes) - before) // 5 * 5,
            -int(-(max(dark for _, dark in minutes) + after) // 5) * 5,
        )
        for (month, second), minutes in halves.items()
    )


def _suns(place: Place, depression: float) -> dict[tuple[int, int], tuple[float, float]]:
    """Return the earliest sunset and the latest nightfall of each date, in minutes of UTC's day."""
    observer = Observer(place.latitude, place.longitude)
    found: dict[tuple[int, int], tuple[float, float]] = {}
    day = date(_LEAP_CYCLE.start, 1, 1)
    while day.year in _LEAP_CYCLE:
        noon = datetime.combine(day, time(), UTC)
        try:
            sun = sunset(observer, day, UTC), dusk(observer, day, depression, UTC)
        except ValueError as error:
            raise CalendarError(f"no sunset at {place} on {day}: {error}") from error
        down, dark = ((moment - noon) / _MINUTE for moment in sun)
        known = found.get((day.month, day.day), (down, dark))
        found[day.month, day.day] = min(known[0], down), max(known[1], dark)
        day += _ONE_DAY
    return found


def _offsets(zone: ZoneInfo, month: int, day: int) -> set[float]:
    """Return by how many minutes the clock is ahead of UTC on the evenings of a date."""
    years = (year for year in _CLOCK_YEARS if (month, day) != (2, 29) or year % 4 == 0)
    evenings = (datetime(year, month, day, 18, tzinfo=zone) for year in years)
    return {(evening.utcoffset() or timedelta()) / _MINUTE for evening in evenings}


_COUNTRIES: Final = {
    CalendarKind.BELGIUM: ("BE", None),
    CalendarKind.IRELAND: ("IE", None),
    CalendarKind.GREAT_BRITAIN: ("GB", "ENG"),  # England and Wales; the others have days of theirs
}
_MAKERS: dict[CalendarKind, Callable[[Profile, date, date, HolyTimes], DatedTable]] = {
    CalendarKind.NONE: _none,
    CalendarKind.ISRAEL: _israel,
    **{kind: partial(_public, kind) for kind in _COUNTRIES},
}
