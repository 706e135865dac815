"""The two calendar tables: dates with wildcards, special days, which entry decides, and bounds."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obis.values import replace
from prepay.friendly import DatedWindow, FriendlyError, Weekday, WeeklyWindow
from prepay.overlay import laid_over
from prepay.profile import load_profile
from prepay.schedule import (
    HORIZON,
    LAST,
    MAX_ENTRIES,
    MAX_SPECIAL_DAYS,
    MEMORY,
    SECOND_LAST,
    DatePattern,
    Schedule,
    ScheduleEntry,
    ScheduleError,
    SpecialDay,
    Tables,
    weekly_entries,
)
from prepay.schedule_rows import entry_of, entry_row, special_day_of, special_day_row
from tests.prepay.spans import FriendlyCalendar
from tests.prepay.timetable import Entry, Timetable

BRUSSELS = ZoneInfo("Europe/Brussels")
ALL_WEEK = "1111111"
ANY = DatePattern()


def local(text: str, fold: int = 0) -> datetime:
    """Return a moment of the wall time of Brussels."""
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS, fold=fold)


def opening(
    at: str,
    weekdays: str = ALL_WEEK,
    day_ids: str = "",
    begin: DatePattern = ANY,
    end: DatePattern = ANY,
) -> ScheduleEntry:
    """Return an entry that opens the window."""
    return ScheduleEntry(1, True, time.fromisoformat(at), weekdays, day_ids, begin, end)


def closing(at: str, weekdays: str = ALL_WEEK, day_ids: str = "") -> ScheduleEntry:
    """Return an entry that closes it."""
    return replace(opening(at, weekdays, day_ids), opens=False)


def schedule(entries: Iterable[ScheduleEntry], days: dict[str, int] | None = None) -> Schedule:
    """Return a schedule of entries, with special days by date."""
    rows = tuple(replace(entry, index=number) for number, entry in enumerate(entries, start=1))
    special = tuple(
        SpecialDay(number, DatePattern.of(date.fromisoformat(day)), day_id)
        for number, (day, day_id) in enumerate((days or {}).items())
    )
    return Schedule(BRUSSELS, Tables(rows, special))


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "dates", "others"),
    [
        (ANY, ["2026-01-01", "2028-02-29"], []),
        (DatePattern(2026, 12, 25), ["2026-12-25"], ["2027-12-25", "2026-12-24"]),
        (DatePattern(2026, 12, 25, 5), ["2026-12-25"], ["2026-12-18"]),
        (DatePattern(None, 12, 25), ["2026-12-25", "2027-12-25"], ["2026-11-25"]),
        (DatePattern(None, None, 1), ["2026-12-01", "2027-01-01"], ["2026-12-02"]),
        (DatePattern(None, 2, LAST), ["2026-02-28", "2028-02-29"], ["2028-02-28"]),
        (DatePattern(None, None, SECOND_LAST), ["2026-02-27", "2026-04-29"], ["2026-04-30"]),
        (DatePattern(None, 3, LAST, 7), ["2026-03-29", "2027-03-28"], ["2026-03-22"]),
        (DatePattern(None, 3, SECOND_LAST, 7), ["2026-03-22"], ["2026-03-29", "2026-03-15"]),
        (DatePattern(None, 5, 1, 1), ["2026-05-04", "2028-05-01"], ["2026-05-11", "2026-05-01"]),
        (DatePattern(None, 5, 25, 1), ["2026-05-25", "2027-05-31"], ["2026-05-18"]),
        (DatePattern(None, None, None, 3), ["2026-11-25"], ["2026-11-26"]),
        (DatePattern(2026), ["2026-07-01"], ["2025-12-31"]),
        (DatePattern(None, 2, 29), ["2028-02-29"], ["2026-03-01", "2026-02-28"]),
    ],
)
def test_a_date_stands_for_these_days_and_not_for_those(
    pattern: DatePattern, dates: list[str], others: list[str]
) -> None:
    """By hand; with its 5 octets there and back."""
    for day in dates:
        assert pattern.matches(date.fromisoformat(day)), day
    for day in others:
        assert not pattern.matches(date.fromisoformat(day)), day
    assert DatePattern.from_bytes(pattern.to_bytes()) == pattern


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("07EA021EFF", "the 30th of February"),
        ("07EA0C1901", "a Friday that calls itself a Monday"),
        ("FFFF0DFFFF", "a month 13"),
        ("FFFFFEFFFF", "the month in which daylight saving begins"),
        ("FFFFFFFF00", "a weekday 0"),
        ("0000FFFFFF", "the year 0"),
        ("07EA0C", "three octets"),
    ],
)
def test_octets_that_are_no_date_of_a_calendar_are_refused(octets: str, why: str) -> None:
    """By name, and without an error of arithmetic."""
    with pytest.raises(ScheduleError):
        DatePattern.from_bytes(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("begin", "end", "inside", "outside"),
    [
        (DatePattern(None, 11, 1), DatePattern(None, 3, 15), ["2026-12-31", "2027-03-15"],
         ["2026-10-31", "2027-03-16"]),
        (DatePattern(None, 4, 1), DatePattern(None, 9, 30), ["2026-04-01"], ["2026-10-01"]),
        (DatePattern(None, None, 25), DatePattern(None, None, 5), ["2026-02-26", "2026-03-05"],
         ["2026-03-06", "2026-03-24"]),
        (DatePattern(2026, 5, 1), ANY, ["2026-05-01", "2030-01-01"], ["2026-04-30"]),
        (ANY, DatePattern(2026, 5, 1), ["2026-05-01"], ["2026-05-02"]),
        (DatePattern(2027, 1, 1), DatePattern(2026, 1, 1), [], ["2026-06-01", "2027-01-01"]),
        (DatePattern(None, 2, 1), DatePattern(None, 2, LAST), ["2028-02-29"], ["2026-03-01"]),
    ],
)  # fmt: skip # a line a case
def test_an_entry_runs_between_its_two_dates(
    begin: DatePattern, end: DatePattern, inside: list[str], outside: list[str]
) -> None:
    """Without a year they come again, over the turn of the year as well."""
    entry = opening("10:00", begin=begin, end=end)
    assert [entry.between(date.fromisoformat(day)) for day in inside] == [True] * len(inside)
    assert [entry.between(date.fromisoformat(day)) for day in outside] == [False] * len(outside)


# --- special days --------------------------------------------------------------------------------


def test_on_a_special_day_only_the_entries_of_its_day_id_run() -> None:
    """Not those of its weekday, though they name it; and on other days none of its own."""
    made = schedule(
        [opening("16:00"), closing("08:00"), closing("12:00", "0000000", "01")],
        {"2026-11-25": 1, "2026-11-27": 2},
    )
    assert made.covers(local("2026-11-25 11:59:59"))  # since 16:00 of the day before
    assert not made.covers(local("2026-11-25 12:00"))
    assert not made.covers(local("2026-11-25 17:00"))  # no opening at 16:00
    assert not made.covers(local("2026-11-26 12:00"))
    assert made.covers(local("2026-11-26 16:00"))
    assert made.covers(local("2026-11-27 23:00"))  # a kind of day that no entry names: no edge
    assert made.next_edge(local("2026-11-26 16:00")) == local("2026-11-28 08:00")


def test_a_date_of_two_kinds_runs_the_entries_of_both() -> None:
    """Whether it is named as a date or by a pattern."""
    days = (
        SpecialDay(1, DatePattern(2026, 12, 25), 1),
        SpecialDay(2, DatePattern(None, 12, 25), 3),
    )
    rows = (
        opening("10:00", "0000000", "01"),
        replace(closing("14:00", "0000000", "0001"), index=2),
    )
    made = Schedule(BRUSSELS, Tables(rows, days))
    assert made.covers(local("2026-12-25 13:59"))
    assert not made.covers(local("2026-12-25 14:00"))
    assert not made.covers(local("2027-12-25 12:00"))


def test_a_disabled_entry_does_not_run() -> None:
    """And a schedule of nothing else has no edge at all."""
    made = schedule([replace(opening("10:00"), enabled=False)])
    assert not made.covers(local("2026-12-25 13:59"))
    assert made.next_edge(local("2026-12-25 13:59")) is None


# --- which entry decides -------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [["open", "close"], ["close", "open"]])
def test_of_two_entries_at_one_moment_the_opening_wins(entries: list[str]) -> None:
    """In whatever order they stand: doubt never cuts."""
    made = {"open": opening("10:00"), "close": closing("10:00")}
    assert schedule(made[name] for name in entries).covers(local("2026-11-25 10:00"))


def test_an_opening_that_ran_31_days_ago_is_forgotten() -> None:
    """To the second, and ``next_edge`` knows."""
    once = DatePattern(2026, 10, 1)
    made = schedule([opening("10:00", begin=once, end=once)])
    over = local("2026-10-01 10:00").astimezone(UTC) + MEMORY
    assert made.covers(over - timedelta(seconds=1))
    assert not made.covers(over)
    assert made.next_edge(local("2026-10-02 10:00")) == over


def test_in_the_night_with_an_hour_twice_a_late_closing_does_not_undo_an_opening() -> None:
    """The second 02:15 comes after the first 02:30, whose window goes on to 06:00."""
    made = schedule(
        [opening("01:00"), closing("02:15"), replace(opening("02:30"), index=3), closing("06:00")]
    )
    for text, fold in (("02:20", 0), ("02:40", 0), ("02:14", 1), ("02:15", 1), ("02:20", 1)):
        assert made.covers(local(f"2026-10-25 {text}", fold)), (text, fold)
    assert made.next_edge(local("2026-10-25 01:00")) == local("2026-10-25 06:00")


def test_in_the_night_with_an_hour_missing_a_window_in_the_gap_does_not_stay_open() -> None:
    """Both its edges come at 03:00; the later by the wall clock decides."""
    made = schedule([opening("02:15"), closing("02:45")])
    assert not made.covers(local("2026-03-29 03:00"))
    assert made.covers(local("2026-03-30 02:15"))


# --- the judges ----------------------------------------------------------------------------------

_minutes = st.integers(0, 7 * 1440 - 1)
_pairs = st.lists(st.tuples(_minutes, _minutes).filter(lambda pair: pair[0] != pair[1]), max_size=5)


def _window(start: int, end: int) -> WeeklyWindow:
    def edge(minute: int) -> tuple[Weekday, time]:
        day, rest = divmod(minute, 1440)
        return Weekday(day), time(rest // 60, rest % 60)

    return WeeklyWindow(*edge(start), *edge(end))


@settings(deadline=None, max_examples=60)
@given(
    _pairs,
    st.lists(
        st.tuples(st.dates(date(2026, 3, 1), date(2026, 12, 1)), st.integers(1, 4000)), max_size=4
    ),
    st.sampled_from(
        [local("2026-03-20 00:00"), local("2026-10-20 00:00"), local("2026-06-01 00:00")]
    ),
)
def test_the_tables_of_any_windows_have_the_edges_of_their_union(
    pairs: list[tuple[int, int]], feasts: list[tuple[date, int]], first: datetime
) -> None:
    """The judge knows nothing of entries: spans of time, merged, dated ones over weekly."""
    weekly = tuple(_window(*pair) for pair in pairs)
    dated = tuple(
        DatedWindow(noon, noon + timedelta(minutes=length))
        for day, length in feasts
        for noon in [datetime.combine(day, time(12), BRUSSELS).astimezone(UTC)]
        if (noon + timedelta(minutes=length)).hour not in (0, 1)  # not in an hour shown twice
    )
    union = FriendlyCalendar(BRUSSELS, weekly, dated)
    made = Schedule(BRUSSELS, laid_over(weekly_entries(weekly), dated, BRUSSELS))
    moment = first
    assert made.covers(moment) is union.covers(moment)
    while moment < first + timedelta(days=40):
        edge, theirs = made.next_edge(moment), union.next_edge(moment)
        if theirs is None or theirs > first + timedelta(days=200):
            assert edge is None or edge > first + timedelta(days=200)
            return
        assert edge == theirs
        moment = theirs


_days = st.one_of(
    st.just(ANY),
    st.builds(DatePattern, month=st.integers(1, 12), day=st.integers(1, 28)),
    st.builds(DatePattern, day=st.integers(1, 28)),
    st.builds(DatePattern, st.just(2026), st.integers(1, 12), st.integers(1, 28)),
)
_entries = st.builds(
    lambda opens, minute, weekdays, day_ids, dates: ScheduleEntry(
        1, opens, time(minute // 60, minute % 60), weekdays, day_ids, *dates
    ),
    st.booleans(),
    st.integers(3 * 60, 24 * 60 - 1),  # hours that are shown once: the other judge has those
    st.text("01", min_size=7, max_size=7),
    st.text("01", max_size=3),
    st.one_of(
        st.tuples(_days, _days).filter(lambda two: _same(*two)),
        st.tuples(st.just(ANY), st.just(ANY)),
    ),
)


def _same(begin: DatePattern, end: DatePattern) -> bool:
    """Whether two dates name the same fields: all that the other judge can tell."""
    named = [tuple(part is None for part in (one.year, one.month, one.day)) for one in (begin, end)]
    return named[0] == named[1]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(_entries, max_size=8),
    st.lists(
        st.tuples(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.integers(0, 2)), max_size=8
    ),
    st.dates(date(2026, 1, 1), date(2026, 12, 1)),
)
def test_any_tables_read_as_a_person_with_a_list_reads_them(
    entries: list[ScheduleEntry], special: list[tuple[date, int]], first: date
) -> None:
    """Who looks back stroke by stroke: at each edge of 40 days, and in between."""
    named = dict(special)
    made = schedule(entries, {day.isoformat(): day_id for day, day_id in named.items()})
    person = Timetable(
        BRUSSELS,
        [_as_told(entry) for entry in entries],
        {(day.year, day.month, day.day): day_id for day, day_id in named.items()},
    )
    moment = datetime.combine(first, time(), BRUSSELS).astimezone(UTC)
    last = moment + timedelta(days=40)
    while moment < last:
        assert made.covers(moment) is person.open_at(moment)
        edge = made.next_edge(moment) or last
        for step in range(1, 4):
            between = moment + (edge - moment) * step / 4
            assert person.open_at(between) is made.covers(moment)
        assert edge >= last or person.open_at(edge) is not made.covers(moment)
        moment = edge


def _as_told(entry: ScheduleEntry) -> Entry:
    begin, end = ((one.year, one.month, one.day) for one in (entry.begin, entry.end))
    weekdays = "".join(str(day) for day, bit in enumerate(entry.weekdays) if bit == "1")
    ids = tuple(number for number, bit in enumerate(entry.day_ids) if bit == "1")
    return Entry(entry.opens, entry.at, weekdays, ids, begin, end)


# --- rows, bounds, speed -------------------------------------------------------------------------


@given(_entries, st.integers(0, 0xFFFF), st.booleans())
def test_a_row_of_the_wire_says_what_the_entry_does(
    entry: ScheduleEntry, validity: int, enabled: bool
) -> None:
    """There and back, for entries and special days."""
    whole = replace(entry, validity=validity, enabled=enabled)
    assert entry_of(entry_row(whole)) == whole
    day = SpecialDay(validity, entry.begin, validity & 0xFF)
    assert special_day_of(special_day_row(day)) == day


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (0, 0, "index"),
        (2, bytes(6), "script table"),
        (3, 3, "script"),
        (4, b"\xff\x00\x00\x00", "time"),
        (4, b"\x18\x00\x00\x00", "time"),
        (4, b"\x00\x00\x3c\x00", "time"),
        (6, "11111111", "weekdays"),
        (7, "0" * 33, "day_ids"),
        (8, bytes.fromhex("FFFF030107"), "weekday only"),
        (9, bytes.fromhex("07EA0230FF"), "day"),
    ],
)
def test_a_row_that_no_calendar_can_do_is_refused(place: int, value: object, why: str) -> None:
    """With a word on what is wrong."""
    row = list(entry_row(opening("10:00")))
    row[place] = value
    with pytest.raises(ScheduleError, match=why):
        entry_of(tuple(row))


def test_an_eighth_weekday_that_is_0_is_left_out() -> None:
    """Clients that write bits in whole octets have one."""
    row = list(entry_row(opening("10:00", "0000100")))
    row[6] = "00001000"
    assert entry_of(tuple(row)) == opening("10:00", "0000100")


def test_a_table_is_bounded_and_its_indices_are_unique() -> None:
    """Checked before anything is laid out."""
    rows = tuple(replace(opening("10:00"), index=1 + number) for number in range(MAX_ENTRIES))
    days = tuple(SpecialDay(number, ANY, 0) for number in range(MAX_SPECIAL_DAYS))
    Tables(rows, days)
    with pytest.raises(ScheduleError, match="room"):
        Tables((*rows, replace(rows[0], index=MAX_ENTRIES + 1)))
    with pytest.raises(ScheduleError, match="room"):
        Tables((), (*days, SpecialDay(MAX_SPECIAL_DAYS, ANY, 0)))
    with pytest.raises(ScheduleError, match="one index"):
        Tables((rows[0], rows[0]))


def test_outside_its_dates_a_table_is_not_complete() -> None:
    """From its first moment on, up to its last, which is out."""
    tables = Tables(
        complete_from=local("2026-01-01 00:00"), complete_until=local("2027-01-01 00:00")
    )
    made = Schedule(BRUSSELS, tables)
    told = [
        local(text) for text in ("2025-12-31 23:59:59", "2026-01-01", "2026-12-31", "2027-01-01")
    ]
    assert [made.complete(moment) for moment in told] == [False, True, True, False]
    assert not made.runs_out_within(local("2026-10-02 23:59"), timedelta(days=90))
    assert made.runs_out_within(local("2026-10-03 01:00"), timedelta(days=90))
    with pytest.raises(FriendlyError, match="zone"):
        Tables(complete_until=datetime(2027, 1, 1))  # noqa: DTZ001 - the mistake itself


def test_a_table_that_never_runs_is_looked_through_in_bounded_time() -> None:
    """As many entries as there is room for, of a day that no year has: some seconds at worst."""
    never = DatePattern(None, 2, 31)
    made = schedule([opening("10:00", begin=never, end=never)] * MAX_ENTRIES)
    begun = process_time()
    assert made.next_edge(local("2026-01-01 00:00")) == local("2026-01-01 00:00") + HORIZON
    assert process_time() - begun < 6  # takes about one


def test_a_year_of_edges_takes_some_milliseconds_after_the_first_look() -> None:
    """523 of them in Wallonia; the bound is ten times what it takes."""
    profile = load_profile("be-wal")
    made = Schedule(profile.zone, Tables(tuple(weekly_entries(profile.weekly))))
    for _ in range(2):
        moment, count, begun = local("2026-01-01 00:00"), 0, process_time()
        while (edge := made.next_edge(moment)) is not None and edge.year == 2026:
            moment, count = edge, count + 1
    assert count == 522
    assert process_time() - begun < 0.1
