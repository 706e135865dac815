"""The meter's buttons under a user's fingers: single keys on the terminal that shows the face."""

import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from selectors import EVENT_READ, BaseSelector

from meter_fw.board import Button
from sim.board import SoftwareBoard
from sim.realtime import MAX_SPEED, RealTime

#: What the keys do, for the line below the face.
LEGEND = "space page  s select  + - speed  q quit"


def bindings(loop: RealTime, board: SoftwareBoard) -> Mapping[str, Callable[[], None]]:
    """Return what each key does."""

    def change_speed(factor: float) -> None:
        loop.speed = min(loop.speed * factor, MAX_SPEED)

    return {
        " ": partial(board.press, Button.DISPLAY),
        "s": partial(board.press, Button.SELECT),
        "+": partial(change_speed, 2),
        "-": partial(change_speed, 0.5),
        "q": loop.stop,
    }


@contextmanager
def keyboard(selector: BaseSelector, keys: Mapping[str, Callable[[], None]]) -> Iterator[bool]:
    """Take single keys from the terminal, if we are in its foreground; leave it as it was.

    Args:
        selector: the loop's.
        keys: what each key does.

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
        selector.register(fd, EVENT_READ, partial(_on_ready, fd, selector, keys))
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


def _on_ready(
    fd: int, selector: BaseSelector, keys: Mapping[str, Callable[[], None]], _mask: int
) -> None:
    data = b""
    with suppress(OSError):
        data = os.read(fd, 64)
    if not data:
        selector.unregister(fd)  # the terminal has gone
    for key in data.decode("ascii", "ignore"):
        keys.get(key, lambda: None)()
