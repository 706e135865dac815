"""Lending a connection to SQLAlchemy, in the transaction that it is in.

What every command runs is handed to the driver as text (``prepared``). Whatever else there is to
ask goes through SQLAlchemy, on the very same connection. It begins and ends nothing there: what it
says of commit and rollback stops here, and only savepoints are its own.
"""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy

    from headend.store.pool import Pooled


class Lender:
    """SQLAlchemy's engine of a database, which makes no connections.

    Args:
        url: in SQLAlchemy's form, which says the dialect.
        spare: makes a connection of such a database for it to look at, once.
    """

    def __init__(self, url: "Callable[[], sqlalchemy.URL]", spare: Callable[[], Any]) -> None:
        self._url = url
        self._spare = spare
        self._lent: Any = None
        self._engine: sqlalchemy.Engine | None = None
        self._lock = Lock()

    @property
    def dialect(self) -> "sqlalchemy.Dialect":
        """What SQLAlchemy knows of the database."""
        with self._lock:
            return self._made().dialect

    def lend(self, pooled: "Pooled") -> "sqlalchemy.Connection":
        """Return SQLAlchemy's side of a connection, the same one each time."""
        if pooled.adopted is None:
            with self._lock:
                engine = self._made()
                self._lent = pooled.driver
                try:
                    pooled.adopted = engine.connect()
                finally:
                    self._lent = None
        return pooled.adopted

    def _made(self) -> "sqlalchemy.Engine":
        if self._engine is None:
            from sqlalchemy import create_engine
            from sqlalchemy.pool import NullPool

            engine = create_engine(self._url(), creator=self._hand_over, poolclass=NullPool)
            engine.connect().close()  # it looks at its first connection, and rolls back what it did
            dialect: Any = engine.dialect
            dialect.do_commit = dialect.do_rollback = _leave_alone
            self._engine = engine
        return self._engine

    def _hand_over(self) -> Any:
        return self._spare() if self._lent is None else self._lent


def _leave_alone(_connection: Any) -> None:
    """Neither commit nor roll back: who has lent the connection does."""
