"""Intentions that correct a balance, adjustments and refunds; see ``headend.plans``.

| | who keeps the balance | what is sent | what stands when it is refused |
|---|---|---|---|
| adjust | the head-end | the snapshot with it | nothing |
| | the meter | the signed amount | nothing |
| refund | the head-end | the snapshot after what has been used | what has been used |
| | the meter | the amount, which the meter checks by its own balance | nothing |

A refund never takes more than there is. Where the head-end keeps the balance, what has been used
until now is priced first; where the meter does, its word counts, and it has charged for that.
"""

from headend.errors import Refused, UsageError
from headend.line import Line
from headend.plans.central import check_sequence, held_sequence, plan_snapshot, price_until
from headend.plans.planning import books, effect, instant, meter_time, plan_order
from headend.pricing import Reading
from headend.store import ledger, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Parameters, State, Transaction
from prepay.ledger import Reason, credit_post

#: The parameter of a refund that names the payment that goes back.
TOPUP = "topup"


def adjustment(line: Line, identity: str, amount: int, reason: str) -> Transaction:
    """Book a signed amount onto the balance.

    Raises:
        Refused: prepayment is not active, or another head-end has been here; nothing is booked.
    """
    noted: Parameters = {"reason": reason}
    if line.central:
        as_of, held = meter_time(line), held_sequence(line)
        with books(line) as db:
            check_sequence(line, held)
            posts = [credit_post(identity, Reason.ADJUSTMENT, amount, line.now)]
            return plan_snapshot(db, line, identity, Order.ADJUST, amount, posts, as_of, noted)
    _check_active(line)
    with books(line) as db:
        planned = plan_order(db, line, identity, Order.ADJUST, amount, noted)
        post = credit_post(identity, Reason.ADJUSTMENT, amount, line.now)
        ledger.book(db, line.meter.id, [post])
        return planned


def refund(
    line: Line, identity: str, amount: int, reason: str, topup: str | None = None
) -> Transaction:
    """Book an amount that the customer gets back; ``topup`` is the payment that it undoes.

    Raises:
        Refused: there is not so much, the payment has gone back before, prepayment is not active,
            or another head-end has been here; nothing is booked.
    """
    noted: Parameters = {"reason": reason, **({} if topup is None else {TOPUP: topup})}
    if line.central:
        return _central_refund(line, identity, amount, noted)
    _check_active(line)
    _check_enough(line, amount, line.device.local_balance())
    with books(line) as db:
        _check_once(db, line, noted)
        planned = plan_order(db, line, identity, Order.REFUND, amount, noted)
        post = credit_post(identity, Reason.REFUND, -amount, line.now)
        ledger.book(db, line.meter.id, [post])
        return planned


def _central_refund(line: Line, identity: str, amount: int, noted: Parameters) -> Transaction:
    now, held = meter_time(line), held_sequence(line)
    reading = Reading(line.device.energy(), instant(now))
    with books(line) as db:
        check_sequence(line, held)
        _check_once(db, line, noted)
        before = line.meter.priced_wh
        posts = price_until(db, line, identity, reading)
        _check_enough(line, amount, ledger.balance(db, line.meter.id) + effect(posts))
        posts.append(credit_post(identity, Reason.REFUND, -amount, line.now, len(posts)))
        more: Parameters = {**noted, "watt_hours": reading.watt_hours - (before or 0)}
        return plan_snapshot(db, line, identity, Order.REFUND, amount, posts, now, more)


def payment(line: Line, identity: str) -> Transaction:
    """Return the top-up of an id, which has arrived at this meter.

    Raises:
        UsageError: there is none of this meter under that id.
        Refused: it has not arrived.
    """
    with line.context.store.read() as db:
        found = transactions.get(db, identity)
    if found is None or found.meter_id != line.meter.id or found.kind is not Order.TOPUP:
        raise UsageError(
            f"{identity} is no top-up of {line.meter.name}: prepay transactions lists them"
        )
    if not found.succeeded:
        raise Refused(
            f"top-up {identity} is {found.state.value}: only one that has arrived goes back"
        )
    return found


def _check_active(line: Line) -> None:
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: prepay activate")


def _check_enough(line: Line, amount: int, left: int) -> None:
    if amount > left:
        raise Refused(
            f"a refund of {line.money(amount)} is more than the balance, {line.money(left)}: "
            "nothing was booked"
        )


def _check_once(db: Connection, line: Line, noted: Parameters) -> None:
    """Refuse to give a payment back twice; a refund that was refused gave nothing back."""
    topup = noted.get(TOPUP)
    if topup is None:
        return
    for each in transactions.of_meter(db, line.meter.id, kinds=(Order.REFUND,)):
        if each.parameters.get(TOPUP) == topup and each.state is not State.REFUSED:
            raise Refused(f"top-up {topup} has gone back already: transaction {each.id}")
