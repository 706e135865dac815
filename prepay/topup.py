"""How much may be topped up at once, how high a balance may grow, and what activation advances."""

from enum import Enum

from msgspec import Struct

from prepay.money import MAX_AMOUNT, Currency, format_amount


class TopUpError(ValueError):
    """A top-up that the profile does not take; the message names the limit."""


class TopUpTooSmall(TopUpError):
    """Less than the least top-up."""


class TopUpTooLarge(TopUpError):
    """More than the greatest top-up."""


class CreditTooLarge(TopUpError):
    """The balance would rise above the greatest credit."""


class StartRule(Enum):
    """What activation makes of the balance that a customer brings."""

    RAISE_TO = "raise_to"  # at least the start credit
    ADD = "add"  # the start credit on top


class StartCredit(Struct, frozen=True):
    """The credit at installation or activation.

    Args:
        amount: minor units, 0 or more.
        rule: what becomes of an old balance.
    """

    amount: int
    rule: StartRule

    def first_balance(self, old: int) -> int:
        """Return the balance to start with, given the one brought along, in minor units."""
        if self.rule is StartRule.RAISE_TO:
            return max(old, self.amount)
        return old + self.amount


class TopUpLimits(Struct, frozen=True):
    """The least and the greatest top-up, and the greatest credit, all allowed, in minor units.

    Args:
        minimum: of what is sold; a meter takes a smaller token too.
        maximum: of one top-up.
        max_credit: of the balance after it; None for what a double-long carries.

    Raises:
        ValueError: not 0 < minimum <= maximum, no credit at all, or beyond a double-long.
    """

    minimum: int
    maximum: int
    max_credit: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= self.maximum <= MAX_AMOUNT:
            raise ValueError("the least top-up is above 0 and not above the greatest")
        if self.max_credit is not None and not 0 < self.max_credit <= MAX_AMOUNT:
            raise ValueError("max_credit: the greatest credit is above 0")

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

    def check_payment(self, amount: int, balance: int, currency: Currency) -> None:
        """Take a payment at the meter or say why not.

        Args:
            amount: minor units.
            balance: what the balance would be after it.
            currency: for the message.

        Raises:
            TopUpTooSmall: it brings nothing.
            TopUpTooLarge: above the maximum.
            CreditTooLarge: the balance would be above the greatest credit.
        """
        if amount <= 0:
            raise TopUpTooSmall("a top-up is above 0")
        if amount > self.maximum:
            raise TopUpTooLarge(_message(amount, "above the greatest", self.maximum, currency))
        highest = MAX_AMOUNT if self.max_credit is None else self.max_credit
        if balance > highest:
            shown = format_amount(highest, currency)
            raise CreditTooLarge(f"the balance would rise above {currency.code} {shown}")


def _message(amount: int, relation: str, bound: int, currency: Currency) -> str:
    asked, limit = format_amount(amount, currency), format_amount(bound, currency)
    return f"{currency.code} {asked} is {relation} top-up, {currency.code} {limit}"
