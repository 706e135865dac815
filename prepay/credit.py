"""Credits of an account: one running balance, and an emergency credit that lets it go lower.

There is one number, the balance. Money that is used takes from it, a top-up adds to it. The token
credit (index 0) carries the supply while the balance is above its ``limit``, which is 0 or, with
an overdraft, below it. The emergency credit (index 1) is an advance: it moves that floor down by
its amount and leaves the balance alone, so debt is repaid first by the next top-up without
anybody doing anything, and what is left of the advance is truthful when a friendly night has
eaten into it:

    balance      +5.00 ....... 0.00 (limit) ......... -12.00 (floor)
    token credit  in use       | exhausted
    emergency     enabled      | selectable -> in use | exhausted

The theory of it; the first row that fits decides.

| balance                            | left of the advance | taken | token credit | emergency  |
|------------------------------------|---------------------|-------|--------------|------------|
| above limit                        | nothing             |       | in use       | exhausted  |
| above limit, above threshold       |                     |       | in use       | enabled    |
| above limit, at or below threshold |                     | no    | in use       | selectable |
| above limit, at or below threshold |                     | yes   | in use       | selected   |
| at or below limit                  | something           | no    | exhausted    | selectable |
| at or below limit                  | something           | yes   | exhausted    | in use     |
| at or below limit                  | nothing             |       | exhausted    | exhausted  |

The advance is given back, and the emergency credit enabled again, only by a balance above the
threshold at which it was offered: so nothing rattles. Automatic, it is taken whenever it is
offered. Where top-ups repay it by a share (``repayment``), what is owed of it stands beside the
balance: so much less is left of it, also while the balance is above the limit. Statuses, status
bits and ``available_credit`` are those of classes 111 and 112, as gurux-dlms and pydlms-client
name them.
"""

from enum import Enum, IntEnum
from functools import cache
from typing import NamedTuple

from msgspec import Struct

from prepay.charge import REMAINDER_PER_MINOR
from prepay.money import MIN_AMOUNT

#: Index of each credit in the account's credit_reference_list.
TOKEN_CREDIT, EMERGENCY_CREDIT = 0, 1
#: Whole local days that recent use is averaged over.
RECENT_DAYS = 7
#: The whole, of which token_proportion is a part.
PERCENT = 100
#: The most days that a profile may warn ahead.
MAX_LOW_DAYS = 366


class EmergencySelection(Enum):
    """How the emergency credit comes into play."""

    NONE = "none"  # there is none
    AUTOMATIC = "automatic"  # by itself
    BUTTON = "button"  # the customer has to take it


class CreditStatus(IntEnum):
    """credit_status of class 112."""

    ENABLED = 0
    SELECTABLE = 1
    SELECTED = 2
    IN_USE = 3
    EXHAUSTED = 4


class CreditRules(Struct, frozen=True):
    """What a profile says about credits; all amounts in minor units.

    Args:
        limit: the balance at which the token credit is used up; 0, or below with an overdraft.
        low_threshold: a balance under this is low.
        emergency_amount: the advance; 0 when there is none.
        emergency_selection: how it comes into play.
        emergency_threshold: it is offered while the balance is at or below this; at least
            ``limit``, or supply would be cut before the offer.
        window_void_in_emergency: friendly windows no longer protect once the advance is in use.
        low_days: a balance that lasts for fewer days than this is low, too; 0: days do not count.
        repayment: percent of what a top-up brings to the credits that repays the emergency
            credit; None: all of it, before anything else, for it is taken from the balance.

    Raises:
        ValueError: the figures contradict each other.
    """

    limit: int = 0
    low_threshold: int = 0
    emergency_amount: int = 0
    emergency_selection: EmergencySelection = EmergencySelection.NONE
    emergency_threshold: int = 0
    window_void_in_emergency: bool = False
    low_days: int = 0
    repayment: int | None = None

    def __post_init__(self) -> None:
        if self.limit > 0:
            raise ValueError("limit: the token credit is used up at 0 or below, not above")
        if self.emergency_amount < 0:
            raise ValueError("emergency_amount: an advance is not negative")
        if self.has_emergency != (self.emergency_amount > 0):
            raise ValueError("emergency_selection: an amount and a selection go together")
        if self.has_emergency and self.emergency_threshold < self.limit:
            raise ValueError("emergency_threshold: below the limit it would come too late")
        if self.floor < MIN_AMOUNT:
            raise ValueError("limit: less the emergency amount it does not fit a double-long")
        if not 0 <= self.low_days <= MAX_LOW_DAYS:
            raise ValueError(f"low_days: not in 0..{MAX_LOW_DAYS}")
        if self.repayment is not None and not 0 <= self.repayment <= PERCENT:
            raise ValueError(f"repayment: not in 0..{PERCENT} percent")

    @property
    def has_emergency(self) -> bool:
        """Whether there is an emergency credit at all."""
        return self.emergency_selection is not EmergencySelection.NONE

    @property
    def floor(self) -> int:
        """The balance at which even the advance is used up, where nothing is owed beside it."""
        return self.limit - self.emergency_amount

    def used(self, balance: int, owed: int) -> int:
        """Return what has been used of an advance that is taken, and not been repaid.

        Args:
            balance: in minor units.
            owed: of it, what is kept beside the balance.
        """
        below = max(self.limit - balance, 0)
        return owed + min(below, max(self.emergency_amount - owed, 0))


class Standing(NamedTuple):  # a tuple is made in half the time, and one is at each tick
    """What a balance amounts to under some rules; amounts in minor units.

    Args:
        balance: the running balance.
        token_status: credit_status of the token credit.
        emergency_status: credit_status of the emergency credit; None when there is none.
        emergency_selected: whether the advance stays taken. It is the state to keep: pass it to
            the next ``standing``.
        emergency_available: what is left of the advance, taken or not.
        available: available_credit, the positive amounts of the credits selected or in use.
        amount_to_clear: what brings the balance back to zero.
        low: the balance is under the low-credit threshold, or lasts for too few days.
        out_of_credit: used up; the next credit is missing, exhausted or merely selectable.
        window_void: friendly windows do not protect this customer now.
        owed: what is owed of the emergency credit beside the balance.
    """

    balance: int
    token_status: CreditStatus
    emergency_status: CreditStatus | None
    emergency_selected: bool
    emergency_available: int
    available: int
    amount_to_clear: int
    low: bool
    out_of_credit: bool
    window_void: bool
    owed: int = 0

    @property
    def in_use(self) -> int | None:
        """Index of the credit that carries the supply; None when none does."""
        if self.token_status is CreditStatus.IN_USE:
            return TOKEN_CREDIT
        if self.emergency_status is CreditStatus.IN_USE:
            return EMERGENCY_CREDIT
        return None

    @property
    def can_select(self) -> bool:
        """Whether the customer's button would take the emergency credit now."""
        return self.emergency_status is CreditStatus.SELECTABLE

    @property
    def status_bits(self) -> str:
        """current_credit_status of class 111: eight bits, the first is bit 0.

        in_credit, low_credit, next_credit_enabled, next_credit_selectable, next_credit_selected,
        selectable_credit_in_use, out_of_credit, reserved. The emergency credit is the next one
        until it is in use. Bit 5 is set whenever it is in use, taken by hand or not: public
        implementations give the bit a name and no more.
        """
        bits = (
            not self.out_of_credit,
            self.low,
            self.emergency_status is CreditStatus.ENABLED,
            self.emergency_status is CreditStatus.SELECTABLE,
            self.emergency_status is CreditStatus.SELECTED,
            self.emergency_status is CreditStatus.IN_USE,
            self.out_of_credit,
            False,
        )
        return "".join("1" if bit else "0" for bit in bits)


def standing(
    rules: CreditRules,
    balance: int,
    emergency_selected: bool,
    lasts: int | None = None,
    owed: int = 0,
) -> Standing:
    """Judge a balance.

    Args:
        rules: the profile's.
        balance: the running balance, in minor units.
        emergency_selected: whether the advance was taken before: by the customer's button, or
            the ``emergency_selected`` of the standing before this one.
        lasts: whole days for which it lasts at recent use (``days_left``); None where nothing
            is known of recent use, or it costs nothing.
        owed: what is owed of the emergency credit beside the balance: so much less is left.
    """
    left = _emergency_left(rules, balance, owed)
    selected = _stays_selected(rules, balance, emergency_selected)
    above_limit, above_threshold = balance > rules.limit, balance > rules.emergency_threshold
    row = _row(above_limit, above_threshold, left > 0, selected)
    used_up = row.token is CreditStatus.EXHAUSTED
    emergency = row.emergency if rules.has_emergency else None
    positive = balance if balance > 0 else 0
    low = balance < rules.low_threshold or (lasts is not None and lasts < rules.low_days)
    return Standing(  # in the order of its fields: by their names it takes four times as long
        balance,
        row.token,
        emergency,
        selected,
        left,
        positive + (left if selected else 0),  # available
        max(owed - balance, 0),  # amount_to_clear
        low,
        used_up and emergency is not CreditStatus.IN_USE,  # out_of_credit
        rules.window_void_in_emergency and selected and used_up,  # window_void
        owed,
    )


def days_left(balance: int, cost: int, days: int) -> int | None:
    """Return for how many whole days a balance lasts at recent use, in exact arithmetic.

    Args:
        balance: in minor units.
        cost: of the energy of those days at the prices of now, in billionths of a minor unit.
        days: whole local days on record, of the last ``RECENT_DAYS``.

    Returns:
        0 for a balance below it; None where no day is on record or use costs nothing.
    """
    if days <= 0 or cost <= 0:
        return None
    return max(balance, 0) * REMAINDER_PER_MINOR * days // cost


class _Row(Struct, frozen=True):
    """Statuses, and what they ask of the facts; None asks nothing."""

    token: CreditStatus
    emergency: CreditStatus
    above_limit: bool
    above_threshold: bool | None = None
    left: bool | None = None
    taken: bool | None = None


_TABLE = (
    _Row(CreditStatus.IN_USE, CreditStatus.EXHAUSTED, True, left=False),
    _Row(CreditStatus.IN_USE, CreditStatus.ENABLED, True, above_threshold=True),
    _Row(CreditStatus.IN_USE, CreditStatus.SELECTABLE, True, above_threshold=False, taken=False),
    _Row(CreditStatus.IN_USE, CreditStatus.SELECTED, True, above_threshold=False, taken=True),
    _Row(CreditStatus.EXHAUSTED, CreditStatus.SELECTABLE, False, left=True, taken=False),
    _Row(CreditStatus.EXHAUSTED, CreditStatus.IN_USE, False, left=True, taken=True),
    _Row(CreditStatus.EXHAUSTED, CreditStatus.EXHAUSTED, False, left=False),
)


@cache  # of sixteen answers, asked for at each tick
def _row(above_limit: bool, above_threshold: bool, left: bool, taken: bool) -> _Row:
    """Return the row of the table that these facts fit."""
    return next(
        row
        for row in _TABLE
        if row.above_limit is above_limit
        and row.above_threshold in (None, above_threshold)
        and row.left in (None, left)
        and row.taken in (None, taken)
    )


def _emergency_left(rules: CreditRules, balance: int, owed: int) -> int:
    """Return what is left of the advance: debt below the limit has eaten from it."""
    if balance >= rules.limit:
        return max(rules.emergency_amount - owed, 0)
    return max(rules.emergency_amount - owed - (rules.limit - balance), 0)


def _stays_selected(rules: CreditRules, balance: int, selected: bool) -> bool:
    """Say whether the advance is taken; above the threshold it is given back."""
    if not rules.has_emergency or balance > rules.emergency_threshold:
        return False
    return selected or rules.emergency_selection is EmergencySelection.AUTOMATIC
