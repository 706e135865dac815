"""Connections of a database's driver, kept for whoever needs one next.

The one that was given back last is taken first: with few users at a time few are needed. All that
were made are kept, at most as many as may be in use at once.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlalchemy

#: How many connections a process has at most.
MOST: Final = 32
#: How long somebody waits for one of them.
PATIENCE_SECONDS: Final = 30


class NoneFree(Exception):
    """All connections are in use, and none was given back in time."""


class Pooled:
    """A connection of the driver, with what is kept beside it.

    Args:
        driver: it.
        cursor: what executes on it.
        generation: of the pool when it was made.
    """

    __slots__ = ("adopted", "cursor", "driver", "generation", "mode", "rests")

    def __init__(self, driver: Any, cursor: Any, generation: int) -> None:
        self.driver = driver
        self.cursor = cursor
        self.generation = generation
        #: In which manner it begins transactions: the dialect's.
        self.mode: object = None
        #: When it was given back, by a clock that only goes on.
        self.rests = math.inf
        #: What SQLAlchemy has of it, once it has been lent to it.
        self.adopted: sqlalchemy.Connection | None = None

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self.adopted is not None:
            self.adopted.close()
        self.driver.close()


class Pool:
    """The connections of one database that are made in one way.

    Args:
        connect: makes a connection and what executes on it.
        is_alive: looks at one that has rested; it may be asked.
        most: so many at once.
        patience: how many seconds somebody waits for one.
    """

    def __init__(
        self,
        connect: Callable[[], tuple[Any, Any]],
        is_alive: Callable[[Pooled], bool] = lambda pooled: True,
        *,
        most: int = MOST,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._connect = connect
        self._is_alive = is_alive
        self._patience = patience
        self._free = BoundedSemaphore(most)
        self._resting: list[Pooled] = []  # taking and giving back are one step each, in CPython
        self._generation = 0

    def take(self) -> Pooled:
        """Return a connection that nobody else has until it is given back or dropped.

        Raises:
            NoneFree: all of them are in use, and stay so.
        """
        if not self._free.acquire(timeout=self._patience):
            raise NoneFree
        try:
            return self._rested() or self._made()
        except BaseException:  # whatever it was: the next one may have more luck
            self._free.release()
            raise

    def _rested(self) -> Pooled | None:
        while True:
            try:
                pooled = self._resting.pop()
            except IndexError:
                return None
            if pooled.generation == self._generation:
                if self._is_alive(pooled):
                    return pooled
                self._generation += 1  # all older ones are as dead
            pooled.close()

    def _made(self) -> Pooled:
        generation = self._generation
        driver, cursor = self._connect()
        return Pooled(driver, cursor, generation)

    def give_back(self, pooled: Pooled) -> None:
        """Let the next one have it; it is in no transaction."""
        if pooled.generation == self._generation:
            pooled.rests = time.monotonic()
            self._resting.append(pooled)
        else:
            pooled.close()
        self._free.release()

    def drop(self, pooled: Pooled, *, lost: bool) -> None:
        """Close a connection that cannot be used any more; ``lost``: the others cannot either."""
        if lost and pooled.generation == self._generation:
            self._generation += 1
        try:
            pooled.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close all that rest now, and those in use when they are given back."""
        self._generation += 1
        while self._resting:
            with suppress(IndexError):  # somebody has taken it meanwhile
                self._resting.pop().close()
