"""The dispatcher of a worker: which commands go to the engine, and when.

A *claim* takes commands that are due, one for each meter, and writes a ticket on each, in one
database transaction; only one dispatcher of a database claims at a time. What one claim has taken
is a batch, and goes to the engine as one. A command is left where it is while

- another command of its meter carries a ticket,
- its line has as many tickets out as it has permits,
- its campaign is paused, or has as many out as it may.

What a customer waits for goes first: by priority, then in the order of queueing. So few tickets
are out at a time that the engine's own queue stays short; the queue is the table.

A *sweep*, now and then, sees to what nobody else would: tickets that the engine does not know
(the process died between writing and handing over), what waits past its not-after, campaigns that
are through, and workers that are no more.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from headend.clock import Clock
from headend.engine import Engine, Handed, ticket_of
from headend.engine.arguments import durable
from headend.engine.queueing import booked, expired, note
from headend.engine.states import Happening, State
from headend.errors import UsageError
from headend.store import Store, StoreError, campaigns, claiming, commands, registry, workers
from headend.store.claiming import Closed, HandedOut
from headend.store.commands import Command
from headend.store.connection import Connection
from prepay.transactions import transaction_id
from protocol.timing import Instant

#: How many tickets a worker has out for each session that it can hold.
_AHEAD = 2
#: How many rows are looked at at once.
_PORTION = 64
#: Seconds from one look to the next, while there is something to do and while there is not. Who
#: queues a command wakes the dispatcher up as well, and so does an attempt that ends when nothing
#: waits behind it: as long as something does, it is cheaper to look once for several.
_BUSY, _IDLE = 0.1, 0.25
#: Seconds from one sweep to the next.
_SWEEP = 1.0
#: What looks at many rows is done at every so many sweeps only: expiring, tidying, and noting
#: that this worker is there.
_SELDOM = 10
#: The engine is asked at every so many sweeps whom it knows: all but a few have a row of ours.
_NAMED: Final = 3
#: A ticket that was out at this many sweeps in a row is handed over again.
_PATIENCE = 3


@dataclass
class _Out:
    """What is out, as one claim sees it grow; ``taken`` are the meters that it has taken."""

    meters: set[int]
    lines: Counter[str]
    campaigns: Counter[int]
    permits: dict[str, int]
    at_once: dict[int, int | None]
    paused: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)

    def closed(self) -> Closed:
        """Return what nothing may be claimed from."""
        lines = {n for n, out in self.lines.items() if out >= self.permits_of(n)}
        full = {
            number
            for number, limit in self.at_once.items()
            if limit is not None and self.campaigns[number] >= limit
        }
        return Closed(self.taken, lines, full | self.paused)

    def permits_of(self, line: str) -> int:
        """Return how many meters of a line may be spoken to at a time."""
        return self.permits.get(line, registry.ONE_VOICE)

    def take(self, command: Command, line: str | None) -> bool:
        """Count a command that is to go, unless one before it has closed its way: say which."""
        closed = self.closed()
        if (
            command.meter_id in self.meters
            or line in closed.lines
            or command.campaign_id in closed.campaigns
        ):
            return False
        self.meters.add(command.meter_id)
        self.taken.add(command.meter_id)
        if line is not None:
            self.lines[line] += 1
        if command.campaign_id is not None:
            self.campaigns[command.campaign_id] += 1
        return True


class Dispatcher:
    """Hands commands to an engine until it is told to stop.

    Args:
        store: the database.
        engine: what runs them.
        worker: executor id of this process.
        sessions: how many of them run here at a time.
        now: the clock.
        entropy: gives that many random octets.
        alive: says whether an executor is.
        fit: says whether this worker may go on: one whose own lock is lost may not.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        worker: str,
        sessions: int,
        now: Clock,
        entropy: Callable[[int], bytes],
        alive: Callable[[str], bool] = lambda executor: True,
        fit: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._engine = engine
        self._worker = worker
        self._sessions = sessions
        self._room = sessions * _AHEAD
        #: A claim costs as much for one command as for several: so few are left when it looks.
        self._low = sessions - sessions // 4
        #: How many tickets are out here, as the last claim saw it and less what ended since.
        self._out = 0
        self._now = now
        self._entropy = entropy
        self._alive = alive
        self._fit = fit
        self._wake = threading.Event()
        #: Whether somebody has queued something since the last look.
        self._asked = False
        self._sightings: Counter[str] = Counter()
        self._sweeps = 0
        #: When it last looked, on the clock of ``run``; None before it began.
        self.looked: float | None = None

    def wake(self) -> None:
        """Look at once; from any thread."""
        self._asked = True
        self._wake.set()

    def ended(self) -> None:
        """Note that an attempt has ended here; from any thread."""
        self._out -= 1  # two at once may count as one: then it looks a little later
        if self._out <= self._low:
            self._wake.set()

    def run(self, stopping: threading.Event, elapsed: Callable[[], float]) -> None:
        """Hand out what is due until told to stop; a database that is gone is waited for.

        Args:
            stopping: set, and ``wake`` called, when it is to end.
            elapsed: seconds of a clock that is never set.
        """
        swept, fit = elapsed() - _SWEEP, False
        found, early = 0, False
        while not stopping.is_set():
            self.looked = elapsed()
            self._wake.clear()
            try:
                if elapsed() - swept >= _SWEEP:
                    swept, fit = elapsed(), self._fit()
                    if fit:
                        self.sweep()
                if fit and not self._is_in_vain(early=early):
                    found = self.hand_out()
            except (StoreError, OSError):  # a database that is gone, a machine without a free file
                stopping.wait(_SWEEP)
            early = self._wake.wait(_BUSY if found else _IDLE)

    def _is_in_vain(self, *, early: bool) -> bool:
        """Say whether attempts that ended have woken it for room that is filled already."""
        asked, self._asked = self._asked, False
        return early and not asked and self._out > self._low

    def hand_out(self) -> int:
        """Hand over what is due and may go; return how many commands that were."""
        with self._store.look() as db:
            due = claiming.due(db, self._now())
        if not due:
            return 0
        with self._store.begin() as db:
            handed = self._claim(db, due)
        self._engine.submit(handed)
        return len(handed)

    # --- claiming --------------------------------------------------------------------------

    def _claim(self, db: Connection, due: Collection[State]) -> list[Handed]:
        """Write tickets on as many commands as there is room for; ``due`` are in these states."""
        commands.begin_claiming(db)
        now = self._now()
        if State.PLANNED in due:
            claiming.promote(db, now)
        out = claiming.handed_out(db)
        self._out = sum(each.worker == self._worker for each in out)
        room = self._room - self._out
        standing = _standing(db, out)
        taken: list[Command] = []
        for state in (State.QUEUED, State.UNKNOWN):
            if state is State.UNKNOWN and state not in due:
                continue
            while len(taken) < room:
                limit = min(_PORTION, room - len(taken))
                rows = claiming.claimable(db, state, standing.closed(), now, limit)
                more = [command for command, line in rows if standing.take(command, line)]
                taken += more
                if not more or len(rows) < limit:
                    break
        self._out += len(taken)
        return self._tickets(db, taken, now)

    def _tickets(self, db: Connection, taken: Sequence[Command], now: Instant) -> list[Handed]:
        """Write the next tickets of commands; they are one batch, named by the first of them."""
        tickets = [ticket_of(command.id, command.attempts + 1) for command in taken]
        given = [
            claiming.Ticket(command, ticket, tickets[0], self._worker, self._identity(command, now))
            for command, ticket in zip(taken, tickets, strict=True)
        ]
        claiming.hand_out(db, given)
        return [Handed(each.ticket, each.batch, each.command.meter) for each in given]

    def _identity(self, command: Command, now: Instant) -> str | None:
        """Return the id under which a command acts: its own, or a new one where it needs one.

        Drawn now and not at queueing: a meter forgets the smallest id first, and takes none below.
        """
        if command.transaction_id is None and _moves(command):
            return transaction_id(now, self._entropy(10)).hex()
        return command.transaction_id

    # --- sweeping --------------------------------------------------------------------------

    def sweep(self) -> None:
        """See to what was left lying."""
        self._reap()
        self._hand_over_again()
        self._finish_campaigns()
        if self._sweeps % _SELDOM == 0:
            with self._store.begin() as db:
                workers.seen(db, self._worker, self._now())
                self._expire(db)
            self._engine.tidy()
        self._sweeps += 1

    def _finish_campaigns(self) -> None:
        """Note which campaigns are through; most of the time there is nothing to write."""
        with self._store.read() as db:
            through = [c for c in campaigns.going(db) if commands.all_final(db, c.number)]
        if through:
            with self._store.begin() as db:
                for campaign in through:
                    campaigns.move(db, campaign, campaigns.State.FINISHED, self._now())

    def _reap(self) -> None:
        """Give what dead workers have left to those that live.

        Whom the engine names counts, and not who has a row that says so: one whose locks went with
        the database was found dead while it lived, took more, and may have died since.
        """
        with self._store.read() as db:
            known = {each.executor for each in workers.every(db, only_running=True)}
        named = self._engine.holders() if self._sweeps % _NAMED == 0 else frozenset()
        others = (known | named) - {self._worker}
        dead = sorted(executor for executor in others if not self._alive(executor))
        if dead:
            self._engine.recover(dead)
            with self._store.begin() as db:
                for executor in known.intersection(dead):
                    workers.end(db, executor, self._now())

    def _hand_over_again(self) -> None:
        """Hand tickets over once more that have been out for long: the engine may not know them.

        One of a batch that the engine holds to be ended, and that still stands on its command, was
        broken off where the engine could not see it: the command gets the next attempt's ticket.
        """
        with self._store.read() as db:
            out = claiming.handed_out(db)
        self._sightings = Counter({o.ticket: self._sightings[o.ticket] + 1 for o in out})
        stale = [each for each in out if self._sightings[each.ticket] >= _PATIENCE]
        if not stale:
            return
        stale.sort(key=lambda each: each.batch)
        ended = self._engine.ended({each.batch for each in stale})
        again = [Handed(o.ticket, o.batch, o.meter) for o in stale if o.batch not in ended]
        again += self._next_tickets([each.command_id for each in stale if each.batch in ended])
        self._engine.submit(again)

    def _next_tickets(self, command_ids: Collection[str]) -> list[Handed]:
        if not command_ids:
            return []
        with self._store.begin() as db:
            commands.begin_claiming(db)
            found = [commands.hold(db, each) for each in command_ids]
            still = [each for each in found if each and self._sightings[each.ticket or ""]]
            return self._tickets(db, still, self._now())

    def _expire(self, db: Connection) -> None:
        """End what waits past its not-after, unless something of it is booked: that is sent for."""
        now = self._now()
        for command in claiming.overdue(db, now, _PORTION):
            if booked(db, command) is None:
                reason = expired(command, "its not-after has passed")
                state = commands.end(db, command, Happening.TOO_LATE, now, reason=reason)
                note(db, command, state.value, now, reason=reason)


def _standing(db: Connection, out: Collection[HandedOut]) -> _Out:
    """Return what is out, and what there may be of it."""
    going = campaigns.going(db)
    return _Out(
        meters={each.meter_id for each in out},
        lines=Counter(each.line for each in out if each.line is not None),
        campaigns=Counter(each.campaign_id for each in out if each.campaign_id is not None),
        permits=registry.permits(db),
        at_once={each.number: each.at_once for each in going},
        paused={each.number for each in going if each.state is campaigns.State.PAUSED},
    )


def _moves(command: Command) -> bool:
    """Say whether a command acts under a transaction id."""
    try:
        return durable(command.name).moves
    except UsageError:
        return False  # made by another version; its attempt says so
