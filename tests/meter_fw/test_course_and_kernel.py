"""The real kernel and the course by the rules alone end in the same ledger, and move the same way.

The kernel counts pulses, is ordered about over its door, keeps a journal and drives a coil; the
course knows nothing but the rules. What both have done after some weeks is held side by side.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from obis.values import replace
from tests.meter_fw.lives import QUARTER, Lived, without_start_credit
from tests.prepay.coursed import Life, coursed
from tests.prepay.household import Event
from tests.prepay.two_lives import START, WALLONIA, israeli, waiting, walloon

#: A feast of two days and the clock set forward are in it; the clock set back is.
SPRING = datetime(2027, 3, 15, 9, tzinfo=UTC)
AUTUMN = datetime(2027, 10, 4, 9, tzinfo=UTC)
Maker = Callable[[int, int, timedelta, datetime], Life]


@pytest.mark.parametrize(
    ("make", "start", "days", "wait"),
    [
        (israeli, SPRING, 45, False),
        (walloon, SPRING, 40, False),
        (walloon, AUTUMN, 40, True),
        (israeli, AUTUMN, 30, True),
    ],
)
def test_a_month_comes_to_the_same(make: Maker, start: datetime, days: int, wait: bool) -> None:
    """Ledger, charges, remainders, energy, warnings, and each move with its millisecond."""
    life = without_start_credit(make(2, days, QUARTER, start))
    if wait:
        life = waiting(replace(life, terms=replace(life.terms, window_void_in_emergency=False)))
    kernel, course = Lived(life).live(), coursed(life)
    assert len(course.moves) > 4
    assert course.lows
    assert not (differ := kernel.differences(course)), differ


def test_in_a_window_that_is_void_nothing_waits() -> None:
    """The advance is in use: no window is in force, so what is used in this one is collected.

    Monday 16:00, in a window: EUR 1.00 below zero and EUR 12.00 of advance taken; 1 kWh at 0.35.
    """
    monday = START.replace(hour=15)
    events = (
        Event(monday, "open", (100, (), None, False)),
        Event(monday, "adjust", (-200,)),
        Event(monday + timedelta(seconds=1), "press"),
    )
    life = waiting(Life(WALLONIA, monday, QUARTER, [(1000, 0)], 1, events))
    kernel, course = Lived(life).live(), coursed(life)
    assert course.paid[0] == 350
    assert kernel.paid == course.paid
