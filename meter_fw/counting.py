"""Invocation counters: ours are reserved in flash before they are used, of theirs the last is kept.

No counter is used or accepted twice under one key, whatever a power cut, a damaged flash or a
change of keys does. What that takes stands here; the kernel makes durable what comes of it.
"""

from typing import Final

from meter_fw.line_state import Counters, Received
from meter_fw.nvram import Finding
from meter_fw.state import MeterState
from obis.values import replace
from protocol.errors import CountersExhausted
from protocol.security import MAX_COUNTER, ReplayGuard, SharedBook
from protocol.timing import Instant

#: Invocation counters are reserved in flash this many at a time.
COUNTER_BLOCK: Final = 1000


class Counting:
    """The counters that are used, and those that are accepted.

    Args:
        state: as it was on flash.
        finding: how it was found there.
        now: the board's time at boot.
    """

    def __init__(self, state: MeterState, finding: Finding, now: Instant) -> None:
        self._next = _first(finding, state.counters.reserved, now)
        self._unicast = ReplayGuard(state.counters.received)
        self._broadcast = ReplayGuard(state.received.broadcast)

    def book(self) -> SharedBook:
        """Return what a new association keeps the counters of the other side in."""
        return SharedBook(self._unicast, self._broadcast)

    def reserve(self, state: MeterState) -> MeterState:
        """Return ``state`` with the next counter of ours reserved; the very same where it is.

        Raises:
            CountersExhausted: 32 bits are used up.
        """
        counters = state.counters
        if self._next < counters.reserved:
            return state
        if self._next >= MAX_COUNTER:
            raise CountersExhausted("the global unicast key has no counter left")
        reserved = min(self._next + COUNTER_BLOCK, MAX_COUNTER)
        return state.but(counters=replace(counters, reserved=reserved))

    def take(self) -> int:
        """Return the next counter of ours; it has to be reserved."""
        counter = self._next
        self._next += 1
        return counter

    def noted(self, state: MeterState) -> MeterState:
        """Return ``state`` with the last counters that were accepted; the very same as a rule."""
        counters, received = state.counters, state.received
        last, broadcast = self._unicast.last, self._broadcast.last
        if counters.received == last and received.broadcast == broadcast:
            return state
        if counters.received != last:
            counters = Counters(counters.reserved, last)
        if received.broadcast != broadcast:
            received = Received(broadcast)
        return state.but(counters=counters, received=received)

    def rekeyed(self, before: MeterState, after: MeterState) -> bool:
        """Count anew under each key that differs between two states, and say whether one does.

        Associations that stand go on with the book that they have.
        """
        unicast = after.unicast_key != before.unicast_key
        broadcast = after.broadcast_key != before.broadcast_key
        if unicast:
            self._unicast = ReplayGuard(after.counters.received)
        if broadcast:
            self._broadcast = ReplayGuard(after.received.broadcast)
        return unicast or broadcast


def _first(finding: Finding, reserved: int, now: Instant) -> int:
    """Return an invocation counter above all that may have been used, whatever flash has lost.

    A damaged last commit may have been a reservation. Of a state that is lost or older nobody
    knows what came after it: there the seconds since 1970 begin, which no meter's counter, at
    less than one a second, has reached.
    """
    if finding is Finding.INTERRUPTED:
        return min(reserved + COUNTER_BLOCK, MAX_COUNTER)
    if finding in (Finding.ROLLED_BACK, Finding.LOST):
        return max(reserved, now // 1000)
    return reserved
