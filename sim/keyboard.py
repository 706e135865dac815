"""The meter's buttons under a user's fingers: single keys on the terminal that shows the face."""

import os
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from selectors import EVENT_READ, BaseSelector

from meter_fw.board import Button
from sim.board import SoftwareBoard
from sim.realtime import MAX_SPEED, RealTime

#: What the keys do, for the line below the face.
LEGEND = "space page  s select  + - speed  q quit"
#: Seconds for which a hint stands before it.
HINT = 3.0
#: The lowest speed that a key leads to.
MIN_SPEED = 1 / 64


class Fingers:
    """What each key does, and the words about it in the face's border.

    Args:
        loop: whose speed is changed.
        board: whose buttons are pressed.
        offered: whether "select" would do anything now.
        timer: seconds of real time.
    """

    def __init__(
        self,
        loop: RealTime,
        board: SoftwareBoard,
        offered: Callable[[], bool],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._board = board
        self._offered = offered
        self._timer = timer
        self._hint, self._hint_until = "", 0.0
        self._keys: dict[str, Callable[[], str]] = {
            " ": self._display,
            "s": self._select,
            "+": partial(self._change_speed, 2),
            "-": partial(self._change_speed, 0.5),
            "q": self._quit,
        }

    def press(self, key: str) -> None:
        """Do what a key does; one that does nothing leaves a hint."""
        self._hint = self._keys[key]() if key in self._keys else "that key does nothing"
        self._hint_until = self._timer() + HINT

    def footer(self) -> str:
        """Return the keys, after the hint while it is new."""
        hint = self._hint if self._timer() < self._hint_until else ""
        return f"{hint}: {LEGEND}" if hint else LEGEND

    def _display(self) -> str:
        self._board.press(Button.DISPLAY)
        return ""

    def _select(self) -> str:
        hint = "" if self._offered() else "nothing to select"
        self._board.press(Button.SELECT)
        return hint

    def _change_speed(self, factor: float) -> str:
        before = self._loop.speed
        if factor > 1:
            self._loop.speed = min(before * factor, MAX_SPEED)
            return "" if self._loop.speed > before else "no faster"
        if before * factor < MIN_SPEED:
            return "no slower"
        self._loop.speed = before * factor
        return ""

    def _quit(self) -> str:
        self._loop.stop()
        return ""


@contextmanager
def keyboard(selector: BaseSelector, press: Callable[[str], None]) -> Iterator[bool]:
    """Take single keys from the terminal, if we are in its foreground; leave it as it was.

    Args:
        selector: the loop's.
        press: takes each key.

    Yields:
        Whether there is such a terminal.
    """
    fd = sys.__stdin__.fileno() if sys.__stdin__ else -1
    if not _in_foreground(fd):
        yield False
        return
    former = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        selector.register(fd, EVENT_READ, partial(_on_ready, fd, selector, press))
        yield True
    finally:
        with suppress(KeyError):
            selector.unregister(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, former)


def _in_foreground(fd: int) -> bool:
    """Whether ``fd`` is a terminal that we may read without being stopped for it."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _on_ready(fd: int, selector: BaseSelector, press: Callable[[str], None], _mask: int) -> None:
    data = b""
    with suppress(OSError):
        data = os.read(fd, 64)
    if not data:
        selector.unregister(fd)  # the terminal has gone
    for key in data.decode("ascii", "replace"):
        press(key)
