"""Account (class 111): a projection of balance and rules, and the doors to open and close it.

Credits are in ``credits``, charges in ``charges``. The methods are for other people's clients:
our head-end orders transactions by id instead.

| may be set | what becomes of it |
|---|---|
| clearance_threshold | is in amount_to_clear |
| credit_charge_configuration | the situations of each charge; all are taken from one credit |
| token_gateway_configuration | the share that repays the emergency credit; see below |
| low_credit_threshold, next_credit_available_threshold | the rules go by it |
| max_provision, max_provision_period | likewise; a bound and its period go together, 0 is none |

Of what a token brings to the credits (fees and debts have had theirs), token_gateway_configuration
gives each credit that it names its percentage; what it gives to nobody, or what the emergency
credit does not need, goes to the first by priority, the token credit. An emergency credit that is
not named is repaid first and whole, by the balance that it is taken from. So it is as made, and
with an empty array.

| token_gateway_configuration is refused | with |
|---|---|
| a credit that is not in credit_reference_list, or is there twice | scope of access violated |
| a percentage, or a sum of them, above 100 | scope of access violated |
| not an array of (octet-string of 6, unsigned) | type unmatched |
"""

from typing import Any, Final

from meter_fw import charges, credits, lifecycle, money, supply
from meter_fw.charges import with_account_terms
from meter_fw.money_state import AS_MADE, TokenShares
from meter_fw.ordering import Order, central, clamp
from meter_fw.server import Attribute, CosemObject, Method, Setter
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.values import replace
from prepay.account_rules import MAX_PROVISION_PERIOD
from prepay.credit import PERCENT
from prepay.profile import Profile
from prepay.purse import BalanceOutOfRange
from prepay.transactions import Kind, Outcome
from protocol.codes import DataAccessResult
from protocol.cosem.account import (
    ACCOUNT,
    NO_THRESHOLD,
    AccountStatus,
    CurrencyUnit,
    PaymentMode,
)
from protocol.errors import AccessRefused

_NO_ID: Final = bytes(16)
_LAST_SEQUENCE: Final = 0xFFFFFFFF


def _mode_and_status(view: View) -> tuple[int, int]:
    account = view.state.account
    mode = PaymentMode.PREPAYMENT if account.active else PaymentMode.CREDIT
    if account.active:
        return mode, AccountStatus.ACTIVE
    return mode, AccountStatus.CLOSED if account.closed else AccountStatus.NEW


def _credits(view: View) -> list[bytes]:
    """The credits in the order of their priority; the emergency credit where there is one."""
    names = [catalogue.TOKEN_CREDIT]
    if view.rules.credit.has_emergency:
        names.append(catalogue.EMERGENCY_CREDIT)
    return [name.to_bytes() for name in names]


def _in_use(view: View) -> int:
    used = supply.stand(view).in_use
    return len(_credits(view)) if used is None or not view.state.account.active else used


def _next_threshold(view: View) -> int:
    rules = view.rules.credit
    return rules.emergency_threshold if rules.has_emergency else NO_THRESHOLD


def _clearance(view: View) -> int:
    threshold = view.state.terms.clearance
    return 0 if threshold == AS_MADE else threshold


def _status_bits(view: View) -> str:
    """What the credits say; without prepayment none is in use, and none is used up."""
    return supply.stand(view).status_bits if view.state.account.active else "00000000"


def _to_clear(view: View) -> int:
    """What repays the emergency credit and brings the balance up to the clearance threshold."""
    now = supply.stand(view)
    return clamp(max(_clearance(view) - now.balance + now.owed, 0))


def _charges(view: View) -> list[bytes]:
    """The charges that this meter collects: none where the head-end keeps the balance."""
    count = 0 if central(view) else len(view.rules.charges)
    return [name.to_bytes() for name in catalogue.CHARGES[:count]]


def _pairs(view: View) -> list[tuple[bytes, bytes, str]]:
    """All charges are taken from the token credit; each says in which situations."""
    taken_from = catalogue.TOKEN_CREDIT.to_bytes()
    return [
        (taken_from, name, view.rules.charges[slot].when.bits)
        for slot, name in enumerate(_charges(view))
    ]


def _set_pairs(view: View, value: list[tuple[bytes, bytes, str]]) -> Change:
    stands = {name: slot for slot, name in enumerate(_charges(view))}
    asked = {name: bits for credit, name, bits in value if credit == _TOKEN_CREDIT}
    if len(asked) != len(value) or asked.keys() != stands.keys():
        raise _out_of_scope("each charge once, and from the token credit")
    state = view.state
    for name, bits in asked.items():
        slot = stands[name]
        if bits == view.rules.charges[slot].when.bits:
            continue
        own = replace(money.terms_of(state, slot), when=int(bits, 2))
        state = money.with_terms(view.with_state(state), own)
    return Change(state)


_TOKEN_CREDIT: Final = catalogue.TOKEN_CREDIT.to_bytes()
_EMERGENCY_CREDIT: Final = catalogue.EMERGENCY_CREDIT.to_bytes()


def _gateway(view: View) -> list[tuple[bytes, int]]:
    """The credits that are named, in the order of their priority, whatever order was written."""
    shares = view.state.shares
    named = zip(_credits(view), (shares.token, shares.emergency), strict=False)
    return [(name, percent) for name, percent in named if percent >= 0]


def _set_gateway(view: View, value: list[tuple[bytes, int]]) -> Change:
    asked = dict(value)
    if len(asked) != len(value) or not asked.keys() <= set(_credits(view)):
        raise _out_of_scope("each credit of this account once at most")
    if sum(asked.values()) > PERCENT:
        raise _out_of_scope("more than the whole of a token")
    shares = TokenShares(*(asked.get(name, -1) for name in (_TOKEN_CREDIT, _EMERGENCY_CREDIT)))
    return Change(view.state.but(shares=shares))


def _set_provision(view: View, amount: int) -> Change:
    """A bound without a period gets the longest: whoever sets both may begin with either."""
    period = view.rules.debts.provision_period
    if amount and not period:
        return with_account_terms(view, max_provision=amount, provision_period=MAX_PROVISION_PERIOD)
    return with_account_terms(view, max_provision=amount, provision_period=period if amount else 0)


def _set_provision_period(view: View, seconds: int) -> Change:
    return with_account_terms(view, provision_period=seconds)


def _currency(view: View) -> tuple[str, int, int]:
    currency = view.factory.profile.currency
    return (currency.code, currency.exponent, CurrencyUnit.MONETARY)


def _account() -> CosemObject:
    attributes: dict[int, Attribute] = {
        2: _read(_mode_and_status),
        3: _read(_in_use),
        4: _read(_status_bits),
        5: _read(lambda view: clamp(supply.stand(view).available)),
        6: _read(_to_clear),
        7: _read(_clearance, lambda view, amount: with_account_terms(view, clearance=amount)),
        8: _read(lambda view: clamp(money.purse_of(view.state).aggregated_debt)),
        9: _read(_credits),
        10: _read(_charges),
        11: _read(_pairs, _set_pairs),
        12: _read(_gateway, _set_gateway),
        13: _read(lambda view: view.stamp(view.state.account.activated_at)),
        14: _read(lambda view: view.stamp(view.state.account.closed_at)),
        15: _read(_currency),
        16: _read(lambda view: view.rules.credit.low_threshold, credits.set_low_threshold),
        17: _read(_next_threshold, credits.set_next_threshold),
        18: _read(lambda view: view.rules.debts.max_provision, _set_provision),
        19: _read(lambda view: view.rules.debts.provision_period, _set_provision_period),
    }
    methods = {1: _method(_activate), 2: _method(_close), 3: _method(_reset)}
    return CosemObject(ACCOUNT, catalogue.ACCOUNT, attributes, methods)


def _activate(view: View, parameter: Any) -> Change:
    """Activate without an id: with the start credit of the profile where the meter keeps the
    balance; in central mode with a snapshot that says 0, for the head-end knows better.
    """
    if central(view):
        held = view.state.snapshot
        sequence = min(held.sequence + 1, _LAST_SEQUENCE)
        first = replace(held, sequence=sequence, balance=0, emergency=0)
        return _done(lifecycle.activate(view, Order(_NO_ID, Kind.ACTIVATE, 0, snapshot=first)))
    if view.state.account.active:
        raise AccessRefused(DataAccessResult.OTHER_REASON, Outcome.ALREADY_ACTIVE.name)
    try:
        return Change(lifecycle.open_with_start_credit(view))
    except BalanceOutOfRange as error:
        raise AccessRefused(DataAccessResult.OTHER_REASON, str(error)) from error


def _close(view: View, parameter: Any) -> Change:
    return _done(lifecycle.deactivate(view, Order(_NO_ID, Kind.DEACTIVATE, 0)))


def _reset(view: View, parameter: Any) -> Change:
    """Make a closed account new; an active one has to be closed before, for its money's sake."""
    if view.state.account.active:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "the account is active")
    return Change(lifecycle.reset(view))


def _done(done: Any) -> Change:
    if done.outcome is not Outcome.DONE:
        raise AccessRefused(DataAccessResult.OTHER_REASON, done.outcome.name)
    return Change(done.state)


def _out_of_scope(reason: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, reason)


# ---------------------------------------------------------------------------------------------


def objects(profile: Profile) -> tuple[CosemObject, ...]:
    """Return account, credits, and the charges of a profile."""
    return (
        _account(),
        credits.token_credit(),
        credits.emergency_credit(),
        *charges.objects(len(profile.charges)),
    )


def _read(get: Any, set: Setter | None = None) -> Attribute:
    return Attribute(get, READERS, set, Role.NOBODY if set is None else Role.MANAGEMENT)


def _method(call: Setter) -> Method:
    return Method(call, Role.MANAGEMENT)
