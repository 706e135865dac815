"""Discovery, and a meter by its name: our head-end at somebody else's meter."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER
from tests.interop.processes import environment, script
from tests.interop.pydlms_simulator import Simulators

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
#: The logical device name of pydlms-client's simulator.
NAME = "PYD1000000000001"

Prepay = Callable[..., dict[str, Any]]


@pytest.fixture
def prepay(tmp_path: Path) -> Prepay:
    """Run our head-end's command line in its own process, with a database of its own."""

    def run(*words: str) -> dict[str, Any]:
        command = [*script("prepay", "headend.cli"), "--json", "--db", "headend.sqlite", *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment(),
            cwd=tmp_path,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return run


@pytest.mark.parametrize(("transport", "access"), [("tcp", MANAGEMENT), ("hdlc+tcp", READER)])
def test_a_strange_meter_is_found_registered_and_read_by_its_name(
    simulators: Simulators, prepay: Prepay, transport: str, access: Any
) -> None:
    """Its public client tells its name; the mechanism is remembered with the port."""
    port = f"{transport}:{simulators[transport, access is MANAGEMENT].address}"
    remembered = ("--mechanism", access.mechanism)
    found = prepay("meters", "discover", "--port", port, *remembered, "--add")["found"]
    assert [(each["meter"], each["result"]) for each in found] == [(NAME, "added")]
    shown = prepay("meters", "show", NAME)
    assert (shown["port"], shown["access"]) == (port, {"mechanism": access.mechanism})
    answer = prepay("--meter", NAME, "read", "1-0:32.7.0.255", "--class", "3")
    assert (answer["value"], answer["unit"]) == ("230.1", "V")


def test_a_meter_that_takes_every_address_is_registered_once(
    simulators: Simulators, prepay: Prepay
) -> None:
    """This one answers all physical addresses of its line: the first is where it is."""
    port = f"hdlc+tcp:{simulators['hdlc+tcp', False].address}"
    found = prepay("meters", "discover", "--port", port, "--addresses", "1-2", "--add")["found"]
    assert [each["meter"] for each in found] == [NAME, NAME]
    assert found[0]["result"] == "added"
    assert "the same name as at" in found[1]["result"]
    assert prepay("meters", "show", NAME)["access"] == {"physical": 1}
