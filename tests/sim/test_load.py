from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.timing import Instant
from sim.data.make_household import write
from sim.load import (
    DAY_QUARTERS,
    QUARTER,
    UNITS_PER_WH,
    Consumption,
    Household,
    Load,
    LoadError,
    Pattern,
    read_load,
)

BRUSSELS = ZoneInfo("Europe/Brussels")
JERUSALEM = ZoneInfo("Asia/Jerusalem")
_HEADER = "time,watt_hours\n"


def instant(text: str, zone: ZoneInfo = BRUSSELS) -> Instant:
    """Return the instant of a local time."""
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1000)


def written(tmp_path: Path, text: str) -> Path:
    """Return a load file of that content."""
    path = tmp_path / "load.csv"
    path.write_text(text, encoding="utf-8")
    return path


def day_file(change: dict[int, str] | None = None) -> str:
    """Return a file of a day, some rows of it replaced."""
    rows = [f"{slot // 4:02}:{slot % 4 * 15:02},{slot}" for slot in range(96)]
    for row, text in (change or {}).items():
        rows[row] = text
    return _HEADER + "".join(f"{row}\n" for row in rows)


_MOMENTS = st.integers(instant("2026-01-01"), instant("2027-12-31")).map(Instant)
_LOADS = st.sampled_from([Household(3, BRUSSELS), Household(4, JERUSALEM)])


@settings(deadline=None, max_examples=60)
@given(load=_LOADS, start=_MOMENTS, steps=st.lists(st.integers(0, 3 * 86_400_000), max_size=12))
def test_pieces_of_time_add_up_to_the_whole(load: Load, start: Instant, steps: list[int]) -> None:
    """However an interval is cut, no energy is lost and none is made."""
    consumption = Consumption(load)
    edges = [start]
    for step in steps:
        edges.append(Instant(edges[-1] + step))
    parts = [consumption.energy_between(a, b) for a, b in pairwise(edges)]
    assert sum(parts) == consumption.energy_between(start, edges[-1])


@settings(deadline=None, max_examples=60)
@given(load=_LOADS, moment=_MOMENTS)
def test_a_quarter_hour_takes_exactly_its_watt_hours(load: Load, moment: Instant) -> None:
    """Energy is what the load says, and power is that energy over a quarter of an hour."""
    index = moment // QUARTER
    consumption = Consumption(load)
    start, end = Instant(index * QUARTER), Instant((index + 1) * QUARTER)
    assert consumption.energy_between(start, end) == load.quarter(index) * UNITS_PER_WH
    assert consumption.power_at(moment) == load.quarter(index) * 4
    one = consumption.energy_between(moment, Instant(moment + 1))
    assert one == load.quarter(index)  # a unit is 1 Wh a quarter-hour for one millisecond


def test_a_household_is_the_same_each_time_and_another_for_another_seed() -> None:
    """Seed and date decide, not the order in which it is asked."""
    first = instant("2026-11-23") // QUARTER
    forwards = [Household(7, BRUSSELS).quarter(first + step) for step in range(400)]
    again = Household(7, BRUSSELS)
    backwards = [again.quarter(first + step) for step in reversed(range(400))]
    assert backwards[::-1] == forwards
    assert [Household(8, BRUSSELS).quarter(first + step) for step in range(400)] != forwards


@pytest.mark.parametrize("seed", range(5))
def test_a_household_looks_like_one(seed: int) -> None:
    """Some 6 to 14 kWh a day, nights lower than evenings, weekends higher than workdays."""
    start = instant("2026-11-23")
    consumption = Consumption(Household(seed, BRUSSELS))

    def watt_hours(hours: int, length: int) -> int:
        begin = Instant(start + hours * 3_600_000)
        end = Instant(begin + length * 3_600_000)
        return consumption.energy_between(begin, end) // UNITS_PER_WH

    days = [watt_hours(24 * day, 24) for day in range(28)]
    assert all(5_500 <= day <= 14_000 for day in days)
    assert watt_hours(1, 4) * 2 < watt_hours(18, 4)
    weekend = sum(days[day] for day in range(28) if day % 7 >= 5) / 8
    workday = sum(days[day] for day in range(28) if day % 7 < 5) / 20
    assert weekend > workday


def test_a_day_repeats_in_local_time_through_a_clock_change() -> None:
    """The evening peak stays at six in the evening; the hour that comes twice takes twice."""
    pattern = Pattern(range(96), BRUSSELS)
    for day in ("2026-10-24", "2026-10-25", "2026-10-26"):
        assert pattern.quarter(instant(f"{day}T18:00") // QUARTER) == 72
    consumption = Consumption(pattern)
    length = {"2026-03-29": sum(range(96)) - 8 - 9 - 10 - 11, "2026-10-25": sum(range(96)) + 38}
    for day, expected in length.items():
        start = instant(day)
        end = instant((datetime.fromisoformat(day) + timedelta(days=1)).isoformat())
        assert consumption.energy_between(start, end) == expected * UNITS_PER_WH


def test_the_shipped_household_is_what_its_script_writes() -> None:
    """Nobody edits the example by hand, and it can be read."""
    made = StringIO()
    write(made)
    path = Path(__file__).parents[2] / "sim" / "data" / "household.csv"
    assert path.read_text(encoding="utf-8") == made.getvalue()
    load = read_load(path, BRUSSELS)
    monday = instant("2026-11-23") // QUARTER
    household = Household(1, UTC)
    first = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) * 1000 // QUARTER
    for step in (0, 95, 96, 671):
        assert load.quarter(monday + step) == household.quarter(first + step)
        assert load.quarter(monday + step + 7 * DAY_QUARTERS) == household.quarter(first + step)


@pytest.mark.parametrize(
    "stamps",
    [
        ["2026-11-23T00:00", "2026-11-23T00:15", "2026-11-23T00:30"],
        ["2026-11-22T23:00Z", "2026-11-22T23:15Z", "2026-11-22T23:30Z"],
        ["2026-11-23T00:00+01:00", "2026-11-23T00:15+01:00", "2026-11-23 00:30:00+01:00"],
    ],
)
def test_a_recording_is_read_in_local_time_or_with_its_offset(
    tmp_path: Path, stamps: list[str]
) -> None:
    """All three say the same three quarter-hours, and begin again after them."""
    rows = "".join(f"{stamp},{wh}\n" for wh, stamp in enumerate(stamps, start=10))
    load = read_load(written(tmp_path, _HEADER + rows), BRUSSELS)
    first = instant("2026-11-23T00:00") // QUARTER
    assert [load.quarter(first + step) for step in range(-1, 5)] == [12, 10, 11, 12, 10, 11]


def test_a_recording_goes_through_both_clock_changes(tmp_path: Path) -> None:
    """The skipped hour is not there, the repeated one is there twice."""
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        start = instant(day)
        local = [
            datetime.fromtimestamp(start // 1000 + 900 * step, BRUSSELS)
            for step in range(hours * 4)
        ]
        rows = "".join(f"{time:%Y-%m-%dT%H:%M},{step}\n" for step, time in enumerate(local))
        load = read_load(written(tmp_path, _HEADER + rows), BRUSSELS)
        got = [load.quarter(start // QUARTER + step) for step in range(hours * 4)]
        assert got == list(range(hours * 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header"),
        ("zeit;wert\n", "line 1: the header"),
        (_HEADER, "no quarter-hours"),
        (_HEADER + "00:00\n", "line 2: two fields"),
        (_HEADER + "00:00,1,2\n", "line 2: two fields"),
        (_HEADER + "00:00,-1\n", "line 2: '-1' is not a whole number"),
        (_HEADER + "00:00,1.5\n", "line 2: '1.5' is not a whole number"),
        (_HEADER + "00:00,100001\n", "line 2: '100001' is not a whole number of Wh from 0"),
        (_HEADER + "00:00," + "9" * 5000 + "\n", "is not a whole number"),
        (_HEADER + "00:00,\n", "line 2: '' is not a whole number"),
        (_HEADER + "yesterday,1\n", "line 2: 'yesterday' is no ISO date and time"),
        (_HEADER + "00:00,1\n", "a day has 96 quarter-hours, not 1"),
        (_HEADER + "Mon 00:00,1\n", "a week has 672 quarter-hours, not 1"),
        (day_file({5: "01:30,5"}), "line 7: 01:15 expected, not '01:30'"),
        (day_file() + "00:00,1\n", "a day has 96 quarter-hours, not 97"),
        (_HEADER + "Tue 00:00,1\n", "line 2: mon 00:00 expected"),
        (_HEADER + "2026-11-23T00:07,1\n", "line 2: 2026-11-23T00:07 is not the start"),
        (
            _HEADER + "2026-11-23T00:00,1\n2026-11-23T00:30,1\n",
            "line 3: 2026-11-23T00:15 expected, not 2026-11-23T00:30",
        ),
        (_HEADER + "2026-03-29T02:00,1\n", "line 2: 2026-03-29T02:00 does not exist"),
        (_HEADER + "0001-01-01T00:00,1\n", "line 2: no meter lives in the year 1"),
        (_HEADER + "9999-12-31T23:45,1\n", "line 2: no meter lives in the year 9999"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """The error says which line, and what should have stood there."""
    with pytest.raises(LoadError) as caught:
        read_load(written(tmp_path, text), BRUSSELS)
    assert message in str(caught.value)
    assert "load.csv" in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"time,watt_hours\n\x00\x00,1\n"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    """Octets that are not UTF-8 or not CSV give one clear error."""
    (tmp_path / "load.csv").write_bytes(content)
    with pytest.raises(LoadError, match=r"load\.csv"):
        read_load(tmp_path / "load.csv", BRUSSELS)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The operating system's reason is in the error."""
    with pytest.raises(LoadError, match="No such file"):
        read_load(tmp_path / "nowhere.csv", BRUSSELS)
