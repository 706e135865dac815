"""The transactional door: orders by id, executed exactly once, remembered with their outcome.

An order is looked up before anything else. A known id with the same content is answered from
memory; with other content it is refused; an unknown id below the greatest forgotten one is
refused too, for it may have been executed before (`prepay.transactions` says why). Everything
else goes to the handler of its kind, which checks first, in the order of `Outcome`, and then
changes the state; what it did and what came of it become one record.
"""

from collections.abc import Callable, Mapping
from typing import Final

from meter_fw import lifecycle, switching
from meter_fw.ordering import Done as Done
from meter_fw.ordering import Order as Order
from meter_fw.ordering import balance as balance
from meter_fw.ordering import central
from meter_fw.ordering import clamp as clamp
from meter_fw.ordering import fits as fits
from meter_fw.state import Armed, Condition, Entry, MeterState
from meter_fw.view import Change, View
from obis.values import replace
from prepay.profile import Commodity
from prepay.transactions import REMEMBERED, Kind, Outcome
from protocol.codes import DataAccessResult


def recall(state: MeterState, identity: bytes) -> Entry | None:
    """Return what is remembered of a transaction."""
    return next((entry for entry in state.transactions if entry.id == identity), None)


def forgotten(state: MeterState, identity: bytes) -> bool:
    """Say whether a transaction that is not remembered might have been executed before."""
    return recall(state, identity) is None and identity <= state.history.forgotten


def remember(view: View, order: Order, done: Done) -> MeterState:
    """Return the state with the transaction in its memory, in place of the smallest id."""
    state, history = done.state, done.state.history
    kept = state.transactions
    slot, lost = len(kept), history.forgotten
    if len(kept) >= REMEMBERED:
        waiting = state.plan.id if state.plan.kind else b""  # what came of it is still to be told
        smallest = min((e for e in kept if e.id != waiting), key=lambda entry: entry.id)
        kept = tuple(entry for entry in kept if entry is not smallest)
        slot, lost = smallest.slot, max(smallest.id, lost)
    entry = Entry(
        number=history.ordered,
        slot=slot,
        id=order.id,
        kind=order.kind,
        outcome=done.outcome,
        amount=clamp(done.amount),
        balance=clamp(balance(view.with_state(state))),
        time=view.clock,
        content=order.content,
    )
    return replace(
        state,
        transactions=(*kept, entry),
        history=replace(history, ordered=history.ordered + 1, forgotten=lost),
    )


def execute(view: View, order: Order) -> Change:
    """Return what an order comes to.

    A refused order is remembered too: the same id stays refused.
    """
    known = recall(view.state, order.id)
    if known is not None:
        same = known.content == order.content and known.kind is order.kind
        return Change(view.state, _answer(known.outcome if same else Outcome.ID_REUSED))
    if forgotten(view.state, order.id):
        return Change(view.state, _answer(Outcome.TOO_OLD))
    handler = _LATER[order.kind] if order.at >= 0 else HANDLERS[order.kind]
    done = handler(view, order)
    return Change(remember(view, order, done), _answer(done.outcome))


def _answer(outcome: Outcome) -> DataAccessResult:
    if outcome in (Outcome.DONE, Outcome.PLANNED):
        return DataAccessResult.SUCCESS
    if outcome in (Outcome.ID_REUSED, Outcome.TOO_OLD):
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED  # the only refusals that leave no entry
    return DataAccessResult.OTHER_REASON


def push_snapshot(view: View, order: Order) -> Done:
    """Take the head-end's word for the balance.

    A newer snapshot disarms: the arm stays as it was, for a sequence that is no longer in force,
    so that it lets no cut begin but a household that has not paid stays cut (`prepay.cut`).
    """
    state, pushed = view.state, order.snapshot
    if not central(view):
        return Done(state, Outcome.WRONG_MODE)
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if pushed == state.snapshot:
        return Done(state, Outcome.DONE, pushed.balance)
    if pushed.sequence <= state.snapshot.sequence:
        return Done(state, Outcome.STALE_SEQUENCE)
    return Done(replace(state, snapshot=pushed), Outcome.DONE, pushed.balance)


def arm(view: View, order: Order) -> Done:
    """Take leave to cut, for the snapshot that the meter holds and until the expiry."""
    state = view.state
    if not central(view):
        return Done(state, Outcome.WRONG_MODE)
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if order.sequence != state.snapshot.sequence:
        return Done(state, Outcome.SEQUENCE_MISMATCH)
    if state.clock.known and order.expiry <= view.clock:
        return Done(state, Outcome.EXPIRED)
    armed = Armed(True, order.sequence, order.expiry, order.expiry_stamp)
    return Done(replace(state, armed=armed), Outcome.DONE)


def disarm(view: View, order: Order) -> Done:
    """Withdraw the leave to cut."""
    if not central(view):
        return Done(view.state, Outcome.WRONG_MODE)
    return Done(replace(view.state, armed=Armed()), Outcome.DONE)


def customer(view: View, order: Order) -> Done:
    """Take what is due to the customer, whether prepayment is active or not.

    Protection is not taken away in winter like that either, unless something better comes in
    its place; a profile that knows no minimum supply has none to give.
    """
    state, asked = view.state, order.customer
    profile = view.factory.profile
    if asked.protected and profile.protection is None and profile.commodity is not Commodity.GAS:
        return Done(state, Outcome.WRONG_MODE)
    if state.customer.protected and not asked.protected and not asked.never_cut and winter(view):
        return Done(state, Outcome.WINTER)
    since = -1
    if asked.protected:
        since = view.clock if asked.since < 0 else asked.since
        if asked.since < 0 and state.customer.protected:
            since = state.customer.since  # the months that have run go on running
    made = replace(asked, since=since)
    lost = state.customer.protected and not made.protected
    condition = _released(state) if lost else state.condition
    if made.since != state.customer.since and condition.recurrent:
        condition = replace(condition, recurrent=False)
    return Done(state.but(customer=made, condition=condition), Outcome.DONE)


def withdraw(view: View, order: Order) -> Done:
    """End minimum supply, and the protection that it is due to; not in winter.

    What then happens is judged anew: in a window no cut begins.
    """
    state = view.state
    if not state.customer.protected:
        return Done(state, Outcome.DONE)
    if winter(view):
        return Done(state, Outcome.WINTER)
    left = replace(state.customer, protected=False, since=-1)
    return Done(state.but(customer=left, condition=_released(state)), Outcome.DONE)


def _released(state: MeterState) -> Condition:
    """Return what supply lives under once minimum supply has ended by order."""
    return replace(state.condition, limited=False)


def winter(view: View) -> bool:
    """Say whether minimum supply is not withdrawn now; it may be winter while nobody knows."""
    rules = view.factory.profile.protection
    if rules is None:
        return False
    return not view.state.clock.known or rules.winter.covers(view.local.date())


#: TOKEN is missing: a token comes through its gateway, never as an order.
HANDLERS: Final[Mapping[Kind, Callable[[View, Order], Done]]] = {
    Kind.ACTIVATE: lifecycle.activate,
    Kind.DEACTIVATE: lifecycle.deactivate,
    Kind.SNAPSHOT: push_snapshot,
    Kind.ARM: arm,
    Kind.DISARM: disarm,
    Kind.ADJUST: lifecycle.adjust,
    Kind.MODE: lifecycle.mode,
    Kind.DEBT: lifecycle.debt,
    Kind.CANCEL: lifecycle.cancel,
    Kind.CUSTOMER: customer,
    Kind.WITHDRAW: withdraw,
    Kind.REFUND: lifecycle.refund,
    Kind.DISCONNECT: switching.disconnect,
    Kind.CONNECT: switching.connect,
}
#: Those that may be given for a moment.
_LATER: Final[Mapping[Kind, Callable[[View, Order], Done]]] = {
    Kind.ACTIVATE: lifecycle.plan,
    Kind.DEACTIVATE: lifecycle.plan,
    Kind.DISCONNECT: switching.after_windows,
}
