import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

import pytest

from meter_fw.board import Lcd, Outputs, Sign
from protocol.timing import later
from sim.face import Case
from sim.outlet import KEPT, Outlet
from sim.screen import Lines
from sim.world import Site
from tests.sim.standin import BRUSSELS, MONDAY, Echo, board


@dataclass
class Pipe:
    """A pipe that is full, so that whoever writes to it without asking hangs."""

    reader: int = field(init=False)
    out: TextIO = field(init=False)
    filled: int = field(init=False)

    def __post_init__(self) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self.filled = fill(writer)
        os.set_blocking(writer, True)
        os.set_blocking(self.reader, False)
        self.out = os.fdopen(writer, "w", encoding="ascii")

    def empty(self) -> list[str]:
        """Read all that is in it and return the lines after the filling."""
        data = b""
        while True:
            try:
                piece = os.read(self.reader, 65536)
            except BlockingIOError:
                break
            data += piece
        return data.lstrip(b".").decode("ascii").splitlines()


def fill(fd: int) -> int:
    """Write dots until no more go in, and return how many did."""
    count = 0
    try:
        while True:
            count += os.write(fd, b"." * 4096)
    except BlockingIOError:
        return count


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A full pipe."""
    made = Pipe()
    yield made
    made.out.close()
    os.close(made.reader)


def note(count: int) -> str:
    """Return the line about dropped ones."""
    return f"dropped {count}"


def test_lines_wait_for_their_reader_in_their_order(pipe: Pipe) -> None:
    """Nothing blocks, nothing is lost, and one who reads again gets it at the next turn."""
    outlet = Outlet(pipe.out, note)
    outlet.say("one")
    outlet.say("two")
    assert outlet.behind
    assert pipe.empty() == []
    outlet.turn()
    outlet.say("three")
    assert not outlet.behind
    assert pipe.empty() == ["one", "two", "three"]


@pytest.mark.parametrize("more", [0, 1, 7])
def test_beyond_a_bound_lines_are_dropped_and_counted(pipe: Pipe, more: int) -> None:
    """What waits is bounded; the note stands where the gap is."""
    outlet = Outlet(pipe.out, note)
    for number in range(KEPT + more):
        outlet.say(f"{number}")
    pipe.empty()
    outlet.turn()
    outlet.say("after")
    gap = [note(more)] if more else []
    assert pipe.empty() == [*map(str, range(KEPT)), *gap, "after"]


def test_a_reader_who_has_gone_is_noticed(pipe: Pipe) -> None:
    """As by any program in a pipeline, which then ends."""
    os.close(pipe.reader)
    outlet = Outlet(pipe.out, note)
    with pytest.raises(BrokenPipeError):
        outlet.say("one")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, pipe.out.fileno())  # its buffer has to go somewhere
    pipe.reader = null


def test_a_changing_value_is_not_piled_up(pipe: Pipe) -> None:
    """A reader who comes back gets what stands now, not its history."""
    value = 0
    outlet = Outlet(pipe.out, note)

    def pages() -> list[Lcd]:
        return [Lcd("1.8.0", str(value), "Wh", Sign.NONE, "connected")]

    timer = iter(range(1000))
    lines = Lines(
        Case("OPP1", "be-wal"),
        lambda: datetime(2026, 11, 23, 5, 30, tzinfo=BRUSSELS),
        pages,
        outlet,
        timer=lambda: float(next(timer)),
    )
    site = Site("one", Echo(), board())
    for value in range(50):  # noqa: B007 # read by pages
        lines.ticked(site, Outputs(lambda: pages()[0], later(MONDAY, 1)))
        lines.turn()
    assert pipe.empty() == []
    outlet.turn()
    lines.turn()
    shown = [line.split("  ")[1] for line in pipe.empty()]
    assert shown == ["0 Wh", "49 Wh"]
