"""The exchange of a meter, against two real kernels: both modes, cut at every write."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headend.cli import Invocation, main
from headend.commands.activate import activate
from headend.commands.cancel import cancel
from headend.commands.deactivate import deactivate
from headend.commands.exchange import exchange
from headend.commands.mode import change
from headend.commands.protect import protect
from headend.commands.settle import settle
from headend.commands.topup import top_up
from headend.context import Context
from headend.errors import HeadendError, NoAnswer, OutcomeUnknown, Refused, Unfinished, UsageError
from headend.line import Line
from headend.plans.central import central_topup
from headend.plans.local import local_topup
from headend.plans.planning import NOT_AFTER, new_id
from headend.report import Report
from headend.store import Store, ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from obis.values import replace
from prepay.ledger import Account
from prepay.transactions import Kind, Outcome
from protocol.cosem_time import CosemDateTime
from protocol.timing import Instant, later
from tests.headend.accounts import at, use
from tests.headend.bench import SPECS, Bench, Loss, Standing
from tests.headend.unplugged import Unplugged
from tests.meter_fw.accounts import COSTS, PRINCIPAL, STANDING, priced

HOUR = 3_600_000
KINDS = {"be-wal": LinkKind.WRAPPER, "il": LinkKind.WRAPPER}


class Killed(BaseException):
    """The process is gone: nobody catches this."""


class NewBench(Bench):
    """A second meter on the clock of the first."""

    first: Bench

    @property
    def now(self) -> Instant:
        """The time of the first."""
        return self.first.now

    @now.setter
    def now(self, value: Instant) -> None:
        self.first.now = value

    def entropy(self, count: int) -> bytes:
        """Return octets that are none of the first's: a challenge must not be one's own."""
        return b"\x5a" + super().entropy(count)[1:]

    def boot(self) -> None:
        """Switch it on as the other individual that it is."""
        self.factory = replace(
            self.factory, name="OPP0000000000002", serial="00000002", system_title=b"OPP\0\0\0\0\2"
        )
        super().boot()


class Pair:
    """An old and a new meter, and one head-end.

    Args:
        profile: of the old one.
        newer: of the new one; the same unless told.
        standing: of both, the database in that of the old one; None begins anew.
        store: to be overwritten; None makes one.
    """

    def __init__(
        self,
        profile: str,
        newer: str = "",
        standing: tuple[Standing, bytes] | None = None,
        store: Store | None = None,
    ) -> None:
        self.store = store or Store("sqlite://")
        kind = KINDS[profile]
        self.old = Bench(profile, kind, standing[0] if standing else None, store=self.store)
        now = self.old.now
        NewBench.first = self.old
        second = None if standing is None else replace(standing[0], flash=standing[1])
        self.new = NewBench(newer or profile, kind, second, store=self.store)
        self.old.now = now
        for bench in (self.old, self.new):
            if bench.profile == "il":
                bench.factory = replace(bench.factory, profile=priced())
                bench.boot()
        self.there = SPECS[kind].replace("meter", "new")
        self.writes: int | None = None
        self.dies: Callable[[], bool] | None = None
        self.unplugged = False

    def context(self) -> Context:
        """Return a run of a command; the old meter is at its port, the new one elsewhere."""
        context = self.old.context()

        def opened(spec: Any, now: Any) -> Any:
            bench = self.new if spec.address.startswith("new") else self.old
            wire = bench._open(spec, now)
            return _Dead(wire) if self.unplugged and bench is self.new else _Mortal(wire, self)

        context.__dict__["transports"] = opened
        return context

    def exchange(self, identity: str | None = None) -> Report:
        """Exchange the one for the other."""
        return exchange(self.context(), self.there, identity)

    def at_new(self) -> Context:
        """Return a run of a command against the new meter."""
        return self.context().elsewhere(self.there, physical=None, keys=None)

    def save(self) -> tuple[Standing, bytes]:
        """Return all that survives."""
        return self.old.save(), self.new.flash.image

    def close(self) -> None:
        """Let the database go."""
        self.store.close()


class _Mortal:
    """A transport in a process that is killed at a write, before or after the octets are out."""

    def __init__(self, wire: Any, pair: Pair) -> None:
        self._wire = wire
        self._pair = pair

    def read(self, deadline: Instant) -> bytes:
        """Return what comes."""
        octets: bytes = self._wire.read(deadline)
        return octets

    def write(self, octets: bytes) -> None:
        """Send, unless the process is dead."""
        if self._pair.dies is not None and self._pair.dies():
            raise Killed
        if self._pair.writes is not None:
            self._pair.writes -= 1
            if self._pair.writes < 0:
                if self._pair.writes == -1:
                    self._wire.write(octets)  # the last that is heard of it
                raise Killed
        self._wire.write(octets)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


def every(step: int) -> int:
    """From one cut to the next: in a soak each is tried."""
    return 1 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else step


# --- what is asked -----------------------------------------------------------------------------


def prepared(profile: str, *, payment: bool = True) -> Pair:
    """Return a household to be exchanged: 1 kWh used, two debts, a payment on its way.

    Of 35.00 brought, il has taken 7 days of 30.00 a period of 30 days from 1 November; be-wal's
    head-end prices 1 kWh at 0.35.
    """
    pair = Pair(profile)
    debts = ("costs=7.00",) if profile == "be-wal" else ("costs=7.00", "principal=90.00")
    activate(pair.context(), balance="35.00", debts=debts, anchor="2026-11-01")
    pair.old.kernel.tick(pair.old.now, Inputs(pulses=1_000))
    if payment:
        line = Line(pair.context())
        plan = central_topup if line.central else local_topup
        plan(line, new_id(line), 10_000)  # written down, and the head-end died
        line.close()
    return pair


def closed(pair: Pair) -> bool:
    """Whether the old meter has been closed."""
    return not pair.old.kernel.state.account.active


def held(bench: Bench) -> int:
    """Return the balance that a meter shows."""
    state = bench.kernel.state
    return state.totals.balance if bench.profile == "il" else state.snapshot.balance


def owed(bench: Bench) -> list[int]:
    """Return what remains of each charge."""
    return [charge.remaining for charge in bench.kernel.state.charges]


def books(pair: Pair) -> dict[str, dict[str, int]]:
    """Return each meter's accounts that are not 0."""
    found: dict[str, dict[str, int]] = {}
    with pair.store.begin() as db:
        for meter in meters.every(db):
            each = {a.name.lower(): ledger.balance(db, meter.id, a) for a in Account}
            found[meter.serial] = {name: amount for name, amount in each.items() if amount}
    return found


def cash(pair: Pair) -> int:
    """Return what the head-end has taken in all."""
    return -sum(each.get("cash", 0) for each in books(pair).values())


def opened_times(bench: Bench) -> int:
    """Return how often a meter's account was opened."""
    return sum(
        entry.kind is Kind.ACTIVATE and entry.outcome is Outcome.DONE
        for entry in bench.kernel.state.transactions
    )


def unexchanged(profile: str) -> tuple[int, list[int]]:
    """Return balance and debts of the same household with the meter that it had."""
    pair = prepared(profile)
    settle(pair.context())
    left = held(pair.old)
    if profile == "be-wal":  # what has been used is priced when the account is closed
        left -= 35
    found = left, owed(pair.old)
    pair.close()
    return found


def assert_exchanged(pair: Pair, expected: tuple[int, list[int]]) -> None:
    """All is with the new meter, once, and the books say so."""
    pair.old.boot()
    pair.new.boot()  # what counts is what survives
    assert not pair.old.kernel.state.account.active
    assert pair.new.kernel.state.account.active
    assert (held(pair.new), owed(pair.new)) == expected
    assert opened_times(pair.new) == 1
    assert cash(pair) == 10_000
    told = books(pair)
    assert "credit" not in told["00000001"]
    if pair.old.profile == "be-wal":
        assert told["00000002"]["credit"] == held(pair.new)


# --- what an exchange is -----------------------------------------------------------------------


def test_a_local_balance_its_debts_and_its_periods_go_over() -> None:
    """35.00 - 7.00 - 0.50; 6.00 come back and are taken again: the day was paid to the old one."""
    pair = prepared("il", payment=False)
    assert held(pair.old) == 2_750
    report = pair.exchange()
    assert report.data["balance"] == "33.50"
    assert report.data["debts"] == {"costs": "7.00", "principal": "90.00"}
    assert report.data["payments"] == []
    assert held(pair.new) == 2_750
    charges = pair.new.kernel.state.charges
    assert (charges[COSTS].remaining, charges[PRINCIPAL].remaining) == (700, 9_000)
    assert charges[STANDING].paid == 600
    assert charges[STANDING].next_day == date(2026, 12, 1).toordinal()
    assert held(pair.old) == 0
    assert books(pair) == {
        "00000001": {"opening": -3_500, "consumption": 150, "settlement": 3_350},
        "00000002": {"opening": -3_350, "credit": 3_350},
    }
    pair.close()


def test_a_central_balance_goes_over_in_the_books() -> None:
    """35.00 - 0.35; pricing begins at the new meter's register."""
    pair = prepared("be-wal", payment=False)
    assert pair.exchange().data["balance"] == "34.65"
    assert held(pair.new) == 3_465
    assert owed(pair.new) == [*owed(pair.old)[:2], 700, *owed(pair.old)[3:]]
    assert books(pair) == {
        "00000001": {"opening": -3_500, "consumption": 35, "settlement": 3_465},
        "00000002": {"opening": -3_465, "credit": 3_465},
    }
    with pair.store.begin() as db:
        assert [meter.priced_wh for meter in meters.every(db)] == [None, 0]
    pair.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_an_exchanged_household_stands_as_the_one_that_was_not(profile: str) -> None:
    """Also with a payment that had not got to the old meter: sent to the new one, a new id."""
    pair = prepared(profile)
    with pair.store.begin() as db:
        (before,) = transactions.of_meter(db, 1, only_open=True)
    report = pair.exchange()
    (payment,) = report.data["payments"]
    assert (payment["of"], payment["amount"], payment["state"]) == (before.id, "100.00", "done")
    assert payment["transaction"] != before.id
    with pair.store.begin() as db:
        refused = transactions.get(db, before.id)
    assert refused is not None
    assert (refused.state, refused.outcome) == (State.REFUSED, "not active")
    assert_exchanged(pair, unexchanged(profile))
    pair.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_payment_that_did_get_there_is_not_sent_again(profile: str) -> None:
    """Only its answer was lost: it is in what the old meter closes with."""
    for writes in range(40):  # until the line dies just after the order
        pair = prepared(profile, payment=False)
        before = held(pair.old)
        with suppress(HeadendError):
            top_up(Unplugged(pair, writes).context(), "100.00")
        with pair.store.begin() as db:
            is_open = bool(transactions.of_meter(db, 1, only_open=True))
        if is_open and held(pair.old) != before:
            break
        pair.close()
    else:
        pytest.fail("the line never died at the right moment")
    assert pair.exchange().data["payments"] == []
    assert_exchanged(pair, unexchanged(profile))
    pair.close()


def test_the_day_after_is_paid_for_when_the_new_meter_is_opened_then() -> None:
    """Closed on the 24th, opened on the 26th: 6.00 came back, 26 to 30 November are 5.00."""
    pair = prepared("il", payment=False)
    killed_once(pair, lambda: closed(pair))
    pair.old.now = later(pair.old.now, 48 * HOUR)
    assert pair.exchange().data["balance"] == "33.50"
    assert pair.new.kernel.state.charges[STANDING].paid == 500
    pair.close()


def killed_once(pair: Pair, happened: Callable[[], bool]) -> None:
    """Exchange in a process that dies before its first write after something has happened."""
    pair.dies = happened
    with pytest.raises(Killed):
        pair.exchange()
    pair.dies = None


def killed(pair: Pair, writes: int) -> BaseException | None:
    """Exchange in a process that is killed at a write; return what it ended with."""
    pair.writes = writes
    try:
        pair.exchange()
    except (Killed, HeadendError) as error:
        return error
    finally:
        pair.writes = None
    return None


def test_what_is_due_to_the_customer_goes_over_before_the_account_does() -> None:
    """Protected since a date, and never cut: on the new meter as on the old one."""
    pair = prepared("be-wal", payment=False)
    protect(pair.context(), protected=True, never_cut=True, since="2026-11-02")
    pair.exchange()
    assert pair.new.kernel.state.customer == pair.old.kernel.state.customer
    assert pair.new.kernel.state.customer.protected
    kinds = [entry.kind for entry in pair.new.kernel.state.transactions]
    assert kinds == [Kind.CUSTOMER, Kind.ACTIVATE]
    pair.close()


def test_an_account_below_zero_is_owed_to_the_new_meter_too() -> None:
    """There is no start credit that would forgive it."""
    pair = prepared("il", payment=False)
    pair.old.kernel.tick(pair.old.now, Inputs(pulses=100_000))
    left = held(pair.old)
    assert left < 0
    pair.exchange()
    assert held(pair.new) == left
    pair.close()


def test_a_meter_may_be_exchanged_again_and_back() -> None:
    """Each time the same balance, and the same period."""
    pair = prepared("il", payment=False)
    pair.exchange()
    there, home = pair.at_new(), SPECS[KINDS["il"]]
    report = exchange(there, home)
    assert report.data["balance"] == "33.50"
    assert held(pair.old) == 2_750
    assert pair.old.kernel.state.charges[STANDING].next_day == date(2026, 12, 1).toordinal()
    report = pair.exchange()
    assert (report.data["balance"], held(pair.new)) == ("33.50", 2_750)
    pair.close()


# --- what is refused before anything is done ---------------------------------------------------


def untouched(pair: Pair) -> bool:
    """Whether nothing has been planned that an exchange plans."""
    with pair.store.begin() as db:
        found = [t.kind for m in meters.every(db) for t in transactions.of_meter(db, m.id)]
    return Order.DEACTIVATE not in found and found.count(Order.ACTIVATE) <= 1


def test_meters_of_different_profile_or_currency_are_refused() -> None:
    """Whether or not their currency is one."""
    pair = Pair("il", "be-wal")
    activate(pair.context())
    with pytest.raises(Refused, match="currencies, ILS and EUR"):
        pair.exchange()
    assert untouched(pair)
    assert pair.old.kernel.state.account.active
    pair.close()


def test_meters_in_different_modes_are_refused() -> None:
    """The old one can be brought there before."""
    pair = prepared("be-wal", payment=False)
    change(pair.context(), "local")
    with pytest.raises(Refused, match=r"local mode and .* in central mode"):
        pair.exchange()
    assert untouched(pair)
    change(pair.context(), "central")
    assert pair.exchange().data["balance"] == "34.65"
    pair.close()


def test_a_new_meter_that_is_open_is_refused() -> None:
    """Its balance is somebody's."""
    pair = prepared("il", payment=False)
    activate(pair.at_new())
    with pytest.raises(Refused, match="active on OPP0000000000002 already"):
        pair.exchange()
    assert pair.old.kernel.state.account.active
    pair.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_new_meter_whose_opening_is_planned_is_refused(profile: str) -> None:
    """Two accounts would want it; once the plan is withdrawn, the exchange goes on."""
    pair = prepared(profile, payment=False)
    activate(pair.at_new(), at=at(pair.new, 5))
    with pytest.raises(Refused, match="planned: prepay cancel"):
        pair.exchange()
    assert pair.old.kernel.state.account.active
    cancel(pair.at_new())
    pair.exchange()
    assert pair.new.kernel.state.account.active
    pair.close()


def test_an_old_meter_whose_end_is_planned_is_exchanged_at_once() -> None:
    """Its plan is withdrawn with it; its billing periods are those it was opened with."""
    pair = Pair("il")
    activate(pair.context(), balance="100.00", anchor="2026-11-20")
    deactivate(pair.context(), at=at(pair.old, 5))
    pair.exchange()
    with pair.store.begin() as db:
        (opening,) = transactions.of_meter(db, meters.every(db)[1].id)
        plan = transactions.of_meter(db, meters.every(db)[0].id)[1]
    stamp = CosemDateTime.from_bytes(bytes.fromhex(str(opening.parameters["anchor"])))
    assert stamp.date.to_date() == date(2026, 11, 20)
    assert (plan.state, plan.outcome) == (State.REFUSED, "withdrawn")
    pair.close()


def test_a_central_meter_closed_by_plan_is_settled_and_has_nothing_to_exchange() -> None:
    """The head-end hears of it when it asks; the customer's money is in the settlement, once."""
    pair = Pair("be-wal")
    activate(pair.context())
    deactivate(pair.context(), at=at(pair.old, 3))
    use(pair.old, 3, 1_000)
    use(pair.old, 1, 1_000)
    with pytest.raises(Refused, match="nothing to deactivate"):
        pair.exchange()
    settled = {"consumption": 35, "settlement": 1_965, "start_credit": -2_000}
    assert settled in books(pair).values()
    pair.close()


def test_an_old_meter_that_is_not_open_is_refused() -> None:
    """There is nothing to carry."""
    pair = Pair("il")
    with pytest.raises(Refused, match="nothing to deactivate"):
        pair.exchange()
    activate(pair.context())
    deactivate(pair.context())
    with pytest.raises(Refused, match="nothing to deactivate"):
        pair.exchange()
    pair.close()


def test_a_meter_is_not_exchanged_for_itself() -> None:
    """Wrong usage, said before anything is planned."""
    pair = prepared("il", payment=False)
    with pytest.raises(UsageError, match="another meter"):
        exchange(pair.context(), SPECS[KINDS["il"]])
    assert untouched(pair)
    pair.close()


def test_what_is_no_port_or_no_id_is_wrong_usage() -> None:
    """Said before any meter is called."""
    pair = Pair("il")
    with pytest.raises(UsageError):
        exchange(pair.context(), "pigeon:x")
    with pytest.raises(UsageError, match="transaction id"):
        pair.exchange("12")
    assert (pair.old.ports, pair.new.ports) == (0, 0)
    pair.close()


def test_an_id_that_is_of_something_else_is_wrong_usage() -> None:
    """Such as a plain deactivation."""
    pair = prepared("il", payment=False)
    identity = deactivate(pair.context()).data["transaction"]
    with pytest.raises(UsageError, match="no exchange"):
        pair.exchange(identity)
    assert not pair.new.kernel.state.account.active
    pair.close()


def test_a_silent_new_meter_leaves_the_old_one_as_it_is() -> None:
    """It is called first."""
    pair = prepared("il", payment=False)
    with pytest.raises(NoAnswer):
        exchange(Unplugged(pair, 0).context(), pair.there)
    assert untouched(pair)
    pair.close()


# --- lost and found ----------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_once_more_is_the_same_exchange(profile: str) -> None:
    """With its id or without: reported again, and nothing is done."""
    pair = prepared(profile)
    first = pair.exchange().data
    log = pair.new.kernel.state.transactions
    again = pair.exchange()
    assert ("again" in first, again.data) == (False, {**first, "again": True})
    assert "nothing was booked" in again.lines[0]
    assert pair.exchange(first["transaction"]).data == again.data
    assert pair.new.kernel.state.transactions == log
    assert_exchanged(pair, unexchanged(profile))
    pair.close()


def test_an_old_exchange_told_by_its_id_opens_nothing_again() -> None:
    """Not even once both meters have gone on to other things."""
    pair = prepared("il", payment=False)
    identity = pair.exchange().data["transaction"]
    deactivate(pair.at_new())
    activate(pair.context())
    assert pair.exchange(identity).data["transaction"] == identity
    assert not pair.new.kernel.state.account.active
    assert opened_times(pair.new) == 1
    pair.close()


def told_truly(pair: Pair, error: BaseException | None) -> bool:
    """Whether a command that left the balance at neither meter said so, with its exit code."""
    is_open = [bench.kernel.state.account.active for bench in (pair.old, pair.new)]
    assert is_open != [True, True]
    if error is None:
        return is_open == [False, True]
    if any(is_open):
        return True
    text = str(error)
    return (
        isinstance(error, OutcomeUnknown)
        and int(error.exit_code) == 4
        and "same command again" in text
        and ("neither" in text or "not known" in text)
    )


def dead_after(pair: Pair, writes: int) -> HeadendError | None:
    """Exchange over lines that go dead after some writes; return what the command ended with."""
    try:
        exchange(Unplugged(pair, writes).context(), pair.there)
    except HeadendError as error:
        return error
    return None


@pytest.mark.spread
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_lines_that_die_anywhere_lose_and_double_nothing(profile: str) -> None:
    """Dead after each write in turn, then run again: it goes on where it stood."""
    expected, standing = unexchanged(profile), prepared(profile).save()
    store, ends = Store("sqlite://"), set()
    for writes in range(0, 200, every(9)):
        pair = Pair(profile, standing=standing, store=store)
        error = dead_after(pair, writes)
        ends.add(type(error))
        assert told_truly(pair, error), (writes, error)
        pair.exchange()
        assert_exchanged(pair, expected)
        if error is None:
            break
    assert ends == {NoAnswer, Unfinished, type(None)}
    store.close()


@pytest.mark.spread
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_process_killed_at_any_write_goes_on_where_it_stood(profile: str) -> None:
    """And whoever runs another command in between disturbs nothing."""
    expected, standing = unexchanged(profile), prepared(profile).save()
    store = Store("sqlite://")
    for writes in range(0, 200, every(4)):
        pair = Pair(profile, standing=standing, store=store)
        error = killed(pair, writes)
        if writes // 4 % 2 and closed(pair):
            settle(pair.context())
        if writes // 4 % 3 and closed(pair):
            settle(pair.at_new())
        pair.exchange()
        assert_exchanged(pair, expected)
        if error is None:
            break
    assert error is None
    store.close()


class Doomed(Store):
    """A database whose process dies at the beginning of one of its transactions."""

    left: int | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection, unless the time has come."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed
        with super().begin() as db:
            yield db


@pytest.mark.spread
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_process_killed_between_any_two_database_transactions_goes_on(profile: str) -> None:
    """Each is whole or not there; what follows from one is found by the next run."""
    expected, standing = unexchanged(profile), prepared(profile).save()
    store = Doomed("sqlite://")
    for count in range(0, 400, every(13)):
        store.left = None
        pair = Pair(profile, standing=standing, store=store)
        store.left = count
        try:
            pair.exchange()
        except Killed:
            store.left = None
            pair.exchange()
        else:
            store.left = None
            break
        assert_exchanged(pair, expected)
    assert 20 < count < 399
    store.close()


def closed_in_the_books(pair: Pair) -> bool:
    """Whether the head-end has heard that the old meter is closed."""
    with pair.store.begin() as db:
        (old, *_) = meters.every(db)
        return closed(pair) and not old.prepayment


def opening_planned(pair: Pair) -> bool:
    """Whether the new meter's opening is written down."""
    with pair.store.begin() as db:
        return any("closing" in t.parameters for t in transactions.of_meter(db, 2))


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_an_opening_that_expired_on_its_way_is_ordered_anew(profile: str) -> None:
    """Nobody came for a week: under another id, and once."""
    pair = prepared(profile, payment=False)
    left = "34.65" if profile == "be-wal" else "33.50"
    killed_once(pair, lambda: opening_planned(pair))
    pair.old.now = later(pair.old.now, NOT_AFTER + HOUR)
    assert pair.exchange().data["balance"] == left
    with pair.store.begin() as db:
        ends = [t.state for t in transactions.of_meter(db, 2)]
    assert ends == [State.REFUSED, State.DONE]
    assert opened_times(pair.new) == 1
    assert "credit" not in books(pair)["00000001"]
    pair.close()


def test_once_the_opening_is_planned_the_old_meter_is_not_needed() -> None:
    """It may be in the fitter's van."""
    pair = prepared("il")
    killed_once(pair, lambda: opening_planned(pair))
    ports = pair.old.ports
    assert pair.exchange().data["payments"] != []
    assert pair.old.ports == ports
    assert_exchanged(pair, unexchanged("il"))
    pair.close()


def test_a_closed_meter_that_falls_silent_is_said_to_hold_the_balance_up() -> None:
    """Its settlement has not been read: the balance is at neither, and the message says so."""
    pair = prepared("il")
    killed_once(pair, lambda: closed_in_the_books(pair))
    error = dead_after(pair, 0)
    assert isinstance(error, Unfinished)
    assert "OPP0000000000001 is closed and no other open" in str(error)
    assert "balance is at neither meter" in str(error)
    pair.close()


def test_another_new_meter_may_take_the_balance_until_one_may_have_it() -> None:
    """The one that was meant failed as it was fitted; after its opening is planned none may."""
    pair = prepared("il", payment=False)
    killed_once(pair, lambda: closed(pair))
    with pair.store.begin() as db:
        (new,) = (meter for meter in meters.every(db) if meter.serial == "00000002")
        meters.rename(db, new, "OPP0000000000009")  # the one that was meant
    assert pair.exchange().data["balance"] == "33.50"
    with pair.store.begin() as db:
        (new,) = (meter for meter in meters.every(db) if meter.name == "OPP0000000000002")
        meters.rename(db, new, "OPP0000000000008")  # the one that has it
    with pytest.raises(Refused, match="for OPP0000000000008"):
        pair.exchange()
    pair.close()


@pytest.mark.spread
@pytest.mark.parametrize("direction", ["to_meter", "from_meter"])
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_whichever_octet_is_lost_nothing_is_lost_or_doubled(profile: str, direction: str) -> None:
    """On either line; here each 211th, in a soak each."""
    expected, standing = unexchanged(profile), prepared(profile).save()
    store = Store("sqlite://")
    for which in ("old", "new"):
        position, seen = 0, 1
        while position < seen:
            pair = Pair(profile, standing=standing, store=store)
            loss = Loss()
            setattr(loss, direction, position)
            getattr(pair, which).loss = loss
            error = None
            try:
                pair.exchange()
            except HeadendError as raised:
                error = raised
            assert told_truly(pair, error), (which, position, error)
            seen = max(seen, loss.seen_to if direction == "to_meter" else loss.seen_from)
            getattr(pair, which).loss = Loss()
            pair.exchange()
            assert_exchanged(pair, expected)
            position += every(211)
    store.close()


class _Dead:
    """A transport behind which nobody is."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire

    def read(self, deadline: Instant) -> bytes:
        """Return nothing, after a while."""
        self._wire.read(deadline)
        return b""

    def write(self, octets: bytes) -> None:
        """Send nothing."""

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


# --- at the command line -----------------------------------------------------------------------


def prepay(pair: Pair, *words: str) -> Result:
    """Run the command line against a pair."""
    context = pair.context()
    edge = Invocation(
        now=context.now,
        entropy=context.entropy,
        transports=context.transports,
        store=context.store,
        patience=context.patience,
    )
    clean = {"PREPAY_PORT": "", "PREPAY_DB": "", "PREPAY_KEYS": ""}
    port = SPECS[KINDS[pair.old.profile]]
    return CliRunner().invoke(main, ["--port", port, *words], obj=edge, env=clean)


def test_it_is_told_in_a_few_lines_or_as_an_object() -> None:
    """Both meters by name, what went over, and the id under which it can be asked for again."""
    pair = prepared("il")
    done = prepay(pair, "exchange", pair.there)
    assert done.exit_code == 0
    first, *rest = done.stdout.splitlines()
    assert first == ("OPP0000000000001 is exchanged for OPP0000000000002: balance ILS 33.50")
    assert rest[:3] == [
        "debt brought along, costs: 7.00",
        "debt brought along, principal: 90.00",
        "payment brought along: ILS 100.00",
    ]
    told = json.loads(prepay(pair, "exchange", pair.there, "--json").stdout)
    assert (told["old_meter"], told["meter"]) == ("OPP0000000000001", "OPP0000000000002")
    assert told["transaction"] in rest[3]
    assert told["opening"] in rest[3]
    pair.close()


def test_half_an_exchange_has_exit_code_4_and_its_id() -> None:
    """For whoever reads it with a program."""
    pair = prepared("il")
    killed_once(pair, lambda: closed_in_the_books(pair))
    pair.unplugged = True
    done = prepay(pair, "--json", "exchange", pair.there)
    assert done.exit_code == 4
    told = json.loads(done.stderr)
    assert told["transaction"] in told["error"]
    assert "balance is at neither meter" in told["error"]
    pair.close()
