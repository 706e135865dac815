"""The exchange of a meter: the old one is closed, the new one opened with what that leaves.

| step | with | transaction | id |
|---|---|---|---|
| 1 | old | it is closed; the payments that are open then are noted with it | given, or new |
| 2 | old | what is open is asked about; a closed meter executes none of it any more | as it was |
| 3 | new | what is due to the customer, where anything is | made of 1 |
| 4 | new | it is opened with balance, debts and anchor | made of 1 |
| 5 | new | each payment of 1 that was refused in 2 | made of 1 and its own |

Each step is a transaction, written down before it is sent, and its id follows from the one of 1:
whoever goes on where an exchange stood finds what was done under the id that he would give it
himself. The balance of 4 comes out of the books and the settlement record of the old meter, never
out of this process's memory. Once 4 is planned the old meter is not needed any more.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from headend.context import Context
from headend.errors import HeadendError, Refused, Unfinished, Unknowable, UsageError
from headend.line import Line
from headend.orders import carry_out, settle_one, settle_open
from headend.plans.central import (
    central_activation,
    central_deactivation,
    central_topup,
    opening_waits,
)
from headend.plans.local import local_activation, local_deactivation, local_topup
from headend.plans.openings import Opening
from headend.plans.operating import customer
from headend.plans.planning import meter_time, new_id
from headend.repeats import check_done, repeated
from headend.store import ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.store.transactions import Order, State, Transaction
from prepay.ledger import Reason
from prepay.transactions import transaction_id
from protocol.cosem.vendor_shown import CustomerStatus, Settlement
from protocol.cosem_time import CosemDateTime, WildcardError

_TURNS = (Order.ACTIVATE, Order.DEACTIVATE)
#: Parameters that are noted and not sent: of the closing the new meter's name, a day on which a
#: billing period begins, and the payments that are open; of an opening the closing; of a payment
#: that is brought along the one that it was.
_TO, _PERIODS, _PAYMENTS = "exchange", "periods", "payments"
_CLOSING, CARRIED = "closing", "carried"


@dataclass(slots=True)
class Exchange:
    """How far an exchange has come; every field but the first two is in the database.

    Args:
        context: of the old meter.
        new: the new meter's line.
        identity: id of the closing; None: that of the exchange that has begun, or a new one.
        closing: of the old meter.
        opening: of the new one.
        carried: payments that were open at the old meter, as sent to the new one.
        again: all of it was done before.
    """

    context: Context
    new: Line
    identity: str | None
    closing: Transaction | None = None
    opening: Transaction | None = None
    carried: list[Transaction] = field(default_factory=list)
    again: bool = False


def run(context: Context, elsewhere: Context, identity: str | None) -> Exchange:
    """Exchange the meter of one context for that of another, or go on where that stood.

    Raises:
        UsageError: the meters are one and the same, or the id is of something else.
        Refused: they are of different kind, the old one is not open or the new one is; nothing was
            changed.
        Unfinished: something has been done and not everything; the message says who has the
            balance.
        Unknowable: all is done but for a payment of which the old meter knows nothing any more.
        NoAnswer: nothing has been done.
    """
    try:
        new = Line(elsewhere)
        try:
            exchange = Exchange(context, new, identity)
            _run(exchange)
            return exchange
        finally:
            new.close()
    except HeadendError as error:
        raise _told(context, identity, error) from error


def _run(exchange: Exchange) -> None:
    new = exchange.new
    settle_open(new)
    with new.context.store.read() as db:
        _find_opened(db, exchange)
    if exchange.opening is None:
        _from_the_old(exchange)
    assert exchange.opening is not None  # planned a line ago
    if exchange.opening.is_open:
        exchange.opening = carry_out(new, exchange.opening)
    check_done(exchange.opening)
    _carry_payments(exchange)


def _from_the_old(exchange: Exchange) -> None:
    """Close the old meter, and plan the opening of the new one."""
    new = exchange.new
    meter_time(new)  # an unknown clock could not say from which day on it is to be paid for
    ready = not new.device.prepayment()
    with new.context.store.read() as db:
        waits = opening_waits(db, new)
    new.drop()  # both may be on one bus
    old = Line(exchange.context)
    try:
        _check_pair(old, new)
        _find_closed(old, exchange)
        if exchange.opening is not None:
            return
        if exchange.closing is None:
            if not ready:
                raise Refused(f"prepayment is active on {new.meter.name} already: nothing to open")
            if waits:
                raise Refused(
                    f"an opening of {new.meter.name} is planned: prepay cancel withdraws it; "
                    "nothing was changed"
                )
            exchange.closing = _planned_closing(old, exchange)
        if exchange.closing.is_open:
            exchange.closing = carry_out(old, exchange.closing)
        check_done(exchange.closing)
        for each in _open(old):
            settle_one(old, each)
        record, due = _record(old, exchange.closing), old.device.customer()
    finally:
        old.close()
    closing = exchange.closing
    if due.protected or due.never_cut:
        _make_due(new, closing, due)
    exchange.opening = _planned_opening(old, exchange, closing, record)


# --- the old meter -----------------------------------------------------------------------------


def _check_pair(old: Line, new: Line) -> None:
    """Refuse two meters of which the one cannot go on where the other stops."""
    if old.meter.id == new.meter.id:
        raise UsageError(f"both ports are of {old.meter.name}: an exchange is for another meter")
    if old.profile.currency != new.profile.currency:
        money = f"{old.profile.currency.code} and {new.profile.currency.code}"
        raise Refused(f"the meters have different currencies, {money}: nothing was changed")
    if old.profile.name != new.profile.name:
        raise Refused(
            f"the meters have different profiles, {old.profile.name} and {new.profile.name}: "
            "nothing was changed"
        )
    if old.meter.mode != new.meter.mode:
        raise Refused(
            f"{old.meter.name} is in {old.meter.mode} mode and {new.meter.name} in "
            f"{new.meter.mode} mode: prepay mode brings the old one there; nothing was changed"
        )


def _find_closed(old: Line, exchange: Exchange) -> None:
    """Take up an exchange of this meter that has begun: the one of the id, or its last."""
    identity, new = exchange.identity, exchange.new.meter
    closing = repeated(old, identity, Order.DEACTIVATE)
    with old.context.store.read() as db:
        if identity is None:
            closing = _begun(db, old.meter)
        elif closing is not None and _TO not in closing.parameters:
            raise UsageError(f"transaction {identity} is no exchange; take a new id")
        opening = None if closing is None else _opening_of(db, closing.id)
        if opening is not None and opening.meter_id != new.id:
            other = meters.by_id(db, opening.meter_id).name
            raise Refused(f"{old.meter.name} is being exchanged, or has been, for {other}")
        if closing is not None and opening is not None and not opening.is_open:
            exchange.again = not _payments_left(db, closing, new)
    exchange.closing, exchange.opening = closing, opening


def _planned_closing(old: Line, exchange: Exchange) -> Transaction:
    """Settle what is open, but for payments, and plan the closing."""
    meter_time(old)  # an unknown clock would leave nothing to say of standing charges
    for each in _open(old):
        if each.kind is not Order.TOPUP:
            settle_one(old, each)
    anchor = _anchor(old)
    payments = [each.id for each in _open(old) if each.kind is Order.TOPUP]
    plan = central_deactivation if old.central else local_deactivation
    noted = {
        _TO: exchange.new.meter.name,
        _PERIODS: "" if anchor is None else anchor.isoformat(),
        _PAYMENTS: " ".join(payments),
    }
    return plan(old, exchange.identity or new_id(old), noted=noted)


def _anchor(old: Line) -> date | None:
    """Return a day on which a period of the old account began: as ordered, or its first day."""
    with old.context.store.read() as db:
        last = _last_turn(db, old.meter, waiting=False)
    if last is not None and last.kind is Order.ACTIVATE and "anchor" in last.parameters:
        stamp = CosemDateTime.from_bytes(bytes.fromhex(str(last.parameters["anchor"])))
        return stamp.date.to_date()
    return _day(old, old.device.opened())


def _day(line: Line, moment: CosemDateTime) -> date | None:
    """Return a moment's local date; None where the meter did not know the time."""
    try:
        return moment.to_datetime(line.profile.zone).date()
    except WildcardError:
        return None


def _record(old: Line, closing: Transaction) -> Settlement:
    """Return what the old meter wrote down at its closing."""
    record = old.device.settlement()
    if record.id.hex() != closing.id:
        raise Refused(f"{old.meter.name} has been closed once more since, by somebody else")
    return record


def _planned_opening(
    old: Line, exchange: Exchange, closing: Transaction, record: Settlement
) -> Transaction:
    """Plan the opening; its balance is what the old meter's settlement comes to."""
    new = exchange.new
    with new.context.store.read() as db:
        settled = record.balance if not old.central else _settled(db, closing)
        refused = transactions.of_kind_with(db, Order.ACTIVATE, _CLOSING, closing.id)
    periods = str(closing.parameters[_PERIODS])
    told = Opening(
        balance=settled,
        debts=tuple((debt.slot, debt.amount) for debt in record.debts),
        anchor=date.fromisoformat(periods) if periods else None,
        start_credit=False,
        paid=_day(old, record.time),
        noted={_CLOSING: closing.id},
    )
    identity = step_id(closing, new, "opening", refused[-1] if refused else None)
    return (central_activation if new.central else local_activation)(new, identity, told)


def _settled(db: Connection, closing: Transaction) -> int:
    """Return what a central closing settled, without the payments that did not get there."""
    return sum(
        ledger.under(db, closing.meter_id, each, Reason.SETTLEMENT)
        for each in (closing.id, *_payments(closing))
    )


# --- the new meter -----------------------------------------------------------------------------


def _carry_payments(exchange: Exchange) -> None:
    """Send to the new meter what the old one did not execute, under new ids."""
    new, closing = exchange.new, exchange.closing
    assert closing is not None  # an opening has one
    unknown = None
    for identity in _payments(closing):
        with new.context.store.read() as db:
            payment = transactions.get(db, identity)
        assert payment is not None  # it is never deleted
        if payment.is_open:
            unknown = payment
        elif payment.state is State.REFUSED:
            exchange.carried.append(_carry(new, closing, payment))
    if unknown is not None:
        raise Unknowable(
            f"exchanged, but nobody can say whether the old meter had transaction {unknown.id}: "
            "compare its settlement with the ledger by hand",
            unknown.id,
        )


def _carry(new: Line, closing: Transaction, payment: Transaction) -> Transaction:
    plan = central_topup if new.central else local_topup
    noted = {CARRIED: payment.id}
    return _step(
        new,
        step_id(closing, new, payment.id),
        lambda identity: plan(new, identity, payment.amount, noted),
    )


def _make_due(new: Line, closing: Transaction, due: CustomerStatus) -> None:
    """Let the new meter know what is due to the customer, before it can cut."""

    def plan(identity: str) -> Transaction:
        flags = {"protected": due.protected, "never_cut": due.never_cut}
        return customer(new, identity, since=due.since, **flags)

    before: Transaction | None = None
    while True:  # as often as it has expired, and once more
        identity = step_id(closing, new, "customer", before)
        with new.context.store.read() as db:
            known = transactions.get(db, identity)
        if known is None or known.state is not State.REFUSED:
            check_done(_step(new, identity, plan))
            return
        before = known


def _step(line: Line, identity: str, plan: Callable[[str], Transaction]) -> Transaction:
    """Plan a step unless it is planned, and carry it out unless it has ended."""
    with line.context.store.read() as db:
        known = transactions.get(db, identity)
    planned = plan(identity) if known is None else known
    return carry_out(line, planned) if planned.is_open else planned


def step_id(closing: Transaction, new: Line, step: str, before: Transaction | None = None) -> str:
    """Return the id of a step, the same for whoever asks.

    Args:
        closing: of the exchange.
        new: the meter of the step.
        step: its name.
        before: the same step, refused or expired: another id is needed.
    """
    words = (closing.id, new.meter.name, step, "" if before is None else before.id)
    made = closing.created if before is None else before.settled or before.created
    return transaction_id(made, hashlib.sha256("\0".join(words).encode()).digest()[:10]).hex()


# --- what the database knows -------------------------------------------------------------------


def _open(line: Line) -> list[Transaction]:
    with line.context.store.read() as db:
        return transactions.of_meter(db, line.meter.id, only_open=True)


def _last_turn(db: Connection, meter: Meter, *, waiting: bool = True) -> Transaction | None:
    """Return the newest activation or closing of a meter that has not been refused.

    Args:
        db: the database.
        meter: the meter.
        waiting: whether one counts that waits for its moment.
    """
    turns = [
        each
        for each in transactions.of_meter(db, meter.id)
        if each.kind in _TURNS
        and each.state is not State.REFUSED
        and (waiting or not (each.is_open and "at" in each.parameters))
    ]
    return turns[-1] if turns else None


def _begun(db: Connection, old: Meter) -> Transaction | None:
    """Return the closing of a meter whose last turn was an exchange, done or not."""
    last = _last_turn(db, old)
    return last if last is not None and _TO in last.parameters else None


def _opening_of(db: Connection, closing: str) -> Transaction | None:
    """Return the opening of an exchange that has not been refused, whichever meter's it is."""
    openings = transactions.of_kind_with(db, Order.ACTIVATE, _CLOSING, closing)
    left = [each for each in openings if each.state is not State.REFUSED]
    return left[-1] if left else None


def _payments(closing: Transaction) -> list[str]:
    return str(closing.parameters[_PAYMENTS]).split()


def _payments_left(db: Connection, closing: Transaction, new: Meter) -> bool:
    """Say whether a payment that the old meter refused has not ended at the new one yet."""
    refused = (transactions.get(db, each) for each in _payments(closing))
    wanted = {each.id for each in refused if each is not None and each.state is State.REFUSED}
    sent = [each for each in transactions.of_meter(db, new.id) if not each.is_open]
    return bool(wanted - {each.parameters.get(CARRIED) for each in sent})


def _find_opened(db: Connection, exchange: Exchange) -> None:
    """Take up an unfinished exchange of the meter last met at the old port, once it is not needed.

    For one that is finished the old meter is asked who it is: another may be in its place.
    """
    old, new = meters.last_at(db, exchange.context.place), exchange.new.meter
    closing = None if old is None else _begun(db, old)
    if closing is None or exchange.identity not in (None, closing.id):
        return
    opening = _opening_of(db, closing.id)
    if opening is None or opening.meter_id != new.id:
        return
    if opening.is_open or _payments_left(db, closing, new):
        exchange.closing, exchange.opening = closing, opening


def _told(context: Context, identity: str | None, error: HeadendError) -> HeadendError:
    """Return the error, or, where an exchange is under way, one that says who has the balance."""
    with context.store.read() as db:
        old = meters.last_at(db, context.place)
        closing = None if old is None else _begun(db, old)
        if old is None or closing is None or identity not in (None, closing.id):
            return error
        opening = _opening_of(db, closing.id)
        new = None if opening is None else meters.by_id(db, opening.meter_id)
        left = new is not None and _payments_left(db, closing, new)
    if closing.is_open:
        where = f"it is not known yet whether {old.name} is closed"
    elif opening is None or new is None:
        where = f"{old.name} is closed and no other open: the balance is at neither meter"
    elif opening.is_open:
        where = f"{old.name} is closed, and it is not known yet whether {new.name} has the balance"
    elif left:
        where = f"{new.name} has the balance, but not yet all payments"
    else:
        return error  # that exchange is done; this is about something else
    return Unfinished(
        f"exchange {closing.id} is not finished: {where} ({error}); "
        "the same command again goes on from there",
        closing.id,
    )
