"""A live account goes over from the head-end to the meter, and back, and loses nothing."""

from collections.abc import Iterator

import pytest

from meter_fw.kernel import Kernel
from obis import catalogue
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.transactions import Kind, Outcome
from protocol.axdr import Data, array, enum
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from sim.flash import MemoryFlash
from tests.meter_fw.accounts import DONE, account, balanced, charge, opening, settlement
from tests.meter_fw.powercut import Remains, run_with_every_cut
from tests.meter_fw.rig import Rig

REFUSED = DataAccessResult.OTHER_REASON
LOCAL, CENTRAL = BalanceMode.LOCAL, BalanceMode.CENTRAL


def to(
    rig: Rig, mode: BalanceMode, sequence: int, balance: int = 0, register: int = 0
) -> vendor.ModeChange:
    """Return the order to go over, as of now."""
    return vendor.ModeChange(mode, sequence, balance, register, rig.stamp())


def wallonia(balance: int = 2_000) -> Rig:
    """Return a central meter at EUR 0.35 with a debt of 5.00 and 1.5 kWh used."""
    rig = Rig("be-wal")
    first = opening(rig, balance, (2, 500), anchor="2026-11-01", sequence=1)
    assert rig.order(1, Kind.ACTIVATE, first) is DONE
    rig.use(1_500)
    return rig


def test_from_the_head_end_to_the_meter_the_balance_is_that_of_the_order() -> None:
    """And what was used since the register that the head-end has priced costs at once."""
    rig = wallonia()
    assert rig.order(2, Kind.MODE, to(rig, LOCAL, 2, 1_965, register=1_000)) is DONE
    assert rig.get(catalogue.BALANCE_MODE, 1) == enum(1)
    assert rig.balance == 1_965 - 17  # 500 Wh at 0.35 are 17.5 cents
    assert rig.kernel.state.charges[0].remainder == 500_000_000
    rig.use(1_000)
    assert rig.balance == 1_965 - 52
    assert account(rig, 8) == 500
    assert balanced(rig)


def test_a_register_that_is_not_this_meters_prices_nothing_twice() -> None:
    """Counting goes on from now."""
    rig = wallonia()
    rig.order(2, Kind.MODE, to(rig, LOCAL, 2, 1_965, register=99_999_999))
    assert rig.balance == 1_965


def test_going_over_collects_no_standing_charge_the_next_period_does() -> None:
    """The head-end has had it until then; periods go on from their anchor."""
    rig = Rig("be-wal")
    profile = rig.factory.profile
    charges = list(profile.charges)
    charges[1] = replace(charges[1], amount=900)
    rig.factory = replace(rig.factory, profile=replace(profile, charges=tuple(charges)))
    rig.boot()
    first = opening(rig, 2_000, anchor="2026-11-01", sequence=1)
    rig.order(1, Kind.ACTIVATE, first)
    rig.until("2026-11-28T12:00")
    rig.order(2, Kind.MODE, to(rig, LOCAL, 2, 2_000))
    assert rig.balance == 2_000
    rig.until("2026-11-30T23:59")
    assert rig.balance == 2_000
    rig.until("2026-12-01T00:00")
    assert (rig.balance, charge(rig, 1, 2)) == (1_100, 900)


def test_from_the_meter_to_the_head_end_the_meter_says_the_balance() -> None:
    """Collected to this moment, as the snapshot of the order's sequence; then it stands still."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 1_000))
    rig.use(1_000)
    assert rig.order(2, Kind.MODE, to(rig, CENTRAL, 7)) is DONE
    held = rig.get(catalogue.SNAPSHOT, 1)
    assert isinstance(held, Data)
    snapshot = vendor.Snapshot.from_data(held)
    assert (snapshot.sequence, snapshot.balance) == (7, 940)
    assert rig.last_outcome().amount == 940
    rig.use(10_000)
    assert rig.balance == 940
    assert rig.get(catalogue.ACCOUNT, 111, 10) == array()
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(8, 500)) is DONE
    assert rig.order(4, Kind.MODE, to(rig, LOCAL, 9, 500, register=11_000)) is DONE
    assert rig.balance == 500
    rig.use(1_000)
    assert rig.balance == 440
    assert balanced(rig)


def test_a_closing_after_the_change_settles_what_the_account_holds_now() -> None:
    """Not what it held on the other side."""
    rig = wallonia()
    rig.order(2, Kind.MODE, to(rig, LOCAL, 2, 1_965, register=1_500))
    rig.order(3, Kind.DEACTIVATE)
    assert settlement(rig).balance == 1_965
    assert rig.balance == 0


def test_a_cut_that_was_armed_is_not_armed_any_more() -> None:
    """The meter decides by itself from now on; credit is left, so supply is back."""
    rig = wallonia(-100)
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    rig.until("2026-11-24T12:00")
    assert rig.relay == "ready_for_reconnection"
    rig.order(3, Kind.MODE, to(rig, LOCAL, 2, 500, register=1_500))
    assert rig.relay == "connected"
    assert not rig.kernel.state.armed.armed


def _planned(rig: Rig) -> None:
    rig.order(8, Kind.DEACTIVATE, rig.stamp("2026-12-24T12:00"))


REFUSALS = [
    ("the mode that it is in", CENTRAL, 9, None, Outcome.WRONG_MODE),
    ("a sequence that is not newer", LOCAL, 1, None, Outcome.STALE_SEQUENCE),
    ("while a plan waits", LOCAL, 9, _planned, Outcome.PLAN_EXISTS),
]


@pytest.mark.parametrize(
    ("mode", "sequence", "prepare", "outcome"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
def test_a_change_that_does_not_fit_is_refused(
    mode: BalanceMode, sequence: int, prepare: object, outcome: Outcome
) -> None:
    """And the balance stays with whom it was."""
    rig = wallonia()
    if callable(prepare):
        prepare(rig)
    assert rig.order(9, Kind.MODE, to(rig, mode, sequence, 5)) is REFUSED
    assert rig.last_outcome().outcome == outcome
    assert (rig.balance, rig.get(catalogue.BALANCE_MODE, 1)) == (2_000, enum(0))


def test_the_same_change_again_is_answered_from_memory() -> None:
    """A head-end that lost the reply may repeat itself."""
    rig = wallonia()
    order = to(rig, LOCAL, 2, 1_965, register=1_500)
    assert rig.order(2, Kind.MODE, order) is DONE
    rig.use(1_000)
    assert rig.order(2, Kind.MODE, order) is DONE
    assert rig.balance == 1_930


def test_a_mode_that_is_none_is_type_unmatched() -> None:
    """It has no id that could be remembered."""
    rig = wallonia()
    answer = rig.order(2, Kind.MODE, vendor.ModeChange(7, 2))
    assert answer is DataAccessResult.TYPE_UNMATCHED


# --- power cuts --------------------------------------------------------------------------------


def _money(rig: Rig) -> tuple[object, ...]:
    state = rig.kernel.state
    return (state.regime, state.totals, state.charges, state.snapshot, state.transactions)


def _handed_over(flash: MemoryFlash) -> Iterator[tuple[object, ...]]:
    """Yield what is durable before an account goes over, and after it."""
    rig = _on(flash)
    yield _money(rig)
    rig.order(2, Kind.MODE, to(rig, LOCAL, 2, 1_965, register=1_500))
    yield _money(rig)


def _on(flash: MemoryFlash) -> Rig:
    rig = Rig("be-wal")
    rig.flash = flash
    rig.kernel = Kernel(flash, rig.factory, bytes, rig.now)
    return rig


def test_a_power_cut_at_any_write_leaves_the_balance_with_one_of_both() -> None:
    """Never with neither; the order again brings it over once."""
    flash = MemoryFlash(2, 32 * 1024)
    rig = Rig("be-wal", flash=flash)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 2_000))
    rig.use(1_500)
    rig.tick(failing=True)
    image = flash.image

    def make() -> MemoryFlash:
        fresh = MemoryFlash(2, 32 * 1024)
        fresh.fill(image)
        return fresh

    def check(remains: Remains[tuple[object, ...]]) -> None:
        again = _on(remains.flash)
        assert _money(again) in (remains.before, remains.after)
        assert again.order(2, Kind.MODE, to(again, LOCAL, 2, 1_965, register=1_500)) is DONE
        assert again.balance == 1_965

    assert run_with_every_cut(make, _handed_over, check, torn_seeds=5) == 7  # one record
