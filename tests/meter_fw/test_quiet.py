"""Ticks in which the rules have nothing to say: they are not asked, and nobody can tell.

The oracle is the same meter with rules that are asked at every tick.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meter_fw.board import Button, Inputs
from meter_fw.kernel import Kernel
from meter_fw.view import Caller
from obis import catalogue
from prepay.transactions import Kind
from protocol.axdr import Data, double_long_unsigned
from protocol.cosem import vendor
from protocol.events import AttributeRef, Request, SetRequest
from protocol.timing import Instant, later
from tests.meter_fw.rig import MANAGER, Rig
from tests.meter_fw.rig import number as identity

#: Shortly before a local day, and within reach of the friendly hours of both profiles.
START = "2026-11-26T23:40"


class Diligent(Kernel):
    """A meter that asks its rules at every tick."""

    def _is_quiet(self, now: Instant, inputs: Inputs) -> bool:
        return False


class DiligentRig(Rig):
    """The bench with such a meter on it."""

    def boot(self) -> None:
        """Switch it on, with what its flash holds."""
        self.kernel = Diligent(self.flash, self.factory, bytes, self.now)
        self.tick()


#: What is done to the meter, and with what numbers: (what, number).
DEEDS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 4_000)),
    st.tuples(st.just("wait"), st.integers(1, 20 * 60_000)),
    st.tuples(st.just("sleep"), st.integers(1, 9)),
    st.tuples(st.just("power"), st.sampled_from([0, 900, 1400, 4000])),
    st.tuples(st.just("energy"), st.integers(1, 9_000)),
    st.tuples(st.just("pay"), st.integers(1_00, 60_00)),
    st.tuples(st.just("take"), st.integers(1_00, 60_00)),
    st.tuples(st.just("arm"), st.integers(0, 3)),
    st.tuples(st.just("limit"), st.sampled_from([0, 1000, 2000])),
    st.tuples(st.just("press"), st.just(0)),
    st.tuples(st.just("cover"), st.integers(0, 1)),
    st.tuples(st.just("contact"), st.integers(0, 1)),
)


class Run:
    """A meter to which deeds are done; its power, cover and contact stay until they are changed."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.number = self.sequence = 1
        self.held: dict[str, Any] = {"power": 0, "contact_closed": True, "tamper": False}
        start = vendor.Snapshot(1, 5_00, 0, rig.stamp())
        rig.order(1, Kind.ACTIVATE, start)

    def tick(self, **inputs: Any) -> None:
        self.rig.tick(**{**self.held, **inputs})

    def do(self, what: str, number: int) -> None:
        """Do it, and tick."""
        self.number += 1
        rig = self.rig
        match what:
            case "wait":
                rig.now = later(rig.now, number)
            case "sleep":
                for _ in range(number):
                    rig.now = rig.last.wake_at
                    self.tick()
            case "power":
                self.held["power"] = number
            case "energy":
                self.tick(pulses=number)
            case "pay" | "take" if rig.profile == "be-wal":
                self.sequence += 1
                signed = number if what == "pay" else -number
                rig.order(self.number, Kind.SNAPSHOT, rig.snapshot(self.sequence, signed))
            case "pay":
                rig.enter(rig.token(self.number, number))
            case "take":
                rig.order(self.number, Kind.ADJUST, -number)
            case "arm":
                until = f"2026-11-{27 + number:02}T10:07:30"
                rig.order(self.number, Kind.ARM, vendor.Arm(self.sequence, rig.stamp(until)))
            case "limit":
                rig.set(catalogue.LIMITER, 71, double_long_unsigned(number), 4)
            case "press":
                self.tick(buttons=frozenset({Button.SELECT}))
            case "cover":
                self.held["tamper"] = bool(number)
            case "contact":
                self.held["contact_closed"] = bool(number)
        self.tick()

    def seen(self) -> tuple[object, ...]:
        """All that a meter lets see of itself."""
        last = self.rig.last
        return self.rig.kernel.state, last.wake_at, last.coil, last.lcd


#: The limiter has tripped, and the contact does not follow: the rest has not begun.
STUCK = [
    ("limit", 1000),
    ("power", 4000),
    ("wait", 60_000),
    ("wait", 1),
    ("wait", 59_000),
    ("power", 0),
    ("wait", 2_000),
]


@example("il", STUCK)
@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["be-wal", "il"]), st.lists(DEEDS, max_size=25))
def test_a_meter_that_asks_its_rules_always_does_the_same(
    profile: str, deeds: list[tuple[str, int]]
) -> None:
    """State, wake-up, relay and display, after each deed."""
    quick, diligent = Run(Rig(profile, START)), Run(DiligentRig(profile, START))
    assert quick.seen() == diligent.seen()
    for what, number in deeds:
        quick.do(what, number)
        diligent.do(what, number)
        assert quick.seen() == diligent.seen(), (what, number)


class Telling(Kernel):
    """A meter that counts how often its rules are asked at a tick."""

    asked = 0

    def _meter(self, inputs: Inputs, before: int) -> None:
        self.asked += 1
        super()._meter(inputs, before)


class TellingRig(Rig):
    """The bench with such a meter on it."""

    kernel: Telling

    def boot(self) -> None:
        """Switch it on, with what its flash holds."""
        self.kernel = Telling(self.flash, self.factory, bytes, self.now)
        self.tick()


@pytest.fixture
def rig() -> TellingRig:
    """A meter that has come to rest."""
    rig = TellingRig(start="2026-11-23T12:01")
    rig.tick()
    return rig


def asked(rig: TellingRig, **inputs: Any) -> bool:
    """Tick, and say whether the rules were asked."""
    before = rig.kernel.asked
    rig.tick(**inputs)
    return rig.kernel.asked > before


def test_the_rules_are_not_asked_where_nothing_has_happened(rig: TellingRig) -> None:
    """Time goes on, and is shown, but no moment has come at which they decide otherwise."""
    rig.now = later(rig.now, 5_000)
    assert not asked(rig)
    assert rig.kernel.view.clock == rig.now


def test_a_reading_is_nothing_that_has_happened(rig: TellingRig) -> None:
    """Whoever only reads does not make the rules work."""
    assert isinstance(rig.get(catalogue.TOKEN_CREDIT, 112), Data)
    assert not asked(rig)


@pytest.mark.parametrize(
    "inputs",
    [
        {"pulses": 1},
        {"exported": 1},
        {"power": 1},
        {"contact_closed": True},
        {"tamper": True},
        {"failing": True},
        {"exported_power": 1},
    ],
    ids=lambda inputs: next(iter(inputs)),
)
def test_whatever_comes_in_the_rules_hear_of_it(rig: TellingRig, inputs: dict[str, Any]) -> None:
    """Each input that a rule looks at."""
    assert asked(rig, **inputs)


def test_the_rules_are_asked_when_their_moment_has_come(rig: TellingRig) -> None:
    """Not a millisecond before."""
    edge = rig.last.wake_at
    rig.now = Instant(edge - 1)
    assert not asked(rig)
    rig.now = edge
    assert asked(rig)


def test_an_order_is_thought_over_at_the_next_tick_too(rig: TellingRig) -> None:
    """Until the rules have left the state that came of it as it was."""
    rig.kernel.answer(*_activation(rig))
    assert asked(rig)
    assert not asked(rig)


def test_energy_is_thought_over_at_the_next_tick_too(rig: TellingRig) -> None:
    """As an order is."""
    assert asked(rig, pulses=1)
    assert asked(rig)
    assert not asked(rig)


def _activation(rig: Rig) -> tuple[Caller, Request]:
    order = vendor.Order(identity(1), Kind.ACTIVATE, rig.snapshot(1, 5_00))
    return MANAGER, SetRequest(AttributeRef(1, catalogue.TRANSACTION, 2), order.to_data())
