"""The rules of an account as they are in force: the profile's, with what a head-end has changed.

What was changed lies in flash (``ChargeTerms``, ``AccountTerms``); the rules that follow from it
are a value like the profile's own, made once and then handed out until something changes again.
"""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from meter_fw.money_state import AS_MADE, AccountTerms, ChargeTerms, PriceList, TokenShares
from meter_fw.state import Day, MeterState
from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.charge import (
    MAX_EXPONENT,
    MAX_PRICE,
    MIN_EXPONENT,
    MIN_PRICE,
    Charge,
    ChargeType,
    Tariff,
    TariffError,
    When,
)
from prepay.credit import RECENT_DAYS
from prepay.money import MAX_AMOUNT, Currency

_UNCHANGED: Final = AccountTerms()
_WHOLE: Final = TokenShares()
_ALWAYS: Final = When()
#: Above any price_scale that an amount of 32 bits needs.
_MAX_SCALE: Final = 8


class InForce:
    """The rules in force of one meter; it remembers those of the last state that asked.

    Args:
        account: the profile's.
    """

    __slots__ = (
        "_account",
        "_charges",
        "_days",
        "_recent",
        "_rules",
        "_shares",
        "_terms",
        "rates",
        "waits",
    )

    def __init__(self, account: AccountRules) -> None:
        self._account = account
        self._charges: tuple[ChargeTerms, ...] = ()
        self._terms = _UNCHANGED
        self._shares = _WHOLE
        self._days: tuple[Day, ...] = ()
        self._recent = (0, 0)
        self._take(account)

    def _take(self, rules: AccountRules) -> None:
        self._rules = rules
        #: how many rate registers count; 1 where the totals do
        self.rates = max(len(counter.factors) for counter in rules.counters)
        #: whether there are situations in which energy waits to be charged for
        self.waits = any(counter.charge.when != _ALWAYS for counter in rules.counters)

    def of(self, state: MeterState) -> AccountRules:
        """Return the rules by what a state says of changes; the same object for the same."""
        if (
            state.charge_terms is not self._charges
            or state.terms is not self._terms
            or state.shares is not self._shares
        ):
            changed = state.charge_terms, state.terms, state.shares
            self._take(effective(self._account, *changed))
            self._charges, self._terms, self._shares = changed
        return self._rules

    def recent(self, state: MeterState, zone: ZoneInfo) -> tuple[int, int]:
        """Return the energy of the last whole local days on record, in Wh, and how many.

        Args:
            state: with the readings at the starts of days.
            zone: where days begin at midnight.
        """
        if state.days is not self._days:
            self._days, self._recent = state.days, recent_use(state.days, zone)
        return self._recent


def recent_use(days: tuple[Day, ...], zone: ZoneInfo) -> tuple[int, int]:
    """Return the energy of the last whole days, at most ``RECENT_DAYS``, and how many they are.

    A day is whole where the next one begins on the morrow.
    """
    starts = [(datetime.fromtimestamp(day.time // 1000, zone).toordinal(), day) for day in days]
    whole = [
        after.imported - before.imported
        for (today, before), (morrow, after) in pairwise(starts)
        if morrow == today + 1 and after.imported >= before.imported
    ][-RECENT_DAYS:]
    return sum(whole), len(whole)


def effective(
    account: AccountRules,
    changed: tuple[ChargeTerms, ...],
    terms: AccountTerms,
    shares: TokenShares = _WHOLE,
) -> AccountRules:
    """Return the rules of a profile with what was changed of them.

    Raises:
        ValueError: the change contradicts what is there.
    """
    if not changed and terms == _UNCHANGED and shares == _WHOLE:
        return account
    charges = list(account.charges)
    for own in changed:
        if own.slot < len(charges):
            charges[own.slot] = _charge(charges[own.slot], own, account.currency)
    credit, debts = account.credit, account.debts
    credit = replace(
        credit,
        low_threshold=_or(terms.low_threshold, credit.low_threshold),
        emergency_threshold=_or(terms.emergency_threshold, credit.emergency_threshold),
        repayment=None if shares.emergency < 0 else shares.emergency,
    )
    share = terms.debt_share
    debts = replace(
        debts,
        proportion=_or(share, debts.proportion),
        amount=debts.amount if share == AS_MADE else 0,
        max_provision=_or(terms.max_provision, debts.max_provision),
        provision_period=_or(terms.provision_period, debts.provision_period),
    )
    return replace(account, credit=credit, debts=debts, charges=tuple(charges))


def _or(changed: int, made: int) -> int:
    return made if changed == AS_MADE else changed


def _charge(made: Charge, own: ChargeTerms, currency: Currency) -> Charge:
    charge = made
    if own.rates:
        charge = with_prices(charge, own.active, currency)
    if own.proportion >= 0:
        charge = replace(charge, proportion=own.proportion)
    if own.when >= 0:
        charge = replace(charge, when=when_of(f"{own.when:03b}"))
    return charge


def when_of(bits: str) -> When:
    """Return the situations of a collection_configuration, bit 0 first."""
    disconnected, limited, friendly = (bit == "1" for bit in bits)
    return When(disconnected, limited, friendly)


def with_prices(charge: Charge, prices: PriceList, currency: Currency) -> Charge:
    """Return a charge with another price list.

    Raises:
        ValueError: another number of prices than the charge has, or an amount that no money has.
    """
    if charge.type is ChargeType.CONSUMPTION:
        if prices.rates != len(charge.tariffs):
            raise TariffError(f"{prices.rates} prices, the charge has {len(charge.tariffs)}")
        tariffs = tuple(Tariff(price, prices.scale) for price in prices.counting)
        return replace(charge, tariffs=tariffs)
    if prices.rates != 1:
        raise TariffError("a charge that is not for consumption has one amount")
    shift = prices.scale - currency.exponent
    amount = prices.prices[0] * 10 ** max(shift, 0)
    whole, rest = divmod(amount, 10 ** max(-shift, 0))
    if rest or not 0 <= whole <= MAX_AMOUNT:
        raise TariffError("not a whole number of minor units, 0 or more")
    return replace(charge, amount=whole)


def prices_of(charge: Charge, currency: Currency) -> PriceList:
    """Return what a charge costs, as class 113 carries it.

    Prices of one table share a scale: the finest that any of them needs. Where a price or an
    amount then outgrows its 16 bits, it is shown rounded, at the finest scale that fits.
    """
    amount = Decimal(charge.amount).scaleb(currency.exponent)
    wanted = [tariff.price_per_kwh for tariff in charge.tariffs] or [amount]
    finest = min(int(price.normalize().as_tuple().exponent) for price in wanted)
    for scale in range(max(min(finest, MAX_EXPONENT), MIN_EXPONENT), _MAX_SCALE):
        prices = tuple(int(price.scaleb(-scale).to_integral_value()) for price in wanted)
        if all(MIN_PRICE <= price <= MAX_PRICE for price in prices):
            return PriceList.of(scale, prices)
    raise AssertionError("a double-long of minor units fits some scale")
