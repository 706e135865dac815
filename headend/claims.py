"""The locks that one run of a command holds: a meter's place and name, each taken once.

A session takes them, and so does a command that opens several sessions with the same meter, for
all the time that it is about; so both ask here, and the last one to be done gives them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headend.store.locks import Held, MeterLocks


@dataclass(slots=True)
class _Claim:
    held: "Held"
    times: int = 0


class Claims:
    """Locks of one run of a command, which is one thread.

    Args:
        locks: of the database.
        patience_ms: how long to wait for somebody else to be done.
    """

    def __init__(self, locks: "MeterLocks", patience_ms: int) -> None:
        self._locks = locks
        self._patience_ms = patience_ms
        self._claims: dict[str, _Claim] = {}

    @contextmanager
    def claim(self, *names: str) -> Iterator[None]:
        """Hold locks while the block runs; one that was lost meanwhile is taken anew.

        Raises:
            Busy: somebody else speaks to that meter, and did not finish in time.
            StoreError: the locks cannot be reached.
        """
        names = tuple(dict.fromkeys(names))
        missing = [name for name in names if name not in self._claims]
        for name in names:
            known = self._claims.get(name)
            if known is not None and not self._locks.seems_held(known.held):
                known.held = self._locks.take(name, self._patience_ms)
        if missing:
            taken = self._locks.take_all(missing, self._patience_ms)
            self._claims |= {held.name: _Claim(held) for held in taken}
        claims = [self._claims[name] for name in names]
        for claim in claims:
            claim.times += 1
        try:
            yield
        finally:
            for claim in claims:
                claim.times -= 1
            over = [claim.held for claim in reversed(claims) if not claim.times]
            for held in over:
                del self._claims[held.name]
            if over:
                self._locks.give_all_back(over)

    def has(self, name: str) -> bool:
        """Say whether this run has taken a lock; the database is not asked."""
        return name in self._claims

    def check(self) -> None:
        """Make sure that nobody else can be speaking to the meter; asked before an order is sent.

        Raises:
            Busy: the locks were lost with the connection that held them.
        """
        from headend.store.locks import Busy

        held = [claim.held for claim in self._claims.values()]
        if held and not self._locks.are_held(held):
            names = ", ".join(each.name for each in held)
            raise Busy(f"the database has lost the locks on {names}: nothing was sent")
