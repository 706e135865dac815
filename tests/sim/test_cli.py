import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from selectors import DefaultSelector
from typing import Any, Self

import pytest
from click.testing import CliRunner

from sim.board import Contact
from sim.cli import main
from sim.control import LINE_LIMIT
from sim.making import derive_name
from sim.meter import Options, assemble
from sim.stage import command
from sim.statedir import BoardRecord, StateDir
from tests.sim.standin import MONDAY, assert_answers
from tests.sim.test_outlet import fill

_COMMAND = [sys.executable, "-c", "from sim.cli import main; main()"]
_ROOT = Path(__file__).parents[2]


class Meter:
    """A ``prepay-sim meter`` in a process of its own, its lines read as JSON."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = folder / f"log{time.monotonic_ns()}"
        with self._log.open("wb") as out, (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [*_COMMAND, "meter", "--json", "--events", "json", "--control", *options],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=errors,
            )
        self.errors = folder / "errors"
        self.ready = self.until(lambda line: "meter" in line)

    def lines(self) -> list[dict[str, Any]]:
        text = self._log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in self.lines():
                if found(line):
                    return line
            assert self.process.poll() is None, self.errors.read_text()
            time.sleep(0.02)
        raise AssertionError("the line did not come")

    def order(self, text: str) -> dict[str, Any]:
        """Give an order and return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()
        return self.until(lambda line: line.get("order") == text)

    def value(self, code: str) -> str:
        """Return what a display page showed last."""
        found = [line["value"] for line in self.lines() if line.get("code") == code]
        return str(found[-1])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Callable[..., Meter]]:
    """Starts meters in one folder, and ends them after the test."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(Meter(tmp_path, *options))


Start = Callable[..., Meter]


def prepay(folder: Path, *words: str) -> None:
    """Run a head-end command for the meter in a folder."""
    env = {**os.environ, "PYTHONPATH": str(_ROOT), "PREPAY_DB": str(folder / "headend.db")}
    run = [*command("prepay"), "--port", "serial:./meter0", *words]
    subprocess.run(run, cwd=folder, env=env, check=True, capture_output=True)


def test_the_ready_line_says_where_the_meter_is(meter: Start, tmp_path: Path) -> None:
    """One JSON object with the meter's name and the specs of its ports, which can be reached."""
    ports = ("--port", "pty:./meter0", "--port", "tcp:127.0.0.1:0")
    running = meter(*ports, "--profile", "be-wal", "--seed", "1")
    assert running.ready["meter"] == derive_name("be-wal", 1)
    serial, tcp = (port["spec"] for port in running.ready["ports"])
    assert serial == "serial:./meter0"
    assert (tmp_path / "meter0").resolve().is_char_device()
    host, number = tcp.removeprefix("tcp:").split(":")
    socket.create_connection((host, int(number)), timeout=20).close()


def test_the_call_that_a_meter_shows_has_its_key_file(tmp_path: Path) -> None:
    """Typed as it stands, it reaches the meter: a name with a blank in quotes."""
    file = tmp_path / "my keys"
    file.write_text(CliRunner().invoke(main, ["keys", "--new"]).stdout)
    words = ["meter", "--port", "tcp:127.0.0.1:0", "--keys", str(file), "--control"]
    done = subprocess.run(
        [*_COMMAND, *words], cwd=_ROOT, input=b"stop\n", capture_output=True, timeout=60, check=True
    )
    assert f" --keys '{file}' status\n" in done.stdout.decode()


def test_without_a_seed_it_is_another_meter_each_time(meter: Start) -> None:
    """A head-end's books of a former one, which has forgotten everything, do not meet it."""
    first = meter("--port", "tcp:127.0.0.1:0")
    second = meter("--port", "tcp:127.0.0.1:0")
    assert first.ready["meter"] != second.ready["meter"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_meter_cleanly(meter: Start, tmp_path: Path, number: int) -> None:
    """Exit code 0, the link removed, nothing on standard error."""
    running = meter("--port", "pty:./meter0")
    assert running.end(number) == 0
    assert not (tmp_path / "meter0").is_symlink()
    assert running.errors.read_text() == ""


def test_time_runs_by_order_and_at_its_speed(meter: Start) -> None:
    """``until`` hurries to a local time; the household's energy is on the display then."""
    running = meter("--port", "pty:./meter0", "--start", "2026-11-23T05:30")
    assert running.ready["clock"] == "2026-11-23T05:30:00+01:00"
    reached = running.order("until 2026-11-24T06:00")
    assert reached["time"] == "2026-11-24T06:00:00+01:00"
    assert 5 < float(running.value("1.8.0")) < 15
    running.order("speed 3600")
    before = running.value("1.8.0")
    running.until(lambda line: line.get("code") == "1.8.0" and line["value"] > before)


def test_all_times_are_of_the_meters_own_clock(meter: Start, tmp_path: Path) -> None:
    """After a head-end has set it; orders go by it as well, and it survives a restart."""
    options = ("--port", "pty:./meter0", "--state", "state")
    first = meter(*options, "--start", "2026-11-23T05:30")
    prepay(tmp_path, "clock", "--set", "2026-12-24T18:00:00")
    assert first.order("press select")["time"].startswith("2026-12-24T18:0")
    assert first.order("until 2026-12-25T06:00")["time"] == "2026-12-25T06:00:00+01:00"
    shown = [line["time"] for line in first.lines() if line.get("code") == "1.8.0"]
    assert shown[-1].startswith("2026-12-25T0")
    first.end()
    assert meter(*options).ready["clock"].startswith("2026-12-25T06:0")


def test_a_reader_who_does_not_read_cannot_stop_the_meter(tmp_path: Path) -> None:
    """Its standard output is a full pipe from the first line on; clients do not notice."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fill(writer)
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [*_COMMAND, "meter", "--port", "pty:./meter0", "--speed", "100000"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=writer,
    )
    os.close(writer)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "meter0").is_symlink() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(1)  # more than a day of changes
        assert_answers(tmp_path / "meter0")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)


WRONG_ORDERS = {
    "dance": "an order is one of speed, until, press, token, cover, contact, stop",
    "speed": "a speed is above 0",
    "speed -1": "a speed is above 0",
    "speed nan": "a speed is above 0",
    "speed 1e9": "a speed is above 0",
    "until tomorrow": "a time is written as",
    "until 0001-01-01": "no meter lives in the year 1",
    "press harder": "a button is display or select",
}


def test_a_wrong_order_is_answered_and_the_meter_runs_on(meter: Start) -> None:
    """The reason is in the answer."""
    running = meter("--port", "pty:./meter0")
    for order, refusal in WRONG_ORDERS.items():
        assert refusal in running.order(order)["refused"]
    assert "refused" not in running.order("press display")


def test_a_line_without_end_is_no_order(meter: Start) -> None:
    """It is cut short, refused, and forgotten."""
    running = meter("--port", "pty:./meter0")
    assert running.process.stdin is not None
    running.process.stdin.write(b"x" * 500_000 + b"\n")
    answer = running.until(lambda line: line.get("order", "").startswith("xxx"))
    assert len(answer["order"]) == LINE_LIMIT
    assert "refused" in answer


def test_a_stopped_meter_has_done_its_orders(meter: Start) -> None:
    """``stop`` is the end of a script."""
    running = meter("--port", "pty:./meter0")
    running.order("press select")
    assert "refused" not in running.order("stop")
    assert running.process.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_meters_state_survives_its_end(meter: Start, number: int) -> None:
    """Name, time and register go on where they stood, however the process ended."""
    options = ("--port", "pty:./meter0", "--state", "state")
    first = meter(*options, "--start", "2026-11-23T05:30", "--name", "OPP42", "--profile", "il")
    first.order("until 2026-11-25T12:00:30")
    energy = float(first.value("1.8.0"))
    first.end(number)
    second = meter(*options)
    assert second.ready["meter"] == "OPP42"
    assert second.ready["profile"] == "il"
    clock = datetime.fromisoformat(second.ready["clock"])
    stopped = datetime.fromisoformat("2026-11-25T12:00:30+02:00")
    assert abs(clock - stopped) < timedelta(minutes=1)  # it stood still since the last tick
    second.order("press display")
    # the register is committed each quarter-hour, and what came after is lost when it is killed;
    # one that is ended in order measures once more, and keeps all
    lost, more = (0.05, 0.0) if number == signal.SIGKILL else (0.0, 0.05)
    assert energy - lost <= float(second.value("1.8.0")) <= energy + more


def test_an_open_relay_stays_open_through_a_kill(meter: Start, tmp_path: Path) -> None:
    """The latching contact is where it was: nobody is supplied by pulling the plug."""
    options = ("--port", "pty:./meter0", "--state", "state", "--start", "2026-11-23T05:30")
    first = meter(*options)
    prepay(tmp_path, "activate")
    prepay(tmp_path, "disconnect")
    first.until(lambda line: line.get("relay") == "disconnected")
    first.end(signal.SIGKILL)
    second = meter(*options[:4])
    again = second.until(lambda line: "relay" in line)
    assert (again["relay"], again["signs"]) == ("disconnected", ["arrow", "friendly", "relay-open"])
    energy = second.value("1.8.0")
    second.order("until 2026-11-24T05:30")
    assert second.value("1.8.0") == energy
    prepay(tmp_path, "connect")
    second.until(lambda line: line.get("relay") == "connected")
    second.order("until 2026-11-24T12:00")
    assert float(second.value("1.8.0")) > float(energy)


def test_a_board_is_put_together_as_it_was_left(tmp_path: Path) -> None:
    """Its time, its contact and the energy below a pulse come from its directory."""
    state = StateDir(tmp_path)
    state.record(BoardRecord(MONDAY, Contact.OPEN, 4711))
    state.close()
    with ExitStack() as stack, DefaultSelector() as selector:
        board = assemble(Options(state=tmp_path), selector, stack).site.board
        assert (board.now, board.contact, board.remainder) == (MONDAY, Contact.OPEN, 4711)


def test_a_directory_belongs_to_one_meter(meter: Start, tmp_path: Path) -> None:
    """Another name, profile or seed is refused, and so is a second process."""
    running = meter("--port", "pty:./meter0", "--state", "state", "--seed", "5")
    again = [*_COMMAND, "meter", "--port", "pty:./other", "--state", "state"]
    env = {**os.environ, "PYTHONPATH": str(_ROOT)}

    def error(*more: str) -> tuple[int, str]:
        done = subprocess.run(
            [*again, *more], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    assert error() == (1, "prepay-sim: state is in use by another prepay-sim\n")
    running.end()
    for more in (["--name", "OPP1"], ["--profile", "il"], ["--seed", "6"]):
        code, text = error(*more)
        assert code == 1
        assert "holds a meter with" in text
        assert text.count("\n") == 1
    assert not (tmp_path / "other").is_symlink()


@pytest.mark.parametrize("command", [["keys"], ["profiles"], ["--help"], ["demo", "--help"]])
def test_a_full_disk_is_told_in_one_line(command: list[str]) -> None:
    """And not by a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*_COMMAND, *command], cwd=_ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = b"prepay-sim: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


def _invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing option '--port'"),
        (["--port", "nowhere"], 2, "one of hdlc+tcp:HOST:PORT, optical:PATH, "),
        (["--prot", "pty:m"], 2, "No such option"),
        (["--port", "pty:m", "--events", "loud"], 2, "'loud'"),
        (["--port", "pty:m", "extra"], 2, "extra"),
        (["--port", "tcp:127.0.0.1"], 2, "is not tcp:HOST:PORT"),
        (["--port", "pty:m", "--profile", "atlantis"], 2, "there is no such profile"),
        (["--port", "pty:m", "--speed", "0"], 2, "0"),
        (["--port", "pty:m", "--speed", "fast"], 2, "'fast'"),
        (
            ["--port", "pty:m", "--start", "2026"],
            2,
            "'2026' is no time: write --start as 2026-11-23T05:30\n",
        ),
        (["--port", "pty:m", "--start", "tomorrow"], 2, "write --start as"),
        (["--port", "pty:m", "--start", "0001-01-01"], 2, "no meter lives in the year 1"),
        (["--port", "pty:m", "--name", "x" * 17], 2, "1 to 16 ASCII characters"),
        (["--port", "pty:m", "--name", "Zähler"], 2, "1 to 16 ASCII characters"),
        (["--port", "pty:m", "--name", ""], 2, "1 to 16 ASCII characters"),
        (["--port", "pty:m", "--seed", "-1"], 2, "-1"),
        (["--port", "pty:m", "--load", "none.csv"], 1, "none.csv: cannot be read"),
        (["--port", "pty:m", "--keys", "none.toml"], 1, "none.toml: No such file"),
        (["--port", "pty:m", "--keys", "bad.toml"], 1, "bad.toml: "),
        (["--port", "pty:m", "--keys", "."], 1, ".: Is a directory"),
        (["--port", "pty:m", "--keys", "empty.toml"], 1, "empty.toml: it is empty"),
        (["--port", "pty:m", "--load", "octets"], 1, "octets: cannot be read: not a text file"),
        (["--port", "pty:bad.toml"], 1, "bad.toml exists"),
        (["--port", "pty:m", "--state", "bad.toml"], 1, "bad.toml: File exists"),
        (["--port", "pty:m", "--state", "/proc/nothing"], 1, "/proc/nothing: "),
        (["--port", "tcp:999.0.0.1:0"], 1, "cannot listen at 999.0.0.1"),
    ],
)
def test_wrong_options_give_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """2 for wrong usage, 1 for what cannot be used; no traceback, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[management]\nblock_cipher_key = '00'\n")
    Path("empty.toml").touch()
    Path("octets").write_bytes(b"\xff\x00")
    result = _invoke("meter", "--no-face", *arguments)
    assert result[0] == code
    assert message in result[1]
    assert result[1].startswith("prepay-sim: ")
    assert result[1].count("\n") == 1
    assert not Path("m").is_symlink()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            [],
            ["prepay-sim demo", "prepay-sim meter --port", "0 ended, 1 cannot run, 2 wrong usage"],
        ),
        (["meter"], ["s      presses", "SIGUSR1", "token DIGITS", "Exit codes", "--load"]),
        (["profiles"], ["Example: prepay-sim profiles --json"]),
        (["demo"], ["prepay-sim demo --only be-wal", "under a minute", "Sabbath"]),
    ],
)
def test_help_says_what_a_newcomer_looks_for(command: list[str], words: list[str]) -> None:
    """Examples, keys, exit codes, and how long the demo takes."""
    code, text = _invoke(*command, "--help")
    assert code == 0
    for word in words:
        assert word in text


def test_no_command_at_all_is_answered_with_the_help() -> None:
    """All of it, in its lines; it is wrong usage all the same."""
    code, text = _invoke()
    assert code == 2
    assert text.count("\n") > 10
    assert _invoke("dance") == (2, "prepay-sim: No such command 'dance'.\n")


def test_help_has_an_example_of_each_port() -> None:
    """What a user copies is in the help."""
    code, text = _invoke("meter", "--help")
    assert code == 0
    for words in ("--port pty:./meter0", "tcp:127.0.0.1:4059", "hdlc+tcp:127.0.0.1:4060"):
        assert words in text


def test_the_profiles_are_listed() -> None:
    """Each with its mode."""
    code, text = _invoke("profiles")
    assert code == 0
    found = [line.split()[:2] for line in text.splitlines()]
    assert found == [["be-wal", "central"], ["il", "local"]]
    code, text = _invoke("profiles", "--json")
    assert code == 0
    rows = json.loads(text)["profiles"]
    assert [[row["name"], row["mode"]] for row in rows] == found
    assert all(row["title"] for row in rows)


def test_a_memory_that_cannot_be_read_is_told_of(meter: Start, tmp_path: Path) -> None:
    """The meter begins anew, and whoever starts it knows why its balance is gone."""
    options = ("--port", "pty:./meter0", "--state", "state")
    assert meter(*options).end() == 0
    flash = tmp_path / "state" / "flash.bin"
    flash.write_bytes(bytes(range(256)) * (flash.stat().st_size // 256))
    again = meter(*options)
    assert "cannot be read: it begins anew" in again.errors.read_text()
