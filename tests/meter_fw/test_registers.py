"""Registers beside import: rates, export, phases; and the charges that count by them."""

import pytest

from meter_fw.board import Phase
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.charge import Charge, ChargeType, Tariff
from prepay.profile import Profile
from protocol.axdr import Data, octet_string
from protocol.codes import DataAccessResult
from tests.meter_fw.accounts import DONE, ENERGY, balanced, charge, made, opened, priced
from tests.meter_fw.rig import Rig

EXPORT = 7


def register(rig: Rig, name: ObisCode) -> int:
    """Return the value of a register."""
    found = rig.get(name, 3)
    assert isinstance(found, Data)
    return int(found.value)


def two_rates() -> Profile:
    """Return a profile at 0.50 by day and 0.20 by night that pays 0.10 for what is fed in."""
    il = priced()
    day_and_night = tuple(Tariff.per_kwh(price) for price in ("0.50", "0.20"))
    fed_in = Charge(
        "feed-in",
        ChargeType.CONSUMPTION,
        register="1-0:2.8.0",
        tariffs=(Tariff.per_kwh("-0.10"),),
    )
    charges = (replace(il.charges[ENERGY], tariffs=day_and_night), *il.charges[1:], fed_in)
    return replace(il, charges=charges)


def test_energy_counts_for_the_rate_that_is_active() -> None:
    """1 kWh by day 0.50, 2 kWh by night 0.40; rate registers and total; after a power cut too."""
    rig = opened(two_rates(), 10_000)
    first = rig.balance
    rig.use(1_000)
    assert rig.set(catalogue.ACTIVE_RATE, 1, octet_string(b"\2")) is DONE
    rig.use(2_000)
    rig.tick(failing=True)
    rig.boot()
    assert first - rig.balance == 50 + 40
    assert [register(rig, name) for name in catalogue.IMPORT_RATES[:2]] == [1_000, 2_000]
    assert register(rig, catalogue.ACTIVE_ENERGY_IMPORT) == 3_000
    assert rig.get(catalogue.ACTIVE_RATE, 1) == octet_string(b"\2")
    assert [row.value[1].value for row in charge(rig, ENERGY, 5)[2].value] == [5, 2]
    assert [row.value[0].value for row in charge(rig, ENERGY, 5)[2].value] == [b"\1", b"\2"]


@pytest.mark.parametrize("octets", [b"", b"\0", b"\3", b"\1\1"])
def test_a_rate_without_a_price_is_refused(octets: bytes) -> None:
    """There are two."""
    rig = made(two_rates())
    answer = rig.set(catalogue.ACTIVE_RATE, 1, octet_string(octets))
    assert answer is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_feed_in_at_a_negative_price_is_worth_something() -> None:
    """5 kWh at -0.10 bring 0.50; the charge has collected less than nothing."""
    rig = opened(two_rates(), 10_000)
    first = rig.balance
    rig.tick(exported=5_000, exported_power=2_500)
    assert rig.balance - first == 50
    assert charge(rig, EXPORT, 2) == -50
    assert register(rig, catalogue.ACTIVE_ENERGY_EXPORT) == 5_000
    assert register(rig, catalogue.ACTIVE_POWER_EXPORT) == 2_500
    assert balanced(rig)


def test_a_meter_of_one_price_has_no_rate_registers() -> None:
    """Nobody would know what they count."""
    rig = opened()
    absent = DataAccessResult.OBJECT_UNDEFINED
    assert rig.get(catalogue.IMPORT_RATES[0], 3) is absent
    assert rig.get(catalogue.ACTIVE_RATE, 1) is absent


def test_three_phases_are_shown_as_the_board_measures_them() -> None:
    """Voltage in tenths, current in hundredths, power in W; 0 for what it does not say."""
    rig = made(replace(priced(), phases=3))
    rig.tick(phases=(Phase(2301, 512, 1178), Phase(2299, 0, 0)))
    by_phase = zip(
        catalogue.PHASE_VOLTAGE, catalogue.PHASE_CURRENT, catalogue.PHASE_POWER, strict=True
    )
    found = [tuple(register(rig, name) for name in names) for names in by_phase]
    assert found == [(2301, 512, 1178), (2299, 0, 0), (0, 0, 0)]
    assert opened().get(catalogue.PHASE_VOLTAGE[1], 3) is DataAccessResult.OBJECT_UNDEFINED
