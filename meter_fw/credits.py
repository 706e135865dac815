"""Credits (class 112): the token credit with its overdraft, and the emergency credit.

There is one running balance, in the meter's totals (local mode) or in the head-end's snapshot
(central mode). Everything readable here is derived from it; nothing is kept twice. The methods
of these classes are for other people's clients: our head-end orders transactions by id instead.
"""

from typing import Any, Final

from meter_fw import money, supply
from meter_fw.charges import with_account_terms
from meter_fw.ordering import balance, central, clamp
from meter_fw.server import Attribute, CosemObject, Method, Setter
from meter_fw.state import MeterState
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.values import replace
from prepay import credit
from prepay.holdings import BalanceOutOfRange
from prepay.purse import adjust
from protocol.codes import DataAccessResult
from protocol.cosem.credit import CREDIT, CreditType
from protocol.errors import AccessRefused

_NEVER: Final = b"\xff" * 12


def set_low_threshold(view: View, amount: int) -> Change:
    """Change the balance under which credit is low."""
    return with_account_terms(view, low_threshold=amount)


def set_next_threshold(view: View, amount: int) -> Change:
    """Change the balance at which the emergency credit is offered, where there is one."""
    if not view.rules.credit.has_emergency:
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "there is no next credit")
    return with_account_terms(view, emergency_threshold=amount)


def token_credit() -> CosemObject:
    """Return the token credit."""
    return CosemObject(
        CREDIT,
        catalogue.TOKEN_CREDIT,
        {
            2: _read(lambda view: clamp(balance(view))),
            3: _read(lambda view: CreditType.TOKEN),
            4: _read(lambda view: 1),
            5: _read(lambda view: view.rules.credit.low_threshold, set_low_threshold),
            6: _read(lambda view: view.rules.credit.limit),
            7: _read(lambda view: "10001"),  # visual indication, may receive tokens
            8: _read(lambda view: supply.stand(view).token_status),
            9: _read(lambda view: view.factory.profile.start_credit.amount),
            10: _read(lambda view: 0),
            11: _read(lambda view: _NEVER),
        },
        {1: _method(_update_amount), 2: _method(_set_amount)},
    )


def _update_amount(view: View, amount: int) -> Change:
    """Put a signed amount onto a local balance; not idempotent, so not for a head-end."""
    if central(view) or not view.state.account.active:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "the balance is not the meter's")
    try:
        purse = adjust(money.purse_of(view.state), amount)
    except BalanceOutOfRange as error:
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, str(error)) from error
    return Change(money.with_purse(view.state, purse))


def _set_amount(view: View, amount: int) -> Change:
    return _update_amount(view, amount - money.purse_of(view.state).balance)


def emergency_credit() -> CosemObject:
    """Return the emergency credit, exhausted for good where the profile has none."""

    def status(view: View) -> int:
        found = supply.stand(view).emergency_status
        return int(credit.CreditStatus.EXHAUSTED if found is None else found)

    def configuration(view: View) -> str:
        rules = view.rules.credit
        by_button = rules.emergency_selection is credit.EmergencySelection.BUTTON
        return f"1{by_button:d}10{rules.repayment is not None:d}"  # the last: tokens repay it

    return CosemObject(
        CREDIT,
        catalogue.EMERGENCY_CREDIT,
        {
            2: _read(_emergency_left),
            3: _read(lambda view: CreditType.EMERGENCY),
            4: _read(lambda view: 2),
            5: _read(lambda view: 0),
            6: _read(lambda view: 0),
            7: _read(configuration),
            8: _read(status),
            9: _read(lambda view: view.rules.credit.emergency_amount),
            10: _read(lambda view: view.rules.credit.emergency_threshold, set_next_threshold),
            11: _read(lambda view: _NEVER),
        },
        {3: _method(_invoke)},
    )


def _emergency_left(view: View) -> int:
    """In central mode what the head-end said, in local mode what the balance leaves of it."""
    if central(view):
        return view.state.snapshot.emergency
    return supply.stand(view).emergency_available


def _invoke(view: View, parameter: Any) -> Change:
    if not _can_select(view):
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "not selectable now")
    return Change(_select(view))


def _can_select(view: View) -> bool:
    return view.state.account.active and supply.stand(view).can_select


def _select(view: View) -> MeterState:
    return view.state.but(account=replace(view.state.account, emergency_selected=True))


def press_select(view: View) -> MeterState:
    """Return the state after the customer's button: emergency credit, where it is on offer."""
    return _select(view) if _can_select(view) else view.state


def _read(get: Any, set: Setter | None = None) -> Attribute:
    return Attribute(get, READERS, set, Role.NOBODY if set is None else Role.MANAGEMENT)


def _method(call: Setter) -> Method:
    return Method(call, Role.MANAGEMENT)
