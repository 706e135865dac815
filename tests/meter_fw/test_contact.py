"""The relay's contact and the cover: what the board says, and what the meter makes of it."""

import pytest

from meter_fw.board import Button, Coil, Sign
from meter_fw.contact import AGAIN, PATIENCE, Feedback
from meter_fw.relay import MODES, TRANSITIONS, Cause, manual_reconnect, remote_reconnect
from obis import catalogue
from prepay.transactions import Kind
from protocol.axdr import Data, integer
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem.disconnect_control import ControlState
from protocol.events import ActionRequest, MethodRef
from protocol.timing import Instant
from tests.meter_fw.rig import MANAGER, Rig

DONE = DataAccessResult.SUCCESS
D, C, R = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION


def test_the_contact_has_ten_seconds_and_is_pulsed_once_a_minute() -> None:
    """Counted from when it was first seen to be elsewhere."""
    feedback = Feedback().follow(False, True, Instant(5))
    assert feedback.wake_at() == 5 + PATIENCE
    assert not feedback.stuck(Instant(4 + PATIENCE))
    assert feedback.stuck(Instant(5 + PATIENCE))
    assert feedback.due(Instant(5 + PATIENCE))
    feedback = feedback.follow(False, True, Instant(5 + PATIENCE))
    assert feedback.wake_at() == 5 + PATIENCE + AGAIN
    assert feedback.stuck(Instant(6 + PATIENCE))
    assert feedback.follow(False, False, Instant(7 + PATIENCE)) == Feedback()


@pytest.mark.parametrize("closed", [None, True])
def test_a_contact_that_follows_or_says_nothing_needs_no_looking_at(closed: bool | None) -> None:
    """The very same object: nothing wakes the meter for it."""
    feedback = Feedback()
    assert feedback.follow(True, closed, Instant(0)) is feedback
    assert feedback.wake_at() is None


# --- on the bench ------------------------------------------------------------------------------


def live(rig: Rig, seconds: int, *, closed: bool) -> None:
    """Let time pass with the contact where it is, waking when the meter wants."""
    end = Instant(rig.now + seconds * 1000)
    rig.tick(contact_closed=closed)
    while rig.now < end:
        rig.now = min(end, rig.last.wake_at)
        rig.tick(contact_closed=closed)


def output(rig: Rig) -> bool:
    """Read output_state."""
    value = rig.get(catalogue.DISCONNECT_CONTROL, 70, 2)
    assert isinstance(value, Data)
    return bool(value.value)


def stuck_closed() -> Rig:
    """Return a meter that was disconnected and whose contact has not moved."""
    rig = Rig()
    live(rig, 1, closed=True)
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0)) is ActionResult.SUCCESS
    return rig


def test_a_contact_that_does_not_follow_is_told_after_ten_seconds() -> None:
    """Sign, event, and the truth in output_state; the control state is what was ordered."""
    rig = stuck_closed()
    live(rig, 9, closed=True)
    assert Sign.RELAY_FAULT not in rig.last.lcd.signs
    assert 68 not in rig.relay_codes
    live(rig, 1, closed=True)
    assert Sign.RELAY_FAULT in rig.last.lcd.signs
    assert rig.relay_codes == [62, 68]
    assert (output(rig), rig.relay) == (True, "disconnected")


def test_the_coil_is_pulsed_again_at_once_and_then_once_a_minute() -> None:
    """And not by the tick, which may come a hundred times a second."""
    rig = stuck_closed()
    rig.coils.clear()
    live(rig, 9, closed=True)
    assert rig.coils == []
    live(rig, 1, closed=True)
    assert rig.coils == [Coil.OPEN]
    for _ in range(50):
        rig.tick(contact_closed=True)
    assert rig.coils == [Coil.OPEN]
    live(rig, 120, closed=True)
    assert rig.coils == [Coil.OPEN] * 3


def test_when_it_comes_loose_all_is_well_again() -> None:
    """An event, once, and the sign goes."""
    rig = stuck_closed()
    live(rig, 70, closed=True)
    live(rig, 1, closed=False)
    assert rig.relay_codes == [62, 68, 200]
    assert Sign.RELAY_FAULT not in rig.last.lcd.signs
    assert output(rig) is False
    rig.coils.clear()
    live(rig, 300, closed=False)
    assert rig.coils == []


def test_a_fault_is_told_once_however_often_the_power_goes() -> None:
    """It is kept; and is over when the contact follows after all."""
    rig = stuck_closed()
    live(rig, 20, closed=True)
    rig.kernel = type(rig.kernel)(rig.flash, rig.factory, bytes, rig.now)
    live(rig, 20, closed=True)
    assert rig.relay_codes == [62, 68]
    live(rig, 1, closed=False)
    assert rig.relay_codes == [62, 68, 200]


def test_a_contact_that_will_not_close_is_told_too() -> None:
    """The other way round: the household is in the dark, and the meter does not say it is not."""
    rig = stuck_closed()
    live(rig, 1, closed=False)
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
    live(rig, 11, closed=False)
    assert rig.relay_codes[-1] == 68
    assert (output(rig), rig.relay) == (False, "connected")


def test_a_board_without_feedback_is_believed() -> None:
    """Its output_state is what was ordered."""
    rig = Rig()
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    rig.until("2026-11-23T13:00")
    assert (output(rig), rig.relay_codes) == (False, [62])


# --- the cover ---------------------------------------------------------------------------------


def test_a_cover_that_is_opened_opens_the_relay_until_an_operator_clears_it() -> None:
    """Closing the cover clears nothing; remote_reconnect does, though it stands ready."""
    rig = Rig()
    rig.tick(tamper=True)
    assert (rig.relay, rig.coils[-1]) == ("ready_for_reconnection", Coil.OPEN)
    assert rig.kernel.state.relay.causes == Cause.TAMPER
    rig.tick(tamper=False)
    rig.press(Button.SELECT)
    rig.boot()
    assert rig.relay == "ready_for_reconnection"
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0)) is ActionResult.SUCCESS
    assert (rig.relay, rig.coils[-1]) == ("connected", Coil.CLOSE)
    assert rig.codes == [44, 45]
    assert rig.relay_codes == [201, 64, 63]


def test_a_fitter_may_work_with_the_cover_open() -> None:
    """What an operator has cleared is not set again by a cover that is still open."""
    rig = Rig()
    rig.tick(tamper=True)
    clear = ActionRequest(MethodRef(70, catalogue.DISCONNECT_CONTROL, 2), integer(0))
    rig.kernel.answer(MANAGER, clear)
    rig.tick(tamper=True)
    assert rig.relay == "connected"
    rig.tick(tamper=False)
    rig.tick(tamper=True)
    assert rig.relay == "ready_for_reconnection"


# --- arbitration -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", sorted(MODES))
def test_the_button_recloses_where_the_mode_has_e_and_no_cause_stands(mode: int) -> None:
    """All seven modes; a cause, whichever it is, holds the relay open against any finger."""
    assert manual_reconnect(mode, R, Cause.NONE) is (C if "e" in MODES[mode] else R)
    for cause in Cause:
        assert manual_reconnect(mode, R, cause) is R
    for state in (D, C):
        assert manual_reconnect(mode, state, Cause.NONE) is state
    assert TRANSITIONS["e"][1:] == (R, C)


@pytest.mark.parametrize("mode", sorted(set(MODES) - {0}))
@pytest.mark.parametrize("other", [Cause.NONE, Cause.CREDIT, Cause.LIMITER, Cause.GAS_SAFETY])
def test_an_operator_clears_tamper_and_no_cause_of_others(mode: int, other: Cause) -> None:
    """From ready: what is left decides whether it closes, and h or a hand closes it."""
    answer = remote_reconnect(mode, R, Cause.TAMPER | other)
    assert answer is not None
    closes = not other and "h" in MODES[mode]
    assert answer == (C if closes else R, other)


def test_two_causes_at_once_and_the_last_one_that_goes_closes() -> None:
    """Credit and tamper: the payment alone does not close it, nor the operator alone."""
    rig = Rig(start="2026-11-24T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300))
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    rig.tick(tamper=True)
    rig.tick(tamper=False)
    assert rig.kernel.state.relay.causes == Cause.CREDIT | Cause.TAMPER
    assert rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, 2000)) is DONE
    assert rig.relay == "ready_for_reconnection"
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
    assert rig.relay == "connected"
