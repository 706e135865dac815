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
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from headend.context import LOCK_PATIENCE_MS
from headend.errors import NoAnswer
from headend.store import dialects
from headend.store.url import DatabaseUrl

if TYPE_CHECKING:
    pass

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
        from headend.store.server_locks import ServerLocks  # which locks of files do not need

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
