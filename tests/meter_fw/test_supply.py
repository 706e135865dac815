"""What a household lives through: cuts, windows, returns, in both modes, to the second."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from meter_fw.board import Button, Coil, Sign
from meter_fw.relay import Cause
from obis import catalogue
from prepay.friendly import DatedWindow
from prepay.transactions import Kind
from protocol.axdr import Data, double_long, integer
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor, vendor_shown
from tests.meter_fw.rig import Rig

DONE = DataAccessResult.SUCCESS


def wallonia(start: str = "2026-11-23T12:00", balance: int = 2000) -> Rig:
    """Return a Walloon meter, prepaid, with a first snapshot of number 1."""
    rig = Rig("be-wal", start)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(1, balance)) is DONE
    return rig


def arm(rig: Rig, identity: int, sequence: int, expiry: str = "2026-11-30T06:00") -> None:
    """Let the head-end give leave to cut."""
    assert rig.order(identity, Kind.ARM, vendor.Arm(sequence, rig.stamp(expiry))) is DONE


def israel(balance: int = 0, dated: tuple[DatedWindow, ...] = ()) -> Rig:
    """Return an Israeli meter, prepaid; it is Thursday noon."""
    rig = Rig("il", "2026-11-26T12:00", dated=dated)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(0, balance)) is DONE
    return rig


# --- central -----------------------------------------------------------------------------------


def test_used_up_inside_the_window_supply_stays_until_its_last_second() -> None:
    """Tuesday 06:00 the head-end pushes -3.00 and arms; the window ends at 08:00:00."""
    rig = wallonia()
    rig.until("2026-11-24T06:00")
    assert rig.order(2, Kind.SNAPSHOT, rig.snapshot(2, -300, 900)) is DONE
    arm(rig, 3, 2)
    assert rig.relay == "connected"
    assert Sign.FRIENDLY in rig.last.lcd.signs
    rig.until("2026-11-24T07:59:59")
    assert rig.relay == "connected"
    rig.until("2026-11-24T08:00:00")
    assert rig.relay == "ready_for_reconnection"
    assert rig.coils[-1] is Coil.OPEN
    assert Sign.RELAY_OPEN in rig.last.lcd.signs


def test_a_top_up_closes_the_relay_by_itself() -> None:
    """The snapshot that is above the limit is one record with the relay move."""
    rig = wallonia("2026-11-24T12:00", balance=-100)
    arm(rig, 2, 1)
    assert rig.relay == "ready_for_reconnection"
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, 2400)) is DONE
    assert rig.relay == "connected"
    assert rig.coils[-1] is Coil.CLOSE


def test_a_top_up_that_does_not_clear_the_debt_leaves_it_open() -> None:
    """-10 and 5 more is still less than nothing."""
    rig = wallonia("2026-11-24T12:00", balance=-1000)
    arm(rig, 2, 1)
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, -500)) is DONE
    assert rig.relay == "ready_for_reconnection"


def test_without_an_arm_the_meter_never_cuts() -> None:
    """In central mode the balance is only what it was told."""
    rig = wallonia("2026-11-24T12:00", balance=-5000)
    rig.until("2026-11-26T12:00")
    assert rig.relay == "connected"


def test_an_arm_that_expires_inside_a_window_lets_no_cut_begin() -> None:
    """Communication may have been down since; the household keeps its supply."""
    rig = wallonia("2026-11-24T06:00", balance=-300)
    arm(rig, 2, 1, expiry="2026-11-24T07:00")
    rig.until("2026-11-24T12:00")
    assert rig.relay == "connected"


def test_a_newer_snapshot_disarms() -> None:
    """The arm was for another balance."""
    rig = wallonia("2026-11-24T06:00", balance=-300)
    arm(rig, 2, 1)
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, -300)) is DONE
    rig.until("2026-11-24T12:00")
    assert rig.relay == "connected"
    armed = rig.get(catalogue.ARMED_CUT, 1)
    assert isinstance(armed, Data)
    assert vendor_shown.ArmedCut.from_data(armed).armed is False


def test_a_household_that_was_cut_stays_cut_through_the_next_window_and_snapshot() -> None:
    """A window blocks the cut; it brings nothing back. Nor does a snapshot that is no better."""
    rig = wallonia("2026-11-24T12:00", balance=-300)
    arm(rig, 2, 1)
    rig.until("2026-11-24T20:00")
    assert rig.relay == "ready_for_reconnection"
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, -300)) is DONE
    assert rig.relay == "ready_for_reconnection"
    assert rig.order(4, Kind.DISARM) is DONE
    assert rig.relay == "connected"


def test_the_button_takes_emergency_credit_and_gives_the_windows_up() -> None:
    """EUR 12 more, but at their end the cut comes at night as well."""
    rig = wallonia("2026-11-24T12:00", balance=-300)
    arm(rig, 2, 1)
    assert rig.relay == "ready_for_reconnection"
    rig.press(Button.SELECT)
    assert rig.relay == "connected"
    assert Sign.EMERGENCY in rig.last.lcd.signs
    rig.until("2026-11-24T20:00")
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, -1200, 0)) is DONE
    arm(rig, 4, 2)
    assert rig.relay == "ready_for_reconnection"  # 20:00 is inside the window


def test_invoke_credit_is_the_button_for_a_client() -> None:
    """Method 3 of the emergency credit; refused while there is nothing to take."""
    rig = wallonia("2026-11-24T12:00", balance=300)
    refused = rig.act(catalogue.EMERGENCY_CREDIT, 112, 3, integer(0))
    assert refused is ActionResult.TEMPORARY_FAILURE
    rig.order(2, Kind.SNAPSHOT, rig.snapshot(2, -300, 900))
    assert rig.act(catalogue.EMERGENCY_CREDIT, 112, 3, integer(0)) is ActionResult.SUCCESS
    assert rig.kernel.state.account.emergency_selected


def test_deactivation_ends_the_cut() -> None:
    """Without prepayment credit has nothing to say about the supply."""
    rig = wallonia("2026-11-24T12:00", balance=-300)
    arm(rig, 2, 1)
    assert rig.order(3, Kind.DEACTIVATE) is DONE
    assert rig.relay == "connected"
    assert rig.last_outcome().amount == -300
    assert Sign.EURO_ARROW not in rig.last.lcd.signs


# --- local -------------------------------------------------------------------------------------


def test_the_balance_is_live_and_the_overdraft_is_used_before_the_cut() -> None:
    """ILS 100 and ILS 50 of overdraft at 0.60 per kWh are 250 kWh."""
    rig = israel()
    rig.enter(rig.token(2, 10_000))
    rig.use(100_000)
    assert rig.balance == 4_000
    rig.use(149_999)
    assert (rig.balance, rig.relay) == (-4_999, "connected")
    rig.use(1)
    assert (rig.balance, rig.relay) == (-5_000, "ready_for_reconnection")


def test_no_cut_on_sabbath_but_the_debt_grows_and_the_cut_follows_it() -> None:
    """Friday 15:40 to Saturday 17:30; the state is judged again the moment the window ends."""
    rig = israel()
    rig.enter(rig.token(2, 10_000))
    rig.until("2026-11-27T16:00", watt_hours=200_000)
    rig.use(100_000)
    assert (rig.balance, rig.relay) == (-8_000, "connected")
    rig.until("2026-11-28T17:29:59")
    assert rig.relay == "connected"
    rig.until("2026-11-28T17:30")
    assert rig.relay == "ready_for_reconnection"
    rig.enter(rig.token(3, 10_000))
    assert (rig.balance, rig.relay) == (2_000, "connected")


def test_a_meter_cut_before_sabbath_stays_cut() -> None:
    """The window never reconnects."""
    rig = israel()
    rig.use(100_000)
    assert rig.relay == "ready_for_reconnection"
    rig.until("2026-11-27T18:00")
    assert rig.relay == "ready_for_reconnection"


def test_a_dated_holiday_protects_like_the_weekly_window() -> None:
    """Its table came with the meter."""
    zone = ZoneInfo("Asia/Jerusalem")
    feast = DatedWindow(
        datetime(2026, 11, 26, 14, tzinfo=zone), datetime(2026, 11, 26, 18, tzinfo=zone)
    )
    rig = israel(dated=(feast,))
    rig.until("2026-11-26T14:00")
    rig.use(100_000)
    assert rig.relay == "connected"
    rig.until("2026-11-26T18:00")
    assert rig.relay == "ready_for_reconnection"


def test_past_its_table_of_holidays_the_meter_begins_no_cut() -> None:
    """Who does not know the holidays may not rule one out; the balance goes on falling."""
    zone = ZoneInfo("Asia/Jerusalem")
    feast = DatedWindow(
        datetime(2026, 11, 26, 10, tzinfo=zone), datetime(2026, 11, 26, 11, tzinfo=zone)
    )
    over = datetime(2026, 11, 26, 13, tzinfo=zone)
    rig = Rig("il", "2026-11-26T12:00", dated=(feast,), until_when=over)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0)) is DONE
    rig.until("2026-11-26T13:00")
    rig.use(100_000)
    assert (rig.balance, rig.relay) == (-6_000, "connected")
    before = Rig("il", "2026-11-26T09:00", dated=(feast,), until_when=over)
    assert before.order(1, Kind.ACTIVATE, before.snapshot(0, 0)) is DONE
    before.use(100_000)
    assert before.relay == "connected"
    within = Rig("il", "2026-11-26T12:00", dated=(feast,), until_when=over)
    assert within.order(1, Kind.ACTIVATE, within.snapshot(0, 0)) is DONE
    within.use(100_000)
    assert within.relay == "ready_for_reconnection"


def test_the_clock_set_out_of_the_window_ends_its_protection_at_once() -> None:
    """Rules live by the meter's own clock; a clock three hours wrong is put right."""
    rig = israel()
    rig.until("2026-11-27T16:00")
    rig.use(100_000)
    assert rig.relay == "connected"
    clock = rig.stamp("2026-11-27T13:00").to_bytes()
    from protocol.axdr import octet_string

    assert rig.set(catalogue.CLOCK, 8, octet_string(clock)) is DONE
    assert rig.relay == "ready_for_reconnection"


def test_low_credit_is_shown_and_can_be_read() -> None:
    """Under ILS 20, until there is more again."""
    rig = israel()
    rig.enter(rig.token(2, 10_000))
    rig.use(135_000)
    assert Sign.LOW_CREDIT in rig.last.lcd.signs
    assert rig.get(catalogue.LOW_CREDIT, 1) == Data(3, True)  # type: ignore[arg-type]  # a plain 3 equals the tag
    rig.enter(rig.token(3, 10_000))
    assert Sign.LOW_CREDIT not in rig.last.lcd.signs


def test_consumption_before_activation_costs_nothing() -> None:
    """Charging begins with prepayment, and ends with it."""
    rig = Rig("il")
    rig.use(50_000)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0)) is DONE
    assert rig.balance == 0
    rig.use(1_000)
    rig.order(2, Kind.DEACTIVATE)
    rig.use(50_000)
    assert rig.balance == 0
    assert rig.last_outcome().amount == -60


# --- the operator ------------------------------------------------------------------------------


def test_an_operators_cut_is_not_bound_by_a_window() -> None:
    """It is another thing than a cut for credit."""
    rig = wallonia("2026-11-24T20:00")
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0)) is ActionResult.SUCCESS
    assert rig.relay == "disconnected"


def test_each_cause_has_to_go_before_supply_comes_back() -> None:
    """Operator and credit at once: one leaves, the other keeps it open."""
    rig = wallonia("2026-11-24T12:00", balance=-300)
    arm(rig, 2, 1)
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    assert rig.kernel.state.relay.causes == Cause.CREDIT | Cause.OPERATOR
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0)) is ActionResult.SUCCESS
    assert rig.relay == "ready_for_reconnection"
    rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, 500))
    assert rig.relay == "connected"


def test_reconnecting_a_meter_that_is_cut_for_credit_is_refused() -> None:
    """There is no cause of the operator's to withdraw; nobody is told that supply is back."""
    rig = wallonia("2026-11-24T12:00", balance=-300)
    arm(rig, 2, 1)
    result = rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
    assert result is ActionResult.TEMPORARY_FAILURE
    assert rig.relay == "ready_for_reconnection"


@pytest.mark.parametrize("index", [1, 2])
def test_switching_twice_is_switching_once(index: int) -> None:
    """The commands may be repeated after a lost reply."""
    rig = wallonia()
    for _ in range(2):
        result = rig.act(catalogue.DISCONNECT_CONTROL, 70, index, integer(0))
        assert result is ActionResult.SUCCESS


def test_update_amount_works_for_other_peoples_clients_where_the_meter_owns_the_balance() -> None:
    """In central mode it is refused: the balance is the head-end's."""
    rig = israel()
    assert rig.act(catalogue.TOKEN_CREDIT, 112, 1, double_long(500)) is ActionResult.SUCCESS
    assert rig.act(catalogue.TOKEN_CREDIT, 112, 2, double_long(300)) is ActionResult.SUCCESS
    assert rig.balance == 300
    central = wallonia()
    result = central.act(catalogue.TOKEN_CREDIT, 112, 1, double_long(500))
    assert result is ActionResult.OTHER_REASON
    assert central.balance == 2000
