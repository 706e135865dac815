"""Plans that move no money: what is due to the customer, the relay, a plan that is withdrawn."""

from datetime import datetime

from headend.line import Line
from headend.plans.planning import books, plan_order, stamp
from headend.store.transactions import Order, Parameters, Transaction
from protocol.cosem_time import CosemDateTime


def cancellation(line: Line, identity: str) -> Transaction:
    """Plan to withdraw what the meter has planned."""
    with books(line) as db:
        return plan_order(db, line, identity, Order.CANCEL, 0, {})


def customer(
    line: Line, identity: str, *, protected: bool, never_cut: bool, since: CosemDateTime
) -> Transaction:
    """Plan what is due to the customer from now on; no money moves."""
    values: Parameters = {
        "protected": int(protected),
        "never_cut": int(never_cut),
        "since": since.to_bytes().hex(),
    }
    with books(line) as db:
        return plan_order(db, line, identity, Order.CUSTOMER, 0, values)


def withdrawal(line: Line, identity: str) -> Transaction:
    """Plan the end of minimum supply."""
    with books(line) as db:
        return plan_order(db, line, identity, Order.WITHDRAW, 0, {})


def switching(line: Line, identity: str, kind: Order, until: datetime | None = None) -> Transaction:
    """Plan an operator's order to the relay; a disconnect with ``until`` respects the windows."""
    values: Parameters = {} if until is None else {"at": stamp(line, until)}
    with books(line) as db:
        return plan_order(db, line, identity, kind, 0, values)
