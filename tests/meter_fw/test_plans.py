"""Openings and closings: at once or by plan, what they settle, and what a power cut leaves."""

from collections.abc import Callable, Iterator

import pytest

from meter_fw.kernel import Kernel
from meter_fw.money_state import CARRIED_OUT_KEPT
from obis import catalogue
from prepay.transactions import REMEMBERED, Kind, Outcome
from protocol.axdr import octet_string
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from sim.flash import MemoryFlash
from tests.meter_fw.accounts import (
    COSTS,
    DONE,
    INTEREST,
    PRINCIPAL,
    STANDING,
    carried_out,
    charge,
    made,
    opened,
    opening,
    plan,
    priced,
    settlement,
)
from tests.meter_fw.powercut import Remains, run_with_every_cut
from tests.meter_fw.rig import Rig, number

REFUSED = DataAccessResult.OTHER_REASON


def outcome_of(rig: Rig, identity: int) -> Outcome:
    """Return what the log says of a transaction."""
    found = [e.outcome for e in rig.kernel.state.transactions if e.id == number(identity)]
    return found[0]


# --- opening -----------------------------------------------------------------------------------


def test_an_opening_brings_balance_debts_and_anchor() -> None:
    """50.00 and two debts; 23..30 November of a period from the 1st: 8.00 of 30.00."""
    rig = opened(None, 5_000, (COSTS, 700), (PRINCIPAL, 9_000), anchor="2026-11-01")
    assert rig.balance == 5_000 - 800
    assert [charge(rig, slot, 12) for slot in (COSTS, INTEREST, PRINCIPAL)] == [700, 0, 9_000]


BAD_OPENINGS = [
    ("a debt to what is no debt", 0, ((STANDING, 1),), Outcome.NO_SUCH_CHARGE),
    ("a debt to no charge", 0, ((200, 1),), Outcome.NO_SUCH_CHARGE),
    ("a debt twice", 0, ((COSTS, 1), (COSTS, 2)), Outcome.NO_SUCH_CHARGE),
    ("a debt below 0", 0, ((COSTS, -1),), Outcome.AMOUNT_OUT_OF_RANGE),
]


@pytest.mark.parametrize(
    ("balance", "debts", "outcome"),
    [row[1:] for row in BAD_OPENINGS],
    ids=[row[0] for row in BAD_OPENINGS],
)
@pytest.mark.parametrize("at", [None, "2026-12-24T12:00"], ids=["at once", "planned"])
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_an_opening_that_cannot_be_is_refused_when_it_is_ordered(
    profile: str, at: str | None, balance: int, debts: tuple[tuple[int, int], ...], outcome: Outcome
) -> None:
    """Not at its moment, when nobody listens."""
    rig = Rig(profile)
    assert rig.order(1, Kind.ACTIVATE, opening(rig, balance, *debts, at=at, sequence=1)) is REFUSED
    assert rig.last_outcome().outcome == outcome
    assert not rig.kernel.state.account.active
    assert plan(rig).kind == 0


def test_a_balance_below_zero_is_brought_along_only_where_the_order_says_all() -> None:
    """An exchange may bring a debt of the balance; a bare snapshot is a start credit."""
    assert opened(None, -4_000, anchor="2026-11-23").balance == -7_000


@pytest.mark.parametrize(
    ("paid", "taken", "why"),
    [
        (None, 800, "23 to 30 November of a period from the 1st"),
        ("2026-11-22", 800, "the old meter was closed yesterday: today is for this one"),
        ("2026-11-23", 700, "closed today: it has paid for today"),
        ("2026-11-24", 700, "by a clock that is ahead: not more than today"),
    ],
)
def test_on_the_day_that_was_paid_to_another_meter_nothing_is_taken_for_it(
    paid: str | None, taken: int, why: str
) -> None:
    """The last day that was paid for is told; what it means is seen by this meter's calendar."""
    rig = made(priced())
    assert rig.order(1, Kind.ACTIVATE, opening(rig, 5_000, anchor="2026-11-01", paid=paid)) is DONE
    assert rig.balance == 5_000 - taken, why


def test_an_opening_after_another_meter_is_not_planned() -> None:
    """An exchange is now, or the day it is paid for would say nothing."""
    rig = made(priced())
    order = opening(rig, 5_000, at="2026-12-24T12:00", paid="2026-11-23")
    assert rig.order(1, Kind.ACTIVATE, order) is DataAccessResult.TYPE_UNMATCHED
    assert plan(rig).kind == 0


# --- plans -------------------------------------------------------------------------------------


def test_a_planned_opening_is_carried_out_at_its_second() -> None:
    """Its entry says PLANNED until then and DONE after it; the meter wakes for it."""
    rig = made(priced())
    first = opening(rig, 5_000, (COSTS, 700), at="2026-11-24T07:12:34")
    assert rig.order(1, Kind.ACTIVATE, first) is DONE
    assert outcome_of(rig, 1) is Outcome.PLANNED
    waiting = plan(rig)
    assert (waiting.kind, waiting.id) == (Kind.ACTIVATE, number(1))
    rig.until("2026-11-24T07:12:33")
    assert not rig.kernel.state.account.active
    rig.until("2026-11-24T07:12:34")
    assert rig.kernel.state.account.active
    assert rig.balance == 5_000 - 3_000  # the period begins on that day
    assert charge(rig, COSTS, 12) == 700
    assert outcome_of(rig, 1) is Outcome.DONE
    assert plan(rig).kind == 0
    assert rig.order(1, Kind.ACTIVATE, first) is DONE  # once more: answered from memory
    assert rig.balance == 2_000


def test_a_plan_whose_moment_has_come_does_not_wait() -> None:
    """It is an order like any other."""
    rig = made(priced())
    assert rig.order(1, Kind.ACTIVATE, opening(rig, 5_000, at="2026-11-23T12:00")) is DONE
    assert outcome_of(rig, 1) is Outcome.DONE


def test_one_plan_waits_at_a_time_until_it_is_withdrawn() -> None:
    """Another is refused, a withdrawal makes room, and there is nothing to withdraw then."""
    rig = opened(None, 5_000)
    assert rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-12-01T00:00")) is DONE
    assert rig.order(2, Kind.DEACTIVATE, rig.stamp("2026-12-02T00:00")) is REFUSED
    assert outcome_of(rig, 2) is Outcome.PLAN_EXISTS
    assert rig.order(3, Kind.CANCEL) is DONE
    assert (outcome_of(rig, 1), outcome_of(rig, 3)) == (Outcome.WITHDRAWN, Outcome.DONE)
    assert rig.order(4, Kind.CANCEL) is REFUSED
    assert outcome_of(rig, 4) is Outcome.NO_PLAN
    rig.until("2026-12-01T00:15")
    assert rig.kernel.state.account.active


def test_a_closing_withdraws_the_plan_that_waits() -> None:
    """Closed by hand before its moment: it closes nobody who comes after."""
    rig = opened(None, 5_000)
    rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-12-01T00:00"))
    assert rig.order(2, Kind.DEACTIVATE) is DONE
    assert (outcome_of(rig, 1), plan(rig).kind) == (Outcome.WITHDRAWN, 0)
    assert rig.order(3, Kind.ACTIVATE, opening(rig, 5_000)) is DONE
    rig.until("2026-12-01T00:15")
    assert rig.kernel.state.account.active


def test_a_plan_that_has_become_pointless_says_why() -> None:
    """Opened by hand before the moment of its opening: active already."""
    rig = made(priced())
    rig.order(1, Kind.ACTIVATE, opening(rig, 5_000, at="2026-12-01T00:00"))
    assert rig.order(2, Kind.ACTIVATE, opening(rig, 6_000)) is DONE
    rig.until("2026-12-01T00:00")
    assert outcome_of(rig, 1) is Outcome.ALREADY_ACTIVE
    assert plan(rig).kind == 0


def test_an_overdue_plan_is_carried_out_at_the_first_tick_after_a_power_cut() -> None:
    """Whatever else has become due with it."""
    rig = opened(None, 50_000, anchor="2026-11-01")
    rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-12-10T12:00"))
    rig.now = rig._instant("2026-12-15T12:00")
    rig.boot()
    assert not rig.kernel.state.account.active
    assert settlement(rig).balance == 50_000 - 800 - 3_000 + 1_500  # 16..30 December: 15 days


def test_with_an_unknown_clock_a_plan_waits() -> None:
    """And is carried out as soon as the clock is set past it."""
    rig = opened(None, 5_000)
    rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-11-24T00:00"))
    rig.kernel._state = rig.kernel._state.but(clock=type(rig.kernel.state.clock)(0, known=False))
    rig.until("2026-11-25T00:00")
    assert rig.kernel.state.account.active
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2026-11-25T00:00").to_bytes()))
    assert not rig.kernel.state.account.active


def test_the_entry_of_a_plan_is_not_forgotten_before_its_moment() -> None:
    """However many orders come in between."""
    rig = opened(None, 5_000)
    rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-11-24T00:00"))
    for identity in range(10, 10 + REMEMBERED + 5):
        assert rig.order(identity, Kind.ADJUST, 1) is DONE
    assert outcome_of(rig, 1) is Outcome.PLANNED
    rig.until("2026-11-24T00:00")
    assert outcome_of(rig, 1) is Outcome.DONE


def test_what_was_carried_out_says_the_registers_of_its_moment() -> None:
    """A head-end that prices energy itself was not there; each is found by its id."""
    rig = Rig("be-wal")
    first = opening(rig, 2_000, at="2026-11-24T08:00", sequence=1)
    assert rig.order(1, Kind.ACTIVATE, first) is DONE
    rig.until("2026-11-24T07:59:59", watt_hours=1_000)
    assert carried_out(rig) == ()
    rig.until("2026-11-24T08:00")
    rig.until("2026-11-24T12:00", watt_hours=500)
    assert rig.order(2, Kind.DEACTIVATE, rig.stamp("2026-11-25T08:00")) is DONE
    rig.until("2026-11-25T07:59:59", watt_hours=250)
    rig.until("2026-11-25T08:00")
    rig.until("2026-11-26T00:00", watt_hours=4_000)
    opened, closed = carried_out(rig)
    assert (opened.id, opened.kind, opened.time, opened.imported) == (
        number(1),
        Kind.ACTIVATE,
        rig.stamp("2026-11-24T08:00"),
        1_000,
    )
    assert (closed.id, closed.kind, closed.time) == (
        number(2),
        Kind.DEACTIVATE,
        rig.stamp("2026-11-25T08:00"),
    )
    record = settlement(rig)
    assert (closed.imported, closed.exported) == (record.imported, record.exported)
    assert closed.imported == 1_750


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_the_last_plans_that_were_carried_out_are_kept_over_a_power_cut(profile: str) -> None:
    """In turn, whatever was ordered at once in between; it may have been overdue."""
    rig = Rig(profile)
    for turn in range(CARRIED_OUT_KEPT):
        first = opening(rig, 2_000, at="2026-11-23T12:00", sequence=turn + 1)
        assert rig.order(10 * turn + 1, Kind.ACTIVATE, first) is DONE
        closing = rig.stamp("2026-11-23T12:00") if turn % 2 else None
        assert rig.order(10 * turn + 2, Kind.DEACTIVATE, closing) is DONE
    rig.boot()
    ids = [number(10 * turn + 1 + late) for turn in range(4) for late in range(1 + turn % 2)]
    assert [each.id for each in carried_out(rig)] == ids[-CARRIED_OUT_KEPT:]
    assert [each.number for each in rig.kernel.state.carried_out] == [2, 3, 4, 5]


@pytest.mark.parametrize("ends", ["withdrawn", "refused"])
def test_a_plan_that_was_not_carried_out_leaves_no_register(ends: str) -> None:
    """Neither withdrawn nor refused at its moment."""
    rig = Rig("be-wal")
    rig.order(1, Kind.ACTIVATE, opening(rig, 2_000, at="2026-11-24T00:00", sequence=1))
    if ends == "withdrawn":
        assert rig.order(2, Kind.CANCEL) is DONE
    else:
        assert rig.order(2, Kind.ACTIVATE, opening(rig, 700, sequence=2)) is DONE
    rig.until("2026-11-24T00:15")
    assert outcome_of(rig, 1) in (Outcome.WITHDRAWN, Outcome.ALREADY_ACTIVE)
    assert carried_out(rig) == ()


# --- settlement --------------------------------------------------------------------------------


def test_a_closing_is_settled_in_full_and_can_be_read_later() -> None:
    """60.00, 8.00 for 8 days, 2 kWh 1.00; closed on the 26th: 27..30 are 4 unused days, 4.00."""
    rig = opened(None, 6_000, (COSTS, 700), (PRINCIPAL, 9_000), anchor="2026-11-01")
    rig.until("2026-11-26T18:00", watt_hours=2_000)
    assert rig.order(1, Kind.DEACTIVATE) is DONE
    rig.boot()
    settled = settlement(rig)
    assert settled.id == number(1)
    assert (settled.balance, settled.returned, settled.imported) == (5_500, 400, 2_000)
    assert settled.debts == (vendor.Debt(COSTS, 700), vendor.Debt(PRINCIPAL, 9_000))
    assert settled.time == rig.stamp("2026-11-26T18:00")
    assert rig.balance == 0
    assert charge(rig, PRINCIPAL, 12) == 0
    assert rig.last_outcome().amount == 5_500


def test_a_central_meter_settles_the_snapshot_it_holds() -> None:
    """The head-end knows better; the debts are the meter's own."""
    rig = Rig("be-wal")
    rig.order(1, Kind.ACTIVATE, opening(rig, 2_000, (2, 500), sequence=1))
    rig.order(2, Kind.DEACTIVATE)
    assert settlement(rig).balance == 2_000
    assert settlement(rig).debts == (vendor.Debt(2, 500),)


# --- power cuts --------------------------------------------------------------------------------


def _account(rig: Rig) -> tuple[object, ...]:
    state = rig.kernel.state
    entries = tuple((e.id, e.outcome, e.amount) for e in state.transactions)
    plans = (state.plan, state.settled, state.carried_out)
    return (state.account, state.totals, state.charges, plans, entries)


def planned_closing(flash: MemoryFlash) -> Iterator[tuple[object, ...]]:
    """Yield what is durable before a planned closing, and after it."""
    rig = _on(flash)
    yield _account(rig)
    rig.now = rig._instant("2026-11-24T00:00")
    rig.tick()
    yield _account(rig)


def _on(flash: MemoryFlash, local: str = "2026-11-23T12:00") -> Rig:
    """Return a meter that boots on this flash and has not ticked yet."""
    rig = made(priced())
    rig.flash, rig.now = flash, rig._instant(local)
    rig.kernel = Kernel(flash, rig.factory, bytes, rig.now)
    return rig


def _with(prepare: Callable[[Rig], None]) -> Callable[[], MemoryFlash]:
    flash = MemoryFlash(2, 32 * 1024)
    rig = opened(None, 6_000, (COSTS, 700), anchor="2026-11-01", flash=flash)
    prepare(rig)
    image = flash.image

    def make() -> MemoryFlash:
        fresh = MemoryFlash(2, 32 * 1024)
        fresh.fill(image)
        return fresh

    return make


def _plan_a_closing(rig: Rig) -> None:
    assert rig.order(1, Kind.DEACTIVATE, rig.stamp("2026-11-24T00:00")) is DONE


def test_a_power_cut_at_any_write_leaves_a_plan_waiting_or_carried_out_never_between() -> None:
    """And after it the plan is carried out once: what is settled is the same to the cent."""
    make = _with(_plan_a_closing)

    def check(remains: Remains[tuple[object, ...]]) -> None:
        rig = _on(remains.flash, "2026-11-24T00:00")
        found = _account(rig)
        assert found in (remains.before, remains.after)
        rig.tick()
        assert _account(rig) == remains.after
        assert settlement(rig).balance == 6_000 - 800 + 600  # 25..30 November
        assert outcome_of(rig, 1) is Outcome.DONE
        assert [each.id for each in carried_out(rig)] == [number(1)]

    assert run_with_every_cut(make, planned_closing, check, torn_seeds=5) == 7  # one record
