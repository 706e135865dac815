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
    def claim(self, name: str) -> Iterator[None]:
        """Hold a lock while the block runs; one that was lost meanwhile is taken anew.

        Raises:
            Busy: somebody else speaks to that meter, and did not finish in time.
            StoreError: the locks cannot be reached.
        """
        claim = self._claims.get(name)
        if claim is None:
            claim = self._claims[name] = _Claim(self._locks.take(name, self._patience_ms))
        elif not claim.held.held():
            claim.held = self._locks.take(name, self._patience_ms)
        claim.times += 1
        try:
            yield
        finally:
            claim.times -= 1
            if not claim.times:
                del self._claims[name]
                self._locks.give_back(claim.held)

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
