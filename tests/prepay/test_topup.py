"""Top-up limits: both ends allowed, the rest refused by name."""

import pytest

from prepay.money import EUR, MAX_AMOUNT
from prepay.topup import TopUpLimits, TopUpTooLarge, TopUpTooSmall

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
