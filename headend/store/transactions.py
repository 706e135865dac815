"""Transactions: what the head-end ordered of a meter, written down before it is sent.

| state | what is known |
|---|---|
| planned | the intention is booked; nothing has been sent yet |
| sent | it went out (or was about to) and nobody has said what became of it |
| unknown | as sent, and the command that sent it has given up: ``prepay settle`` asks |
| done | the meter confirmed it in the answer |
| settled | the meter confirmed it when asked later |
| refused | the meter refused it, or it can no longer be executed; what was booked is reversed |

The first three are open, the last three final. A final state never changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, func, insert, select, update

from headend.store import schema
from protocol.timing import Instant

_TABLE = schema.transactions

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


@dataclass(frozen=True, slots=True)
class Transaction:
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


def _transaction(row: Row[tuple[object, ...]]) -> Transaction:
    columns = row._mapping
    values = {name: columns[name] for name in Transaction.__dataclass_fields__}
    values["kind"] = Order(values["kind"])
    values["state"] = State(values["state"])
    values["parameters"] = json.loads(values["parameters"])
    return Transaction(**values)


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
) -> Transaction:
    """Write down an intention.

    Raises:
        sqlalchemy.exc.IntegrityError: the id is there already.
    """
    last = db.scalar(select(func.max(_TABLE.c.number)))
    db.execute(
        insert(_TABLE).values(
            id=transaction_id,
            number=(last or 0) + 1,
            meter_id=meter_id,
            kind=kind.value,
            amount=amount,
            parameters=json.dumps(dict(parameters), sort_keys=True),
            state=State.PLANNED.value,
            created=now,
            not_after=not_after,
        )
    )
    planned = get(db, transaction_id)
    assert planned is not None  # it was written a line ago
    return planned


def get(db: Connection, transaction_id: str) -> Transaction | None:
    """Return the transaction of an id."""
    row = db.execute(select(_TABLE).where(_TABLE.c.id == transaction_id)).first()
    return None if row is None else _transaction(row)


def of_meter(db: Connection, meter_id: int, *, only_open: bool = False) -> list[Transaction]:
    """Return a meter's transactions in the order in which they were planned."""
    query = select(_TABLE).where(_TABLE.c.meter_id == meter_id).order_by(_TABLE.c.number)
    if only_open:
        query = query.where(_TABLE.c.state.in_([state.value for state in OPEN]))
    return [_transaction(row) for row in db.execute(query)]


def of_kind_with(db: Connection, kind: Order, name: str, value: str) -> list[Transaction]:
    """Return the transactions of a kind, whichever meter is theirs, that have this parameter."""
    written = json.dumps({name: value})[1:-1]  # as ``plan`` wrote it
    found = (_TABLE.c.kind == kind.value) & _TABLE.c.parameters.contains(written, autoescape=True)
    query = select(_TABLE).where(found).order_by(_TABLE.c.number)
    return [_transaction(row) for row in db.execute(query)]


def mark_sent(db: Connection, transaction_id: str, now: Instant) -> None:
    """Note, before it is sent, that it is; the first time counts."""
    row = (_TABLE.c.id == transaction_id) & _TABLE.c.state.in_([s.value for s in OPEN])
    sent = func.coalesce(_TABLE.c.sent, now)
    db.execute(update(_TABLE).where(row).values(state=State.SENT.value, sent=sent))


def mark_unknown(db: Connection, transaction_id: str) -> None:
    """Note that the command gave up on an answer."""
    row = (_TABLE.c.id == transaction_id) & _TABLE.c.state.in_([s.value for s in OPEN])
    db.execute(update(_TABLE).where(row).values(state=State.UNKNOWN.value))


def finish(db: Connection, transaction_id: str, state: State, outcome: str, now: Instant) -> None:
    """Note how it ended. What its end changes elsewhere belongs into the same ``db``.

    Raises:
        AlreadyFinal: it had ended before; nothing was changed.
    """
    row = (_TABLE.c.id == transaction_id) & _TABLE.c.state.in_([s.value for s in OPEN])
    values = {"state": state.value, "outcome": outcome, "settled": now}
    if db.execute(update(_TABLE).where(row).values(**values)).rowcount != 1:
        raise AlreadyFinal(f"transaction {transaction_id} is final already")
