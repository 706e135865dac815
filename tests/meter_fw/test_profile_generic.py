"""Buffers (class 7): the daily profile and the transaction log, whole, by range and by entry."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meter_fw.state import DAYS_KEPT
from obis import catalogue
from obis.code import ObisCode
from prepay.transactions import REMEMBERED, Kind, Outcome
from protocol import axdr
from protocol.axdr import (
    Data,
    Tag,
    array,
    double_long_unsigned,
    integer,
    long_unsigned,
    octet_string,
    structure,
)
from protocol.codes import DataAccessResult
from protocol.cosem_time import CosemDate, CosemDateTime, CosemTime
from protocol.events import SelectiveAccess
from tests.meter_fw.rig import Rig, number
from tests.strategies import data

TYPE = DataAccessResult.TYPE_UNMATCHED
SCOPE = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
DAILY, LOG = catalogue.DAILY_PROFILE, catalogue.TRANSACTION_LOG


def column(class_id: int, name: ObisCode, index: int = 2, data_index: int = 0) -> Data:
    """Return a capture object definition."""
    parts = (octet_string(name.to_bytes()), integer(index), long_unsigned(data_index))
    return structure(long_unsigned(class_id), *parts)


CLOCK = column(8, catalogue.CLOCK)
ENERGY = column(3, catalogue.ACTIVE_ENERGY_IMPORT)


def plain(value: object) -> object:
    """Return a value without its tags."""
    if isinstance(value, Data):
        return plain(value.value)
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def year_of_days(days: int, profile: str = "be-wal") -> Rig:
    """Return a meter that has captured so many days: 1000 Wh at the first midnight, and so on."""
    rig = Rig(profile, "2026-10-20T12:00")
    for _ in range(days):
        rig.use(1000)
        rig.now = rig._instant(f"{rig.kernel.view.local.date()}T23:59:59")
        rig.now = type(rig.now)(rig.now + 1000)
        rig.tick()
    return rig


@pytest.fixture(scope="module")
def ten_days() -> Rig:
    """Return a meter with the readings of 21 to 30 October 2026; daylight saving ended the 25th."""
    return year_of_days(10)


def selected(rig: Rig, access: SelectiveAccess, name: ObisCode = DAILY) -> object:
    """Return what a selective GET of a buffer comes to: rows without tags, or the refusal."""
    found = rig.get(name, 7, access=access)
    if isinstance(found, DataAccessResult):
        return found
    assert found.tag is Tag.ARRAY
    assert all(row.tag is Tag.STRUCTURE for row in found.value)
    return plain(found)


# --- by entry ----------------------------------------------------------------------------------


def entries(first: int, last: int, first_column: int = 1, last_column: int = 0) -> SelectiveAccess:
    """Return access by entry; entries and columns count from 1, a last of 0 is the last."""
    rows = (double_long_unsigned(first), double_long_unsigned(last))
    columns = (long_unsigned(first_column), long_unsigned(last_column))
    return SelectiveAccess(2, structure(*rows, *columns))


# from, to, the readings in kWh
BY_ENTRY = [
    (1, 0, range(1, 11)),
    (0, 0, range(1, 11)),
    (1, 10, range(1, 11)),
    (1, 1, [1]),
    (10, 10, [10]),
    (10, 0, [10]),
    (3, 5, [3, 4, 5]),
    (9, 11, [9, 10]),
    (1, 0xFFFFFFFF, range(1, 11)),
    (11, 0, []),
    (11, 12, []),
    (5, 4, []),
    (0xFFFFFFFF, 0xFFFFFFFF, []),
]


@pytest.mark.parametrize(("first", "last", "kilowatt_hours"), BY_ENTRY)
def test_entries_are_selected_from_and_to_inclusively(
    ten_days: Rig, first: int, last: int, kilowatt_hours: list[int]
) -> None:
    """Counted from 1, the oldest first; beyond the end there is nothing, and that is no fault."""
    rows = selected(ten_days, entries(first, last, 2, 2))
    assert rows == [[kwh * 1000] for kwh in kilowatt_hours]


@pytest.mark.parametrize(
    ("first", "last", "columns"),
    [(1, 0, [0, 1]), (0, 0, [0, 1]), (1, 2, [0, 1]), (1, 1, [0]), (2, 2, [1]), (2, 0, [1])],
)
def test_columns_are_selected_from_and_to_inclusively(
    ten_days: Rig, first: int, last: int, columns: list[int]
) -> None:
    """Counted from 1; a last of 0 is the last."""
    whole = plain(ten_days.get(DAILY, 7))
    assert isinstance(whole, list)
    rows = selected(ten_days, entries(1, 0, first, last))
    assert rows == [[row[index] for index in columns] for row in whole]


@pytest.mark.parametrize(("first", "last"), [(2, 1), (3, 0), (3, 3), (1, 3), (0xFFFF, 0xFFFF)])
def test_columns_that_are_not_there_are_out_of_scope(ten_days: Rig, first: int, last: int) -> None:
    """Rows of nothing would look like an answer."""
    assert selected(ten_days, entries(1, 0, first, last)) is SCOPE


# --- by range ----------------------------------------------------------------------------------


def moment(text: str, deviation: int | None = None) -> Data:
    """Return "day hh:mm:ss" of October 2026 as a bound; without deviation it is local time."""
    day, time = text.split()
    hour, minute, second = map(int, time.split(":"))
    at = CosemDateTime(CosemDate(2026, 10, int(day)), CosemTime(hour, minute, second, 0), deviation)
    return octet_string(at.to_bytes())


def between(since: Data, until: Data, *columns: Data, by: Data = CLOCK) -> SelectiveAccess:
    """Return access by range."""
    return SelectiveAccess(1, structure(by, since, until, array(*columns)))


# from, to, deviation of both, the readings in kWh: 21 October 00:00 is the first
BY_RANGE = [
    ("21 00:00:00", "30 00:00:00", None, range(1, 11)),
    ("01 00:00:00", "31 23:59:59", None, range(1, 11)),
    ("23 00:00:00", "25 00:00:00", None, [3, 4, 5]),
    ("23 00:00:00", "23 00:00:00", None, [3]),
    ("23 00:00:01", "25 00:00:00", None, [4, 5]),
    ("23 00:00:00", "24 23:59:59", None, [3, 4]),
    ("23 00:00:01", "23 23:59:59", None, []),
    ("25 00:00:00", "23 00:00:00", None, []),
    ("01 00:00:00", "20 23:59:59", None, []),
    ("30 00:00:01", "31 00:00:00", None, []),
    # the same midnights, told from elsewhere: in UTC, and with the offset before and after the 25th
    ("22 22:00:00", "24 22:00:00", 0, [3, 4, 5]),
    ("22 22:00:01", "24 21:59:59", 0, [4]),
    ("23 00:00:00", "25 00:00:00", -120, [3, 4, 5]),
    ("26 00:00:00", "27 00:00:00", -60, [6, 7]),
    ("26 01:00:00", "27 01:00:00", -120, [6, 7]),
]


@pytest.mark.parametrize(("since", "until", "deviation", "kilowatt_hours"), BY_RANGE)
def test_rows_are_selected_by_their_time_bounds_included(
    ten_days: Rig, since: str, until: str, deviation: int | None, kilowatt_hours: list[int]
) -> None:
    """With a deviation a bound is a moment of the world, without it the meter's local time."""
    access = between(moment(since, deviation), moment(until, deviation), ENERGY)
    assert selected(ten_days, access) == [[kwh * 1000] for kwh in kilowatt_hours]


def test_a_bound_may_be_a_plain_date_time() -> None:
    """One public client sends the type of its own, not the octet-string."""
    rig = year_of_days(2)
    bound = Data(Tag.DATE_TIME, moment("22 00:00:00").value)
    rows = selected(rig, between(bound, bound))
    assert isinstance(rows, list)
    assert [row[1] for row in rows] == [2000]


@pytest.mark.parametrize(
    ("columns", "picked"),
    [
        ((), [0, 1]),
        ((CLOCK,), [0]),
        ((ENERGY,), [1]),
        ((CLOCK, ENERGY), [0, 1]),
        ((ENERGY, CLOCK), [1, 0]),
    ],
)
def test_a_range_has_the_columns_that_were_named_in_their_order(
    ten_days: Rig, columns: tuple[Data, ...], picked: list[int]
) -> None:
    """None named is all of them."""
    whole = plain(ten_days.get(DAILY, 7))
    assert isinstance(whole, list)
    rows = selected(ten_days, between(moment("01 00:00:00"), moment("31 00:00:00"), *columns))
    assert rows == [[row[index] for index in picked] for row in whole]


ALL = (moment("01 00:00:00"), moment("31 00:00:00"))
WILD = octet_string(CosemDateTime().to_bytes())
WRONG_RANGES = [
    ("by another column", between(*ALL, by=ENERGY), SCOPE),
    ("by another attribute", between(*ALL, by=column(8, catalogue.CLOCK, 3)), SCOPE),
    ("by a part of it", between(*ALL, by=column(8, catalogue.CLOCK, 2, 1)), SCOPE),
    (
        "a column that is not captured",
        between(*ALL, column(3, catalogue.ACTIVE_POWER_IMPORT)),
        SCOPE,
    ),
    ("one good and one bad column", between(*ALL, CLOCK, column(8, catalogue.CLOCK, 4)), SCOPE),
    ("a column three times", between(*ALL, CLOCK, CLOCK, CLOCK), SCOPE),
    ("a wildcard to begin with", between(WILD, ALL[1]), TYPE),
    ("a wildcard to end with", between(ALL[0], WILD), TYPE),
    ("a number to begin with", between(double_long_unsigned(1), ALL[1]), TYPE),
    ("nothing to end with", between(ALL[0], axdr.null()), TYPE),
    ("a date of 11 octets", between(octet_string(bytes(11)), ALL[1]), TYPE),
    ("the 31st of February", between(octet_string(b"\x07\xea\x02\x1f" + bytes(8)), ALL[1]), TYPE),
    ("no structure", SelectiveAccess(1, axdr.null()), TYPE),
    ("three fields", SelectiveAccess(1, structure(CLOCK, *ALL)), TYPE),
    ("columns that are no list", SelectiveAccess(1, structure(CLOCK, *ALL, CLOCK)), TYPE),
    ("an entry descriptor", SelectiveAccess(1, entries(1, 0).parameters), TYPE),
    ("a range descriptor by entry", SelectiveAccess(2, between(*ALL).parameters), TYPE),
    ("entries of another type", SelectiveAccess(2, structure(*[integer(1)] * 4)), TYPE),
    ("no such selector", SelectiveAccess(3, entries(1, 0).parameters), SCOPE),
    ("selector 0", SelectiveAccess(0, entries(1, 0).parameters), SCOPE),
]


@pytest.mark.parametrize(
    ("access", "expected"), [row[1:] for row in WRONG_RANGES], ids=[row[0] for row in WRONG_RANGES]
)
def test_a_selection_that_makes_no_sense_is_refused(
    ten_days: Rig, access: SelectiveAccess, expected: DataAccessResult
) -> None:
    """By its type where the parameters are not of the book's form, else as out of scope."""
    assert selected(ten_days, access) is expected


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=12, max_size=12), st.booleans(), st.sampled_from([DAILY, LOG]))
@example(b"\x00\x01\x01\x01\xff\x00\x00\x00\x00\xfc\xb8\xff", True, DAILY)  # year 1, UTC+14
@example(b"\x27\x0f\x0c\x1f\xff\x17\x3b\x3b\x63\x03\x48\xff", True, DAILY)  # year 9999, UTC-14
@example(b"\x00\x01\x01\x01\xff\x00\x00\x00\x00\x80\x00\xff", False, DAILY)
@example(b"\x27\x0f\x0c\x1f\xff\x17\x3b\x3b\x63\x80\x00\xff", False, DAILY)
def test_any_12_octets_as_a_bound_are_answered(octets: bytes, first: bool, name: ObisCode) -> None:
    """Rows, or a refusal by type."""
    bounds = (octet_string(octets), ALL[1]) if first else (ALL[0], octet_string(octets))
    rows = selected(SMALL, between(*bounds), name)
    assert rows is TYPE or isinstance(rows, list)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 255), data())
def test_any_parameters_of_any_selector_are_answered(selector: int, parameters: Data) -> None:
    """Rows, or a refusal."""
    rows = selected(SMALL, SelectiveAccess(selector, parameters))
    assert rows in (TYPE, SCOPE) or isinstance(rows, list)


SMALL = year_of_days(2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3), st.integers(0, 3))
def test_by_entry_agrees_with_counting_by_hand(
    first: int, last: int, first_column: int, last_column: int
) -> None:
    """An oracle that walks rows and columns one by one."""
    whole = plain(SMALL.get(DAILY, 7))
    assert isinstance(whole, list)
    low, high = max(first_column, 1), last_column or 2
    expected: object = [
        [cell for place, cell in enumerate(row, 1) if low <= place <= high]
        for place, row in enumerate(whole, 1)
        if max(first, 1) <= place <= (last or len(whole))
    ]
    if not low <= high <= 2:
        expected = SCOPE
    assert selected(SMALL, entries(first, last, first_column, last_column)) == expected


# --- the daily profile -------------------------------------------------------------------------


def test_the_ring_of_days_keeps_the_last_62() -> None:
    """The oldest goes first; what is in use is counted, and a restart keeps the order."""
    rig = year_of_days(DAYS_KEPT + 5)
    for _ in range(2):
        whole = plain(rig.get(DAILY, 7))
        assert isinstance(whole, list)
        assert [row[1] for row in whole] == [kwh * 1000 for kwh in range(6, DAYS_KEPT + 6)]
        assert plain(rig.get(DAILY, 7, 7)) == DAYS_KEPT
        rig.boot()


@pytest.mark.parametrize("days", [DAYS_KEPT - 1, DAYS_KEPT, DAYS_KEPT + 1])
def test_the_ring_of_days_at_its_edge(days: int) -> None:
    """One before full, full, and one driven out."""
    rig = year_of_days(days)
    rows = selected(rig, entries(1, 1, 2, 2))
    assert rows == [[1000 * (1 if days <= DAYS_KEPT else 2)]]
    assert plain(rig.get(DAILY, 7, 7)) == min(days, DAYS_KEPT)


def test_a_day_that_takes_another_place_in_a_full_ring_collides_with_none() -> None:
    """The clock is set back in a full ring: after a restart each row is still there, once."""
    rig = year_of_days(DAYS_KEPT + 5)
    back = CosemDateTime.from_datetime(rig.kernel.view.at(rig.kernel.state.days[-3].time))
    assert rig.set(catalogue.CLOCK, 8, octet_string(back.to_bytes())) is DataAccessResult.SUCCESS
    for _ in range(5):
        rig.use(1000)
        rig.now = type(rig.now)(rig.now + 86_400_000)
        rig.tick()
    days = rig.kernel.state.days
    assert len({day.slot for day in days}) == len({day.time for day in days}) == len(days)
    assert [day.time for day in days] == sorted(day.time for day in days)
    rig.boot()
    assert rig.kernel.state.days == days


def test_a_meter_that_was_off_over_midnight_captures_when_it_is_back() -> None:
    """With the stamp of the day's start; a day it slept through has no row."""
    rig = Rig(start="2026-11-23T12:00")
    rig.until("2026-11-24T12:00", 1000)
    rig.now = rig._instant("2026-11-26T07:00")
    rig.boot()
    stamps = [rig.kernel.view.at(day.time).isoformat() for day in rig.kernel.state.days]
    assert stamps == ["2026-11-24T00:00:00+01:00", "2026-11-26T00:00:00+01:00"]


# --- the transaction log -----------------------------------------------------------------------


def local() -> Rig:
    """Return an active Israeli meter."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(0, Kind.ACTIVATE, rig.snapshot(0, 0))
    return rig


def test_the_log_tells_time_id_kind_outcome_amount_and_balance_after() -> None:
    """Done and refused orders, tokens that were taken; each as the last outcome showed it."""
    rig = local()
    rig.order(1, Kind.ADJUST, 500)
    rig.order(2, Kind.SNAPSHOT, rig.snapshot(1, 700))
    rig.enter(rig.token(3, 1000))
    now = rig.stamp().to_bytes()
    assert plain(rig.get(LOG, 7)) == [
        [now, number(0), Kind.ACTIVATE, Outcome.DONE, 0, 0],
        [now, number(1), Kind.ADJUST, Outcome.DONE, 500, 500],
        [now, number(2), Kind.SNAPSHOT, Outcome.WRONG_MODE, 0, 500],
        [now, number(3), Kind.TOKEN, Outcome.DONE, 1000, 1500],
    ]
    last = rig.last_outcome()
    assert (last.id, last.kind, last.amount, last.balance) == (number(3), Kind.TOKEN, 1000, 1500)


def test_the_log_is_read_by_entry_and_by_range() -> None:
    """As the head-end asks it: the last of them, and those since a moment."""
    rig = local()
    rig.until("2026-11-26T13:00")
    for identity in (1, 2, 3):
        rig.order(identity, Kind.ADJUST, identity)
    assert selected(rig, entries(3, 0, 2, 2), LOG) == [[number(2)], [number(3)]]
    part = column(1, catalogue.TRANSACTION, 2, 4)
    since = octet_string(rig.stamp("2026-11-26T12:30").to_bytes())
    until = octet_string(rig.stamp().to_bytes())
    assert selected(rig, between(since, until, part), LOG) == [[1], [2], [3]]


def test_the_log_keeps_the_greatest_64_ids_in_the_order_of_their_arrival() -> None:
    """The smallest id goes first, whenever it came."""
    rig = local()
    order = [*range(1, 40), 200, *range(40, 80)]
    for identity in order:
        rig.order(identity, Kind.ADJUST, 1)
    arrived = [number(identity) for identity in order]
    kept = sorted(arrived)[-REMEMBERED:]
    for _ in range(2):
        rows = plain(rig.get(LOG, 7))
        assert isinstance(rows, list)
        assert [row[1] for row in rows] == [identity for identity in arrived if identity in kept]
        assert plain(rig.get(LOG, 7, 7)) == REMEMBERED
        rig.boot()
