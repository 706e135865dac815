"""Calendars: Sabbath and festivals in Israel, and the holidays that Wallonia does not keep."""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays
import pytest
from astral import Observer
from astral.sun import dusk, sunset
from hypothesis import given, settings
from hypothesis import strategies as st

from obis.values import replace
from prepay.calendars import (
    CalendarError,
    HolyTimes,
    commissioned,
    dated_table,
    friendly_calendar,
    holy_window,
    is_festival_in_israel,
    of_windows,
    public_holidays,
)
from prepay.friendly import CalendarKind, DatedWindow
from prepay.profile import Place, load_profile

JERUSALEM_TIME = ZoneInfo("Asia/Jerusalem")
ISRAEL = load_profile("il")
WALLONIA = load_profile("be-wal")
ONE_DAY = timedelta(days=1)

PLACES = [
    pytest.param(31.778, 35.235, id="Jerusalem"),
    pytest.param(32.794, 34.989, id="Haifa"),
    pytest.param(29.557, 34.952, id="Eilat"),
]
TABLE = friendly_calendar(ISRAEL, date(2024, 1, 1), 12)


def local(text: str) -> datetime:
    """Return a moment of Israel's wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=JERUSALEM_TIME)


@pytest.mark.parametrize(("latitude", "longitude"), PLACES)
def test_the_sabbath_window_holds_every_sabbath_of_ten_years(
    latitude: float, longitude: float
) -> None:
    """From 40 minutes before sunset on Friday to nightfall, by the entries of the seasons alone."""
    weekly = of_windows(ISRAEL)
    observer = Observer(latitude, longitude)
    friday = date(2026, 1, 2)
    while friday.year < 2036:
        lighting = sunset(observer, friday, JERUSALEM_TIME) - timedelta(minutes=40)
        nightfall = dusk(observer, friday + ONE_DAY, 8.5, JERUSALEM_TIME)
        assert weekly.covers(lighting)
        end = weekly.next_edge(lighting)
        assert end is not None
        assert nightfall < end < nightfall + timedelta(minutes=100), friday
        friday += timedelta(weeks=1)


@pytest.mark.parametrize(
    ("moment", "friendly", "why"),
    [
        ("2026-11-20 15:39:59", False, "Friday, before the window"),
        ("2026-11-20 15:40", True, "Friday, an hour before sunset"),
        ("2026-11-21 17:29:59", True, "Sabbath, the last second"),
        ("2026-11-21 17:30", False, "and it is over"),
        ("2026-06-19 18:55", True, "Friday in summer"),
        ("2026-06-19 18:54:59", False, "and a second before"),
        ("2026-06-20 20:44:59", True, "Sabbath in summer"),
        ("2026-06-20 20:45", False, "over late in the evening"),
        ("2026-11-21 12:00", True, "Sabbath"),
        ("2026-11-21 21:00", False, "Saturday night"),
        ("2026-11-17 22:00", False, "a Tuesday night: no daily window in Israel"),
        ("2024-10-11 18:00", True, "Yom Kippur on a Sabbath, its eve"),
        ("2024-10-12 12:00", True, "Yom Kippur on a Sabbath"),
        ("2024-10-12 22:00", False, "after it"),
        ("2026-09-21 12:00", True, "Yom Kippur on a Monday"),
        ("2026-09-20 12:00", False, "the noon before it"),
        ("2026-09-21 20:00", False, "the night after it"),
        ("2026-04-05 12:00", False, "a working day in the middle of Passover"),
        ("2026-04-09 12:00", False, "the eighth day is kept abroad only"),
        ("2026-04-22 12:00", False, "Independence Day is no festival of rest"),
        ("2024-12-26 12:00", False, "Hanukkah"),
    ],
)
def test_the_days_of_israel(moment: str, friendly: bool, why: str) -> None:
    """By hand, from a printed calendar."""
    assert TABLE.covers(local(moment)) is friendly, why


@pytest.mark.parametrize(
    ("after", "last_holy_day", "why"),
    [
        ("2026-09-11 18:00", date(2026, 9, 13), "Sabbath runs into the second day of New Year"),
        ("2026-05-21 19:30", date(2026, 5, 23), "Pentecost on a Friday runs into Sabbath"),
        ("2024-10-02 18:30", date(2024, 10, 5), "two days of New Year and a Sabbath: three days"),
    ],
)
def test_holy_days_that_touch_are_one_window(after: str, last_holy_day: date, why: str) -> None:
    """No edge between them, and the end on the evening of the last."""
    edge = TABLE.next_edge(local(after))
    assert edge is not None
    assert edge.astimezone(JERUSALEM_TIME).date() == last_holy_day, why
    assert time(18) < edge.astimezone(JERUSALEM_TIME).time() <= time(21), why


@pytest.mark.parametrize(("latitude", "longitude"), PLACES[:1])
def test_every_minute_of_every_festival_is_friendly(latitude: float, longitude: float) -> None:
    """From the sun, day by day, without the runs of the table."""
    observer = Observer(latitude, longitude)
    day = date(2024, 1, 3)
    festivals = 0
    while day < date(2035, 12, 31):
        if is_festival_in_israel(day):
            festivals += 1
            moment = sunset(observer, day - ONE_DAY, JERUSALEM_TIME) - timedelta(minutes=40)
            nightfall = dusk(observer, day, 8.5, JERUSALEM_TIME).astimezone(UTC)
            assert TABLE.covers(moment)
            edge = TABLE.next_edge(moment)
            assert edge is not None
            assert edge >= nightfall, day
        day += ONE_DAY
    assert festivals == 12 * 8


def test_a_second_library_knows_the_same_festivals() -> None:
    """It counts Independence Day as well, on which supply may be cut."""
    days = (date(2020, 1, 1) + n * ONE_DAY for n in range(20 * 365))
    ours = {day for day in days if is_festival_in_israel(day)}
    others = holidays.country_holidays("IL", years=range(2020, 2040), language="en_US")
    theirs = {day for day, name in others.items() if "Independence" not in name}
    assert ours == {day for day in theirs if day <= max(ours)}


def test_weekday_holidays_are_not_friendly_in_wallonia() -> None:
    """At noon, every public holiday of ten years that is no Saturday or Sunday."""
    calendar = friendly_calendar(WALLONIA, date(2026, 1, 1), 10)
    kept = holidays.country_holidays("BE", years=range(2026, 2036))
    weekdays = [day for day in kept if day.weekday() < 5]
    assert len(weekdays) > 60
    for day in weekdays:
        assert not calendar.covers(datetime.combine(day, time(12), WALLONIA.zone)), day
    assert calendar.tables.special_days == ()
    assert calendar.valid_until is None


def test_a_table_says_until_when_it_is_complete() -> None:
    """To the midnight after its last day, an eve on that day included."""
    table = dated_table(ISRAEL, date(2026, 9, 22), 1)
    assert table.valid_until == local("2027-09-23 00:00")
    last_days = [window.end.astimezone(JERUSALEM_TIME).date() for window in table.windows]
    assert last_days == [
        date(2026, 9, 26),  # Tabernacles
        date(2026, 10, 3),  # the Eighth Day
        date(2027, 4, 22),  # Passover
        date(2027, 4, 28),  # its seventh day
        date(2027, 6, 12),  # Pentecost, a Friday, and the Sabbath after it
    ]
    eve = dated_table(ISRAEL, date(2025, 4, 1), 1)  # 2026-04-01 is the eve of Passover
    assert eve.windows[-1].start.astimezone(JERUSALEM_TIME).date() == date(2026, 4, 1)
    assert eve.valid_until is not None
    assert eve.windows[-1].start < eve.valid_until


def test_a_table_that_begins_in_a_festival_holds_it() -> None:
    """The second day of New Year still belongs to the window that began before."""
    table = dated_table(ISRAEL, date(2026, 9, 13), 1)
    assert table.windows[0] == DatedWindow(local("2026-09-11 18:10"), local("2026-09-13 19:25"))


@settings(deadline=None, max_examples=30)
@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 3))
def test_windows_come_in_order_and_apart(first: date, years: int) -> None:
    """Whole minutes, at least a day each, at most three and a half."""
    table = dated_table(ISRAEL, first, years)
    assert all(one.end < other.start for one, other in pairwise(table.windows))
    for window in table.windows:
        assert timedelta(hours=24) < window.end - window.start < timedelta(hours=75)
        assert window.start.second == window.end.second == 0


def test_the_customs_are_settings() -> None:
    """An hour earlier and a darker night make the window longer at both ends."""
    usual = dated_table(ISRAEL, date(2026, 1, 1), 1).windows[0]
    strict = HolyTimes(before_sunset=timedelta(minutes=100), depression=11.0)
    longer = dated_table(ISRAEL, date(2026, 1, 1), 1, strict).windows[0]
    assert usual.start - longer.start == timedelta(hours=1)
    assert longer.end > usual.end


def test_a_place_without_sunset_is_refused_by_name() -> None:
    """Tromsø in June."""
    with pytest.raises(CalendarError, match="no sunset"):
        holy_window(
            date(2026, 6, 20), date(2026, 6, 20), ZoneInfo("UTC"), Place(69.6, 18.9), HolyTimes()
        )


def test_a_profile_without_a_place_is_refused_by_name() -> None:
    """The loader refuses it too; a profile may be put together otherwise."""
    with pytest.raises(CalendarError, match="names no place"):
        dated_table(replace(ISRAEL, place=None), date(2026, 1, 1), 1)


@pytest.mark.parametrize(
    ("first", "years"),
    [(date(2026, 1, 1), 0), (date(2026, 1, 1), 51), (date(1, 1, 1), 1), (date(9999, 1, 1), 1)],
)
def test_years_that_no_meter_needs_are_refused(first: date, years: int) -> None:
    """Bounded before anything is computed."""
    with pytest.raises(CalendarError):
        dated_table(ISRAEL, first, years)


def test_every_kind_of_calendar_can_be_made() -> None:
    """Walks the registry: a kind that a profile may name has a maker."""
    for kind in CalendarKind:
        dated_table(replace(ISRAEL, holidays=kind), date(2026, 1, 1), 1)


# --- public holidays ------------------------------------------------------------------------------

#: Written down by hand. In Great Britain, as newspapers report of gov.uk, Boxing Day falls on a
#: Saturday and 28 December is in lieu of it; the day itself is kept here too.
PUBLIC = {
    CalendarKind.BELGIUM: (
        "2026-01-01 2026-04-05 2026-04-06 2026-05-01 2026-05-14 2026-05-24 2026-05-25 2026-07-21"
        " 2026-08-15 2026-11-01 2026-11-11 2026-12-25"
    ),
    CalendarKind.IRELAND: (
        "2026-01-01 2026-02-02 2026-03-17 2026-04-06 2026-05-04 2026-06-01 2026-08-03 2026-10-26"
        " 2026-12-25 2026-12-26"
    ),
    CalendarKind.GREAT_BRITAIN: (
        "2026-01-01 2026-04-03 2026-04-06 2026-05-04 2026-05-25 2026-08-31 2026-12-25 2026-12-26"
        " 2026-12-28"
    ),
}


@pytest.mark.parametrize(("kind", "dates"), PUBLIC.items(), ids=[kind.name for kind in PUBLIC])
def test_the_public_holidays_of_2026(kind: CalendarKind, dates: str) -> None:
    """Easter and Whit Sunday are in the Belgian list; 28 December is in lieu of Boxing Day."""
    found = public_holidays(kind, date(2026, 1, 1), date(2026, 12, 31))
    assert [day.isoformat() for day in found] == dates.split()


def test_a_profile_that_names_public_holidays_keeps_them_whole() -> None:
    """Wallonia if it did: All Saints' eve to the end of the night after, and no edge in between."""
    profile = replace(WALLONIA, holidays=CalendarKind.BELGIUM)
    kept = friendly_calendar(profile, date(2026, 1, 1), 2)
    brussels = partial(datetime, tzinfo=WALLONIA.zone)
    assert kept.covers(brussels(2026, 11, 11, 12))  # a Wednesday
    assert kept.next_edge(brussels(2026, 11, 10, 17)) == brussels(2026, 11, 12, 8)
    assert kept.next_edge(brussels(2026, 5, 13, 17)) == brussels(2026, 5, 15, 8)  # Ascension
    assert kept.next_edge(brussels(2026, 12, 24, 17)) == brussels(2026, 12, 28, 8)  # a Friday
    assert kept.next_edge(brussels(2026, 11, 12, 12)) == brussels(2026, 11, 12, 16)
    assert kept.valid_until is not None


def test_a_public_holiday_alone_lasts_from_midnight_to_midnight() -> None:
    """Where no weekly window is there to make it longer; two that touch are one."""
    alone = replace(WALLONIA, holidays=CalendarKind.IRELAND, weekly=())
    kept = friendly_calendar(alone, date(2026, 1, 1), 1)
    brussels = partial(datetime, tzinfo=WALLONIA.zone)
    assert kept.next_edge(brussels(2026, 12, 1)) == brussels(2026, 12, 25)
    assert kept.next_edge(brussels(2026, 12, 25)) == brussels(2026, 12, 27)


def test_yom_kippur_on_a_sabbath_has_no_edge_inside() -> None:
    """In 2028 it is 30 September: from the Friday's candle lighting to the Saturday's nightfall."""
    kept = friendly_calendar(ISRAEL, date(2027, 1, 1), 3)
    edge = kept.next_edge(local("2028-09-29 18:00"))
    assert edge == local("2028-09-30 19:35").astimezone(UTC)
    start = kept.next_edge(local("2028-09-28 12:00"))
    assert start is not None
    assert start.astimezone(JERUSALEM_TIME).date() == date(2028, 9, 29)


def test_dated_windows_of_one_s_own_are_laid_over_those_of_the_profile() -> None:
    """For a meter in the laboratory; with the dates for which they are complete."""
    noon, three = local("2026-11-24 12:00"), local("2026-11-24 15:00")
    kept = of_windows(ISRAEL, [DatedWindow(noon, three)], noon, local("2027-01-01 00:00"))
    assert kept.next_edge(noon) == three
    assert kept.covers(local("2026-11-28 12:00"))
    assert kept.complete(noon)
    assert not kept.complete(noon - timedelta(seconds=1))


def test_meters_of_one_place_and_year_share_their_calendar() -> None:
    """What it has worked out for one is not worked out again for another."""
    assert commissioned(ISRAEL, date(2026, 3, 1)) is commissioned(ISRAEL, date(2026, 11, 22))
