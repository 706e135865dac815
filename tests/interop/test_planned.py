"""What our head-end planned and our meter carried out, read by others.

The meter is a Walloon one whose balance the head-end keeps: its end is ordered for two hours
later, priced when the meter's clock is past that, and then an opening likewise (ordering
that is what learns of the end). What the meter has
then written down of both is what the head-end priced by.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, done
from tests.interop.environments import DLMS_COSEM, GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter, environment, our_meter, script

pytestmark = pytest.mark.interop

PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_planned.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_planned.py"),
    "dlms-cosem": Peer(DLMS_COSEM.name, DLMS_COSEM.requirements, "dlms_cosem_planned.py"),
}
CELLS = [
    ("gurux-dlms", "tcp", MANAGEMENT),
    ("pydlms-client", "hdlc+tcp", MANAGEMENT),
    ("dlms-cosem", "tcp", READER),
]
DRIVERS = Drivers(PEERS, ("planned", "release"))
#: Nobody waits for that: the meter's clock is set.
AHEAD = timedelta(hours=2)
ACTIVATE, DEACTIVATE = 1, 2


@dataclass(frozen=True)
class Planned:
    """A meter that has carried two plans out.

    Args:
        meter: the meter.
        ids: of both.
        settled: what was open last, as the head-end found it out.
    """

    meter: OurMeter
    ids: list[str]
    settled: list[dict[str, Any]]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    """A meter for this file alone."""
    directory = tmp_path_factory.mktemp("planned")
    with our_meter(directory) as meter:
        ids = []
        moment = datetime.now(UTC).replace(microsecond=0)
        for word in ("deactivate", "activate"):
            moment += AHEAD
            told = prepay(directory, meter, word, "--at", moment.isoformat())
            prepay(directory, meter, "clock", "--set", (moment + timedelta(minutes=1)).isoformat())
            ids.append(told["transaction"])
        yield Planned(meter, ids, prepay(directory, meter, "settle")["settled"])


def prepay(directory: Path, meter: OurMeter, *words: str) -> dict[str, Any]:
    """Run a command of our head-end; return what it says."""
    command = [*script("prepay", "headend.cli"), "--port", f"tcp:{meter.lines['tcp'].address}"]
    command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}", "--json", *words]
    ran = subprocess.run(
        command, cwd=directory, env=environment(), timeout=30, check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(
    ("peer", "transport", "access"), CELLS, ids=["-".join((*c[:2], c[2].name)) for c in CELLS]
)
def test_what_was_carried_out_is_read_with_its_registers(
    planned: Planned, interpreters: dict[str, Path], peer: str, transport: str, access: Any
) -> None:
    """An array of order, kind, moment and registers, oldest first; the end as it was settled."""
    assert [(each["kind"], each["state"]) for each in planned.settled] == [("activate", "settled")]
    report = DRIVERS.asked(interpreters, planned.meter.lines, (peer, transport), access)
    found = done(report, "planned")
    kind, rows = found["carried_out"]
    assert (kind, found["name"]["octets"]) == ("array", "0000800204ff")
    assert [row[0]["octets"] for row in rows] == planned.ids
    assert [int(row[1]) for row in rows] == [DEACTIVATE, ACTIVATE]
    ended, opened = rows
    record = found["settlement"]
    assert [octets(value) for value in record[:2]] == [
        octets(value) for value in (ended[0], ended[2])
    ]
    assert [int(value) for value in record[2:4]] == [int(value) for value in ended[3:5]]
    assert octets(ended[2]) < octets(opened[2])
    assert int(found["plan"][0]) == 0


def octets(value: Any) -> str:
    """Return what a peer made of an octet-string."""
    found: str = value["octets"]
    return found
