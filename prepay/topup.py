"""How much may be topped up at once."""

from dataclasses import dataclass

from prepay.money import MAX_AMOUNT, Currency, format_amount


class TopUpError(ValueError):
    """A top-up that the profile does not take; the message names the limit."""


class TopUpTooSmall(TopUpError):
    """Less than the least top-up."""


class TopUpTooLarge(TopUpError):
    """More than the greatest top-up."""


@dataclass(frozen=True, slots=True)
class TopUpLimits:
    """The least and the greatest top-up, both allowed, in minor units.

    Raises:
        ValueError: not 0 < minimum <= maximum, or beyond a double-long.
    """

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= self.maximum <= MAX_AMOUNT:
            raise ValueError("the least top-up is above 0 and not above the greatest")

    def check(self, amount: int, currency: Currency) -> None:
        """Take a top-up or say why not.

        Args:
            amount: minor units.
            currency: for the message.

        Raises:
            TopUpTooSmall: below the minimum.
            TopUpTooLarge: above the maximum.
        """
        if amount < self.minimum:
            raise TopUpTooSmall(_message(amount, "below the least", self.minimum, currency))
        if amount > self.maximum:
            raise TopUpTooLarge(_message(amount, "above the greatest", self.maximum, currency))


def _message(amount: int, relation: str, bound: int, currency: Currency) -> str:
    asked, limit = format_amount(amount, currency), format_amount(bound, currency)
    return f"{currency.code} {asked} is {relation} top-up, {currency.code} {limit}"
