"""What is due to the customer: protected, never cut, winter, and the clock of six months."""

from typing import Any

import pytest

from meter_fw.board import Sign
from meter_fw.events import Code
from meter_fw.relay import Cause
from meter_fw.transactions import Order, withdraw
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind, Outcome
from protocol.axdr import Data, octet_string
from protocol.codes import DataAccessResult
from protocol.cosem import vendor, vendor_shown
from protocol.cosem_time import CosemDateTime
from tests.meter_fw.rig import READER, Rig

DONE, OTHER = DataAccessResult.SUCCESS, DataAccessResult.OTHER_REASON
TYPE = DataAccessResult.TYPE_UNMATCHED


def meter(start: str, balance: int = -100, *, armed: bool = True) -> Rig:
    """Return a Walloon meter whose balance is used up, and cut if it is armed."""
    rig = Rig("be-wal", start)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(1, balance)) is DONE
    if armed:
        assert rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2027-12-31T06:00"))) is DONE
    return rig


def customer(
    rig: Rig, identity: int, protected: bool, never_cut: bool, since: str | None = None
) -> DataAccessResult:
    """Order what is due: protected, never cut."""
    moment = CosemDateTime() if since is None else rig.stamp(since)
    return rig.order(identity, Kind.CUSTOMER, vendor.Customer(protected, never_cut, moment))


def status(rig: Rig) -> vendor_shown.CustomerStatus:
    """Read what the meter has of it."""
    value = rig.get(catalogue.CUSTOMER, 1, caller=READER)
    assert isinstance(value, Data)
    return vendor_shown.CustomerStatus.from_data(value)


def supply(rig: Rig) -> str:
    """Return full, limited or none, as a household sees it."""
    if rig.relay != "connected":
        return "none"
    return "limited" if Sign.LIMITED in rig.last.lcd.signs else "full"


# --- flags -------------------------------------------------------------------------------------


def test_protection_gives_a_cut_household_minimum_supply() -> None:
    """At once, and without a reset of the arm."""
    rig = meter("2026-10-13T12:00")
    assert supply(rig) == "none"
    assert customer(rig, 3, True, False) is DONE
    assert supply(rig) == "limited"
    assert rig.codes[-2:] == [Code.CUSTOMER_CHANGED, Code.MINIMUM_SUPPLY]
    assert status(rig).limited


def test_never_cut_gives_all_of_it_and_its_end_the_cut() -> None:
    """The flag of a landlord, or of medical need."""
    rig = meter("2026-10-13T12:00")
    customer(rig, 3, False, True)
    assert supply(rig) == "full"
    assert Sign.NEVER_CUT in rig.last.lcd.signs
    customer(rig, 4, False, False)
    assert supply(rig) == "none"


def test_a_flag_outlives_a_power_cut_and_the_closing_of_the_account() -> None:
    """It is the customer's, and not the balance's."""
    rig = meter("2026-10-13T12:00")
    customer(rig, 3, True, True, since="2026-10-01T00:00")
    rig.order(4, Kind.DEACTIVATE)
    rig.boot()
    found = status(rig)
    assert (found.protected, found.never_cut, found.limited) == (True, True, False)
    assert str(found.since).startswith("2026-10-01")


def test_minimum_supply_ends_with_a_payment() -> None:
    """And full supply is back, to begin anew another time."""
    rig = meter("2026-10-13T12:00")
    customer(rig, 3, True, False)
    rig.order(4, Kind.SNAPSHOT, rig.snapshot(2, 100))
    assert supply(rig) == "full"
    assert rig.codes[-1] == Code.MINIMUM_SUPPLY_ENDED


def test_minimum_supply_goes_on_through_the_night_and_begins_not_in_it() -> None:
    """A window holds the beginning back, as it holds a cut back; it ends nothing."""
    rig = meter("2026-10-13T12:00", armed=False)
    customer(rig, 3, True, False)
    rig.until("2026-10-13T18:00")
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2027-12-31T06:00")))
    assert supply(rig) == "full"
    rig.until("2026-10-14T07:59:59")
    assert supply(rig) == "full"
    rig.until("2026-10-14T08:00")
    assert supply(rig) == "limited"
    rig.until("2026-10-14T20:00")
    assert supply(rig) == "limited"


def test_a_profile_without_minimum_supply_refuses_protection_and_takes_the_other_flag() -> None:
    """Israel knows none."""
    rig = Rig("il")
    assert customer(rig, 1, True, False) is OTHER
    assert rig.last_outcome().outcome == Outcome.WRONG_MODE
    assert customer(rig, 2, False, True) is DONE


def test_an_order_is_carried_out_once_whatever_its_line_does() -> None:
    """The same id again is answered from memory; with other flags it is refused."""
    rig = meter("2026-10-13T12:00")
    customer(rig, 3, True, False)
    customer(rig, 4, False, False)
    assert customer(rig, 3, True, False) is DONE
    assert not status(rig).protected
    assert customer(rig, 3, True, True) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


@pytest.mark.parametrize(
    "parameters", [None, 5, vendor.Snapshot(1, 0, 0, Rig().stamp()), vendor.Arm(1, Rig().stamp())]
)
def test_an_order_with_the_parameters_of_another_is_none(parameters: Any) -> None:
    """It has no id yet: nothing is remembered."""
    rig = Rig()
    assert rig.order(1, Kind.CUSTOMER, parameters) is TYPE
    assert not rig.kernel.state.transactions


# --- winter ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        ("2026-10-30T12:00", DONE),  # a Friday
        ("2026-11-02T12:00", OTHER),
        ("2027-01-04T12:00", OTHER),
        ("2027-03-15T12:00", OTHER),
        ("2027-03-16T12:00", DONE),
    ],
)
def test_in_winter_no_order_ends_minimum_supply(start: str, answer: DataAccessResult) -> None:
    """Neither withdrawal nor the flag's own order; on the days around it both do."""
    for kind, parameters in (
        (Kind.WITHDRAW, None),
        (Kind.CUSTOMER, vendor.Customer(False, False)),
    ):
        rig = meter(start)
        customer(rig, 3, True, False)
        assert rig.order(4, kind, parameters) is answer
        refused = answer is OTHER
        assert supply(rig) == ("limited" if refused else "none")
        assert rig.last_outcome().outcome == (Outcome.WINTER if refused else Outcome.DONE)


def test_winter_ends_at_local_midnight() -> None:
    """By the meter's own date: 15 March 23:59 is winter, a minute later it is not.

    The night is a window, and no cut begins in it: the household is cut in the morning.
    """
    rig = meter("2027-03-15T12:00")
    customer(rig, 3, True, False)
    rig.until("2027-03-15T23:59:59")
    assert rig.order(4, Kind.WITHDRAW) is OTHER
    rig.until("2027-03-16T00:00")
    assert rig.order(5, Kind.WITHDRAW) is DONE
    assert supply(rig) == "full"
    rig.until("2027-03-16T08:00")
    assert rig.kernel.state.relay.causes == Cause.CREDIT


def test_in_winter_something_better_may_take_its_place() -> None:
    """Never cut is no withdrawal."""
    rig = meter("2027-01-04T12:00")
    customer(rig, 3, True, False)
    assert customer(rig, 4, False, True) is DONE
    assert supply(rig) == "full"


def test_a_meter_that_does_not_know_the_date_takes_it_for_winter() -> None:
    """Doubt never cuts."""
    rig = meter("2027-07-05T12:00")
    customer(rig, 3, True, False)
    view = rig.kernel.view
    unknown = view.with_state(view.state.but(clock=replace(view.state.clock, known=False)))
    order = Order(bytes(16), Kind.WITHDRAW, 0)
    assert withdraw(view, order).outcome is Outcome.DONE
    assert withdraw(unknown, order).outcome is Outcome.WINTER


def test_a_withdrawal_from_who_is_not_protected_is_done_already() -> None:
    """At any season, and changes nothing."""
    rig = meter("2027-01-04T12:00")
    before = rig.kernel.state.customer
    assert rig.order(3, Kind.WITHDRAW) is DONE
    assert rig.kernel.state.customer is before


# --- six months --------------------------------------------------------------------------------


def test_after_six_months_the_meter_says_recurrent_defaulter_once() -> None:
    """At local midnight of that day, and nothing else happens."""
    rig = meter("2027-04-29T12:00")
    customer(rig, 3, True, False, since="2026-10-30T15:00")
    rig.until("2027-04-29T23:59:59")
    assert Code.RECURRENT_DEFAULTER not in rig.codes
    rig.until("2027-04-30T00:00")
    assert rig.codes[-1] == Code.RECURRENT_DEFAULTER
    assert status(rig).recurrent
    assert supply(rig) == "limited"
    rig.boot()
    rig.until("2027-05-03T12:00")
    assert rig.codes.count(Code.RECURRENT_DEFAULTER) == 1


def test_who_is_placed_again_begins_anew_and_who_is_confirmed_does_not() -> None:
    """A new date is a new clock; the same flag once more is not."""
    rig = meter("2027-05-04T12:00")
    customer(rig, 3, True, False, since="2026-10-30T00:00")
    assert status(rig).recurrent
    customer(rig, 4, True, True)
    assert status(rig).recurrent
    assert str(status(rig).since).startswith("2026-10-30")
    customer(rig, 5, True, False, since="2027-05-01T00:00")
    assert not status(rig).recurrent


def test_a_clock_set_by_mistake_takes_nothing_back() -> None:
    """What has been said has been said; a wrong date that is put right says nothing more."""
    rig = meter("2027-05-04T12:00")
    customer(rig, 3, True, False, since="2026-10-30T00:00")
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2027-01-04T12:00").to_bytes()))
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2027-05-04T12:00").to_bytes()))
    assert rig.codes.count(Code.RECURRENT_DEFAULTER) == 1
