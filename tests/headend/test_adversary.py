"""What an adversary found: two head-ends, two commands at once, false clocks and chosen ids."""

import pytest

from headend.clock import system_clock
from headend.commands.activate import activate
from headend.commands.clock import clock
from headend.commands.deactivate import deactivate
from headend.commands.morning import morning
from headend.commands.topup import top_up
from headend.errors import PortUnusable, Refused, UsageError
from headend.line import Line
from headend.orders import carry_out
from headend.plans.central import central_activation, central_deactivation, central_topup
from headend.plans.local import local_deactivation, local_topup
from headend.plans.planning import new_id
from headend.store import Store
from headend.store.transactions import Transaction
from headend.transports import LinkKind
from headend.transports.tcp import open_transport
from prepay.keys import KeyFileError, parse_keys
from prepay.transactions import Kind, transaction_id
from protocol.cosem.vendor import Order, Snapshot
from protocol.cosem_time import CosemDateTime
from tests.headend.accounts import books, use
from tests.headend.bench import Bench


def test_a_token_id_used_by_another_head_end_for_another_amount_is_not_ours(il: Bench) -> None:
    """The meter got 100, under this id; whoever wants to pay 200 with it is refused, all undone."""
    activate(il.context())
    identity = transaction_id(il.now, bytes(10)).hex()
    top_up(il.context(), "100.00", identity)
    other = Store("sqlite://")
    context = il.context()
    context.__dict__["store"] = other
    with pytest.raises(Refused, match="token used"):
        top_up(context, "200.00", identity)
    assert books(il, other) == {}
    assert il.kernel.state.totals.paid == 10_000
    other.close()


@pytest.mark.parametrize("identity", ["f" * 32, "7a1b" + "5c" * 14], ids=["greatest", "random"])
def test_an_id_of_the_future_is_wrong_usage(il: Bench, identity: str) -> None:
    """A meter that remembered 64 of them would refuse every id of the present as too old."""
    activate(il.context())
    with pytest.raises(UsageError, match="UUID version 7"):
        top_up(il.context(), "100.00", identity)
    assert books(il) == {}


def test_the_start_credit_survives_two_activations_at_once(wal: Bench) -> None:
    """The snapshot of the second holds what the first has booked, so that is not reversed."""
    slow = Line(wal.context())
    late = central_activation(slow, new_id(slow))
    slow.drop()
    quick = Line(wal.context())
    carry_out(quick, central_activation(quick, new_id(quick)))
    carry_out(slow, late)
    slow.close()
    quick.close()
    assert wal.kernel.state.snapshot.balance == 2_000
    assert books(wal) == {"credit": 2_000, "start_credit": -2_000}
    use(wal, 24, 2400)
    assert morning(wal.context()).data["sequence"] == 3


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_payment_that_comes_after_the_end_is_not_paid_out(profile: str) -> None:
    """Two commands at once: the top-up is booked, the end is settled, the top-up is refused."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    top_up(bench.context(), "100.00")
    before = books(bench)["credit"]
    slow = Line(bench.context())
    late = (central_topup if slow.central else local_topup)(slow, new_id(slow), 10_000)
    slow.drop()
    _end(bench)
    assert not carry_out(slow, late).succeeded
    slow.close()
    left = books(bench)
    assert "credit" not in left
    assert left["settlement"] == before
    assert left["cash"] == -10_000
    bench.close()


def _end(bench: Bench) -> None:
    """Deactivate, with a look for open transactions that came too early to see the payment."""
    line = Line(bench.context())
    plan = central_deactivation if line.central else local_deactivation
    carry_out(line, plan(line, new_id(line)))
    line.close()


def _snapshot(planned: Transaction) -> Snapshot:
    values = planned.parameters
    as_of = CosemDateTime.from_bytes(bytes.fromhex(str(values["as_of"])))
    return Snapshot(
        int(values["sequence"]), int(values["balance"]), int(values["emergency"]), as_of
    )


def test_a_payment_that_came_before_the_end_and_is_confirmed_after_it_is_settled_once(
    wal: Bench,
) -> None:
    """The settlement had it already."""
    activate(wal.context())
    slow = Line(wal.context())
    late = central_topup(slow, new_id(slow), 2_500)
    device = slow.device
    order = Order(bytes.fromhex(late.id), Kind.SNAPSHOT, _snapshot(late))
    device.order(order)  # the meter has it, and the answer is not noted yet
    slow.drop()
    _end(wal)
    assert carry_out(slow, late).succeeded
    slow.close()
    assert books(wal) == {"cash": -2_500, "start_credit": -2_000, "settlement": 4_500}


def test_a_morning_under_a_clock_of_next_year_does_not_end_the_pricing(wal: Bench) -> None:
    """Set right again, the next morning prices from that register reading on."""
    activate(wal.context())
    right = wal.now
    clock(wal.context(), "2027-11-24T12:00:00")
    use(wal, 24, 2400)
    assert morning(wal.context()).data["watt_hours"] > 0
    clock(wal.context(), "2026-11-25T12:00:00")
    assert wal.now > right
    use(wal, 36, 3600)
    report = morning(wal.context())
    assert report.data["watt_hours"] > 0
    use(wal, 24, 2400)
    assert morning(wal.context()).data["watt_hours"] == 2_400
    total = wal.kernel.state.energy.imported
    assert deactivate(wal.context()).data["settlement"] == f"{20 - total * 0.35 / 1000:.2f}"


def test_a_copied_database_does_not_take_the_others_snapshot_for_its_own(wal: Bench) -> None:
    """A restored backup in use beside the first: same sequence, other balance, other money."""
    activate(wal.context())
    copy = Store("sqlite://")
    with wal.store.begin() as mine, copy.begin() as theirs:
        image = mine.connection.driver_connection.serialize()  # type: ignore[union-attr]  # SQLite has one
        target = theirs.connection.driver_connection
    target.deserialize(image)  # type: ignore[union-attr]  # SQLite has one
    context = wal.context()
    context.__dict__["store"] = copy
    slow = Line(context)
    late = central_topup(slow, new_id(slow), 2_500)
    slow.drop()
    top_up(wal.context(), "30.00")
    assert not carry_out(slow, late).succeeded
    slow.close()
    assert "cash" not in books(wal, copy)
    copy.close()


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_beyond_the_calendar_is_wrong_usage(wal: Bench, moment: str) -> None:
    """In the meter's zone it falls into a year that Python does not have."""
    with pytest.raises(UsageError):
        clock(wal.context(), moment)


@pytest.mark.parametrize("host", ["é" + "." * 300, "é" * 64], ids=["dots", "long label"])
def test_a_host_that_no_name_can_be_is_wrong_usage(host: str) -> None:
    """IDNA refuses it before anybody is asked."""
    with pytest.raises(PortUnusable, match="no known host"):
        open_transport(f"{host}:4059", {}, system_clock())


@pytest.mark.parametrize("text", ["a=" + "[" * 5000, "a=" + "9" * 5000], ids=["deep", "long"])
def test_a_key_file_of_any_shape_gets_one_clear_line(text: str) -> None:
    """Nested beyond what the parser takes, or with a number beyond it."""
    with pytest.raises(KeyFileError, match="not a TOML file"):
        parse_keys(text)
