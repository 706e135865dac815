"""One connection in one transaction: what the functions of the store work on.

``Prepared`` statements go from here straight to the driver. All else that SQLAlchemy's connections
can do, this one can as well: it is lent to SQLAlchemy, transaction and all, when it is first asked
for, and only then is SQLAlchemy imported.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from headend.store.lending import Lender
from headend.store.pool import Pool, Pooled

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy import Connection as _Whole
else:
    _Whole = object

#: Of a transaction in which a statement failed, as libpq has it.
_IN_ERROR: Final = 3
#: "cached plan must not change result type", and a prepared statement that is not there any more.
_STALE: Final = ("0A000", "26000")


class Way:
    """One way to a database: how its transactions begin, and what for.

    Args:
        name: of the database, as SQLAlchemy has it: "sqlite" or "postgresql".
        errors: what the driver raises.
        pool: of its connections.
        lender: lends them to SQLAlchemy.
        begin: begins a transaction.
        writes: whether what it does is to be kept.
        is_single: there is no transaction around its statements: each stands by itself.
    """

    __slots__ = ("begin", "errors", "is_server", "is_single", "lender", "name", "pool", "writes")

    def __init__(
        self,
        name: str,
        errors: type[Exception],
        pool: Pool,
        lender: Lender,
        begin: Callable[[Pooled], None],
        *,
        writes: bool,
        is_single: bool,
    ) -> None:
        self.name, self.is_server = name, name == "postgresql"
        self.errors = errors
        self.pool = pool
        self.lender = lender
        self.begin = begin
        self.writes, self.is_single = writes, is_single


class Connection(_Whole):
    """A connection that is in a transaction, for whoever opened it in ``Store``.

    Args:
        way: how it was opened.
        pooled: the driver's.
    """

    def __init__(self, way: Way, pooled: Pooled) -> None:
        #: Has the name of the database; ``whole.dialect`` has all that SQLAlchemy knows of it.
        self.dialect: Any = way
        self.pooled = pooled
        #: Whether the line to the server broke, and somebody here was told so.
        self.lost = False
        self._way = way
        self._begun: sqlalchemy.RootTransaction | None = None

    @property
    def whole(self) -> "sqlalchemy.Connection":
        """SQLAlchemy's side of it, in the same transaction."""
        lent = self._way.lender.lend(self.pooled)
        if self._begun is None:
            self._begun = lent.begin()
        return lent

    if not TYPE_CHECKING:  # there it is one of SQLAlchemy's, with all that belongs to it

        def __getattr__(self, name: str) -> Any:
            """Return what SQLAlchemy's has of that name."""
            if name == "pooled":
                raise RuntimeError("this transaction is over")
            return getattr(self.whole, name)

    def run(self, sql: str, told: Any) -> Any:
        """Execute a statement of ``Prepared``, and return the driver's cursor.

        Raises:
            sqlalchemy.exc.DBAPIError: whatever the driver raised.
        """
        try:
            return self.pooled.cursor.execute(sql, told)
        except self._way.errors as error:
            self.fail(error, sql)

    def fail(self, error: Exception, sql: str | None = None) -> NoReturn:
        """Raise what the driver has raised as SQLAlchemy does.

        Raises:
            sqlalchemy.exc.DBAPIError: always.
        """
        self.lost = self.lost or is_lost(self.pooled, error)
        raise as_sqlalchemy(self._way, error, sql, lost=self.lost) from error

    def glance(self, sql: str) -> tuple[Any, ...] | None:
        """Return the first row of a statement that the database may well refuse; None: none."""
        try:
            rows = self.pooled.cursor.execute(sql).fetchall()
        except self._way.errors as error:
            if is_lost(self.pooled, error):
                self.fail(error, sql)
            return None
        return rows[0] if rows else None

    def keep(self) -> None:
        """Commit.

        Raises:
            sqlalchemy.exc.DBAPIError: that may have been too late, or it is refused; or the
                database has ended the transaction already, and somebody here took no notice.
        """
        way, driver = self._way, self.pooled.driver
        try:
            if way.writes and not way.is_single and _is_over(way, driver):
                raise way.errors("an error ended the transaction, and it went on: it is not kept")
            driver.commit()
        except self._way.errors as error:
            self.fail(error, "COMMIT")

    def undo(self) -> bool:
        """Roll back, and return whether the connection is one still."""
        try:
            self.pooled.driver.rollback()
        except self._way.errors as error:
            self.lost = self.lost or is_lost(self.pooled, error)
            return False
        return not self.lost

    def give_back(self, *, usable: bool) -> None:
        """Let the next one have the driver's connection; this one is good for nothing more."""
        pool, pooled = self._way.pool, self.pooled
        del self.pooled
        if usable:
            pool.give_back(pooled)
        else:
            pool.drop(pooled, lost=self.lost)

    def let_go(self) -> None:
        """Let SQLAlchemy know that its transaction is over; it does nothing about it."""
        if self._begun is not None:
            adopted = self.pooled.adopted
            assert adopted is not None  # it has begun something
            self.lost = self.lost or adopted.invalidated
            self._begun.close()
            self._begun = None
            if adopted.in_transaction():  # somebody ended that one, and it began another by itself
                adopted.rollback()


def _is_over(way: Way, driver: Any) -> bool:
    """Say whether the database has ended a transaction by itself, or will not keep it.

    SQLite does so where the disk is full, and keeps each statement after that by itself; PostgreSQL
    after any error, and makes a ROLLBACK of the COMMIT without a word.
    """
    if way.is_server:
        return bool(driver.pgconn.transaction_status == _IN_ERROR)
    return not driver.in_transaction


def is_stale(error: BaseException) -> bool:
    """Say whether a statement is prepared on a connection for tables as they were before.

    The server refuses it there each time; a new connection prepares it anew.
    """
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _STALE


def is_lost(pooled: Pooled, error: BaseException) -> bool:
    """Say whether a driver's error was the end of the connection."""
    closed = getattr(pooled.driver, "closed", None)  # psycopg has it
    return "Cannot operate on a closed database" in str(error) if closed is None else closed


def as_sqlalchemy(way: Way, error: BaseException, sql: str | None, *, lost: bool) -> Exception:
    """Return what SQLAlchemy would make of a driver's error; it tells no values."""
    from sqlalchemy.exc import DBAPIError

    told: Any = error  # whoever calls has seen that it is one of ``way.errors``
    made: DBAPIError = DBAPIError.instance(
        sql, None, told, way.errors, hide_parameters=True, connection_invalidated=lost
    )
    return made
