"""Energy: the import register, and the register at the start of each day."""

from typing import Any

from meter_fw.profile_generic import Column, profile_generic
from meter_fw.server import Attribute, CosemObject
from meter_fw.state import DAYS_KEPT, Day, MeterState
from meter_fw.view import READERS, View, milliseconds
from obis import catalogue
from obis.units import Unit
from obis.values import replace
from protocol.cosem.register import REGISTER
from protocol.cosem.types import DATE_TIME, DOUBLE_LONG_UNSIGNED

#: The import register as it goes over the line; it rolls over as a real one does.
ENERGY = DOUBLE_LONG_UNSIGNED
_ROLLOVER = 1 << 32
_REGISTER = REGISTER.typed(value=ENERGY)


def capture_day(view: View) -> MeterState:
    """Return the state with the register captured, if a local day has begun since the last time.

    Nothing is captured while the clock is unknown. A clock set back captures nothing at once;
    a day that then begins again takes the place of its first reading, so that no day is there
    twice and no reading stays that was taken under a date set by mistake.
    """
    state = view.state
    today, last = view.today, state.energy.last_day
    if not state.clock.known or today == last:
        return state
    energy = replace(state.energy, last_day=today)
    if not 0 <= last < today:  # the first day of its life, or one gone back to, begins elsewhere
        return replace(state, energy=energy)
    midnight = view.local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    day = Day(state.history.captured, milliseconds(midnight), state.energy.imported)
    kept = [
        each
        for each in state.days
        if each.time != day.time and each.number > day.number - DAYS_KEPT
    ]
    return replace(
        state,
        energy=energy,
        days=(*kept, day),
        history=replace(state.history, captured=day.number + 1),
    )


def _rows(view: View) -> list[tuple[Any, ...]]:
    return [(view.stamp(day.time), day.imported % _ROLLOVER) for day in view.state.days]


def objects() -> tuple[CosemObject, ...]:
    """Return the registers and the daily profile."""
    return (
        CosemObject(
            _REGISTER,
            catalogue.ACTIVE_ENERGY_IMPORT,
            {
                2: Attribute(lambda view: view.state.energy.imported % _ROLLOVER, READERS),
                3: Attribute(lambda view: (0, Unit.WATT_HOUR), READERS),
            },
        ),
        CosemObject(
            _REGISTER,
            catalogue.ACTIVE_POWER_IMPORT,
            {
                2: Attribute(lambda view: view.power, READERS),
                3: Attribute(lambda view: (0, Unit.WATT), READERS),
            },
        ),
        profile_generic(
            catalogue.DAILY_PROFILE,
            columns=(
                Column(8, catalogue.CLOCK, 2, DATE_TIME),
                Column(3, catalogue.ACTIVE_ENERGY_IMPORT, 2, ENERGY),
            ),
            rows=_rows,
            entries=DAYS_KEPT,
            period=86400,
            readers=READERS,
        ),
    )
