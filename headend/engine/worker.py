"""A worker: one process that carries commands out, from its start to its end.

It has an executor id that no other process ever has, holds a lock by which others see that it
lives (a lock dies with its process), and asks for that lock before each hand-out: on PostgreSQL
a lost connection means lost locks, and who has lost his may not speak to a meter.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from headend.clock import Clock, wall_clock
from headend.context import Context
from headend.engine import Engine
from headend.engine.attempt import Attempts, Telling
from headend.engine.dispatcher import Dispatcher
from headend.engine.wake import Listener
from headend.store import Store, StoreError, workers
from headend.store.commands import Command
from headend.store.locks import Busy, Held
from obis.values import replace

#: How long a worker that is to end waits for what it has under way, in seconds.
PATIENCE = 30.0
#: After so many seconds without a look at the table something is wrong with a worker.
_STUCK = 30.0


def executor_id(entropy: Callable[[int], bytes]) -> str:
    """Return an id that no other process has or had."""
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{entropy(6).hex()}"


class Worker:
    """Carries out what is queued in a database.

    Args:
        context: what each command's own context is made of: database, keys, clock, ports.
        engine: what runs the attempts.
        executor: id of this process.
        sessions: how many run at a time.
        now: the clock; the system's unless told.
        tell: takes what happens.
    """

    def __init__(
        self,
        context: Context,
        engine: Engine,
        executor: str,
        sessions: int,
        *,
        now: Clock | None = None,
        tell: Telling = lambda event, command, more: None,
    ) -> None:
        self.stopping = threading.Event()
        self.executor = executor
        self._context = context
        self._store: Store = context.store
        self._engine = engine
        self._now = now or wall_clock()
        self._own_clock = now
        self._life: Held | None = None
        self._tell = tell
        self._attempts = Attempts(
            self._store,
            self.context_of,
            executor,
            self._now,
            random.random,
            self.stopping,
            self._told,
        )
        self.dispatcher = Dispatcher(
            self._store,
            engine,
            executor,
            sessions,
            self._now,
            context.entropy,
            self._store.locks.alive,
            self._fit,
        )

    def context_of(self, command: Command) -> Context:
        """Return the context in which a command runs: this worker's, for that meter."""
        settings = replace(self._context.chosen, meter=command.meter, port=None, json=False)
        context = Context(
            settings,
            now=self._own_clock,
            entropy=self._context.entropy,
            transports=self._context.transports,
            store=self._store,
            patience=self._context.patience,
            trace=self._context.trace,
        )
        context.watch = self._context.watch
        return context

    def fault(self) -> str | None:
        """Say why nothing is carried out here; None when all is well."""
        looked = self.dispatcher.looked
        if self.stopping.is_set():
            return "it is ending"
        if looked is None:
            return "it has not begun"
        silent = time.monotonic() - looked
        return f"the dispatcher has been stuck for {silent:.0f} s" if silent > _STUCK else None

    def stop(self) -> None:
        """Let ``run`` come to its end; from any thread or signal handler."""
        self.stopping.set()
        self.dispatcher.wake()

    def run(self) -> None:
        """Carry commands out until told to stop."""
        self._life = self._store.locks.take(self.executor, 0)
        try:
            with self._store.begin() as db:
                workers.begin(db, self.executor, socket.gethostname(), os.getpid(), self._now())
            listener = Listener(self._store.url, self.dispatcher.wake)
            try:
                self._engine.start(self._attempts.run)
                self.dispatcher.run(self.stopping, time.monotonic)
            finally:
                listener.close()
                self._engine.stop(PATIENCE)
                with suppress(StoreError), self._store.begin() as db:  # else others find it dead
                    workers.end(db, self.executor, self._now())
        finally:
            self._store.locks.give_back(self._life)

    def _fit(self) -> bool:
        """Say whether others see that this worker lives; a lock that was lost is taken anew."""
        assert self._life is not None  # it runs
        if not self._life.held():
            try:
                self._life = self._store.locks.take(self.executor, 0)
            except (Busy, StoreError):
                return False
        return True

    def _told(self, event: str, command: Command, more: dict[str, Any]) -> None:
        if event == "ended":
            self.dispatcher.ended()  # there is room for another
        self._tell(event, command, more)
