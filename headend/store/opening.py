"""Opening the database, and bringing it up to date on first use.

SQLite in one file (WAL), or PostgreSQL by URL; what they do differently is in ``dialects``.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from headend.context import default_database
from headend.errors import ExitCode, Refused, UsageError
from headend.store import dialects
from headend.store.schema import HEAD

if TYPE_CHECKING:  # what no command has to pay that only lists
    from headend.store.leases import Leases
    from headend.store.locks import MeterLocks


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
        try:
            self._engines = dialects.engines(self.url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError(f"--db cannot be used: {error}") from error
        with _clear_errors(self.url):
            _upgrade(self._engines.writer)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end unless something raises.

        Raises:
            StoreError: nothing of it was kept.
            CommitUnknown: nobody can say whether all of it was kept, or nothing.
        """
        with (
            _clear_errors(self.url),
            self._engines.writer.connect() as connection,
            connection.begin() as transaction,
        ):
            yield connection
            try:
                transaction.commit()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                raise CommitUnknown(
                    f"database {dialects.whereabouts(self.url)}: {dialects.explain(error)}; "
                    "prepay transactions tells whether this was still written down"
                ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that cannot write; all it reads is of one moment.

        Raises:
            StoreError: the database cannot be read.
        """
        with _clear_errors(self.url), self._engines.reader.connect() as connection:
            transaction = connection.begin()
            yield connection
            # Nothing was written; but after a rollback psycopg drops what it has prepared.
            transaction.commit()

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Give a connection for one statement, which reads; each further one reads anew.

        Raises:
            StoreError: the database cannot be read.
        """
        with _clear_errors(self.url), self._engines.looker.connect() as connection:
            connection.begin()
            yield connection

    def write_one(self) -> AbstractContextManager[Connection]:
        """Give a connection for one statement that writes, which is kept once it has been executed.

        Raises:
            StoreError: it was not kept, or nobody can say.
        """
        return self.begin() if self.url.get_backend_name() == "sqlite" else self.look()

    @cached_property
    def leases(self) -> "Leases":
        """The invocation counters that this process holds of this database."""
        from headend.store.leases import Leases

        return Leases(self)

    @cached_property
    def locks(self) -> "MeterLocks":
        """Who may speak to a meter, among everybody who has this database."""
        from headend.store.locks import meter_locks

        return meter_locks(self.url)

    def close(self) -> None:
        """Let go of the database, and of every lock."""
        if "locks" in self.__dict__:
            self.locks.close()
        self._engines.dispose()


def parse_url(url: str) -> URL:
    """Return the URL of a database, which may be given as the path of an SQLite file.

    Raises:
        UsageError: it cannot be understood; what it says is not repeated, it may have a password.
    """
    if "://" not in url:
        return URL.create("sqlite", database=str(Path(url)))
    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "--db cannot be understood: a path, sqlite:///PATH, "
            "or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    return found.set(drivername="postgresql") if found.drivername == "postgres" else found


def default_url() -> str:
    """Return the URL of the database in the user's data directory, which is made if need be."""
    path = default_database()
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {directory}: {error.strerror}; give --db") from error
    return f"sqlite:///{path}"


def revision(db: Connection) -> str | None:
    """Return the revision of a database, None for an empty one.

    Raises:
        StoreError: it has tables that are not ours.
    """
    tables = db.dialect.get_table_names(db)
    if "alembic_version" not in tables:
        if tables:
            raise StoreError("the database is not this program's: give another one with --db")
        return None
    found: str | None = db.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(engine: Engine) -> None:
    """Run the migrations that are missing; one look when there are none."""
    with engine.begin() as connection:
        if revision(connection) == HEAD:
            return
        dialects.lock_for_upgrade(connection)
        if revision(connection) == HEAD:
            return  # another process has done it meanwhile
        from alembic import command  # 150 ms that only a new database has to pay
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", "headend.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                "the database was made by a newer version of this program: update the program"
            ) from error


@contextmanager
def _clear_errors(url: URL) -> Iterator[None]:
    """Turn what the database's driver raises into one clear line."""
    try:
        yield
    except (SQLAlchemyError, dialects.UnfitServer) as error:
        where = dialects.whereabouts(url)
        raise StoreError(f"database {where}: {dialects.explain(error)}") from error
