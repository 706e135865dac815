"""Who may speak to a meter: one session at a time, over threads, processes and machines.

A lock is held by a process and goes with it, however it dies: nothing is to be tidied up after a
kill, and no lock is ever older than its holder.

| database | a lock is |
|---|---|
| SQLite, a file | ``flock`` on a file of its own in a folder beside the database |
| SQLite, in memory | known in this process only, as the database is |
| PostgreSQL | a session advisory lock on the one connection that a process keeps for them |

On PostgreSQL a connection that is lost has lost its locks: ``Held.held`` says whether, and is
asked before anything is sent that must not be sent twice at once. A name is whatever both sides
agree on: the place of a meter, its logical device name, the id of a process that carries out
commands.
"""

import hashlib
import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from headend.context import LOCK_PATIENCE_MS
from headend.errors import NoAnswer
from headend.store import dialects
from headend.store.cursors import Cursors
from headend.store.url import DatabaseUrl

if TYPE_CHECKING:
    import psycopg

#: How long to wait between two looks: at first, and at most.
_SOON_MS: Final = 5
_LATE_MS: Final = 100


class Busy(NoAnswer):
    """Somebody else speaks to the meter, and did not finish in time."""


class Held(Struct, frozen=True):
    """A lock that was taken.

    Args:
        name: what of.
        locks: whose.
        mark: by what the holder of the lock knows that it is still the same one.
    """

    name: str
    locks: "MeterLocks"
    mark: object

    def held(self) -> bool:
        """Say whether nobody else can have it."""
        return self.locks.is_held(self)


class MeterLocks(ABC):
    """The locks of one database; any thread may ask."""

    @contextmanager
    def hold(self, name: str, patience_ms: int = LOCK_PATIENCE_MS) -> Iterator[Held]:
        """Keep a lock for as long as the block runs.

        Raises:
            Busy: somebody else kept it for so long; the message says who.
        """
        held = self.take(name, patience_ms)
        try:
            yield held
        finally:
            self.give_back(held)

    def take(self, name: str, patience_ms: int = LOCK_PATIENCE_MS) -> Held:
        """Take a lock, which is kept until it is given back or this process ends.

        Raises:
            Busy: somebody else kept it for so long; the message says who.
        """
        until = time.monotonic_ns() + patience_ms * 1_000_000
        pause = _SOON_MS
        while True:
            held = self.attempt(name)
            if held is not None:
                return held
            if time.monotonic_ns() >= until:
                raise Busy(f"{name} is in use by {self.holder(name)}: try again when it is done")
            time.sleep(pause * (1 + random.random()) / 2_000)  # two that wait do not keep step
            pause = min(2 * pause, _LATE_MS)

    def take_all(self, names: Sequence[str], patience_ms: int = LOCK_PATIENCE_MS) -> list[Held]:
        """Take several locks in this order, or none.

        Raises:
            Busy: as ``take``.
        """
        taken: list[Held] = []
        try:
            for name in names:
                taken.append(self.take(name, patience_ms))
        except BaseException:  # whatever it was: nobody waits for half of them
            self.give_all_back(taken)
            raise
        return taken

    def give_all_back(self, several: Sequence[Held]) -> None:
        """Let the next ones have them."""
        for held in several:
            self.give_back(held)

    def are_held(self, several: Sequence[Held]) -> bool:
        """Say whether nobody else can have any of these."""
        return all(self.is_held(held) for held in several)

    def seems_held(self, held: Held) -> bool:
        """Say whether a lock is held as far as can be told without asking a server."""
        return self.is_held(held)

    def alive(self, name: str) -> bool:
        """Say whether anybody holds a lock, as every process does of its own id while it lives."""
        held = self.attempt(name)
        if held is None:
            return True
        self.give_back(held)
        return False

    @abstractmethod
    def attempt(self, name: str) -> Held | None:
        """Take a lock at once; None where somebody else has it."""

    @abstractmethod
    def give_back(self, held: Held) -> None:
        """Let the next one have it."""

    @abstractmethod
    def is_held(self, held: Held) -> bool:
        """Say whether nobody else can have it."""

    @abstractmethod
    def holder(self, name: str) -> str:
        """Return who holds a lock, for people."""

    @abstractmethod
    def close(self) -> None:
        """Let every lock go."""


def meter_locks(url: DatabaseUrl) -> MeterLocks:
    """Return the locks of a database."""
    if url.get_backend_name() == "postgresql":
        return ServerLocks(url)
    if dialects.in_memory(url):
        return LocalLocks()
    return FileLocks(Path(str(url.database)))


class LocalLocks(MeterLocks):
    """Locks that only this process knows of."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: dict[str, object] = {}

    def attempt(self, name: str) -> Held | None:
        """Take a lock at once; None where somebody else has it."""
        with self._lock:
            if name in self._taken:
                return None
            mark = self._taken[name] = object()
        return Held(name, self, mark)

    def give_back(self, held: Held) -> None:
        """Let the next one have it."""
        with self._lock:
            if self._taken.get(held.name) is held.mark:
                del self._taken[held.name]

    def is_held(self, held: Held) -> bool:
        """Say whether nobody else can have it."""
        return self._taken.get(held.name) is held.mark

    def holder(self, name: str) -> str:
        """Return who holds a lock, for people."""
        return "another command of this program"

    def close(self) -> None:
        """Let every lock go."""
        with self._lock:
            self._taken.clear()


class FileLocks(MeterLocks):
    """Locks of everybody on this machine who has the database's file.

    Args:
        database: the file; whichever way it is named, the locks are beside the file itself.
    """

    def __init__(self, database: Path) -> None:
        self._folder = f"{os.path.realpath(database)}.locks"
        self._open_files: set[int] = set()

    def attempt(self, name: str) -> Held | None:
        """Take a lock at once; None where somebody else has it.

        Raises:
            StoreError: the folder cannot be written.
        """
        import fcntl  # not on every system; where it is not, only this fails

        path = self._path(name)
        while True:
            number = self._open(path)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(number)
                return None
            if _is_at(number, path):
                with suppress(OSError):  # a full disk: then nobody can read who it is
                    if os.fstat(number).st_size:  # its holder before us has been killed
                        os.truncate(number, 0)
                    os.pwrite(number, f"{name}\n{dialects.whoami()}".encode(), 0)
                self._open_files.add(number)
                return Held(name, self, number)
            os.close(number)  # its last holder removed it while we took it

    def give_back(self, held: Held) -> None:
        """Let the next one have it."""
        number = held.mark
        assert isinstance(number, int)  # attempt made it
        if number not in self._open_files:
            return  # closed
        self._open_files.discard(number)
        path = self._path(held.name)
        if _is_at(number, path):
            with suppress(OSError):  # while it is ours: whoever comes next makes a new one
                os.unlink(path)
        os.close(number)

    def is_held(self, held: Held) -> bool:
        """Say whether nobody else can have it; somebody may have tidied up the folder."""
        assert isinstance(held.mark, int)  # attempt made it
        return held.mark in self._open_files and _is_at(held.mark, self._path(held.name))

    def holder(self, name: str) -> str:
        """Return who holds a lock, for people."""
        try:
            told = Path(self._path(name)).read_text(encoding="utf-8").partition("\n")[2]
        except (OSError, UnicodeDecodeError):
            told = ""
        host, _, process = told.partition(":")
        return f"process {process} on {host}" if process else "another process"

    def close(self) -> None:
        """Let every lock go; the files stay, and mean nothing."""
        while self._open_files:
            os.close(self._open_files.pop())

    def _path(self, name: str) -> str:
        return f"{self._folder}/{hashlib.sha256(name.encode()).hexdigest()[:32]}"

    def _open(self, path: str) -> int:
        from headend.store.opening import StoreError

        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            try:
                return os.open(path, flags, 0o600)
            except FileNotFoundError:
                Path(self._folder).mkdir(mode=0o700, exist_ok=True)
                return os.open(path, flags, 0o600)
        except OSError as error:
            raise StoreError(f"cannot lock in {self._folder}: {error.strerror}") from error


def _is_at(number: int, path: str) -> bool:
    """Say whether an open file is the one at a path."""
    try:
        there, ours = os.stat(path), os.fstat(number)
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)


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
