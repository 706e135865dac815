"""Standard output that waits for nobody: who has stopped reading does not stop a meter."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import UnsupportedOperation
from select import POLLOUT, poll
from typing import TextIO

#: Lines that are kept for a reader who is behind, beside what the pipe itself holds.
KEPT = 1000


class Outlet:
    """Lines for a reader; those he does not take at once wait, a bounded number of them.

    Args:
        out: where they go.
        note: makes the line that tells how many were dropped.
    """

    def __init__(self, out: TextIO, note: Callable[[int], str]) -> None:
        self._out = out
        self._note = note
        self._waiting: deque[str] = deque()
        self._dropped = 0

    @property
    def behind(self) -> bool:
        """Whether lines wait for their reader."""
        return bool(self._waiting)

    def say(self, line: str) -> None:
        """Write a line now or later; drop and count it where too many wait already."""
        if len(self._waiting) < KEPT:
            self._confess()
            self._waiting.append(line)
        else:
            self._dropped += 1
        self.turn()

    def turn(self) -> None:
        """Write what the reader takes; called once a turn of the loop.

        Raises:
            BrokenPipeError: he has gone.
        """
        while self._waiting and takes_more(self._out):
            print(self._waiting.popleft(), file=self._out, flush=True)
            if not self._waiting:
                self._confess()

    def _confess(self) -> None:
        """Tell of what was dropped, in its place among the lines."""
        if self._dropped:
            self._waiting.append(self._note(self._dropped))
            self._dropped = 0


def takes_more(out: TextIO) -> bool:
    """Whether a line can be written without waiting.

    A pipe that says so has room for 4096 octets (``PIPE_BUF`` of Linux), and no line is longer.
    """
    with suppress(UnsupportedOperation):  # in memory
        poller = poll()
        poller.register(out.fileno(), POLLOUT)
        return bool(poller.poll(0))
    return True
