"""What SQLite and PostgreSQL do differently; the rest of the store is the same code on both.

| | SQLite | PostgreSQL |
|---|---|---|
| what writes | BEGIN IMMEDIATE: one at a time | READ COMMITTED, ``meters.hold`` first |
| what reads | a connection that cannot write | REPEATABLE READ, READ ONLY |
| survives a power cut | WAL, ``synchronous=FULL`` | ``synchronous_commit``, never off |
| patience with others | ``busy_timeout`` | ``lock_timeout`` |
| number of a transaction | the last one and 1: nobody else writes | a sequence |
| two that upgrade at once | the second waits | an advisory lock |

Both ways of reading show the database as it was at one moment, however many queries there are.
"""

import os
import socket
import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

from headend.store.connection import Connection, Way
from headend.store.cursors import Cursors
from headend.store.lending import Lender
from headend.store.pool import NoneFree, Pool, Pooled
from headend.store.url import DatabaseUrl
from headend.waiting import readable

if TYPE_CHECKING:
    from psycopg import IsolationLevel

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


class Ways:
    """Four ways to the same database.

    Args:
        writer: begins transactions that write.
        reader: begins transactions that read what was there when they began.
        looker: for one statement that reads, without any transaction around it.
        single: the same for one that may write.
    """

    __slots__ = ("looker", "reader", "single", "writer")

    def __init__(self, writer: Way, reader: Way, looker: Way, single: Way) -> None:
        self.writer, self.reader, self.looker, self.single = writer, reader, looker, single

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.reader.pool.close()
        self.writer.pool.close()


def ways(url: DatabaseUrl) -> Ways:
    """Return the ways to a database; nothing is opened yet.

    Raises:
        sqlalchemy.exc.ArgumentError, NoSuchModuleError, ModuleNotFoundError: it cannot be used.
    """
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    if url.get_backend_name() != "sqlite":
        raise ModuleNotFoundError("SQLite and PostgreSQL are the databases that it can be")
    return _sqlite(url)


def in_memory(url: DatabaseUrl) -> bool:
    """Say whether a database is gone with its process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


# --- SQLite ------------------------------------------------------------------------------------

#: What SQLite forgets from one connection to the next.
_WRITING: Final = (
    f"PRAGMA busy_timeout={PATIENCE_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
)
_READING: Final = (f"PRAGMA busy_timeout={PATIENCE_MS}", "PRAGMA query_only=ON")


class _Opened(sqlite3.Connection):
    """A connection to a file, with what tells whether that file is still the one of its name."""

    file: tuple[int, int] | None = None


def _sqlite(url: DatabaseUrl) -> Ways:
    name, words = _file_of(url)

    def connecting(*pragmas: str) -> Pool:
        def connect() -> tuple[Any, Any]:
            driver = sqlite3.connect(name, **words, factory=_Opened)
            driver.file = _file_at(name)
            try:
                driver.isolation_level = None  # sqlite3 would begin late
                for pragma in pragmas:
                    driver.execute(pragma)
            except sqlite3.Error:
                driver.close()
                raise
            return driver, driver

        if in_memory(url):
            return Pool(connect, most=1)
        return Pool(connect, lambda pooled: pooled.driver.file == _file_at(name))

    def way(pool: Pool, statement: str | None, *, writes: bool = False) -> Way:
        def begin(pooled: Pooled) -> None:
            if statement is not None:
                pooled.driver.execute(statement)

        single = statement is None
        return Way("sqlite", sqlite3.Error, pool, lender, begin, writes=writes, is_single=single)

    lender = Lender(lambda: url.whole, lambda: sqlite3.connect(":memory:"))
    pool = connecting(*_WRITING)
    writer = way(pool, "BEGIN IMMEDIATE", writes=True)
    single = way(pool, None, writes=True)
    if in_memory(url):
        return Ways(writer, writer, single, single)  # there is only the one connection
    reading = connecting(*_READING)
    return Ways(writer, way(reading, "BEGIN DEFERRED"), way(reading, None), single)


def _file_at(name: str) -> tuple[int, int] | None:
    """Return which file has a name now; None: none.

    Of one that was removed or replaced SQLite says nothing: what is written there is kept for as
    long as somebody has it open, and then gone.
    """
    try:
        there = os.stat(name)
    except OSError:
        return None
    return there.st_ino, there.st_dev


def _file_of(url: DatabaseUrl) -> tuple[str, dict[str, Any]]:
    """Return what sqlite3 is to open, and with what words; a pool gives it to any thread."""
    if url.is_plain:
        file = ":memory:" if in_memory(url) else os.path.abspath(str(url.database))
        return file, {"check_same_thread": False}
    from sqlalchemy import create_engine  # whatever else is in it, SQLAlchemy understands

    dialect: Any = create_engine(url.whole).dialect
    if dialect.driver != "pysqlite":
        raise ModuleNotFoundError(f"Python's own sqlite3 is what it uses, not {dialect.driver}")
    (file,), words = dialect.create_connect_args(url.whole)
    return file, {**words, "check_same_thread": False}


# --- PostgreSQL --------------------------------------------------------------------------------


def _postgresql(url: DatabaseUrl) -> Ways:
    import psycopg
    from sqlalchemy import create_engine

    whole = url.whole.set(drivername="postgresql+psycopg")
    dialect: Any = create_engine(whole).dialect  # opens nothing
    places, words = dialect.create_connect_args(whole)
    words.update(connect_arguments(url))

    def connect() -> Any:
        driver = dialect.connect(*places, **words)
        try:
            _check_server(driver)
            _wait_for_disk(driver)
        except BaseException:  # Ctrl-C included: the server has a place free again
            driver.close()
            raise
        return driver

    def pooled() -> tuple[Any, Any]:
        driver = connect()
        return driver, Cursors(driver)

    def way(
        level: "IsolationLevel | None" = None,
        *,
        autocommit: bool = False,
        read_only: bool | None = None,
        writes: bool = True,
    ) -> Way:
        def begin(pooled: Pooled) -> None:
            """Let psycopg say BEGIN, as it does before the first statement."""
            if pooled.mode is begin:
                return
            driver = pooled.driver
            if driver.autocommit is not autocommit:
                driver.autocommit = autocommit
            if not autocommit and driver.read_only is not read_only:
                driver.isolation_level, driver.read_only = level, read_only
            pooled.mode = begin

        errors = psycopg.Error
        return Way("postgresql", errors, pool, lender, begin, writes=writes, is_single=autocommit)

    pool = Pool(pooled, _is_alive)
    lender = Lender(lambda: whole, connect)
    repeatable = psycopg.IsolationLevel.REPEATABLE_READ
    single = way(autocommit=True)
    return Ways(way(), way(repeatable, read_only=True, writes=False), single, single)


def _is_alive(pooled: Pooled) -> bool:
    """Look at a connection of the pool: a server that was started anew is met as if it had not.

    One that ends, ends its connections, and nothing else is ever said on one that rests: so while
    it has not rested for long, a look at the socket tells as much as a question. After that a
    question is asked, for a machine that has vanished says nothing.
    """
    if is_told(pooled.driver):
        return False
    return time.monotonic() - pooled.rests <= _RESTED_SECONDS or _answers(pooled.driver)


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


def connect_arguments(url: DatabaseUrl) -> dict[str, Any]:
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
    return {name: value for name, value in usual.items() if name not in url.whole.query}


def _check_server(connection: Any) -> None:
    version = connection.info.server_version  # 15.3 is 150003
    if version // 10_000 < _OLDEST[0]:
        shown = f"{version // 10_000}.{version % 10_000}"
        raise UnfitServer(f"PostgreSQL {shown} is too old: {_OLDEST[0]} or newer is needed")


def _wait_for_disk(connection: Any) -> None:
    """See to it that what is committed outlasts the server, whatever is usual there.

    A lease that is forgotten would repeat invocation counters, a payment would be sent again under
    another id. Who waits for standbys as well goes on doing so.
    """
    connection.execute(_KEPT)
    connection.commit()


_KEPT: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)


def lock_for_upgrade(db: Connection) -> None:
    """Let only this transaction change the tables until its end."""
    if db.dialect.name == "postgresql":
        from sqlalchemy import text

        db.execute(text("SET LOCAL lock_timeout = 0"))  # whoever upgrades may take long
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE})


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


def whereabouts(url: DatabaseUrl) -> str:
    """Return a database's name for people, without the password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    whole = url.whole
    host = whole.host or whole.query.get("host") or "this machine"
    port = "" if whole.port is None else f":{whole.port}"
    return f"{whole.database or whole.username or ''} at {host}{port}"


def explain(error: BaseException) -> str:
    """Return in one line what a driver's error means; never what was written or read."""
    from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, TimeoutError

    if isinstance(error, NoneFree | TimeoutError):
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
    if not isinstance(error, OperationalError):
        return said  # the driver's own: it has refused to send such a thing
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
