"""What the end of a transaction changes in the books; all of it in one database transaction.

| order | confirmed | refused |
|---|---|---|
| top-up | | what it booked is reversed, also where it has been settled since |
| activate | prepayment is on; consumption is priced from the reading then | start credit reversed |
| deactivate | prepayment is off; what is left is settled | |
| morning | | |
| arm | | |
| customer, withdraw, cancel | | |
| mode, to the meter | the meter prices; this ledger notes what is paid | |
| mode, to the head-end | the balance is what the meter said; pricing begins at its register | |

A morning books energy that has been used, whether or not the meter takes the news of it; so its
refusal reverses nothing.
"""

from sqlalchemy import Connection

from headend.store import ledger, meters, transactions
from headend.store.meters import Meter
from headend.store.transactions import Order, State, Transaction
from prepay.cut import BalanceMode
from prepay.ledger import Post, Reason, credit_post
from protocol.timing import Instant


def conclude(
    db: Connection,
    meter: Meter,
    planned: Transaction,
    state: State,
    outcome: str,
    closing: int | None,
    now: Instant,
    handed: tuple[int, Instant] | None = None,
) -> None:
    """Write down how a transaction ended, and what follows from it.

    Args:
        db: one database transaction.
        meter: the meter.
        planned: the transaction, open until now.
        state: a final state.
        outcome: in words.
        closing: of a deactivation, the balance that the meter closed with, in minor units.
        now: the head-end's time.
        handed: of a balance that the meter has handed over, its register in Wh and the moment.

    Raises:
        transactions.AlreadyFinal: it had ended before; nothing was changed.
    """
    transactions.finish(db, planned.id, state, outcome, now)
    if state is State.REFUSED:
        if planned.kind in (Order.TOPUP, Order.ACTIVATE):
            ledger.book(db, meter.id, ledger.reversal(db, meter.id, planned.id, now))
        if planned.kind is Order.TOPUP:
            ledger.book(db, meter.id, _settled_too_much(db, meter, planned, now))
    elif planned.kind is Order.ACTIVATE:
        meters.set_prepayment(db, meter, True)
        _price_from_here(db, meter, planned)
    elif planned.kind is Order.MODE:
        _hand_over(db, meter, planned, closing, now, handed)
    elif planned.kind is Order.DEACTIVATE:
        meters.set_prepayment(db, meter, False)
        meters.set_priced(db, meter, None, None, 0)
        ledger.book(db, meter.id, _settlement(db, meter, planned, closing, now))


def _hand_over(
    db: Connection,
    meter: Meter,
    planned: Transaction,
    closing: int | None,
    now: Instant,
    handed: tuple[int, Instant] | None,
) -> None:
    """Let whoever keeps the balance from now on keep it."""
    to_meter = planned.parameters["mode"] == BalanceMode.LOCAL
    meters.set_mode(db, meter, "local" if to_meter else "central")
    register, moment = (None, None) if to_meter or handed is None else handed
    meters.set_priced(db, meter, register, moment, 0)
    if not to_meter and closing is not None:
        ledger.book(db, meter.id, _difference(db, meter, planned, closing, now))


def _difference(
    db: Connection, meter: Meter, planned: Transaction, told: int, now: Instant
) -> list[Post]:
    """Return the post that brings this ledger to the balance that the meter told."""
    ours = ledger.balance(db, meter.id)
    if told == ours:
        return []
    booked = [p for p in ledger.of_meter(db, meter.id) if p.transaction == planned.id]
    reason = Reason.CONSUMPTION if told < ours else Reason.ADJUSTMENT
    return [credit_post(planned.id, reason, told - ours, now, len(booked))]


def _price_from_here(db: Connection, meter: Meter, planned: Transaction) -> None:
    reading, moment = planned.parameters.get("priced_wh"), planned.parameters.get("priced_at")
    if reading is not None and moment is not None:  # central mode
        meters.set_priced(db, meter, int(reading), Instant(int(moment)), 0)


def _settled_too_much(
    db: Connection, meter: Meter, planned: Transaction, now: Instant
) -> list[Post]:
    """Return the post that takes back what an end made of a payment that had not come.

    Another command ended prepayment while this payment was on its way. In central mode it was
    paid out with the rest; in local mode, missing on the meter, it was taken to have been used.
    """
    left = ledger.balance(db, meter.id)
    if left >= 0 or not _ended_since(db, meter, planned):
        return []
    reason = Reason.CONSUMPTION if meter.mode == "local" else Reason.SETTLEMENT
    booked = [p for p in ledger.of_meter(db, meter.id) if p.transaction == planned.id]
    return [credit_post(planned.id, reason, -left, now, len(booked))]


def _ended_since(db: Connection, meter: Meter, planned: Transaction) -> bool:
    """Say whether prepayment has ended, and its balance been settled, with a payment open."""
    if meters.by_id(db, meter.id).prepayment:
        return False
    numbered = transactions.of_meter(db, meter.id)
    return any(t.kind is Order.DEACTIVATE and t.succeeded for t in numbered)


def _settlement(
    db: Connection, meter: Meter, planned: Transaction, closing: int | None, now: Instant
) -> list[Post]:
    """Return the posts that bring the customer's credit to nothing.

    In local mode the meter's closing balance is the truth; what this ledger holds beyond it has
    been used, what it lacks came from elsewhere.
    """
    ours = ledger.balance(db, meter.id)
    booked = [p for p in ledger.of_meter(db, meter.id) if p.transaction == planned.id]
    posts: list[Post] = []
    left = ours
    if meter.mode == "local" and closing is not None:
        left = closing
        posts = _difference(db, meter, planned, closing, now)
    if left:
        leg = len(booked) + len(posts)
        posts.append(credit_post(planned.id, Reason.SETTLEMENT, -left, now, leg))
    return posts
