"""The registers beside import: export, rates, and what is measured by phase."""

from collections.abc import Callable
from typing import Final

from meter_fw.money_state import Registers
from meter_fw.server import Attribute, CosemObject
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.profile import Profile
from protocol.codes import DataAccessResult
from protocol.cosem.data import DATA
from protocol.cosem.register import REGISTER
from protocol.cosem.types import DOUBLE_LONG_UNSIGNED, OCTET_STRING
from protocol.errors import AccessRefused

_ROLLOVER: Final = 1 << 32
_REGISTER: Final = REGISTER.typed(value=DOUBLE_LONG_UNSIGNED)


def _register(name: ObisCode, get: Callable[[View], int]) -> CosemObject:
    row = catalogue.find(str(name))
    return CosemObject(
        _REGISTER,
        name,
        {
            2: Attribute(lambda view: get(view) % _ROLLOVER, READERS),
            3: Attribute(lambda view: (row.scaler, row.unit), READERS),
        },
    )


def rates_of(profile: Profile) -> int:
    """Return how many rates a profile has prices for; 1 is none beside the total."""
    return max(len(counter.factors) for counter in profile.account.counters)


def _rate(place: int) -> list[CosemObject]:
    def imported(view: View) -> int:
        return view.state.registers.imported_rates[place]

    def exported(view: View) -> int:
        return view.state.registers.exported_rates[place]

    return [
        _register(catalogue.IMPORT_RATES[place], imported),
        _register(catalogue.EXPORT_RATES[place], exported),
    ]


def _active_rate(rates: int) -> CosemObject:
    """Which rate register counts, from 1, in one octet; what was used before has counted."""

    def change(view: View, octets: bytes) -> Change:
        if len(octets) != 1 or not 1 <= octets[0] <= rates:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"1 to {rates}")
        kept: Registers = view.state.registers
        return Change(view.state.but(registers=replace(kept, rate=octets[0] - 1)))

    def get(view: View) -> bytes:
        return bytes([view.state.registers.rate + 1])

    return CosemObject(
        DATA.typed(value=OCTET_STRING),
        catalogue.ACTIVE_RATE,
        {2: Attribute(get, READERS, change, Role.MANAGEMENT)},
    )


def _phase(place: int) -> list[CosemObject]:
    def measured(name: str) -> Callable[[View], int]:
        def get(view: View) -> int:
            if place >= len(view.phases):
                return 0  # the board does not say
            return int(getattr(view.phases[place], name))

        return get

    return [
        _register(catalogue.PHASE_VOLTAGE[place], measured("voltage")),
        _register(catalogue.PHASE_CURRENT[place], measured("current")),
        _register(catalogue.PHASE_POWER[place], measured("power")),
    ]


def objects(profile: Profile) -> tuple[CosemObject, ...]:
    """Return the registers that a meter of this profile has."""
    rates = rates_of(profile)
    found = [
        _register(catalogue.ACTIVE_ENERGY_EXPORT, lambda view: view.state.registers.exported),
        _register(catalogue.ACTIVE_POWER_EXPORT, lambda view: view.exported_power),
    ]
    if rates > 1:
        found.append(_active_rate(rates))
        for place in range(rates):
            found += _rate(place)
    for place in range(profile.phases):
        found += _phase(place)
    return tuple(found)
