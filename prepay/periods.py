"""Charges for time: standing charges, ahead and by the rule of three, and instalments of debts.

Periods of N local days are counted from an anchor. What is kept is the day on which the next one
begins; all days a multiple of N apart from it begin a period, so the anchor itself is not needed
any more. A day is the ordinal of a local date, so that no clock change is ever seen here.
"""

from collections.abc import Callable

from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.charge import Charge
from prepay.holdings import NEVER, ChargeState, Purse, Situation


def collect_time(
    rules: AccountRules, purse: Purse, today_ordinal: int, at_ms: int, situation: Situation
) -> Purse:
    """Collect for each period that has begun, one collection each.

    Where a charge is not collected in this situation, a standing charge of that period is let go
    and an instalment stays owed. With an unknown clock nothing is collected, and nothing let go.

    Args:
        rules: with the amounts that are in force.
        purse: before.
        today_ordinal: the local day of now.
        at_ms: now.
        situation: now.

    Returns:
        The purse after it; the very same where no period has begun.
    """
    if not situation.clock_known:
        return purse
    changed: dict[int, ChargeState] = {}
    taken = 0
    for slot in rules.timed:
        charge, state = rules.charges[slot], purse.charges[slot]
        if NEVER != state.next_day <= today_ordinal:
            begun = (today_ordinal - state.next_day) // charge.period_days + 1
            after = _begin(charge, state, begun, at_ms, situation.allows(charge.when))
            changed[slot] = after
            taken += after.paid - state.paid
    return purse.with_charges(changed, taken) if changed else purse


def _begin(
    charge: Charge, state: ChargeState, begun: int, at_ms: int, allowed: bool
) -> ChargeState:
    """Return the state after ``begun`` periods have begun, 1 or more."""
    state = replace(state, next_day=state.next_day + begun * charge.period_days)
    if charge.continuous:
        state = replace(state, ahead=charge.amount if allowed else 0)
    if not allowed or not charge.amount:
        return state
    if charge.continuous:
        total, last = begun * charge.amount, charge.amount
    else:
        total = min(begun * charge.amount, state.remaining)
        last = (total - 1) % charge.amount + 1 if total else 0
    return replace(state.collected(total, at_ms), last_amount=last) if total else state


def begin_periods(
    rules: AccountRules,
    purse: Purse,
    anchor: int | None,
    today: int,
    at_ms: int,
    *,
    first_day_paid: bool = False,
) -> Purse:
    """Begin to count periods at opening, and collect for the rest of the running one.

    Args:
        rules: with the amounts that are in force.
        purse: before.
        anchor: a day on which a period begins; None for today.
        today: the first day, which counts; ``NEVER`` while the clock is unknown: then counting
            begins when it is set.
        at_ms: now.
        first_day_paid: whether today was paid for before; then it is not collected again.
    """
    changed: dict[int, ChargeState] = {}
    taken = 0
    for slot in rules.timed:
        charge, state = rules.charges[slot], replace(purse.charges[slot], ahead=0)
        if today == NEVER:
            changed[slot] = replace(state, next_day=NEVER if anchor is None else anchor)
            continue
        first = _next_begin(today if anchor is None else anchor, charge.period_days, today)
        state = replace(state, next_day=first)
        if charge.continuous:
            days = first - today - first_day_paid
            amount = rule_of_three(charge.amount, days, charge.period_days)
            state = replace(state, ahead=charge.amount)
            state = state.collected(amount, at_ms) if amount else state
            taken += amount
        changed[slot] = state
    return purse.with_charges(changed, taken) if changed else purse


def end_periods(rules: AccountRules, purse: Purse, today: int) -> tuple[Purse, int]:
    """Stop all periods at closing, and give back what was paid for days after today.

    Args:
        rules: of the account.
        purse: after the periods that have begun were collected.
        today: the last day, which counts as used; ``NEVER`` while the clock is unknown: then
            nobody can say what is unused, and nothing comes back.

    Returns:
        The purse, and what came back in minor units.
    """
    changed: dict[int, ChargeState] = {}
    returned = 0
    for slot in rules.timed:
        charge, state = rules.charges[slot], purse.charges[slot]
        back = 0
        if charge.continuous and NEVER not in (today, state.next_day):
            # Never more than the running period: after a clock set back the next may be paid too.
            end = _next_begin(state.next_day, charge.period_days, today)
            back = rule_of_three(state.ahead, end - today - 1, charge.period_days)
        returned += back
        changed[slot] = replace(state, paid=state.paid - back, next_day=NEVER, ahead=0)
    return purse.with_charges(changed, -returned), returned


def clock_set(
    rules: AccountRules,
    purse: Purse,
    before_day: int,
    after_day: int,
    known_before: bool,
    day_of: Callable[[int], int],
) -> Purse:
    """Say which period comes next once the clock is set; ``collect_time`` then collects it.

    Set forward over the beginnings of several periods, all but the one that holds the new day
    are let go: nobody lived them. Set back over the beginning of periods that were collected, the
    next one to begin is taken as collected, and no other: a clock that was far ahead by mistake
    does not make the time to come free. A clock that was unknown goes on from the period of the
    day it is set to.

    Args:
        rules: of the account.
        purse: of an open account, after ``collect_time`` by the clock of before.
        before_day: the local day before, of no account if the clock was unknown.
        after_day: the local day after.
        known_before: whether the clock was known.
        day_of: the local day of a moment in ms. A period in which this charge was collected last
            is not collected again when the clock comes back to it.
    """
    if known_before and after_day == before_day:
        return purse
    changed: dict[int, ChargeState] = {}
    for slot in rules.timed:
        charge, state = rules.charges[slot], purse.charges[slot]
        period = charge.period_days
        if state.next_day == NEVER:  # opened while the clock was unknown
            first = after_day if charge.continuous else after_day + period
        elif state.next_day <= after_day:
            first = _next_begin(state.next_day, period, after_day) - period
            if state.last_time != NEVER and first <= day_of(state.last_time) < first + period:
                first += period
        else:
            soon = _next_begin(state.next_day, period, after_day)
            first = min(state.next_day, soon + period)
        if first != state.next_day:
            changed[slot] = replace(state, next_day=first)
    return purse.with_charges(changed, 0) if changed else purse


def rule_of_three(amount: int, days: int, period_days: int) -> int:
    """Return ``amount`` x ``days`` / ``period_days``, to the nearest, halves up; none below 0."""
    return (2 * amount * days + period_days) // (2 * period_days)


def _next_begin(anchor: int, period_days: int, today: int) -> int:
    """Return the first day after ``today`` on which a period begins."""
    return today + period_days - (today - anchor) % period_days
