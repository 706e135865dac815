"""Statements that every command runs, handed to the database's driver as text.

SQLAlchemy looks a statement up, builds a context for it and a result for its rows each time that
it is executed: seven times what SQLite takes to answer. So what runs often is compiled once, and
what a direct command needs was compiled when this program was made (``statements``). Rows are plain
tuples as the driver gives them (SQLite has no truth values, only 0 and 1), and what the driver
raises is raised as SQLAlchemy would.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from headend.store import statements
from headend.store.connection import Connection

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable

Row = tuple[Any, ...]


class Prepared:
    """A statement with ``bindparam`` in it for whatever is not the same each time.

    Args:
        statement: its name among ``statements``, as in "meters.BY_NAME"; or itself, built once:
            what it looks for in a list is ``among`` fixed values.
    """

    __slots__ = ("_statement", "_texts")

    def __init__(self, statement: "str | Executable") -> None:
        self._statement: Final = statement
        self._texts: dict[str, statements.Text] = {}

    @property
    def name(self) -> str | None:
        """Its name among ``statements``; None for one that was built elsewhere."""
        return self._statement if isinstance(self._statement, str) else None

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
        sql, usual, order = made or self._text(db)
        told: Any = {**usual, **values} if usual else values
        if order is not None:
            told = [told[name] for name in order]
        return db.run(sql, told)

    def _text(self, db: Connection) -> statements.Text:
        found = self._statement
        made = statements.text(found, db.dialect.name) if isinstance(found, str) else None
        if made is None:
            statement = statements.find(found) if isinstance(found, str) else found
            made = statements.compiled(statement, db.dialect.lender.dialect)
        self._texts[db.dialect.name] = made
        return made


def among(column: "ColumnElement[Any]", values: Iterable[str]) -> "ColumnElement[bool]":
    """Return the condition that a column has one of a few values that never change."""
    from sqlalchemy import literal

    return column.in_([literal(str(value)) for value in values])
