"""Openings and closings by plan where the head-end prices: up to the register of their moment.

All prices are 0.35 a kWh. The moment is three hours after the order, and 1 kWh is used until it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from headend.commands.activate import activate
from headend.commands.cancel import cancel
from headend.commands.deactivate import deactivate
from headend.commands.mode import change
from headend.commands.morning import morning
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.commands.transactions import list_transactions
from headend.context import Context
from headend.errors import HeadendError, OutcomeUnknown, Refused, Unknowable
from headend.line import Line
from headend.plans.central import central_topup
from headend.plans.planning import NOT_AFTER, new_id
from headend.pricing import Reading, price
from headend.report import Report
from headend.store import Store, ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.store.transactions import Order, State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from meter_fw.money_state import CARRIED_OUT_KEPT
from prepay.transactions import Kind
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from protocol.timing import Instant, later
from tests.headend.accounts import at, books, states, use
from tests.headend.bench import Bench, Loss, Standing
from tests.headend.test_every_octet_lost import lost
from tests.headend.test_exchange import Doomed, Killed
from tests.headend.unplugged import Unplugged

#: 20.00 less 1 kWh.
SETTLED = {"consumption": 35, "settlement": 1_965, "start_credit": -2_000}
OPENED = {"credit": 2_000, "start_credit": -2_000}


def known(bench: Bench) -> Meter:
    """Return what the database knows of the meter."""
    with bench.store.begin() as db:
        (meter,) = meters.every(db)
    return meter


def closing_planned(bench: Bench) -> Report:
    """Open an account at once, and order its end for three hours from now."""
    activate(bench.context())
    return deactivate(bench.context(), at=at(bench, 3))


def after_the_moment(bench: Bench) -> None:
    """Use 1 kWh until the moment, and 2 kWh in the five hours after it."""
    use(bench, 3, 1_000)
    use(bench, 5, 2_000)


# --- closings ----------------------------------------------------------------------------------


def test_an_order_for_a_later_end_prices_and_settles_nothing(wal: Bench) -> None:
    """It is confirmed as planned; settling it before its moment changes nothing either."""
    use(wal, 1, 500)
    report = closing_planned(wal)
    assert report.data["planned_for"] is not None
    assert states(wal) == [("activate", State.DONE), ("deactivate", State.SENT)]
    use(wal, 1, 500)
    assert "planned" in settle(wal.context()).lines[0]
    assert books(wal) == OPENED
    assert known(wal).prepayment
    assert status(wal.context()).data["plan"]["kind"] == "deactivate"


def test_an_end_is_priced_by_the_register_of_its_moment_and_not_of_the_asking(wal: Bench) -> None:
    """1 kWh until then; the 2 kWh after it are an affair of the invoice."""
    identity = closing_planned(wal).data["transaction"]
    after_the_moment(wal)
    settle(wal.context())
    assert books(wal) == SETTLED
    assert (known(wal).prepayment, known(wal).priced_wh) == (False, None)
    assert states(wal)[-1] == ("deactivate", State.SETTLED)
    settle(wal.context())
    assert books(wal) == SETTLED
    told = deactivate(wal.context(), identity)
    assert (told.data["settlement"], told.data["energy_cost"]) == ("19.65", "0.35")
    assert told.lines[2] == "energy since the last reading: EUR 0.35"


LINES: list[tuple[Callable[[Context], object], str | None]] = [
    (status, None),
    (morning, "not active"),
    (lambda context: top_up(context, "25.00"), "not active"),
    (cancel, "no plan"),
    (deactivate, "nothing to deactivate"),
    (lambda context: change(context, "local"), "not active"),
]


@pytest.mark.parametrize(
    ("command", "refused"), LINES, ids=["status", "morning", "topup", "cancel", "end", "mode"]
)
def test_whatever_reaches_the_meter_next_learns_of_the_end(
    wal: Bench, command: Callable[[Context], object], refused: str | None
) -> None:
    """It is booked before the command does its own, which then finds a closed account."""
    closing_planned(wal)
    after_the_moment(wal)
    if refused is None:
        command(wal.context())
    else:
        with pytest.raises(Refused, match=refused):
            command(wal.context())
    assert books(wal) == SETTLED


def test_the_next_account_begins_where_the_command_that_opens_it_stands(wal: Bench) -> None:
    """The end is learned of first; what was used in between belongs to neither account."""
    closing_planned(wal)
    after_the_moment(wal)
    activate(wal.context())
    assert books(wal) == {
        "consumption": 35,
        "settlement": 1_965,
        "credit": 2_000,
        "start_credit": -4_000,
    }
    assert known(wal).priced_wh == 3_000


def test_top_ups_and_mornings_go_on_until_the_moment(wal: Bench) -> None:
    """25.00 paid, the energy of one midnight booked: each watt-hour until the end is paid once."""
    activate(wal.context())
    deactivate(wal.context(), at=at(wal, 30))
    top_up(wal.context(), "25.00")
    use(wal, 20, 1_111)
    assert morning(wal.context()).data["done"]
    assert wal.kernel.state.account.active
    use(wal, 10, 1_111)
    use(wal, 1, 5_000)
    settle(wal.context())
    used = 2_222 * 35 // 1_000
    assert books(wal) == {
        "cash": -2_500,
        "start_credit": -2_000,
        "consumption": used,
        "settlement": 4_500 - used,
    }


@pytest.mark.parametrize("had", [True, False], ids=["taken", "too late"])
def test_a_payment_that_is_open_at_the_end_counts_if_the_meter_had_it(
    wal: Bench, *, had: bool
) -> None:
    """Or comes back to the customer's cash, and out of the settlement."""
    closing_planned(wal)
    line = Line(wal.context())
    planned = central_topup(line, new_id(line), 2_500)
    if had:  # and its answer got lost
        line.device.order(vendor.Order(bytes.fromhex(planned.id), Kind.SNAPSHOT, carried(planned)))
    line.close()
    after_the_moment(wal)
    settle(wal.context())
    assert books(wal) == {**SETTLED, **({"cash": -2_500, "settlement": 4_465} if had else {})}


def carried(planned: transactions.Transaction) -> vendor.Snapshot:
    """Return the snapshot that a payment is sent as."""
    told = planned.parameters
    sequence, balance, emergency = (
        int(told[name]) for name in ("sequence", "balance", "emergency")
    )
    as_of = CosemDateTime.from_bytes(bytes.fromhex(str(told["as_of"])))
    return vendor.Snapshot(sequence, balance, emergency, as_of)


def test_a_plan_that_is_withdrawn_leaves_the_account_as_it_was(wal: Bench) -> None:
    """All that is used is priced at its real end."""
    closing_planned(wal)
    use(wal, 1, 500)
    cancel(wal.context())
    assert states(wal)[1:] == [("deactivate", State.REFUSED), ("cancel", State.DONE)]
    assert books(wal) == OPENED
    use(wal, 5, 2_500)
    deactivate(wal.context())
    assert books(wal) == {"consumption": 105, "settlement": 1_895, "start_credit": -2_000}


def test_an_end_at_once_withdraws_the_plan_and_is_settled_once(wal: Bench) -> None:
    """The plan's own transaction ends refused when the meter is next asked."""
    closing_planned(wal)
    use(wal, 1, 1_000)
    deactivate(wal.context())
    use(wal, 5, 2_000)
    settle(wal.context())
    assert [state for _, state in states(wal)] == [State.DONE, State.REFUSED, State.DONE]
    assert books(wal) == SETTLED


def test_one_plan_waits_at_a_time(wal: Bench) -> None:
    """Nothing is booked for another, and the first is carried out."""
    closing_planned(wal)
    with pytest.raises(Refused, match="plan exists"):
        deactivate(wal.context(), at=at(wal, 5))
    after_the_moment(wal)
    settle(wal.context())
    assert books(wal) == SETTLED


def test_an_account_whose_beginning_nobody_knows_is_not_planned_to_end(wal: Bench) -> None:
    """Opened by another head-end: there would be no price, and nothing is ordered."""
    line = Line(wal.context())
    first = vendor.Snapshot(1, 2_000, 0, CosemDateTime())
    line.device.order(vendor.Order(bytes.fromhex(new_id(line)), Kind.ACTIVATE, first))
    with line.context.store.begin() as db:
        meters.set_sequence(db, line.meter, 1)
    line.close()
    with pytest.raises(Refused, match="nothing to price"):
        deactivate(wal.context(), at=at(wal, 3))
    assert states(wal) == []
    assert not wal.kernel.state.plan.kind


def foreign(bench: Bench, kind: Kind, parameters: vendor.Carried | CosemDateTime | None) -> None:
    """Order something of the meter behind our database's back."""
    line = Line(bench.context())
    line.device.order(vendor.Order(bytes.fromhex(new_id(line)), kind, parameters))
    line.close()


def stamp(bench: Bench, hours: int) -> CosemDateTime:
    """Return a moment some hours from now as the meter is told it."""
    view = bench.kernel.view
    return CosemDateTime.from_datetime(view.at(view.clock + hours * 3_600_000))


def another_account(bench: Bench, *, by_plan: bool) -> None:
    """Let somebody else open the account again and close it, at once or by plan."""
    held = bench.kernel.state.snapshot.sequence
    foreign(bench, Kind.ACTIVATE, vendor.Snapshot(held + 1, 700, 0, CosemDateTime()))
    foreign(bench, Kind.DEACTIVATE, stamp(bench, 1) if by_plan else None)
    use(bench, 2, 400)


@pytest.mark.parametrize("by_plan", [False, True], ids=["at once", "by plan"])
def test_another_end_since_then_does_not_hide_the_register(wal: Bench, *, by_plan: bool) -> None:
    """The settlement record is of the last one; what was carried out by plan is kept apart."""
    identity = closing_planned(wal).data["transaction"]
    after_the_moment(wal)
    another_account(wal, by_plan=by_plan)
    assert wal.kernel.state.settled.id.hex() != identity
    settle(wal.context())
    assert books(wal) == SETTLED


def test_a_register_that_the_meter_has_forgotten_is_no_guess(wal: Bench) -> None:
    """As many plans of somebody else later nobody can say; the transaction stays open."""
    closing_planned(wal)
    after_the_moment(wal)
    for _ in range(CARRIED_OUT_KEPT):
        another_account(wal, by_plan=True)
    with pytest.raises(Unknowable, match="cannot say any more"):
        settle(wal.context())
    assert states(wal)[-1] == ("deactivate", State.UNKNOWN)
    assert books(wal) == OPENED
    status(wal.context())  # and nobody else is held up


def test_what_was_priced_beyond_the_end_is_given_back(wal: Bench) -> None:
    """An order that read the register when the meter had just closed: to the cent as if never."""
    closing_planned(wal)
    after_the_moment(wal)
    line = Line(wal.context())
    with line.context.store.begin() as db:
        identity, now = new_id(line), line.now
        late = transactions.plan(
            db, identity, line.meter.id, Order.MODE, 0, {}, now=now, not_after=now
        )
        beyond = Reading(line.device.energy(), now)
        ledger.book(db, line.meter.id, price(db, line.meter, line.profile, late.id, beyond, now))
        transactions.finish(db, late.id, State.REFUSED, "plan exists", now)
    line.close()
    assert books(wal)["consumption"] == 105
    settle(wal.context())
    assert books(wal) == SETTLED


def test_a_register_that_went_back_is_not_priced(wal: Bench) -> None:
    """The account is settled with what the books have, and later commands go on."""
    use(wal, 1, 5_000)
    closing_planned(wal)
    state = wal.kernel.state
    wal.kernel._state = state.but(energy=type(state.energy)())
    after_the_moment(wal)
    settle(wal.context())
    assert books(wal) == {"settlement": 2_000, "start_credit": -2_000}


# --- openings ----------------------------------------------------------------------------------


def test_a_planned_opening_is_priced_from_the_register_of_its_moment(wal: Bench) -> None:
    """1 kWh before it is not its affair; 2 kWh after it are, also those before we asked."""
    report = activate(wal.context(), at=at(wal, 3))
    assert report.data["planned_for"] is not None
    assert books(wal) == OPENED
    assert not known(wal).prepayment
    after_the_moment(wal)
    assert wal.kernel.state.snapshot.balance == 2_000
    settle(wal.context())
    assert states(wal) == [("activate", State.SETTLED)]
    assert (known(wal).prepayment, known(wal).priced_wh) == (True, 1_000)
    deactivate(wal.context())
    assert books(wal) == {"consumption": 70, "settlement": 1_930, "start_credit": -2_000}


def test_the_snapshot_of_a_planned_opening_is_of_its_moment(wal: Bench) -> None:
    """What the customer then reads on the display says so."""
    view = wal.kernel.view
    moment = view.at(view.clock) + timedelta(hours=3)
    activate(wal.context(), balance="12.00", debts=("costs=5.00",), at=at(wal, 3))
    use(wal, 4)
    held = wal.kernel.state.snapshot
    told = CosemDateTime.from_bytes(held.as_of).to_datetime(view.factory.profile.zone)
    assert (held.sequence, held.balance) == (1, 2_000)
    assert abs(told - moment) < timedelta(seconds=1)
    assert wal.kernel.state.charges[2].remaining == 500


def test_a_morning_after_a_planned_opening_prices_from_it_on(wal: Bench) -> None:
    """Nothing else asked in between."""
    activate(wal.context(), at=at(wal, 3))
    after_the_moment(wal)
    use(wal, 20)
    report = morning(wal.context())
    assert (report.data["watt_hours"], report.data["balance"]) == (2_000, "19.30")
    assert wal.kernel.state.snapshot.balance == 1_930


def test_a_top_up_before_a_planned_opening_is_refused(wal: Bench) -> None:
    """There is no account yet; nothing is booked for it."""
    activate(wal.context(), at=at(wal, 3))
    with pytest.raises(Refused, match="not active"):
        top_up(wal.context(), "25.00")
    assert books(wal) == OPENED


@pytest.mark.parametrize("profile", ["be-wal", "il"])
@pytest.mark.parametrize("hours", [None, 5], ids=["at once", "by plan"])
def test_there_is_no_other_opening_while_one_waits(profile: str, hours: int | None) -> None:
    """Its balance is in the books; with a second one the customer would have it twice."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context(), balance="35.00", at=at(bench, 3))
    before = books(bench)
    with pytest.raises(Refused, match="planned"):
        activate(bench.context(), at=None if hours is None else at(bench, hours))
    assert books(bench) == before
    assert len(states(bench)) == 1
    bench.close()


def test_an_opening_that_is_withdrawn_goes_back_in_the_books(wal: Bench) -> None:
    """And another may then be ordered, at once."""
    activate(wal.context(), balance="12.00", at=at(wal, 3))
    cancel(wal.context())
    assert books(wal) == {}
    activate(wal.context())
    assert books(wal) == OPENED
    use(wal, 4, 1_000)
    deactivate(wal.context())
    assert books(wal) == SETTLED


def test_an_opening_that_somebody_else_came_before_is_reversed(wal: Bench) -> None:
    """The account is theirs, and its snapshot is none of ours."""
    activate(wal.context(), at=at(wal, 3))
    foreign(wal, Kind.ACTIVATE, vendor.Snapshot(7, 700, 0, CosemDateTime()))
    after_the_moment(wal)
    settle(wal.context())
    assert states(wal) == [("activate", State.REFUSED)]
    assert books(wal) == {}


def test_a_plan_that_waits_longer_than_orders_are_sent_is_carried_out_once(wal: Bench) -> None:
    """The meter has it: that it is not sent again after a week is no matter."""
    activate(wal.context(), at=at(wal, 24 * 10))
    wal.now = Instant(wal.now + NOT_AFTER + 3_600_000)
    settle(wal.context())
    use(wal, 24 * 3)
    settle(wal.context())
    assert states(wal) == [("activate", State.SETTLED)]
    assert books(wal) == OPENED


def test_a_plan_that_waits_is_listed_as_such(wal: Bench) -> None:
    """Nobody takes it for an answer that got lost."""
    closing_planned(wal)
    rows = list_transactions(wal.context(), only_open=True).rows
    assert rows is not None
    assert "sent: planned" in rows[0]


# --- lines that die, processes that are killed -------------------------------------------------


def later_end(bench: Bench, context: Context) -> None:
    """Order the end of an account for the moment."""
    deactivate(context, at=at(bench, 3))


def later_beginning(bench: Bench, context: Context) -> None:
    """Order the beginning of an account for the moment."""
    activate(context, at=at(bench, 3))


#: What is ordered, whether an account is open before, and the books at last.
PLANS = {
    "end": (later_end, True, SETTLED),
    "beginning": (later_beginning, False, OPENED),
}
Plan = tuple[Callable[[Bench, Context], None], bool, dict[str, int]]


def before(plan: Plan, *, ordered: bool = False, come: bool = False) -> Standing:
    """Return where things stand before an order, after it, or after its moment."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    if plan[1]:
        activate(bench.context())
    if ordered:
        plan[0](bench, bench.context())
    if come:
        after_the_moment(bench)
    standing = bench.save()
    bench.close()
    return standing


def assert_as_if_nothing_had_happened(bench: Bench, plan: Plan) -> None:
    """Settled once, priced by the moment, and the meter agrees after a power cut."""
    settle(bench.context())
    bench.boot()
    assert books(bench) == plan[2]
    assert len(bench.kernel.state.carried_out) == 1
    assert known(bench).prepayment is bench.kernel.state.account.active
    if not plan[1]:
        assert known(bench).priced_wh == 1_000


@pytest.mark.spread
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_line_that_dies_while_a_plan_is_ordered_orders_it_once_or_not_at_all(plan: Plan) -> None:
    """At every write: the next command orders what was meant, if it was written down."""
    standing, store, died = before(plan), Store("sqlite://"), 0
    for writes in range(60):
        bench = Bench("be-wal", LinkKind.WRAPPER, standing, store=store)
        ended: HeadendError | None = None
        try:
            plan[0](bench, Unplugged(bench, writes).context())
        except HeadendError as error:
            ended = error
        settle(bench.context())
        if not any("at" in each for each in ordered(bench)):
            assert not bench.kernel.state.plan.kind
            assert not isinstance(ended, OutcomeUnknown)
        else:
            after_the_moment(bench)
            assert_as_if_nothing_had_happened(bench, plan)
        if ended is None:
            break
        died += 1
    assert 5 < died < 59
    store.close()


def ordered(bench: Bench) -> list[transactions.Parameters]:
    """Return the parameters of every transaction."""
    with bench.store.begin() as db:
        return [each.parameters for each in transactions.of_meter(db, known_id(db))]


def known_id(db: Connection) -> int:
    """Return the row of the one meter."""
    (meter,) = meters.every(db)
    return meter.id


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_line_that_dies_while_its_end_is_asked_for_books_it_once(plan: Plan) -> None:
    """At every write."""
    standing, store, died = before(plan, ordered=True, come=True), Store("sqlite://"), 0
    for writes in range(60):
        bench = Bench("be-wal", LinkKind.WRAPPER, standing, store=store)
        try:
            settle(Unplugged(bench, writes).context())
        except HeadendError:
            died += 1
        else:
            break
        assert_as_if_nothing_had_happened(bench, plan)
    assert 3 < died < 59
    store.close()


@pytest.mark.spread
@pytest.mark.parametrize("direction", ["to_meter", "from_meter"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_whichever_octet_is_lost_when_it_is_asked_for_it_is_booked_once(
    plan: Plan, direction: str
) -> None:
    """Every so many octets of the exchange, in steps that share no factor with any block."""
    standing, store = before(plan, ordered=True, come=True), Store("sqlite://")
    seen = Loss()
    settle(Bench("be-wal", LinkKind.WRAPPER, standing, seen, store).context())
    octets = seen.seen_to if direction == "to_meter" else seen.seen_from
    assert octets > 300
    for position in range(0, octets, 89):
        loss = lost(direction, position, whole=False)
        bench = Bench("be-wal", LinkKind.WRAPPER, standing, loss, store)
        with suppress(HeadendError):
            settle(bench.context())
        bench.loss = Loss()
        assert_as_if_nothing_had_happened(bench, plan)
    store.close()


@pytest.mark.spread
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("come", [False, True], ids=["ordered", "asked for"])
def test_a_process_killed_between_any_two_database_transactions_loses_nothing(
    plan: Plan, *, come: bool
) -> None:
    """While it orders, and while it asks: whoever comes next goes on."""
    standing, store, killed = before(plan, ordered=come, come=come), Doomed("sqlite://"), 0
    for count in range(60):
        store.left = None
        bench = Bench("be-wal", LinkKind.WRAPPER, standing, store=store)
        with dying(store, count) as died:
            if come:
                settle(bench.context())
            else:
                plan[0](bench, bench.context())
        if not died:
            break
        killed += 1
        if not come:
            settle(bench.context())
            if not any("at" in each for each in ordered(bench)):
                continue
            after_the_moment(bench)
        assert_as_if_nothing_had_happened(bench, plan)
    assert 2 < killed < 59
    store.close()


@contextmanager
def dying(store: Doomed, count: int) -> Iterator[list[bool]]:
    """Let the process die at so many transactions; the list has something in it if it did."""
    died: list[bool] = []
    store.left = count
    try:
        yield died
    except Killed:
        died.append(True)
    finally:
        store.left = None


def test_a_meter_without_power_at_the_moment_says_the_register_of_when_it_came_back(
    wal: Bench,
) -> None:
    """Carried out at its first tick: nothing can have been used in between."""
    closing_planned(wal)
    use(wal, 1, 1_000)
    wal.now = later(wal.now, 10 * 3_600_000)
    wal.boot()
    wal.kernel.tick(wal.now, Inputs())
    use(wal, 1, 2_000)
    settle(wal.context())
    assert books(wal) == SETTLED
