"""When each of many is due, the earliest first."""

import heapq

from protocol.timing import Instant


class Agenda:
    """Moments by place; it costs the same however many places are waiting.

    A moment that is put off, as the timer of a line is by whatever comes over it, leaves its entry
    in the heap: when that one's turn comes, the place is entered anew. So a place that is put off
    a thousand times has one entry, not a thousand.
    """

    def __init__(self) -> None:
        self._due: dict[int, Instant] = {}
        self._entered: dict[int, Instant] = {}  # the earliest entry of a place
        self._heap: list[tuple[Instant, int]] = []

    def put(self, place: int, due: Instant | None) -> None:
        """Note when a place is due from now on; None for never."""
        if due is None:
            self._due.pop(place, None)
            return
        self._due[place] = due
        entered = self._entered.get(place)
        if entered is None or due < entered:
            self._enter(place, due)

    def first(self) -> tuple[Instant, int] | None:
        """Return the moment that comes first, and the lowest place that is due then."""
        while self._heap:
            moment, place = self._heap[0]
            due = self._due.get(place)
            if due == moment:
                return moment, place
            heapq.heappop(self._heap)
            if self._entered.get(place) == moment:  # else an entry that an earlier one overtook
                del self._entered[place]
                if due is not None:
                    self._enter(place, due)
        return None

    def take(self, until: Instant) -> set[int]:
        """Return, once, the places that are due by then."""
        taken = set()
        while (first := self.first()) is not None and first[0] <= until:
            del self._due[first[1]]
            taken.add(first[1])
        return taken

    def _enter(self, place: int, due: Instant) -> None:
        self._entered[place] = due
        heapq.heappush(self._heap, (due, place))
