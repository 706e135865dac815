import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sim.demo
import sim.stage
from sim.cli import main
from sim.stage import DemoError, Display, command

_ROOT = Path(__file__).parents[2]

#: What the transcript has to say, in this order: announcements, commands, and what was seen.
WALLOON = [
    "$ export PREPAY_PORT=serial:./meter0",
    "Monday 05:30  Meter OPP",
    "$ prepay activate",
    "ok  the arrow stands above the euro sign",
    "ok  start credit of EUR 20.00",
    "Tuesday 06:00  Morning",
    "$ prepay morning",
    "ok  the face shows a new balance, as of 2026-11-24",
    "Wednesday 06:00  Morning",
    "ok  the face shows a new balance, as of 2026-11-25",
    "ok  low credit is announced",
    "Thursday 06:00  Credit is used up",
    "ok  the balance is negative",
    "ok  friendly hours are in force",
    "ok  supply has stayed on until 07:59",
    "Thursday 08:01  The friendly hours have ended",
    "ok  the relay is open",
    "$ prepay topup 25.00",
    "ok  the relay is closed again",
    "ok  94.32.2 2 is the ledger's balance, EUR ",
    "ok  94.32.2 3 is the emergency credit, EUR 12.00",
    "ok  94.32.2 1 is the time of the last update, 2026-11-26 08:",
    "Prepayment ends: energy since midnight is priced",
    "$ prepay deactivate",
    "remaining balance for settlement: EUR ",
    "ok  the arrow has gone",
    " priced for the energy since midnight",
    " reported for settlement",
]
ISRAELI = [
    "$ export PREPAY_PORT=serial:./meter1",
    "Friday 10:00  Meter OPP",
    "$ prepay topup 100.00",
    "ok  the token is in the balance",
    "Friday 14:00  The balance on the face is live",
    "Saturday 10:00  Sabbath",
    "ok  the balance is below zero",
    "Saturday 17:00  The overdraft of ILS 50 is used up",
    "ok  the balance is below ILS -50",
    "ok  supply is on",
    "Saturday 17:45  The window has ended",
    "ok  the relay is open",
    "$ prepay topup 200.00",
    "ok  the relay is closed again",
    "ok  the rest is credit",
    "Every moment came",
]


@pytest.mark.slow
@pytest.mark.spread
def test_the_demo_shows_every_moment_in_its_order(tmp_path: Path) -> None:
    """The script that ``make demo`` runs, as it is installed; its transcript is the witness."""
    done = subprocess.run(
        [*command("prepay-sim"), "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    assert done.stderr == ""
    place = 0
    for words in WALLOON + ISRAELI:
        found = done.stdout.find(words, place)
        assert found >= 0, f"{words!r} does not come after {done.stdout[:place][-300:]}"
        place = found + len(words)
    _check_faces(done.stdout)
    assert list(tmp_path.iterdir()) == []


def _check_faces(transcript: str) -> None:
    """The faces show the arrow, the open relay and the balance where the story says so."""
    faces = re.findall(r"╭[^╯]*╯", transcript)
    walloon = [face for face in faces if " be-wal " in face]
    israeli = [face for face in faces if " il " in face]
    assert ["▲" in face for face in walloon] == [False, *[True] * 7, False]
    opened = ["o/ o" in face for face in walloon]
    assert opened.count(True) == 1
    assert "RELAY OPEN" in walloon[opened.index(True)]
    assert not any("▲" in face or "€" in face for face in israeli)
    assert any("FRIENDLY HOURS" in face for face in israeli)


def test_a_moment_that_does_not_come_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A household that uses nothing never gets to the second moment; the exit code says so."""
    monkeypatch.setattr(sim.demo, "ISRAELI_QUARTER", 0)
    monkeypatch.setattr(sim.stage, "DEADLINE", 8.0)
    result = CliRunner().invoke(main, ["demo", "--only", "il"])
    assert result.exit_code == 1
    assert "prepay-sim: did not come in 8 s: " in result.output
    assert "Every moment came" not in result.output


def test_a_meter_that_does_not_come_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never says that it is ready is ended with the demo."""
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    started: list[subprocess.Popen[bytes]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(sim.stage, "command", lambda name: silent)
    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(sim.stage, "DEADLINE", 0.5)
    result = CliRunner().invoke(main, ["demo", "--only", "il"])
    assert (result.exit_code, len(started)) == (1, 1)
    assert "prepay-sim: did not come in 0.5 s: the meter is ready" in result.output
    assert started[0].returncode is not None


def test_a_program_that_fails_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is in the one line of the error."""
    failing = [sys.executable, "-c", "import sys; sys.exit('no such meter')"]
    monkeypatch.setattr(
        sim.stage, "command", lambda name: failing if name == "prepay" else command(name)
    )
    result = CliRunner().invoke(main, ["demo", "--only", "be-wal"])
    assert result.exit_code == 1
    assert "prepay activate ended with 1: no such meter" in result.output


def test_the_display_is_what_the_lines_say() -> None:
    """Pages are remembered; signs and relay are those of the last line."""
    display = Display()
    line = {"time": "2026-11-24T08:00:00+01:00", "code": "1.8.0", "value": "1", "unit": "kWh"}
    display.see({**line, "relay": "connected", "signs": ["arrow"]})
    display.see({**line, "code": "94.32.2 2", "value": "2", "relay": "disconnected", "signs": []})
    display.see({"time": "2026-11-24T09:00:00+01:00", "order": "stop"})
    assert display.pages == {"1.8.0": ("1", "kWh"), "94.32.2 2": ("2", "kWh")}
    assert (display.signs, display.relay) == (frozenset(), "disconnected")
    assert display.orders == {"stop"}
    assert "09:00" in str(display)
    with pytest.raises(DemoError, match="an order is one of"):
        display.see({"order": "dance", "refused": "an order is one of speed"})
