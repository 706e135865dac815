"""Friendly windows as a meter keeps them: weekly in wall time, dated, merged, over clock changes.

Windows go in, the tables of classes 10 and 11 are made of them, and those are asked.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from obis.values import replace
from prepay.friendly import (
    DatedWindow,
    FriendlyError,
    Weekday,
    WeeklyWindow,
    merge_dated,
)
from prepay.overlay import laid_over
from prepay.schedule import HORIZON, Schedule, weekly_entries
from tests.prepay.oracle import WEEK, Dated, Weekly, diary, friendly_minutes, utc

BRUSSELS = ZoneInfo("Europe/Brussels")
HOURS = [
    WeeklyWindow.parse(start, end)
    for start, end in (
        ("Mon 16:00", "Tue 08:00"),
        ("Tue 16:00", "Wed 08:00"),
        ("Wed 16:00", "Thu 08:00"),
        ("Thu 16:00", "Fri 08:00"),
        ("Fri 16:00", "Mon 08:00"),
    )
]


def calendar_of(
    zone: ZoneInfo, weekly: Iterable[WeeklyWindow] = (), dated: Iterable[DatedWindow] = ()
) -> Schedule:
    """Return the tables of these windows, at a place."""
    return Schedule(zone, laid_over(weekly_entries(weekly), dated, zone))


WALLONIA = calendar_of(BRUSSELS, HOURS)


def local(text: str, zone: ZoneInfo = BRUSSELS, fold: int = 0) -> datetime:
    """Return a moment of wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def week(zone: str, *windows: tuple[str, str]) -> Schedule:
    """Return a calendar of weekly windows."""
    return calendar_of(ZoneInfo(zone), [WeeklyWindow.parse(start, end) for start, end in windows])


# --- by hand: Wallonia -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "friendly", "why"),
    [
        ("2026-11-20 15:59:59", False, "Friday, a second before the weekend"),
        ("2026-11-20 16:00:00", True, "Friday 16:00 belongs to the weekend"),
        ("2026-11-20 17:00:00", True, "Friday evening"),
        ("2026-11-22 12:00:00", True, "Sunday noon"),
        ("2026-11-23 07:59:59", True, "Monday, the last second"),
        ("2026-11-23 08:00:00", False, "Monday 08:00 is judged again"),
        ("2026-11-24 12:00:00", False, "Tuesday noon"),
        ("2026-11-25 03:00:00", True, "a weekday night"),
        ("2026-05-14 10:00:00", False, "Ascension, a Thursday: holidays are not covered"),
        ("2026-05-25 10:00:00", False, "Whit Monday"),
        ("2026-12-25 10:00:00", False, "Christmas on a Friday, before 16:00"),
        ("2026-08-15 10:00:00", True, "Assumption on a Saturday, as any Saturday"),
        ("2028-02-29 12:00:00", False, "the leap day is a Tuesday"),
        ("2028-02-29 07:59:59", True, "and its early morning a weekday night"),
    ],
)
def test_the_hours_of_wallonia(moment: str, friendly: bool, why: str) -> None:
    """Weekdays from 16:00 to 08:00 and the whole weekend, to the second."""
    assert WALLONIA.covers(local(moment)) is friendly, why


@pytest.mark.parametrize(
    ("after", "edge", "why"),
    [
        ("2026-11-20 17:00", "2026-11-23 08:00", "the weekend has no edge inside"),
        ("2026-11-20 08:00", "2026-11-20 16:00", "from an edge to the next"),
        ("2026-11-23 07:59:59", "2026-11-23 08:00", "a second before"),
        ("2026-11-23 08:00", "2026-11-23 16:00", "an edge is not after itself"),
        ("2028-02-28 17:00", "2028-02-29 08:00", "into the leap day"),
        ("2026-03-27 17:00", "2026-03-30 08:00", "the weekend with 63 hours"),
        ("2026-10-23 17:00", "2026-10-26 08:00", "the weekend with 65 hours"),
        ("2026-12-31 17:00", "2027-01-01 08:00", "into the new year"),
    ],
)
def test_the_next_edge_in_wallonia(after: str, edge: str, why: str) -> None:
    """Edges keep their wall time whatever the clock does on the way."""
    assert WALLONIA.next_edge(local(after)) == local(edge).astimezone(UTC), why


def test_weekends_with_a_clock_change_are_an_hour_shorter_or_longer() -> None:
    """Wall time counts, not hours."""
    for friday, hours in (("2026-03-20", 64), ("2026-03-27", 63), ("2026-10-23", 65)):
        start = local(f"{friday} 16:00").astimezone(UTC)
        end = WALLONIA.next_edge(start)
        assert end is not None
        assert end - start == timedelta(hours=hours)


# --- by hand: edges that the clock skips or shows twice ------------------------------------------


@pytest.mark.parametrize(
    ("window", "start", "end", "why"),
    [
        (("Sun 02:30", "Sun 04:00"), "01:00", "02:00", "a start in the gap: when the gap ends"),
        (("Sun 01:00", "Sun 02:30"), "00:00", "01:00", "an end in the gap: when the gap ends"),
        (("Sun 02:00", "Sun 03:00"), None, None, "wholly in the gap: not this night"),
        (("Sun 02:15", "Sun 02:45"), None, None, "wholly in the gap: not this night"),
        (("Sun 01:59", "Sun 03:01"), "00:59", "01:01", "two minutes around the gap"),
    ],
)
def test_spring_in_brussels(
    window: tuple[str, str], start: str | None, end: str | None, why: str
) -> None:
    """2026-03-29: 02:00 becomes 03:00 at 01:00 UTC."""
    calendar = week("Europe/Brussels", window)
    edge = calendar.next_edge(utc("2026-03-28 12:00"))
    if start is None or end is None:
        assert edge is not None
        assert edge.astimezone(BRUSSELS).date().isoformat() == "2026-04-05", why
        return
    assert edge == utc(f"2026-03-29 {start}"), why
    assert calendar.next_edge(edge) == utc(f"2026-03-29 {end}"), why


@pytest.mark.parametrize(
    ("window", "start", "end", "why"),
    [
        (("Sun 02:30", "Sun 04:00"), "00:30", "03:00", "it starts at the first 02:30"),
        (("Sun 01:00", "Sun 02:30"), "23:00", "01:30", "it ends at the second 02:30"),
        (("Sun 02:15", "Sun 02:45"), "00:15", "01:45", "one window, not two"),
        (("Sun 02:00", "Sun 03:00"), "00:00", "02:00", "both hours"),
        (("Sun 01:00", "Sun 02:00"), "23:00", "01:00", "02:00 is shown twice as well"),
        (("Sun 03:00", "Sun 04:00"), "02:00", "03:00", "03:00 is shown once"),
    ],
)
def test_autumn_in_brussels(window: tuple[str, str], start: str, end: str, why: str) -> None:
    """2026-10-25: 03:00 becomes 02:00 at 01:00 UTC; doubt never cuts."""
    calendar = week("Europe/Brussels", window)
    night = "2026-10-24" if start == "23:00" else "2026-10-25"
    edge = calendar.next_edge(utc("2026-10-24 12:00"))
    assert edge == utc(f"{night} {start}"), why
    assert calendar.next_edge(edge) == utc(f"2026-10-25 {end}"), why


def test_a_window_that_the_gap_swallows_is_looked_for_a_week_later() -> None:
    """From the Sunday before, that is in the week after next."""
    calendar = week("Europe/Brussels", ("Sun 02:15", "Sun 02:45"))
    edge = calendar.next_edge(local("2026-03-22 12:00"))
    assert edge == local("2026-04-05 02:15").astimezone(UTC)


def test_a_day_that_a_place_skipped_has_no_window() -> None:
    """Samoa went from Thursday to Saturday at the end of 2011."""
    calendar = week("Pacific/Apia", ("Fri 08:00", "Fri 20:00"))
    apia = ZoneInfo("Pacific/Apia")
    edge = calendar.next_edge(local("2011-12-29 12:00", apia))
    assert edge == local("2012-01-06 08:00", apia).astimezone(UTC)


# --- merging -----------------------------------------------------------------------------------


def test_windows_that_touch_or_overlap_have_no_edge_between_them() -> None:
    """Three weekly windows in a row and over the end of the week."""
    calendar = week(
        "Europe/Brussels",
        ("Sat 08:00", "Sun 12:00"),
        ("Sun 10:00", "Mon 00:00"),
        ("Mon 00:00", "Mon 06:00"),
    )
    assert calendar.next_edge(local("2026-11-21 09:00")) == local("2026-11-23 06:00")


def test_a_dated_window_bridges_weekly_ones() -> None:
    """A holiday on a Tuesday, from the end of one night to the start of the next."""
    holiday = DatedWindow(local("2026-11-24 08:00"), local("2026-11-24 16:00"))
    calendar = calendar_of(BRUSSELS, HOURS, (holiday,))
    assert calendar.covers(local("2026-11-24 12:00"))
    assert calendar.next_edge(local("2026-11-23 17:00")) == local("2026-11-25 08:00")
    assert calendar.next_edge(local("2026-11-23 12:00")) == local("2026-11-23 16:00")


def test_a_week_of_nothing_but_windows_has_no_edge() -> None:
    """Whichever way it is put together."""
    calendar = week("Europe/Brussels", ("Mon 08:00", "Fri 12:00"), ("Fri 12:00", "Mon 08:00"))
    noon = local("2026-11-24 12:00")
    assert calendar.covers(noon)
    assert calendar.next_edge(noon) == noon + HORIZON  # only the moment to ask again


def test_no_windows_have_no_edge() -> None:
    """The cut is never held back."""
    calendar = calendar_of(BRUSSELS)
    assert not calendar.covers(local("2026-11-24 12:00"))
    assert calendar.next_edge(local("2026-11-24 12:00")) is None


def test_a_week_but_for_a_minute_is_looked_through_quickly() -> None:
    """A year of dated windows closes the only hole: the edge is at the end of them."""
    first = local("2026-01-05 12:00")
    holes = tuple(
        DatedWindow(first + timedelta(weeks=number), first + timedelta(weeks=number, minutes=1))
        for number in range(52)
    )
    window = WeeklyWindow.parse("Mon 12:01", "Mon 12:00")
    calendar = calendar_of(BRUSSELS, [window], holes)
    edge = calendar.next_edge(first)
    assert edge == (first + timedelta(weeks=52)).astimezone(UTC)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12))
def test_merged_windows_are_apart_and_cover_the_same(pieces: list[tuple[int, int]]) -> None:
    """In order, with something uncovered between any two."""
    zero = utc("2026-01-01 00:00")
    windows = [
        DatedWindow(zero + timedelta(minutes=start), zero + timedelta(minutes=start + length))
        for start, length in pieces
    ]
    merged = merge_dated(windows)
    assert all(before.end < after.start for before, after in pairwise(merged))
    for minute in range(90):
        moment = zero + timedelta(minutes=minute)
        inside = any(start <= minute < start + length for start, length in pieces)
        assert inside == any(window.start <= moment < window.end for window in merged)


# --- against a person with a diary ---------------------------------------------------------------

# A clock change each: the middle of the diary. In Cairo the clock jumps at midnight, in Havana it
# goes back to midnight, on Lord Howe Island by half an hour; in Apia a day is missing.
CHANGES = [
    ("Europe/Brussels", utc("2026-03-29 00:00")),
    ("Europe/Brussels", utc("2026-10-25 00:00")),
    ("Asia/Jerusalem", utc("2026-03-27 00:00")),
    ("Asia/Jerusalem", utc("2026-10-25 00:00")),
    ("Africa/Cairo", utc("2026-04-24 00:00")),
    ("America/Havana", utc("2026-11-01 00:00")),
    ("Australia/Lord_Howe", utc("2026-04-05 00:00")),
    ("Pacific/Apia", utc("2011-12-30 00:00")),
    ("Asia/Kolkata", utc("2028-02-29 00:00")),
]
DAYS = 24

edges_of_a_week = st.one_of(
    st.integers(0, WEEK - 1),
    st.integers(6 * 1440, 6 * 1440 + 240),  # around the change on a Sunday morning
    st.integers(3 * 1440, 5 * 1440).map(lambda minute: minute - minute % 60),
)
weekly_windows = st.lists(
    st.tuples(edges_of_a_week, edges_of_a_week).filter(lambda pair: pair[0] != pair[1]),
    max_size=5,
).map(lambda pairs: [(start, end if end > start else end + WEEK) for start, end in pairs])


@settings(max_examples=settings().max_examples * 2 // 5)  # a diary has 70,000 minutes
@given(
    st.sampled_from(CHANGES),
    weekly_windows,
    st.lists(st.tuples(st.integers(-5000, 5000), st.integers(1, 3000)), max_size=3),
)
def test_every_edge_is_where_a_person_with_a_diary_finds_it(
    change: tuple[str, datetime], weekly: list[Weekly], pieces: list[tuple[int, int]]
) -> None:
    """Walking from edge to edge over a clock change meets each change of the diary and no other."""
    zone, middle = change
    edges = (minute for at, length in pieces for minute in (at, at + length))
    assume(all(_shown_once(zone, middle + timedelta(minutes=minute)) for minute in edges))
    dated: list[Dated] = [
        (middle + timedelta(minutes=at), middle + timedelta(minutes=at + length))
        for at, length in pieces
    ]
    held = friendly_minutes(diary(zone, middle, DAYS), weekly, dated)
    calendar = calendar_of(
        ZoneInfo(zone),
        [WeeklyWindow(*_edge(start), *_edge(end)) for start, end in weekly],
        [DatedWindow(begin, finish) for begin, finish in dated],
    )
    first = middle - timedelta(days=DAYS)
    begin, finish = (DAYS - 8) * 1440, (DAYS + 8) * 1440
    expected = [
        first + timedelta(minutes=n) for n in range(begin, finish) if held[n] != held[n - 1]
    ]
    found, moment = [], first + timedelta(minutes=begin, seconds=-1)
    assert calendar.covers(moment) is held[begin - 1]
    while (edge := calendar.next_edge(moment)) is not None:
        if edge >= first + timedelta(minutes=finish):
            break
        assert edge > moment
        assert calendar.covers(edge) is not calendar.covers(edge - timedelta(microseconds=1))
        found.append(edge)
        moment = edge
    assert found == expected


def _shown_once(zone: str, moment: datetime) -> bool:
    """Whether the clock shows this moment's wall time once: a table cannot say which of two."""
    wall = moment.astimezone(ZoneInfo(zone))
    return wall.replace(fold=0).utcoffset() == wall.replace(fold=1).utcoffset()


def _edge(minute: int) -> tuple[Weekday, time]:
    day, rest = divmod(minute % WEEK, 1440)
    return Weekday(day), time(rest // 60, rest % 60)


# --- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("Fri 16:00", "Fri 16:00"),
        ("Fri", "Mon 08:00"),
        ("Freitag 16:00", "Mon 08:00"),
        ("Fri 24:00", "Mon 08:00"),
        ("Fri 16:60", "Mon 08:00"),
        ("Fri 16:00:00.5", "Mon 08:00"),
        ("Fri 16:00+01:00", "Mon 08:00"),
        ("", ""),
        ("Fri  16:00", "Mon 08:00"),
        ("Fri 16", "Mon 08:00"),
        ("Fri T16:00", "Mon 08:00"),
        ("Fri １６:00", "Mon 08:00"),
        ("x" * 100_000, "Mon 08:00"),
    ],
)
def test_a_window_that_is_none_is_refused(start: str, end: str) -> None:
    """With a short word on how to write one."""
    with pytest.raises(FriendlyError) as refused:
        WeeklyWindow.parse(start, end)
    assert len(str(refused.value)) < 120


def test_a_wall_time_is_in_whole_seconds_and_without_a_zone() -> None:
    """The zone is the calendar's, and no table of a meter is finer than a second."""
    for edge in (time(16, 0, 0, 1), time(16, tzinfo=UTC)):
        with pytest.raises(FriendlyError, match="whole seconds"):
            WeeklyWindow(Weekday.FRI, edge, Weekday.MON, time(8))


def test_a_window_is_written_as_it_is_read() -> None:
    """For logs and messages."""
    assert str(WeeklyWindow.parse("Fri 16:00", "Mon 08:00:30")) == "Fri 16:00:00 to Mon 08:00:30"


def test_moments_without_a_zone_are_refused_everywhere() -> None:
    """A naive time is a guess."""
    naive = datetime(2026, 11, 21)  # noqa: DTZ001 - the mistake itself
    aware = naive.replace(tzinfo=UTC)
    for call in (
        lambda: WALLONIA.covers(naive),
        lambda: WALLONIA.next_edge(naive),
        lambda: DatedWindow(naive, aware),
        lambda: replace(WALLONIA.tables, complete_until=naive),
    ):
        with pytest.raises(FriendlyError, match="zone"):
            call()


def test_a_dated_window_ends_after_it_starts() -> None:
    """Compared as instants: the second 02:30 of an autumn night is after the first."""
    first, second = (local("2026-10-25 02:30", fold=fold) for fold in (0, 1))
    assert DatedWindow(first, second).end - DatedWindow(first, second).start == timedelta(hours=1)
    with pytest.raises(FriendlyError, match="cannot end"):
        DatedWindow(second, first)


@pytest.mark.parametrize(
    "moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)]
)
def test_the_ends_of_time_are_refused_by_name(moment: datetime) -> None:
    """A clock set to the year 9999 by a stranger must not end in an arithmetic error."""
    for zone in (UTC, BRUSSELS, ZoneInfo("Pacific/Apia")):
        with pytest.raises(FriendlyError, match="year"):
            WALLONIA.covers(moment.replace(tzinfo=zone))


def test_a_table_that_is_about_to_run_out_says_so() -> None:
    """A calendar without dated windows never does."""
    month = timedelta(days=30)
    until = replace(WALLONIA.tables, complete_until=local("2027-01-01 00:00"))
    table = Schedule(BRUSSELS, until)
    assert not table.runs_out_within(local("2026-11-30 00:00"), month)
    assert table.runs_out_within(local("2026-12-02 00:00"), month)
    assert table.runs_out_within(local("2028-01-01 00:00"), month)
    assert not WALLONIA.runs_out_within(local("2026-12-02 00:00"), month)
