"""The limiter: its table cell by cell, its clock to the millisecond, and class 71 on the bench."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.board import Sign
from meter_fw.limiter import TABLE, Seen, State, Watch, emergency_active
from meter_fw.relay import Cause
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol.axdr import (
    Data,
    array,
    double_long,
    double_long_unsigned,
    long_unsigned,
    octet_string,
    structure,
)
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from protocol.events import AttributeRef, SetRequest
from protocol.timing import Instant
from tests.meter_fw.rig import MANAGER, READER, Rig

DONE = DataAccessResult.SUCCESS
I, W, O, T = State  # noqa: E741 - the letters of the table
OFF, BELOW, ABOVE, LONG_ABOVE, LONG_BELOW = Seen

# The table of the module's theory, written apart from the code's.
CELLS = {
    (I, OFF): I, (I, BELOW): W, (I, ABOVE): O, (I, LONG_ABOVE): O, (I, LONG_BELOW): W,
    (W, OFF): I, (W, BELOW): W, (W, ABOVE): O, (W, LONG_ABOVE): O, (W, LONG_BELOW): W,
    (O, OFF): I, (O, BELOW): W, (O, ABOVE): O, (O, LONG_ABOVE): T, (O, LONG_BELOW): W,
    (T, OFF): I, (T, BELOW): T, (T, ABOVE): T, (T, LONG_ABOVE): T, (T, LONG_BELOW): W,
}  # fmt: skip


@pytest.mark.parametrize(("state", "seen"), list(product(State, Seen)))
def test_each_cell_of_the_table(state: State, seen: Seen) -> None:
    """Twenty of them, and no other."""
    assert TABLE[state, seen] is CELLS[state, seen]
    assert len(TABLE) == len(CELLS)


def look(watch: Watch, power: int, now: int, threshold: int = 1300) -> Watch:
    """Look with the durations of the Walloon profile."""
    return watch.look(threshold, power, 60, 60, Instant(now))


@pytest.mark.parametrize(
    ("after", "expected"), [(0, O), (59_999, O), (60_000, T), (60_001, T), (3_600_000, T)]
)
def test_it_trips_when_the_seconds_are_full(after: int, expected: State) -> None:
    """Not a millisecond before."""
    over = look(look(Watch(), 1000, 0), 1301, 1_000)
    assert over == Watch(O, Instant(1_000))
    assert look(over, 2000, 1_000 + after).state is expected


def test_exactly_the_threshold_is_not_above_it() -> None:
    """1300 W are what the customer may have."""
    assert look(Watch(), 1300, 0).state is W
    assert look(Watch(), 1301, 0).state is O


def test_a_moment_below_begins_the_count_anew() -> None:
    """A kettle that is switched off in time never trips it."""
    watch = look(Watch(), 2000, 0)
    watch = look(watch, 1300, 59_000)
    watch = look(watch, 2000, 59_001)
    assert look(watch, 2000, 60_000).state is O
    assert look(watch, 2000, 119_001).state is T


def test_it_returns_after_its_rest_again_and_again() -> None:
    """As often as it takes."""
    now, watch = 0, Watch()
    for _ in range(5):
        watch = look(watch, 3000, now)
        watch = look(watch, 3000, now + 60_000)
        assert watch == Watch(T, Instant(now + 60_000))
        assert look(watch, 0, now + 119_999).state is T
        watch = look(watch, 0, now + 120_000)
        assert watch.state is W
        now += 120_000


def test_with_a_contact_that_is_stuck_the_rest_does_not_begin() -> None:
    """It is not below while power is drawn."""
    watch = Watch(T, Instant(0))
    watch = look(watch, 3000, 59_000)
    assert look(watch, 0, 118_999).state is T
    assert look(watch, 0, 119_000).state is W


def test_without_a_duration_it_trips_at_once() -> None:
    """min_over_threshold_duration 0."""
    assert Watch().look(1300, 1301, 0, 60, Instant(5)) == Watch(T, Instant(5))


@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.sampled_from([0, 1300, 1301, 5000])), max_size=40)
)
def test_it_trips_only_after_a_minute_above_without_a_gap(
    steps: list[tuple[int, int]],
) -> None:
    """Against the sentence itself: power above at every look of a whole minute."""
    now, watch, since = 0, Watch(), None
    for passed, power in steps:
        now += passed
        was, watch = watch.state, look(watch, power, now)
        if was is T:
            since = None
            continue
        since = None if power <= 1300 else now if since is None else since
        tripped = since is not None and now - since >= 60_000
        assert (watch.state is T) is tripped


# --- on the bench ------------------------------------------------------------------------------


def protected(start: str = "2026-11-24T12:00", balance: int = -100, **customer: Any) -> Rig:
    """Return a Walloon meter of a protected customer, armed and used up: minimum supply."""
    rig = Rig("be-wal", start)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, balance))
    assert rig.order(2, Kind.CUSTOMER, vendor.Customer(True, False, **customer)) is DONE
    rig.order(3, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    return rig


def draw(rig: Rig, power: int, seconds: float) -> None:
    """Let a household draw ``power`` while the relay is closed, waking when the meter wants."""
    end = Instant(rig.now + int(seconds * 1000))
    while True:
        drawn = power if rig.relay == "connected" else 0
        rig.tick(power=drawn)
        rig.tick(power=power if rig.relay == "connected" else 0)
        if rig.now >= end:
            return
        rig.now = min(end, rig.last.wake_at)


def limiter(rig: Rig, index: int) -> Any:
    """Read an attribute of the limiter."""
    value = rig.get(catalogue.LIMITER, 71, index)
    assert isinstance(value, Data)
    return value.value


def write(rig: Rig, index: int, value: Data) -> DataAccessResult:
    """Write an attribute of the limiter."""
    return rig.set(catalogue.LIMITER, 71, value, index)


def test_minimum_supply_trips_and_returns_to_the_second() -> None:
    """60 s above 1300 W, 60 s of rest, for as long as the oven is on."""
    rig = protected()
    assert Sign.LIMITED in rig.last.lcd.signs
    assert limiter(rig, 3) == 1300
    draw(rig, 1300, 600)
    assert rig.relay == "connected"
    draw(rig, 2500, 59.999)
    assert rig.relay == "connected"
    draw(rig, 2500, 0.001)
    assert rig.relay == "ready_for_reconnection"
    assert rig.kernel.state.relay.causes == Cause.LIMITER
    draw(rig, 2500, 59.999)
    assert rig.relay == "ready_for_reconnection"
    draw(rig, 2500, 0.001)
    assert rig.relay == "connected"
    draw(rig, 2500, 60)
    assert rig.relay == "ready_for_reconnection"
    assert rig.relay_codes == [65, 64, 66, 69, 65, 64]


def test_who_is_not_limited_may_draw_what_he_likes() -> None:
    """Protection alone does nothing while there is credit."""
    rig = protected(balance=5000)
    draw(rig, 9000, 600)
    assert (rig.relay, limiter(rig, 3)) == ("connected", 0)


def test_a_payment_ends_the_trip_at_once() -> None:
    """The limiter's cause goes with what it stood for."""
    rig = protected()
    draw(rig, 2500, 60)
    assert rig.relay == "ready_for_reconnection"
    rig.order(4, Kind.SNAPSHOT, rig.snapshot(2, 2000))
    assert rig.relay == "connected"
    assert not rig.kernel.state.relay.causes
    draw(rig, 9000, 600)
    assert rig.relay == "connected"


def test_a_trip_and_its_rest_outlive_a_power_cut() -> None:
    """The board's clock runs on; the meter closes when the rest is over, not before."""
    rig = protected()
    draw(rig, 2500, 60)
    rig.now = Instant(rig.now + 30_000)
    rig.boot()
    assert rig.relay == "ready_for_reconnection"
    draw(rig, 2500, 29.999)
    assert rig.relay == "ready_for_reconnection"
    draw(rig, 2500, 0.001)
    assert rig.relay == "connected"


def test_the_meters_clock_moves_no_deadline() -> None:
    """Durations run on the board's."""
    rig = protected()
    draw(rig, 2500, 30)
    stamp = octet_string(rig.stamp("2026-11-24T13:00").to_bytes())
    rig.kernel.answer(MANAGER, SetRequest(AttributeRef(8, catalogue.CLOCK, 2), stamp))
    draw(rig, 2500, 29.999)
    assert rig.relay == "connected"
    draw(rig, 2500, 0.001)
    assert rig.relay == "ready_for_reconnection"


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_head_end_sets_a_threshold_of_its_own(profile: str) -> None:
    """For anybody, prepaid or not; 0 takes it away again, and lets the relay close."""
    rig = Rig(profile, "2026-11-24T12:00")
    assert write(rig, 4, double_long_unsigned(5000)) is DONE
    assert write(rig, 6, double_long_unsigned(10)) is DONE
    assert write(rig, 7, double_long_unsigned(120)) is DONE
    assert [limiter(rig, index) for index in (3, 4, 6, 7)] == [5000, 5000, 10, 120]
    draw(rig, 5001, 9.999)
    assert rig.relay == "connected"
    draw(rig, 5001, 0.001)
    assert rig.relay == "ready_for_reconnection"
    draw(rig, 5001, 119.999)
    assert rig.relay == "ready_for_reconnection"
    draw(rig, 5001, 0.001)
    assert rig.relay == "connected"
    draw(rig, 5001, 10)
    assert write(rig, 4, double_long_unsigned(0)) is DONE
    assert rig.relay == "connected"
    assert rig.relay_codes[0] == 67


def test_minimum_supply_is_not_raised_by_writing_a_threshold() -> None:
    """The lowest of what is in force holds; what was written is read back as written."""
    rig = protected()
    write(rig, 4, double_long_unsigned(5000))
    assert (limiter(rig, 3), limiter(rig, 4)) == (1300, 5000)
    write(rig, 4, double_long_unsigned(600))
    assert limiter(rig, 3) == 600
    rig.order(4, Kind.SNAPSHOT, rig.snapshot(2, 2000))
    assert limiter(rig, 3) == 600


def emergency(rig: Rig, stamp: str, duration: int = 3600, profile: int = 7) -> DataAccessResult:
    """Set an emergency profile."""
    begin = octet_string(rig.stamp(stamp).to_bytes())
    value = structure(long_unsigned(profile), begin, double_long_unsigned(duration))
    return write(rig, 8, value)


def test_an_emergency_profile_holds_for_its_hour_and_its_groups() -> None:
    """From its moment by the meter's clock, to the second, for meters of its group alone."""
    rig = Rig("be-wal", "2026-11-24T12:00")
    assert write(rig, 5, double_long_unsigned(400)) is DONE
    assert emergency(rig, "2026-11-24T12:20:30") is DONE
    rig.until("2026-11-24T12:20:30")
    assert limiter(rig, 10) is False
    assert write(rig, 9, array(long_unsigned(3), long_unsigned(7))) is DONE
    assert limiter(rig, 9) == (long_unsigned(3), long_unsigned(7))
    assert (limiter(rig, 10), limiter(rig, 3)) == (True, 400)
    rig.until("2026-11-24T13:20:29")
    assert limiter(rig, 10) is True
    rig.until("2026-11-24T13:20:30")
    assert (limiter(rig, 10), limiter(rig, 3)) == (False, 0)


def test_the_meter_wakes_for_an_emergency_that_begins() -> None:
    """Its wake-up is at that second, though nothing comes in."""
    rig = Rig("be-wal", "2026-11-24T12:00")
    write(rig, 5, double_long_unsigned(400))
    write(rig, 9, array(long_unsigned(7)))
    emergency(rig, "2026-11-24T12:03:07")
    assert rig.last.wake_at == rig.now + (3 * 60 + 7) * 1000


def test_a_meter_that_does_not_know_the_time_is_in_no_emergency() -> None:
    """Doubt never cuts."""
    rig = Rig("be-wal", "2026-11-24T12:00")
    write(rig, 5, double_long_unsigned(400))
    write(rig, 9, array(long_unsigned(7)))
    emergency(rig, "2026-11-24T12:00")
    view = rig.kernel.view
    unknown = view.with_state(view.state.but(clock=replace(view.state.clock, known=False)))
    assert emergency_active(view)
    assert not emergency_active(unknown)


@pytest.mark.parametrize(
    ("index", "value", "answer"),
    [
        (2, structure(long_unsigned(3), octet_string(bytes(6)), long_unsigned(2)), "denied"),
        (3, double_long_unsigned(1), "denied"),
        (4, long_unsigned(1), "type"),
        (4, double_long(-1), "type"),
        (6, long_unsigned(1), "type"),
        (8, structure(long_unsigned(1), octet_string(b"12"), double_long_unsigned(1)), "type"),
        (8, structure(long_unsigned(1), octet_string(b"\x07\xea" + b"\xff" * 10),
                      double_long_unsigned(1)), "type"),
        (9, array(*[long_unsigned(n) for n in range(9)]), "other"),
        (9, array(double_long_unsigned(1)), "type"),
        (10, double_long_unsigned(1), "denied"),
        (11, structure(), "denied"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_by_name(index: int, value: Data, answer: str) -> None:
    """And changes nothing."""
    rig = Rig()
    before = rig.lasting
    found = write(rig, index, value)
    assert (
        found
        is {
            "denied": DataAccessResult.READ_WRITE_DENIED,
            "type": DataAccessResult.TYPE_UNMATCHED,
            "other": DataAccessResult.OTHER_REASON,
        }[answer]
    )
    assert rig.lasting == before


def test_a_reader_reads_the_limiter_and_writes_nothing() -> None:
    """Its rights are those of everything else."""
    rig = Rig()
    value = rig.get(catalogue.LIMITER, 71, 4, caller=READER)
    assert value == double_long_unsigned(0)
    refused = rig.set(catalogue.LIMITER, 71, double_long_unsigned(1), 4, caller=READER)
    assert refused is DataAccessResult.READ_WRITE_DENIED


def test_an_emergency_profile_is_cleared_by_a_time_that_is_all_wild() -> None:
    """As it is on a new meter."""
    rig = Rig()
    new = limiter(rig, 8)
    write(rig, 9, array(long_unsigned(7)))
    emergency(rig, "2026-11-23T12:00")
    assert limiter(rig, 10) is True
    assert write(rig, 8, structure(*new)) is DONE
    assert (limiter(rig, 10), limiter(rig, 8)) == (False, new)
