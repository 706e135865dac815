"""Starts servers as processes of their own and sees to it that they end."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.driving import Line
from tests.interop.environments import CHECKOUT

START_SECONDS = 30.0
END_SECONDS = 10.0
POLL_SECONDS = 0.05
SECOND_OF_AN_ENTRY = 1.1


def free_port() -> int:
    """A TCP port of this host that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """This process's environment, in which our packages are found and output is not held back."""
    return os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(command: Sequence[str], directory: Path, name: str) -> Iterator["Running"]:
    """Run a command in a directory until the block is left."""
    out, err = directory / f"{name}.stdout", directory / f"{name}.stderr"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Running(process, out, err)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """A process and what it has written so far."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def first_line(self) -> str:
        """Wait for the first line on standard output."""

        def complete() -> bool:
            return "\n" in self.stdout.read_text()

        self._wait(complete, "says nothing")
        return self.stdout.read_text().partition("\n")[0]

    def listens(self, port: int) -> None:
        """Wait until something listens on a TCP port of this host."""

        def reachable() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self._wait(reachable, "does not listen")

    def _wait(self, ready: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                what = self.process.args
                raise AssertionError(f"{what!r} {complaint}:\n{self.stderr.read_text()}")
            time.sleep(POLL_SECONDS)


def script(name: str, module: str) -> list[str]:
    """The command of one of our scripts: the installed one, else its module's `main`."""
    installed = Path(sys.executable).with_name(name)
    if installed.exists():
        return [str(installed)]
    return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]


@dataclass(frozen=True, slots=True)
class OurMeter:
    """Our simulator at work.

    Args:
        lines: by transport: tcp, hdlc+tcp, serial.
        announcement: the JSON line it printed.
    """

    lines: Mapping[str, Line]
    announcement: Mapping[str, Any]


@contextmanager
def our_meter(directory: Path, profile: str = "be-wal") -> Iterator[OurMeter]:
    """Run our meter simulator with a wrapper, an HDLC-over-TCP and a pty port.

    It has been activated and topped up once, so that there is something to select from.
    """
    wrapper, hdlc, link = free_port(), free_port(), directory / "link"
    command = [*script("prepay-sim", "sim.cli"), "meter", "--profile", profile, "--json"]
    command += ["--port", f"tcp:127.0.0.1:{wrapper}", "--port", f"hdlc+tcp:127.0.0.1:{hdlc}"]
    command += ["--port", "pty:./link"]
    lines = {
        "tcp": Line("tcp", f"127.0.0.1:{wrapper}"),
        "hdlc+tcp": Line("hdlc+tcp", f"127.0.0.1:{hdlc}"),
        "serial": Line("serial", str(link)),
    }
    with running(command, directory, "meter") as process:
        announcement = json.loads(process.first_line())
        _live(lines["tcp"], directory)
        yield OurMeter(lines, announcement)


def _live(line: Line, directory: Path) -> None:
    """Give the meter two entries in its transaction log, more than a second apart."""
    command = [*script("prepay", "headend.cli"), "--port", f"tcp:{line.address}"]
    command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}"]
    for words in (["activate"], ["topup", "5.00"]):
        subprocess.run(
            [*command, *words],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=START_SECONDS,
            check=True,
        )
        time.sleep(SECOND_OF_AN_ENTRY)
