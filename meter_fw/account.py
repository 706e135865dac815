"""Account, Credit and Charge (classes 111, 112 and 113): projections of the balance, and doors.

There is one running balance, in the meter's totals (local mode) or in the head-end's snapshot
(central mode). Everything readable here is derived from it; nothing is kept twice. The methods
of these classes are for other people's clients: our head-end orders transactions by id instead.
"""

from dataclasses import replace
from typing import Any, Final

from meter_fw import supply
from meter_fw.server import Attribute, CosemObject, Method, Setter
from meter_fw.state import MeterState
from meter_fw.transactions import Order, activate, balance, clamp, deactivate, fits
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from prepay import credit
from prepay.charge import COMMODITY_SCALE
from prepay.cut import BalanceMode
from prepay.transactions import Kind, Outcome
from protocol.codes import DataAccessResult
from protocol.cosem.account import (
    ACCOUNT,
    NO_THRESHOLD,
    AccountStatus,
    CurrencyUnit,
    PaymentMode,
)
from protocol.cosem.charge import CHARGE, ChargeType
from protocol.cosem.credit import CREDIT, CreditType
from protocol.errors import AccessRefused

_NEVER: Final = b"\xff" * 12
_NO_ID: Final = bytes(16)
_LAST_SEQUENCE: Final = 0xFFFFFFFF


# --- 111 Account -----------------------------------------------------------------------------


def _mode_and_status(view: View) -> tuple[int, int]:
    account = view.state.account
    mode = PaymentMode.PREPAYMENT if account.active else PaymentMode.CREDIT
    if account.active:
        return mode, AccountStatus.ACTIVE
    return mode, AccountStatus.CLOSED if account.closed else AccountStatus.NEW


def _credits(view: View) -> list[bytes]:
    """The credits in the order of their priority; the emergency credit where there is one."""
    names = [catalogue.TOKEN_CREDIT]
    if view.factory.profile.credit.has_emergency:
        names.append(catalogue.EMERGENCY_CREDIT)
    return [name.to_bytes() for name in names]


def _in_use(view: View) -> int:
    used = supply.stand(view).in_use
    return len(_credits(view)) if used is None or not view.state.account.active else used


def _next_threshold(view: View) -> int:
    rules = view.factory.profile.credit
    return rules.emergency_threshold if rules.has_emergency else NO_THRESHOLD


def _charges(view: View) -> list[bytes]:
    local = view.factory.profile.mode is BalanceMode.LOCAL
    return [catalogue.CONSUMPTION_CHARGE.to_bytes()] if local else []


def _pairs(view: View) -> list[tuple[bytes, bytes, str]]:
    """Consumption is charged to the token credit, in friendly windows as at any other time."""
    return [(catalogue.TOKEN_CREDIT.to_bytes(), charge, "001") for charge in _charges(view)]


def _currency(view: View) -> tuple[str, int, int]:
    currency = view.factory.profile.currency
    return (currency.code, currency.exponent, CurrencyUnit.MONETARY)


def _account() -> CosemObject:
    attributes: dict[int, Attribute] = {
        2: _read(_mode_and_status),
        3: _read(_in_use),
        4: _read(lambda view: supply.stand(view).status_bits),
        5: _read(lambda view: clamp(supply.stand(view).available)),
        6: _read(lambda view: clamp(supply.stand(view).amount_to_clear)),
        7: _read(lambda view: 0),
        8: _read(lambda view: 0),
        9: _read(_credits),
        10: _read(_charges),
        11: _read(_pairs),
        12: _read(lambda view: [(catalogue.TOKEN_CREDIT.to_bytes(), 100)]),
        13: _read(lambda view: view.stamp(view.state.account.activated_at)),
        14: _read(lambda view: view.stamp(view.state.account.closed_at)),
        15: _read(_currency),
        16: _read(lambda view: view.factory.profile.credit.low_threshold),
        17: _read(_next_threshold),
        18: _read(lambda view: 0),
        19: _read(lambda view: 0),
    }
    methods = {1: _method(_activate), 2: _method(_close)}
    return CosemObject(ACCOUNT, catalogue.ACCOUNT, attributes, methods)


def _activate(view: View, parameter: Any) -> Change:
    """Activate without an id: with a balance of 0, and in central mode a snapshot that says so."""
    held = view.state.snapshot
    sequence = min(held.sequence + 1, _LAST_SEQUENCE)
    first = replace(held, sequence=sequence, balance=0, emergency=0)
    if view.factory.profile.mode is BalanceMode.LOCAL:
        first = replace(first, sequence=0)
    return _done(view, activate(view, Order(_NO_ID, Kind.ACTIVATE, 0, snapshot=first)))


def _close(view: View, parameter: Any) -> Change:
    return _done(view, deactivate(view, Order(_NO_ID, Kind.DEACTIVATE, 0)))


def _done(view: View, done: Any) -> Change:
    if done.outcome is not Outcome.DONE:
        raise AccessRefused(DataAccessResult.OTHER_REASON, done.outcome.name)
    return Change(done.state)


# --- 112 Credit ------------------------------------------------------------------------------


def _token_credit() -> CosemObject:
    return CosemObject(
        CREDIT,
        catalogue.TOKEN_CREDIT,
        {
            2: _read(lambda view: clamp(balance(view))),
            3: _read(lambda view: CreditType.TOKEN),
            4: _read(lambda view: 1),
            5: _read(lambda view: view.factory.profile.credit.low_threshold),
            6: _read(lambda view: view.factory.profile.credit.limit),
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
    state = view.state
    if view.factory.profile.mode is BalanceMode.CENTRAL or not state.account.active:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "the balance is not the meter's")
    if not fits(state.totals.balance + amount):
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "beyond 32 bits")
    totals = replace(state.totals, adjusted=state.totals.adjusted + amount)
    return Change(replace(state, totals=totals))


def _set_amount(view: View, amount: int) -> Change:
    return _update_amount(view, amount - view.state.totals.balance)


def _emergency_credit() -> CosemObject:
    def status(view: View) -> int:
        found = supply.stand(view).emergency_status
        return int(credit.CreditStatus.EXHAUSTED if found is None else found)

    def configuration(view: View) -> str:
        by_button = view.factory.profile.credit.emergency_selection
        return "11100" if by_button is credit.EmergencySelection.BUTTON else "10100"

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
            9: _read(lambda view: view.factory.profile.credit.emergency_amount),
            10: _read(lambda view: view.factory.profile.credit.emergency_threshold),
            11: _read(lambda view: _NEVER),
        },
        {3: _method(_invoke)},
    )


def _emergency_left(view: View) -> int:
    """In central mode what the head-end said, in local mode what the balance leaves of it."""
    if view.factory.profile.mode is BalanceMode.CENTRAL:
        return view.state.snapshot.emergency
    return supply.stand(view).emergency_available


def _invoke(view: View, parameter: Any) -> Change:
    if not _can_select(view):
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "not selectable now")
    return Change(_select(view))


def _can_select(view: View) -> bool:
    return view.state.account.active and supply.stand(view).can_select


def _select(view: View) -> MeterState:
    return replace(view.state, account=replace(view.state.account, emergency_selected=True))


def press_select(view: View) -> MeterState:
    """Return the state after the customer's button: emergency credit, where it is on offer."""
    return _select(view) if _can_select(view) else view.state


# --- 113 Charge ------------------------------------------------------------------------------


def _unit_charge(view: View) -> Any:
    tariff = view.factory.profile.tariff
    register = (3, catalogue.ACTIVE_ENERGY_IMPORT.to_bytes(), 2)
    return ((COMMODITY_SCALE, tariff.exponent), register, [(b"", tariff.price)])


def _consumption_charge() -> CosemObject:
    return CosemObject(
        CHARGE,
        catalogue.CONSUMPTION_CHARGE,
        {
            2: _read(lambda view: clamp(view.state.totals.charged)),
            3: _read(lambda view: ChargeType.CONSUMPTION),
            4: _read(lambda view: 1),
            5: _read(_unit_charge),
            6: _read(_unit_charge),
            7: _read(lambda view: _NEVER),
            8: _read(lambda view: 0),
            9: _read(lambda view: "01"),  # continuous
            10: _read(lambda view: view.stamp(view.clock)),
            11: _read(lambda view: 0),
            12: _read(lambda view: 0),
            13: _read(lambda view: 0),
        },
    )


# ---------------------------------------------------------------------------------------------


def objects(*, local: bool) -> tuple[CosemObject, ...]:
    """Return account and credits, and the charge where the meter itself charges."""
    charges = (_consumption_charge(),) if local else ()
    return (_account(), _token_credit(), _emergency_credit(), *charges)


def _read(get: Any) -> Attribute:
    return Attribute(get, READERS)


def _method(call: Setter) -> Method:
    return Method(call, Role.MANAGEMENT)
