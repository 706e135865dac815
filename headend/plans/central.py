"""Plans in central mode: the head-end's ledger owns the balance, and snapshots tell the meter."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from headend.errors import Refused
from headend.line import Line
from headend.plans.openings import PLAIN, Opening
from headend.plans.planning import books, effect, instant, meter_time, plan_order, stamp
from headend.pricing import Reading, price, unpriced
from headend.store import ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Parameters, State, Transaction
from prepay.credit import standing
from prepay.ledger import Post, Reason, credit_post
from prepay.money import MAX_AMOUNT, MIN_AMOUNT
from protocol.cosem_time import CosemDateTime

#: How long a cut stays armed, unless a newer snapshot comes.
ARM_FOR = timedelta(days=3)


_MAX_SEQUENCE = 0xFFFF_FFFF


def central_topup(
    line: Line, identity: str, amount: int, noted: Parameters | None = None
) -> Transaction:
    """Book a payment and the snapshot that tells the meter of it; ``noted`` is kept with it.

    Raises:
        Refused: prepayment is not active, or another head-end has been here; nothing is booked.
    """
    as_of = meter_time(line)
    held = held_sequence(line)
    with books(line) as db:
        check_sequence(line, held)
        posts = [credit_post(identity, Reason.TOP_UP, amount, line.now)]
        return plan_snapshot(
            db, line, identity, Order.TOPUP, amount, posts, as_of, noted, before=line.booked
        )


def central_activation(line: Line, identity: str, opening: Opening = PLAIN) -> Transaction:
    """Book the start credit and the first snapshot; pricing begins at the reading of now.

    A new activation begins a new line of snapshots, above whatever the meter holds. Of one for a
    later moment the reading is the meter's to tell, once it has carried it out.

    Raises:
        Refused: prepayment is active, or an opening waits: its balance is in the books already.
    """
    if line.device.prepayment():
        raise Refused("prepayment is active already")
    held, as_of = line.device.snapshot().sequence, meter_time(line)
    more = dict(opening.parameters(line))
    if opening.at is None:
        more |= {"priced_wh": line.device.energy(), "priced_at": instant(as_of)}
    else:
        line.device.carried_out()  # refused by a meter that could not tell the reading
    with books(line) as db:
        check_no_opening_waits(db, line)
        old = ledger.balance(db, line.meter.id)
        posts = opening.posts(line, identity, old)
        advance = opening.first_balance(line, old) - old
        line.meter = meters.set_sequence(db, line.meter, max(held, line.meter.sequence))
        begin = opening.at or as_of
        return plan_snapshot(db, line, identity, Order.ACTIVATE, advance, posts, begin, more)


def opening_waits(db: Connection, line: Line) -> bool:
    """Say whether an opening of ours waits at the meter for its moment, or is on its way there."""
    waiting = transactions.of_meter(db, line.meter.id, only_open=True)
    return any(
        each.kind is Order.ACTIVATE and "at" in each.parameters and each.state is not State.UNKNOWN
        for each in waiting
    )


def check_no_opening_waits(db: Connection, line: Line) -> None:
    """Refuse to open an account that is to be opened already.

    Raises:
        Refused: an opening waits at the meter for its moment.
    """
    if opening_waits(db, line):
        raise Refused(f"an opening of {line.meter.name} is planned: prepay cancel withdraws it")


def central_deactivation(
    line: Line, identity: str, at: datetime | None = None, noted: Parameters | None = None
) -> Transaction:
    """Price what has been used until now, and plan the end; it is settled once confirmed.

    For a later moment nothing is priced yet: that is done up to the register of that moment.
    """
    now, held = meter_time(line), held_sequence(line, "nothing to deactivate")
    reading = Reading(line.device.energy(), instant(now))
    if at is not None:
        line.device.carried_out()  # refused by a meter that could not tell the register then
        with books(line) as db:
            check_sequence(line, held)
            unpriced(line.meter, reading)  # refused where nobody could price
            later_on: Parameters = {"at": stamp(line, at), **(noted or {})}
            return plan_order(db, line, identity, Order.DEACTIVATE, 0, later_on)
    with books(line) as db:
        check_sequence(line, held)
        before = line.meter.priced_wh
        priced = price_until(db, line, identity, reading)
        left = ledger.balance(db, line.meter.id) + effect(priced)
        used: Parameters = {"watt_hours": reading.watt_hours - (before or 0), **(noted or {})}
        planned = plan_order(db, line, identity, Order.DEACTIVATE, left, used)
        ledger.book(db, line.meter.id, priced)
        return planned


def central_morning(line: Line, identity: str, reading: Reading, as_of: datetime) -> Transaction:
    """Price the energy up to a reading, book it, and plan the snapshot of the new balance."""
    held = held_sequence(line)
    with books(line) as db:
        check_sequence(line, held)
        before = line.meter.priced_wh
        posts = price_until(db, line, identity, reading)
        more = {"watt_hours": reading.watt_hours - (before or 0)}
        amount = -effect(posts)
        return plan_snapshot(db, line, identity, Order.MORNING, amount, posts, as_of, more)


def central_arm(line: Line, identity: str, now: datetime) -> Transaction:
    """Plan the arming of a cut, for the newest snapshot."""
    expiry = CosemDateTime.from_datetime((now + ARM_FOR).astimezone(line.profile.zone))
    with books(line) as db:
        sequence = line.meter.sequence
        values: Parameters = {"sequence": sequence, "expiry": expiry.to_bytes().hex()}
        return plan_order(db, line, identity, Order.ARM, 0, values)


def held_sequence(line: Line, otherwise: str = "prepay activate") -> int:
    """Return the sequence that the meter holds.

    Raises:
        Refused: prepayment is not active.
    """
    if not line.device.prepayment():
        raise Refused(f"prepayment is not active on this meter: {otherwise}")
    return line.device.snapshot().sequence


def check_sequence(line: Line, held: int) -> None:
    """Refuse to keep a balance that another head-end keeps.

    Raises:
        Refused: the meter holds a snapshot that this database never ordered.
    """
    ours = line.meter.sequence
    if held > ours:
        raise Refused(
            f"the meter holds snapshot {held}, this database ordered none above {ours}: "
            "another head-end keeps this balance, nothing was booked; "
            "after an older database was restored: prepay db adopt"
        )


def price_until(db: Connection, line: Line, identity: str, reading: Reading) -> list[Post]:
    """Return the posts of what has been used up to a reading; pricing goes on from there."""
    return price(db, line.meter, line.profile, identity, reading, line.now)


def plan_snapshot(
    db: Connection,
    line: Line,
    identity: str,
    kind: Order,
    amount: int,
    posts: Sequence[Post],
    as_of: datetime,
    more: Parameters | None = None,
    *,
    before: int | None = None,
) -> Transaction:
    """Plan a transaction that carries the balance as it is with ``posts``.

    ``before`` is the balance without them, where nothing was booked since it was read.
    """
    meter = line.meter
    balance = (ledger.balance(db, meter.id) if before is None else before) + effect(posts)
    if not MIN_AMOUNT <= balance <= MAX_AMOUNT or meter.sequence >= _MAX_SEQUENCE:
        raise Refused(f"a balance of {line.money(balance)} is more than the meter can take")
    values: Parameters = {
        "sequence": meter.sequence + 1,
        "balance": balance,
        "emergency": standing(line.profile.credit, balance, False).emergency_available,
        "as_of": CosemDateTime.from_datetime(as_of.astimezone(line.profile.zone)).to_bytes().hex(),
        **(more or {}),
    }
    step = meter.sequence + 1
    return plan_order(db, line, identity, kind, amount, values, posts, step)
