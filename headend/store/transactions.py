"""Transactions: what the head-end ordered of a meter, written down before it is sent.

| state | what is known |
|---|---|
| planned | the intention is booked; nothing has been sent yet |
| sent | it went out, or was about to, and nobody has said what became of it |
| unknown | as sent, and the command that sent it has given up: ``prepay settle`` asks |
| done | the meter confirmed it in the answer |
| settled | the meter confirmed it when asked later |
| refused | the meter refused it, or it can no longer be executed; what was booked is reversed |

The first three are open, the last three final. A final state never changes.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Final, cast

from msgspec import Struct

from headend.registry.life import check_order
from headend.store import ledger, meters
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.store.prepared import Prepared, Row
from obis.values import field_names
from prepay.ledger import Account, Post
from protocol.timing import Instant

#: What is sent, in the types that JSON has; octets as hexadecimal.
Parameters = Mapping[str, int | str]


class State(StrEnum):
    """How far a transaction has come."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    SETTLED = "settled"
    REFUSED = "refused"


OPEN = (State.PLANNED, State.SENT, State.UNKNOWN)


class Order(StrEnum):
    """What a transaction is for; each is one order to the meter."""

    TOPUP = "topup"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    MORNING = "morning"
    ARM = "arm"
    CUSTOMER = "customer"
    WITHDRAW = "withdraw"
    MODE = "mode"
    CANCEL = "cancel"
    ADOPT = "adopt"  # nothing is ordered: what the meter holds is taken over
    ADJUST = "adjust"
    REFUND = "refund"
    DISCONNECT = "disconnect"
    CONNECT = "connect"


class Transaction(Struct, frozen=True):
    """One order to one meter.

    Args:
        id: 32 hexadecimal digits, lower case.
        meter_id: the meter's row number.
        kind: what it is for.
        amount: minor units that it moves; 0 where it moves none.
        parameters: what is sent, so that exactly the same can be sent again.
        state: how far it has come.
        outcome: the meter's own word for it, once there is one.
        created, sent, settled: when it was planned, first sent, and became final.
        not_after: it is not sent (again) after this moment.
    """

    id: str
    meter_id: int
    kind: Order
    amount: int
    parameters: Parameters
    state: State
    outcome: str | None
    created: Instant
    sent: Instant | None
    settled: Instant | None
    not_after: Instant

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to be found out."""
        return self.state in OPEN

    @property
    def succeeded(self) -> bool:
        """Whether the meter has confirmed it."""
        return self.state in (State.DONE, State.SETTLED)


class AlreadyFinal(Exception):
    """Somebody else has finished this transaction; their result stands."""


def _transaction(row: Row) -> Transaction:
    identity, meter_id, kind, amount, parameters, state, *rest = row  # of COLUMNS
    return Transaction(
        identity, meter_id, Order(kind), amount, json.loads(parameters), State(state), *rest
    )


def plan(
    db: Connection,
    transaction_id: str,
    meter_id: int,
    kind: Order,
    amount: int,
    parameters: Parameters,
    *,
    now: Instant,
    not_after: Instant,
    sending: bool = False,
    held: Meter | None = None,
    posts: Sequence[Post] = (),
    sequence: int | None = None,
) -> Transaction:
    """Write down an intention, with what it books; ``meters.hold`` comes before it.

    Args:
        db: one database transaction.
        transaction_id, meter_id, kind, amount, parameters, not_after: of the transaction.
        now: the head-end's time.
        sending: it is sent as soon as this is committed: it is written down as sent, which saves
            a commit. Whoever sends it finds ``sent`` None in what is returned, and whoever comes
            after a crash finds it sent, and asks the meter.
        held: what ``meters.hold`` has said in this ``db``; None: it is read again.
        posts: what it books.
        sequence: of the snapshot that it carries, noted with the meter; None: it carries none.

    Raises:
        Refused: the meter's life has no money now.
        sqlalchemy.exc.IntegrityError: the id is there already.
    """
    life = _LIFE.first(db, key=meter_id) if held is None else (held.name, held.life)
    if life is not None:  # else the database refuses it
        check_order(life[0], life[1], kind)
    state = State.SENT if sending else State.PLANNED
    written = json.dumps(dict(parameters), sort_keys=True)
    row = {
        "id": transaction_id,
        "meter_id": meter_id,
        "kind": kind.value,
        "amount": amount,
        "parameters": written,
        "state": state.value,
        "created": now,
        "sent": now if sending else None,
        "not_after": not_after,
    }
    _write(db, row, posts, sequence)
    return Transaction(
        id=transaction_id,
        meter_id=meter_id,
        kind=kind,
        amount=amount,
        parameters=json.loads(written),
        state=state,
        outcome=None,
        created=now,
        sent=None,
        settled=None,
        not_after=not_after,
    )


def _write(
    db: Connection, row: Mapping[str, object], posts: Sequence[Post], sequence: int | None
) -> None:
    meter_id = cast("int", row["meter_id"])
    if db.dialect.name == "postgresql" and len(posts) == 1:  # asking it costs more than SQLite
        booked = ledger.parameters(meter_id, posts[0])
        if sequence is None:
            _INSERT_AND_BOOK.run(db, **row, **booked)
        else:
            _INSERT_BOOK_AND_STEP.run(db, **row, **booked, step=sequence, step_key=meter_id)
        return
    _INSERT.run(db, **row)
    ledger.book(db, meter_id, posts)
    if sequence is not None:
        _STEP.run(db, step=sequence, step_key=meter_id)


def get(db: Connection, transaction_id: str) -> Transaction | None:
    """Return the transaction of an id."""
    row = _BY_ID.first(db, key=transaction_id)
    return None if row is None else _transaction(row)


def of_meter(
    db: Connection, meter_id: int, *, only_open: bool = False, kinds: Sequence[Order] = ()
) -> list[Transaction]:
    """Return a meter's transactions in the order in which they were planned.

    Args:
        db: the database.
        meter_id: the meter's row number.
        only_open: only those whose outcome is still to be found out.
        kinds: only of these; of all where there are none.
    """
    rows = _of_meter(only_open, tuple(kinds)).all(db, meter=meter_id)
    return [_transaction(row) for row in rows]


def met_at(db: Connection, port: str, key: str) -> tuple[Meter, int | None, int] | None:
    """Return the meter last met at a port, and what its turn begins with; None: none was.

    Args:
        db: the database, asked once.
        port: port spec.
        key: fingerprint of the key that it is spoken to under.

    Returns:
        The meter, the first counter under that key that nobody has leased (None before the first
        lease), and how many of the meter's transactions are open.
    """
    row = _MET_AT.first(db, port=port, key=key)
    if row is None:
        return None
    *meter, unleased, waiting = row
    return meters.of_row(tuple(meter)), unleased, waiting


def books(db: Connection, meter_id: int) -> tuple[Instant | None, int]:
    """Return when a meter's newest transaction was planned (None: none was), and its balance.

    The balance is that of the customer's credit in our books, in minor units.
    """
    newest, balance = _BOOKS.one(db, meter=meter_id, account=Account.CREDIT.value)
    return newest, balance or 0


def of_kind_with(db: Connection, kind: Order, name: str, value: str) -> list[Transaction]:
    """Return the transactions of a kind, whichever meter is theirs, that have this parameter."""
    from sqlalchemy import select  # asked by an exchange, once

    from headend.store.statements.transactions import ROW, TABLE

    written = json.dumps({name: value})[1:-1]  # as ``plan`` wrote it
    found = (TABLE.c.kind == kind.value) & TABLE.c.parameters.contains(written, autoescape=True)
    query = select(*ROW).where(found).order_by(TABLE.c.number)
    return [_transaction(tuple(row)) for row in db.execute(query)]


def mark_sent(db: Connection, transaction_id: str, now: Instant) -> None:
    """Note, before it is sent, that it is; the first time counts."""
    _MARK_SENT.run(db, key=transaction_id, now=now)


def mark_unknown(db: Connection, transaction_id: str) -> None:
    """Note that the command gave up on an answer."""
    _MARK_UNKNOWN.run(db, key=transaction_id)


def finish(
    db: Connection, transaction_id: str, state: State, outcome: str, now: Instant
) -> Transaction:
    """Note how it ended, and return it. What its end changes elsewhere is to be in the same ``db``.

    Raises:
        AlreadyFinal: it had ended before; nothing was changed.
    """
    return finish_telling(db, transaction_id, state, outcome, now)[0]


def finish_telling(
    db: Connection, transaction_id: str, state: State, outcome: str, now: Instant
) -> tuple[Transaction, int]:
    """Do as ``finish``, in one statement, and return the balance of the meter in our books as well.

    Raises:
        AlreadyFinal: as ``finish``.
    """
    values = {"to": state.value, "outcome": outcome[:_WORDS], "settled": now}
    ended = _FINISH.first(db, key=transaction_id, account=Account.CREDIT.value, **values)
    if ended is None:
        raise AlreadyFinal(f"transaction {transaction_id} is final already")
    return _transaction(ended[:-1]), ended[-1] or 0


#: Of an outcome so many characters are kept; PostgreSQL would take no more.
_WORDS = 64

#: What is read of a row, in the order of its fields.
COLUMNS: Final = field_names(Transaction)
#: What is written of one that is planned.
PLANNED: Final = (
    "id", "meter_id", "kind", "amount", "parameters", "state", "created", "sent", "not_after",
)  # fmt: skip # names, and nothing else


@cache
def _of_meter(only_open: bool, kinds: tuple[Order, ...]) -> Prepared:
    known = _ASKED_OFTEN.get((only_open, kinds))
    if known is not None:
        return known
    from headend.store.statements.transactions import of_meter

    return Prepared(of_meter(only_open, kinds))


_LIFE = Prepared("transactions.LIFE")
_INSERT = Prepared("transactions.INSERT")
_STEP = Prepared("transactions.STEP")
_INSERT_AND_BOOK = Prepared("transactions.INSERT_AND_BOOK")
_INSERT_BOOK_AND_STEP = Prepared("transactions.INSERT_BOOK_AND_STEP")
_BY_ID = Prepared("transactions.BY_ID")
_BOOKS = Prepared("transactions.BOOKS")
_MARK_SENT = Prepared("transactions.MARK_SENT")
_MARK_UNKNOWN = Prepared("transactions.MARK_UNKNOWN")
_FINISH = Prepared("transactions.FINISH")
_MET_AT = Prepared("transactions.MET_AT")
_OF_METER = Prepared("transactions.OF_METER")
_OPEN_OF_METER = Prepared("transactions.OPEN_OF_METER")
_ACTIVATIONS_OF_METER = Prepared("transactions.ACTIVATIONS_OF_METER")
#: What top-ups and status ask; the rest is compiled where it is asked.
_ASKED_OFTEN: Final[Mapping[tuple[bool, tuple[Order, ...]], Prepared]] = {
    (False, ()): _OF_METER,
    (True, ()): _OPEN_OF_METER,
    (False, (Order.ACTIVATE,)): _ACTIVATIONS_OF_METER,
}
