"""What must be true of a database, whatever has happened to it: the laws of the ledger.

| law | why |
|---|---|
| the file or the server finds nothing broken | a disk lies |
| the tables are those of the newest migration | a program from before, or by hand |
| the triggers are those that the migrations made, and no others | they keep the books |
| where something is booked the audit log is not empty | each order is told there |
| a post is of the meter of its transaction | money does not change meters |
| a balance is what the posts come to | triggers keep it: only a hand could part them |
| all balances of a meter together are 0 | double entry |
| a top-up that was not refused has booked its amount, a refused one nothing | exactly once |
| an activation that was refused has booked no start credit | as above |
| a post is for a reason that its order can have | nothing is given by the way |
| an adjustment or a refund that was not refused has booked its amount | as a top-up |
| what is final has an outcome and a moment, what is open has none | states |
| no transaction carries a sequence above its meter's | the next one has to be newer |
| no transaction is of the future | the clock was set back: new ids are smaller than old ones |

Each finding is a line for people. Nothing is repaired: a law that is broken needs a person.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, inspect, select, text
from sqlalchemy.exc import DBAPIError

from headend.store import audit, guards, schema
from headend.store.connection import Connection
from headend.store.opening import revision
from headend.store.transactions import OPEN, Order, State
from headend.times import utc
from prepay.ledger import Account, Reason
from protocol.timing import Instant

_POSTS, _TRANSACTIONS, _METERS = schema.posts.c, schema.transactions.c, schema.meters.c
#: What each kind of order may book; a kind that is not here books nothing.
_REASONS: Final[dict[str, frozenset[Reason]]] = {
    Order.TOPUP: frozenset({Reason.TOP_UP}),
    Order.ACTIVATE: frozenset({Reason.OPENING, Reason.START_CREDIT}),
    Order.DEACTIVATE: frozenset({Reason.CONSUMPTION, Reason.ADJUSTMENT, Reason.SETTLEMENT}),
    Order.MORNING: frozenset({Reason.CONSUMPTION}),
    Order.MODE: frozenset({Reason.CONSUMPTION, Reason.ADJUSTMENT}),
    Order.ADOPT: frozenset({Reason.ADJUSTMENT}),
    Order.ADJUST: frozenset({Reason.ADJUSTMENT}),
    Order.REFUND: frozenset({Reason.CONSUMPTION, Reason.REFUND}),
}
#: A refused one of these may also have what an end had made of it meanwhile: ``headend.outcomes``.
_TAKEN_BACK: Final = frozenset({Order.TOPUP, Order.ADJUST, Order.REFUND})
_MADE_OF_IT: Final = frozenset({Reason.SETTLEMENT, Reason.CONSUMPTION, Reason.ADJUSTMENT})
#: The reason that an order which was not refused books its own amount for, and the sign.
_OWN: Final = {
    Order.ADJUST: (Reason.ADJUSTMENT, 1),
    Order.ADOPT: (Reason.ADJUSTMENT, 1),
    Order.REFUND: (Reason.REFUND, -1),
}
_FINAL = tuple(state for state in State if state not in OPEN)
#: A clock may be this much ahead without being wrong.
_AHEAD_MS = 60_000


class Finding(Struct, frozen=True):
    """A law that is broken.

    Args:
        law: a word for it.
        subject: of which meter, transaction or table.
        said: what was found, for people.
    """

    law: str
    subject: str
    said: str


def check(db: Connection, now: Instant) -> list[Finding]:
    """Return every breach of the laws; none is as it should be.

    Args:
        db: a transaction that reads: all of it is of one moment.
        now: the time, which nothing in the database may be after.
    """
    broken = list(_integrity(db))
    broken += _tables(db)
    if broken:
        return broken  # what the rest would say could not be believed
    return [*_guards(db), *_books(db), *_states(db, now), *_sequences(db)]


def _integrity(db: Connection) -> Iterator[Finding]:
    if db.dialect.name == "sqlite":
        for (said,) in db.exec_driver_sql("PRAGMA integrity_check(20)"):
            if said != "ok":
                yield Finding("integrity", "file", str(said))
        for table, row, parent, _ in db.exec_driver_sql("PRAGMA foreign_key_check"):
            yield Finding("integrity", str(table), f"row {row} refers to no row of {parent}")
        return
    for name, table in db.execute(
        text("SELECT conname, conrelid::regclass::text FROM pg_constraint WHERE NOT convalidated")
    ):
        yield Finding("integrity", str(table), f"{name} has not been checked on all rows")
    for known in schema.metadata.sorted_tables:
        try:
            with db.begin_nested():  # every page is read: the server finds what the disk has lost
                db.execute(text(f"SELECT count(*) FROM (SELECT * FROM {known.name}) AS everything"))
        except DBAPIError as error:
            yield Finding("integrity", known.name, str(error.orig).splitlines()[0])


def _tables(db: Connection) -> Iterator[Finding]:
    found = revision(db)
    if found != schema.HEAD:
        yield Finding("tables", "revision", f"{found}, and {schema.HEAD} is the newest")
    there = set(inspect(db.whole).get_table_names())
    for name in sorted(set(schema.metadata.tables) - there):
        yield Finding("tables", name, "is missing")


def _guards(db: Connection) -> Iterator[Finding]:
    for name, said in guards.breaches(db):
        yield Finding("triggers", name, said)
    if audit.is_gone(db):
        yield Finding("audit", "log", audit.GONE)


def _books(db: Connection) -> Iterator[Finding]:
    names = _names(db)
    query = select(_POSTS.transaction_id, _TRANSACTIONS.meter_id, _POSTS.meter_id).join_from(
        schema.posts, schema.transactions
    )
    for identity, ordered, booked in db.execute(query.where(_TRANSACTIONS.meter_id != (
        _POSTS.meter_id
    ))):  # fmt: skip # as one line of the query
        said = f"is of {names[ordered]}, and booked on {names[booked]}"
        yield Finding("posts", identity, said)
    sums: Counter[tuple[int, int]] = Counter()
    for meter, debit, credit, amount in db.execute(
        select(_POSTS.meter_id, _POSTS.debit, _POSTS.credit, _POSTS.amount)
    ):
        sums[meter, credit] += amount
        sums[meter, debit] -= amount
    kept = {(row.meter_id, row.account): row.amount for row in db.execute(select(schema.balances))}
    for meter, account in sorted(sums.keys() | kept.keys()):
        posts, balance = sums[meter, account], kept.get((meter, account), 0)
        if posts != balance:
            word = _account(account)
            said = f"{word} is kept as {balance}, and its posts come to {posts} minor units"
            yield Finding("balance", names[meter], said)
    together: Counter[int] = Counter()
    for (meter, _), amount in kept.items():
        together[meter] += amount
    for meter, total in sorted(together.items()):
        if total:
            yield Finding("balance", names[meter], f"all accounts together are {total}, and not 0")


def _account(number: int) -> str:
    try:
        return Account(number).name.lower()
    except ValueError:
        return f"account {number}"


def _states(db: Connection, now: Instant) -> Iterator[Finding]:
    booked: dict[str, Counter[int]] = defaultdict(Counter)
    for identity, credit, amount, reason in db.execute(
        select(_POSTS.transaction_id, _POSTS.credit, _POSTS.amount, _POSTS.reason)
    ):
        booked[identity][reason] += amount if credit == Account.CREDIT.value else -amount
    for row in db.execute(select(schema.transactions)):
        state = row.state if row.state in set(State) else None
        if state is None or row.kind not in set(Order) or not _is_object(row.parameters):
            yield Finding("states", row.id, f"is a {row.kind!r} in state {row.state!r}: unknown")
            continue
        final = state in _FINAL
        if final != (row.settled is not None) or final != (row.outcome is not None):
            yield Finding("states", row.id, f"is {state}, with outcome {row.outcome!r}")
        paid = booked[row.id][Reason.TOP_UP.value]
        due = 0 if state == State.REFUSED else row.amount
        if row.kind == Order.TOPUP and paid != due:
            said = f"is {state}, a top-up of {row.amount}, and has booked {paid} minor units"
            yield Finding("states", row.id, said)
        yield from _reasons(row, booked[row.id])
        begun = booked[row.id][Reason.START_CREDIT.value] + booked[row.id][Reason.OPENING.value]
        if row.kind == Order.ACTIVATE and state == State.REFUSED and begun:
            said = f"was refused, and has booked a start of {begun} minor units"
            yield Finding("states", row.id, said)
        if row.created > now + _AHEAD_MS:
            said = f"was planned at {utc(row.created)}, and it is {utc(now)}: set the clock"
            yield Finding("clock", row.id, said)


def _reasons(row: Row[Any], booked: Counter[int]) -> Iterator[Finding]:
    """Judge an order's posts by what it may book, and its own amount by what it has."""
    refused = row.state == State.REFUSED
    allowed = _REASONS.get(row.kind, frozenset())
    if refused and row.kind in _TAKEN_BACK:
        allowed |= _MADE_OF_IT
    for reason in sorted(booked.keys() - allowed):
        said = f"is of kind {row.kind}, and has booked {booked[reason]} as {_reason(reason)}"
        yield Finding("posts", row.id, said)
    if row.kind in _OWN and not refused:
        own, sign = _OWN[row.kind]
        if booked[own] != sign * row.amount:
            said = (
                f"is {row.state}, of kind {row.kind} over {row.amount}, and has booked "
                f"{booked[own]} minor units"
            )
            yield Finding("states", row.id, said)


def _reason(number: int) -> str:
    try:
        return Reason(number).name.lower()
    except ValueError:
        return f"reason {number}"


def _sequences(db: Connection) -> Iterator[Finding]:
    names = _names(db)
    ordered = {row.id: row.sequence for row in db.execute(select(_METERS.id, _METERS.sequence))}
    for row in db.execute(
        select(_TRANSACTIONS.id, _TRANSACTIONS.meter_id, _TRANSACTIONS.parameters)
    ):
        if not _is_object(row.parameters):
            continue  # said above
        sequence = json.loads(row.parameters).get("sequence", 0)
        newest = ordered.get(row.meter_id, 0)
        if isinstance(sequence, int) and sequence > newest:
            said = f"carries sequence {sequence}, and {names[row.meter_id]} is at {newest}"
            yield Finding("sequence", row.id, said)


def _is_object(written: str) -> bool:
    try:
        return isinstance(json.loads(written), dict)
    except (ValueError, RecursionError):
        return False


def _names(db: Connection) -> dict[int, str]:
    found = {row.id: row.name for row in db.execute(select(_METERS.id, _METERS.name))}
    return defaultdict(lambda: "no meter", found)
