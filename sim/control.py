"""Orders to a running meter's world, one line each on standard input.

    speed 60                     seconds of the meter's time in one second
    until 2026-11-24T06:00       as fast as the host can, until the meter's clock shows that
    press display                a finger on a button; also: press select
    token 0100...                somebody types a token on the meter's keys
    cover open                   somebody opens the meter's cover; also: cover close
    contact stuck                the relay's contact follows its coil no more; also: contact free
    stop                         as SIGTERM would, and as the end of the input does

They are about the world, never about the meter: what a head-end wants goes through a port. Each
is answered through ``say`` when it has been done, or with the reason why not.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from selectors import EVENT_READ, BaseSelector

from meter_fw.board import Button
from protocol.timing import Instant
from sim.board import SoftwareBoard
from sim.load import YEARS
from sim.realtime import MAX_SPEED, RealTime

#: Octets of the longest order.
LINE_LIMIT = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OrderError(ValueError):
    """A line that is no order."""


class Control:
    """Reads orders from a descriptor and carries them out.

    Args:
        loop: of the world.
        board: of the meter whose buttons are pressed.
        zone: of its local time.
        offset: ms by which its clock is ahead of the world's.
        say: takes each answer: the order as it was read, and why it was not done or "".
    """

    def __init__(
        self,
        loop: RealTime,
        board: SoftwareBoard,
        zone: tzinfo,
        offset: Callable[[], int],
        say: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._board = board
        self._zone = zone
        self._offset = offset
        self._say = say
        self._line = bytearray()
        self._orders: dict[str, Callable[[str, Callable[[], None]], None]] = {
            "speed": self._speed,
            "until": self._until,
            "press": self._press,
            "token": self._token,
            "cover": partial(self._turn, "opened", {"open": True, "close": False}),
            "contact": partial(self._turn, "stuck", {"stuck": True, "free": False}),
            "stop": self._stop,
        }

    def listen(self, fd: int, selector: BaseSelector) -> None:
        """Take orders from a descriptor; its end is the meter's.

        Raises:
            OSError: it is none that can be waited for, such as a plain file.
        """
        os.set_blocking(fd, False)
        selector.register(fd, EVENT_READ, partial(self._on_ready, fd, selector))

    def order(self, line: str) -> None:
        """Carry one order out; its answer comes when it is done."""
        verb, _, rest = line.partition(" ")
        try:
            if verb not in self._orders:
                raise OrderError(f"an order is one of {', '.join(self._orders)}")
            self._orders[verb](rest.strip(), lambda: self._say(line, ""))
        except OrderError as error:
            self._say(line, str(error))

    def _on_ready(self, fd: int, selector: BaseSelector, _mask: int) -> None:
        data = b""
        with suppress(BlockingIOError):
            data = os.read(fd, 4096)
            if not data:  # whoever gave the orders has gone
                selector.unregister(fd)
                self._loop.stop()
        for octet in data:
            if octet != ord("\n"):
                if len(self._line) < LINE_LIMIT:  # what is longer is no order anyway
                    self._line.append(octet)
                continue
            line = self._line.decode("ascii", "replace").strip()
            self._line.clear()
            if line:
                self.order(line)

    def _speed(self, text: str, done: Callable[[], None]) -> None:
        try:
            speed = float(text)
        except ValueError:
            speed = 0.0
        if not 0 < speed <= MAX_SPEED:
            raise OrderError(f"a speed is above 0 and at most {MAX_SPEED}")
        self._loop.speed = speed
        done()

    def _until(self, text: str, done: Callable[[], None]) -> None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise OrderError("a time is written as 2026-11-24T06:00") from None
        if moment.year not in YEARS:
            raise OrderError(f"no meter lives in the year {moment.year}")
        local = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        shown = (local - _EPOCH) // timedelta(milliseconds=1)
        self._loop.hurry(Instant(shown - self._offset()), done)

    def _press(self, text: str, done: Callable[[], None]) -> None:
        try:
            self._board.press(Button[text.upper()])
        except KeyError:
            raise OrderError("a button is display or select") from None
        done()

    def _token(self, text: str, done: Callable[[], None]) -> None:
        """Type it; what the meter makes of it, its display and its token log say."""
        if not text:
            raise OrderError("a token has digits")
        self._board.key_in(text)
        done()

    def _turn(
        self, what: str, words: Mapping[str, bool], text: str, done: Callable[[], None]
    ) -> None:
        """Turn something of the board on or off."""
        if text not in words:
            raise OrderError(f"say {' or '.join(words)}")
        setattr(self._board, what, words[text])
        done()

    def _stop(self, text: str, done: Callable[[], None]) -> None:
        self._loop.stop()
        done()
