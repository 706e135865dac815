"""What is ordered of the meter and what comes of it, as values; and the balance that it knows."""

from typing import Final

from msgspec import Struct

from meter_fw.money_state import Debts, Plan
from meter_fw.state import Customer, MeterState, Snapshot
from meter_fw.view import View
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.transactions import Kind, Outcome

_DOUBLE_LONG: Final = 1 << 31


class Order(Struct, frozen=True):
    """A transaction as it was ordered.

    Args:
        id: 16 octets.
        kind: what is ordered.
        content: a check sum of all of it, to tell a repetition from another order.
        snapshot: for ACTIVATE and SNAPSHOT.
        sequence: for ARM and MODE.
        expiry: for ARM, by the meter's clock, ms since 1970.
        expiry_stamp: the same as it was given, 12 octets.
        amount: for ADJUST, REFUND, DEBT and MODE, minor units.
        customer: for CUSTOMER; since -1 is now.
        at: for ACTIVATE and DEACTIVATE, the planned moment, ms since 1970; -1 is now. For
            DISCONNECT, until when it may wait for the end of a window; -1: it does not.
        anchor: for ACTIVATE, ordinal of a local day; None is the day of the opening.
        debts: for ACTIVATE, brought along; None for an order that says nothing of them, and
            whose balance may then not be below 0.
        paid: for ACTIVATE, ordinal of the last day that standing charges were paid for, to the
            meter before this one; None: none was.
        slot: for DEBT, of the charge.
        mode: for MODE, the one to go over to.
        register: for MODE, the import register on the wire up to which the balance is priced.
        as_of: for MODE, the moment of that, 12 octets.
    """

    id: bytes
    kind: Kind
    content: int
    snapshot: Snapshot = Snapshot()
    sequence: int = 0
    expiry: int = -1
    expiry_stamp: bytes = b"\xff" * 12
    amount: int = 0
    customer: Customer = Customer()
    at: int = -1
    anchor: int | None = None
    debts: Debts | None = None
    paid: int | None = None
    slot: int = 0
    mode: BalanceMode = BalanceMode.CENTRAL
    register: int = 0
    as_of: bytes = b"\xff" * 12


class Done(Struct, frozen=True):
    """What a handler came to: the state (unchanged for a refusal), the outcome, the amount."""

    state: MeterState
    outcome: Outcome
    amount: int = 0


def balance(view: View) -> int:
    """Return the balance that this meter knows, in minor units.

    What is owed of the emergency credit beside it is not taken off.
    """
    state = view.state
    if central(view):
        return state.snapshot.balance
    return state.totals.balance + state.advance.owed


def central(view: View) -> bool:
    """Whether the head-end keeps the balance."""
    return view.mode is BalanceMode.CENTRAL


def fits(amount: int) -> bool:
    """Say whether an amount fits the double-long that carries it on the wire."""
    return -_DOUBLE_LONG <= amount < _DOUBLE_LONG


def clamp(amount: int) -> int:
    """Return an amount as its double-long shows it: one that has outgrown it, the greatest."""
    return max(-_DOUBLE_LONG, min(amount, _DOUBLE_LONG - 1))


def ended(view: View, state: MeterState, done: Done) -> MeterState:
    """Return the state without its plan, whose entry in the log says now what came of it."""
    identity = state.plan.id
    after = clamp(balance(view.with_state(state)))
    entries = tuple(
        replace(
            entry,
            outcome=done.outcome,
            amount=clamp(done.amount),
            balance=after,
            time=view.clock,
        )
        if entry.id == identity
        else entry
        for entry in state.transactions
    )
    return state.but(plan=Plan(), transactions=entries)
