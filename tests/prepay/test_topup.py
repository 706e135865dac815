"""Top-up limits: both ends allowed, the rest refused by name."""

import pytest

from prepay.money import EUR, MAX_AMOUNT
from prepay.topup import CreditTooLarge, TopUpLimits, TopUpTooLarge, TopUpTooSmall

WALLONIA = TopUpLimits(500, 25000)


@pytest.mark.parametrize("amount", [500, 501, 24999, 25000])
def test_from_the_least_to_the_greatest_is_taken(amount: int) -> None:
    """EUR 5 and EUR 250 themselves included."""
    WALLONIA.check(amount, EUR)


@pytest.mark.parametrize("amount", [499, 0, -500])
def test_less_is_refused(amount: int) -> None:
    """With the limit in the message."""
    with pytest.raises(TopUpTooSmall, match=r"below the least top-up, EUR 5\.00"):
        WALLONIA.check(amount, EUR)


@pytest.mark.parametrize("amount", [25001, MAX_AMOUNT])
def test_more_is_refused(amount: int) -> None:
    """With the limit in the message."""
    with pytest.raises(TopUpTooLarge, match=r"above the greatest top-up, EUR 250\.00"):
        WALLONIA.check(amount, EUR)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, MAX_AMOUNT + 1)])
def test_limits_that_let_nothing_or_everything_through_are_refused(low: int, high: int) -> None:
    """A top-up is above zero and fits a double-long."""
    with pytest.raises(ValueError, match="least top-up"):
        TopUpLimits(low, high)


@pytest.mark.parametrize("most", [0, -1, MAX_AMOUNT + 1])
def test_a_greatest_credit_that_lets_nobody_pay_is_refused(most: int) -> None:
    """And one that no double-long carries."""
    with pytest.raises(ValueError, match="greatest credit"):
        TopUpLimits(500, 25000, most)


@pytest.mark.parametrize(
    ("amount", "balance", "refused"),
    [
        (1, 1, None),  # the least top-up is the vendor's affair
        (25000, 30000, None),
        (25000, 30001, CreditTooLarge),
        (25001, 25001, TopUpTooLarge),
        (0, 0, TopUpTooSmall),
        (-1, 0, TopUpTooSmall),
    ],
)
def test_what_a_meter_takes(amount: int, balance: int, refused: type[Exception] | None) -> None:
    """Up to the greatest top-up, and up to the greatest credit after it."""
    limits = TopUpLimits(500, 25000, 30000)
    if refused is None:
        limits.check_payment(amount, balance, EUR)
        return
    with pytest.raises(refused):
        limits.check_payment(amount, balance, EUR)
