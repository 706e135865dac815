"""The display: pages and signs of both profiles, and the registers behind them."""

from typing import Any

import pytest

from meter_fw.board import Button, Outputs, Sign
from meter_fw.nvram import Finding
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.profile import Indicator, load_profile
from prepay.transactions import Kind
from protocol.axdr import Data, double_long, integer, octet_string
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from sim.flash import MemoryFlash
from tests.meter_fw.rig import Rig


def pages(rig: Rig) -> dict[str, str]:
    """Return what each page shows, with its unit."""
    return {page.code: f"{page.value} {page.unit}".strip() for page in rig.kernel.display()}


def signs(rig: Rig) -> Sign:
    """Return the signs that are lit: the same on every page."""
    rig.tick()
    (lit,) = {page.signs for page in rig.kernel.display()}
    assert rig.last.lcd.signs == lit
    return lit


def wallonia(balance: int = 2000, start: str = "2026-11-24T12:00", emergency: int = 1200) -> Rig:
    """Return a Walloon meter with a first snapshot."""
    rig = Rig("be-wal", start)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, balance, emergency))
    return rig


def israel(balance: int = 0) -> Rig:
    """Return an Israeli meter; a balance without a token is the start credit."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, balance))
    return rig


# --- pages -------------------------------------------------------------------------------------


def test_the_pages_of_wallonia() -> None:
    """The customer's codes are printed with a space, as the operator's guide has them."""
    rig = wallonia(-320, emergency=880)
    rig.use(12_345)
    assert pages(rig) == {
        "1.8.0": "000012.345 kWh",
        "94.32.2 1": "2026-11-24 12:00",
        "94.32.2 2": "-3.20 EUR",
        "94.32.2 3": "8.80 EUR",
    }


def test_the_pages_of_israel() -> None:
    """The balance is live, and so are power and clock."""
    rig = israel()
    rig.use(12_345)
    rig.tick(power=1500)
    assert pages(rig) == {
        "1.8.0": "000012.345 kWh",
        "19.10.0": "-7.40 ILS",
        "1.7.0": "1500 W",
        "1.0.0": "2026-11-26 12:00",
    }


def test_before_the_first_snapshot_there_is_no_time_of_update() -> None:
    """A line of dashes, and nothing on the credit."""
    shown = pages(Rig())
    assert shown["94.32.2 1"] == "----------------"
    assert (shown["94.32.2 2"], shown["94.32.2 3"]) == ("0.00 EUR", "0.00 EUR")


def test_the_snapshot_stays_on_the_display_while_energy_is_used() -> None:
    """In central mode it is stale in between; that is why its time is shown."""
    rig = wallonia(2000)
    rig.until("2026-11-25T12:00", 50_000)
    shown = pages(rig)
    assert (shown["94.32.2 1"], shown["94.32.2 2"]) == ("2026-11-24 12:00", "20.00 EUR")
    assert shown["1.8.0"] == "000050.000 kWh"


@pytest.mark.parametrize(
    ("watt_hours", "shown"),
    [
        (0, "000000.000 kWh"),
        (999, "000000.999 kWh"),
        (999_999_999, "999999.999 kWh"),
        (1_000_000_000, "000000.000 kWh"),
        (4_294_967_296, "294967.296 kWh"),
    ],
)
def test_the_energy_page_rolls_over_after_six_places(watt_hours: int, shown: str) -> None:
    """As a drum would."""
    rig = Rig()
    rig.use(watt_hours)
    assert pages(rig)["1.8.0"] == shown


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_every_value_fits_the_16_places_of_the_display(profile: str) -> None:
    """The greatest amounts, the last year, the greatest power."""
    for balance in (-(1 << 31), (1 << 31) - 1):
        rig = Rig(profile, "2099-12-31T23:59")
        first = 0 if profile == "il" else balance
        rig.order(1, Kind.ACTIVATE, rig.snapshot(1, first, balance))
        rig.order(2, Kind.ADJUST, balance)
        rig.tick(pulses=(1 << 32) - 1, power=(1 << 32) - 1)
        assert all(len(page.value) <= 16 for page in rig.kernel.display())


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_the_button_turns_the_pages_and_begins_again(profile: str) -> None:
    """In the order of the profile; a press together with SELECT counts as well."""
    rig = Rig(profile)
    codes = [page.code for page in rig.kernel.display()]
    assert rig.last.lcd.code == codes[0]
    for code in [*codes[1:], *codes]:
        rig.press(Button.DISPLAY)
        assert rig.last.lcd.code == code
    rig.tick(buttons=frozenset({Button.DISPLAY, Button.SELECT}))
    assert rig.last.lcd.code == codes[0]


# --- signs -------------------------------------------------------------------------------------


def friendly(rig: Rig) -> Rig:
    """Let the evening come."""
    rig.until("2026-11-24T16:00")
    return rig


def emergency_taken() -> Rig:
    """Return a Walloon meter whose customer has pressed the button."""
    rig = wallonia(-300, emergency=900)
    rig.press(Button.SELECT)
    return rig


def cut() -> Rig:
    """Return one that was cut."""
    rig = wallonia(-300)
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    return rig


def opened() -> Rig:
    """Return one that the operator has opened."""
    rig = wallonia()
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    return rig


def lost() -> Rig:
    """Return one that does not know the time."""
    flash = MemoryFlash(2, 32 * 1024)
    flash.fill(bytes(range(256)) * 256)
    rig = Rig(flash=flash)
    assert rig.kernel.finding is Finding.LOST
    return rig


def ended(rig: Rig) -> Rig:
    """End prepayment."""
    rig.order(9, Kind.DEACTIVATE)
    return rig


ARROW, LOW = Sign.EURO_ARROW, Sign.LOW_CREDIT


def calendar_ends() -> Rig:
    """Return a meter whose calendar lasts for 89 days more."""
    rig = wallonia()
    end = octet_string(rig.stamp("2027-02-20T00:00").to_bytes())
    rig.set(catalogue.CALENDAR_UNTIL, 1, end)
    return rig


def limited() -> Rig:
    """Return the meter of a protected customer who has used everything up."""
    rig = cut()
    rig.order(90, Kind.CUSTOMER, vendor.Customer(True, False))
    return rig


def never_cut() -> Rig:
    """Return a meter that is never cut for want of credit."""
    rig = wallonia()
    rig.order(90, Kind.CUSTOMER, vendor.Customer(False, True))
    return rig


class StuckRig(Rig):
    """A meter whose contact stays closed, whatever its coil does."""

    def tick(self, **inputs: Any) -> Outputs:
        """Tick at the present moment."""
        return super().tick(contact_closed=True, **inputs)


def stuck() -> Rig:
    """Return a meter that was opened ten seconds ago and whose contact is closed."""
    rig = StuckRig("be-wal", "2026-11-24T12:00")
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    rig.until("2026-11-24T12:00:10")
    return rig


SIGNS = {
    "new": (Rig, Sign.NONE),
    "new, in a window": (lambda: friendly(Rig(start="2026-11-24T12:00")), Sign.NONE),
    "active": (wallonia, ARROW),
    "low": (lambda: wallonia(499), ARROW | LOW),
    "not yet low": (lambda: wallonia(500), ARROW),
    "in a window": (lambda: friendly(wallonia()), ARROW | Sign.FRIENDLY),
    "emergency credit": (emergency_taken, ARROW | LOW | Sign.EMERGENCY),
    "cut": (cut, ARROW | LOW | Sign.RELAY_OPEN),
    "opened by the operator": (opened, ARROW | Sign.RELAY_OPEN),
    "time unknown": (lost, Sign.CLOCK_UNKNOWN),
    "minimum supply": (limited, ARROW | LOW | Sign.LIMITED),
    "never cut": (never_cut, ARROW | Sign.NEVER_CUT),
    "a contact that is stuck": (stuck, Sign.RELAY_OPEN | Sign.RELAY_FAULT),
    "its calendar about to end": (calendar_ends, ARROW | Sign.CALENDAR_ENDS),
    "ended while low": (lambda: ended(wallonia(100)), Sign.NONE),
    "ended while cut": (lambda: ended(cut()), Sign.NONE),
    "ended on emergency credit": (lambda: ended(emergency_taken()), Sign.NONE),
    "Israel, active": (lambda: israel(5000), Sign.NONE),
    "Israel, low": (lambda: israel(1999), LOW),
    "Israel, not yet low": (lambda: israel(2000), Sign.NONE),
}


@pytest.mark.parametrize(("make", "expected"), SIGNS.values(), ids=SIGNS)
def test_the_signs_that_are_lit(make: object, expected: Sign) -> None:
    """Each state lights its signs and no other, and a restart lights the same."""
    rig = make()  # type: ignore[operator]  # one of the meters above
    assert signs(rig) == expected
    rig.boot()
    assert signs(rig) == expected


def test_every_sign_is_in_the_table() -> None:
    """A sign that is never lit in a test might never be lit."""
    lit = Sign.NONE
    for _, expected in SIGNS.values():
        lit |= expected
    assert lit == ~Sign.NONE


def test_a_profile_without_an_indicator_lights_no_arrow() -> None:
    """It is the profile's, not the currency's."""
    rig = wallonia()
    display = replace(rig.factory.profile.display, indicator=Indicator.NONE)
    rig.factory = replace(rig.factory, profile=replace(rig.factory.profile, display=display))
    rig.boot()
    assert Sign.EURO_ARROW not in signs(rig)


def test_the_relay_is_named_as_class_70_names_it() -> None:
    """On every page."""
    for rig, name in (
        (wallonia(), "connected"),
        (cut(), "ready_for_reconnection"),
        (opened(), "disconnected"),
    ):
        assert {page.relay for page in rig.kernel.display()} == {name}


# --- the button beside it ----------------------------------------------------------------------


def test_the_select_button_closes_the_relay_where_the_mode_wants_a_hand_on_it() -> None:
    """Mode 3 has no automatic return: paid, the meter waits for the customer."""
    rig = Rig("be-wal", "2026-11-24T12:00")
    rig.factory = replace(rig.factory, profile=replace(rig.factory.profile, relay_control_mode=3))
    rig.boot()
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -1500))
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    rig.press(Button.SELECT)
    assert rig.relay == "ready_for_reconnection"  # nothing is paid, no advance is left
    rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, 500))
    assert rig.relay == "ready_for_reconnection"
    rig.press(Button.SELECT)
    assert rig.relay == "connected"
    assert rig.coils[-1].name == "CLOSE"
    rig.boot()
    assert rig.relay == "connected"


def test_the_select_button_does_nothing_while_nothing_is_offered() -> None:
    """Not in Israel, not with money left, not before activation, not after the operator."""
    for rig in (Rig(), wallonia(), israel(-5000), opened()):
        before = rig.kernel.state
        rig.press(Button.SELECT)
        assert rig.kernel.state is before


def test_a_profile_with_a_control_mode_that_no_relay_here_has_makes_no_meter() -> None:
    """Better at commissioning than at the first cut."""
    rig = Rig()
    profile = replace(load_profile("be-wal"), relay_control_mode=7)
    with pytest.raises(ValueError, match="no control mode 7"):
        replace(rig.factory, profile=profile)


# --- the registers behind 94.32.2 --------------------------------------------------------------


def test_the_customers_codes_are_objects_where_the_profile_says() -> None:
    """Their A and B digits are not public: a setting."""
    rig = Rig()
    display = replace(rig.factory.profile.display, code_a=1, code_b=2)
    rig.factory = replace(rig.factory, profile=replace(rig.factory.profile, display=display))
    rig.boot()
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 777, 333))
    assert rig.get(ObisCode(1, 2, 94, 32, 2, 2), 3) == double_long(777)
    assert rig.get(ObisCode(1, 2, 94, 32, 2, 3), 3) == double_long(333)
    stamp = rig.get(ObisCode(1, 2, 94, 32, 2, 1), 1)
    assert stamp == octet_string(rig.stamp().to_bytes())
    assert not isinstance(rig.get(catalogue.DISPLAY_BALANCE.complete(0, 0), 3), Data)


def test_a_profile_that_does_not_show_them_has_no_such_objects() -> None:
    """Israel's balance is at the credit object's own code."""
    names = Rig("il").kernel._objects
    assert not [name for name in names if name.c == 94]


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        ("07EA FE FF FF FF FF FF FF 8000 FF", "2026-dst-begin-*"),
        ("07EA 0B 18 FF 06 FF FF FF 8000 FF", "2026-11-24 06:**"),
        ("FFFE 0B 18 FF 06 00 00 00 8000 FF", "65534-11-24 06:0"),
        ("FFFF 0B 18 FF 06 00 00 00 8000 FF", "-" * 16),
    ],
)
def test_a_stamp_with_wildcards_is_shown_as_far_as_it_goes(octets: str, shown: str) -> None:
    """A head-end may leave parts of it out; the page stays within its places."""
    rig = Rig()
    as_of = CosemDateTime.from_bytes(bytes.fromhex(octets.replace(" ", "")))
    rig.order(1, Kind.ACTIVATE, vendor.Snapshot(1, 500, 0, as_of))
    assert pages(rig)["94.32.2 1"] == shown
