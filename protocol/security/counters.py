"""Invocation counters: those we use, each at most once, and those we have seen, each at most once.

System title and invocation counter together are the nonce of AES-GCM. A nonce used twice under
one key gives the plaintexts and the authentication away, so a counter has to survive a restart.
It is leased: whoever stores it writes the *end* of the lease first and hands out the lease after;
after a power cut the next lease begins at the stored end and a few counters are lost, none reused.
"""

from enum import Enum
from hashlib import sha256
from typing import Protocol

from protocol.errors import CountersExhausted, ReplayError, SecurityError

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
            # A counter that has come to its end has no next: what tells of it has 32 bits.
            expected = min(self._last + 1, MAX_COUNTER)
            raise ReplayError(f"invocation counter {counter} is not above {self._last}", expected)

    def accept(self, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: ``counter`` is not greater than every one accepted before.
        """
        self.check(counter)
        self._last = counter


class KeyUse(Enum):
    """Which of the other side's keys a counter belongs to."""

    UNICAST = "global unicast"
    BROADCAST = "global broadcast"
    DEDICATED = "dedicated"
    EXCHANGED = "wrapped or agreed"


class SignatureMemory:
    """Remembers signed APDUs that have no invocation counter, so that none is taken twice.

    Only the newest are remembered, and none beyond the life of this object: a policy that wants
    more than that has to ask for ciphering too.

    Args:
        limit: how many are remembered.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._seen: dict[bytes, None] = {}

    def accept(self, signed: bytes, signature: bytes) -> None:
        """Take a signed APDU as used.

        Args:
            signed: what the signature is over.
            signature: r || s. With r and s, r and the order of the curve less s is a signature
                too, so only r is looked at.

        Raises:
            SecurityError: it came before.
        """
        token = sha256(signed + signature[: len(signature) // 2]).digest()
        if token in self._seen:
            raise SecurityError("a signed APDU that came before")
        self._seen[token] = None
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]


class ReplayBook:
    """A guard for each client and each of its keys.

    Keys that are wrapped or agreed on anew with each APDU share one guard: their counters have
    to rise too, or whoever has recorded an APDU could send it again.

    Args:
        lasts: the greatest counters accepted so far, by system title and use.
        limit: how many there may be. Only who has the key can add one; a client that invents
            titles is refused in the end, rather than another's counters be forgotten.
    """

    def __init__(
        self, lasts: dict[tuple[bytes, KeyUse], int] | None = None, limit: int = 256
    ) -> None:
        self._lasts = dict(lasts or {})
        self._limit = limit
        #: What has been signed and not ciphered.
        self.signatures = SignatureMemory()

    @property
    def lasts(self) -> dict[tuple[bytes, KeyUse], int]:
        """The greatest counters accepted so far, by system title and use."""
        return dict(self._lasts)

    def last(self, title: bytes, use: KeyUse) -> int:
        """The greatest counter accepted from a title under a key, -1 when there was none."""
        return self._lasts.get((title, use), -1)

    def accept(self, title: bytes, use: KeyUse, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: it is not greater than every one accepted before.
            SecurityError: there is no room for a further client.
        """
        if (title, use) not in self._lasts and len(self._lasts) >= self._limit:
            raise SecurityError("too many system titles")
        guard = ReplayGuard(self.last(title, use))
        guard.accept(counter)
        self._lasts[title, use] = guard.last

    def guard(self, title: bytes, use: KeyUse) -> "BookGuard | ReplayGuard":
        """Return the guard of one client's key."""
        return BookGuard(self, title, use)


class SharedBook(ReplayBook):
    """One guard for the global broadcast key, and one for all other keys of whatever client.

    The broadcast key is in every meter of an area: who has taken it out of one of them must not
    be able to use up the counters of those who have the other keys.

    Args:
        others: the guard for all keys but the broadcast key.
        broadcast: the guard for the broadcast key.
    """

    def __init__(self, others: ReplayGuard, broadcast: ReplayGuard) -> None:
        super().__init__()
        self._others = others
        self._broadcast = broadcast

    def guard(self, title: bytes, use: KeyUse) -> ReplayGuard:
        """Return the guard of a key, whoever uses it."""
        del title
        return self._broadcast if use is KeyUse.BROADCAST else self._others


class BookGuard:
    """One line of a ``ReplayBook``; behaves as a ``ReplayGuard``."""

    def __init__(self, book: ReplayBook, title: bytes, use: KeyUse) -> None:
        self._book = book
        self._title = title
        self._use = use

    @property
    def last(self) -> int:
        """The greatest counter accepted so far, -1 when there was none."""
        return self._book.last(self._title, self._use)

    def accept(self, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: it is not greater than every one accepted before.
            SecurityError: there is no room for a further client.
        """
        self._book.accept(self._title, self._use, counter)
