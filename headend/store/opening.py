"""Opening the database, and bringing it up to date on first use.

SQLite in WAL mode with ``synchronous=FULL``: what has been committed survives the power. Each
transaction begins IMMEDIATE, so that what one reads nobody changes before it writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from headend.context import default_database
from headend.errors import Refused, UsageError
from headend.store.schema import HEAD

_BUSY_MILLISECONDS = 10_000


class StoreError(Refused):
    """The database cannot be used: not ours, from a newer version, locked, or not writable."""


class Store:
    """A database that is open and up to date.

    Args:
        url: an SQLAlchemy URL, or the path of an SQLite file.

    Raises:
        UsageError: the URL cannot be understood.
        StoreError: the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with _clear_errors(self._engine):
            _upgrade(self._engine)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end unless something raises."""
        with _clear_errors(self._engine), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def default_url() -> str:
    """Return the URL of the database in the user's data directory, which is made if need be."""
    path = default_database()
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {directory}: {error.strerror}; give --db") from error
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    if "://" not in url:
        url = f"sqlite:///{Path(url)}"
    try:
        engine = create_engine(make_url(url))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"--db cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Set what SQLite forgets from one connection to the next."""
    connection.isolation_level = None  # sqlite3 would begin late; _begin_immediate does it
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(engine: Engine) -> None:
    """Run the migrations that are missing; one query when there are none."""
    with engine.begin() as connection:
        if _revision(connection) == HEAD:
            return
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


def _revision(connection: Connection) -> str | None:
    """Return the revision of the database, None for an empty one."""
    tables = connection.dialect.get_table_names(connection)
    if "alembic_version" not in tables:
        if tables:
            raise StoreError("the database is not this program's: give another one with --db")
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@contextmanager
def _clear_errors(engine: Engine) -> Iterator[None]:
    """Turn what the database's driver raises into one clear line."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"database {engine.url.database}: {error.orig}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"database {engine.url.database}: {error}") from error
