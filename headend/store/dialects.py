"""What SQLite and PostgreSQL do differently; the rest of the store is the same code on both.

| | SQLite | PostgreSQL |
|---|---|---|
| what writes | BEGIN IMMEDIATE: one at a time | READ COMMITTED, ``meters.hold`` first |
| what reads | a connection that cannot write | REPEATABLE READ, READ ONLY |
| survives a power cut | WAL, ``synchronous=FULL`` | as the server is set up |
| patience with others | ``busy_timeout`` | ``lock_timeout`` |
| number of a transaction | the last one and 1: nobody else writes | a sequence |
| two that upgrade at once | the second waits | an advisory lock |

Both ways of reading show the database as it was at one moment, however many queries there are.
"""

import math
import os
import socket
import sqlite3
import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Integer, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidatePoolError, TimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from headend.store.prepared import fail
from headend.waiting import readable

#: How many connections a process has at most. All are kept: one beyond a pool's size is closed when
#: it is given back, so with more threads than that most transactions would open a new one.
_MOST: Final = 32
#: How long one transaction waits for another.
PATIENCE_MS: Final = 10_000
#: A session that forgets its transaction gives back what it holds after so long.
_IDLE_MS: Final = 60_000
_CONNECT_SECONDS: Final = 10
#: A connection that was used within so many seconds is not asked whether it still is one.
_RESTED_SECONDS: Final = 5
#: The oldest PostgreSQL that is still looked after by its makers at the time of writing is 14.
_OLDEST: Final = (14,)
#: Of the advisory lock under which the tables are made and changed.
_UPGRADE: Final = 0x4F50_5045_5055_5047
#: The sequence that numbers transactions on PostgreSQL.
NUMBERS: Final = "transactions_number"


class UnfitServer(Exception):
    """The server cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Two ways to the same database.

    Args:
        writer: begins transactions that write.
        reader: begins transactions that read what was there when they began.
        looker: for one statement that reads, without any transaction around it where that costs.
    """

    writer: Engine
    reader: Engine
    looker: Engine

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        self.reader.dispose()
        self.writer.dispose()


def engines(url: URL) -> Engines:
    """Return the engines of a database; nothing is opened yet.

    Raises:
        sqlalchemy.exc.ArgumentError, NoSuchModuleError, ModuleNotFoundError: it cannot be used.
    """
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    if url.get_backend_name() != "sqlite":
        raise ModuleNotFoundError("SQLite and PostgreSQL are the databases that it can be")
    return _sqlite(url)


def in_memory(url: URL) -> bool:
    """Say whether a database is gone with its process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


# --- SQLite ------------------------------------------------------------------------------------


def _sqlite(url: URL) -> Engines:
    kept = {} if in_memory(url) else {"pool_size": _MOST, "max_overflow": 0, "pool_use_lifo": True}
    writer = create_engine(url, **kept)
    event.listen(writer, "connect", _prepare_sqlite)
    event.listen(writer, "begin", _begin_immediate)
    if in_memory(url):
        return Engines(writer, writer, writer)  # there is only the one connection
    reader = create_engine(url, **kept)
    event.listen(reader, "connect", _prepare_reader)
    event.listen(reader, "begin", _begin_deferred)
    return Engines(writer, reader, reader)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Set what SQLite forgets from one connection to the next."""
    connection.isolation_level = None  # sqlite3 would begin late; _begin_immediate does it
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _prepare_reader(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    _begin_sqlite(connection, "BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    _begin_sqlite(connection, "BEGIN DEFERRED")


def _begin_sqlite(connection: Connection, how: str) -> None:
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(how)
    except sqlite3.Error as error:
        fail(connection, error, how)


# --- PostgreSQL --------------------------------------------------------------------------------


def _postgresql(url: URL) -> Engines:
    writer = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=_MOST,
        max_overflow=0,
        pool_use_lifo=True,
        connect_args=connect_arguments(url),
    )
    event.listen(writer, "first_connect", _check_server)
    event.listen(writer, "checkin", _note_rest)
    event.listen(writer, "checkout", _check_alive)
    reading = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    looking = {"isolation_level": "AUTOCOMMIT"}
    return Engines(writer, writer.execution_options(**reading), writer.execution_options(**looking))


def _note_rest(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["rests"] = time.monotonic()


def _check_alive(connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
    """Look at a connection of the pool: a server that was started anew is met as if it had not.

    One that ends, ends its connections, and nothing else is ever said on one that rests: so while
    it has not rested for long, a look at the socket tells as much as a question. After that a
    question is asked, for a machine that has vanished says nothing.

    Raises:
        InvalidatePoolError: it has ended; the pool makes a new one, and drops all older ones.
    """
    rested = time.monotonic() - record.info.pop("rests", math.inf)
    if rested == math.inf:
        return  # it was made a moment ago
    gone = is_told(connection)
    if not gone and rested > _RESTED_SECONDS:
        gone = not _answers(connection)
    if gone:
        raise InvalidatePoolError("the server has ended this connection")


def is_told(connection: Any) -> bool:
    """Say whether a server has said something unasked on a connection: that it ends, most likely.

    Args:
        connection: of psycopg, at rest.
    """
    return bool(connection.closed) or readable(connection.fileno(), 0)


def _answers(connection: Any) -> bool:
    import psycopg

    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error:
        return False
    return True


def whoami() -> str:
    """Return by what others know this process: host and number."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return how to connect, unless the URL says otherwise.

    A server whose machine has vanished is noticed within half a minute.
    """
    limits = f"-c lock_timeout={PATIENCE_MS} -c idle_in_transaction_session_timeout={_IDLE_MS}"
    usual = {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": f"prepay {whoami()}",
        "options": limits,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return {name: value for name, value in usual.items() if name not in url.query}


def _check_server(connection: Any, _record: Any) -> None:
    version = connection.info.server_version  # 15.3 is 150003
    if version // 10_000 < _OLDEST[0]:
        shown = f"{version // 10_000}.{version % 10_000}"
        raise UnfitServer(f"PostgreSQL {shown} is too old: {_OLDEST[0]} or newer is needed")


def lock_for_upgrade(db: Connection) -> None:
    """Let only this transaction change the tables until its end."""
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL lock_timeout = 0"))  # whoever upgrades may take long
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE})


# --- numbers -----------------------------------------------------------------------------------


class NextNumber(FunctionElement[int]):
    """The number of the next transaction: above that of every transaction of the same meter.

    Between meters numbers only tell apart: on PostgreSQL who draws first may commit last.
    """

    type = Integer()
    inherit_cache = True
    name = "next_number"


@compiles(NextNumber, "sqlite")
def _number_of_sqlite(_element: NextNumber, _compiler: SQLCompiler, **_: Any) -> str:
    return "(SELECT coalesce(max(number), 0) + 1 FROM transactions)"


@compiles(NextNumber, "postgresql")
def _number_of_postgresql(_element: NextNumber, _compiler: SQLCompiler, **_: Any) -> str:
    return f"nextval('{NUMBERS}')"


# --- what went wrong, in words -----------------------------------------------------------------

_SQLITE_WORDS: Final = (
    ("database is locked", "another program is using it and does not finish: try again"),
    ("disk is full", "the disk is full: nothing was changed; make room and try again"),
    ("readonly database", "it may not be written: look at the rights of file and folder"),
    ("read-only", "it may not be written: look at the rights of file and folder"),
    ("unable to open", "it cannot be opened: does its folder exist, and may you write there?"),
    ("malformed", "it is damaged: prepay db check tells more, prepay db restore brings a backup"),
    ("not a database", "this file is no database"),
    ("disk i/o error", "the disk fails, or is full: make room, look at the disk, and try again"),
)

#: By SQLSTATE, PostgreSQL's Appendix A; two letters stand for their class.
_POSTGRESQL_WORDS: Final = (
    ("28", "the server refuses this user: wrong name or password?"),
    ("3D000", "there is no such database on the server: createdb makes one"),
    ("42501", "this user may not do that: it needs all rights on the database's public schema"),
    ("25006", "the server takes no writes: is it a standby?"),
    ("53100", "the server's disk is full: nothing was changed; make room and try again"),
    ("53300", "the server has too many connections: try again, or raise max_connections"),
    ("55P03", "another program is using it and does not finish: try again"),
    ("40", "another program changed the same at the same time: try again"),
    ("57P03", "the server is starting or stopping: try again"),
    ("57", "the server stopped: start it and try again"),
    ("08", "the server is gone: start it and try again"),
)


def whereabouts(url: URL) -> str:
    """Return a database's name for people, without the password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    host = url.host or url.query.get("host") or "this machine"
    port = "" if url.port is None else f":{url.port}"
    return f"{url.database or url.username or ''} at {host}{port}"


def explain(error: Exception) -> str:
    """Return in one line what a driver's error means; never what was written or read."""
    if isinstance(error, TimeoutError):
        return "all of this program's connections are in use: try again"
    if isinstance(error, IntegrityError):
        return f"what is there forbids it: {_first_line(error.orig)}"
    if not isinstance(error, DBAPIError):
        return _first_line(error)
    said = _first_line(error.orig)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return next((words for known, words in _POSTGRESQL_WORDS if state.startswith(known)), said)
    if isinstance(error.orig, sqlite3.Error):
        return next((words for known, words in _SQLITE_WORDS if known in said.lower()), said)
    return _never_connected(str(error.orig), said)


def _never_connected(whole: str, said: str) -> str:
    """Return what it means that libpq says something before any SQLSTATE."""
    if "password" in whole or "role" in whole or "no pg_hba.conf entry" in whole:
        return "the server refuses this user: wrong name or password?"
    if "does not exist" in whole and "database" in whole:
        return "there is no such database on the server: createdb makes one"
    if "too many clients" in whole or "connection slots" in whole:
        return "the server has too many connections: try again, or raise max_connections"
    if "starting up" in whole or "shutting down" in whole:
        return "the server is starting or stopping: try again"
    return f"the server does not answer: is it running? ({said})"


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
