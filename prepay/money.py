"""Money as whole minor units (cents, agorot); a decimal point exists only at the edges.

An amount travels in DLMS as a double-long, so everything here fits a signed 32-bit integer.
"""

import re
from decimal import Decimal

from msgspec import Struct

#: The least and the greatest amount that a double-long carries.
MIN_AMOUNT = -(2**31)
MAX_AMOUNT = 2**31 - 1

#: Characters of an amount that are looked at: sign, ten digits, point and some leading zeros.
_LONGEST = 24
_PLAIN = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?")


class AmountError(ValueError):
    """A text or number that is no amount of this currency; the message says what to write."""


class Currency(Struct, frozen=True):
    """A currency and the size of its minor unit.

    Args:
        code: ISO 4217 letters, e.g. "EUR".
        exponent: power of ten of the minor unit, e.g. -2 for cents; -4 to 0.
        symbol: what a person reads, e.g. "€".
    """

    code: str
    exponent: int
    symbol: str

    def __post_init__(self) -> None:
        if not -4 <= self.exponent <= 0:
            raise ValueError(f"{self.code}: exponent {self.exponent} is not in -4..0")

    @property
    def digits(self) -> int:
        """How many digits stand after the point."""
        return -self.exponent

    @property
    def minor_per_unit(self) -> int:
        """Minor units in one unit: 100 for the euro."""
        return int(10**self.digits)


EUR = Currency("EUR", -2, "€")
ILS = Currency("ILS", -2, "₪")

#: The currencies that profiles may name, by code.
CURRENCIES = {currency.code: currency for currency in (EUR, ILS)}


def parse_amount(
    amount: str | Decimal,
    currency: Currency,
    *,
    allow_negative: bool = False,
    allow_zero: bool = True,
) -> int:
    """Return an amount in minor units.

    A text has to be plain: digits, at most one point, no grouping. Digits beyond the minor unit
    are refused even when they are zeros, because "25.000" is a thousand times more to half of
    the people who read it.

    Args:
        amount: "25", "25.5", "-3.20", or a finite Decimal.
        currency: gives the number of decimals.
        allow_negative: take amounts below zero.
        allow_zero: take zero.

    Raises:
        AmountError: not a plain amount, too many decimals, too large, or of a sign not allowed.
    """
    if isinstance(amount, str):
        minor = _from_text(amount, currency)
    elif isinstance(amount, Decimal):
        minor = _from_decimal(amount, currency)
    else:
        raise TypeError(f"an amount is a str or a Decimal, not {type(amount).__name__}")
    if not MIN_AMOUNT <= minor <= MAX_AMOUNT:
        raise _too_large(currency)
    if minor < 0 and not allow_negative:
        raise AmountError(
            f"{format_amount(minor, currency)} is negative: give an amount above zero"
        )
    if minor == 0 and not allow_zero:
        raise AmountError("zero is not an amount here: give one above zero")
    return minor


def format_amount(minor: int, currency: Currency) -> str:
    """Return an amount as ``parse_amount`` reads it, with every decimal: 2500 is "25.00"."""
    whole, part = divmod(abs(minor), currency.minor_per_unit)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{part:0{currency.digits}}" if currency.digits else f"{sign}{whole}"


def _from_text(text: str, currency: Currency) -> int:
    example = format_amount(25 * currency.minor_per_unit, currency)
    shown = ascii(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")
    if not text:
        raise AmountError(f"an amount is missing: write one such as {example}")
    match = _PLAIN.fullmatch(text)
    if match is None:
        hint = "a decimal point, not a comma" if "," in text else f"write one such as {example}"
        raise AmountError(f"{shown} is not a plain amount: {hint}")
    part = match["part"] or ""
    if len(part) > currency.digits:
        raise AmountError(
            f"{shown} has more than the {currency.digits} decimals of {currency.code}"
        )
    if len(text) > _LONGEST:
        raise _too_large(currency)
    minor = int(match["whole"]) * currency.minor_per_unit + int(
        part.ljust(currency.digits, "0") or 0
    )
    return -minor if match["sign"] == "-" else minor


def _from_decimal(number: Decimal, currency: Currency) -> int:
    if not number.is_finite():
        raise AmountError(f"{str(number)[:_LONGEST]} is not a number")
    if number.is_zero():
        return 0
    if number.adjusted() > _LONGEST:
        raise _too_large(currency)
    sign, digits, exponent = number.as_tuple()
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    shift = int(exponent) + len(written) - len(significant) - currency.exponent
    if shift < 0:
        raise _too_fine(str(number)[:_LONGEST], currency)
    minor = int(significant) * int(10**shift)
    return -minor if sign else minor


def _too_fine(shown: str, currency: Currency) -> AmountError:
    return AmountError(f"{shown} has more than the {currency.digits} decimals of {currency.code}")


def _too_large(currency: Currency) -> AmountError:
    low, high = format_amount(MIN_AMOUNT, currency), format_amount(MAX_AMOUNT, currency)
    return AmountError(f"too large: an amount of {currency.code} lies between {low} and {high}")
