"""Openings with a past, planned orders, and the balance that goes over, against the real kernel."""

from contextlib import suppress

import pytest

from headend.commands.activate import activate
from headend.commands.cancel import cancel
from headend.commands.deactivate import deactivate
from headend.commands.mode import change
from headend.commands.morning import morning
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.errors import HeadendError, Refused, UsageError
from headend.store import ledger, meters
from headend.store.transactions import State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from prepay.ledger import Account
from tests.headend.accounts import at, books, states, use
from tests.headend.bench import Bench
from tests.headend.unplugged import Unplugged


def remaining(bench: Bench) -> list[int]:
    """Return what remains of each charge."""
    return [charge.remaining for charge in bench.kernel.state.charges]


# --- openings ----------------------------------------------------------------------------------


def test_an_opening_brings_balance_and_debts_to_a_local_meter(il: Bench) -> None:
    """35.00 from before and two debts by their names; the ledger says where it came from."""
    report = activate(
        il.context(), balance="35.00", debts=("costs=7.00", "principal=90.00"), anchor="2026-11-01"
    )
    assert report.data["start_balance"] == "35.00"
    assert il.kernel.state.totals.balance == 3_500
    assert remaining(il)[4:] == [700, 0, 9_000]
    assert books(il) == {"credit": 3_500, "opening": -3_500}


def test_an_old_balance_is_raised_to_the_start_credit(wal: Bench) -> None:
    """EUR 12 from before and 8 to 20; the debt is the meter's to remember."""
    activate(wal.context(), balance="12.00", debts=("costs=5.00",))
    assert wal.kernel.state.snapshot.balance == 2_000
    assert remaining(wal)[2] == 500
    assert books(wal) == {"credit": 2_000, "opening": -1_200, "start_credit": -800}


@pytest.mark.parametrize(
    "told",
    [
        {"debts": ("fee=1.00",)},
        {"debts": ("costs",)},
        {"debts": ("costs=-1.00",)},
        {"debts": ("costs=1.00", "costs=2.00")},
        {"balance": "a lot"},
        {"anchor": "2026-13-01"},
        {"at": "soon"},
    ],
    ids=str,
)
def test_what_is_no_opening_is_a_usage_error(il: Bench, told: dict[str, object]) -> None:
    """And nothing is planned for it."""
    with pytest.raises(UsageError):
        activate(il.context(), **told)  # type: ignore[arg-type]  # options by name
    assert states(il) == []


# --- plans -------------------------------------------------------------------------------------


def test_a_planned_opening_ends_when_its_moment_has_come(il: Bench) -> None:
    """Until then its transaction is open, and settling it sends nothing again."""
    report = activate(il.context(), balance="35.00", at=at(il, 3))
    assert report.data["planned_for"] is not None
    assert states(il) == [("activate", State.SENT)]
    assert "planned" in settle(il.context()).lines[0]
    assert not il.kernel.state.account.active
    use(il, 3)
    settle(il.context())
    assert states(il) == [("activate", State.SETTLED)]
    assert il.kernel.state.totals.balance == 3_500
    with il.store.begin() as db:
        assert meters.every(db)[0].prepayment


def test_a_plan_that_is_withdrawn_is_reversed_in_the_books(il: Bench) -> None:
    """The opening balance goes back to where it came from."""
    activate(il.context(), balance="35.00", at=at(il, 3))
    cancel(il.context())
    assert states(il) == [("activate", State.REFUSED), ("cancel", State.DONE)]
    assert books(il) == {}
    with pytest.raises(Refused, match="no plan"):
        cancel(il.context())


def test_a_planned_closing_is_settled_with_what_the_meter_closed_with(il: Bench) -> None:
    """100.00 less 1 kWh at 0.60, used between the order and its moment."""
    activate(il.context())
    top_up(il.context(), "100.00")
    deactivate(il.context(), at=at(il, 3))
    use(il, 3, 1_000)
    settle(il.context())
    assert not il.kernel.state.account.active
    assert books(il)["settlement"] == 9_940
    assert books(il).get("credit", 0) == 0


def test_the_report_of_a_closing_says_what_is_left_to_settle(il: Bench) -> None:
    """Each debt by its name."""
    activate(il.context(), balance="35.00", debts=("costs=7.00",))
    report = deactivate(il.context())
    assert report.data["debts"] == {"costs": "7.00"}
    assert report.data["settlement"] == "35.00"


# --- who keeps the balance ---------------------------------------------------------------------


def test_to_the_meter_and_back_the_balance_keeps_every_cent(wal: Bench) -> None:
    """20.00; 2 kWh here, a token of 50.00 and 3 kWh there, 1 kWh here again, at 0.35."""
    activate(wal.context())
    use(wal, 2, 2_000)
    report = change(wal.context(), "local")
    assert report.data["balance"] == "19.30"
    assert wal.kernel.state.totals.balance == 1_930
    assert status(wal.context()).data["mode"] == "local"
    top_up(wal.context(), "50.00")
    use(wal, 2, 3_000)
    assert wal.kernel.state.totals.balance == 6_825
    report = change(wal.context(), "central")
    assert report.data["balance"] == "68.25"
    use(wal, 20, 1_000)
    morning(wal.context())
    with wal.store.begin() as db:
        (meter,) = meters.every(db)
        left, cash = (ledger.balance(db, meter.id, a) for a in (Account.CREDIT, Account.CASH))
    used = wal.kernel.state.energy.imported
    assert meter.mode == "central"
    assert meter.priced_wh is not None
    assert left == 2_000 + 5_000 - meter.priced_wh * 35 // 1000
    assert meter.priced_wh <= used
    assert cash == -5_000


def test_a_balance_does_not_go_where_it_is(wal: Bench) -> None:
    """And nothing is planned for it."""
    activate(wal.context())
    with pytest.raises(Refused, match="already"):
        change(wal.context(), "central")


@pytest.mark.parametrize("writes", range(1, 12))
@pytest.mark.parametrize("back", [False, True], ids=["to the meter", "to the head-end"])
def test_a_line_that_dies_leaves_the_balance_with_one_keeper(writes: int, back: bool) -> None:
    """After settling, both sides agree on who it is and how much it is."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    activate(bench.context())
    bench.kernel.tick(bench.now, Inputs(pulses=1_000))
    if back:
        change(bench.context(), "local")
        bench.kernel.tick(bench.now, Inputs(pulses=1_000))
    before = 2_000 - bench.kernel.state.energy.imported * 35 // 1000
    with suppress(HeadendError):
        change(Unplugged(bench, writes).context(), "central" if back else "local")
    settle(bench.context())
    bench.boot()
    with bench.store.begin() as db:
        (meter,) = meters.every(db)
        ours = ledger.balance(db, meter.id)
    view = bench.kernel.view
    assert meter.mode == view.mode.name.lower()
    if view.mode.name == "LOCAL":
        assert view.state.totals.balance == before
    else:
        assert ours == view.state.snapshot.balance
        assert ours == (before if back else 2_000)
    bench.close()
