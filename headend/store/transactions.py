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
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from headend.life import check_order
from headend.store import schema
from headend.store.dialects import NextNumber
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
    ADOPT = "adopt"  # nothing is ordered: what the meter holds is taken over
    ADJUST = "adjust"
    REFUND = "refund"
    DISCONNECT = "disconnect"
    CONNECT = "connect"


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
    sending: bool = False,
) -> Transaction:
    """Write down an intention; ``meters.hold`` comes before it.

    Args:
        db: one database transaction.
        transaction_id, meter_id, kind, amount, parameters, not_after: of the transaction.
        now: the head-end's time.
        sending: it is sent as soon as this is committed: it is written down as sent, which saves
            a commit. Whoever sends it finds ``sent`` None in what is returned, and whoever comes
            after a crash finds it sent, and asks the meter.

    Raises:
        Refused: the meter's life has no money now.
        sqlalchemy.exc.IntegrityError: the id is there already.
    """
    held = db.execute(_LIFE, {"key": meter_id}).first()
    if held is not None:  # else the database refuses it
        check_order(held.name, held.life, kind)
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
    db.execute(_INSERT, row)
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


def get(db: Connection, transaction_id: str) -> Transaction | None:
    """Return the transaction of an id."""
    row = db.execute(_BY_ID, {"key": transaction_id}).first()
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
    query = _OPEN_OF_METER if only_open else _OF_METER
    if kinds:
        query = query.where(_TABLE.c.kind.in_([kind.value for kind in kinds]))
    return [_transaction(row) for row in db.execute(query, {"meter": meter_id})]


def newest(db: Connection, meter_id: int) -> Instant | None:
    """Return when a meter's newest transaction was planned; None before the first."""
    moment: Instant | None = db.scalar(_NEWEST, {"meter": meter_id})
    return moment


def of_kind_with(db: Connection, kind: Order, name: str, value: str) -> list[Transaction]:
    """Return the transactions of a kind, whichever meter is theirs, that have this parameter."""
    written = json.dumps({name: value})[1:-1]  # as ``plan`` wrote it
    found = (_TABLE.c.kind == kind.value) & _TABLE.c.parameters.contains(written, autoescape=True)
    query = select(_TABLE).where(found).order_by(_TABLE.c.number)
    return [_transaction(row) for row in db.execute(query)]


def mark_sent(db: Connection, transaction_id: str, now: Instant) -> None:
    """Note, before it is sent, that it is; the first time counts."""
    db.execute(_MARK_SENT, {"key": transaction_id, "now": now})


def mark_unknown(db: Connection, transaction_id: str) -> None:
    """Note that the command gave up on an answer."""
    db.execute(_MARK_UNKNOWN, {"key": transaction_id})


def finish(db: Connection, transaction_id: str, state: State, outcome: str, now: Instant) -> None:
    """Note how it ended. What its end changes elsewhere belongs into the same ``db``.

    Raises:
        AlreadyFinal: it had ended before; nothing was changed.
    """
    values = {"to": state.value, "outcome": outcome[:_WORDS], "settled": now}
    if db.execute(_FINISH, {"key": transaction_id, **values}).rowcount != 1:
        raise AlreadyFinal(f"transaction {transaction_id} is final already")


#: Of an outcome so many characters are kept; PostgreSQL would take no more.
_WORDS = 64

# Made once: SQLAlchemy compiles a statement once, and would look each new one up.
_IS_OPEN = _TABLE.c.state.in_([state.value for state in OPEN])
_STILL_OPEN = (_TABLE.c.id == bindparam("key")) & _IS_OPEN
_LIFE = select(schema.meters.c.name, schema.meters.c.life).where(
    schema.meters.c.id == bindparam("key")
)
_INSERT = insert(_TABLE).values(
    number=NextNumber(),
    **{
        name: bindparam(name)
        for name in (
            "id", "meter_id", "kind", "amount", "parameters", "state", "created", "sent",
            "not_after",
        )
    },
)  # fmt: skip # names, and nothing else
_BY_ID = select(_TABLE).where(_TABLE.c.id == bindparam("key"))
_OF_METER = select(_TABLE).where(_TABLE.c.meter_id == bindparam("meter")).order_by(_TABLE.c.number)
_NEWEST = (
    select(_TABLE.c.created)
    .where(_TABLE.c.meter_id == bindparam("meter"))
    .order_by(_TABLE.c.number.desc())
    .limit(1)
)
_OPEN_OF_METER = _OF_METER.where(_IS_OPEN)
_MARK_SENT = (
    update(_TABLE)
    .where(_STILL_OPEN)
    .values(state=State.SENT.value, sent=func.coalesce(_TABLE.c.sent, bindparam("now")))
)
_MARK_UNKNOWN = update(_TABLE).where(_STILL_OPEN).values(state=State.UNKNOWN.value)
_FINISH = (
    update(_TABLE)
    .where(_STILL_OPEN)
    .values(state=bindparam("to"), outcome=bindparam("outcome"), settled=bindparam("settled"))
)
