"""Statements that every command runs: compiled once a database, and handed to its driver as text.

SQLAlchemy looks a statement up, builds a context for it and a result for its rows each time that
it is executed: seven times what SQLite takes to answer. So what runs often is compiled once, on
the connection that SQLAlchemy has opened, in the transaction that it has begun. Rows are plain
tuples as the driver gives them (SQLite has no truth values, only 0 and 1), and what the driver
raises is raised as SQLAlchemy would.
"""

from collections.abc import Iterable
from typing import Any, Final, NoReturn

from sqlalchemy import ColumnElement, Connection, Executable, literal
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]


class Prepared:
    """A statement with ``bindparam`` in it for whatever is not the same each time.

    Args:
        statement: built once; what it looks for in a list is ``among`` fixed values.
    """

    __slots__ = ("_statement", "_texts")

    def __init__(self, statement: Executable) -> None:
        self._statement: Final = statement
        self._texts: dict[str, tuple[str, dict[str, Any], list[str] | None]] = {}

    def all(self, db: Connection, **values: Any) -> list[Row]:
        """Return all rows."""
        rows: list[Row] = self._execute(db, values).fetchall()
        return rows

    def first(self, db: Connection, **values: Any) -> Row | None:
        """Return the first row, None where there is none."""
        rows = self.all(db, **values)
        return rows[0] if rows else None

    def one(self, db: Connection, **values: Any) -> Row:
        """Return the only row.

        Raises:
            LookupError: there is none.
        """
        return self.all(db, **values)[0]

    def scalar(self, db: Connection, **values: Any) -> Any:
        """Return the first column of the first row, None where there is none."""
        found = self.first(db, **values)
        return None if found is None else found[0]

    def run(self, db: Connection, **values: Any) -> int:
        """Do what returns no rows, and return how many it was done to."""
        count: int = self._execute(db, values).rowcount
        return count

    def _execute(self, db: Connection, values: dict[str, Any]) -> Any:
        made = self._texts.get(db.dialect.name)
        sql, usual, order = made or self._compile(db)
        told: Any = {**usual, **values} if usual else values
        if order is not None:
            told = [told[name] for name in order]
        try:
            return _cursor(db).execute(sql, told)
        except db.dialect.loaded_dbapi.Error as error:
            fail(db, error, sql)

    def _compile(self, db: Connection) -> tuple[str, dict[str, Any], list[str] | None]:
        compiled: Any = self._statement.compile(dialect=db.dialect)  # type: ignore[attr-defined] # every one has it
        assert not compiled.post_compile_params, "a list: see ``among``"
        known = compiled.construct_params(_check=False)
        usual = {name: value for name, value in known.items() if value is not None}
        order = list(compiled.positiontup) if compiled.positional else None
        made = self._texts[db.dialect.name] = str(compiled), usual, order
        return made


def _cursor(db: Connection) -> Any:
    """Return what executes: psycopg takes longer to make a cursor than to use it again."""
    driver: Any = db.connection.dbapi_connection
    if db.dialect.name == "sqlite":
        return driver
    info = db.connection.info  # goes with the driver's connection
    cursor = info.get("cursor")
    if cursor is None:
        cursor = info["cursor"] = driver.cursor()
    return cursor


def among(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of a few values that never change."""
    return column.in_([literal(str(value)) for value in values])


def fail(db: Connection, error: Exception, sql: str) -> NoReturn:
    """Raise what a driver has raised as SQLAlchemy does, which forgets a connection that is lost.

    Raises:
        sqlalchemy.exc.DBAPIError: always.
    """
    dialect = db.dialect
    lost: Any = db.connection.dbapi_connection
    if dialect.is_disconnect(error, lost, None):  # type: ignore[arg-type] # the driver's error
        db.exec_driver_sql("SELECT 1")  # fails as well, and SQLAlchemy sees it
    base = dialect.loaded_dbapi.Error
    made = DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=dialect)
    raise made from error
