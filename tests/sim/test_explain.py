"""``prepay-sim explain``: words for a new meter, and for a kept one, which it leaves alone."""

import json
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.timing import Instant
from sim.cli import main
from sim.meter import Options, assemble
from sim.statedir import StateDir

#: Monday 2026-11-23, 12:00 in Brussels.
NOON = Instant(1_795_431_600_000)


def told(*words: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it said."""
    result = CliRunner().invoke(main, ["explain", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def answer(*words: str) -> dict[str, Any]:
    """Return what it says to a machine."""
    code, output = told("--json", *words)
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The directory of a meter that was booted once and has ended."""
    folder = tmp_path / "meter0"
    with ExitStack() as stack, DefaultSelector() as selector:
        made = assemble(Options(state=folder, seed=1), selector, stack)
        made.world.add(made.site)
        made.world.run_until(Instant(made.world.now + 3_600_000))
        made.world.power_down()
    return folder


@pytest.mark.parametrize(
    ("profile", "at", "balance", "supply", "reason"),
    [
        ("il", "2027-04-22T18:30", "0", "on", "credit_left"),
        ("il", "2027-04-22T18:30", "-60", "on", "friendly_window"),  # the first day of Passover
        ("il", "2027-04-22T20:30", "-60", "off", "used_up"),  # it has ended at nightfall
        ("il", "2027-04-24T12:00", "-50", "on", "friendly_window"),  # a Sabbath within the week
        ("il", "2049-04-17T12:00", "-60", "on", "friendly_window"),  # commissioned for that year
        ("be-wal", "2027-04-23T17:00", "0", "on", "friendly_window"),  # a Friday evening
        ("be-wal", "2027-04-23T12:00", "0", "off", "used_up"),
        ("be-wal", "2027-05-06T12:00", "0", "off", "used_up"),  # Ascension Day is not covered
        ("be-wal", "2027-04-23T12:00", "0.01", "on", "credit_left"),
    ],
)
def test_a_new_meter_says_what_its_rules_say(
    profile: str, at: str, balance: str, supply: str, reason: str
) -> None:
    """The reason is the row of the table that decided."""
    found = answer("--profile", profile, "--at", at, "--balance", balance)
    assert (found["supply"], found["reason"]) == (supply, reason)


def test_people_get_sentences() -> None:
    """What is, why, and what would change it."""
    code, said = told("--profile", "il", "--at", "2027-04-22T18:30", "--balance", "-60")
    assert code == 0
    assert "Supply is on.\n  The credit is used up, but a friendly window is in force." in said
    assert "What would change it:\n  A payment of at least ILS 100.00 keeps it on." in said
    assert "the window ends; if nothing is paid before, supply is cut." in said


def test_a_kept_meter_answers_and_not_an_octet_of_it_changes(kept: Path) -> None:
    """It was never activated: credit is of no account there."""
    before = {path.name: sha256(path.read_bytes()).digest() for path in kept.iterdir()}
    found = answer("--state", str(kept))
    assert (found["supply"], found["reason"]) == ("on", "not_prepaid")
    assert answer("--state", str(kept), "--at", "2027-01-04T08:00")["time"].startswith("2027-01-04")
    assert {path.name: sha256(path.read_bytes()).digest() for path in kept.iterdir()} == before


def test_a_meter_that_runs_is_not_read_behind_its_back(kept: Path) -> None:
    """What is in its directory changes meanwhile."""
    running = StateDir(kept)
    try:
        assert told("--state", str(kept)) == (
            1,
            f"prepay-sim: {kept} is in use by another prepay-sim: stop that one first\n",
        )
    finally:
        running.close()


def test_a_directory_without_a_meter_is_not_made_one(tmp_path: Path) -> None:
    """Nothing is created where somebody mistyped."""
    folder = tmp_path / "nowhere"
    code, said = told("--state", str(folder))
    assert (code, folder.exists()) == (1, False)
    assert "holds no meter: prepay-sim meter --state makes one" in said
    assert told("--state", str(tmp_path))[0] == 1


@pytest.mark.parametrize("name", ["flash.bin", "meter.json", "board"])
def test_damage_is_told_in_one_line(kept: Path, name: str) -> None:
    """Whatever of it is damaged, or gone."""
    (kept / name).write_bytes(b"no such thing")
    code, said = told("--state", str(kept))
    assert code == 1
    assert said.startswith("prepay-sim: ")
    assert said.count("\n") == 1
    (kept / name).unlink()
    assert told("--state", str(kept))[0] == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--balance", "1,50"], 2, "a decimal point, not a comma"),
        (["--profile", "atlantis"], 2, "there is no such profile"),
        (["--at", "yesterday"], 2, "yesterday"),
        (["--at", "2999-01-01T00:00"], 2, "no meter lives in the year 2999"),
        (["--balance", "99999999999"], 2, "too large"),
    ],
)
def test_wrong_usage_gets_one_clear_line(words: list[str], code: int, message: str) -> None:
    """And exit code 2."""
    found, said = told(*words)
    assert found == code
    assert message in said


def test_a_kept_meter_has_its_own_balance_and_profile(kept: Path) -> None:
    """Another one would explain a meter that is not there."""
    assert "has its own" in told("--state", str(kept), "--balance", "5")[1]
    assert "holds a meter with profile be-wal" in told("--state", str(kept), "--profile", "il")[1]
