"""A flash that takes no more: what is not durable is not acknowledged, and the meter goes on."""

from collections.abc import Callable

import pytest

from meter_fw.board import Button, Coil, Sign
from meter_fw.cells import restore
from meter_fw.counting import COUNTER_BLOCK
from meter_fw.nvram import Journal
from obis import catalogue
from prepay.transactions import Kind
from protocol.axdr import Data, double_long, integer, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.errors import CountersExhausted
from sim.flash import MemoryFlash
from tests.meter_fw.rig import PUBLIC, READER, Rig


class WearingFlash(MemoryFlash):
    """Flash whose cells keep what they hold once it is worn: programming and erasing do nothing."""

    worn = False

    def program(self, block: int, offset: int, data: bytes) -> None:
        """Program, while it is not worn."""
        if not self.worn:
            super().program(block, offset, data)

    def erase(self, block: int) -> None:
        """Erase, while it is not worn."""
        if not self.worn:
            super().erase(block)


def meter(profile: str, start: str, first: int = 0) -> tuple[Rig, WearingFlash]:
    """Return an active meter and its flash, as good as new."""
    flash = WearingFlash(2, 32 * 1024)
    rig = Rig(profile, start, flash=flash)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, first))
    return rig, flash


Ask = Callable[[Rig], DataAccessResult | ActionResult]


def _adjust(rig: Rig) -> DataAccessResult:
    return rig.order(2, Kind.ADJUST, 500)


def _refused_order(rig: Rig) -> DataAccessResult:
    return rig.order(2, Kind.DISARM)


def _token(rig: Rig) -> ActionResult:
    return rig.enter(rig.token(2, 500))


def _false_token(rig: Rig) -> ActionResult:
    return rig.enter(b"no token")


def _clock(rig: Rig) -> DataAccessResult:
    stamp = octet_string(rig.stamp("2026-11-27T13:00").to_bytes())
    return rig.set(catalogue.CLOCK, 8, stamp)


def _disconnect(rig: Rig) -> ActionResult:
    return rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))


def _update_amount(rig: Rig) -> ActionResult:
    return rig.act(catalogue.TOKEN_CREDIT, 112, 1, double_long(500))


def _close_account(rig: Rig) -> ActionResult:
    return rig.act(catalogue.ACCOUNT, 111, 2, integer(0))


REQUESTS = [
    *(_adjust, _refused_order, _token, _false_token),
    *(_clock, _disconnect, _update_amount, _close_account),
]


@pytest.mark.parametrize("ask", REQUESTS)
def test_what_cannot_be_made_durable_is_answered_hardware_fault_and_has_not_happened(
    ask: Ask,
) -> None:
    """Orders, tokens, the clock, the relay: the state is as it was, and so is the coil."""
    rig, flash = meter("il", "2026-11-26T12:00", 700)
    before, coils = rig.lasting, list(rig.coils)
    flash.worn = True
    result = ask(rig)
    assert result.name == "HARDWARE_FAULT"
    assert result.value == 1
    assert rig.lasting == before
    assert rig.coils == coils
    rig.boot()
    assert rig.lasting == before


@pytest.mark.parametrize("ask", [_adjust, _token, _clock])
def test_a_flash_that_takes_it_the_second_time_takes_it_once(ask: Ask) -> None:
    """The same order or token again, as after any lost reply."""
    rig, flash = meter("il", "2026-11-26T12:00", 700)
    flash.worn = True
    assert ask(rig).name == "HARDWARE_FAULT"
    flash.worn = False
    assert ask(rig).name == "SUCCESS"
    assert rig.balance == (700 if ask is _clock else 1200)
    after = rig.lasting
    rig.boot()
    assert rig.lasting == after


def test_energy_is_metered_and_charged_on() -> None:
    """In memory, as between two quarter-hours; it is durable again with the flash."""
    rig, flash = meter("il", "2026-11-26T12:00", 1000)
    flash.worn = True
    rig.until("2026-11-26T13:00", 5_000)
    rig.use(5_000)
    assert rig.kernel.state.energy.imported == 10_000
    assert rig.balance == 400
    assert _adjust(rig) is DataAccessResult.HARDWARE_FAULT
    assert rig.balance == 400
    flash.worn = False
    rig.until("2026-11-26T13:15")
    rig.boot()
    assert (rig.kernel.state.energy.imported, rig.balance) == (10_000, 400)


def test_reading_goes_on() -> None:
    """Every client may still ask; so may whoever looks for the fault."""
    rig, flash = meter("be-wal", "2026-11-24T12:00", 2000)
    flash.worn = True
    for caller in (PUBLIC, READER):
        assert isinstance(rig.get(catalogue.CLOCK, 8, caller=caller), Data)
    assert rig.balance == 2000
    assert rig.last_outcome().balance == 2000


def test_a_cut_that_cannot_be_remembered_is_not_made_and_is_made_when_it_can() -> None:
    """A restart would feed the household again, and nobody would know why."""
    rig, flash = meter("il", "2026-11-26T12:00")
    flash.worn = True
    rig.use(100_000)
    assert rig.balance == -6_000
    assert rig.relay == "connected"
    assert Coil.OPEN not in rig.coils
    assert Sign.RELAY_OPEN not in rig.last.lcd.signs
    flash.worn = False
    rig.tick()
    assert rig.relay == "ready_for_reconnection"
    assert rig.coils[-1] is Coil.OPEN


def test_a_button_has_no_effect_that_a_restart_would_take_back() -> None:
    """Emergency credit is taken when it can be remembered."""
    rig, flash = meter("be-wal", "2026-11-24T12:00", -300)
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    flash.worn = True
    rig.press(Button.SELECT)
    assert rig.relay == "ready_for_reconnection"
    assert not rig.kernel.state.account.emergency_selected
    flash.worn = False
    rig.press(Button.SELECT)
    assert rig.relay == "connected"


def test_no_invocation_counter_is_used_that_is_not_reserved() -> None:
    """It would be used again after a restart, and give the key's plaintexts away."""
    rig, flash = meter("be-wal", "2026-11-24T12:00", 2000)
    used = [rig.kernel.next() for _ in range(COUNTER_BLOCK)]
    before = rig.lasting
    flash.worn = True
    for _ in range(3):
        with pytest.raises(CountersExhausted):
            rig.kernel.next()
    assert rig.lasting == before
    flash.worn = False
    rig.boot()
    assert rig.kernel.next() > max(used)


def test_a_day_that_cannot_be_remembered_is_captured_when_it_can() -> None:
    """With the register of that moment."""
    rig, flash = meter("be-wal", "2026-11-23T23:00", 2000)
    rig.until("2026-11-23T23:30", 1_000)
    flash.worn = True
    rig.until("2026-11-24T00:30", 1_000)
    assert not rig.kernel.state.days
    flash.worn = False
    rig.tick()
    days = rig.kernel.state.days
    assert [day.imported for day in days] == [2_000]
    assert restore(Journal(flash).mount().cells).days == days
