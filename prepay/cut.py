"""What may this meter supply? A decision table, read from the top; the first row that fits decides.

The theory of it. Only credit is judged here: an operator, the limiter and the others keep causes
of their own, and the relay opens while any cause stands.

Two things can hold a *cut* back, and neither brings back a supply that was cut before: a friendly
window, and a clock that does not know the time (there may be a window now). Money ends a cut, or
the end of prepayment does.

Who may cut differs by mode. In local mode the meter owns the balance and cuts by itself. In
central mode its balance is only what it was last told, so it may *begin* a cut only while the
head-end has armed it, for the very snapshot that it holds, and not after the arm's expiry. A cut
that was rightly begun outlives the arm: the expiry stops a late cut and does not feed a meter
that has not paid, and each morning's snapshot would otherwise close the relay until the next arm
opens it again. Supply comes back with a snapshot that is above the limit, or with a disarm.

Nor is it always a cut. A customer whose supply is *never cut* (a landlord's house, a medical need,
the gas of a protected customer) keeps all of it. A *protected* one has minimum supply in its
place: the relay stays closed, and the limiter watches what is drawn. Both begin and are held back
alike, so "cut" in the table says that either of them has begun before and that nothing has ended
it.

| active | used up | never cut | clock | mode    | arm    | window | cut    | protected | supply  |
|--------|---------|-----------|-------|---------|--------|--------|--------|-----------|---------|
| no     |         |           |       |         |        |        |        |           | full    |
|        | no      |           |       |         |        |        |        |           | full    |
|        |         | yes       |       |         |        |        |        |           | full    |
|        |         |           |       | central | none   |        |        |           | full    |
|        |         |           |       |         |        |        | yes    | yes       | limited |
|        |         |           |       |         |        |        | yes    |           | none    |
|        |         |           | lost  |         |        |        |        |           | full    |
|        |         |           |       |         |        | yes    |        |           | full    |
|        |         |           |       | central | lapsed |        |        |           | full    |
|        |         |           |       |         |        |        |        | yes       | limited |
|        |         |           |       |         |        |        |        |           | none    |

An arm has lapsed when its expiry has passed, or when another snapshot is in force.
A window counts as in force only when it is not void: see ``Standing.window_void``.
"""

from enum import Enum, IntEnum
from functools import cache
from typing import Any, Final, NamedTuple

from msgspec import Struct

from prepay.credit import Standing


class BalanceMode(IntEnum):
    """Who keeps the balance."""

    CENTRAL = 0  # the head-end; the meter holds snapshots
    LOCAL = 1  # the meter


class Arm(Enum):
    """The head-end's permission to begin a cut; of no account in local mode."""

    NONE = "not armed, or disarmed"
    ARMED = "armed for the snapshot in force"
    EXPIRED = "armed, and the expiry has passed"
    ANOTHER_SEQUENCE = "armed for a snapshot that is no longer the one in force"


class Supply(Enum):
    """What credit lets through."""

    FULL = "full"
    LIMITED = "limited"  # minimum supply: what the limiter allows
    NONE = "none"


class Reason(Enum):
    """Why a meter supplies, or not, as far as credit goes."""

    NOT_PREPAID = "prepayment is not active"
    CREDIT_LEFT = "credit is left"
    NEVER_CUT = "used up, but this supply is never cut"
    NOT_ARMED = "used up, and the head-end has not armed the cut"
    STILL_CUT = "used up, and cut before"
    CLOCK_UNKNOWN = "used up, but the clock is unknown and a window may be in force"
    FRIENDLY_WINDOW = "used up, but a friendly window is in force"
    ARM_LAPSED = "used up, but the arm has expired or is for another snapshot"
    USED_UP = "used up"
    STILL_MINIMUM = "used up before, and protected: minimum supply goes on"
    MINIMUM = "used up, but protected: minimum supply in place of a cut"


class Verdict(Struct, frozen=True):
    """What credit says about the supply.

    Args:
        flow: how much of it credit lets through.
        reason: the row of the table that decided.
    """

    flow: Supply
    reason: Reason

    @property
    def supply(self) -> bool:
        """Whether energy may flow at all."""
        return self.flow is not Supply.NONE

    @property
    def limited(self) -> bool:
        """Whether it may flow only as far as the limiter allows."""
        return self.flow is Supply.LIMITED


class _Facts(NamedTuple):
    active: bool
    used_up: bool
    never_cut: bool
    clock_known: bool
    central: bool
    arm: Arm
    window: bool
    cut: bool
    protected: bool


class _Row(Struct, frozen=True):
    """A verdict, and what it asks of the facts; None asks nothing."""

    flow: Supply
    reason: Reason
    active: bool | None = None
    used_up: bool | None = None
    never_cut: bool | None = None
    clock_known: bool | None = None
    central: bool | None = None
    arm: frozenset[Arm] | None = None
    window: bool | None = None
    cut: bool | None = None
    protected: bool | None = None

    def fits(self, facts: _Facts) -> bool:
        """Whether the facts are what this row asks for."""
        return (
            self.active in (None, facts.active)
            and self.used_up in (None, facts.used_up)
            and self.never_cut in (None, facts.never_cut)
            and self.clock_known in (None, facts.clock_known)
            and self.central in (None, facts.central)
            and (self.arm is None or facts.arm in self.arm)
            and self.window in (None, facts.window)
            and self.cut in (None, facts.cut)
            and self.protected in (None, facts.protected)
        )


_LAPSED = frozenset({Arm.EXPIRED, Arm.ANOTHER_SEQUENCE})
_FULL, _LIMITED, _NONE = Supply
_TABLE = (
    _Row(_FULL, Reason.NOT_PREPAID, active=False),
    _Row(_FULL, Reason.CREDIT_LEFT, used_up=False),
    _Row(_FULL, Reason.NEVER_CUT, never_cut=True),
    _Row(_FULL, Reason.NOT_ARMED, central=True, arm=frozenset({Arm.NONE})),
    _Row(_LIMITED, Reason.STILL_MINIMUM, cut=True, protected=True),
    _Row(_NONE, Reason.STILL_CUT, cut=True),
    _Row(_FULL, Reason.CLOCK_UNKNOWN, clock_known=False),
    _Row(_FULL, Reason.FRIENDLY_WINDOW, window=True),
    _Row(_FULL, Reason.ARM_LAPSED, central=True, arm=_LAPSED),
    _Row(_LIMITED, Reason.MINIMUM, protected=True),
    _Row(_NONE, Reason.USED_UP),
)


def judge(
    mode: BalanceMode,
    prepayment_active: bool,
    standing: Standing,
    *,
    friendly: bool,
    armed: Arm,
    clock_known: bool,
    already_cut: bool,
    protected: bool = False,
    never_cut: bool = False,
) -> Verdict:
    """Say how much supply credit lets through, and why.

    Args:
        mode: who keeps the balance.
        prepayment_active: whether the account is in prepayment mode at all.
        standing: what the balance amounts to.
        friendly: whether a window is in force by the calendar; whether it is void for this
            customer is seen here. Any value when the clock is unknown.
        armed: the head-end's permission, in central mode.
        clock_known: whether the meter knows the time.
        already_cut: whether the last verdict was a cut, or minimum supply in its place.
        protected: minimum supply is this customer's due.
        never_cut: this supply is never cut for want of credit.
    """
    return _decide(  # in the order of _Facts
        prepayment_active,
        standing.out_of_credit,
        never_cut,
        clock_known,
        mode is BalanceMode.CENTRAL,
        armed,
        friendly and not standing.window_void,
        already_cut,
        protected,
    )


#: What the table says of an account that has credit left, whatever else is asked: at most of a
#: year's ticks nobody has to find that out.
CREDIT_LEFT: Final = Verdict(_FULL, Reason.CREDIT_LEFT)


@cache  # of a thousand answers at most
def _decide(*facts: Any) -> Verdict:
    """Return what the table says of the facts, in the order of ``_Facts``."""
    row = next(row for row in _TABLE if row.fits(_Facts(*facts)))
    return Verdict(row.flow, row.reason)
