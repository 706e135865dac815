"""The processes that carry commands out, and which of them are no more."""

from msgspec import Struct
from sqlalchemy import insert, select, update

from headend.store import schema
from headend.store.connection import Connection
from protocol.timing import Instant

_TABLE = schema.workers


class Worker(Struct, frozen=True):
    """One process.

    Args:
        executor: its own id, never used again.
        host, pid: where it runs.
        started, seen: when it began, and was last heard of.
        ended: when it went, or was found dead and what it left was given to others.
    """

    executor: str
    host: str
    pid: int
    started: Instant
    seen: Instant
    ended: Instant | None


def begin(db: Connection, executor: str, host: str, pid: int, now: Instant) -> None:
    """Note that a worker begins."""
    row = {"executor": executor, "host": host[:64], "pid": pid, "started": now, "seen": now}
    db.execute(insert(_TABLE).values(**row))


def seen(db: Connection, executor: str, now: Instant) -> None:
    """Note that a worker is there, although others may have found it dead for a while."""
    here = _TABLE.c.executor == executor
    db.execute(update(_TABLE).where(here).values(seen=now, ended=None))


def end(db: Connection, executor: str, now: Instant) -> None:
    """Note that a worker is no more."""
    db.execute(update(_TABLE).where(_TABLE.c.executor == executor).values(ended=now))


def every(db: Connection, *, only_running: bool = False) -> list[Worker]:
    """Return the workers, oldest first."""
    query = select(_TABLE).order_by(_TABLE.c.started)
    if only_running:
        query = query.where(_TABLE.c.ended.is_(None))
    return [Worker(**row._mapping) for row in db.execute(query)]
