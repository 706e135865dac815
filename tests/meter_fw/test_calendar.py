"""The calendar over the line: classes 9, 10 and 11, and how long its tables hold."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.board import Sign
from meter_fw.calendar import runs_out
from meter_fw.calendar_tables import (
    Calendar,
    entries_of,
    packed_entries,
    packed_special_days,
    special_days_of,
    with_entries,
)
from meter_fw.relay import Cause
from meter_fw.state import MeterState
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.calendars import commissioned
from prepay.profile import load_profile
from prepay.schedule import (
    MAX_ENTRIES,
    MAX_SPECIAL_DAYS,
    DatePattern,
    ScheduleEntry,
    SpecialDay,
)
from prepay.schedule_rows import entry_row, special_day_row
from prepay.transactions import Kind
from protocol import axdr
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import types
from protocol.cosem.schedule import ENABLE_DISABLE, INDEX_RANGE, SCHEDULE, SCHEDULE_TABLE_ENTRY
from protocol.cosem.special_days_table import SPEC_DAY_ENTRY, SPECIAL_DAYS_TABLE
from protocol.cosem_time import CosemDateTime
from sim.flash import MemoryFlash
from tests.meter_fw.rig import PUBLIC, READER, Rig

DONE, OTHER, MISMATCH = (
    DataAccessResult.SUCCESS,
    DataAccessResult.OTHER_REASON,
    DataAccessResult.TYPE_UNMATCHED,
)
ROWS, DAYS = SCHEDULE.attributes[1].type, SPECIAL_DAYS_TABLE.attributes[1].type
NO_BOUND = CosemDateTime().to_bytes()
NOON = ScheduleEntry(900, True, time(12), "1111111")
XMAS = SpecialDay(1, DatePattern(None, 12, 25), 1)


def rows(rig: Rig) -> list[int]:
    """Return the indices of the schedule, as it is read."""
    value = rig.get(catalogue.CALENDAR_SCHEDULE, 10)
    assert isinstance(value, Data)
    return [row[0] for row in types.from_data(ROWS, value)]


def days(rig: Rig) -> list[tuple[int, bytes, int]]:
    """Return the special days, as they are read."""
    value = rig.get(catalogue.CALENDAR_SPECIAL_DAYS, 11)
    assert isinstance(value, Data)
    return list(types.from_data(DAYS, value))


def set_rows(rig: Rig, *entries: ScheduleEntry) -> DataAccessResult:
    """SET the schedule."""
    value = types.to_data(ROWS, [entry_row(entry) for entry in entries])
    return rig.set(catalogue.CALENDAR_SCHEDULE, 10, value)


def set_days(rig: Rig, *special: SpecialDay) -> DataAccessResult:
    """SET the special days table."""
    value = types.to_data(DAYS, [special_day_row(day) for day in special])
    return rig.set(catalogue.CALENDAR_SPECIAL_DAYS, 11, value)


def call(rig: Rig, method: int, kind: object, value: object) -> ActionResult:
    """Call a method of the schedule."""
    return rig.act(catalogue.CALENDAR_SCHEDULE, 10, method, types.to_data(kind, value))  # type: ignore[arg-type]  # a declared type


def set_bound(rig: Rig, code: ObisCode, local: str | None) -> DataAccessResult:
    """SET one of the dates for which the tables are complete."""
    octets = NO_BOUND if local is None else rig.stamp(local).to_bytes()
    return rig.set(code, 1, axdr.octet_string(octets))


# --- reading and writing -------------------------------------------------------------------------


def test_the_factory_s_tables_hold_until_others_are_written() -> None:
    """Wallonia's two entries; then what was written, after a restart as well."""
    rig = Rig()
    assert rows(rig) == [1, 2]
    assert set_rows(rig, NOON) is DONE
    assert set_days(rig, XMAS) is DONE
    rig.boot()
    assert rows(rig) == [900]
    assert days(rig) == [special_day_row(XMAS)]
    assert rig.kernel.view.friendly  # it opens at 12:00, and it is 12:00
    assert set_rows(rig) is DONE  # an empty table is one too
    rig.boot()
    assert rows(rig) == []
    assert not rig.kernel.view.friendly


def test_entries_are_inserted_replaced_disabled_enabled_and_deleted() -> None:
    """Each change is in force at once, and the others stay where they are."""
    rig = Rig()
    row = types.to_data(SCHEDULE_TABLE_ENTRY, entry_row(NOON))
    assert rig.act(catalogue.CALENDAR_SCHEDULE, 10, 2, row) is ActionResult.SUCCESS
    assert rows(rig) == [1, 2, 900]
    assert rig.kernel.view.friendly
    assert call(rig, 1, ENABLE_DISABLE, (900, 900, 0, 0)) is ActionResult.SUCCESS
    assert not rig.kernel.view.friendly
    assert call(rig, 1, ENABLE_DISABLE, (0, 0, 3, 1000)) is ActionResult.SUCCESS
    assert rig.kernel.view.friendly
    assert call(rig, 1, ENABLE_DISABLE, (1, 1000, 900, 900)) is ActionResult.SUCCESS  # A, then B
    assert rig.kernel.view.friendly
    other = types.to_data(SCHEDULE_TABLE_ENTRY, entry_row(replace(NOON, opens=False, index=1)))
    assert rig.act(catalogue.CALENDAR_SCHEDULE, 10, 2, other) is ActionResult.SUCCESS
    assert rows(rig) == [1, 2, 900]
    assert call(rig, 3, INDEX_RANGE, (2, 900)) is ActionResult.SUCCESS
    assert rows(rig) == [1]
    assert call(rig, 3, INDEX_RANGE, (2, 900)) is ActionResult.OTHER_REASON
    assert call(rig, 3, INDEX_RANGE, (900, 2)) is ActionResult.OTHER_REASON


def test_special_days_are_inserted_replaced_and_deleted() -> None:
    """A day of the same date, or of the same index, gives way to the new one."""
    rig = Rig()

    def insert(day: SpecialDay) -> ActionResult:
        row = types.to_data(SPEC_DAY_ENTRY, special_day_row(day))
        return rig.act(catalogue.CALENDAR_SPECIAL_DAYS, 11, 1, row)

    def delete(index: int) -> ActionResult:
        return rig.act(catalogue.CALENDAR_SPECIAL_DAYS, 11, 2, axdr.long_unsigned(index))

    easter = SpecialDay(2, DatePattern(2027, 3, 28), 1)
    assert [insert(day) for day in (XMAS, easter)] == [ActionResult.SUCCESS] * 2
    assert insert(replace(easter, index=5)) is ActionResult.SUCCESS
    assert [day[0] for day in days(rig)] == [1, 5]
    assert insert(replace(XMAS, day_id=9)) is ActionResult.SUCCESS
    assert [(day[0], day[2]) for day in days(rig)] == [(1, 9), (5, 1)]
    assert delete(1) is ActionResult.SUCCESS
    assert delete(1) is ActionResult.OTHER_REASON
    assert [day[0] for day in days(rig)] == [5]


def test_the_scripts_can_be_read_and_not_executed() -> None:
    """Whether a window is in force follows from the clock."""
    rig = Rig()
    value = rig.get(catalogue.CALENDAR_SCRIPTS, 9)
    assert isinstance(value, Data)
    assert [script.value[0].value for script in value.value] == [1, 2]
    for caller in (READER, PUBLIC):
        assert rig.act(catalogue.CALENDAR_SCRIPTS, 9, 1, axdr.long_unsigned(1), caller=caller)
    done = rig.act(catalogue.CALENDAR_SCRIPTS, 9, 1, axdr.long_unsigned(1))
    assert done is ActionResult.OBJECT_UNDEFINED
    assert not rig.kernel.view.friendly


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({2: bytes(6)}, "another script table"),
        ({3: 3}, "another script"),
        ({4: b"\x18\0\0\0"}, "24:00"),
        ({4: b"\xff\0\0\0"}, "any hour"),
        ({7: "0" * 33}, "a day_id 32"),
        ({8: bytes.fromhex("07EA021EFF")}, "the 30th of February"),
        ({9: bytes.fromhex("FFFF0D01FF")}, "a month 13"),
        ({0: 0}, "an index 0"),
    ],
)
def test_a_row_that_the_calendar_cannot_do_changes_nothing(
    change: dict[int, object], why: str
) -> None:
    """Among good ones, by SET; and by the method."""
    rig = Rig()
    row = list(entry_row(NOON))
    for place, value in change.items():
        row[place] = value
    both = types.to_data(ROWS, [entry_row(replace(NOON, index=5)), tuple(row)])
    assert rig.set(catalogue.CALENDAR_SCHEDULE, 10, both) is OTHER
    alone = types.to_data(SCHEDULE_TABLE_ENTRY, tuple(row))
    assert rig.act(catalogue.CALENDAR_SCHEDULE, 10, 2, alone) is ActionResult.OTHER_REASON
    assert rows(rig) == [1, 2]


def test_more_rows_than_there_is_room_for_are_refused() -> None:
    """And as many as there is room for are kept, on the flash that a meter has."""
    rig = Rig(flash=MemoryFlash(2, 64 * 1024))
    many = [replace(NOON, index=1 + number) for number in range(MAX_ENTRIES + 1)]
    assert set_rows(rig, *many) is OTHER
    assert set_rows(rig, *many[:-1]) is DONE
    special = [SpecialDay(number, XMAS.pattern, 1) for number in range(MAX_SPECIAL_DAYS + 1)]
    assert set_days(rig, *special) is OTHER
    assert set_days(rig, *special[:-1]) is DONE
    assert set_rows(rig, NOON, NOON) is OTHER  # one index twice
    rig.boot()
    assert (len(rows(rig)), len(days(rig))) == (MAX_ENTRIES, MAX_SPECIAL_DAYS)


def test_a_table_too_long_for_the_flash_is_refused_and_the_meter_goes_on() -> None:
    """Hardware-fault: what is not kept has not happened."""
    rig = Rig(flash=MemoryFlash(2, 8 * 1024))
    whole = DatePattern(2030, 1, 1), DatePattern(2031, 1, 1)
    many = [
        ScheduleEntry(1 + number, True, time(12, 0, 1), "1111111", "01", *whole)
        for number in range(MAX_ENTRIES)
    ]
    assert set_rows(rig, *many) is DataAccessResult.HARDWARE_FAULT
    assert rows(rig) == [1, 2]
    rig.until("2026-11-24T12:00", 1000)
    assert set_rows(rig, NOON) is DONE


# --- how long they hold --------------------------------------------------------------------------


def debtor(rig: Rig) -> Rig:
    """Return a meter of Israel whose overdraft is used up by 10 ILS."""
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0)) is DONE
    rig.use(100_000)
    return rig


def test_while_the_tables_are_written_no_cut_begins() -> None:
    """The end first, to the past; then what one likes; the end again, and the cut follows."""
    rig = Rig("il", "2026-11-26T12:00")
    assert set_bound(rig, catalogue.CALENDAR_UNTIL, "2000-01-01T00:00") is DONE
    debtor(rig)
    assert set_days(rig) is DONE
    assert set_rows(rig) is DONE  # no window at all
    assert rig.relay == "connected"
    assert set_bound(rig, catalogue.CALENDAR_FROM, "2026-01-01T00:00") is DONE
    assert rig.relay == "connected"
    assert set_bound(rig, catalogue.CALENDAR_UNTIL, "2030-01-01T00:00") is DONE
    assert Cause.CREDIT in rig.kernel.state.relay.causes


def test_bounds_are_read_as_they_were_written_and_may_be_none() -> None:
    """By default the factory's; all FF is no bound."""
    rig = Rig()
    for code in (catalogue.CALENDAR_FROM, catalogue.CALENDAR_UNTIL):
        assert rig.get(code, 1) == axdr.octet_string(NO_BOUND)
        assert set_bound(rig, code, "2031-06-01T00:00") is DONE
        value = rig.get(code, 1)
        assert isinstance(value, Data)
        assert str(CosemDateTime.from_bytes(value.value)) == "2031-06-01 00:00:00.00+02:00"
        assert set_bound(rig, code, None) is DONE
        assert rig.get(code, 1) == axdr.octet_string(NO_BOUND)
        for wrong in (b"\x07\xea" + b"\xff" * 10, bytes(12), bytes(11)):
            assert rig.set(code, 1, axdr.octet_string(wrong)) is MISMATCH


def test_that_the_tables_are_about_to_end_is_announced_90_days_before() -> None:
    """As a value, as a sign on the display of a prepaid meter, and for the event log."""
    rig = Rig("be-wal", "2026-10-02T23:00")
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 2_000)) is DONE
    assert set_bound(rig, catalogue.CALENDAR_UNTIL, "2027-01-01T00:00") is DONE
    assert not runs_out(rig.kernel.view)
    assert rig.get(catalogue.CALENDAR_RUNS_OUT, 1) == axdr.boolean(False)
    rig.until("2026-10-03T01:00")
    assert runs_out(rig.kernel.view)
    assert rig.get(catalogue.CALENDAR_RUNS_OUT, 1) == axdr.boolean(True)
    assert Sign.CALENDAR_ENDS in rig.last.lcd.signs


def test_a_profile_that_needs_tables_and_has_none_begins_no_cut() -> None:
    """Made without them, as a meter that was never commissioned."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.factory = replace(rig.factory, windows=None)
    rig.boot()
    debtor(rig)
    assert rig.relay == "connected"


# --- compiled and kept ---------------------------------------------------------------------------


def test_the_calendar_is_compiled_only_when_its_cells_change() -> None:
    """Energy and money make no new one; a bound alone leaves the windows as they are."""
    rig = Rig()
    calendar = Calendar(rig.factory)
    first = calendar.of(rig.kernel.state)
    assert first is rig.factory.calendar
    rig.use(1000)
    assert calendar.of(rig.kernel.state) is first
    written = with_entries(rig.kernel.state, [NOON])
    second = calendar.of(written)
    assert second is not first
    assert calendar.of(replace_energy(written)) is second
    noon = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Brussels"))
    assert second.covers(noon)
    assert not first.covers(noon)


def replace_energy(state: MeterState) -> MeterState:
    """Return the same state with another energy cell."""
    return state.but(energy=replace(state.energy, imported=7))


_dates = st.builds(
    DatePattern,
    st.none() | st.integers(2000, 2099),
    st.none() | st.integers(1, 12),
    st.none() | st.integers(1, 28),
)
_entries = st.builds(
    ScheduleEntry,
    st.integers(1, 0xFFFF),
    st.booleans(),
    st.times().map(lambda at: at.replace(microsecond=0)),
    st.text("01", min_size=7, max_size=7),
    st.text("01", max_size=32),
    _dates,
    _dates,
    st.booleans(),
    st.integers(0, 0xFFFF),
)


@given(st.lists(_entries, max_size=6))
def test_packed_entries_are_unpacked_to_what_they_were(entries: list[ScheduleEntry]) -> None:
    """Whatever fields are left out."""
    assert entries_of(packed_entries(entries)) == tuple(entries)


@given(st.lists(st.builds(SpecialDay, st.integers(0, 0xFFFF), _dates, st.integers(0, 255))))
def test_packed_special_days_are_unpacked_to_what_they_were(special: list[SpecialDay]) -> None:
    """Eight octets each."""
    packed = packed_special_days(special)
    assert len(packed) == 8 * len(special)
    assert special_days_of(packed) == tuple(special)


def test_the_tables_of_ten_years_are_as_large_as_the_guide_says() -> None:
    """Rows, octets packed in flash, and octets on the wire."""
    sizes = {}
    for name in ("be-wal", "il"):
        tables = commissioned(load_profile(name), date(2026, 11, 22)).tables
        wire = [
            len(axdr.encode(types.to_data(ROWS, [entry_row(one) for one in tables.entries]))),
            len(axdr.encode(types.to_data(DAYS, list(map(special_day_row, tables.special_days))))),
        ]
        packed = [
            len(packed_entries(tables.entries)),
            len(packed_special_days(tables.special_days)),
        ]
        sizes[name] = (len(tables.entries), len(tables.special_days), *packed, *wire)
    assert sizes == SIZES


SIZES = {"be-wal": (2, 0, 14, 0, 94, 2), "il": (184, 162, 2568, 1296, 8607, 2271)}
