"""How much of one source is taken in: a bucket of tokens each, of a bounded number of sources."""

from protocol.timing import Instant

#: Sources whose buckets are remembered; a source that is forgotten begins with a full one.
SOURCES = 4096


class Rates:
    """A bucket for each source, filled at a rate, and one for all of them together.

    Args:
        burst: what a full bucket holds.
        each_second: what flows into it.
        together: as many sources' worth of it is taken of all of them together; None is no bound.
    """

    def __init__(self, burst: int, each_second: int, together: int | None = None) -> None:
        self._burst = burst * 1000
        self._rate = each_second  # thousandths of a token in a millisecond
        self._together = together
        self._buckets: dict[str, tuple[int, Instant]] = {}
        self._all = (self._burst * (together or 1), Instant(0))

    def allow(self, source: str, now: Instant) -> bool:
        """Take a token of a source's; say whether there was one."""
        held, since = self._buckets.pop(source, (self._burst, now))
        held = self._filled(held, since, now, 1)
        allowed = held >= 1000 and self._allowed_of_all(now)
        self._buckets[source] = (held - 1000 * allowed, Instant(max(since, now)))
        if len(self._buckets) > SOURCES:
            del self._buckets[next(iter(self._buckets))]
        return allowed

    def _allowed_of_all(self, now: Instant) -> bool:
        if self._together is None:
            return True
        held = self._filled(*self._all, now, self._together)
        self._all = (held - 1000 * (held >= 1000), Instant(max(self._all[1], now)))
        return held >= 1000

    def _filled(self, held: int, since: Instant, now: Instant, times: int) -> int:
        return min(self._burst * times, held + max(0, now - since) * self._rate * times)
