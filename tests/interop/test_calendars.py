"""The calendar tables (classes 10 and 11), read and written by other people's clients.

Each writes by its own classes or data: one row by the methods, whole tables by SET. What it reads
back has to be what it wrote, and at the end the tables stand as they stood.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, Report, done
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter

pytestmark = pytest.mark.interop

OPERATIONS = ("entries", "all_entries", "special_days", "all_special_days", "release")
PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_calendars.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_calendars.py"),
}
CELLS = [(name, transport) for name in PEERS for transport in ("tcp", "hdlc+tcp")]
ENTRY = [900, True, 1, "13:30", "0000100", "01", "2031-05-01", "2031-05-31"]
CLOSING = [901, True, 2, "23:59", "0000100", "01", "2031-05-01", "2031-05-31"]
DAY, OTHER = [7, "2031-05-29", 1], [8, "2031-12-25", 1]
#: The schedule of Wallonia, as it comes with the meter.
WALLONIA = [
    [1, True, 2, "08:00", "1111100", "", "any", "any"],
    [2, True, 1, "16:00", "1111100", "", "any", "any"],
]
DRIVERS = Drivers(PEERS, OPERATIONS)


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], meter: OurMeter
) -> Report:
    """A peer as the management client."""
    return DRIVERS.asked(interpreters, meter.lines, request.param, MANAGEMENT)


def plain(rows: list[list[Any]]) -> list[list[Any]]:
    """Return entries without the zeros behind their day_ids: one peer fills octets (fault 48)."""
    return [[*row[:5], row[5].rstrip("0"), *row[6:]] for row in rows]


def test_entries_are_inserted_disabled_enabled_and_deleted(report: Report) -> None:
    """By the methods of class 10; the schedule of Wallonia stands before and after."""
    found = done(report, "entries")
    disabled = [ENTRY[0], False, *ENTRY[2:]]
    assert found["before"] == found["after"] == WALLONIA
    assert plain(found["inserted"]) == plain(found["enabled"]) == [*WALLONIA, ENTRY]
    assert plain(found["disabled"]) == [*WALLONIA, disabled]


def test_a_whole_schedule_is_written(report: Report) -> None:
    """By one SET, and back."""
    found = done(report, "all_entries")
    assert plain(found["written"]) == [*WALLONIA, ENTRY, CLOSING]
    assert found["before"] == found["after"] == WALLONIA


def test_special_days_are_inserted_replaced_and_deleted(report: Report) -> None:
    """By the methods of class 11; one of the same index takes the place of the other."""
    found = done(report, "special_days")
    assert found["before"] == found["after"] == []
    assert found["inserted"] == [DAY]
    assert found["replaced"] == [[DAY[0], *OTHER[1:]]]


def test_a_whole_table_of_special_days_is_written(report: Report) -> None:
    """By one SET, and an empty one after it."""
    found = done(report, "all_special_days")
    assert found["written"] == [DAY, OTHER]
    assert found["before"] == found["after"] == []


@pytest.mark.parametrize("name", PEERS)
def test_a_reader_reads_the_tables_and_changes_nothing(
    name: str, interpreters: dict[str, Path], meter: OurMeter
) -> None:
    """The first that it writes is refused: read-write-denied."""
    report = DRIVERS.asked(interpreters, meter.lines, (name, "tcp"), READER)
    for operation in OPERATIONS[:-1]:
        found = report.operation(operation)
        assert not found.ok
        assert found.refused == "read-write-denied", found
