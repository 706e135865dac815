"""Hostile octets in every state of a conversation: nothing raises, hangs, answers at length or
moves money, and the next client is served.
"""

from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.association import State
from protocol.hdlc.state import State as LinkState
from protocol.security import CounterLease
from tests.fuzz.campaign import PROFILES, REACHED, Scene, scaled, scene, strike
from tests.fuzz.hostile import Input
from tests.fuzz.states import STATES
from tests.fuzz.states import State as Listed

pytestmark = [
    pytest.mark.timeout(scaled(300)),  # a soak is fifty times as long
    pytest.mark.spread,
]

#: Seeded inputs for each state, half of them for each profile.
SEEDED = 200


def _counters(scene: Scene) -> CounterLease:
    """Counters that the meter has not seen from its management client yet."""
    return CounterLease(scene.standing.bench.kernel.state.counters.received + 100)


def test_the_states_are_all_there_are() -> None:
    """Every state that a server's half of link or association can be seen in is on the list."""
    standings = [scene(state, "il").standing for state in STATES]
    links = {standing.link_state() for standing in standings}
    assert links == {LinkState.DISCONNECTED, LinkState.CONNECTED, LinkState.REJECTING}
    associations = {standing.association_state() for standing in standings}
    assert associations == {None, State.IDLE, State.CHALLENGED, State.OPEN}


@pytest.mark.parametrize("state", STATES, ids=str)
def test_mutated_conversations_and_lies_change_nothing(state: Listed) -> None:
    """Seeded inputs from the state's own conversation, each to a meter in the state."""
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
def test_arbitrary_octets_change_nothing(state: Listed, octets: list[bytes], profile: str) -> None:
    """Whatever octets come, in one run or several."""
    strike(scene(state, profile), Input(tuple(octets), "arbitrary"))


@pytest.mark.parametrize("state", STATES, ids=str)
@settings(max_examples=scaled(12))
@given(random=st.randoms(use_true_random=False), profile=st.sampled_from(PROFILES))
def test_drawn_lies_change_nothing(state: Listed, random: Random, profile: str) -> None:
    """The same lies, drawn by hypothesis, which shrinks what it finds."""
    where = scene(state, profile)
    drawn = where.hostile.draw(random, _counters(where))
    event(drawn.how)
    strike(where, drawn)
