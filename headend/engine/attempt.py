"""One attempt of one durable command, from its ticket to what stands in its row.

1. One database transaction: the row of the ticket says which command it is; it is running now.
   A cancel or a not-after that has passed ends it here, as long as nothing of it was booked.
2. The command's own function runs, as from the command line, with the transaction id of the row.
   Whatever it books and sends is written down by ``headend.orders`` as ever.
3. One database transaction: what became of it.

Killed anywhere, the same ticket runs again from 1, with the same transaction id: what was booked
is found under it, what was sent is asked about. Nothing here raises: a database that is gone is
waited for, since what the meter has done cannot be undone by forgetting it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from headend.clock import Clock
from headend.context import Context
from headend.engine.answers import frozen
from headend.engine.arguments import IDENTITY, Durable, durable, thaw
from headend.engine.queueing import booked, expired, note, told
from headend.engine.retries import Chance, Failure, judge, pause
from headend.engine.states import Happening, State, after
from headend.errors import Cancelled, Expired, KeysUnusable, Refused
from headend.orders import EXPIRED, NOT_TAKEN, WITHDRAWN
from headend.store import Store, StoreError, commands
from headend.store.commands import Command
from headend.store.endings import succeed
from headend.store.transactions import Transaction
from obis.values import replace
from prepay.transactions import time_of
from protocol.timing import Instant, later

if TYPE_CHECKING:
    from headend.store.connection import Connection

_T = TypeVar("_T")
#: How often a database that is gone is looked for, in seconds.
_GONE = 1.0

#: How the transaction of a command ends that was stopped before the meter had it.
_NEVER_HAD = {WITHDRAWN: Happening.WITHDRAWN, EXPIRED: Happening.TOO_LATE}

#: Makes the context in which a command runs; its store, clock and chance are the worker's.
ContextOf = Callable[[Command], Context]
#: Takes what happened to a command: its name, the command, and what else there is to say.
Telling = Callable[[str, Command, dict[str, Any]], None]


class Ending(Struct, frozen=True):
    """What an attempt came to.

    Args:
        happening: for the table of states.
        reason: for people.
        answer: JSON: what the command reported, or its error.
        failure: where it failed.
        anew: the next attempt acts under another id.
    """

    happening: Happening
    reason: str | None
    answer: dict[str, Any] | None
    failure: Failure | None = None
    anew: bool = False


class Attempts:
    """Runs attempts, in as many threads as there are.

    Args:
        store: the database.
        context_of: makes the context of a command.
        worker: executor id of this process.
        now: the clock.
        chance: for the pauses between attempts.
        stopping: set when the process is to end.
        tell: takes what happened, for logs and metrics; with "error" when there is a traceback.
    """

    def __init__(
        self,
        store: Store,
        context_of: ContextOf,
        worker: str,
        now: Clock,
        chance: Chance,
        stopping: threading.Event,
        tell: Telling = lambda event, command, more: None,
    ) -> None:
        self._store = store
        self._context_of = context_of
        self._worker = worker
        self._now = now
        self._chance = chance
        self._stopping = stopping
        self._tell = tell
        self._turns = _Turns()

    def run(self, ticket: str) -> None:
        """Carry out the attempt of a ticket; one that is over, or nobody's, is nothing to do."""
        if self._stopping.is_set():
            return  # the next worker finds that the engine is through with it, and the row is not
        with self._turns.turn(ticket):
            command = self._patiently(lambda: self._begin(ticket))
            if command is None:
                return
            self._tell("begun", command, {})
            ending = self._carried_out(command)
            self._patiently(lambda: self._end(command, ending))

    def _patiently(self, step: Callable[[], _T]) -> _T | None:
        """Do a step on the database, for as long as it takes; None when the process ends first."""
        while True:
            try:
                return step()
            except StoreError:
                if self._stopping.wait(_GONE):
                    return None

    def _begin(self, ticket: str) -> Command | None:
        """Note that the attempt is under way; None where there is nothing to carry out."""
        now = self._now()
        with self._store.write_one() as db:  # nearly always that is all
            begun = commands.begin_queued(db, ticket, self._worker, now)
        if begun is not None:
            return begun
        with self._store.begin() as db:
            command = commands.of_ticket(db, ticket)
            if command is None:
                return None
            over = None if command.state is State.UNKNOWN else _withdrawn(command, now)
            if over is not None and booked(db, command) is None:
                self._write(db, command, over, now)
                return None
            commands.begin(db, command, self._worker, now)
            return command  # as it was before: one that was running was broken off

    def _carried_out(self, command: Command) -> Ending:
        """Run the command's function, and judge how it ended."""
        repeatable = True
        try:
            of = durable(command.name)
            repeatable = of.repeatable
            _check_repeatable(of, command)
            report = self._report(of, command)
        except Exception as error:  # noqa: BLE001 # a worker goes on whatever one command does
            failure = judge(error, command.transaction_id)
            # Without the meter's keys no session was opened, so nothing of it was sent.
            again = repeatable or isinstance(error, KeysUnusable)
            if failure.happening is Happening.SILENT and not again:
                failure = replace(failure, happening=Happening.DENIED)
            if failure.ours:
                self._tell("fault", command, {"error": error})
            answer: dict[str, Any] | None = None
            if failure.happening is not Happening.TOO_LATE:  # which says nothing of the meter
                answer = {"error": failure.reason, "exit_code": failure.exit_code}
            return Ending(failure.happening, failure.reason, answer, failure)
        return Ending(Happening.SUCCEEDED, None, report)

    def _report(self, of: Durable, command: Command) -> dict[str, Any]:
        parameters = thaw(of, command.arguments)
        if of.moves:
            parameters[IDENTITY] = command.transaction_id
        context = self._context_of(command)
        context.command, context.correlation = command.name, command.correlation
        context.caller, context.queued_as = command.caller, command.transaction_id or ""
        context.first = command.state is State.QUEUED and command.attempts <= 1
        context.not_after = command.not_after
        context.cancelled = lambda: self.cancelled(command)
        context.permit = _Permit(self, command)
        try:
            return frozen(of.run(context, **parameters))
        finally:
            context.close()

    def cancelled(self, command: Command) -> bool:
        """Say whether somebody has asked that a command be withdrawn."""
        with self._store.look() as db:
            return commands.cancel_asked(db, command.id)

    def permit(self, command: Command, *, fresh: bool) -> None:
        """Refuse a session that would come too late, unless there is money to ask about.

        Args:
            command: as its attempt found it.
            fresh: the attempt has only just looked whether it is to be withdrawn.

        Raises:
            Cancelled, Expired: nothing of it has been booked, and nothing will be.
        """
        late = self._now() > command.not_after
        if command.state is State.UNKNOWN or (fresh and not late):
            return
        with self._store.read() as db:
            if booked(db, command) is not None:
                return
            cancelled = commands.cancel_asked(db, command.id)
        if cancelled:
            raise Cancelled("cancelled before it was sent")
        if late:
            raise Expired("its not-after passed before it was sent")

    def _end(self, command: Command, ending: Ending) -> None:
        """Write down what became of the attempt, unless another has written since."""
        now = self._now()
        # Whoever holds the ticket has the last word, so what it began is what stands there.
        begun = replace(command, state=after(command.state, Happening.BEGUN))
        if ending.happening is Happening.SUCCEEDED:
            state = self._succeed(begun, ending, now)
        else:
            state = self._fail(begun, ending, now)
        if state is None:
            return
        more = {"state": state.value, "reason": ending.reason, "final": state.is_final}
        self._tell("ended", command, more | {"why": ending.happening.name.lower()})

    def _succeed(self, begun: Command, ending: Ending, now: Instant) -> State | None:
        done = after(begun.state, Happening.SUCCEEDED)
        return succeed(
            self._store,
            begun,
            now,
            reason=ending.reason,
            answer=ending.answer,
            told=told(begun, done.value, now, reason=ending.reason),
        )

    def _fail(self, begun: Command, ending: Ending, now: Instant) -> State | None:
        with self._store.begin() as db:
            if not commands.still_carries(db, begun):
                return None
            own = booked(db, begun)
            return self._write(db, begun, _weighed(ending, own, begun), now)

    def _write(self, db: "Connection", command: Command, ending: Ending, now: Instant) -> State:
        due: Instant | None = None
        if ending.failure is not None:
            wait = pause(command.attempts, self._chance, hopeless=ending.failure.hopeless)
            due = later(now, wait)
        reason = ending.reason
        if ending.happening is Happening.TOO_LATE:
            reason = expired(command, reason)
        state = commands.end(
            db,
            command,
            ending.happening,
            now,
            reason=reason,
            answer=ending.answer,
            due=due,
        )
        if ending.anew:
            commands.forget_id(db, command)
        if state.is_final:
            note(db, command, state.value, now, reason=reason)
        return state


class _Permit:
    """Asked before each session of an attempt; only the first one follows a look at the row."""

    def __init__(self, attempts: Attempts, command: Command) -> None:
        self._attempts, self._command, self._fresh = attempts, command, True

    def __call__(self) -> None:
        """Refuse a session that would come too late.

        Raises:
            Cancelled, Expired: see ``Attempts.permit``.
        """
        fresh, self._fresh = self._fresh, False
        self._attempts.permit(self._command, fresh=fresh)


def _withdrawn(command: Command, now: Instant) -> Ending | None:
    """Return how a command of which nothing was booked ends before it begins; None if not."""
    broken = command.state is State.RUNNING  # an attempt before this one died
    more = "; an attempt before that was broken off, and may have reached the meter"
    if command.cancel:
        return Ending(Happening.WITHDRAWN, f"cancelled{more if broken else ''}", None)
    if now > command.not_after:
        return Ending(Happening.TOO_LATE, f"its not-after has passed{more if broken else ''}", None)
    return None


def _check_repeatable(of: Durable, command: Command) -> None:
    """Refuse to run once more what nobody knows to have run.

    Raises:
        Refused: an attempt before this one died, and the command may not be run twice.
    """
    if command.state is State.RUNNING and not of.repeatable:
        raise Refused(
            "an attempt was broken off and may have reached the meter; it is not repeated"
        )


def _weighed(ending: Ending, own: Transaction | None, begun: Command) -> Ending:
    """Return an ending as the command's own transaction makes it.

    Money that may have moved is asked about, whatever went wrong afterwards; what was booked and
    never sent goes on being tried until it is sent or reversed. What was sent for the first time
    and not taken, because others had overtaken it while it waited, is over and reversed for good:
    its command goes on under an id of today, unless its caller has given the id. What the meter has
    confirmed is done, whatever broke in this program when it was to be told.
    """
    if own is None:
        return ending
    if own.is_open and ending.happening is not Happening.SUCCEEDED:
        asked = Happening.SILENT if own.sent is None else Happening.LOST
        failure = ending.failure or Failure(asked, ending.reason or "", 4)
        return Ending(asked, ending.reason, ending.answer, failure)
    if own.succeeded and ending.failure is not None and ending.failure.ours:
        reason = f"the meter confirmed it; afterwards {ending.reason}"
        return Ending(Happening.SUCCEEDED, reason, ending.answer)
    if ending.happening is not Happening.DENIED or begun.state is State.UNKNOWN:
        return ending
    over = _NEVER_HAD.get(own.outcome or "")
    if over:
        return Ending(over, own.outcome, ending.answer)
    if own.outcome == NOT_TAKEN and _is_drawn_here(begun):
        failure = Failure(Happening.SILENT, NOT_TAKEN, 3)
        return Ending(Happening.SILENT, NOT_TAKEN, ending.answer, failure, anew=True)
    return ending


def _is_drawn_here(command: Command) -> bool:
    """Say whether a command's id was drawn when it was handed out, and not given with it."""
    identity = command.transaction_id
    return identity is not None and time_of(bytes.fromhex(identity)) > command.created


class _Turns:
    """A ticket is run once at a time in this process; who has it too waits, and finds it over.

    Two tickets of one meter are never out (``dispatcher``), and two sessions with it never open
    (``claims``).
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def turn(self, ticket: str) -> Iterator[None]:
        """Wait for the ticket's turn and hold it."""
        with self._guard:
            lock, waiting = self._locks.get(ticket, (threading.Lock(), 0))
            self._locks[ticket] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._locks[ticket]
                if waiting > 1:
                    self._locks[ticket] = lock, waiting - 1
                else:
                    del self._locks[ticket]
