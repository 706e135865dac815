"""The course by the rules alone and the minute-by-minute household come to the same.

To the cent and to the second of each relay move: whole years of two households, and many shorter
lives of any other. ``HYPOTHESIS_PROFILE=soak`` draws the years as well.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obis.values import replace
from tests.prepay.coursed import Life, coursed, lived
from tests.prepay.housebook import Terms
from tests.prepay.household import Event
from tests.prepay.test_rules_against_the_oracle import STARTS, all_terms, happenings, loads
from tests.prepay.timetable import Timetable
from tests.prepay.two_lives import START, israeli, waiting, walloon

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: A course has a clock that is right, power, and registers that only count; it makes no plans.
NOT_OF_A_COURSE = {"power_cut", "power_return", "set_register", "plan"}
#: In which charges are collected.
SITUATIONS = [
    frozenset(some)
    for count in range(4)
    for some in combinations(("disconnected", "limited", "friendly"), count)
]
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


def agree(life: Life) -> None:
    """Live twice, and compare what comes of it."""
    house, course = lived(life), coursed(life)
    assert not (differ := house.differences(course)), differ


@pytest.mark.parametrize(("make", "wait"), [(israeli, False), (walloon, False), (walloon, True)])
def test_a_year_comes_to_the_same(make: Callable[[int, int, timedelta], Life], wait: bool) -> None:
    """Full of cuts and windows; once more where nothing is collected in windows or in the dark."""
    life = make(1, 365, HOUR)
    agree(waiting(life) if wait else life)


@pytest.mark.parametrize("make", [israeli, walloon])
def test_a_year_has_what_it_is_to_be_tried_on(make: Callable[[int, int, timedelta], Life]) -> None:
    """More than twenty cuts and returns, warnings, debts that shrink and more than one cent."""
    life = make(1, 365, HOUR)
    came_to = coursed(life)
    assert len(came_to.moves) > 40
    assert len(came_to.lows) > 8
    owed = life.events[0].how[1]
    assert isinstance(owed, tuple)
    assert sum(came_to.remaining) < sum(amount for _, amount in owed)


@pytest.mark.skipif(not SOAK, reason="a soak of minutes")
@settings(max_examples=100)
@given(
    make=st.sampled_from((israeli, walloon)),
    seed=st.integers(0, 1 << 32),
    hour=st.integers(0, 8760),
    minutes=st.sampled_from((5, 15, 60)),
    wait=st.booleans(),
)
def test_random_years_come_to_the_same(
    make: Callable[[int, int, timedelta, datetime], Life],
    seed: int,
    hour: int,
    minutes: int,
    wait: bool,
) -> None:
    """From any hour on, by slots of five minutes to an hour."""
    life = make(seed, 365, minutes * MINUTE, START + hour * HOUR)
    agree(waiting(life) if wait else life)


def test_any_days_of_theirs_come_to_the_same() -> None:
    """They may begin and end within a window, whatever waits there, and at a midnight.

    Drawn from a seed and not by hypothesis, which likes small numbers: there must be many hours.
    """
    drawn = Random(4)
    for seed in range(3000 if SOAK else 60):
        start = START + drawn.randrange(17520) * 30 * MINUTE
        every = drawn.choice((15, 30, 60)) * MINUTE
        life = drawn.choice((israeli, walloon))(seed, drawn.randrange(1, 10), every, start)
        agree(waiting(life, drawn.choice(SITUATIONS)))


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Some days of any household, clock changes among them."""
    start, every = draw(st.sampled_from(STARTS)), draw(st.sampled_from((1, 15, 60))) * MINUTE
    terms = draw(all_terms(start))
    if draw(st.booleans()):  # money that lasts for some of the days
        energy = replace(terms.fees[0], prices=(Fraction(draw(st.integers(5, 200)), 1000),))
        terms = replace(terms, fees=(energy, *terms.fees[1:]))
    steps = draw(st.integers(100, 150))  # so that some end in a window
    happens = draw(happenings(terms, start, steps * every // timedelta(seconds=1), clock=False))
    payments = draw(st.lists(st.tuples(st.integers(1, 9000), st.integers(50, 900)), max_size=6))
    events = (
        *(at_once(event) for event in happens if event.what not in NOT_OF_A_COURSE),
        *(Event(start + place * every / 60, "top_up", (amount,)) for place, amount in payments),
    )
    return Life(_even(terms), start, every, draw(loads), steps, events)


def at_once(event: Event) -> Event:
    """Return an event without a plan in it."""
    return replace(event, how=(*event.how[:3], event.at)) if event.what == "price" else event


def _even(terms: Terms) -> Terms:
    """Return terms whose windows begin and end with a slot, where a charge may have to wait.

    What waits is collected at the next moment, and to the household each entry of the timetable
    is one, also those that change nothing.
    """
    windows = terms.windows
    assert isinstance(windows, Timetable)
    if all(len(fee.when) == 3 for fee in terms.fees if fee.kind == "consumption"):
        return terms
    entries = [replace(one, at=one.at.replace(minute=0, second=0)) for one in windows.entries]
    return replace(terms, windows=replace(windows, entries=entries, days={}))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_any_life_comes_to_the_same(life: Life) -> None:
    """All kinds of charges, credits, windows and events, in the middle of slots too."""
    agree(life)
