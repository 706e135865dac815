"""What a household would take and feed in, as running sums: any stretch costs one subtraction.

Energy comes in slots of equal length. That of a slot is counted at its end, and only if supply is
on at that moment: so a course by the rules alone, a meter that is ticked and a person with a
diary can all mean the same.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct


class DemandError(ValueError):
    """Slots that no demand can be made of."""


class Demand(Struct, frozen=True):
    """Energy by slots.

    Args:
        start: when the first slot begins, ms since 1970.
        slot: length of a slot in ms.
        imported: running sums of Wh taken, 0 first: one more than there are slots.
        exported: running sums of Wh fed in, of the same length.
    """

    start: int
    slot: int
    imported: tuple[int, ...]
    exported: tuple[int, ...]

    @classmethod
    def of(
        cls, start: int, slot: int, taken: Sequence[int], fed_in: Sequence[int] = ()
    ) -> "Demand":
        """Return the demand of a run of slots.

        Args:
            start: when the first slot begins, ms since 1970.
            slot: length of a slot in ms, above 0.
            taken: Wh of each slot, 0 or more.
            fed_in: Wh of each slot, 0 or more; as many, or none at all.

        Raises:
            DemandError: another length of the two, an energy below 0, or a slot without length.
        """
        if slot <= 0:
            raise DemandError("a slot has a length")
        if fed_in and len(fed_in) != len(taken):
            raise DemandError(f"{len(taken)} slots taken and {len(fed_in)} fed in")
        if min(taken, default=0) < 0 or min(fed_in, default=0) < 0:
            raise DemandError("energy below 0 belongs on the other register")
        imported = tuple(accumulate(taken, initial=0))
        exported = tuple(accumulate(fed_in, initial=0)) if fed_in else (0,) * len(imported)
        return cls(start, slot, imported, exported)

    @property
    def end(self) -> int:
        """The end of the last slot, ms since 1970."""
        return self.start + (len(self.imported) - 1) * self.slot

    @property
    def feeds_in(self) -> bool:
        """Whether any energy is fed in at all."""
        return self.exported[-1] > 0

    def slots_until(self, moment: int) -> int:
        """Return how many slots have ended at ``moment`` or before."""
        return min(max((moment - self.start) // self.slot, 0), len(self.imported) - 1)

    def ends(self, slots: int) -> int:
        """Return when that many slots have ended, ms since 1970."""
        return self.start + slots * self.slot

    def first_to_take(self, since: int, watt_hours: int) -> int | None:
        """Return after how many slots that much has been taken since ``since`` slots ended.

        None where all the slots together do not.
        """
        wanted = self.imported[since] + watt_hours
        found = bisect_left(self.imported, wanted, lo=since)
        return found if found < len(self.imported) else None
