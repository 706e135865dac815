"""The transactional door: orders by id, executed exactly once, remembered with their outcome.

An order is looked up before anything else. A known id with the same content is answered from
memory; with other content it is refused; an unknown id below the greatest forgotten one is
refused too, for it may have been executed before (`prepay.transactions` says why). Everything
else goes to the handler of its kind, which checks first, in the order of `Outcome`, and then
changes the state; what it did and what came of it become one record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from meter_fw.state import Account, Armed, Entry, MeterState, Snapshot
from meter_fw.view import Change, View
from prepay.cut import BalanceMode
from prepay.transactions import REMEMBERED, Kind, Outcome
from protocol.codes import DataAccessResult

_DOUBLE_LONG: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Order:
    """A transaction as it was ordered.

    Args:
        id: 16 octets.
        kind: what is ordered.
        content: a check sum of all of it, to tell a repetition from another order.
        snapshot: for ACTIVATE and SNAPSHOT.
        sequence: for ARM.
        expiry: for ARM, by the meter's clock, ms since 1970.
        expiry_stamp: the same as it was given, 12 octets.
        amount: for ADJUST, minor units.
    """

    id: bytes
    kind: Kind
    content: int
    snapshot: Snapshot = Snapshot()
    sequence: int = 0
    expiry: int = -1
    expiry_stamp: bytes = b"\xff" * 12
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What a handler came to: the state (unchanged for a refusal), the outcome, the amount."""

    state: MeterState
    outcome: Outcome
    amount: int = 0


def balance(view: View) -> int:
    """Return the balance that this meter knows, in minor units."""
    state = view.state
    if view.factory.profile.mode is BalanceMode.CENTRAL:
        return state.snapshot.balance
    return state.totals.balance


def fits(amount: int) -> bool:
    """Say whether an amount fits the double-long that carries it on the wire."""
    return -_DOUBLE_LONG <= amount < _DOUBLE_LONG


def clamp(amount: int) -> int:
    """Return an amount as its double-long shows it: one that has outgrown it, the greatest."""
    return max(-_DOUBLE_LONG, min(amount, _DOUBLE_LONG - 1))


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
        smallest = min(kept, key=lambda entry: entry.id)
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
    done = HANDLERS[order.kind](view, order)
    return Change(remember(view, order, done), _answer(done.outcome))


def _answer(outcome: Outcome) -> DataAccessResult:
    if outcome is Outcome.DONE:
        return DataAccessResult.SUCCESS
    if outcome in (Outcome.ID_REUSED, Outcome.TOO_OLD):
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED  # the only refusals that leave no entry
    return DataAccessResult.OTHER_REASON


def _central(view: View) -> bool:
    return view.factory.profile.mode is BalanceMode.CENTRAL


def activate(view: View, order: Order) -> Done:
    """Prepayment on, with the first snapshot (central) or the start credit (local)."""
    state, first = view.state, order.snapshot
    if state.account.active:
        return Done(state, Outcome.ALREADY_ACTIVE)
    account = Account(active=True, activated_at=view.clock)
    if _central(view):
        if first.sequence <= state.snapshot.sequence:
            return Done(state, Outcome.STALE_SEQUENCE)
        state = replace(state, snapshot=first, armed=Armed())
    else:
        started = state.totals.balance + first.balance
        if first.balance < 0 or not fits(started):
            return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
        totals = replace(state.totals, started=state.totals.started + first.balance)
        energy = replace(state.energy, remainder=0)
        state = replace(state, totals=totals, energy=energy)
    return Done(replace(state, account=account), Outcome.DONE, first.balance)


def deactivate(view: View, order: Order) -> Done:
    """Prepayment off; the amount of the record is the closing balance, for settlement."""
    state = view.state
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    closing = balance(view)
    account = Account(closed=True, activated_at=state.account.activated_at, closed_at=view.clock)
    totals = state.totals
    if not _central(view):
        totals = replace(totals, settled=totals.settled + closing)
    state = replace(state, account=account, totals=totals, armed=Armed())
    return Done(state, Outcome.DONE, closing)


def push_snapshot(view: View, order: Order) -> Done:
    """Take the head-end's word for the balance.

    A newer snapshot disarms: the arm stays as it was, for a sequence that is no longer in force,
    so that it lets no cut begin but a household that has not paid stays cut (`prepay.cut`).
    """
    state, pushed = view.state, order.snapshot
    if not _central(view):
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
    if not _central(view):
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
    if not _central(view):
        return Done(view.state, Outcome.WRONG_MODE)
    return Done(replace(view.state, armed=Armed()), Outcome.DONE)


def adjust(view: View, order: Order) -> Done:
    """Put a signed amount onto a local balance."""
    state = view.state
    if _central(view):
        return Done(state, Outcome.WRONG_MODE)
    if not state.account.active:
        return Done(state, Outcome.NOT_ACTIVE)
    if not fits(state.totals.balance + order.amount):
        return Done(state, Outcome.AMOUNT_OUT_OF_RANGE)
    totals = replace(state.totals, adjusted=state.totals.adjusted + order.amount)
    return Done(replace(state, totals=totals), Outcome.DONE, order.amount)


#: TOKEN is missing: a token comes through its gateway, never as an order.
HANDLERS: Final[Mapping[Kind, Callable[[View, Order], Done]]] = {
    Kind.ACTIVATE: activate,
    Kind.DEACTIVATE: deactivate,
    Kind.SNAPSHOT: push_snapshot,
    Kind.ARM: arm,
    Kind.DISARM: disarm,
    Kind.ADJUST: adjust,
}
