"""The collection of consumption charges: registers in, money out.

This runs at each tick of a meter: no Decimal, no date, and the same object back where nothing
has changed.
"""

from collections.abc import Iterable

from prepay.account_rules import AccountRules, Counter
from prepay.charge import REMAINDER_PER_MINOR
from prepay.holdings import ChargeState, Purse, Readings, Situation, Totals

_Bases = tuple[int, int, int, int]


def collect_consumption(
    rules: AccountRules, purse: Purse, readings: Readings, at_ms: int, situation: Situation
) -> Purse:
    """Charge for the energy that was used since the last collection.

    A register that is lower than at the last collection was reset or ran backward: nothing is
    collected for it, and counting goes on from where it stands. A charge that is not collected
    in this situation waits.

    Args:
        rules: with the prices that were in force until now.
        purse: before.
        readings: of now.
        at_ms: now.
        situation: now.

    Returns:
        The purse after it; the very same where nothing has changed.
    """
    return _collect(rules.counters, purse, readings, at_ms, situation)


def collect_uncollected(rules: AccountRules, purse: Purse, readings: Readings, at_ms: int) -> Purse:
    """Charge for all energy that was used, also for what waits: before a change or an end."""
    return _collect(rules.counters, purse, readings, at_ms, None)


def uncollected(counters: Iterable[Counter], purse: Purse, readings: Readings) -> bool:
    """Say whether registers have moved since some charges were collected by them."""
    return any(_bases(each, readings) != purse.charges[each.slot].bases for each in counters)


def change_prices(
    rules: AccountRules, changed: AccountRules, purse: Purse, readings: Readings, at_ms: int
) -> Purse:
    """Collect what was used at the old prices, and begin to count for the new ones.

    A charge whose price stays is left alone: what waits of it goes on waiting. Of one whose price
    changes also what would wait is collected, for it was used at the old price.

    Args:
        rules: with the old prices.
        changed: with the new ones; a charge may have another number of rates.
        purse: before.
        readings: of now.
        at_ms: now.

    Returns:
        The purse to go on with under ``changed``.
    """
    new = tuple(each for each in changed.counters if each not in rules.counters)
    slots = {each.slot for each in new}
    old = tuple(each for each in rules.counters if each.slot in slots)
    return _rebased(new, _collect(old, purse, readings, at_ms, None), readings)


def rebased(rules: AccountRules, purse: Purse, readings: Readings) -> Purse:
    """Return the purse counting from the registers as they stand; nothing is collected."""
    return _rebased(rules.counters, purse, readings)


def _rebased(counters: Iterable[Counter], purse: Purse, readings: Readings) -> Purse:
    changed: dict[int, ChargeState] = {}
    for counter in counters:
        state = purse.charges[counter.slot]
        bases = _bases(counter, readings)
        if bases != state.bases:
            changed[counter.slot] = _counted(state, bases, 0, state.remainder, state.last_time)
    return purse.with_charges(changed, 0) if changed else purse


def cost_of(rules: AccountRules, watt_hours: int, rate: int = 0) -> int:
    """Return what imported energy costs at the prices of now, exactly.

    Args:
        rules: with these prices.
        watt_hours: imported energy.
        rate: the rate that is active now, from 0; a charge of one price has no other.

    Returns:
        Billionths of a minor unit.
    """
    return sum(
        watt_hours * counter.factors[min(rate, len(counter.factors) - 1)]
        for counter in rules.counters
        if not counter.exported
    )


def _collect(
    counters: Iterable[Counter],
    purse: Purse,
    readings: Readings,
    at_ms: int,
    situation: Situation | None,
) -> Purse:
    """Collect by some counters; in no situation at all whatever would wait, too."""
    totals, charges = collected(counters, purse.totals, purse.charges, readings, at_ms, situation)
    if charges is purse.charges:
        return purse
    return Purse(totals, charges, purse.provision, purse.advance)


def collected(
    counters: Iterable[Counter],
    totals: Totals,
    charges: tuple[ChargeState, ...],
    readings: Readings,
    at_ms: int,
    situation: Situation | None,
) -> tuple[Totals, tuple[ChargeState, ...]]:
    """Do as ``collect_consumption`` for who keeps totals and charges apart, and asks often.

    Args:
        counters: of the charges to collect.
        totals: before.
        charges: before.
        readings: of now.
        at_ms: now.
        situation: now; None: whatever would wait is collected, too.

    Returns:
        Totals and charges after it; both the very same objects where nothing has changed.
    """
    states, taken = charges, 0
    for counter in counters:
        if situation is not None and not situation.allows(counter.charge.when):
            continue
        state = states[counter.slot]
        bases = _bases(counter, readings)
        if bases == state.bases:
            continue
        parts = state.remainder
        for rate, factor in enumerate(counter.factors):
            used = bases[rate] - state.bases[rate]
            if used > 0:
                parts += used * factor
        amount, remainder = divmod(parts, REMAINDER_PER_MINOR)
        counted = _counted(state, bases, amount, remainder, at_ms)
        states = (*states[: counter.slot], counted, *states[counter.slot + 1 :])
        taken += amount
    if taken:
        old = totals
        totals = Totals(old.started, old.paid, old.adjusted, old.charged + taken, old.settled)
    return totals, states


def _bases(counter: Counter, readings: Readings) -> _Bases:
    """Return the registers that a charge counts by, as they are kept."""
    registers = readings.exported if counter.exported else readings.imported
    if len(counter.factors) == 1:
        return (registers[0], 0, 0, 0)
    rates = registers[1 : 1 + len(counter.factors)]
    one, two, three, four = (*rates, 0, 0, 0, 0)[:4]
    return (one, two, three, four)


def _counted(
    state: ChargeState, bases: _Bases, amount: int, remainder: int, at_ms: int
) -> ChargeState:
    """Return the state after counting; a collection is one that collects something."""
    return ChargeState(
        state.slot,
        state.paid + amount,
        state.remaining,
        remainder,
        bases,
        state.next_day,
        at_ms if amount else state.last_time,
        amount if amount else state.last_amount,
        state.ahead,
    )
