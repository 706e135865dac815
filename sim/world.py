"""The world around the meters: one clock, one seed, one loop.

Time goes on in steps. A meter is ticked at each moment it asked for, in order, and at the
latest a minute of its own time after the last tick; all meters of a world are ticked in the
order of their moments, so that the same seed and the same octets give the same run. Nothing
here knows real time: ``sim.realtime`` hurries a world along with it.

Of many meters most are silent at any moment. Those are not asked: a meter whose bell rings, because
a descriptor of its ports is ready, or whose board somebody has touched, is; and after a tick once
more, for what it sent may have ended a connection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Protocol

from meter_fw.board import Inputs, Outputs
from protocol.timing import Instant, earliest, later
from sim.agenda import Agenda
from sim.board import SoftwareBoard
from sim.ports.base import News, Port, Rated
from sim.ports.bell import Bell
from sim.ports.calls import Calls

#: The longest that a meter is left alone, in ms of its time: a load's power may change meanwhile.
LONGEST_STEP = 60_000
#: The time a relay contact takes to follow its coil, in ms.
CONTACT_TRAVEL = 20
#: Exchanges at one moment before ``settle`` calls it an endless conversation.
SETTLE_LIMIT = 100_000


class Firmware(Protocol):
    """What a board runs; the meter's kernel is one."""

    def tick(self, now: Instant, inputs: Inputs) -> Outputs:
        """Take what happened until ``now`` and say what to do and when to call again."""
        ...


#: Called before a tick with the moment it will happen at, and after it with what came of it.
Before = Callable[["Site", Instant], None]
After = Callable[["Site", Outputs], None]


@dataclass(slots=True)
class Site:
    """A meter where it hangs: its firmware on its board, and its ports.

    Args:
        name: the meter's.
        firmware: what the board runs.
        board: the board.
        ports: where lines to this meter appear.
        calls: makes the calls that the firmware asks for; without it nobody is reached.
        bell: rings when a port or call may bring something; without it they are asked each turn.
    """

    name: str
    firmware: Firmware
    board: SoftwareBoard
    ports: Sequence[Port] = ()
    calls: Calls | None = None
    bell: Bell | None = None
    #: The next tick at the latest, and the same on the line timer if the firmware asked for that.
    due: Instant = field(init=False)
    line_due: Instant | None = field(default=None, init=False)
    _waiting: News = field(default_factory=News, init=False)

    def listen(self) -> bool:
        """Take what the ports bring; return whether there is anything for the firmware."""
        for port in self._places():
            if arrived := port.collect():
                waiting = self._waiting
                self._waiting = News.together([waiting, arrived]) if waiting else arrived
        return bool(self._waiting) or self.board.touched

    def tick(self, now: Instant, line_now: Instant | None) -> Outputs:
        """Let the firmware run once, at ``now``, with all that waits for it."""
        news, self._waiting = self._waiting, News()
        outputs = self.firmware.tick(now, self.board.measure(now, news, line_now))
        moved = self.board.drive(outputs)
        if outputs.tx or outputs.close or outputs.baud:
            self._send(outputs)
        if self.calls is not None:
            for line, whom in outputs.dial.items():
                self.calls.dial(line, whom)
        self.line_due = outputs.line_wake_at
        if line_now is not None and self.line_due is not None:
            self.line_due = max(self.line_due, later(line_now, 1))
        wanted = [outputs.wake_at, later(now, LONGEST_STEP)]
        if moved:
            wanted.append(later(now, CONTACT_TRAVEL))
        if line_now is None and self.line_due is not None:
            wanted.append(self.line_due)  # the line timer is ``now`` itself
        # a moment that is not later than this one would stop the clock
        self.due = max(earliest(*wanted) or now, later(now, 1))
        return outputs

    def close(self) -> None:
        """Close every port."""
        for port in self._places():
            port.close()

    def _send(self, outputs: Outputs) -> None:
        for port in self._places():
            if outputs.baud and isinstance(port, Rated):  # to ask a protocol's members takes long
                for line, baud in outputs.baud.items():
                    port.set_baud(line, baud)
            for line, data in outputs.tx.items():
                port.send(line, data)
            for line in outputs.close:
                port.hang_up(line)

    def _places(self) -> tuple[Port | Calls, ...]:
        return (*self.ports, self.calls) if self.calls is not None else tuple(self.ports)


class World:
    """Meters under one clock.

    Args:
        start: the first moment.
        seed: of all chance in this world.
        line_clock: reads the line timer; without one it is the world's clock.
    """

    def __init__(
        self, start: Instant, seed: int = 0, line_clock: Callable[[], Instant] | None = None
    ) -> None:
        self.now = start
        self.sites: list[Site] = []
        self.before: list[Before] = []
        self.after: list[After] = []
        self._seed = seed
        self._line_clock = line_clock
        self._ticks, self._timers = Agenda(), Agenda()  # by place in sites
        self._rung: set[int] = set()  # places that may have something
        self._unbelled: set[int] = set()  # places that have to be asked

    def entropy(self, name: str) -> Callable[[int], bytes]:
        """Return a source of random octets of its own for ``name``.

        It follows from seed and name, not from what else is in the world, and from the moment:
        a meter that boots again does not repeat the challenges of its last life.
        """
        return Random(f"{self._seed} {name} {self.now}").randbytes

    def add(self, site: Site) -> Outputs:
        """Put a meter into the world and boot it: its first tick happens now."""
        place = len(self.sites)
        self.sites.append(site)
        ring = site.board.ring = partial(self._rung.add, place)
        if site.bell is None:
            self._unbelled.add(place)
        else:
            site.bell.ring = ring
        site.listen()
        return self._tick(place, self.now)

    def next_due(self) -> Instant | None:
        """Return when a meter has to be ticked next; None in an empty world."""
        first = self._ticks.first()
        return None if first is None else first[0]

    def next_line_due(self) -> Instant | None:
        """Return when a line timer runs out next; None where none does, or none is apart."""
        first = self._timers.first()
        return None if first is None else first[0]

    def run_until(self, moment: Instant, enough: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, as fast as it goes, and tick each meter at its moments.

        Args:
            moment: where to stop, at or after the present.
            enough: asked after each tick; True stops there, with the world's clock where it is.

        Returns:
            Whether ``moment`` was reached.
        """
        while (first := self._ticks.first()) is not None and first[0] <= moment:
            due, place = first
            self._tick(place, due)
            if enough():
                return False
        self.now = max(self.now, moment)
        return True

    def deliver(self) -> bool:
        """Bring what the ports hold, and line timers that ran out, to their meters, now.

        Returns:
            Whether any meter was ticked.
        """
        line_now = self._line_now()
        late = set() if line_now is None else self._timers.take(line_now)
        ticked = False
        for place in sorted(self._to_ask() | late):
            if self.sites[place].listen() or place in late:
                self._tick(place, self.now)
                ticked = True
        return ticked

    def settle(self) -> None:
        """Deliver until no port has anything left; for worlds on memory ports.

        Raises:
            RuntimeError: a conversation at one moment does not end.
        """
        for _ in range(SETTLE_LIMIT):
            if not self.deliver():
                return
        raise RuntimeError("a conversation at one moment does not end")

    def power_down(self) -> None:
        """Let every board see its supply fail, and the firmware put away what it has to."""
        for place, site in enumerate(self.sites):
            site.board.failing = True
            self._tick(place, self.now)

    def close(self) -> None:
        """Close every port."""
        for site in self.sites:
            site.close()

    def _to_ask(self) -> set[int]:
        rung = set()
        while self._rung:  # one by one: a signal may press a button meanwhile
            rung.add(self._rung.pop())
        return rung | self._unbelled

    def _line_now(self) -> Instant | None:
        return self._line_clock() if self._line_clock else None

    def _tick(self, place: int, now: Instant) -> Outputs:
        self.now = max(self.now, now)
        site = self.sites[place]
        for before in self.before:
            before(site, now)
        line_now = self._line_now()
        outputs = site.tick(now, line_now)
        self._ticks.put(place, site.due)
        if line_now is not None:
            self._timers.put(place, site.line_due)
        self._rung.add(place)
        for after in self.after:
            after(site, outputs)
        return outputs
