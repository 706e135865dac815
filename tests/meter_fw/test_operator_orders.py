"""Refund, disconnect and connect by id: what each comes to, once, at which hour, and in the log."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from obis import catalogue
from prepay.transactions import Kind, Outcome
from protocol.axdr import integer, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem_time import CosemDateTime
from sim.flash import MemoryFlash
from tests.meter_fw.accounts import plan
from tests.meter_fw.rig import READER, Rig, number
from tests.meter_fw.test_token_shares import E as EMERGENCY
from tests.meter_fw.test_token_shares import T as TOKEN_CREDIT
from tests.meter_fw.test_token_shares import spent

DONE = DataAccessResult.SUCCESS
REFUSED = DataAccessResult.OTHER_REASON
#: A weekly window in which the tests below begin: Monday noon.
MONDAY = ("mon 08:00", "mon 16:00")


def household(balance: int = 1_000) -> Rig:
    """Return an Israeli meter that keeps a balance."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, balance))
    return rig


def outcome_of(rig: Rig, identity: int) -> Outcome:
    """Return what the log says of a transaction."""
    return next(e.outcome for e in rig.kernel.state.transactions if e.id == number(identity))


# --- refund ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "outcome", "left"),
    [
        (400, Outcome.DONE, 600),
        (1_000, Outcome.DONE, 0),
        (1_001, Outcome.OVER_BALANCE, 1_000),
        (2**31 - 1, Outcome.OVER_BALANCE, 1_000),
        (0, Outcome.AMOUNT_OUT_OF_RANGE, 1_000),
        (-1, Outcome.AMOUNT_OUT_OF_RANGE, 1_000),
        (-(2**31), Outcome.AMOUNT_OUT_OF_RANGE, 1_000),
    ],
)
def test_a_refund_takes_at_most_what_is_there(amount: int, outcome: Outcome, left: int) -> None:
    """10.00: all of it may go back, not a cent more, and nothing comes on top that way."""
    rig = household()
    assert rig.order(2, Kind.REFUND, amount) is (DONE if outcome is Outcome.DONE else REFUSED)
    assert rig.last_outcome().outcome == outcome
    assert rig.last_outcome().balance == rig.balance == left


@pytest.mark.parametrize("balance", [0, -300])
def test_of_a_balance_that_is_not_above_zero_nothing_is_refunded(balance: int) -> None:
    """Not a cent; an overdraft is not the customer's money."""
    rig = household(0)
    rig.order(2, Kind.ADJUST, balance)
    assert rig.order(3, Kind.REFUND, 1) is REFUSED
    assert outcome_of(rig, 3) is Outcome.OVER_BALANCE


def test_energy_of_before_is_charged_for_first() -> None:
    """10.00 less 1 kWh at 0.5997: 9.40 are there and 9.41 are not."""
    rig = household()
    rig.use(1_000)
    left = rig.balance
    assert left < 1_000
    assert rig.order(2, Kind.REFUND, left + 1) is REFUSED
    assert rig.order(3, Kind.REFUND, left) is DONE
    assert rig.balance == 0


def test_what_is_owed_of_the_emergency_credit_is_not_given_back() -> None:
    """12.00 used, half of 20.00 repays it: 10.00 stand there, 2.00 are owed, 8.00 may go back."""
    rig = spent((TOKEN_CREDIT, 50), (EMERGENCY, 50))
    rig.enter(rig.token(2, 2_000))
    assert (rig.balance, rig.kernel.state.advance.owed) == (1_000, 200)
    assert rig.order(3, Kind.REFUND, 801) is REFUSED
    assert outcome_of(rig, 3) is Outcome.OVER_BALANCE
    assert rig.order(4, Kind.REFUND, 800) is DONE
    assert rig.balance == 200


def test_a_central_balance_is_not_refunded_at_the_meter() -> None:
    """The head-end keeps it, and says so with a snapshot."""
    rig = Rig("be-wal")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 1_000))
    assert rig.order(2, Kind.REFUND, 1) is REFUSED
    assert outcome_of(rig, 2) is Outcome.WRONG_MODE


def test_a_refund_acts_once_and_needs_an_account() -> None:
    """The same id again is answered from memory; before activation there is nothing."""
    fresh = Rig("il")
    assert fresh.order(1, Kind.REFUND, 1) is REFUSED
    assert outcome_of(fresh, 1) is Outcome.NOT_ACTIVE
    rig = household()
    assert rig.order(2, Kind.REFUND, 400) is DONE
    assert rig.order(2, Kind.REFUND, 400) is DONE
    assert rig.balance == 600
    rig.boot()
    assert rig.order(2, Kind.REFUND, 400) is DONE
    assert rig.balance == 600


# --- disconnect and connect --------------------------------------------------------------------


def test_an_operators_disconnect_asks_no_window() -> None:
    """In the middle of one; connect takes it back."""
    rig = Rig(weekly=MONDAY)
    assert rig.kernel.view.friendly
    assert rig.order(1, Kind.DISCONNECT) is DONE
    assert rig.relay == "disconnected"
    assert rig.order(2, Kind.CONNECT) is DONE
    assert rig.relay == "connected"
    assert [outcome_of(rig, each) for each in (1, 2)] == [Outcome.DONE, Outcome.DONE]


def test_an_order_that_comes_again_late_moves_nothing_any_more() -> None:
    """A lost answer and a connect in between: the first order is over, and stays so."""
    rig = Rig()
    rig.order(1, Kind.DISCONNECT)
    rig.order(2, Kind.CONNECT)
    assert rig.order(1, Kind.DISCONNECT) is DONE
    assert rig.relay == "connected"


def test_outside_the_windows_a_respectful_disconnect_opens_at_once() -> None:
    """There is nothing to wait for."""
    rig = Rig()
    assert rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00")) is DONE
    assert rig.relay == "disconnected"
    assert outcome_of(rig, 1) is Outcome.DONE
    assert plan(rig).kind == 0


def test_in_a_window_it_waits_for_the_end_and_opens_in_that_second() -> None:
    """Noon to 16:00; a power cut in between changes nothing."""
    rig = Rig(weekly=MONDAY)
    assert rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00")) is DONE
    assert (plan(rig).kind, outcome_of(rig, 1)) == (Kind.DISCONNECT, Outcome.PLANNED)
    rig.until("2026-11-23T15:59:59")
    assert rig.relay == "connected"
    rig.boot()
    rig.until("2026-11-23T16:00")
    assert rig.relay == "disconnected"
    assert (plan(rig).kind, outcome_of(rig, 1)) == (0, Outcome.DONE)


def test_what_waits_longer_than_it_may_expires() -> None:
    """Until 15:00, and the window ends at 16:00: the relay stays closed."""
    rig = Rig(weekly=MONDAY)
    rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-23T15:00"))
    rig.until("2026-11-23T18:00")
    assert rig.relay == "connected"
    assert (plan(rig).kind, outcome_of(rig, 1)) == (0, Outcome.EXPIRED)


def test_one_that_has_expired_when_it_comes_is_refused() -> None:
    """Whatever the hour."""
    rig = Rig()
    assert rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-23T12:00")) is REFUSED
    assert (rig.relay, outcome_of(rig, 1)) == ("connected", Outcome.EXPIRED)


@pytest.mark.parametrize("by_class_70", [False, True], ids=["order", "class 70"])
def test_a_connect_withdraws_a_disconnect_that_waits(by_class_70: bool) -> None:
    """By either door; at the end of the window nothing happens."""
    rig = Rig(weekly=MONDAY)
    rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00"))
    if by_class_70:
        code = catalogue.DISCONNECT_CONTROL
        assert rig.act(code, 70, 2, integer(0)) is ActionResult.SUCCESS
    else:
        assert rig.order(2, Kind.CONNECT) is DONE
    rig.until("2026-11-24T12:00")
    assert (rig.relay, outcome_of(rig, 1)) == ("connected", Outcome.WITHDRAWN)


def test_it_is_the_one_plan_of_the_meter_and_is_cancelled_as_one() -> None:
    """A second one is refused while it waits; cancel withdraws it."""
    rig = Rig(weekly=MONDAY)
    later = rig.stamp("2026-11-25T12:00")
    rig.order(1, Kind.DISCONNECT, later)
    assert rig.order(2, Kind.DISCONNECT, later) is REFUSED
    assert outcome_of(rig, 2) is Outcome.PLAN_EXISTS
    assert rig.order(3, Kind.CANCEL) is DONE
    assert outcome_of(rig, 1) is Outcome.WITHDRAWN
    rig.until("2026-11-24T12:00")
    assert rig.relay == "connected"


def test_a_disconnect_at_once_takes_the_place_of_one_that_waits() -> None:
    """The later word counts; at the end of the window the log does not change any more."""
    rig = Rig(weekly=MONDAY)
    rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00"))
    rig.order(2, Kind.DISCONNECT)
    assert rig.relay == "disconnected"
    assert [outcome_of(rig, each) for each in (1, 2)] == [Outcome.WITHDRAWN, Outcome.DONE]


def test_while_the_clock_is_unknown_it_waits() -> None:
    """Nobody knows then whether it is a Sabbath; set to an hour of no window, it opens."""
    flash = MemoryFlash(2, 32 * 1024)
    flash.fill(bytes(range(256)) * 256)
    rig = Rig(flash=flash)
    assert rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00")) is DONE
    assert (rig.relay, outcome_of(rig, 1)) == ("connected", Outcome.PLANNED)
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp().to_bytes()))
    rig.tick()
    assert (rig.relay, outcome_of(rig, 1)) == ("disconnected", Outcome.DONE)


def test_outside_the_dates_of_the_calendar_it_waits() -> None:
    """It may be a holiday that the tables do not know."""
    until = datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Jerusalem"))
    rig = Rig("il", until_when=until)
    rig.order(1, Kind.DISCONNECT, rig.stamp("2026-11-25T12:00"))
    assert (rig.relay, outcome_of(rig, 1)) == ("connected", Outcome.PLANNED)


@pytest.mark.parametrize("kind", [Kind.DISCONNECT, Kind.CONNECT, Kind.REFUND])
def test_only_management_orders(kind: Kind) -> None:
    """A reader is denied, and nothing is remembered."""
    rig = household()
    given = 5 if kind is Kind.REFUND else None
    assert rig.order(2, kind, given, caller=READER) is DataAccessResult.READ_WRITE_DENIED
    assert rig.relay == "connected"
    assert rig.balance == 1_000


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Kind.REFUND, None),
        (Kind.CONNECT, 5),
        (Kind.DISCONNECT, 5),
        (Kind.CONNECT, CosemDateTime()),
    ],
)
def test_parameters_of_another_kind_are_no_order(kind: Kind, given: object) -> None:
    """They are refused by their type, before there is an id to remember."""
    rig = household()
    assert rig.order(2, kind, given) is DataAccessResult.TYPE_UNMATCHED
    assert all(each.id != number(2) for each in rig.kernel.state.transactions)
