"""What the end of a transaction changes in the books; all of it in one database transaction.

| order | confirmed | refused |
|---|---|---|
| top-up | | what it booked is reversed, also where it has been settled since |
| adjust, refund | | likewise; energy that was priced before a refund stays so |
| disconnect, connect | | |
| activate | prepayment is on; consumption is priced from the reading then | start credit reversed |
| deactivate | prepayment is off; what is left is settled | |
| the same by plan, where the head-end prices | it is priced up to the register then | |
| morning | | |
| arm | | |
| customer, withdraw, cancel | | |
| mode, to the meter | the meter prices; this ledger notes what is paid | |
| mode, to the head-end | the balance is what the meter said; pricing begins at its register | |

A morning books energy that has been used, whether or not the meter takes the news of it; so its
refusal reverses nothing.
"""

from headend.pricing import Reading, price_to_the_end
from headend.store import ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.store.transactions import Order, State, Transaction
from prepay.cut import BalanceMode
from prepay.ledger import Post, Reason, credit_post
from prepay.profile import Profile
from protocol.timing import Instant

#: What is followed by something else in the database when it is done.
FOLLOWED = (Order.ACTIVATE, Order.DEACTIVATE, Order.MODE)


def conclude(
    db: Connection,
    meter: Meter,
    profile: Profile,
    planned: Transaction,
    state: State,
    outcome: str,
    closing: int | None,
    now: Instant,
    told: Reading | None = None,
) -> Transaction:
    """Write down how a transaction ended, and what follows from it; return it as it is then.

    Args:
        db: one database transaction.
        meter: the meter, held.
        profile: its rules.
        planned: the transaction, open until now.
        state: a final state.
        outcome: in words.
        closing: of a deactivation, the balance that the meter closed with, in minor units.
        now: the head-end's time.
        told: the register as the meter has written it down itself: when it handed its balance
            over, or carried out a plan while the head-end prices.

    Raises:
        transactions.AlreadyFinal: it had ended before; nothing was changed.
    """
    ended = transactions.finish(db, planned.id, state, outcome, now)
    if state is State.REFUSED:
        if planned.kind in (Order.TOPUP, Order.ACTIVATE):
            ledger.book(db, meter.id, ledger.reversal(db, meter.id, planned.id, now))
        if planned.kind in (Order.ADJUST, Order.REFUND):
            back = ledger.reversal(db, meter.id, planned.id, now, but=Reason.CONSUMPTION)
            ledger.book(db, meter.id, back)
        if planned.kind in (Order.TOPUP, Order.ADJUST, Order.REFUND):
            ledger.book(db, meter.id, _settled_too_much(db, meter, planned, now))
    elif planned.kind is Order.ACTIVATE:
        meters.set_prepayment(db, meter, True)
        _price_from_here(db, meter, planned, told)
    elif planned.kind is Order.MODE:
        _hand_over(db, meter, planned, closing, now, told)
    elif planned.kind is Order.DEACTIVATE:
        if told is not None:
            used = price_to_the_end(db, meter, profile, planned.id, told, now)
            ledger.book(db, meter.id, used)
        meters.set_prepayment(db, meter, False)
        meters.set_priced(db, meter, None, None, 0)
        ledger.book(db, meter.id, _settlement(db, meter, planned, closing, now))
    return ended


def _hand_over(
    db: Connection,
    meter: Meter,
    planned: Transaction,
    closing: int | None,
    now: Instant,
    told: Reading | None,
) -> None:
    """Let whoever keeps the balance from now on keep it."""
    to_meter = planned.parameters["mode"] == BalanceMode.LOCAL
    meters.set_mode(db, meter, "local" if to_meter else "central")
    if to_meter or told is None:
        meters.set_priced(db, meter, None, None, 0)
    else:
        meters.set_priced(db, meter, told.watt_hours, told.moment, 0)
    if not to_meter and closing is not None:
        ledger.book(db, meter.id, _difference(db, meter, planned, closing, now))


def _difference(
    db: Connection, meter: Meter, planned: Transaction, told: int, now: Instant
) -> list[Post]:
    """Return the post that brings this ledger to the balance that the meter told."""
    ours = ledger.balance(db, meter.id)
    if told == ours:
        return []
    booked = ledger.of_transaction(db, planned.id)
    reason = Reason.CONSUMPTION if told < ours else Reason.ADJUSTMENT
    return [credit_post(planned.id, reason, told - ours, now, len(booked))]


def _price_from_here(
    db: Connection, meter: Meter, planned: Transaction, told: Reading | None
) -> None:
    if told is not None:
        meters.set_priced(db, meter, told.watt_hours, told.moment, 0)
        return
    reading, moment = planned.parameters.get("priced_wh"), planned.parameters.get("priced_at")
    if reading is not None and moment is not None:  # central mode
        meters.set_priced(db, meter, int(reading), Instant(int(moment)), 0)


def _settled_too_much(
    db: Connection, meter: Meter, planned: Transaction, now: Instant
) -> list[Post]:
    """Return the post that takes back what an end made of money that had not come, or gone.

    Another command ended prepayment while this payment was on its way. In central mode it was
    paid out with the rest; in local mode, missing on the meter, it was taken to have been used.
    A refund, or an adjustment below 0, is the other way round: in central mode it was kept back
    from what was paid out; in local mode, still on the meter, it was taken to be a correction.
    """
    left = ledger.balance(db, meter.id)
    payment = planned.kind is not Order.REFUND and planned.amount > 0
    if not left or (payment and left > 0) or not _ended_since(db, meter, planned):
        return []
    reason = Reason.SETTLEMENT
    if meter.mode == "local":
        reason = Reason.CONSUMPTION if left < 0 else Reason.ADJUSTMENT
    booked = ledger.of_transaction(db, planned.id)
    return [credit_post(planned.id, reason, -left, now, len(booked))]


def _ended_since(db: Connection, meter: Meter, planned: Transaction) -> bool:
    """Say whether prepayment has ended, and its balance been settled, with a payment open."""
    if meters.by_id(db, meter.id).prepayment:
        return False
    ends = transactions.of_meter(db, meter.id, kinds=(Order.DEACTIVATE,))
    return any(each.succeeded for each in ends)


def _settlement(
    db: Connection, meter: Meter, planned: Transaction, closing: int | None, now: Instant
) -> list[Post]:
    """Return the posts that bring the customer's credit to nothing.

    In local mode the meter's closing balance is the truth; what this ledger holds beyond it has
    been used, what it lacks came from elsewhere.
    """
    ours = ledger.balance(db, meter.id)
    booked = ledger.of_transaction(db, planned.id)
    posts: list[Post] = []
    left = ours
    if meter.mode == "local" and closing is not None:
        left = closing
        posts = _difference(db, meter, planned, closing, now)
    if left:
        leg = len(booked) + len(posts)
        posts.append(credit_post(planned.id, Reason.SETTLEMENT, -left, now, leg))
    return posts
