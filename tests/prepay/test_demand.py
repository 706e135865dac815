"""Demand: energy by slots, and the slot that takes so much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.demand import Demand, DemandError

SLOT = 900_000


@given(
    taken=st.lists(st.integers(0, 50), min_size=1, max_size=40),
    since=st.integers(0, 39),
    wanted=st.integers(1, 500),
)
def test_the_slot_found_is_the_first_that_takes_as_much(
    taken: list[int], since: int, wanted: int
) -> None:
    """Counted one by one, no slot before it does."""
    since = min(since, len(taken))
    left, found = wanted, None
    for number in range(since, len(taken)):
        left -= taken[number]
        if left <= 0:
            found = number + 1
            break
    assert Demand.of(0, SLOT, taken).first_to_take(since, wanted) == found


@pytest.mark.parametrize(
    ("moment", "slots"),
    [(-1, 0), (0, 0), (SLOT - 1, 0), (SLOT, 1), (3 * SLOT, 3), (99 * SLOT, 3)],
)
def test_a_slot_counts_once_it_has_ended(moment: int, slots: int) -> None:
    """Neither before its end, nor twice, nor after the last."""
    assert Demand.of(0, SLOT, [1, 2, 3]).slots_until(moment) == slots


@pytest.mark.parametrize(
    ("slot", "taken", "fed_in"),
    [(0, [1], []), (-5, [1], []), (SLOT, [-1], []), (SLOT, [1], [-1]), (SLOT, [1, 2], [1])],
)
def test_what_is_no_demand_is_refused(slot: int, taken: list[int], fed_in: list[int]) -> None:
    """A slot without length, energy below 0, two lists of another length."""
    with pytest.raises(DemandError):
        Demand.of(0, slot, taken, fed_in)
