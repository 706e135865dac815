"""Why supply is on or off, and what would change that next, in plain words.

The words follow from the same rules that decide: a `Verdict` with its `Reason`, a `Standing`, the
windows' next edge. Nothing is decided here. Each `Reason` has its sentence in ``BECAUSE``, and a
test walks them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from prepay.account_rules import AccountRules
from prepay.credit import CreditStatus, EmergencySelection, Standing
from prepay.cut import BalanceMode, Reason, Verdict
from prepay.holdings import BalanceOutOfRange, Purse
from prepay.money import MAX_AMOUNT, Currency, format_amount
from prepay.topup import TopUpError
from prepay.topup_order import top_up

#: What each row of the table of supply says to a person.
BECAUSE: Final[Mapping[Reason, str]] = {
    Reason.NOT_PREPAID: "Prepayment is not active: credit is of no account.",
    Reason.CREDIT_LEFT: "There is credit.",
    Reason.NEVER_CUT: "The credit is used up, but this supply is never cut for want of credit.",
    Reason.NOT_ARMED: "The credit is used up, but the head-end has not armed the cut.",
    Reason.STILL_CUT: "The credit is used up, and supply was cut before: no window brings it back.",
    Reason.CLOCK_UNKNOWN: "The credit is used up, but the meter cannot tell whether a friendly"
    " window is in force, and so it cuts nobody.",
    Reason.FRIENDLY_WINDOW: "The credit is used up, but a friendly window is in force.",
    Reason.ARM_LAPSED: "The credit is used up, but the head-end's leave to cut has lapsed.",
    Reason.USED_UP: "The credit is used up, and no window protects.",
    Reason.STILL_MINIMUM: "The credit is used up, and this customer is protected: minimum supply"
    " goes on.",
    Reason.MINIMUM: "The credit is used up, but this customer is protected: minimum supply in place"
    " of a cut.",
}


class Present(Struct, frozen=True):
    """A meter at a moment, as far as supply goes.

    Args:
        at: the moment by the meter's clock, in its zone.
        mode: who keeps the balance.
        rules: of its account.
        purse: its money; None in central mode, where ``standing`` has the balance.
        standing: what the balance amounts to.
        verdict: what credit says.
        friendly: a window is in force by the calendar.
        next_edge: when that changes next, in the meter's zone; None for never.
        others: the causes beside credit that hold the relay open, in words.
        recloses: the relay closes by itself once no cause stands; else a hand has to.
        on: the relay is closed.
        protected: minimum supply is this customer's due.
        daily: recent use in Wh a day; None where nobody knows.
        daily_cost: what that costs a day, in minor units; None likewise.
    """

    at: datetime
    mode: BalanceMode
    rules: AccountRules
    purse: Purse | None
    standing: Standing
    verdict: Verdict
    friendly: bool
    next_edge: datetime | None
    others: tuple[str, ...] = ()
    recloses: bool = True
    on: bool = True
    protected: bool = False
    daily: int | None = None
    daily_cost: int | None = None


class Explanation(Struct, frozen=True):
    """What is, why, and what would change it.

    Args:
        supply: "on", "limited" or "off".
        because: sentences, the deciding one first.
        next: what would change it, the likeliest first.
    """

    supply: str
    because: tuple[str, ...]
    next: tuple[str, ...]


def explain(present: Present) -> Explanation:
    """Return the words for a present."""
    flow = "limited" if present.verdict.limited else "on"
    supply = flow if present.on else "off"
    return Explanation(supply, tuple(_because(present)), tuple(_next(present)))


def least_payment(
    rules: AccountRules, purse: Purse, above: int, at_ms: int, *, advanced: bool = False
) -> int | None:
    """Return the least payment that lifts the balance above an amount; None where none may.

    Fees and debts take their share of it, so it is looked for by bisection: the more is paid, the
    more is credited.

    Args:
        rules: of the account.
        purse: before.
        above: a balance, in minor units.
        at_ms: now.
        advanced: the emergency credit is taken: what is owed of it beside the balance is taken
            off, for ``above`` is the floor then.
    """
    limits = rules.limits

    def lifts(amount: int) -> bool | None:
        try:
            after = top_up(rules, purse, amount, at_ms, advanced=advanced).purse
        except (TopUpError, BalanceOutOfRange):
            return None
        return (after.totals.balance if advanced else after.balance) > above

    low, high = limits.minimum, min(limits.maximum, MAX_AMOUNT)
    if not lifts(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if lifts(middle) else (middle + 1, high)
    return low


def _because(present: Present) -> Iterator[str]:
    currency = present.rules.currency
    for cause in present.others:
        yield f"The relay is held open: {cause}."
    yield BECAUSE[present.verdict.reason]
    if present.verdict.reason is Reason.NOT_PREPAID:
        return
    standing = present.standing
    yield f"The balance is {_money(standing.balance, currency)}; {_floor(present)}."
    if standing.owed:
        owed = _money(standing.owed, currency)
        yield f"Of the emergency credit {owed} are owed beside it; top-ups repay them by a share."
    match standing.emergency_status:
        case CreditStatus.IN_USE:
            left = _money(standing.emergency_available, currency)
            yield f"The emergency credit is in use; {left} of it are left."
        case CreditStatus.SELECTED:
            yield "The emergency credit is taken and waits until the credit is used up."
        case CreditStatus.EXHAUSTED:
            yield "The emergency credit is used up as well."
    if present.friendly:
        if standing.window_void:
            yield (
                "A friendly window is in force by the calendar, but it is void while the emergency"
                " credit is in use."
            )
        elif present.next_edge is not None:
            yield f"A friendly window is in force until {_time(present.next_edge)}."
    if not present.on and not present.others and present.verdict.supply:
        yield "The relay is ready: the button on the meter closes it."


def _floor(present: Present) -> str:
    return f"supply is used up at {_money(_used_up_at(present), present.rules.currency)}"


def _used_up_at(present: Present) -> int:
    credit, standing = present.rules.credit, present.standing
    return credit.floor + standing.owed if standing.emergency_selected else credit.limit


def _next(present: Present) -> Iterator[str]:
    reason = present.verdict.reason
    if reason is Reason.NOT_PREPAID:
        yield "Activation of prepayment."
        return
    for cause in present.others:
        yield f"The end of this: {cause}."
    if reason is Reason.CREDIT_LEFT:
        yield from _until_used_up(present)
        return
    if present.standing.can_select:
        left = _money(present.standing.emergency_available, present.rules.currency)
        yield f"The button on the meter takes the emergency credit; {left} are left of it."
    yield from _payment(present)
    window_counts = present.friendly and not present.standing.window_void
    edge = present.next_edge
    if reason is Reason.FRIENDLY_WINDOW and window_counts and edge is not None:
        yield f"At {_time(edge)} the window ends; if nothing is paid before, {_ends(present)}."
    elif reason is Reason.CLOCK_UNKNOWN:
        yield "When the clock is set, or a table of windows is given for today, it is judged anew."
    elif reason is Reason.NOT_ARMED:
        yield "An arm from the head-end lets the meter cut."
    elif reason is Reason.ARM_LAPSED:
        yield "A new arm from the head-end, for the snapshot in force, lets the meter cut."


def _ends(present: Present) -> str:
    what = "limited to the minimum" if present.protected else "cut"
    if present.mode is BalanceMode.CENTRAL:
        return f"supply is {what}, as far as the head-end's arm still holds"
    return f"supply is {what}"


def _until_used_up(present: Present) -> Iterator[str]:
    credit, currency = present.rules.credit, present.rules.currency
    left = present.standing.balance - _used_up_at(present)
    automatic = credit.emergency_selection is EmergencySelection.AUTOMATIC
    if automatic and not present.standing.emergency_selected:
        left += credit.emergency_amount - present.standing.owed
    if present.mode is BalanceMode.CENTRAL:
        yield "A snapshot from the head-end with a balance that is used up, and an arm for it."
        return
    said = f"{_money(left, currency)} more are used"
    if present.daily_cost:
        hours = left * 24 // present.daily_cost
        when = present.at + timedelta(hours=hours)
        day = f"{(present.daily or 0) / 1000:.1f} kWh a day"
        yield f"When {said}: at recent use ({day}) that is about {_time(when)}."
    else:
        yield f"When {said}."
    yield "Within a friendly window supply goes on even then, until the window ends."


def _payment(present: Present) -> Iterator[str]:
    rules, advanced = present.rules, present.standing.emergency_selected
    floor = rules.credit.floor if advanced else rules.credit.limit
    then = "closes the relay" if present.recloses else "lets the button close the relay"
    if present.on:
        then = "keeps it on"
    if present.purse is None:
        # a balance of exactly the floor is used up
        yield f"A snapshot with a balance above {_money(floor, rules.currency)} {then}."
        return
    moment = int(present.at.timestamp() * 1000)
    amount = least_payment(rules, present.purse, floor, moment, advanced=advanced)
    if amount is None:
        yield "No single payment that is allowed lifts the balance above that."
    else:
        yield f"A payment of at least {_money(amount, rules.currency)} {then}."


def _money(minor: int, currency: Currency) -> str:
    return f"{currency.code} {format_amount(minor, currency)}"


def _time(moment: datetime) -> str:
    return f"{moment:%A %Y-%m-%d %H:%M}"
