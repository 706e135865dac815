"""The rules of ``prepay.purse`` bound to the meter: what its cells hold is the purse.

Energy is charged for at each tick; prices and periods follow the clock; whoever sets the clock
moves the periods with it. Where the head-end keeps the balance nothing is collected.
"""

from typing import Final

from meter_fw.factory import Factory
from meter_fw.money_state import ChargeTerms, Debts, Registers
from meter_fw.state import Energy, MeterState
from meter_fw.view import View
from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.credit import days_left, standing
from prepay.cut import BalanceMode
from prepay.holdings import NEVER, ChargeState, Purse, Readings, Situation
from prepay.purse import (
    blank,
    change_prices,
    clock_set,
    collect_consumption,
    collect_time,
    collected,
    cost_of,
    rebased,
)
from protocol.cosem.disconnect_control import ControlState

_DAY_MS: Final = 24 * 3_600_000
#: Ordinal of 1970-01-01.
_EPOCH_DAY: Final = 719_163


def purse_of(state: MeterState) -> Purse:
    """Return the money of the account."""
    return Purse(state.totals, state.charges, state.provision, state.advance)


def with_purse(state: MeterState, purse: Purse) -> MeterState:
    """Return the state with another purse; what stays the same object stays the same cell."""
    return state.but(
        totals=purse.totals,
        charges=purse.charges,
        provision=purse.provision,
        advance=purse.advance,
    )


def readings(state: MeterState) -> Readings:
    """Return the energy registers, the totals first."""
    return _readings(state.energy, state.registers)


def _readings(energy: Energy, kept: Registers) -> Readings:
    return Readings((energy.imported, *kept.imported_rates), (kept.exported, *kept.exported_rates))


def _totals(energy: Energy, kept: Registers) -> Readings:
    """Return them for charges of one price, which look no further."""
    return Readings((energy.imported,), (kept.exported,))


def situation(view: View) -> Situation:
    """Return what decides whether a charge is collected now; a window that is void is none."""
    state = view.state
    return Situation(
        disconnected=state.relay.control is not ControlState.CONNECTED,
        limited=state.condition.limited,
        friendly=view.friendly and not _void(view),
        clock_known=state.clock.known,
    )


def _void(view: View) -> bool:
    """Say whether windows do not protect this customer now."""
    rules, state = view.rules.credit, view.state
    if not rules.window_void_in_emergency:
        return False
    selected, owed = state.account.emergency_selected, state.advance.owed
    return standing(rules, purse_of(state).balance, selected, owed=owed).window_void


def today(view: View) -> int:
    """Return the local day, ``NEVER`` while the clock is unknown."""
    return view.local.toordinal() if view.state.clock.known else NEVER


def collects(view: View) -> bool:
    """Whether it is this meter that charges."""
    return view.state.account.active and view.mode is BalanceMode.LOCAL


def lasts(view: View, balance: int) -> int | None:
    """Return for how many whole days a balance lasts at recent use; None where nobody can say."""
    energy, days = view.factory.in_force.recent(view.state, view.factory.zone)
    if not days:
        return None
    return days_left(balance, cost_of(view.rules, energy, view.state.registers.rate), days)


# --- at a tick ---------------------------------------------------------------------------------


def consume(view: View, imported: int, exported: int) -> MeterState:
    """Return the state with more energy on its registers, charged for where this meter does that.

    Args:
        view: the meter.
        imported: Wh since the last time.
        exported: likewise.
    """
    state, in_force = view.state, view.factory.in_force
    counters = in_force.of(state).counters
    energy, kept = state.energy, state.registers
    if imported:
        energy = Energy(energy.imported + imported, energy.remainder, energy.last_day)
    if exported or (imported and in_force.rates > 1):
        kept = _registered(kept, in_force.rates, imported, exported)
    elif not (imported or in_force.waits):
        return state
    if not collects(view):
        return state.but(energy=energy, registers=kept)
    now = situation(view) if in_force.waits else None
    readings = _readings(energy, kept) if in_force.rates > 1 else _totals(energy, kept)
    totals, charges = collected(counters, state.totals, state.charges, readings, view.clock, now)
    if charges is state.charges and not (imported or exported):
        return state
    return state.but(energy=energy, registers=kept, totals=totals, charges=charges)


def _registered(kept: Registers, rates: int, imported: int, exported: int) -> Registers:
    """Return the registers with more energy, on those of the active rate too."""
    changed = {"exported": kept.exported + exported}
    if rates > 1:
        rate = min(kept.rate, rates - 1)
        changed[f"imported_{rate + 1}"] = kept.imported_rates[rate] + imported
        changed[f"exported_{rate + 1}"] = kept.exported_rates[rate] + exported
    return replace(kept, **changed)


def collect(view: View, state: MeterState) -> MeterState:
    """Return ``state`` with the energy charged for that was used since the last collection.

    Args:
        view: of this moment, for the situation.
        state: with the energy on its registers.
    """
    purse = purse_of(state)
    after = collect_consumption(view.rules, purse, readings(state), view.clock, situation(view))
    return state if after is purse else with_purse(state, after)


def by_the_clock(view: View) -> MeterState:
    """Return the state after what the clock brings: prices that take over, periods that begin."""
    state = view.state
    if not state.clock.known:
        return state
    for own in state.charge_terms:
        if 0 <= own.activation <= view.clock:
            state = take_over(view.with_state(state), own.slot)
    charges, rules = state.charges, view.factory.in_force.of(state)
    # a day is found out only where the clock may have come to it, in whatever zone
    near = view.clock // _DAY_MS + _EPOCH_DAY + 1
    for slot in rules.timed if charges else ():
        if NEVER != charges[slot].next_day <= near:
            break
    else:
        return state
    if not collects(view.with_state(state)):
        return state
    purse = purse_of(state)
    after = collect_time(rules, purse, today(view), view.clock, situation(view))
    return state if after is purse else with_purse(state, after)


def next_edge(state: MeterState) -> int | None:
    """Return when the clock brings something to this account, ms since 1970; None for never.

    Days begin at moments at which the meter wakes anyhow.
    """
    planned = state.plan.at if state.plan.kind else None
    if not state.charge_terms:  # as at most of a year's ticks
        return planned
    edges = [own.activation for own in state.charge_terms if own.activation >= 0]
    return min(edges if planned is None else [planned, *edges], default=None)


def take_over(view: View, slot: int) -> MeterState:
    """Return the state with the passive prices of a charge in force."""
    own = terms_of(view.state, slot)
    passive = own.passive
    if not passive.rates:
        return with_terms(view, replace(own, activation=-1))
    one, two, three, four = passive.prices
    changed = replace(
        own,
        rates=passive.rates,
        scale=passive.scale,
        price_1=one,
        price_2=two,
        price_3=three,
        price_4=four,
        activation=-1,
    )
    return with_terms(view, changed)


def terms_of(state: MeterState, slot: int) -> ChargeTerms:
    """Return what has been changed of a charge."""
    for own in state.charge_terms:
        if own.slot == slot:
            return own
    return ChargeTerms(slot)


def with_terms(view: View, own: ChargeTerms) -> MeterState:
    """Return the state with other terms of one charge, after collecting at those of before.

    Raises:
        ValueError: the terms contradict the charge.
    """
    state = view.state
    others = [each for each in state.charge_terms if each.slot != own.slot]
    changed = state.but(charge_terms=tuple(sorted([*others, own], key=lambda each: each.slot)))
    after = view.factory.in_force.of(changed)
    if not collects(view) or after.counters == view.factory.in_force.of(state).counters:
        return changed
    before = view.factory.in_force.of(state)
    purse = change_prices(before, after, purse_of(state), readings(state), view.clock)
    return with_purse(changed, purse)


# --- when the clock is set ---------------------------------------------------------------------


def clock_moved(before: View, after: View) -> MeterState:
    """Return the state of ``after`` with its periods as a clock that was set wants them."""
    state = after.state
    if not collects(after) or not state.clock.known:
        return state
    known = before.state.clock.known
    purse = purse_of(state)
    moved = clock_set(
        after.rules,
        purse,
        before.local.toordinal(),
        today(after),
        known,
        lambda moment: after.at(moment).toordinal(),
    )
    return state if moved is purse else with_purse(state, moved)


# --- beginnings --------------------------------------------------------------------------------


def mounted(factory: Factory, state: MeterState, clock: int) -> MeterState:
    """Return a state with a place for each charge, as a firmware before charges left none.

    An account that was active then goes on with its registers of now as base; all that it had
    collected was for energy. Its standing charges begin with the next period.

    Args:
        factory: of the meter.
        state: as it was found in flash.
        clock: the meter's, ms since 1970.
    """
    rules = factory.in_force.of(state)
    have, want = len(state.charges), len(rules.charges)
    if have >= want:
        return state
    charges = (*state.charges, *blank(rules).charges[have:])
    if have:  # a profile with more charges than before
        return state.but(charges=charges)
    first = replace(charges[0], paid=state.totals.charged, remainder=state.energy.remainder)
    purse = replace(purse_of(state), charges=(first, *charges[1:]))
    energy = replace(state.energy, remainder=0) if state.energy.remainder else state.energy
    state = with_purse(state.but(energy=energy), rebased(rules, purse, readings(state)))
    view = View(factory, state, clock)
    return continue_periods(view, today(view)) if collects(view) else state


def note_anchor(state: MeterState, rules: AccountRules, anchor: int | None) -> MeterState:
    """Return the state of an account whose periods are not counted here, with their anchor."""
    charges = list(state.charges)
    for slot in rules.timed:
        begin = NEVER if anchor is None else anchor
        charges[slot] = replace(charges[slot], next_day=begin, ahead=0)
    return state.but(charges=tuple(charges))


def continue_periods(view: View, begin: int) -> MeterState:
    """Return the state with each period going on from where it would be; nothing is collected.

    Args:
        view: the meter.
        begin: a local day on which a period began, where none is known.
    """
    rules, now = view.rules, today(view)
    charges = list(view.state.charges)
    for slot in rules.timed:
        period, known = rules.charges[slot].period_days, charges[slot].next_day
        anchor = begin if known == NEVER else known
        following = NEVER if now == NEVER else now + period - (now - anchor) % period
        charges[slot] = replace(charges[slot], next_day=following, ahead=0)
    return view.state.but(charges=tuple(charges))


def counting_from(view: View, purse: Purse) -> Purse:
    """Return a purse that counts from the registers as they stand, and owes no remainder."""
    charges = tuple(
        replace(state, remainder=0) if state.remainder else state for state in purse.charges
    )
    return rebased(view.rules, replace(purse, charges=charges), readings(view.state))


def with_debts(state: MeterState, debts: Debts) -> MeterState:
    """Return the state with these debts and no others."""
    remaining = dict(debts)

    def owed(charge: ChargeState) -> ChargeState:
        amount = remaining.get(charge.slot, 0)
        return charge if charge.remaining == amount else replace(charge, remaining=amount)

    return state.but(charges=tuple(owed(charge) for charge in state.charges))


def debts_of(state: MeterState) -> Debts:
    """Return what remains of each debt, those of 0 left out."""
    return tuple((charge.slot, charge.remaining) for charge in state.charges if charge.remaining)
