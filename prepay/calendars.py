"""The making of dated windows, years ahead, from the calendars of the world.

Whoever prepares a meter runs this (the head-end, the simulator); a meter carries only the table
that comes out. A festival is kept from before sunset of its eve to nightfall. How long before, and
how dark nightfall is, differs by custom: both are settings. Plain Sabbaths are not in the table, a
weekly window of the profile holds them; a Sabbath that touches a festival is, so that there is no
edge between the two.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from astral import Observer
from astral.sun import dusk, sunset
from pyluach.dates import HebrewDate

from prepay.friendly import CalendarKind, DatedWindow, FriendlyCalendar
from prepay.profile import Place, Profile

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
# Longer than any run of festivals and Sabbaths that touch (three days).
_LONGEST_RUN = timedelta(days=7)


class CalendarError(ValueError):
    """A table that cannot be made: the place has no sunset, or the years make no sense."""


@dataclass(frozen=True, slots=True)
class HolyTimes:
    """The customs that bound a holy day; settings.

    Args:
        before_sunset: candle lighting, as long before sunset of the eve; 40 minutes is the custom
            of Jerusalem.
        depression: degrees that the sun is below the horizon at nightfall; 8.5 is the usual one.
    """

    before_sunset: timedelta = timedelta(minutes=40)
    depression: float = 8.5


@dataclass(frozen=True, slots=True)
class DatedTable:
    """Dated windows, and until when no other is to be expected; None when none ever is."""

    windows: tuple[DatedWindow, ...]
    valid_until: datetime | None


def friendly_calendar(profile: Profile, first: date, years: int) -> FriendlyCalendar:
    """Return all the windows of a profile, dated ones for whole years from ``first``.

    Raises:
        CalendarError: see ``dated_table``.
    """
    table = dated_table(profile, first, years)
    return profile.calendar(table.windows, table.valid_until)


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


_MAKERS: dict[CalendarKind, Callable[[Profile, date, date, HolyTimes], DatedTable]] = {
    CalendarKind.NONE: _none,
    CalendarKind.ISRAEL: _israel,
}
