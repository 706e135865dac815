"""What a profile says about an account's money: charges, the order of a top-up, debts, limits.

Read once and never changed. A head-end that changes a price gives the rules a changed charge
(``AccountRules.with_charge``); what the account holds is in ``prepay.holdings``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from obis.values import replace
from prepay.charge import (
    BALANCE_STEP,
    CREDIT_STEP,
    DEBTS_STEP,
    WHOLE,
    Charge,
    ChargeType,
)
from prepay.credit import CreditRules
from prepay.money import MAX_AMOUNT, Currency
from prepay.topup import StartCredit, StartRule, TopUpLimits

#: Charges that an account may have, bounded as in a meter's memory.
MAX_CHARGES: Final = 16
#: max_provision of class 111 is a long-unsigned.
MAX_PROVISION: Final = 0xFFFF
#: max_provision_period of class 111 is a double-long.
MAX_PROVISION_PERIOD: Final = 2**31 - 1

_ORDER: Final = ("top_up", "order")


class RulesError(ValueError):
    """Rules that contradict each other.

    Args:
        where: the key in a profile's file, e.g. ("charges", 3, "name").
        reason: what is wrong.
    """

    def __init__(self, where: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.where = where


class DebtRules(Struct, frozen=True):
    """What all debts of payment type together take of a top-up, at most.

    Args:
        proportion: share of the base in 1/10000; 0 where the amount is fixed.
        of_rest: the base is what the steps before have left, not the payment.
        amount: fixed, in minor units.
        max_provision: the most that is collected in one period, in minor units; 0 for no bound.
        provision_period: of that bound, in seconds.

    Raises:
        RulesError: a share above the whole, both a share and an amount, a bound without period.
    """

    proportion: int = 0
    of_rest: bool = False
    amount: int = 0
    max_provision: int = 0
    provision_period: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.proportion <= WHOLE:
            raise RulesError(("debts", "proportion"), f"not in 0..{WHOLE}, the whole")
        if not 0 <= self.amount <= MAX_AMOUNT:
            raise RulesError(
                ("debts", "amount"), "not below 0, and at most what a double-long carries"
            )
        if self.amount and self.proportion:
            raise RulesError(("debts", "proportion"), "debts take an amount or a share, not both")
        if not 0 <= self.max_provision <= MAX_PROVISION:
            raise RulesError(("debts", "max_provision"), f"not in 0..{MAX_PROVISION} minor units")
        if not 0 <= self.provision_period <= MAX_PROVISION_PERIOD:
            raise RulesError(("debts", "provision_period"), f"not in 0..{MAX_PROVISION_PERIOD} s")
        if bool(self.max_provision) != bool(self.provision_period):
            raise RulesError(("debts", "max_provision"), "a bound and its period go together")


class Counter(Struct, frozen=True):
    """A consumption charge made ready for counting.

    Args:
        slot: of the charge.
        exported: whether it counts the export register.
        factors: billionths of a minor unit per Wh: one, or one for each rate register.
        charge: itself.
    """

    slot: int
    exported: bool
    factors: tuple[int, ...]
    charge: Charge


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The rules of an account; amounts in minor units of ``currency``.

    Args:
        currency: of every amount.
        credit: limits and emergency credit.
        charges: by slot; the first is a consumption charge.
        order: steps of a top-up; "balance", "debts", "credit" and names of charges.
        debts: what the debts take of it.
        limits: of a top-up, and of the balance.
        start_credit: at opening.

    Raises:
        RulesError: charges or steps twice, missing or unknown, shares above the whole.
    """

    currency: Currency
    credit: CreditRules
    charges: tuple[Charge, ...]
    order: tuple[str, ...] = (CREDIT_STEP,)
    debts: DebtRules = DebtRules()
    limits: TopUpLimits = TopUpLimits(1, MAX_AMOUNT)
    start_credit: StartCredit = StartCredit(0, StartRule.RAISE_TO)
    counters: tuple[Counter, ...] = field(init=False, repr=False, compare=False)
    timed: tuple[int, ...] = field(init=False, repr=False, compare=False)
    payment_debts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for error in _contradictions(self):
            raise error
        counters = tuple(
            Counter(slot, charge.is_export, self._factors(charge), charge)
            for slot, charge in enumerate(self.charges)
            if charge.type is ChargeType.CONSUMPTION
        )
        object.__setattr__(self, "counters", counters)
        object.__setattr__(self, "timed", self._ranked(ChargeType.TIME))
        debts = [
            slot for slot in self._ranked(ChargeType.PAYMENT_EVENT) if self.charges[slot].is_debt
        ]
        object.__setattr__(self, "payment_debts", tuple(debts))

    def _factors(self, charge: Charge) -> tuple[int, ...]:
        return tuple(tariff.per_watt_hour(self.currency) for tariff in charge.tariffs)

    def _ranked(self, kind: ChargeType) -> tuple[int, ...]:
        """Return the slots of the charges of one type, by priority and then by place."""
        slots = [slot for slot, charge in enumerate(self.charges) if charge.type is kind]
        return tuple(sorted(slots, key=lambda slot: self.charges[slot].priority))

    @property
    def low_days(self) -> int:
        """The balance is low when it lasts for fewer days than this; 0: never for that reason."""
        return self.credit.low_days

    @property
    def max_provision(self) -> int:
        """The most that debts collect in one period; 0 for no bound."""
        return self.debts.max_provision

    @property
    def provision_period(self) -> int:
        """The period of that bound, in seconds."""
        return self.debts.provision_period

    def is_debt(self, slot: int) -> bool:
        """Whether there is a charge in this slot that collects until it is paid."""
        return 0 <= slot < len(self.charges) and self.charges[slot].is_debt

    def slot_of(self, name: str) -> int:
        """Return the slot of a charge.

        Raises:
            KeyError: there is none of that name.
        """
        for slot, charge in enumerate(self.charges):
            if charge.name == name:
                return slot
        raise KeyError(name)

    def with_charge(self, slot: int, charge: Charge) -> "AccountRules":
        """Return the rules with another charge in a slot: its price or its amount has changed."""
        charges = (*self.charges[:slot], charge, *self.charges[slot + 1 :])
        return replace(self, charges=charges)


def _contradictions(rules: AccountRules) -> Iterator[RulesError]:
    """Yield what is wrong with the rules as a whole."""
    charges = rules.charges
    if not 1 <= len(charges) <= MAX_CHARGES:
        yield RulesError(("charges",), f"an account has 1 to {MAX_CHARGES} charges")
    elif charges[0].type is not ChargeType.CONSUMPTION or charges[0].is_export:
        yield RulesError(("charges", 0), "the first charge is that for the imported energy")
    for place, charge in enumerate(charges):
        if charge.name in (other.name for other in charges[:place]):
            yield RulesError(("charges", place, "name"), f"{charge.name!r} is there twice")
    yield from _of_order(rules)


def _of_order(rules: AccountRules) -> Iterator[RulesError]:
    at_payment = {
        charge.name
        for charge in rules.charges
        if charge.type is ChargeType.PAYMENT_EVENT and charge.continuous
    }
    debts = any(
        charge.type is ChargeType.PAYMENT_EVENT and charge.is_debt for charge in rules.charges
    )
    order = rules.order
    for place, step in enumerate(order):
        if step in order[:place]:
            yield RulesError(_ORDER, f"{step[:40]!a} is there twice")
        if step not in {BALANCE_STEP, DEBTS_STEP, CREDIT_STEP, *at_payment}:
            known = ", ".join([BALANCE_STEP, *sorted(at_payment), DEBTS_STEP, CREDIT_STEP])
            yield RulesError(_ORDER, f"{step[:40]!a} is none of the steps {known}")
    if not order or order[-1] != CREDIT_STEP:
        yield RulesError(_ORDER, f"{CREDIT_STEP!r} comes last: the rest goes to the balance")
    missing = sorted(at_payment - set(order)) + ([DEBTS_STEP] if debts else [])
    for step in missing:
        if step not in order:
            yield RulesError(_ORDER, f"{step!r} is missing, and would never be collected")
    shares = [charge for charge in rules.charges if not charge.of_rest]
    whole = sum(charge.proportion for charge in shares)
    whole += 0 if rules.debts.of_rest else rules.debts.proportion
    if whole > WHOLE:
        yield RulesError(_ORDER, f"the shares of a payment add up to {whole}, above {WHOLE}")
