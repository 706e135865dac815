"""The consumption charge: whole watt-hours in, whole minor units out, nothing lost in between.

What a collection leaves below one minor unit is carried to the next one. The carry is counted in
billionths of a minor unit whatever the tariff, so that it survives a change of tariff, and fits
32 bits.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from prepay.money import Currency

#: Parts of a minor unit in which a remainder is counted.
REMAINDER_PER_MINOR = 10**9
#: commodity_scale of class 113 for a price per kWh on a register in Wh.
COMMODITY_SCALE = 3
#: charge_per_unit of class 113 is a long.
MAX_PRICE = 2**15 - 1
#: price_scale that we take: finer does not go into the remainder for every currency.
MIN_EXPONENT, MAX_EXPONENT = -6, 0

_REMAINDER_DIGITS = 9
# Longer numbers never fit, and would meet the precision of the decimal context.
_PLAIN = re.compile(r"-?[0-9]{1,10}(?:\.[0-9]{1,10})?")


class TariffError(ValueError):
    """A price that class 113 cannot carry."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price of energy as class 113 carries it: ``price`` x 10^``exponent`` units per kWh.

    Args:
        price: charge_per_unit, 0 to 32767.
        exponent: price_scale, -6 to 0; in units of the currency (euros), not minor units.

    Raises:
        TariffError: out of these bounds.
    """

    price: int
    exponent: int

    def __post_init__(self) -> None:
        if not 0 <= self.price <= MAX_PRICE:
            raise TariffError(f"charge per unit {self.price} does not fit 0..{MAX_PRICE}")
        if not MIN_EXPONENT <= self.exponent <= MAX_EXPONENT:
            raise TariffError(f"price scale {self.exponent} is not in {MIN_EXPONENT}..0")

    @classmethod
    def per_kwh(cls, price: Decimal | str) -> "Tariff":
        """Return the tariff of a price per kWh, at the coarsest scale that is exact.

        Args:
            price: units of the currency per kWh, e.g. "0.3125".

        Raises:
            TariffError: no number, negative, or with too many significant digits for a long.
        """
        number = _plain_decimal(price)
        if number < 0:
            raise TariffError(f"a price per kWh is not negative: {number}")
        for exponent in range(MAX_EXPONENT, MIN_EXPONENT - 1, -1):
            scaled = number.scaleb(-exponent)
            if scaled > MAX_PRICE:
                break
            if scaled == scaled.to_integral_value():
                return cls(int(scaled), exponent)
        raise TariffError(
            f"{number} per kWh needs more digits than a 16-bit charge per unit has: "
            f"at most {MAX_PRICE} as a whole number, at most {-MIN_EXPONENT} decimals"
        )

    @property
    def price_per_kwh(self) -> Decimal:
        """The price in units of the currency per kWh."""
        return Decimal(self.price).scaleb(self.exponent)


def collect(tariff: Tariff, watt_hours: int, remainder: int, currency: Currency) -> tuple[int, int]:
    """Charge energy, and carry what is below a minor unit.

    Any partition of the energy into collections costs the same in total.

    Args:
        tariff: the price that was in force while the energy was used.
        watt_hours: energy since the last collection, 0 or more.
        remainder: billionths of a minor unit left by the last collection; 0 at first.
        currency: of the price and of the amount.

    Returns:
        The amount in minor units, and the remainder for the next collection.

    Raises:
        ValueError: energy below 0, or a remainder that no collection leaves.
    """
    if watt_hours < 0:
        raise ValueError(f"energy is charged forwards only, not {watt_hours} Wh")
    if not 0 <= remainder < REMAINDER_PER_MINOR:
        raise ValueError(f"remainder {remainder} is not in 0..{REMAINDER_PER_MINOR - 1}")
    shift = tariff.exponent - currency.exponent - COMMODITY_SCALE + _REMAINDER_DIGITS
    charged = watt_hours * tariff.price * int(10**shift) + remainder
    return divmod(charged, REMAINDER_PER_MINOR)


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
