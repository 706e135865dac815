import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.standin import assert_answers

_ROOT = Path(__file__).parents[2]


class Terminal:
    """A meter that draws its face on a terminal of ours."""

    def __init__(self, folder: Path) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 80))
        self.modes = termios.tcgetattr(self.slave)
        self.seen = ""
        code = (
            "import os, fcntl, termios\n"
            "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
            "from sim.cli import main; main()"
        )
        start = ["meter", "--port", "pty:./meter0", "--start", "2026-11-23T05:30"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *start],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(_ROOT), "TERM": "xterm", "LC_ALL": "C.UTF-8"},
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
        )

    def until(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536).decode("utf-8", "replace")

    def press(self, key: bytes) -> None:
        self.seen = ""
        os.write(self.master, key)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A running meter on a terminal."""
    made = Terminal(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.master)
    os.close(made.slave)


def test_a_terminal_shows_the_face_and_takes_keys(terminal: Terminal, tmp_path: Path) -> None:
    """A key turns the page, others change the speed and end it; the terminal is as before."""
    terminal.until("q quit")
    assert "OPP" in terminal.seen
    terminal.press(b" ")
    terminal.until("94.32.2")
    terminal.press(b"++")
    terminal.until("4x")
    terminal.press(b"?")
    terminal.until("that key does nothing: space page")
    terminal.press(b"s")
    terminal.until("nothing to select: space page")
    terminal.press(b"q")
    assert terminal.process.wait(60) == 0
    assert not (tmp_path / "meter0").is_symlink()
    assert termios.tcgetattr(terminal.slave) == terminal.modes


def test_a_stopped_terminal_does_not_stop_the_meter(terminal: Terminal, tmp_path: Path) -> None:
    """Ctrl-S holds the picture and no more: a client is answered meanwhile."""
    terminal.until("q quit")
    terminal.press(b"\x13")
    time.sleep(1)  # several redraws
    assert_answers(tmp_path / "meter0")
    terminal.press(b"\x11q")
    assert terminal.process.wait(60) == 0
