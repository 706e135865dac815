"""Locks on a PostgreSQL server: session advisory locks on the one connection that a process keeps.

A connection that is lost has lost its locks; whoever holds one is told so before he sends.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from headend.context import LOCK_PATIENCE_MS
from headend.store import dialects
from headend.store.cursors import Cursors
from headend.store.url import DatabaseUrl

if TYPE_CHECKING:
    import psycopg

from headend.store.locks import Held, MeterLocks


@dataclass(slots=True)
class _Line:
    """The connection that holds the locks of a process."""

    connection: "psycopg.Connection[tuple[object, ...]]"
    taken: set[str] = field(default_factory=set)
    cursors: Cursors = field(init=False)

    def __post_init__(self) -> None:
        self.cursors = Cursors(self.connection)


_TAKE: Final = "pg_try_advisory_lock(%s)"
_GIVE: Final = "pg_advisory_unlock(%s)"
#: A key of 64 bits stands there as two halves.
_WHO: Final = (
    "SELECT a.application_name, host(a.client_addr) FROM pg_locks l "
    "JOIN pg_stat_activity a ON a.pid = l.pid "
    "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = %s"
)


class ServerLocks(MeterLocks):
    """Locks of everybody who has the same database on a PostgreSQL server.

    Args:
        url: of the database.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._lock = Lock()  # the connection does one thing at a time
        self._line: _Line | None = None

    def attempt(self, name: str) -> Held | None:
        """Take a lock at once; None where somebody else has it.

        Raises:
            StoreError: the server does not answer.
        """
        with self._lock:
            return self._attempt([name])[0]

    def take_all(self, names: Sequence[str], patience_ms: int = LOCK_PATIENCE_MS) -> list[Held]:
        """Take several locks, or none; where nobody has any of them, by one question.

        Raises:
            Busy: as ``take``.
        """
        with self._lock:
            found = self._attempt(names)
        taken = [held for held in found if held is not None]
        if len(taken) == len(names):
            return taken
        self.give_all_back(taken)
        return super().take_all(names, patience_ms)

    def _attempt(self, names: Sequence[str]) -> list[Held | None]:
        from headend.store.opening import StoreError

        line = self._connected()
        if not line.taken.isdisjoint(names):
            return [None] * len(names)
        try:
            taken = self._ask(line, _TAKE, names)
        except StoreError:  # it was lost long ago, and nobody had looked
            line = self._connected()
            taken = self._ask(line, _TAKE, names)
        line.taken.update(name for name, ours in zip(names, taken, strict=True) if ours)
        return [
            Held(name, self, line) if ours else None
            for name, ours in zip(names, taken, strict=True)
        ]

    def give_back(self, held: Held) -> None:
        """Let the next one have it; a connection that is gone has done so itself."""
        self.give_all_back([held])

    def give_all_back(self, several: Sequence[Held]) -> None:
        """Let the next ones have them, at once; a connection that is gone has done so itself."""
        from headend.store.opening import StoreError

        with self._lock:
            line = self._line
            names = [held.name for held in several if held.mark is line]
            if line is None or not names:
                return
            line.taken.difference_update(names)
            with suppress(StoreError):
                self._ask(line, _GIVE, names)

    def is_held(self, held: Held) -> bool:
        """Say whether nobody else can have it; the server is asked."""
        return self.are_held((held,))

    def are_held(self, several: Sequence[Held]) -> bool:
        """Say whether nobody else can have any of these; the server is asked, once."""
        from headend.store.opening import StoreError

        with self._lock:
            line = self._line
            if line is None or any(
                held.mark is not line or held.name not in line.taken for held in several
            ):
                return False
            try:
                self._query(line, "SELECT 1", ())
            except StoreError:
                return False
            return True

    def seems_held(self, held: Held) -> bool:
        """Say whether a lock is held as far as can be told without asking the server."""
        with self._lock:
            line = self._line
            if line is None or held.mark is not line or held.name not in line.taken:
                return False
            quiet = not dialects.is_told(line.connection)
        return quiet or self.is_held(held)

    def alive(self, name: str) -> bool:
        """Say whether anybody holds a lock; nobody's is taken to find out."""
        return bool(self._who(name))

    def holder(self, name: str) -> str:
        """Return who holds a lock, for people."""
        found = self._who(name)
        if not found:
            return "another process"
        told = str(found[0][0]).removeprefix("prepay ")
        host, _, process = told.rpartition(":")
        return f"process {process} on {host}" if host else f"{told} at {found[0][1]}"

    def close(self) -> None:
        """Let every lock go."""
        with self._lock:
            if self._line is not None:
                self._line.connection.close()
                self._line = None

    def _who(self, name: str) -> list[tuple[object, ...]]:
        from headend.store.opening import StoreError

        with self._lock:
            try:
                return self._query(self._connected(), _WHO, (_key(name),))
            except StoreError:  # as in attempt
                return self._query(self._connected(), _WHO, (_key(name),))

    def _ask(self, line: _Line, function: str, names: Sequence[str]) -> list[bool]:
        """Do something about locks, from the left to the right."""
        query = f"SELECT {', '.join([function] * len(names))}"
        return [bool(each) for each in self._query(line, query, tuple(map(_key, names)))[0]]

    def _query(self, line: _Line, query: str, values: tuple[int, ...]) -> list[tuple[object, ...]]:
        import psycopg

        from headend.store.opening import StoreError

        try:
            found: list[tuple[object, ...]] = line.cursors.execute(query, values).fetchall()
            return found
        except psycopg.Error as error:
            line.connection.close()
            if self._line is line:
                self._line = None
            lost = "the connection that holds the locks is lost"
            raise StoreError(f"database {dialects.whereabouts(self._url)}: {lost}") from error

    def _connected(self) -> _Line:
        """Return the connection; a new one, with no lock, where it was lost."""
        import psycopg
        from psycopg.conninfo import make_conninfo

        from headend.store.opening import StoreError

        if self._line is None or self._line.connection.closed:
            whole = self._url.whole
            named = whole.translate_connect_args(username="user", database="dbname")
            words = {**dialects.connect_arguments(self._url), **whole.query, **named}
            try:
                made = psycopg.connect(make_conninfo(**words), autocommit=True)
            except psycopg.Error as error:
                where = dialects.whereabouts(self._url)
                raise StoreError(f"database {where}: the server does not answer") from error
            self._line = _Line(made)
        return self._line


def _key(name: str) -> int:
    """Return a lock's key: 64 bits with a sign, as PostgreSQL has them."""
    return int.from_bytes(hashlib.sha256(b"lock " + name.encode()).digest()[:8], "big", signed=True)
