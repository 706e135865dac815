"""Intentions, written down before anything is sent: transaction, posts and sequence together.

A plan is made of what the meter says (read before the database transaction begins) and of what
the database knows (read within it), and is committed whole or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Final

from msgspec import Struct, field

from headend.auditing import note
from headend.device import SNAPSHOT, STATUS, TIME
from headend.errors import Refused, UsageError
from headend.line import Line
from headend.pricing import Reading, price, unpriced
from headend.store import ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Parameters, State, Transaction
from headend.times import utc
from prepay.credit import standing
from prepay.cut import BalanceMode
from prepay.ledger import Account, Post, Reason, credit_post
from prepay.money import MAX_AMOUNT, MIN_AMOUNT
from prepay.tokens.vend import vend_lab
from prepay.transactions import ID_LENGTH, time_of, transaction_id
from protocol.cosem_time import ClockStatus, CosemDateTime, WildcardError
from protocol.events import AttributeRef
from protocol.timing import Instant, later

#: An order is not sent any more after so long; the meter's memory reaches further.
NOT_AFTER = 7 * 24 * 3_600_000
#: How far ahead of our clock the clock may be that a transaction id was made by.
_FUTURE = 24 * 3_600_000
#: How long a cut stays armed, unless a newer snapshot comes.
ARM_FOR = timedelta(days=3)
_MAX_SEQUENCE = 0xFFFF_FFFF


#: What a top-up asks a meter before it is booked, by who keeps the balance.
TOPUP_ASKS: Final[Mapping[str, Sequence[AttributeRef]]] = {
    "central": (TIME, STATUS, SNAPSHOT),
    "local": (STATUS,),
}


def new_id(line: Line) -> str:
    """Return an id for a new transaction."""
    return transaction_id(line.now, line.context.entropy(10)).hex()


def check_id(text: str, now: Instant) -> str:
    """Return a transaction id as the database has it.

    A meter forgets the smallest of its ids and then takes none below it. So one id of the future
    is remembered for ever, and as many of them as it remembers would shut it to those of today.

    Raises:
        UsageError: not 32 hexadecimal digits, or of the future.
    """
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != ID_LENGTH or not any(octets):
        raise UsageError(f"{text[:40]!r} is no transaction id: 32 hexadecimal digits, not all 0")
    if time_of(octets) > now + _FUTURE:
        raise UsageError(
            "this transaction id is of the future: it has to begin with the milliseconds since "
            "1970, in 12 hexadecimal digits (UUID version 7)"
        )
    return octets.hex()


def meter_time(line: Line) -> datetime:
    """Return the time by the meter's clock, to the second, as people read it.

    Raises:
        Refused: the meter does not know the time.
    """
    clock = line.device.clock()
    if clock.status is not None and ClockStatus.INVALID in clock.status:
        raise Refused("the meter's clock is not valid: set it with prepay clock --set now")
    try:
        return clock.to_datetime(line.profile.zone).replace(microsecond=0)
    except WildcardError as error:
        raise Refused("the meter's clock is not set: prepay clock --set now") from error


def instant(moment: datetime) -> Instant:
    """Return an aware moment in milliseconds."""
    return Instant(round(moment.timestamp() * 1000))


@contextmanager
def books(line: Line) -> Iterator[Connection]:
    """Give a database transaction in which nobody else changes the books of the line's meter."""
    with line.context.store.begin() as db:
        line.meter = meters.hold(db, line.meter.id, line.now)
        line.newest, line.booked = transactions.books(db, line.meter.id)
        line.balance = None
        yield db
    line.seen = True


# --- central mode: the head-end's ledger owns the balance ------------------------------------


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


class Opening(Struct, frozen=True):
    """What the customer brings to an account that is opened, and when that is.

    Args:
        balance: of before, minor units.
        debts: slot and amount of each.
        anchor: a day on which a period of the standing charges begins; None for the first day.
        at: the planned moment; None for now.
        start_credit: whether the profile's start credit is given.
        paid: the last day that standing charges were paid for, to the meter before this one.
        noted: kept with the transaction, and not sent.
    """

    balance: int = 0
    debts: tuple[tuple[int, int], ...] = ()
    anchor: date | None = None
    at: datetime | None = None
    start_credit: bool = True
    paid: date | None = None
    noted: Parameters = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but the profile's start credit to say."""
        return self == _PLAIN

    def first_balance(self, line: Line, held: int) -> int:
        """Return the first balance, where ``held`` is there already."""
        brought = held + self.balance
        return line.profile.start_credit.first_balance(brought) if self.start_credit else brought

    def posts(self, line: Line, identity: str, held: int) -> list[Post]:
        """Return what of the first balance was brought and what is start credit."""
        advance = self.first_balance(line, held) - held - self.balance
        parts = ((Reason.OPENING, self.balance), (Reason.START_CREDIT, advance))
        told = [(reason, amount) for reason, amount in parts if amount]
        return [
            credit_post(identity, reason, amount, line.now, leg)
            for leg, (reason, amount) in enumerate(told)
        ]

    def parameters(self, line: Line) -> Parameters:
        """Return what is sent of it beside the balance."""
        if self.is_plain:
            return {}
        values: dict[str, int | str] = {
            "debts": " ".join(f"{slot}:{amount}" for slot, amount in self.debts)
        }
        for name, day in (("anchor", self.anchor), ("paid", self.paid)):
            if day is not None:
                midnight = datetime.combine(day, time(), line.profile.zone)
                values[name] = stamp(line, midnight)
        if self.at is not None:
            values["at"] = stamp(line, self.at)
        return {**values, **self.noted}


_PLAIN: Final = Opening()


def stamp(line: Line, moment: datetime) -> str:
    """Return a moment as a COSEM date-time of the meter's zone, in hexadecimal digits."""
    return CosemDateTime.from_datetime(moment.astimezone(line.profile.zone)).to_bytes().hex()


def central_activation(line: Line, identity: str, opening: Opening = _PLAIN) -> Transaction:
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
        _no_opening_waits(db, line)
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


def _no_opening_waits(db: Connection, line: Line) -> None:
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


# --- local mode: the meter's ledger owns the balance, this one notes what was paid -------------


def local_topup(
    line: Line, identity: str, amount: int, noted: Parameters | None = None
) -> Transaction:
    """Book a payment and make the token that carries it to the meter; ``noted`` is kept with it.

    Raises:
        Refused: prepayment is not active; nothing is booked.
    """
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: prepay activate")
    key, name = line.context.keys.token_key, line.meter.name.encode("latin-1")
    token = vend_lab(key, name, bytes.fromhex(identity), amount)
    with books(line) as db:
        values: Parameters = {"token": token.hex(), **(noted or {})}
        posts = [credit_post(identity, Reason.TOP_UP, amount, line.now)]
        return plan_order(db, line, identity, Order.TOPUP, amount, values, posts)


def local_activation(line: Line, identity: str, opening: Opening = _PLAIN) -> Transaction:
    """Book the start credit that brings the meter's own balance to the profile's first one."""
    if line.device.prepayment():
        raise Refused("prepayment is active already")
    as_of, old = meter_time(line), line.device.local_balance()
    advance = opening.first_balance(line, old) - old
    told = stamp(line, as_of)
    values: Parameters = {
        "sequence": 0,
        "balance": advance,
        "emergency": 0,
        "as_of": told,
        **opening.parameters(line),
    }
    with books(line) as db:
        _no_opening_waits(db, line)
        planned = plan_order(db, line, identity, Order.ACTIVATE, advance, values)
        ledger.book(db, line.meter.id, opening.posts(line, identity, old))
        return planned


def local_deactivation(
    line: Line, identity: str, at: datetime | None = None, noted: Parameters | None = None
) -> Transaction:
    """Plan the end; what the meter closes with is settled once it is confirmed."""
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: nothing to deactivate")
    values: Parameters = {**({} if at is None else {"at": stamp(line, at)}), **(noted or {})}
    with books(line) as db:
        return plan_order(db, line, identity, Order.DEACTIVATE, 0, values)


def cancellation(line: Line, identity: str) -> Transaction:
    """Plan to withdraw what the meter has planned."""
    with books(line) as db:
        return plan_order(db, line, identity, Order.CANCEL, 0, {})


# --- from one to the other ---------------------------------------------------------------------


def to_meter(line: Line, identity: str) -> Transaction:
    """Price what has been used until now, and let the meter go on with what is left.

    The order says the register that it is priced to: the meter charges from there on.
    """
    now, held = meter_time(line), held_sequence(line)
    reading = Reading(line.device.energy(), instant(now))
    with books(line) as db:
        check_sequence(line, held)
        priced = price_until(db, line, identity, reading)
        meter = line.meter
        left = ledger.balance(db, meter.id) + effect(priced)
        values: Parameters = {
            "mode": int(BalanceMode.LOCAL),
            "sequence": meter.sequence + 1,
            "balance": left,
            "register": reading.watt_hours,
            "as_of": stamp(line, now),
        }
        planned = plan_order(db, line, identity, Order.MODE, left, values)
        ledger.book(db, meter.id, priced)
        meters.set_sequence(db, meter, meter.sequence + 1)
        return planned


def to_head_end(line: Line, identity: str) -> Transaction:
    """Plan to take the balance over; what the meter says then is booked once it is confirmed."""
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: prepay activate")
    held = line.device.snapshot().sequence
    with books(line) as db:
        meter = line.meter
        sequence = max(meter.sequence, held) + 1
        values: Parameters = {"mode": int(BalanceMode.CENTRAL), "sequence": sequence}
        planned = plan_order(db, line, identity, Order.MODE, 0, values)
        meters.set_sequence(db, meter, sequence)
        return planned


# --- what is due to the customer ---------------------------------------------------------------


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


# --- the relay ---------------------------------------------------------------------------------


def switching(line: Line, identity: str, kind: Order, until: datetime | None = None) -> Transaction:
    """Plan an operator's order to the relay; a disconnect with ``until`` respects the windows."""
    values: Parameters = {} if until is None else {"at": stamp(line, until)}
    with books(line) as db:
        return plan_order(db, line, identity, kind, 0, values)


# -----------------------------------------------------------------------------------------------


def plan_order(
    db: Connection,
    line: Line,
    identity: str,
    kind: Order,
    amount: int,
    values: Parameters,
    posts: Sequence[Post] = (),
    sequence: int | None = None,
) -> Transaction:
    """Write a transaction down, to be sent until ``NOT_AFTER`` or the command's own not-after.

    ``posts`` and ``sequence`` are as ``transactions.plan`` takes them.
    """
    now, not_after = line.now, later(line.now, NOT_AFTER)
    _check_clock(line, now)
    if line.context.not_after is not None:  # a durable command's own
        not_after = min(not_after, line.context.not_after)
    planned = transactions.plan(
        db,
        identity,
        line.meter.id,
        kind,
        amount,
        values,
        now=now,
        not_after=not_after,
        sending=kind is Order.TOPUP,  # it goes out as soon as it is booked
        held=line.meter,
        posts=posts,
        sequence=sequence,
    )
    if line.context.queued_as is None:
        note(db, line, planned, "planned")
    return planned


def _check_clock(line: Line, now: Instant) -> None:
    """Refuse to plan by a clock that has been set back: ids grow with time, and meters forget."""
    newest = line.newest
    if newest is not None and newest > later(now, _FUTURE):
        raise Refused(
            f"this computer's clock says {utc(now)}, and {line.meter.name} had a transaction at "
            f"{utc(newest)} already: set the clock; nothing was booked"
        )


def effect(posts: Sequence[Post]) -> int:
    """Return what posts do to the customer's credit."""
    return sum(post.amount if post.credit is Account.CREDIT else -post.amount for post in posts)
