"""The limiter, the disconnect control and the event logs, read and written by others.

Each writes the limiter by its own class or data and reads back what it wrote; each opens the
relay and finds that in the log of the disconnect control; and each decodes both logs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, Report, done
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter, our_meter

pytestmark = pytest.mark.interop

OPERATIONS = ("limiter", "limiter_written", "relay", "logs", "release")
PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_supply.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_supply.py"),
}
CELLS = [(name, transport) for name in PEERS for transport in ("tcp", "hdlc+tcp")]
DRIVERS = Drivers(PEERS, OPERATIONS)


@pytest.fixture(scope="module")
def supplied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurMeter]:
    """A meter for this file alone: whoever reads its logs reads what is said here."""
    with our_meter(tmp_path_factory.mktemp("supplied")) as found:
        yield found


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], supplied: OurMeter
) -> Report:
    """A peer as the management client."""
    return DRIVERS.asked(interpreters, supplied.lines, request.param, MANAGEMENT)


def numbers(value: Any) -> list[int]:
    """Return the plain numbers of a list that a peer made."""
    return [int(each) for each in value]


def test_every_attribute_of_the_limiter_is_read(report: Report) -> None:
    """What is watched is the power; nothing is in force; the durations are the profile's."""
    limiter = done(report, "limiter")
    class_id, name, index = limiter["2"]
    assert (int(class_id), name["octets"].upper(), int(index)) == (3, "0100010700FF", 2)
    assert [int(limiter[str(at)]) for at in (3, 4, 5, 6, 7)] == [0, 0, 0, 60, 60]
    assert not limiter["9"]
    assert not limiter["10"]


def test_thresholds_durations_and_groups_are_written(report: Report) -> None:
    """By gurux through its own class; what is in force follows, and goes back with it."""
    written = done(report, "limiter_written")
    after = written["after"]
    assert [int(after[str(at)]) for at in (3, 4, 5, 6, 7)] == [5000, 5000, 900, 30, 45]
    assert numbers(after["9"]) == [3, 7]
    assert written["restored"] == {**written["before"], "9": written["restored"]["9"]}
    assert not written["restored"]["9"]


def test_the_relay_says_where_its_contact_is(report: Report) -> None:
    """output_state, control_state, control_mode, and the code of what was done last."""
    opened, closed = done(report, "relay")
    assert numbers(opened) == [0, 0, 6, 62]
    assert numbers(closed) == [1, 1, 6, 63]


def test_both_logs_are_decoded(report: Report) -> None:
    """The columns say what the cells are; the last row is what the event object says."""
    logs = done(report, "logs")
    events, relay = logs["events"], logs["relay_events"]
    assert [int(column[0]) for column in events["columns"]] == [8, 1, 1]
    assert [int(column[0]) for column in relay["columns"]] == [8, 1, 70, 1]
    assert [int(log["kept"]) for log in (events, relay)] == [100, 50]
    for log in (events, relay):
        assert len(log["rows"]) == log["used"]
        assert len(log["last"]) == 1
    assert int(logs["event"]) == int(events["rows"][-1][1])
    assert int(logs["relay_event"]) == int(relay["rows"][-1][1]) == 63
    codes = [int(row[1]) for row in relay["rows"]]
    assert codes[-4:] == [67, 67, 62, 63] or codes[-2:] == [62, 63]
    assert 212 in [int(row[1]) for row in events["rows"]], "prepayment was opened"


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_reader_reads_and_writes_nothing(
    name: str, interpreters: dict[str, Path], supplied: OurMeter
) -> None:
    """The logs and the limiter are his to read; a threshold is not his to write."""
    found = DRIVERS.asked(interpreters, supplied.lines, (name, "tcp"), READER)
    assert done(found, "limiter")
    assert done(found, "logs")
    assert found.operation("limiter_written").verdict == "refused"
    assert found.operation("relay").verdict == "refused"
