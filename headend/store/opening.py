"""Opening the database, and bringing it up to date on first use.

SQLite in one file (WAL), or PostgreSQL by URL; what they do differently is in ``dialects``.
"""

import sys
from contextlib import AbstractContextManager
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final

from headend.context import default_database
from headend.errors import ExitCode, Refused, UsageError
from headend.store import dialects
from headend.store.connection import Connection, Way, as_sqlalchemy, is_lost, is_stale
from headend.store.pool import NoneFree
from headend.store.url import DatabaseUrl
from headend.store.url import parse_url as parse_url  # where it has always been looked for

if TYPE_CHECKING:  # what no command has to pay that only lists
    from headend.store.leases import Leases
    from headend.store.locks import MeterLocks

#: Revision of the newest migration. Written here so that opening an up-to-date database does not
#: import Alembic, which takes longer than most commands do; a test holds it to the migrations.
HEAD: Final = "0004"


class StoreError(Refused):
    """The database cannot be used: not ours, from a newer version, locked, gone, or full."""


class CommitUnknown(StoreError):
    """The database went away while it was told to keep something: it has all of it or nothing."""

    exit_code = ExitCode.UNKNOWN


class Store:
    """A database that is open and up to date.

    Args:
        url: an SQLAlchemy URL, or the path of an SQLite file.

    Raises:
        UsageError: the URL cannot be understood.
        StoreError: the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self._making = Lock()  # threads that ask at once have the same leases and locks
        self._leases: Leases | None = None
        self._locks: MeterLocks | None = None
        try:
            self._ways = dialects.ways(self.url)
        except _raised(ModuleNotFoundError) as error:
            raise UsageError(f"--db cannot be used: {error}") from error
        try:
            _upgrade(self)
        except BaseException:  # whatever it was: nothing stays open of what nobody has
            self.close()
            raise

    def begin(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction, committed at the end unless something raises.

        Raises:
            StoreError: nothing of it was kept.
            CommitUnknown: nobody can say whether all of it was kept, or nothing.
        """
        return Transaction(self._ways.writer, self.url)

    def read(self) -> AbstractContextManager[Connection]:
        """Give a connection that cannot write; all it reads is of one moment.

        Raises:
            StoreError: the database cannot be read.
        """
        return Transaction(self._ways.reader, self.url)

    def look(self) -> AbstractContextManager[Connection]:
        """Give a connection for one statement, which reads; each further one reads anew.

        Raises:
            StoreError: the database cannot be read.
        """
        return Transaction(self._ways.looker, self.url)

    def write_one(self) -> AbstractContextManager[Connection]:
        """Give a connection for one statement that writes, which is kept once it has been executed.

        Raises:
            StoreError: it was not kept, or nobody can say.
        """
        single = self._ways.single.is_server  # SQLite's patience is known with BEGIN IMMEDIATE
        return Transaction(self._ways.single, self.url) if single else self.begin()

    @property
    def leases(self) -> "Leases":
        """The invocation counters that this process holds of this database."""
        if self._leases is None:
            from headend.store.leases import Leases

            with self._making:
                self._leases = self._leases or Leases(self)
        return self._leases

    @property
    def locks(self) -> "MeterLocks":
        """Who may speak to a meter, among everybody who has this database."""
        if self._locks is None:
            from headend.store.locks import meter_locks

            with self._making:
                self._locks = self._locks or meter_locks(self.url)
        return self._locks

    def close(self) -> None:
        """Let go of the database, and of every lock."""
        if self._locks is not None:
            self._locks.close()
        self._ways.close()


class Transaction:
    """A block in which somebody has a connection, in a transaction of its own.

    Args:
        way: to the database, and how the transaction begins.
        url: of the database.
    """

    __slots__ = ("_db", "_url", "_way")

    def __init__(self, way: Way, url: DatabaseUrl) -> None:
        self._way = way
        self._url = url

    def __enter__(self) -> Connection:
        """Begin.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            self._db = _begun(self._way)
        except _raised(NoneFree, dialects.UnfitServer) as error:
            raise StoreError(self._said(error)) from error
        return self._db

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit where nothing was raised, else roll back.

        Raises:
            StoreError: it is the database's doing; nothing was kept.
            CommitUnknown: nobody can say whether it was kept.
        """
        way, db = self._way, self._db
        usable = False
        try:
            db.let_go()
            if error is not None and is_stale(error):
                db.lost = True  # and on all the others it is prepared like that as well
            if error is None and way.is_single:
                usable = not db.lost
            elif error is None or not way.writes:
                # What only reads has nothing to undo: psycopg forgets at a ROLLBACK what it has
                # prepared, and where a statement failed the server makes one of a COMMIT.
                usable = self._committed(tell=error is None) and not db.lost
            else:
                usable = db.undo()
        finally:
            db.give_back(usable=usable)
        if error is not None and isinstance(error, _raised(dialects.UnfitServer)):
            raise StoreError(self._said(error)) from error

    def _committed(self, *, tell: bool) -> bool:
        """Commit, and return whether the connection is one still."""
        db, lost_before = self._db, self._db.lost
        try:
            db.keep()
        except _raised() as error:
            usable = db.undo()
            if not tell:
                return usable
            if self._way.writes and db.lost and not lost_before:
                raise CommitUnknown(
                    f"{self._said(error)}; "
                    "prepay transactions tells whether this was still written down"
                ) from error
            raise StoreError(self._said(error)) from error
        return True

    def _said(self, error: BaseException) -> str:
        where = dialects.whereabouts(self._url)
        return f"database {where}: {dialects.explain(error)}"


def _begun(way: Way) -> Connection:
    """Return a connection in a transaction.

    Raises:
        NoneFree, dialects.UnfitServer, sqlalchemy.exc.DBAPIError: there is none.
    """
    try:
        pooled = way.pool.take()
    except way.errors as error:
        raise as_sqlalchemy(way, error, None, lost=False) from error
    db = Connection(way, pooled)
    try:
        way.begin(pooled)
    except BaseException as error:  # whatever it was: the next one may take a connection
        of_driver = isinstance(error, way.errors)
        db.lost = of_driver and is_lost(pooled, error)
        db.give_back(usable=False)
        if of_driver:
            raise as_sqlalchemy(way, error, None, lost=db.lost) from error
        raise
    return db


def _raised(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what SQLAlchemy raises, where anybody has imported it, and others beside it."""
    there = sys.modules.get("sqlalchemy.exc")
    return others if there is None else (*others, there.SQLAlchemyError)


def default_url() -> str:
    """Return the path of the database in the user's data directory, which is made if need be."""
    path = default_database()
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {directory}: {error.strerror}; give --db") from error
    return str(path)  # in a URL some characters of it would mean something else


def revision(db: Connection) -> str | None:
    """Return the revision of a database, None for an empty one.

    Raises:
        StoreError: it has tables that are not ours.
    """
    from sqlalchemy import inspect, text

    tables = inspect(db.whole).get_table_names()
    if "alembic_version" not in tables:
        if tables:
            raise StoreError("the database is not this program's: give another one with --db")
        return None
    found: str | None = db.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(store: Store) -> None:
    """Bring a database up to date; one look when it is."""
    with Transaction(store._ways.single, store.url) as db:
        found = db.glance("SELECT version_num FROM alembic_version")
    if found != (HEAD,):
        with store.begin() as db:
            _migrate(db)


def _migrate(db: Connection) -> None:
    """Run the migrations that are missing, if any."""
    if revision(db) == HEAD:
        return
    dialects.lock_for_upgrade(db)
    if revision(db) == HEAD:
        return  # another process has done it meanwhile
    from alembic import command  # 150 ms that only a new database has to pay
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "headend.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = db.whole
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            "the database was made by a newer version of this program: update the program"
        ) from error
