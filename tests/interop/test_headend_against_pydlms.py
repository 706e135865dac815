"""Our head-end at somebody else's meter: the simulator of pydlms-client.

What the simulator has is its own: no prepayment, a clock that stands still, one disconnect that
never comes back, a profile of one day in blocks.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, PUBLIC, READER, Access
from tests.interop.processes import environment, script
from tests.interop.pydlms_simulator import Simulators

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
REFUSED = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``prepay --json`` said: one object, on standard output or as an error."""

    code: int
    told: dict[str, Any]


Prepay = Callable[..., Answer]


PLACES = [("tcp", PUBLIC), ("tcp", MANAGEMENT), ("hdlc+tcp", READER), ("hdlc+tcp", MANAGEMENT)]


@pytest.fixture(params=PLACES, ids=[f"{transport}-{who.name}" for transport, who in PLACES])
def place(request: pytest.FixtureRequest) -> tuple[str, Access]:
    """Over which transport the head-end comes, and who it is."""
    found: tuple[str, Access] = request.param
    return found


@pytest.fixture
def prepay(simulators: Simulators, place: tuple[str, Access], tmp_path: Path) -> Prepay:
    """Run our head-end's command line in its own process, with a database of its own."""
    transport, access = place
    port = f"{transport}:{simulators[transport, access is MANAGEMENT].address}"

    def run(*words: str) -> Answer:
        command = [*script("prepay", "headend.cli"), "--json", "--port", port]
        command += ["--mechanism", access.mechanism]
        command += ["--db", f"sqlite:///{tmp_path / 'headend.sqlite'}", *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment(),
            cwd=tmp_path,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
        assert lines, f"{command} said nothing"
        return Answer(done.returncode, json.loads(lines[-1]))

    return run


def test_the_head_end_reads_a_clock(prepay: Prepay) -> None:
    """An attribute by OBIS code, class and index, as its raw octets and as people write it."""
    answer = prepay("read", "0-0:1.0.0.255", "--class", "8", "--attribute", "2")
    assert answer.code == 0, answer
    assert answer.told["type"] == "octet-string"
    assert answer.told["raw"] == "07E80501030C000000FF88FF"
    assert answer.told["value"] == "2024-05-01T12:00:00+02:00"


def test_the_head_end_scales_a_register(prepay: Prepay) -> None:
    """32.7.0 is 2301 with scaler -1 in volts."""
    answer = prepay("read", "1-0:32.7.0.255", "--class", "3")
    assert answer.code == 0, answer
    assert (answer.told["value"], answer.told["unit"]) == ("230.1", "V")


def test_the_head_end_lists_the_objects(prepay: Prepay) -> None:
    """Classes that we do not carry, such as compact data, are listed like the others."""
    answer = prepay("objects")
    assert answer.code == 0, answer
    found = {(entry["class"], entry["code"]) for entry in answer.told["objects"]}
    assert {(8, "0-0:1.0.0*255"), (62, "0-0:66.0.1*255"), (70, "0-0:96.3.10*255")} <= found


def test_the_head_end_reads_a_profile_in_blocks(prepay: Prepay) -> None:
    """96 rows do not fit in one PDU of 1024 octets; they come in three and are put together."""
    answer = prepay("read", "1-0:99.1.0.255", "--class", "7")
    assert answer.code == 0, answer
    rows = answer.told["raw"]
    assert len(rows) == 96
    assert rows[0] == ["07E8050103000000000000FF", 1000]
    assert rows[-1] == ["07E8050103172D00000000FF", 1000 + 95 * 7]


def test_the_head_end_sets_and_acts(prepay: Prepay) -> None:
    """SET writes the clock's zone and reads it back; remote_disconnect opens the relay."""
    zone = ("0-0:1.0.0.255", "--class", "8", "--attribute", "3")
    assert prepay("set", zone[0], "long:-120", *zone[1:]).code == 0
    assert prepay("read", *zone).told["raw"] == -120
    assert prepay("set", zone[0], "long:-60", *zone[1:]).code == 0
    assert prepay("action", "0-0:96.3.10.255", "--class", "70", "--method", "1").code == 0
    assert prepay("read", "0-0:96.3.10.255", "--class", "70").told["raw"] is False


def test_the_head_end_says_what_the_meter_refused(prepay: Prepay) -> None:
    """An object that is not there: exit code 1, and which object it is."""
    answer = prepay("read", "0-0:9.9.9.255", "--class", "1")
    assert answer.code == REFUSED
    assert "does not see 0-0:9.9.9*255" in answer.told["error"]


@pytest.mark.parametrize("place", [("hdlc+tcp", READER)], ids=["hdlc+tcp-reader"], indirect=True)
@pytest.mark.parametrize("size", ["1", "2", "4"])
def test_the_head_end_writes_any_server_address(prepay: Prepay, size: str) -> None:
    """HDLC server addresses of 1, 2 and 4 octets are answered."""
    answer = prepay("--address-size", size, "clock")
    assert answer.code == 0, answer
