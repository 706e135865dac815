"""Attributes that are made when they are asked for: once, and in nobody else's way."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from headend.lazy import lazy
from headend.store import Store
from headend.store.locks import MeterLocks, meter_locks
from headend.store.url import DatabaseUrl

#: Seconds after which a thread that is held up is taken to be held up for good.
PATIENCE = 20.0


class Made:
    """Something with an attribute that takes a while.

    Args:
        gate: what is waited for.
    """

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.asked = threading.Event()
        self.times = 0

    @lazy
    def slow(self) -> int:
        """How often it was made."""
        self.asked.set()
        assert self.gate.wait(PATIENCE)
        self.times += 1
        return self.times


OPEN = threading.Event()
OPEN.set()


def test_it_is_made_once() -> None:
    """Who asks again gets the same."""
    one = Made(OPEN)
    assert (one.slow, one.slow, one.times) == (1, 1, 1)


def test_what_was_assigned_is_not_made() -> None:
    """An assignment goes before, and after."""
    one, other = Made(OPEN), Made(OPEN)
    one.slow = 7
    assert (one.slow, one.times) == (7, 0)
    assert other.slow == 1
    other.slow = 7
    assert other.slow == 7


def test_an_error_is_not_kept() -> None:
    """What could not be made is tried anew."""

    class Refusing:
        times = 0

        @lazy
        def slow(self) -> int:
            """Refused at first."""
            self.times += 1
            if self.times == 1:
                raise OSError("not yet")
            return self.times

    one = Refusing()
    with pytest.raises(OSError, match="not yet"):
        _ = one.slow
    assert one.slow == 2


def test_one_objects_value_holds_up_no_other_object() -> None:
    """While a thread waits for what one asks of a database, another thread's is made."""
    gate = threading.Event()
    held, free = Made(gate), Made(OPEN)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: held.slow)
        assert held.asked.wait(PATIENCE)
        try:
            assert threads.submit(lambda: free.slow).result(PATIENCE) == 1
        finally:
            gate.set()
        assert waiting.result(PATIENCE) == 1


def test_threads_that_ask_at_once_have_the_same_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two sets of locks in one process each would give a meter away once."""
    made: list[MeterLocks] = []
    late = threading.Event()

    def make(url: DatabaseUrl) -> MeterLocks:
        late.wait(0.2)  # as long as the others need to ask as well
        made.append(meter_locks(url))
        return made[-1]

    monkeypatch.setattr("headend.store.locks.meter_locks", make)
    store = Store("sqlite://")
    together = threading.Barrier(4)

    def ask(_: int) -> MeterLocks:
        together.wait(PATIENCE)
        return store.locks

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, range(4)))
    assert len(made) == 1
    assert all(each is made[0] for each in found)
    store.close()
