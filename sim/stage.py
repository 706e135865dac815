"""The stage of the demo: a meter and a head-end, each a process of its own, joined by a pty.

The stage starts ``prepay-sim meter`` and runs ``prepay`` commands as a user would type them. It
follows the meter by what its display shows (the event lines), hurries the meter's time on between
the moments, and raises ``DemoError`` for a moment that does not come.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import click

from meter_fw.board import Lcd, Sign
from sim.face import SIGNS, Case, Face, render_text

#: Real seconds within which a moment has to come; generous, for a busy machine.
DEADLINE = 40.0
#: Seconds of the meter's time in one of ours while somebody talks to it.
SPEED = 60
_POLL = 0.02
_MAINS = {"prepay": "headend.cli", "prepay-sim": "sim.cli"}
_NAMES = {name: sign for sign, (name, _) in SIGNS.items()}


class DemoError(Exception):
    """A moment did not come, or a check does not hold."""


def command(program: str) -> list[str]:
    """Return how to start one of our programs: as installed beside this Python, else by import."""
    installed = shutil.which(program, path=str(Path(sys.executable).parent))
    if installed:
        return [installed]
    return [sys.executable, "-c", f"from {_MAINS[program]} import main; main()"]


@dataclass
class Display:
    """What a meter's display was last seen to show.

    Args:
        pages: value and unit by code.
        signs: names of the signs that are lit.
        relay: control state of the relay.
        clock: time of the last line, local.
        orders: the orders that were answered.
    """

    pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    signs: frozenset[str] = frozenset()
    relay: str = ""
    clock: datetime | None = None
    orders: set[str] = field(default_factory=set)

    def see(self, line: dict[str, Any]) -> None:
        """Take one event line."""
        if "time" in line:
            self.clock = datetime.fromisoformat(line["time"])
        if "refused" in line:
            raise DemoError(f"{line['order']}: {line['refused']}")
        if "order" in line:
            self.orders.add(line["order"])
        if "code" in line:
            self.pages[line["code"]] = line["value"], line["unit"]
            self.signs = frozenset(line["signs"])
            self.relay = line["relay"]

    def amount(self, code: str) -> str:
        """Return the value of a page, empty while it has not been seen."""
        return self.pages.get(code, ("", ""))[0]

    def __str__(self) -> str:
        pages = ", ".join(f"{code}: {value} {unit}" for code, (value, unit) in self.pages.items())
        return f"{self.clock}, {pages}, relay {self.relay}, signs {','.join(sorted(self.signs))}"


class Stage:
    """One meter and the head-end beside it.

    Args:
        folder: working directory of both; the link and the database are made there.
        profile: of the meter.
        currency: ISO code of the profile's.
        start: first moment, local time.
        load: file of quarter-hours.
        link: name of the pty's link.
    """

    def __init__(
        self, folder: Path, profile: str, currency: str, start: str, load: Path, link: str
    ) -> None:
        self.display = Display()
        self._folder = folder
        options = ["--profile", profile, "--port", f"pty:./{link}", "--load", str(load)]
        options += ["--start", start, "--speed", str(SPEED)]
        click.secho(f"$ prepay-sim meter {' '.join(options[:4])} --speed {SPEED} ...", bold=True)
        log = folder / f"{link}.log"
        options += ["--json", "--events", "json", "--control"]
        with log.open("wb") as out:
            self._meter = subprocess.Popen(
                [*command("prepay-sim"), "meter", *options],
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.PIPE,
            )
        self._log = log.open(encoding="utf-8")
        self._ready: dict[str, Any] = {}
        with ExitStack() as unready:  # a meter that does not come is not left behind
            unready.callback(self.__exit__)
            self.wait("the meter is ready", lambda: bool(self._ready and self.display.pages))
            unready.pop_all()
        self._spec: str = self._ready["ports"][0]["spec"]
        click.secho(f"$ export PREPAY_PORT={self._spec}", bold=True)
        self._case = Case(self._ready["meter"], profile, currency)

    @property
    def meter(self) -> str:
        """The meter's logical device name."""
        return self._case.name

    def moment(self, title: str) -> None:
        """Announce a moment, with the meter's clock."""
        self._read()
        clock = f"{self.display.clock:%A %H:%M}" if self.display.clock else ""
        click.secho(f"\n{clock}  {title}", bold=True, fg="cyan")

    def prepay(self, *words: str) -> str:
        """Run a head-end command and show it with its output.

        Raises:
            DemoError: it ends with another code than 0.
        """
        click.secho(f"$ prepay {' '.join(words)}", bold=True)
        output = self._run(*words)
        for line in output.splitlines():
            click.echo(f"  {line}")
        return output

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a head-end command with ``--json``, quietly, and return what it says."""
        found: dict[str, Any] = json.loads(self._run(*words, "--json"))
        return found

    def until(self, moment: str) -> None:
        """Hurry the meter's time on to a local time."""
        order = f"until {moment}"
        assert self._meter.stdin is not None
        self._meter.stdin.write(f"{order}\n".encode())
        self._meter.stdin.flush()
        self.wait(f"it is {moment}", lambda: order in self.display.orders)

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Follow the display until ``condition`` holds.

        Raises:
            DemoError: it does not within ``DEADLINE``, or the meter has ended.
        """
        deadline = time.monotonic() + DEADLINE
        while True:
            self._read()
            if condition():
                return
            if self._meter.poll() is not None:
                assert self._meter.stderr is not None
                reason = self._meter.stderr.read().decode(errors="replace").strip()
                raise DemoError(f"the meter has ended: {reason}")
            if time.monotonic() > deadline:
                raise DemoError(f"did not come in {DEADLINE:g} s: {what} ({self.display})")
            time.sleep(_POLL)

    def see(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for a condition and say that it has come."""
        self.wait(what, condition)
        click.echo(click.style("  ok  ", fg="green") + what)

    def face(self, code: str) -> None:
        """Draw the meter's face with one page of its display."""
        display = self.display
        assert display.clock is not None
        value, unit = display.pages[code]
        signs = Sign.NONE
        for name in display.signs:
            signs |= _NAMES[name]
        look = Face(self._case, Lcd(code, value, unit, signs, display.relay), display.clock)
        if sys.stdout.isatty():
            from rich.console import Console

            from sim.screen import panel

            console = Console(highlight=False)
            console.print(panel(look, console.encoding))
        else:
            click.echo(render_text(look, unicode=_can_unicode()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._meter.poll() is None:
            self._meter.terminate()
        try:
            self._meter.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._meter.kill()
            self._meter.wait()
        for stream in (self._meter.stdin, self._meter.stderr, self._log):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _run(self, *words: str) -> str:
        try:
            done = subprocess.run(
                [*command("prepay"), *words],
                cwd=self._folder,
                env={**_environment(self._folder), "PREPAY_PORT": self._spec},
                capture_output=True,
                encoding="utf-8",
                timeout=DEADLINE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"prepay {' '.join(words)} did not end in {DEADLINE:g} s") from error
        if done.returncode:
            reason = done.stderr.strip() or done.stdout.strip()
            raise DemoError(f"prepay {' '.join(words)} ended with {done.returncode}: {reason}")
        return done.stdout

    def _read(self) -> None:
        while True:
            place = self._log.tell()
            line = self._log.readline()
            if not line.endswith("\n"):
                self._log.seek(place)  # it is being written just now
                return
            event = json.loads(line)
            if "meter" in event:
                self._ready = event
            self.display.see(event)


def _can_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of both programs: a database of its own, no options of the user's."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PREPAY_")}
    here = str(Path(__file__).parents[1])  # where our packages are, installed or not
    return {
        **mine,
        "PREPAY_DB": str(folder / "demo.db"),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])),
    }
