"""Amounts as people write them; here without the database, for who only writes one down."""

from headend.errors import UsageError
from prepay.money import CURRENCIES, AmountError, Currency, parse_amount


def amount_of(
    text: str, currency: Currency | None = None, *, signed: bool = False, zero: bool = False
) -> int:
    """Return an amount in minor units.

    Args:
        text: decimal.
        currency: of the meter; None, before it was asked, is the finest that there is.
        signed: it may be below 0.
        zero: it may be 0.

    Raises:
        UsageError: no such amount.
    """
    known = currency or min(CURRENCIES.values(), key=lambda each: each.exponent)
    try:
        return parse_amount(text, known, allow_zero=zero, allow_negative=signed)
    except AmountError as error:
        raise UsageError(str(error)) from error
