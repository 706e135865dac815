"""What a charge is, and the price of energy: whole watt-hours in, whole minor units out.

Nothing is lost in between. What a collection leaves below one minor unit is carried to the next
one. The carry is counted in billionths of a minor unit whatever the tariff, so that it survives a
change of tariff, and fits 32 bits. A price may be negative: then energy is worth something to the
customer (feed-in), the amount is negative, and rounding down rounds away from zero.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Final

from msgspec import Struct

from prepay.money import MAX_AMOUNT, Currency

#: Parts of a minor unit in which a remainder is counted.
REMAINDER_PER_MINOR = 10**9
#: commodity_scale of class 113 for a price per kWh on a register in Wh.
COMMODITY_SCALE = 3
#: charge_per_unit of class 113 is a long.
MIN_PRICE, MAX_PRICE = -(2**15), 2**15 - 1
#: price_scale that we take: finer does not go into the remainder for every currency.
MIN_EXPONENT, MAX_EXPONENT = -6, 0

#: Registers that energy is charged by, and whether it is the export register.
REGISTERS: Final = {"1-0:1.8.0": False, "1-0:2.8.0": True}
#: Rate registers that one charge may have prices for.
MAX_RATES: Final = 4
#: The longest period of a standing charge, in days: period of class 113 is in seconds.
MAX_PERIOD: Final = 3660
#: proportion of class 113 for the whole.
WHOLE: Final = 10_000
#: Steps of a top-up's order that are no charge.
BALANCE_STEP, DEBTS_STEP, CREDIT_STEP = "balance", "debts", "credit"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_REMAINDER_DIGITS = 9
# Longer numbers never fit, and would meet the precision of the decimal context.
_PLAIN = re.compile(r"-?[0-9]{1,10}(?:\.[0-9]{1,10})?")


class TariffError(ValueError):
    """A price that class 113 cannot carry."""


class Tariff(Struct, frozen=True):
    """A price of energy as class 113 carries it: ``price`` x 10^``exponent`` units per kWh.

    Args:
        price: charge_per_unit, -32768 to 32767; below 0 for energy that is paid for.
        exponent: price_scale, -6 to 0; in units of the currency (euros), not minor units.

    Raises:
        TariffError: out of these bounds.
    """

    price: int
    exponent: int

    def __post_init__(self) -> None:
        if not MIN_PRICE <= self.price <= MAX_PRICE:
            raise TariffError(f"charge per unit {self.price} is not in {MIN_PRICE}..{MAX_PRICE}")
        if not MIN_EXPONENT <= self.exponent <= MAX_EXPONENT:
            raise TariffError(f"price scale {self.exponent} is not in {MIN_EXPONENT}..0")

    @classmethod
    def per_kwh(cls, price: Decimal | str) -> "Tariff":
        """Return the tariff of a price per kWh, at the coarsest scale that is exact.

        Args:
            price: units of the currency per kWh, e.g. "0.3125", or "-0.05" for feed-in.

        Raises:
            TariffError: no number, or with too many significant digits for a long.
        """
        number = _plain_decimal(price)
        for exponent in range(MAX_EXPONENT, MIN_EXPONENT - 1, -1):
            scaled = number.scaleb(-exponent)
            if not MIN_PRICE <= scaled <= MAX_PRICE:
                break
            if scaled == scaled.to_integral_value():
                return cls(int(scaled), exponent)
        raise TariffError(
            f"{number} per kWh needs more digits than a 16-bit charge per unit has: "
            f"at most {MAX_PRICE} as a whole number, at most {-MIN_EXPONENT} decimals"
        )

    @classmethod
    def of_amount(cls, amount: int, currency: Currency) -> "Tariff":
        """Return a fixed amount (per period, per payment) as class 113 carries it.

        Args:
            amount: minor units.
            currency: of the amount.

        Raises:
            TariffError: it needs more digits than a long has.
        """
        return cls.per_kwh(Decimal(amount).scaleb(currency.exponent))

    def per_watt_hour(self, currency: Currency) -> int:
        """Return the price of one Wh in billionths of a minor unit, exactly."""
        shift = self.exponent - currency.exponent - COMMODITY_SCALE + _REMAINDER_DIGITS
        return self.price * int(10**shift)

    @property
    def price_per_kwh(self) -> Decimal:
        """The price in units of the currency per kWh."""
        return Decimal(self.price).scaleb(self.exponent)


class ChargeType(IntEnum):
    """charge_type of class 113: what a charge is collected for."""

    CONSUMPTION = 0
    TIME = 1
    PAYMENT_EVENT = 2


class ChargeError(ValueError):
    """A charge that contradicts itself.

    Args:
        field: the field, as a profile's file calls it.
        reason: what is wrong.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class When(Struct, frozen=True):
    """Whether a charge is collected in three situations: collection_configuration of class 111.

    Args:
        disconnected: while supply is disconnected (bit 0).
        limited: while the limiter is in force (bit 1).
        friendly: in friendly windows (bit 2).
    """

    disconnected: bool = True
    limited: bool = True
    friendly: bool = True

    @property
    def always(self) -> bool:
        """Whether there is no situation in which the charge is not collected."""
        return self.disconnected and self.limited and self.friendly

    @property
    def bits(self) -> str:
        """collection_configuration: three bits, the first is bit 0."""
        return "".join(
            "1" if bit else "0" for bit in (self.disconnected, self.limited, self.friendly)
        )


class Charge(Struct, frozen=True):
    """One charge of an account; its object is 0-0:19.20.<slot>.255, by its place in the list.

    Args:
        name: as the order of a top-up calls it.
        type: what it is collected for.
        priority: 1 comes first.
        continuous: for ever; else until ``total_amount_remaining`` is paid (a debt).
        when: the situations in which it is collected; of no account for payments.
        register: consumption: a key of ``REGISTERS``.
        tariffs: consumption: one price, or one for each rate register from the first.
        amount: time: per period; payment: fixed; minor units, 0 or more.
        period_days: time: local days of a period.
        proportion: payment: in 1/10000 of the base; 0 where the amount is fixed.
        of_rest: payment: the base is what the steps before have left, not the payment.

    Raises:
        ChargeError: fields that do not go together, or out of their range.
    """

    name: str
    type: ChargeType
    priority: int = 1
    continuous: bool = True
    when: When = When()
    register: str = ""
    tariffs: tuple[Tariff, ...] = ()
    amount: int = 0
    period_days: int = 0
    proportion: int = 0
    of_rest: bool = False

    def __post_init__(self) -> None:
        wrong = next(_contradictions(self), None)
        if wrong is not None:
            raise ChargeError(*wrong)

    @property
    def is_debt(self) -> bool:
        """Whether it collects until it is paid."""
        return not self.continuous

    @property
    def is_export(self) -> bool:
        """Whether it charges for the energy that was fed in."""
        return REGISTERS.get(self.register, False)


def _contradictions(charge: Charge) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a charge, the plainest first."""
    kind = charge.type
    if not _NAME.fullmatch(charge.name):
        yield "name", "small letters, digits, - and _, at most 32, a letter first"
    if charge.name in (BALANCE_STEP, DEBTS_STEP, CREDIT_STEP):
        yield "name", f"{charge.name!r} is a step of the top-up order already"
    if not 0 <= charge.priority <= 255:
        yield "priority", "not in 0..255"
    if not 0 <= charge.amount <= MAX_AMOUNT:
        yield "amount", "not below 0, and no more than a double-long carries"
    if not 0 <= charge.proportion <= WHOLE:
        yield "proportion", f"above 100 % or below 0, it is in 1/{WHOLE}"
    if kind is ChargeType.CONSUMPTION:
        yield from _of_consumption(charge)
    elif charge.register or charge.tariffs:
        yield "register", "only a consumption charge has them"
    if kind is ChargeType.TIME:
        if not 1 <= charge.period_days <= MAX_PERIOD:
            yield "period_days", f"a charge for time has a period of 1 to {MAX_PERIOD} days"
    elif charge.period_days:
        yield "period_days", "only a charge for time has a period"
    if kind is ChargeType.PAYMENT_EVENT:
        yield from _of_payment(charge)
    elif charge.proportion or charge.of_rest:
        yield "proportion", "only a charge at a payment takes a share of it"


def _of_consumption(charge: Charge) -> Iterator[tuple[str, str]]:
    if not charge.continuous:
        yield "until_paid", "energy is charged for as long as it is used"
    if charge.register not in REGISTERS:
        yield "register", f"{charge.register[:40]!a} is not one of {', '.join(REGISTERS)}"
    if not 1 <= len(charge.tariffs) <= MAX_RATES:
        yield "price", f"one, or one for each of up to {MAX_RATES} rate registers"
    if charge.amount:
        yield "amount", "a consumption charge has a price"


def _of_payment(charge: Charge) -> Iterator[tuple[str, str]]:
    if not charge.continuous and (charge.amount or charge.proportion or charge.of_rest):
        yield "until_paid", "what debts take of a payment is said once for all, in [debts]"
    if charge.amount and charge.proportion:
        yield "proportion", "a charge takes a fixed amount or a share, not both"


def collect(tariff: Tariff, watt_hours: int, remainder: int, currency: Currency) -> tuple[int, int]:
    """Charge energy, and carry what is below a minor unit.

    Any partition of the energy into collections costs the same in total.

    Args:
        tariff: the price that was in force while the energy was used.
        watt_hours: energy since the last collection, 0 or more.
        remainder: billionths of a minor unit left by the last collection; 0 at first.
        currency: of the price and of the amount.

    Returns:
        The amount in minor units (below 0 at a negative price), and the remainder for the next
        collection.

    Raises:
        ValueError: energy below 0, or a remainder that no collection leaves.
    """
    if watt_hours < 0:
        raise ValueError(f"energy is charged forwards only, not {watt_hours} Wh")
    if not 0 <= remainder < REMAINDER_PER_MINOR:
        raise ValueError(f"remainder {remainder} is not in 0..{REMAINDER_PER_MINOR - 1}")
    return divmod(watt_hours * tariff.per_watt_hour(currency) + remainder, REMAINDER_PER_MINOR)


def _plain_decimal(price: Decimal | str) -> Decimal:
    if isinstance(price, Decimal):
        # "f" writes out every zero: only where there are few.
        small = price.is_finite() and abs(price.adjusted()) <= 10
        text = format(price, "f") if small else str(price)
    else:
        text = price
    if not _PLAIN.fullmatch(text):
        raise TariffError(f"{text[:32]!a} is not a price per kWh: write one such as 0.3125")
    return Decimal(text)
