"""May this meter supply? A decision table, read from the top; the first row that fits decides.

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

| active | used up | clock | mode    | arm              | window | was cut | supply |
|--------|---------|-------|---------|------------------|--------|---------|--------|
| no     |         |       |         |                  |        |         | yes    |
|        | no      |       |         |                  |        |         | yes    |
|        |         |       | central | none             |        |         | yes    |
|        |         |       |         |                  |        | yes     | no     |
|        |         | lost  |         |                  |        |         | yes    |
|        |         |       |         |                  | yes    |         | yes    |
|        |         |       | central | expired, another |        |         | yes    |
|        |         |       |         |                  |        |         | no     |

A window counts as in force only when it is not void: see ``Standing.window_void``.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum

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


class Reason(Enum):
    """Why a meter supplies, or not, as far as credit goes."""

    NOT_PREPAID = "prepayment is not active"
    CREDIT_LEFT = "credit is left"
    NOT_ARMED = "used up, and the head-end has not armed the cut"
    STILL_CUT = "used up, and cut before"
    CLOCK_UNKNOWN = "used up, but the clock is unknown and a window may be in force"
    FRIENDLY_WINDOW = "used up, but a friendly window is in force"
    ARM_LAPSED = "used up, but the arm has expired or is for another snapshot"
    USED_UP = "used up"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What credit says about the supply.

    Args:
        supply: whether credit lets energy flow.
        reason: the row of the table that decided.
    """

    supply: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Facts:
    active: bool
    used_up: bool
    clock_known: bool
    central: bool
    arm: Arm
    window: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A verdict, and what it asks of the facts; None asks nothing."""

    supply: bool
    reason: Reason
    active: bool | None = None
    used_up: bool | None = None
    clock_known: bool | None = None
    central: bool | None = None
    arm: frozenset[Arm] | None = None
    window: bool | None = None
    cut: bool | None = None

    def fits(self, facts: _Facts) -> bool:
        """Whether the facts are what this row asks for."""
        return (
            self.active in (None, facts.active)
            and self.used_up in (None, facts.used_up)
            and self.clock_known in (None, facts.clock_known)
            and self.central in (None, facts.central)
            and (self.arm is None or facts.arm in self.arm)
            and self.window in (None, facts.window)
            and self.cut in (None, facts.cut)
        )


_LAPSED = frozenset({Arm.EXPIRED, Arm.ANOTHER_SEQUENCE})
_TABLE = (
    _Row(True, Reason.NOT_PREPAID, active=False),
    _Row(True, Reason.CREDIT_LEFT, used_up=False),
    _Row(True, Reason.NOT_ARMED, central=True, arm=frozenset({Arm.NONE})),
    _Row(False, Reason.STILL_CUT, cut=True),
    _Row(True, Reason.CLOCK_UNKNOWN, clock_known=False),
    _Row(True, Reason.FRIENDLY_WINDOW, window=True),
    _Row(True, Reason.ARM_LAPSED, central=True, arm=_LAPSED),
    _Row(False, Reason.USED_UP),
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
) -> Verdict:
    """Say whether credit lets the meter supply, and why.

    Args:
        mode: who keeps the balance.
        prepayment_active: whether the account is in prepayment mode at all.
        standing: what the balance amounts to.
        friendly: whether a window is in force by the calendar; whether it is void for this
            customer is seen here. Any value when the clock is unknown.
        armed: the head-end's permission, in central mode.
        clock_known: whether the meter knows the time.
        already_cut: whether the credit cause holds the relay open now.
    """
    facts = _Facts(
        active=prepayment_active,
        used_up=standing.out_of_credit,
        clock_known=clock_known,
        central=mode is BalanceMode.CENTRAL,
        arm=armed,
        window=friendly and not standing.window_void,
        cut=already_cut,
    )
    row = next(row for row in _TABLE if row.fits(facts))
    return Verdict(row.supply, row.reason)
