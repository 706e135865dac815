"""What an account holds in local mode, as frozen values: each a cell of the meter's memory.

Money is in whole minor units, energy in Wh, a moment in milliseconds since 1970 by the meter's
clock, a day the ordinal of a local date.
"""

from typing import Final, NamedTuple

from msgspec import Struct

from obis.values import replace
from prepay.charge import When
from prepay.money import MAX_AMOUNT, MIN_AMOUNT

#: A day or a moment that there has not been.
NEVER: Final = -1


class BalanceOutOfRange(ValueError):
    """An amount that would take the balance out of a double-long."""


class DebtOutOfRange(ValueError):
    """An amount remaining below 0, or above what a double-long carries."""


class NoSuchCharge(ValueError):
    """No charge of that slot, or one that is no debt."""


class Totals(Struct, frozen=True):
    """The totals of an account since manufacture, in minor units; the balance is their sum."""

    started: int = 0  # what it was opened with
    paid: int = 0  # top-ups, before anything is taken from them
    adjusted: int = 0  # signed
    charged: int = 0  # all that all charges have collected
    settled: int = 0  # paid out at closing

    @property
    def balance(self) -> int:
        """What the customer has, in minor units."""
        return self.started + self.paid + self.adjusted - self.charged - self.settled


class ChargeState(Struct, frozen=True):
    """Where one charge stands.

    Args:
        slot: its place in the profile's list.
        paid: total_amount_paid: what it has collected since manufacture.
        remaining: total_amount_remaining of a debt.
        remainder: consumption: billionths of a minor unit for the next collection.
        bases: consumption: Wh at the last collection, by rate; the first alone where there is
            one price.
        next_day: time: on which the next period begins; ``NEVER`` while none runs.
        last_time: of the last collection.
        last_amount: of the last collection.
        ahead: time: the amount of a whole period by which the running one was collected; 0
            where it was let go. Unused days come back by it.
    """

    slot: int = 0
    paid: int = 0
    remaining: int = 0
    remainder: int = 0
    bases: tuple[int, int, int, int] = (0, 0, 0, 0)
    next_day: int = NEVER
    last_time: int = NEVER
    last_amount: int = 0
    ahead: int = 0

    @property
    def number(self) -> int:
        """Its place in the order of a ring of cells."""
        return self.slot

    def collected(self, amount: int, at_ms: int) -> "ChargeState":
        """Return the state after a collection, of a debt from what remains of it.

        Args:
            amount: of the collection.
            at_ms: its moment.
        """
        remaining = self.remaining - amount if self.remaining else 0
        return replace(
            self,
            paid=self.paid + amount,
            remaining=remaining,
            last_time=at_ms,
            last_amount=amount,
        )


class Provision(Struct, frozen=True):
    """What debts have taken of top-ups in the running provision period."""

    since: int = NEVER
    taken: int = 0


class Advance(Struct, frozen=True):
    """What is owed of the emergency credit beside the balance, in minor units.

    It is above 0 only where a share of the top-ups repays it (`CreditRules.repayment`).
    """

    owed: int = 0


class Purse(Struct, frozen=True):
    """The money of an account in local mode; ``charges`` has one state for each slot."""

    totals: Totals = Totals()
    charges: tuple[ChargeState, ...] = ()
    provision: Provision = Provision()
    advance: Advance = Advance()

    @property
    def balance(self) -> int:
        """What the customer has, in minor units; what is owed beside it is not taken off."""
        return self.totals.balance + self.advance.owed

    @property
    def aggregated_debt(self) -> int:
        """aggregated_debt of class 111: what remains on all debts."""
        return sum(charge.remaining for charge in self.charges)

    def with_charges(self, changed: dict[int, ChargeState], taken: int) -> "Purse":
        """Return the purse with other states in some slots.

        Args:
            changed: by slot.
            taken: what they have collected together, so that ``charged`` stays their sum.
        """
        charges = tuple(changed.get(state.slot, state) for state in self.charges)
        totals = self.totals
        if taken:
            totals = replace(totals, charged=totals.charged + taken)
        return Purse(totals, charges, self.provision, self.advance)


class Readings(NamedTuple):
    """The energy registers, in Wh; the total first, then the rate registers."""

    imported: tuple[int, ...]
    exported: tuple[int, ...] = (0,)


class Situation(Struct, frozen=True):
    """What decides whether a charge is collected at this moment."""

    disconnected: bool = False
    limited: bool = False
    friendly: bool = False
    clock_known: bool = True

    def allows(self, when: When) -> bool:
        """Whether a charge that says ``when`` is collected."""
        return (
            (when.disconnected or not self.disconnected)
            and (when.limited or not self.limited)
            and (when.friendly or not self.friendly)
        )


def adjust(purse: Purse, amount: int) -> Purse:
    """Correct the balance.

    Args:
        purse: before.
        amount: signed, in minor units.

    Raises:
        BalanceOutOfRange: it would leave a double-long.
    """
    after = purse.balance + amount
    # A balance that charges have taken below the range may always be lifted.
    if after > MAX_AMOUNT or (after < MIN_AMOUNT and amount < 0):
        raise BalanceOutOfRange(f"{amount} would take the balance out of a double-long")
    return replace(purse, totals=replace(purse.totals, adjusted=purse.totals.adjusted + amount))


def set_remaining(purse: Purse, slot: int, amount: int) -> Purse:
    """Set what remains of a debt; whether the charge is one, ``AccountRules.is_debt`` knows.

    Args:
        purse: before.
        slot: of the charge.
        amount: minor units, 0 or more.

    Raises:
        NoSuchCharge: no charge of that slot.
        DebtOutOfRange: below 0, or beyond a double-long.
    """
    if not 0 <= slot < len(purse.charges):
        raise NoSuchCharge(f"there is no charge in slot {slot}")
    if not 0 <= amount <= MAX_AMOUNT:
        raise DebtOutOfRange(f"a debt of {amount} is below 0, or beyond a double-long")
    state = purse.charges[slot]
    if state.remaining == amount:
        return purse
    return purse.with_charges({slot: replace(state, remaining=amount)}, 0)
