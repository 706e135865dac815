"""The durable engine: DBOS Transact, and the only module that knows it.

One workflow is one batch: the tickets that one claim has written, each an attempt of one command.
It begins where they were claimed, without a queue, and its tickets go through the threads of that
process; what a dead executor left goes into a queue, from which those that live take it. That a
meter has one attempt at a time is the claim's doing, which writes no ticket for a meter that has
one, and the session's lock; it is not the engine's.

DBOS keeps no outcome of ours, and if its last writes are lost with the power, the dispatcher's
sweep hands the tickets over again and an attempt that was through finds nothing to do. So its
database may commit without waiting for the disk, which is most of what it costs.

| trap of DBOS 3.4 | what is done here |
|---|---|
| executors with the same id run each other's workflows at once | an id for each process |
| nobody notices a dead executor | the dispatcher's reaper, by a lock that dies with its holder |
| ``resume_workflows`` without a queue runs them wherever it was called | the queue is named |
| a timeout or a cancel frees the queue's place while the step still runs | neither is ever used |
| a timeout counts from the dequeue | not-after is a moment, and checked before sending |
| order within a queue is by (priority, ms, id) | order and priority are the claim's |
| the version of the code is part of what an executor takes | it is pinned |
| arguments are pickled | portable JSON |
| SQLite without WAL | the file is made in WAL |
| partitions and limits over all of a queue are slow | both are in a table of ours |
| each workflow is three transactions and a thread | one for all that a claim has taken |
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from headend.engine import Handed
from headend.errors import UsageError
from headend.store import StoreError, dialects
from headend.store.url import DatabaseUrl

#: Of the queue and of the workflow; what is in a database of before is found by them.
QUEUE: Final = "left behind"
WORKFLOW: Final = "batch"
#: Changed only when an attempt of before can no longer be run by the code of now.
VERSION: Final = "1"
_NAME: Final = "prepay"
#: Seconds from one look of DBOS into its queue to the next: only who died has left something.
_POLL: Final = 1.0
#: What a workflow is that DBOS does not run again by itself.
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_RUNNING: Final = "PENDING"
#: How many workflows that have ended are forgotten at once.
_PORTION: Final = 500
_PORTIONS: Final = 10
#: How many batches may be under way for each session: no claim leaves more tickets out.
_BATCHES: Final = 2


class DurableEngine:
    """Runs tickets as DBOS workflows; an ``Engine``. There is one in a process.

    Args:
        url: of our database; DBOS has a file beside it, or a schema of its own within it.
        executor: id of this process.
        sessions: how many at a time here; the last worker to start says it for all.

    Raises:
        UsageError: the database is in memory.
    """

    def __init__(self, url: DatabaseUrl, executor: str, sessions: int) -> None:
        if dialects.in_memory(url):
            raise UsageError("what is queued in memory is gone with its process: give --db a file")
        self._engine = _engine(url, sessions)
        self._sessions = sessions
        self._executor = executor
        self._threads = ThreadPoolExecutor(sessions, "attempt")
        self._batch: Callable[[list[str]], None] | None = None
        self._active = 0
        self._idle = threading.Condition()

    def start(self, run: Callable[[str], None]) -> None:
        """Begin to run tickets.

        Raises:
            StoreError: its database cannot be used: full, or gone.
        """
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_engine": self._engine,
            "application_version": VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "use_listen_notify": False,
            # A batch waits in a thread of DBOS while its tickets run in ours; each has one at
            # least that has not ended, and a claim leaves no more out than this.
            "max_executor_threads": _BATCHES * self._sessions + 4,
        }
        DBOS(config=config)

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        def batch(tickets: list[str]) -> None:
            with self._idle:
                self._active += 1
            try:
                wait([self._threads.submit(run, each) for each in tickets])
            finally:
                with self._idle:
                    self._active -= 1
                    self._idle.notify_all()

        self._batch = batch
        with _clear_errors(), _quiet():
            DBOS.launch()
            DBOS.register_queue(
                QUEUE,
                worker_concurrency=self._sessions,
                polling_interval_sec=_POLL,
                on_conflict="always_update",
            )

    def submit(self, handed: Sequence[Handed]) -> None:
        """Take tickets, to be run in this order; a batch that is known already is taken once.

        Raises:
            StoreError: its database cannot be used; some of them may have been taken.
        """
        assert self._batch is not None  # it was started
        with _clear_errors():
            for name, members in groupby(handed, key=lambda each: each.batch):
                with SetWorkflowID(name):
                    DBOS.start_workflow(self._batch, [each.ticket for each in members])

    def ended(self, batches: Collection[str]) -> frozenset[str]:
        """Return which of these batches will not be run any more."""
        if not batches:
            return frozenset()
        with _clear_errors():
            found = DBOS.list_workflows(
                workflow_ids=list(batches), status=list(_ENDED), load_input=False, load_output=False
            )
        return frozenset(each.workflow_id for each in found)

    def holders(self) -> frozenset[str]:
        """Return which executors are running tickets, or have died while they were."""
        with _clear_errors():
            running = DBOS.list_workflows(status=_RUNNING, load_input=False, load_output=False)
        return frozenset(each.executor_id for each in running if each.executor_id)

    def recover(self, dead: Collection[str]) -> int:
        """Put back into the queue what executors that are no more were running."""
        with _clear_errors():
            left = [
                workflow.workflow_id
                for executor in dead
                for workflow in DBOS.list_workflows(
                    executor_id=executor, status=_RUNNING, load_input=False, load_output=False
                )
            ]
            if left:
                DBOS.resume_workflows(left, queue_name=QUEUE)
        return len(left)

    def tidy(self) -> None:
        """Forget some workflows that have ended: what became of a command stands in its row."""
        with _clear_errors():
            for _ in range(_PORTIONS):
                ended = DBOS.list_workflows(
                    status=list(_ENDED), limit=_PORTION, load_input=False, load_output=False
                )
                if ended:
                    DBOS.delete_workflows([each.workflow_id for each in ended])
                if len(ended) < _PORTION:
                    break

    def stop(self, patience: float) -> None:
        """Take no more, and wait so many seconds for what runs."""
        until = time.monotonic() + patience
        with self._idle:
            while self._active and time.monotonic() < until:
                self._idle.wait(until - time.monotonic())
        DBOS.destroy(destroy_registry=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()


def _engine(url: DatabaseUrl, sessions: int) -> Engine:
    """Return DBOS's way to its database, on which a commit need not wait for the disk."""
    if url.get_backend_name() == "postgresql":
        arguments: dict[str, Any] = dialects.connect_arguments(url)
        arguments["options"] = f"{arguments.get('options', '')} -c synchronous_commit=off".strip()
        return create_engine(
            url.whole.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=8 + sessions,
            max_overflow=0,
            pool_use_lifo=True,
            connect_args=arguments,
        )
    path = beside(Path(str(url.database)))
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA journal_mode=WAL")
    file.close()
    path.chmod(0o600)
    engine = create_engine(
        URL.create("sqlite", database=str(path)), pool_size=8 + sessions, max_overflow=0
    )
    event.listen(engine, "connect", _prepare)
    return engine


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what DBOS and its driver raise into one clear line."""
    try:
        yield
    except (SQLAlchemyError, dbos_error.DBOSException) as error:
        raise StoreError(f"the engine's database: {dialects.explain(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Let DBOS not print the traceback of what it raises as well."""
    log = logging.getLogger("dbos")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False


def beside(database: Path) -> Path:
    """Return DBOS's file for a database: headend.engine.sqlite3 for headend.sqlite3."""
    return database.with_name(f"{database.stem}.engine{database.suffix}")


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={3 * dialects.PATIENCE_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
