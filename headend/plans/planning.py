"""Intentions, written down before anything is sent: what all of them have.

A plan is made of what the meter says (read before the database transaction begins) and of what
the database knows (read within it): transaction, posts and sequence are committed together or not
at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from headend.auditing import note
from headend.device import SNAPSHOT, STATUS, TIME
from headend.errors import Refused, UsageError
from headend.line import Line
from headend.store import meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Parameters, Transaction
from headend.times import utc
from prepay.ledger import Account, Post
from prepay.transactions import ID_LENGTH, time_of, transaction_id
from protocol.cosem_time import ClockStatus, CosemDateTime, WildcardError
from protocol.events import AttributeRef
from protocol.timing import Instant, later

#: An order is not sent any more after so long; the meter's memory reaches further.
NOT_AFTER = 7 * 24 * 3_600_000


#: How far ahead of our clock the clock may be that a transaction id was made by.
_FUTURE = 24 * 3_600_000


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


def stamp(line: Line, moment: datetime) -> str:
    """Return a moment as a COSEM date-time of the meter's zone, in hexadecimal digits."""
    return CosemDateTime.from_datetime(moment.astimezone(line.profile.zone)).to_bytes().hex()


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
