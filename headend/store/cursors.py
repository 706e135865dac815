"""Cursors of one connection to PostgreSQL: one for each statement.

A cursor of psycopg that executes the very same text once more knows how its values are written and
its rows are read; one that is new, or has executed something else meanwhile, finds all of it out
again, which takes as long as asking the server.
"""

from typing import Any, Final

#: Rows that a cursor may go on holding: it does so until it executes again.
_FEW: Final = 100


class Cursors:
    """What executes statements on a connection.

    Args:
        driver: psycopg's connection.
    """

    __slots__ = ("_driver", "_kept")

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._kept: dict[str, tuple[Any, bytes]] = {}

    def execute(self, sql: str, told: Any = None) -> Any:
        """Execute one of a bounded number of statements; return the cursor, for its rows.

        Raises:
            psycopg.Error: the server refuses it, or is gone.
        """
        kept = self._kept.get(sql)
        if kept is None:
            kept = self._kept[sql] = self._driver.cursor(), sql.encode()
        cursor, text = kept
        cursor.execute(text, told, prepare=True)
        if cursor.rowcount > _FEW:
            del self._kept[sql]
        return cursor
