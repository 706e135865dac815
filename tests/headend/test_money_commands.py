"""The commands that move money, against the real kernel: limits, exactly once, both modes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from headend.commands.action import execute
from headend.commands.activate import activate
from headend.commands.connect import connect
from headend.commands.deactivate import deactivate
from headend.commands.disconnect import disconnect
from headend.commands.ledger import show_ledger
from headend.commands.meters import list_meters
from headend.commands.morning import morning
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.commands.transactions import list_transactions
from headend.errors import HeadendError, NoAnswer, OutcomeUnknown, Refused, Unknowable, UsageError
from headend.line import Line
from headend.orders import carry_out
from headend.plans.central import central_topup
from headend.plans.local import local_topup
from headend.plans.planning import NOT_AFTER, new_id
from headend.store import Store, meters, schema, transactions
from headend.store.transactions import State
from headend.transports import LinkKind
from obis.values import replace
from prepay.tokens.vend import vend_lab
from protocol.timing import later
from sim.flash import MemoryFlash
from tests.headend.accounts import HOUR, IDENTITY, books, states, use
from tests.headend.bench import Bench
from tests.headend.unplugged import Unplugged


def attempt(bench: Bench, writes: int) -> HeadendError | None:
    """Top up over a line that dies after some writes; return what the command ended with."""
    try:
        top_up(Unplugged(bench, writes).context(), "100.00")
    except HeadendError as error:
        return error
    return None


def credited(bench: Bench) -> int:
    """Return what the meter has been given beyond its start credit."""
    state = bench.kernel.state
    return state.totals.paid if bench.profile == "il" else state.snapshot.balance - 2_000


# --- central mode --------------------------------------------------------------------------------


def test_activation_brings_the_start_credit(wal: Bench) -> None:
    """EUR 20, in the head-end's ledger and on the meter."""
    report = activate(wal.context())
    assert report.data["start_balance"] == "20.00"
    assert wal.kernel.state.account.active
    assert wal.kernel.state.snapshot.balance == 2_000
    assert wal.kernel.state.snapshot.emergency == 1_200
    assert books(wal) == {"credit": 2_000, "start_credit": -2_000}


def test_a_second_activation_is_refused(wal: Bench) -> None:
    """Nothing is booked for it."""
    activate(wal.context())
    with pytest.raises(Refused, match="active already"):
        activate(wal.context())
    assert books(wal) == {"credit": 2_000, "start_credit": -2_000}


def test_a_top_up_is_booked_and_pushed(wal: Bench) -> None:
    """The meter shows what the ledger has."""
    activate(wal.context())
    report = top_up(wal.context(), "25.00")
    assert report.data["balance"] == "45.00"
    assert report.data["state"] == "done"
    assert wal.kernel.state.snapshot.balance == 4_500
    assert books(wal) == {"cash": -2_500, "credit": 4_500, "start_credit": -2_000}


def test_a_top_up_needs_active_prepayment(wal: Bench) -> None:
    """Refused before anything is booked."""
    with pytest.raises(Refused, match="not active"):
        top_up(wal.context(), "25.00")
    assert books(wal) == {}
    assert states(wal) == []


@pytest.mark.parametrize("amount", ["5.00", "250.00"])
def test_the_limits_themselves_are_taken(wal: Bench, amount: str) -> None:
    """EUR 5 to 250."""
    activate(wal.context())
    assert top_up(wal.context(), amount).data["amount"] == amount


@pytest.mark.parametrize("amount", ["0.01", "4.99", "250.01", "1000"])
def test_beyond_the_limits_is_refused_by_the_rules(wal: Bench, amount: str) -> None:
    """Nothing is booked."""
    activate(wal.context())
    with pytest.raises(Refused, match="top-up"):
        top_up(wal.context(), amount)
    assert "cash" not in books(wal)


@pytest.mark.parametrize("amount", ["0", "-5", "25.005", "1e9", "abc", "", "99999999999", "٥"])
def test_what_is_no_amount_is_wrong_usage(wal: Bench, amount: str) -> None:
    """Said before the meter is called."""
    with pytest.raises(UsageError):
        top_up(wal.context(), amount)
    assert wal.ports == 0


@pytest.mark.parametrize("identity", ["", "12", "0" * 32, "g" * 32, "00" * 17])
def test_what_is_no_id_is_wrong_usage(wal: Bench, identity: str) -> None:
    """32 hexadecimal digits, and not all zeros, which means "none" to a meter."""
    with pytest.raises(UsageError, match="transaction id"):
        top_up(wal.context(), "25.00", identity)


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_the_same_id_pays_once(profile: str) -> None:
    """However often the command is repeated."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    reports = [top_up(bench.context(), "120.00", IDENTITY) for _ in range(3)]
    assert {report.data["balance"] for report in reports} == {reports[0].data["balance"]}
    assert books(bench)["cash"] == -12_000
    with pytest.raises(UsageError, match="another"):
        top_up(bench.context(), "130.00", IDENTITY)
    with pytest.raises(UsageError, match="another"):
        deactivate(bench.context(), IDENTITY)
    bench.close()


def test_a_morning_prices_the_day_and_pushes_it(wal: Bench) -> None:
    """From the reading at activation to the last midnight; what came after waits."""
    activate(wal.context())  # at 12:00
    use(wal, 12, 10_000)  # until midnight
    use(wal, 6, 4_000)
    report = morning(wal.context())
    assert report.data["watt_hours"] == 10_000
    assert report.data["amount"] == "3.50"  # 0.35 a kWh
    assert report.data["balance"] == "16.50"
    assert wal.kernel.state.snapshot.balance == 1_650
    use(wal, 18, 0)
    use(wal, 6, 0)
    assert morning(wal.context()).data["watt_hours"] == 4_000


def test_a_morning_twice_books_nothing_twice(wal: Bench) -> None:
    """Neither money, nor a snapshot, nor an arm."""
    activate(wal.context())
    use(wal, 18, 120_000)
    morning(wal.context())
    before, known = books(wal), states(wal)
    again = morning(wal.context())
    assert again.data["watt_hours"] == 0
    assert (books(wal), states(wal)) == (before, known)


def test_many_mornings_cost_what_one_would(wal: Bench) -> None:
    """What is below a cent is carried on, never lost."""
    activate(wal.context())
    for _ in range(10):
        use(wal, 24, 1_019)
        morning(wal.context())
    with wal.store.begin() as db:
        (meter,) = meters.every(db)
    assert meter.priced_wh is not None
    assert 9 * 1_019 <= meter.priced_wh < 10 * 1_019
    assert books(wal)["consumption"] == meter.priced_wh * 35 // 1_000


def test_low_credit_is_announced(wal: Bench) -> None:
    """Under EUR 5, and not yet used up."""
    activate(wal.context())
    use(wal, 18, 70_000)
    report = morning(wal.context())
    assert report.data["low_credit"]
    assert not report.data["armed"]
    assert any("low credit" in line for line in report.lines)


def test_used_up_credit_arms_the_cut_and_a_top_up_disarms_it(wal: Bench) -> None:
    """For the snapshot of that morning, until three days later."""
    activate(wal.context())
    use(wal, 18, 120_000)
    report = morning(wal.context())
    assert report.data["armed"]
    assert wal.kernel.state.armed.sequence == wal.kernel.state.snapshot.sequence
    until = datetime.fromisoformat(report.data["armed_until"])
    moment = datetime.fromtimestamp(wal.now / 1_000, UTC)
    assert abs(until - moment - timedelta(days=3)) < timedelta(minutes=1)
    top_up(wal.context(), "50.00")
    assert wal.kernel.state.armed.sequence != wal.kernel.state.snapshot.sequence
    assert not status(wal.context()).data["armed"]


def test_an_arm_is_renewed_before_it_expires(wal: Bench) -> None:
    """Each morning while nothing new can be priced, from the last day on."""
    activate(wal.context())
    use(wal, 18, 120_000)
    first = morning(wal.context()).data["armed_until"]
    wal.now = later(wal.now, 4 * HOUR)
    assert morning(wal.context()).data["armed_until"] == first
    kinds = [kind for kind, _ in states(wal)]
    assert kinds.count("arm") == 1


def test_deactivation_prices_the_rest_and_settles(wal: Bench) -> None:
    """What is left is passed on; the customer's account is empty."""
    activate(wal.context())
    top_up(wal.context(), "25.00")
    use(wal, 3, 10_000)
    report = deactivate(wal.context())
    assert report.data["settlement"] == "41.50"
    assert not wal.kernel.state.account.active
    assert books(wal) == {
        "cash": -2_500, "start_credit": -2_000, "consumption": 350, "settlement": 4_150,
    }  # fmt: skip # one line


def test_a_debt_is_settled_too(wal: Bench) -> None:
    """A negative remaining balance, for the next invoice."""
    activate(wal.context())
    use(wal, 3, 100_000)
    assert deactivate(wal.context()).data["settlement"] == "-15.00"
    assert "credit" not in books(wal)


def test_prepayment_can_begin_again(wal: Bench) -> None:
    """With a new start credit, above the old snapshots, priced from the new reading."""
    activate(wal.context())
    deactivate(wal.context())
    use(wal, 24, 50_000)
    activate(wal.context())
    assert wal.kernel.state.snapshot.balance == 2_000
    use(wal, 24, 0)
    assert morning(wal.context()).data["watt_hours"] == 0


def test_another_head_end_books_nothing(wal: Bench) -> None:
    """A database that does not know the meter's newest snapshot does not own its balance."""
    activate(wal.context())
    other = Store("sqlite://")
    for command in (lambda c: top_up(c, "25.00"), deactivate, morning):
        context = wal.context()
        context.__dict__["store"] = other
        with pytest.raises(Refused):
            command(context)
    assert books(wal, other) == {}
    other.close()
    assert top_up(wal.context(), "25.00").data["balance"] == "45.00"


def test_a_refusal_by_the_meter_reverses_the_booking(wal: Bench) -> None:
    """Here prepayment ends between the plan and its sending."""
    activate(wal.context())
    line = Line(wal.context())
    central_topup(line, new_id(line), 2_500)
    line.close()
    other = Store("sqlite://")  # the same meter, closed through its class 111 by somebody else
    context = wal.context()
    context.__dict__["store"] = other
    execute(context, "0-0:19.0.0", None, None, 2)
    other.close()
    settled = settle(wal.context()).data["settled"]
    assert [(s["state"], s["outcome"]) for s in settled] == [("refused", "not active")]
    assert "cash" not in books(wal)
    with pytest.raises(Refused, match="refused: not active"):
        top_up(wal.context(), "25.00", settled[0]["transaction"])


# --- lost and found ------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_line_that_dies_anywhere_loses_and_doubles_nothing(profile: str) -> None:
    """Dead after each write in turn; then settled over a line that works."""
    outcomes: set[type] = set()
    prepared = Bench(profile, LinkKind.WRAPPER)
    activate(prepared.context())
    standing = prepared.save()
    prepared.close()
    for writes in range(40):
        bench = Bench(profile, LinkKind.WRAPPER, standing)
        ending = attempt(bench, writes)
        outcomes.add(type(ending))
        if isinstance(ending, NoAnswer):
            assert "cash" not in books(bench)
        if isinstance(ending, OutcomeUnknown):
            assert dict(states(bench))["topup"] is State.UNKNOWN
            assert ending.transaction_id in str(ending)
            assert "prepay settle" in str(ending)
        settle(bench.context())
        assert all(state not in transactions.OPEN for _, state in states(bench))
        assert -books(bench).get("cash", 0) == credited(bench)
        bench.close()
    assert outcomes == {NoAnswer, OutcomeUnknown, type(None)}


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_crash_before_sending_is_carried_through_by_the_next_command(profile: str) -> None:
    """The intention was booked, so whatever comes next brings it to the meter first.

    A payment is written down as sent with its intention: it is asked about, and then sent.
    """
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    line = Line(bench.context())
    plan = central_topup if line.central else local_topup
    planned = plan(line, new_id(line), 10_000)
    line.close()
    assert status(bench.context()).data["balance"] == ("120.00" if line.central else "100.00")
    assert dict(states(bench))["topup"] is State.SETTLED
    assert top_up(bench.context(), "100.00", planned.id).data["state"] == "settled"
    bench.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_after_its_time_an_order_is_not_sent_any_more(profile: str) -> None:
    """The meter may have forgotten by then: what never arrived is reversed."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    line = Line(bench.context())
    (central_topup if line.central else local_topup)(line, new_id(line), 10_000)
    line.close()
    bench.now = later(bench.now, NOT_AFTER + HOUR)
    (settled,) = settle(bench.context()).data["settled"]
    assert settled["state"] == "refused"
    assert "cash" not in books(bench)
    bench.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_what_arrived_is_found_however_late(profile: str) -> None:
    """The meter's log knows, so nothing is reversed."""
    prepared = Bench(profile, LinkKind.WRAPPER)
    activate(prepared.context())
    standing = prepared.save()
    prepared.close()
    for writes in range(40):  # until the line dies just after the order
        bench = Bench(profile, LinkKind.WRAPPER, standing)
        ending = attempt(bench, writes)
        if isinstance(ending, OutcomeUnknown) and credited(bench):
            break
        bench.close()
    bench.now = later(bench.now, NOT_AFTER + HOUR)
    (settled,) = settle(bench.context()).data["settled"]
    assert settled["state"] == "settled"
    assert books(bench)["cash"] == -10_000
    bench.close()


def test_a_later_snapshot_holds_the_money_of_an_earlier_one(wal: Bench) -> None:
    """Two processes at once: the slower one's snapshot is stale, its money is not lost."""
    activate(wal.context())
    slow = Line(wal.context())
    late = central_topup(slow, new_id(slow), 2_500)
    quick = Line(wal.context())  # whose invocation counters overtake those of the slow one
    carry_out(quick, central_topup(quick, new_id(quick), 3_000))
    ended = carry_out(slow, late)
    slow.close()
    quick.close()
    assert ended.succeeded
    assert "contained in snapshot" in str(ended.outcome)
    assert books(wal)["credit"] == wal.kernel.state.snapshot.balance == 7_500


def test_what_the_meter_has_forgotten_stays_open_and_holds_nobody_up(il: Bench) -> None:
    """A token was sent, its answer lost, and 65 others came: nobody can say any more."""
    activate(il.context())
    line = Line(il.context())
    planned = local_topup(line, new_id(line), 10_000)
    with il.store.begin() as db:
        transactions.mark_sent(db, planned.id, il.now)
        transactions.mark_unknown(db, planned.id)
    device = line.device
    key, name = line.context.keys.token_key, il.factory.name.encode()
    for _ in range(66):
        il.now = later(il.now, 1)
        device.enter_token(vend_lab(key, name, bytes.fromhex(new_id(line)), 1))
    line.close()
    with pytest.raises(Unknowable, match="by hand"):
        settle(il.context())
    assert dict(states(il))["topup"] is State.UNKNOWN
    assert books(il)["cash"] == -10_000
    assert top_up(il.context(), "150.00").data["state"] == "done"


# --- local mode ----------------------------------------------------------------------------------


def test_a_token_brings_the_payment_to_a_local_meter(il: Bench) -> None:
    """The meter's ledger owns the balance, the head-end's notes what was paid."""
    activate(il.context())
    report = top_up(il.context(), "150.00")
    assert report.data["balance"] == "150.00"
    assert il.kernel.state.totals.paid == 15_000
    assert books(il) == {"cash": -15_000, "credit": 15_000}


@pytest.mark.parametrize("amount", ["99.99", "3000.01", "5"])
def test_the_israeli_limits_are_their_own(il: Bench, amount: str) -> None:
    """ILS 100 to 3000."""
    activate(il.context())
    with pytest.raises(Refused, match="ILS"):
        top_up(il.context(), amount)


def test_a_local_meter_wants_no_mornings(il: Bench) -> None:
    """That is no error: whoever is woken by one need not come for it."""
    activate(il.context())
    report = morning(il.context())
    assert report.data["done"] is False
    assert report.lines == ("nothing to do: the meter keeps its own balance",)
    assert [kind for kind, _ in states(il)] == ["activate"]


def test_a_local_meter_says_what_it_closes_with(il: Bench) -> None:
    """What it used of the payments is consumption, the rest is settled."""
    activate(il.context())
    top_up(il.context(), "150.00")
    use(il, 5, 10_000)  # at 0.60
    report = deactivate(il.context())
    assert report.data["settlement"] == "144.00"
    assert books(il) == {"cash": -15_000, "consumption": 600, "settlement": 14_400}


# --- relay, lists, status ------------------------------------------------------------------------


def test_an_operator_opens_and_closes_the_relay(wal: Bench) -> None:
    """Also twice, which does no harm."""
    for _ in range(2):
        data = dict(disconnect(wal.context()).data)
        assert len(data.pop("transaction")) == 32
        assert data == {
            "meter": wal.factory.name, "state": "done",
            "relay": "disconnected", "relay_causes": ["operator"],
        }  # fmt: skip # two lines
    for _ in range(2):
        assert connect(wal.context()).data["relay"] == "connected"


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_status_has_the_promised_keys(profile: str) -> None:
    """As the command line promises them, with their types."""
    bench = Bench(profile, LinkKind.HDLC)
    before = status(bench.context()).data
    assert before["prepayment"] is False
    activate(bench.context())
    data = status(bench.context()).data
    kinds: dict[str, type | tuple[type, ...]] = {
        "meter": str, "profile": str, "mode": str, "prepayment": bool, "balance": str,
        "emergency_credit": str, "currency": str, "credit_in_use": (str, type(None)),
        "relay": str, "relay_causes": list, "updated": str, "friendly": bool,
    }  # fmt: skip # a table
    assert {name: isinstance(data[name], kind) for name, kind in kinds.items()} == dict.fromkeys(
        kinds, True
    )
    assert data["prepayment"] is True
    assert (data["profile"], data["mode"]) == (profile, "local" if profile == "il" else "central")
    assert datetime.fromisoformat(data["updated"]).tzinfo is not None
    bench.close()


def test_the_lists_show_what_happened(wal: Bench) -> None:
    """Meters, transactions and ledger."""
    activate(wal.context())
    top_up(wal.context(), "25.00")
    (meter,) = list_meters(wal.context()).data["meters"]
    assert (meter["name"], meter["prepayment"]) == (wal.factory.name, True)
    told = list_transactions(wal.context()).data["transactions"]
    assert [(t["kind"], t["amount"], t["state"]) for t in told] == [
        ("activate", "20.00", "done"),
        ("topup", "25.00", "done"),
    ]
    assert list_transactions(wal.context(), only_open=True).data["transactions"] == []
    (shown,) = show_ledger(wal.context(), wal.factory.name).data["ledgers"]
    assert shown["balances"]["credit"] == "45.00"
    assert [post["reason"] for post in shown["posts"]] == ["start_credit", "top_up"]
    with pytest.raises(UsageError, match="no meter"):
        show_ledger(wal.context(), "nobody")


# --- counters and identity -----------------------------------------------------------------------


def test_a_new_database_finds_the_counter_of_a_meter_that_has_seen_many(wal: Bench) -> None:
    """Through the public client, once."""
    for _ in range(3):
        status(wal.context())
    other = Store("sqlite://")
    context = wal.context()
    context.__dict__["store"] = other
    assert status(context).data["meter"] == wal.factory.name
    opened = wal.ports
    context = wal.context()
    context.__dict__["store"] = other
    status(context)
    assert wal.ports == opened + 1  # known by now: no public association any more
    other.close()


def test_a_database_put_back_from_a_backup_goes_on_above_what_the_meter_has_seen(
    wal: Bench,
) -> None:
    """Its counters are behind; the meter says so, and is believed within reason."""
    activate(wal.context())
    old = wal.save()
    for _ in range(5):
        status(wal.context())
    with wal.store.begin() as db:
        raw: Any = db.connection.driver_connection
    raw.deserialize(old.database)
    opened = wal.ports
    assert status(wal.context()).data["prepayment"] is True
    assert wal.ports == opened + 2  # refused with the counter it waits for, then taken


def test_another_meter_at_the_same_port_is_recognised(wal: Bench) -> None:
    """By its logical device name, before anything is ordered of it."""
    activate(wal.context())
    wal.factory = replace(wal.factory, name="OPP0000000000002", serial="2")
    wal.flash = MemoryFlash(2, 32 * 1024)
    wal.boot()
    with pytest.raises(Refused, match="not active"):
        top_up(wal.context(), "25.00")
    with wal.store.begin() as db:
        assert [m.name for m in meters.every(db)] == ["OPP0000000000001", "OPP0000000000002"]
        assert [m.prepayment for m in meters.every(db)] == [True, False]
        rows = db.execute(select(schema.counters.c.key)).scalars().all()
    assert len(rows) == 1  # they share a key, so they share its counters: no nonce comes twice
