"""Hostile octets in every state of a conversation: nothing raises, hangs, answers at length or
moves money, and the next client is served.
"""

from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.security import CounterLease
from tests.fuzz.campaign import PROFILES, REACHED, STATES, Scene, scaled, scene, strike
from tests.fuzz.hostile import Input
from tests.fuzz.states import State

#: Seeded inputs for each state, half of them for each profile.
SEEDED = 1_000


def _counters(scene: Scene) -> CounterLease:
    """Counters that the meter has not seen from its management client yet."""
    return CounterLease(scene.standing.bench.kernel.state.counters.received + 100)


@pytest.mark.parametrize("state", STATES, ids=str)
def test_mutated_conversations_and_lies_change_nothing(state: State) -> None:
    """A thousand seeded inputs from the state's own conversation, each to a meter in the state."""
    before = REACHED[str(state)]
    for number in range(scaled(SEEDED)):
        where = scene(state, PROFILES[number % 2])
        drawn = where.hostile.draw(Random(f"{state} {number}"), _counters(where))
        try:
            strike(where, drawn)
        except Exception as error:
            said = " ".join(run.hex() for run in drawn.octets)
            error.add_note(f"{where.state}, {PROFILES[number % 2]}, input {number}: {drawn.how}")
            error.add_note(f"octets {said[:4000]} sealed {[p.hex()[:400] for p in drawn.sealed]}")
            raise
    assert REACHED[str(state)] - before >= SEEDED


@pytest.mark.parametrize("state", STATES, ids=str)
@settings(max_examples=scaled(12))
@given(
    octets=st.lists(st.binary(max_size=200), min_size=1, max_size=3),
    profile=st.sampled_from(PROFILES),
)
def test_arbitrary_octets_change_nothing(state: State, octets: list[bytes], profile: str) -> None:
    """Whatever octets come, in one run or several."""
    strike(scene(state, profile), Input(tuple(octets), "arbitrary"))


@pytest.mark.parametrize("state", STATES, ids=str)
@settings(max_examples=scaled(12))
@given(random=st.randoms(use_true_random=False), profile=st.sampled_from(PROFILES))
def test_drawn_lies_change_nothing(state: State, random: Random, profile: str) -> None:
    """The same lies, drawn by hypothesis, which shrinks what it finds."""
    where = scene(state, profile)
    drawn = where.hostile.draw(random, _counters(where))
    event(drawn.how)
    strike(where, drawn)
