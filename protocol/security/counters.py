"""Invocation counters: those we use, each at most once, and those we have seen, each at most once.

System title and invocation counter together are the nonce of AES-GCM. A nonce used twice under
one key gives the plaintexts and the authentication away, so a counter has to survive a restart.
It is leased: whoever stores it writes the *end* of the lease first and hands out the lease after;
after a power cut the next lease begins at the stored end and a few counters are lost, none reused.
"""

from typing import Protocol

from protocol.errors import CountersExhausted, ReplayError

#: The invocation counter is 32 bits wide. Its last value says "no more" and is never used.
MAX_COUNTER = 0xFFFFFFFF


class CounterSource(Protocol):
    """Whatever hands out invocation counters."""

    def next(self) -> int:
        """Return a counter never returned before.

        Raises:
            CountersExhausted: there is none left.
        """
        ...


class CounterLease:
    """The counters from ``first`` to just before ``end``.

    Args:
        first: the next counter to hand out.
        end: the first counter that is not ours to use, at most 0xFFFFFFFF.

    Raises:
        ValueError: not 0 <= first <= end <= 0xFFFFFFFF.
    """

    def __init__(self, first: int, end: int = MAX_COUNTER) -> None:
        if not 0 <= first <= end <= MAX_COUNTER:
            raise ValueError(f"not a range of invocation counters: {first} to {end}")
        self._next = first
        self._end = end

    @property
    def remaining(self) -> int:
        """How many counters are left in this lease."""
        return self._end - self._next

    def next(self) -> int:
        """Return the next counter.

        Raises:
            CountersExhausted: the lease is used up.
        """
        if self._next >= self._end:
            raise CountersExhausted(f"no invocation counter left below {self._end}")
        counter = self._next
        self._next += 1
        return counter


class ReplayGuard:
    """Remembers the greatest counter accepted from the other side under one key.

    Args:
        last: the greatest counter accepted so far; -1 when there was none, so that 0 is accepted.
    """

    def __init__(self, last: int = -1) -> None:
        self._last = last

    @property
    def last(self) -> int:
        """The greatest counter accepted so far, -1 when there was none."""
        return self._last

    def check(self, counter: int) -> None:
        """Raise what ``accept`` would, and remember nothing.

        Raises:
            ReplayError: ``counter`` is not greater than every one accepted before.
        """
        if counter <= self._last:
            raise ReplayError(
                f"invocation counter {counter} is not above {self._last}", self._last + 1
            )

    def accept(self, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: ``counter`` is not greater than every one accepted before.
        """
        self.check(counter)
        self._last = counter
