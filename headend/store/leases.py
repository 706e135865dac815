"""What a process holds of the database for itself: invocation counters, and its system title.

A command that is run once leases a short block. A process that lives long uses its blocks up, so
each next one is twice as long, and the database is asked ever less often.
"""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from headend.store import counters
from headend.store.connection import Connection
from protocol.security import CounterLease

if TYPE_CHECKING:
    from headend.store.opening import Store

#: The longest block: what a crash may cost, of four thousand million a key.
_LONGEST: Final = 64 * counters.BLOCK
#: Of so many keys at most blocks are held: each meter may have its own.
_KEYS: Final = 4096


class _Block(Struct, frozen=True):
    """A block of counters of one key: what is left of it, where it ends, how long it was."""

    lease: CounterLease
    end: int
    length: int


class Leases:
    """Counters that are leased and not used yet; any thread may ask.

    Args:
        store: where the leases are written down.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._lock = Lock()
        self._blocks: dict[str, _Block] = {}
        self._title: bytes | None = None

    def begin(self, db: Connection, key: str) -> None:
        """Drop what is held of a key when somebody else has leased since.

        A meter takes counters only upwards, and others may have spoken to it with theirs. Called
        when a session begins, so that its counters are above all that were used until then.
        """
        self.begin_at(key, counters.unleased(db, key))

    def begin_at(self, key: str, unleased: int | None) -> None:
        """Do as ``begin`` does, where the first counter that nobody has leased is known."""
        with self._lock:
            block = self._blocks.get(key)
            # It may be one of our own threads that has leased since: that costs a block.
            if block is not None and unleased != block.end:
                del self._blocks[key]

    def counter(self, key: str, at_least: int = 0) -> int:
        """Return a counter that nobody has been given before, from a committed lease.

        Args:
            key: fingerprint of the key it is used under.
            at_least: it is not below this.

        Raises:
            CountersExhausted: none is left under this key.
            StoreError: the lease could not be written down.
        """
        with self._lock:
            block = self._blocks.get(key)
            while block is not None and block.lease.remaining:
                found = block.lease.next()
                if found >= at_least:
                    return found
            block = self._lease(key, at_least, 0 if block is None else block.length)
            return block.lease.next()

    def _lease(self, key: str, at_least: int, before: int) -> "_Block":
        length = min(2 * before, _LONGEST) or counters.BLOCK
        with self._store.write_one() as db:
            leased = counters.lease_at_once(db, key, at_least, length)
        if leased is None:
            with self._store.begin() as db:
                leased = counters.lease(db, key, at_least, length)
        self._blocks.pop(key, None)
        while len(self._blocks) >= _KEYS:  # the one that was leased longest ago
            del self._blocks[next(iter(self._blocks))]
        lease = CounterLease(leased.start, leased.stop)
        block = self._blocks[key] = _Block(lease, leased.stop, length)
        return block

    def system_title(self, entropy: Callable[[int], bytes]) -> bytes:
        """Return this database's client system title (8 octets), which never changes."""
        with self._lock:
            if self._title is None:
                with self._store.read() as db:
                    self._title = counters.known_title(db)
            if self._title is None:
                with self._store.begin() as db:
                    self._title = counters.system_title(db, entropy)
            return self._title
