"""An account's life: opened and closed, at once or by plan; handed over; its debts.

Each handler checks first, in the order of `Outcome`, and then changes the state. A plan is an
order that waits in flash: at its moment the very handler is called that would have been called at
once, and the entry in the log, which said PLANNED until then, says what came of it, in one record
with the change.
"""

from typing import Final

from meter_fw import money, switching
from meter_fw.money_state import (
    CARRIED_OUT_KEPT,
    CarriedOut,
    Debts,
    Plan,
    Settled,
    pack_debts,
    unpack_debts,
)
from meter_fw.ordering import Done, Order, balance, central, clamp, ended
from meter_fw.state import Account, Armed, MeterState, Snapshot
from meter_fw.view import View
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.holdings import Advance, BalanceOutOfRange, DebtOutOfRange, NoSuchCharge, Purse
from prepay.purse import Opening, close_account, collect_uncollected, open_account, set_remaining
from prepay.purse import adjust as adjusted
from prepay.transactions import Kind, Outcome

#: The import register on the wire rolls over there.
_ROLLOVER: Final = 1 << 32


# --- opening and closing -----------------------------------------------------------------------


def activate(view: View, order: Order) -> Done:
    """Prepayment on: with the first snapshot (central), or what is put onto the balance (local)."""
    state, first = view.state, order.snapshot
    if state.account.active:
        return Done(state, Outcome.ALREADY_ACTIVE)
    refusal = _bad_debts(view, order)
    if refusal is not None:
        return Done(state, refusal)
    account = Account(active=True, activated_at=view.clock)
    if central(view):
        if first.sequence <= state.snapshot.sequence:
            return Done(state, Outcome.STALE_SEQUENCE)
        state = state.but(snapshot=first, armed=Armed())
        state = money.with_debts(state, order.debts or ())
        state = money.note_anchor(state, view.rules, order.anchor)
        return Done(state.but(account=account), Outcome.DONE, first.balance)
    if order.debts is None and first.balance < 0:
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    opening = Opening(
        first.balance,
        order.debts or (),
        order.anchor,
        start_credit=False,
        # By this meter's own calendar: it may be opened on a later day than the other was closed.
        first_day_paid=order.paid is not None and money.today(view) <= order.paid,
    )
    try:
        purse = _opened(view, opening)
    except BalanceOutOfRange:
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    return Done(money.with_purse(state, purse).but(account=account), Outcome.DONE, first.balance)


def _opened(view: View, opening: Opening) -> Purse:
    state = view.state
    return open_account(
        view.rules,
        money.purse_of(state),
        opening,
        money.readings(state),
        money.today(view),
        view.clock,
    )


def open_with_start_credit(view: View) -> MeterState:
    """Return the state of a local account that is opened with the profile's start credit."""
    purse = _opened(view, Opening())
    account = Account(active=True, activated_at=view.clock)
    return money.with_purse(view.state, purse).but(account=account)


def _bad_debts(view: View, order: Order) -> Outcome | None:
    """Say what is wrong with the debts that are brought along."""
    debts = order.debts or ()
    if len({slot for slot, _ in debts}) != len(debts):
        return Outcome.NO_SUCH_CHARGE
    for slot, amount in debts:
        if not view.rules.is_debt(slot):
            return Outcome.NO_SUCH_CHARGE
        if amount < 0:
            return Outcome.AMOUNT_OUT_OF_RANGE
    return None


def deactivate(view: View, order: Order) -> Done:
    """Prepayment off; the amount of the record is the closing balance, for settlement.

    A plan that waits beside it is withdrawn: it would close the account of who comes next.
    """
    state = view.state
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if state.plan.kind and state.plan.id != order.id:
        state = ended(view, state, Done(state, Outcome.WITHDRAWN))
        view = view.with_state(state)
    account = Account(closed=True, activated_at=state.account.activated_at, closed_at=view.clock)
    if central(view):
        closing, returned, debts = balance(view), 0, money.debts_of(state)
        state = money.note_anchor(money.with_debts(state, ()), view.rules, None)
        # What this meter handed over to the head-end was settled with the rest: left in the
        # totals, the next account would be opened with it.
        totals = state.totals
        state = state.but(totals=replace(totals, settled=totals.settled + totals.balance))
    else:
        settled = close_account(
            view.rules,
            money.purse_of(state),
            money.readings(state),
            money.today(view),
            view.clock,
            money.situation(view),
        )
        closing, returned, debts = settled.closing_balance, settled.returned, settled.debts
        state = money.with_purse(state, settled.purse)
    record = _settled(view, order.id, state, closing, returned, debts)
    state = state.but(account=account, armed=Armed(), settled=record)
    return Done(state, Outcome.DONE, closing)


def _settled(
    view: View, identity: bytes, state: MeterState, balance: int, returned: int, debts: Debts
) -> Settled:
    return Settled(
        identity,
        view.clock,
        state.energy.imported,
        state.registers.exported,
        balance,
        returned,
        pack_debts(debts),
    )


# --- plans -------------------------------------------------------------------------------------


def plan(view: View, order: Order) -> Done:
    """Let an order wait for its moment; one whose moment has come does not wait.

    What would refuse it now refuses the plan. With an unknown clock it waits.
    """
    state = view.state
    if state.clock.known and order.at <= view.clock:
        return _carried_out(view, order)
    if state.plan.kind:
        return Done(state, Outcome.PLAN_EXISTS)
    trial = _PLANNED[order.kind](view, order)
    if trial.outcome is not Outcome.DONE:
        return Done(state, trial.outcome)
    first = order.snapshot
    waiting = Plan(
        order.kind,
        order.id,
        order.at,
        first.sequence,
        first.balance,
        first.emergency,
        first.as_of,
        -1 if order.anchor is None else order.anchor,
        pack_debts(order.debts or ()),
    )
    amount = first.balance if order.kind is Kind.ACTIVATE else 0
    return Done(state.but(plan=waiting), Outcome.PLANNED, amount)


def cancel(view: View, order: Order) -> Done:
    """Withdraw the plan that waits."""
    state = view.state
    if not state.plan.kind:
        return Done(state, Outcome.NO_PLAN)
    return Done(ended(view, state, Done(state, Outcome.WITHDRAWN)), Outcome.DONE)


def carry_out(view: View) -> MeterState:
    """Return the state after the plan whose moment has come; the very same where none has."""
    state, waiting = view.state, view.state.plan
    if waiting.kind == Kind.DISCONNECT:
        switched = switching.due(view)
        return state if switched is None else ended(view, switched.state, switched)
    if not waiting.kind or not state.clock.known or view.clock < waiting.at:
        return state
    kind = Kind(waiting.kind)
    order = Order(
        waiting.id,
        kind,
        0,
        snapshot=Snapshot(waiting.sequence, waiting.balance, waiting.emergency, waiting.as_of),
        anchor=None if waiting.anchor < 0 else waiting.anchor,
        debts=unpack_debts(waiting.debts),
    )
    done = _carried_out(view, order)
    return ended(view, done.state, done)


def _carried_out(view: View, order: Order) -> Done:
    """Do what was ordered for a moment that has come, and note the registers of that moment.

    They are kept by id and apart from the settlement, which the next closing writes over: a
    head-end that prices energy itself has to find them however late it comes.
    """
    done = _PLANNED[order.kind](view, order)
    if done.outcome is not Outcome.DONE:
        return done
    state, kept = done.state, done.state.carried_out
    row = CarriedOut(
        kept[-1].number + 1 if kept else 0,
        order.id,
        int(order.kind),
        view.clock,
        state.energy.imported,
        state.registers.exported,
    )
    older = [each for each in kept if each.number > row.number - CARRIED_OUT_KEPT]
    return replace(done, state=state.but(carried_out=(*older, row)))


_PLANNED: Final = {Kind.ACTIVATE: activate, Kind.DEACTIVATE: deactivate}


# --- who keeps the balance ---------------------------------------------------------------------


def mode(view: View, order: Order) -> Done:
    """Hand the balance over: to the cent, in one record, and with a sequence that is newer.

    An account that is not active has nothing to hand over; it is then opened in the new mode.
    """
    state = view.state
    if order.mode is view.mode:
        return Done(state, Outcome.WRONG_MODE)
    if state.plan.kind:
        return Done(state, Outcome.PLAN_EXISTS)
    state = state.but(regime=replace(state.regime, mode=int(order.mode)))
    if not state.account.active:
        return Done(state, Outcome.DONE)
    if order.sequence <= state.snapshot.sequence:
        return Done(view.state, Outcome.STALE_SEQUENCE)
    done = _to_meter if order.mode is BalanceMode.LOCAL else _to_head_end
    state, amount = done(view.with_state(state), order)
    return Done(state.but(armed=Armed()), Outcome.DONE, amount)


def _to_meter(view: View, order: Order) -> tuple[MeterState, int]:
    """Go on with the balance of the order, from the register up to which that is priced.

    Standing charges were the head-end's affair until now: they begin with the next period.
    """
    state = view.state
    snapshot = Snapshot(order.sequence, order.amount, state.snapshot.emergency, order.as_of)
    state = state.but(snapshot=snapshot)
    purse = money.purse_of(state)
    totals = replace(
        purse.totals, started=purse.totals.started + order.amount - purse.totals.balance
    )
    state = money.with_purse(state, money.counting_from(view, replace(purse, totals=totals)))
    begin = view.at(max(state.account.activated_at, 0)).toordinal()
    state = money.continue_periods(view.with_state(state), begin)
    state = _counted_since(view.with_state(state), order.register)
    return money.collect(view.with_state(state), state), order.amount


def _counted_since(view: View, register: int) -> MeterState:
    """Let energy count from the register that the head-end has priced, where it is ours."""
    state = view.state
    used = (state.energy.imported - register) % _ROLLOVER
    first = state.charges[0]
    if used > state.energy.imported or len(view.rules.charges[0].tariffs) > 1:
        return state
    first = replace(first, bases=(state.energy.imported - used, 0, 0, 0))
    return state.but(charges=(first, *state.charges[1:]))


def _to_head_end(view: View, order: Order) -> tuple[MeterState, int]:
    """Say what is left, collected to this moment, as the snapshot of the order's sequence.

    The record of settlement says the register of that moment: the head-end prices from there on.
    """
    state = view.state
    purse = collect_uncollected(
        view.rules, money.purse_of(state), money.readings(state), view.clock
    )
    purse = replace(purse, advance=Advance())  # the head-end keeps one number
    state = money.with_purse(state, purse)
    left = clamp(purse.balance)
    emergency = max(view.rules.credit.emergency_amount - max(view.rules.credit.limit - left, 0), 0)
    snapshot = Snapshot(order.sequence, left, emergency, view.stamp(view.clock))
    record = _settled(view, order.id, state, left, 0, money.debts_of(state))
    return state.but(snapshot=snapshot, settled=record), left


# --- corrections -------------------------------------------------------------------------------


def adjust(view: View, order: Order) -> Done:
    """Put a signed amount onto a local balance."""
    state = view.state
    if central(view):
        return Done(state, Outcome.WRONG_MODE)
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    try:
        purse = adjusted(money.purse_of(state), order.amount)
    except BalanceOutOfRange:
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    return Done(money.with_purse(state, purse), Outcome.DONE, order.amount)


def refund(view: View, order: Order) -> Done:
    """Take an amount that the customer gets back off a local balance, which has to have it.

    What is owed of the emergency credit is not there to be given back.
    """
    state = view.state
    if central(view):
        return Done(state, Outcome.WRONG_MODE)
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if order.amount <= 0:
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    if order.amount > state.totals.balance:
        return Done(state, Outcome.OVER_BALANCE)
    purse = adjusted(money.purse_of(state), -order.amount)
    return Done(money.with_purse(state, purse), Outcome.DONE, order.amount)


def debt(view: View, order: Order) -> Done:
    """Put a signed amount onto what remains of a debt, whoever keeps the balance."""
    state = view.state
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if not view.rules.is_debt(order.slot):
        return Done(state, Outcome.NO_SUCH_CHARGE)
    purse = money.purse_of(state)
    try:
        purse = set_remaining(purse, order.slot, purse.charges[order.slot].remaining + order.amount)
    except (DebtOutOfRange, NoSuchCharge):
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    return Done(money.with_purse(state, purse), Outcome.DONE, order.amount)


def reset(view: View) -> MeterState:
    """Return the state of a closed account made new: it remembers neither dates nor provision."""
    return view.state.but(account=Account(), provision=Purse().provision)
