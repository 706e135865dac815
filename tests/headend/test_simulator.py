"""The installed programs, as separate processes, joined by a pseudo-terminal or a socket."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import headend

#: The packages of this checkout, whether or not they are installed.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(headend.__file__).parents[1])}


def command(program: str, *words: str) -> list[str]:
    """Return how to run one of the programs with this interpreter."""
    start = f"import sys; from {program}.cli import main; sys.exit(main())"
    return [sys.executable, "-c", start, *words]


@contextmanager
def meter(folder: Path, *words: str) -> Iterator[list[str]]:
    """Give the port specs of a running meter; it is killed, not stopped, at the end."""
    words = ("meter", "--state", "state", "--json", *words)
    with subprocess.Popen(
        command("sim", *words), cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield [port["spec"] for port in ready["ports"]]
        finally:
            process.kill()


def prepay(folder: Path, spec: str, *words: str) -> dict[str, Any]:
    """Run a command that has to succeed and return its JSON."""
    words = ("--db", "headend.db", "--port", spec, "--json", *words)
    done = subprocess.run(
        command("headend", *words),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_meter_is_activated_topped_up_killed_and_read_again(profile: str, tmp_path: Path) -> None:
    """Over the pty, then over both TCP ports after a restart; the money is still there."""
    amount = {"be-wal": "25.00", "il": "150.00"}[profile]
    balance = {"be-wal": "45.00", "il": "150.00"}[profile]
    with meter(tmp_path, "--profile", profile, "--port", "pty:./meter0") as (spec,):
        assert spec.startswith("serial:")
        assert prepay(tmp_path, spec, "status")["prepayment"] is False
        prepay(tmp_path, spec, "activate")
        assert prepay(tmp_path, spec, "topup", amount)["state"] == "done"
    tcp = ["--port", "tcp:127.0.0.1:0", "--port", "hdlc+tcp:127.0.0.1:0"]
    with meter(tmp_path, *tcp) as specs:
        for spec in specs:
            assert prepay(tmp_path, spec, "status")["balance"] == balance
        assert prepay(tmp_path, specs[0], "deactivate")["settlement"] == balance
