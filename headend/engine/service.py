"""``prepay serve`` and ``prepay worker``: a worker in the foreground of a process."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any

from headend.context import Context
from headend.engine import Engine
from headend.engine.desk import Desk
from headend.engine.worker import Worker, executor_id
from headend.listener.receiving import listening
from headend.observe import logs
from headend.observe.options import Watching
from headend.observe.telling import Teller
from headend.report import Report, show_aside
from headend.store import Store, StoreError, workers
from headend.store.commands import Command
from headend.store.opening import revision
from headend.store.schema import HEAD


def engine_of(context: Context, executor: str, sessions: int) -> Engine:
    """Return the engine for a database."""
    from headend.engine.durable import DurableEngine

    return DurableEngine(context.store.url, executor, sessions)


def serve(
    context: Context,
    sessions: int,
    watching: Watching | None = None,
    listen: Sequence[str] = (),
    *,
    believe_clear: bool = False,
) -> Report:
    """Run a worker until SIGINT or SIGTERM; return what it did.

    Args:
        context: the run; what it traces goes into the log.
        sessions: how many meters are spoken to at a time.
        watching: how it is watched; None is a log of what matters.
        listen: port specs at which meters are heard beside the work.
        believe_clear: as ``headend.listener.reception.Reception`` has it.

    Raises:
        PortUnusable: it cannot be listened at one of them.
    """
    watching = watching or Watching()
    executor = executor_id(context.entropy)
    log = logs.set_up(watching.level, watching.form)
    metrics = None
    if watching.http is not None:
        from headend.observe.metrics import Metrics  # 100 ms that only who is asked has to pay

        metrics = Metrics(context.store, context.now)
    teller = Teller(log, metrics)
    context.watch, context.trace = teller, teller.traced
    engine = engine_of(context, executor, sessions)
    desk = Desk(context)

    def tell(event: str, command: Command, more: dict[str, Any]) -> None:
        desk.told(event, command)
        teller(event, command, more)

    worker = Worker(context, engine, executor, sessions, tell=tell)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    where = context.store.url.render_as_string(hide_password=True)
    for_people = not logs.is_json(watching.form)  # else each line is an object
    try:
        with (
            closing(desk),
            listening(context, listen, log, in_clear=believe_clear),
            _answering(watching.http, teller, worker, context.store),
        ):
            if for_people:
                show_aside(
                    f"carrying out what is queued in {where}, {sessions} at a time; Ctrl-C ends"
                )
            log.info("worker begun", executor=executor, database=where, sessions=sessions)
            for other in others(context.store):
                log.info("another worker has this database as well", host=other.host, pid=other.pid)
            worker.run()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    log.info("worker over", executor=executor, ended=dict(teller.ended))
    told = ", ".join(f"{number} {state}" for state, number in sorted(teller.ended.items()))
    data = {"executor": executor, "ended": teller.ended}
    return Report(data, (told or "nothing was carried out",) if for_people else ())


def others(store: Store) -> list[workers.Worker]:
    """Return the workers that have a database now; they and this one share the work."""
    with store.read() as db:
        begun = workers.every(db, only_running=True)
    return [each for each in begun if store.locks.alive(each.executor)]


@contextmanager
def _answering(http: str | None, teller: Teller, worker: Worker, store: Store) -> Iterator[None]:
    """Answer whoever asks how the worker is, where it is to be asked."""
    metrics = teller.metrics
    if http is None or metrics is None:
        yield
        return
    from headend.observe.health import HealthServer
    from headend.observe.metrics import CONTENT_TYPE

    checks = {"database": lambda: database_fault(store), "engine": worker.fault}
    with HealthServer(http, checks, lambda: (CONTENT_TYPE, metrics.text())) as server:
        teller.listening(server.port)
        yield


def database_fault(store: Store) -> str | None:
    """Say why the database is of no use; None when it answers and its tables are this version's."""
    try:
        with store.read() as db:
            found = revision(db)
    except StoreError:
        return "it cannot be used"
    return None if found == HEAD else f"its tables are of version {found}, not {HEAD}"
