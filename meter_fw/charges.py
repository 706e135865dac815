"""Charges (class 113): one object for each charge of the profile, by its slot.

What a charge has collected and what remains of it are the account's (``prepay.purse``); prices,
shares and situations are the profile's until a head-end changes them (``meter_fw.terms``). A
price is changed in two steps, as the class has it: the passive list is written, and takes over at
its activation time or by a method. Energy used until then is charged for at the old price.

| charge | unit charge | proportion |
|---|---|---|
| consumption | price per kWh, one for each rate | 0 |
| time | amount of a period | 0 |
| payment, fixed | amount of a payment | 0 |
| payment, percentage | 0 | its share |
| payment, until paid | 0 | the share that all debts take together |
"""

from collections.abc import Callable
from typing import Any, Final

from meter_fw import money
from meter_fw.money_state import ChargeTerms, PriceList
from meter_fw.ordering import clamp, fits
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.terms import effective, prices_of, with_prices
from meter_fw.view import READERS, Change, Role, View, is_never
from obis import catalogue
from obis.values import replace
from prepay.charge import COMMODITY_SCALE, Charge, ChargeType
from prepay.holdings import ChargeState, DebtOutOfRange
from prepay.purse import collect_time, collect_uncollected, set_remaining
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem.charge import CHARGE, CHARGE_TABLE_ELEMENT, UNIT_CHARGE
from protocol.cosem.types import ArrayOf, Type, TypeMismatch
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import AccessRefused, DecodeError

_DAY_SECONDS: Final = 24 * 3600
_NO_REGISTER: Final = (0, bytes(6), 0)

#: A rule that knows which charge it is for.
_OfSlot = Callable[[View, int], Any]


def charge(view: View, slot: int) -> Charge:
    """Return a charge as it is in force."""
    return view.rules.charges[slot]


def state(view: View, slot: int) -> ChargeState:
    """Return where a charge stands."""
    return view.state.charges[slot]


def is_percentage(view: View, slot: int) -> bool:
    """Whether a charge takes a share of a payment."""
    return _proportion(view, slot) > 0


def _proportion(view: View, slot: int) -> int:
    one = charge(view, slot)
    if one.is_debt and one.type is ChargeType.PAYMENT_EVENT:
        return view.rules.debts.proportion
    return one.proportion


def _configuration(view: View, slot: int) -> str:
    percentage, continuous = is_percentage(view, slot), charge(view, slot).continuous
    return f"{int(percentage)}{int(continuous)}"


# --- prices ------------------------------------------------------------------------------------


def _reference(one: Charge) -> tuple[int, tuple[int, bytes, int]]:
    """Return commodity_scale and commodity_reference of a charge."""
    if one.type is not ChargeType.CONSUMPTION:
        return 0, _NO_REGISTER
    register = catalogue.ACTIVE_ENERGY_EXPORT if one.is_export else catalogue.ACTIVE_ENERGY_IMPORT
    return COMMODITY_SCALE, (3, register.to_bytes(), 2)


def _index(place: int, rates: int) -> bytes:
    """Return the index of a price: the number of its rate register, nothing for the total."""
    return bytes([place + 1]) if rates > 1 else b""


def _unit_charge(one: Charge, prices: PriceList) -> Any:
    commodity_scale, reference = _reference(one)
    table = [(_index(place, prices.rates), price) for place, price in enumerate(prices.counting)]
    return ((commodity_scale, prices.scale), reference, table)


def _active(view: View, slot: int) -> PriceList:
    own = money.terms_of(view.state, slot)
    return own.active if own.rates else prices_of(charge(view, slot), view.rules.currency)


def _passive(view: View, slot: int) -> PriceList:
    """Return the prices that wait; those in force where none do."""
    own = money.terms_of(view.state, slot)
    return own.passive if own.next_rates else _active(view, slot)


def _set_passive(view: View, slot: int, value: Any) -> Change:
    (commodity_scale, scale), reference, table = value
    if (commodity_scale, reference) != _reference(charge(view, slot)):
        raise _refused("another commodity than this charge is for")
    return _with_passive(view, slot, scale, table)


def _with_passive(view: View, slot: int, scale: int, table: list[tuple[bytes, int]]) -> Change:
    one = charge(view, slot)
    rates = max(len(one.tariffs), 1)
    if [index for index, _ in table] != [_index(place, rates) for place in range(rates)]:
        raise _refused(f"this charge has {rates} prices, by their rates")
    prices = PriceList.of(scale, tuple(price for _, price in table))
    try:
        with_prices(one, prices, view.rules.currency)
    except ValueError as error:
        raise _refused(str(error)) from error
    first, second, third, fourth = prices.prices
    own = replace(
        money.terms_of(view.state, slot),
        next_rates=prices.rates,
        next_scale=scale,
        next_1=first,
        next_2=second,
        next_3=third,
        next_4=fourth,
    )
    return _keep(view, own)


def _update(view: View, slot: int, given: Data) -> Change:
    """Take a whole price list, or elements of the table of the passive one.

    Public implementations do not say what this method takes; each of the three is told by form.
    """
    waiting = _passive(view, slot)
    if given.tag == Tag.STRUCTURE and len(given.value) == 3:
        return _set_passive(view, slot, _typed(UNIT_CHARGE, given))
    if given.tag == Tag.STRUCTURE:
        elements = [_typed(CHARGE_TABLE_ELEMENT, given)]
    else:
        elements = _typed(ArrayOf(CHARGE_TABLE_ELEMENT), given)
    table = {_index(place, waiting.rates): p for place, p in enumerate(waiting.counting)}
    for index, price in elements:
        if index not in table:
            raise _refused("no such price in the table")
        table[index] = price
    return _with_passive(view, slot, waiting.scale, list(table.items()))


def _typed(declared: Type, given: Data) -> Any:
    try:
        return declared.from_data(given)
    except TypeMismatch as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error


def _set_activation(view: View, slot: int, octets: bytes) -> Change:
    try:
        moment = CosemDateTime.from_bytes(octets)
        never = is_never(octets)
        at = -1 if never else max(view.moment(moment), 0)
    except (DecodeError, WildcardError) as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
    own = money.terms_of(view.state, slot)
    return _keep(view, replace(own, activation=at, activation_stamp=octets))


def _activate(view: View, slot: int, parameter: Any) -> Change:
    return Change(money.take_over(view, slot))


def _set_proportion(view: View, slot: int, proportion: int) -> Change:
    one = charge(view, slot)
    if one.type is not ChargeType.PAYMENT_EVENT:
        raise _refused("only a charge at a payment takes a share of it")
    if one.is_debt:
        return with_account_terms(view, debt_share=proportion)
    return _keep(view, replace(money.terms_of(view.state, slot), proportion=proportion))


def _keep(view: View, own: ChargeTerms) -> Change:
    try:
        if own.proportion > 10_000:
            raise ValueError("above the whole")
        changed = money.with_terms(view, own)
        if own.next_rates:  # when these take over, nobody is there to hear of a refusal
            money.take_over(view.with_state(changed), own.slot)
        return Change(changed)
    except ValueError as error:
        raise _refused(str(error)) from error


def with_account_terms(view: View, **changed: int) -> Change:
    """Return what other terms of the account come to.

    Raises:
        AccessRefused: they contradict the rules.
    """
    terms = replace(view.state.terms, **changed)
    try:
        state = view.state
        effective(view.factory.profile.account, state.charge_terms, terms, state.shares)
    except ValueError as error:
        raise _refused(str(error)) from error
    return Change(state.but(terms=terms))


def _refused(reason: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, reason)


# --- collecting --------------------------------------------------------------------------------


def _collect(view: View, slot: int, parameter: Any) -> Change:
    """Collect what is due now: used energy, also what waits, or periods that have begun."""
    if not money.collects(view):
        raise AccessRefused(DataAccessResult.OTHER_REASON, "this meter collects nothing now")
    if charge(view, slot).type is ChargeType.PAYMENT_EVENT:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "there is no payment now")
    purse, rules = money.purse_of(view.state), view.rules
    if charge(view, slot).type is ChargeType.TIME:
        purse = collect_time(rules, purse, money.today(view), view.clock, money.situation(view))
    else:
        purse = collect_uncollected(rules, purse, money.readings(view.state), view.clock)
    return Change(money.with_purse(view.state, purse))


def _update_remaining(view: View, slot: int, amount: int) -> Change:
    return _set_remaining(view, slot, state(view, slot).remaining + amount)


def _set_remaining(view: View, slot: int, amount: int) -> Change:
    if not charge(view, slot).is_debt:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "nothing ever remains of this charge")
    if not view.state.account.active:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "the account is not active")
    if not fits(amount):
        raise _refused("beyond 32 bits")
    try:
        purse = set_remaining(money.purse_of(view.state), slot, amount)
    except DebtOutOfRange as error:
        raise _refused(str(error)) from error
    return Change(money.with_purse(view.state, purse))


# -----------------------------------------------------------------------------------------------


def _object(slot: int) -> CosemObject:
    def read(get: _OfSlot, set: Any = None) -> Attribute:
        if set is None:
            return Attribute(lambda view: get(view, slot), READERS)
        return Attribute(
            lambda view: get(view, slot),
            READERS,
            lambda view, value: set(view, slot, value),
            Role.MANAGEMENT,
        )

    def method(call: Any) -> Method:
        return Method(lambda view, parameter: call(view, slot, parameter), Role.MANAGEMENT)

    def activation(view: View, slot: int) -> bytes:
        own = money.terms_of(view.state, slot)
        return own.activation_stamp

    return CosemObject(
        CHARGE,
        catalogue.CHARGES[slot],
        {
            2: read(lambda view, slot: clamp(state(view, slot).paid)),
            3: read(lambda view, slot: int(charge(view, slot).type)),
            4: read(lambda view, slot: charge(view, slot).priority),
            5: read(lambda view, s: _unit_charge(charge(view, s), _active(view, s))),
            6: read(lambda view, s: _unit_charge(charge(view, s), _passive(view, s)), _set_passive),
            7: read(activation, _set_activation),
            8: read(lambda view, slot: charge(view, slot).period_days * _DAY_SECONDS),
            9: read(_configuration),
            10: read(lambda view, slot: view.stamp(state(view, slot).last_time)),
            11: read(lambda view, slot: clamp(state(view, slot).last_amount)),
            12: read(lambda view, slot: clamp(state(view, slot).remaining)),
            13: read(_proportion, _set_proportion),
        },
        {
            1: method(_update),
            2: method(_activate),
            3: method(_collect),
            4: method(_update_remaining),
            5: method(_set_remaining),
        },
    )


def objects(count: int) -> tuple[CosemObject, ...]:
    """Return the objects of an account with so many charges."""
    return tuple(_object(slot) for slot in range(count))
