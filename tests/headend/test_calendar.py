"""`prepay calendar`: a meter's tables filled for years ahead, in the order that begins no cut."""

import json
from datetime import date

import pytest

from headend.commands.calendar import calendar
from headend.errors import HeadendError, Refused, UsageError
from headend.transports import LinkKind
from meter_fw.calendar_tables import tables
from meter_fw.supply import off_the_calendar
from obis.values import replace
from prepay.calendars import tables as made_for
from tests.headend.bench import Bench
from tests.headend.unplugged import Unplugged

MADE = date(2025, 1, 1)  # the year before


@pytest.mark.parametrize(
    ("profile", "kind", "entries", "days"),
    [("be-wal", LinkKind.WRAPPER, 2, 0), ("il", LinkKind.HDLC, 184, 162)],
)
def test_the_tables_of_a_profile_are_written_and_read_back(
    profile: str, kind: LinkKind, entries: int, days: int
) -> None:
    """Ten years from 1 January of the year before; the meter lives by them from then on."""
    bench = Bench(profile, kind)
    report = calendar(bench.context())
    assert (report.data["entries"], report.data["special_days"]) == (entries, days)
    held = tables(bench.kernel.state, bench.factory)
    assert held == made_for(bench.factory.profile, MADE, 10)
    assert bench.kernel.state.calendar.bounded
    assert bench.kernel.state.calendar.entries > 0


def test_the_years_are_asked_for() -> None:
    """Two years of festivals are fewer than ten."""
    bench = Bench("il", LinkKind.WRAPPER)
    report = calendar(bench.context(), 2)
    assert report.data["special_days"] < 50
    assert str(report.data["complete_until"]).startswith("2027-01-0")
    for years in (0, 21):
        with pytest.raises(UsageError, match="years"):
            calendar(bench.context(), years)


def test_show_changes_nothing_and_tells_each_row() -> None:
    """For people and for machines."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    before = bench.kernel.state
    report = calendar(bench.context(), only_show=True)
    assert bench.kernel.state.calendar == before.calendar
    assert report.lines[1] == "complete for ever"
    assert report.rows == [
        ("entry 1", "closes", "08:00:00", "Mon Tue Wed Thu Fri", "", ""),
        ("entry 2", "opens", "16:00:00", "Mon Tue Wed Thu Fri", "", ""),
    ]
    json.dumps(report.data)


@pytest.mark.parametrize("writes", [0, 3, 4, 5, 6, 8, 12, 16, 20, 24, 28])
def test_a_line_that_goes_dead_on_the_way_leaves_a_meter_that_begins_no_cut(writes: int) -> None:
    """Or the old tables, or the new ones; and the same command done again completes it."""
    bench = Bench("il", LinkKind.WRAPPER)
    made = made_for(bench.factory.profile, MADE, 10)
    old = tables(bench.kernel.state, bench.factory)
    with pytest.raises(HeadendError):
        calendar(Unplugged(bench, writes).context())
    assert off_the_calendar(bench.kernel.view) or tables(bench.kernel.state, bench.factory) in (
        old,
        made,
    )
    calendar(bench.context())
    assert tables(bench.kernel.state, bench.factory) == made
    assert not off_the_calendar(bench.kernel.view)


def test_a_meter_of_an_unknown_profile_is_not_filled() -> None:
    """Who knows its hours? Its tables can be shown all the same."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    bench.factory = replace(bench.factory, profile=replace(bench.factory.profile, name="xx"))
    bench.boot()
    with pytest.raises(Refused, match="profile"):
        calendar(bench.context())
    assert calendar(bench.context(), only_show=True).data["entries"] == 2
