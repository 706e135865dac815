"""An engine that remembers nothing: threads of this process.

For tests, and to see what the durable one costs. What a process leaves when it dies is handed
over again by the sweep of the next one, which finds that nobody knows it.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

from headend.engine import Handed

#: How many tickets that have ended are remembered.
_REMEMBERED = 10_000


class ThreadEngine:
    """Runs tickets in threads; an ``Engine``.

    Args:
        sessions: how many at a time.
    """

    def __init__(self, sessions: int) -> None:
        self._pool = ThreadPoolExecutor(sessions, "attempt")
        self._guard = Lock()
        self._running: dict[str, Future[None]] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._run: Callable[[str], None] | None = None

    def start(self, run: Callable[[str], None]) -> None:
        """Begin to run tickets."""
        self._run = run

    def submit(self, handed: Sequence[Handed]) -> None:
        """Take tickets; one that is known already is taken once."""
        assert self._run is not None  # it was started
        with self._guard:
            for each in handed:
                if each.ticket not in self._running and each.ticket not in self._ended:
                    self._running[each.ticket] = self._pool.submit(self._one, each.ticket)

    def _one(self, ticket: str) -> None:
        assert self._run is not None  # it was started
        try:
            self._run(ticket)
        finally:
            with self._guard:
                self._running.pop(ticket, None)
                self._ended.append(ticket)

    def ended(self, tickets: Collection[str]) -> frozenset[str]:
        """Return which of these tickets have ended here."""
        with self._guard:
            return frozenset(tickets) & frozenset(self._ended)

    def holders(self) -> frozenset[str]:
        """Nobody's: what an executor was running died with it."""
        return frozenset()

    def recover(self, dead: Collection[str]) -> int:
        """Do nothing: what they left is unknown here, and handed over again by the sweep."""
        return 0

    def tidy(self) -> None:
        """Do nothing: only so many are remembered."""

    def stop(self, patience: float) -> None:
        """Take no more, and wait so many seconds for what runs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            running = list(self._running.values())
        wait(running, patience)
