"""What a device has yet to send: each message at its moment, and the rate of the line before it."""

from protocol.iec21.characters import INITIAL_BAUD, Parity, encode, time_on_wire
from protocol.iec21.events import BaudSwitch
from protocol.timing import Instant, later


class SendQueue:
    """Messages and changes of rate, in the order of their moments.

    Args:
        reaction: milliseconds between a message that came and its answer.
    """

    def __init__(self, reaction: int) -> None:
        #: The rate at which the line runs, or will as soon as what is queued is out.
        self.baud = INITIAL_BAUD
        self._reaction = reaction
        self._queue: list[tuple[Instant, bytes | BaudSwitch]] = []

    @property
    def next_at(self) -> Instant | None:
        """When the first of it is due; None when nothing waits."""
        return self._queue[0][0] if self._queue else None

    def say(self, characters: bytes, parity: Parity, now: Instant, baud: int | None = None) -> None:
        """Queue a message for when the reader is ready for it, in place of those not out yet."""
        self._queue = [(now, what) for _, what in self._queue if isinstance(what, BaudSwitch)]
        start = later(now, self._reaction)
        self.switch(self.baud if baud is None else baud, start)
        self._queue.append((start, encode(characters, parity)))

    def go_on(self, characters: bytes, parity: Parity, now: Instant, baud: int) -> None:
        """Queue another message, at its own rate, behind what is queued."""
        end = self.end(now)
        self.switch(baud, end)
        self._queue.append((end, encode(characters, parity)))

    def switch(self, baud: int, at: Instant) -> None:
        """Queue a change of rate, unless the line runs at it anyway."""
        if baud != self.baud:
            self.baud = baud
            self._queue.append((at, BaudSwitch(baud)))

    def end(self, now: Instant) -> Instant:
        """Return when the last of what is queued has gone over the wire."""
        if not self._queue:
            return now
        at, what = self._queue[-1]
        return at if isinstance(what, BaudSwitch) else later(at, time_on_wire(len(what), self.baud))

    def due(self, now: Instant) -> list[bytes | BaudSwitch]:
        """Return, once, what is due."""
        count = sum(at <= now for at, _ in self._queue)  # the moments rise
        found = [what for _, what in self._queue[:count]]
        del self._queue[:count]
        return found
