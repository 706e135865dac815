"""The display: pages that are projections of the state, and the customer's own registers.

Nobody pushes to the display. The codes 94.32.2 1 to 3 exist as objects too; their A and B digits
are not public and come from the profile, as do their classes: Data for the time, Register for
the amounts.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from meter_fw import consumer_message, supply
from meter_fw.board import Lcd, Sign
from meter_fw.calendar import runs_out
from meter_fw.identity import data
from meter_fw.server import Attribute, CosemObject
from meter_fw.transactions import balance, clamp
from meter_fw.view import READERS, View
from obis import catalogue
from obis.units import Unit
from prepay.credit import EMERGENCY_CREDIT
from prepay.cut import BalanceMode
from prepay.money import format_amount
from prepay.profile import Display, Indicator, Page, Profile, Shown
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem.register import REGISTER
from protocol.cosem.types import DATE_TIME, DOUBLE_LONG
from protocol.cosem_time import CosemDateTime

_NEVER: Final = "----------------"


def updated(view: View) -> bytes:
    """Return when the balance was last updated, as a COSEM date-time: in local mode, now."""
    if view.mode is BalanceMode.LOCAL:
        return view.stamp(view.clock)
    return view.state.snapshot.as_of


def emergency(view: View) -> int:
    """Return the emergency credit that the display shows, in minor units."""
    if view.mode is BalanceMode.CENTRAL:
        return view.state.snapshot.emergency
    return supply.stand(view).emergency_available


def _minutes(octets: bytes) -> str:
    stamp = CosemDateTime.from_bytes(octets)
    return _NEVER if stamp.date.year is None else f"{stamp.date} {stamp.time}"[:16]


def _money(view: View, amount: int) -> tuple[str, str]:
    currency = view.factory.profile.currency
    return format_amount(amount, currency), currency.code


def _energy(view: View) -> tuple[str, str]:
    kwh = Decimal(view.state.energy.imported) / 1000
    return f"{kwh % 1_000_000:010.3f}", "kWh"


_SHOWN: Final[dict[Shown, Callable[[View], tuple[str, str]]]] = {
    Shown.ENERGY: _energy,
    Shown.POWER: lambda view: (str(view.power), "W"),
    Shown.CLOCK: lambda view: (f"{view.local:%Y-%m-%d %H:%M}", ""),
    Shown.UPDATED: lambda view: (_minutes(updated(view)), ""),
    Shown.BALANCE: lambda view: _money(view, balance(view)),
    Shown.EMERGENCY: lambda view: _money(view, emergency(view)),
}


def _signs(view: View) -> Sign:
    state, active = view.state, view.state.account.active
    arrow = view.factory.profile.display.indicator is Indicator.ARROW
    standing = supply.stand(view)
    in_emergency = active and standing.in_use == EMERGENCY_CREDIT
    # lit, it promises that nobody is cut now: a window that is void promises nothing
    protects = view.friendly and state.clock.known and not standing.window_void
    lit = {
        Sign.EURO_ARROW: active and arrow,
        Sign.LOW_CREDIT: state.account.low_announced,
        Sign.EMERGENCY: in_emergency,
        Sign.FRIENDLY: active and protects,
        Sign.RELAY_OPEN: state.relay.control is not ControlState.CONNECTED,
        Sign.CLOCK_UNKNOWN: not state.clock.known,
        Sign.CALENDAR_ENDS: active and runs_out(view),
        Sign.LIMITED: state.condition.limited,
        Sign.NEVER_CUT: active and supply.never_cut(view),
        Sign.RELAY_FAULT: state.condition.mismatch,
    }
    signs = Sign.NONE
    for sign, on in lit.items():
        signs |= sign if on else Sign.NONE
    return signs


def pages(view: View) -> tuple[Lcd, ...]:
    """Return the pages of the display as they stand at this moment, and those of a message."""
    own = (_draw(view, each) for each in view.factory.profile.display.pages)
    return (*own, *(_say(view, line) for line in consumer_message.lines(view)))


def page(view: View, turned: int) -> Lcd:
    """Return the page that shows after the button has been pressed ``turned`` times.

    A message that is new takes turns with it.
    """
    line = consumer_message.line_now(view)
    if line is not None:
        return _say(view, line)
    own, said = view.factory.profile.display.pages, consumer_message.lines(view)
    at = turned % (len(own) + len(said))
    return _draw(view, own[at]) if at < len(own) else _say(view, said[at - len(own)])


def _draw(view: View, each: Page) -> Lcd:
    value, unit = _SHOWN[each.shows](view)
    return Lcd(each.code, value, unit, _signs(view), view.state.relay.control.name.lower())


def _say(view: View, line: str) -> Lcd:
    code = catalogue.MESSAGE.display()
    return Lcd(code, line, "", _signs(view), view.state.relay.control.name.lower())


def objects(profile: Profile) -> tuple[CosemObject, ...]:
    """Return the registers behind 94.32.2, where the profile shows them."""
    display: Display = profile.display
    if not any(page.code.startswith("94.32.2") for page in display.pages):
        return ()
    a, b = display.code_a, display.code_b

    def register(code: Any, get: Callable[[View], int]) -> CosemObject:
        return CosemObject(
            REGISTER.typed(value=DOUBLE_LONG),
            code.complete(a, b),
            {
                2: Attribute(get, READERS),
                3: Attribute(lambda view: (profile.currency.exponent, Unit.CURRENCY), READERS),
            },
        )

    return (
        data(catalogue.DISPLAY_UPDATED.complete(a, b), DATE_TIME, updated),
        register(catalogue.DISPLAY_BALANCE, lambda view: clamp(balance(view))),
        register(catalogue.DISPLAY_EMERGENCY, emergency),
    )
