"""The statements of ``headend.store.transactions``."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, literal_column, select, update

from headend.store import schema
from headend.store.prepared import among
from headend.store.statements import counters, ledger, meters
from headend.store.statements.numbers import NextNumber
from headend.store.transactions import COLUMNS, OPEN, PLANNED, Order, State

TABLE = schema.transactions
ROW = [TABLE.c[name] for name in COLUMNS]
_IS_OPEN = among(TABLE.c.state, OPEN)
_STILL_OPEN = (TABLE.c.id == bindparam("key")) & _IS_OPEN

LIFE = select(schema.meters.c.name, schema.meters.c.life).where(
    schema.meters.c.id == bindparam("key")
)
INSERT = insert(TABLE).values(number=NextNumber(), **{name: bindparam(name) for name in PLANNED})
STEP = (
    update(schema.meters)
    .where(schema.meters.c.id == bindparam("step_key"))
    .values(sequence=bindparam("step"))
)
# PostgreSQL does several things in one statement, and looks at references when all are done.
INSERT_AND_BOOK = ledger.BOOK.add_cte(INSERT.cte("planned"))
INSERT_BOOK_AND_STEP = STEP.add_cte(INSERT.cte("planned"), ledger.BOOK.cte("booked"))
BY_ID = select(*ROW).where(TABLE.c.id == bindparam("key"))
_NEWEST = (
    select(TABLE.c.created)
    .where(TABLE.c.meter_id == bindparam("meter"))
    .order_by(TABLE.c.number.desc())
    .limit(1)
)
BOOKS = select(_NEWEST.scalar_subquery(), ledger.BALANCE.scalar_subquery())
MARK_SENT = (
    update(TABLE)
    .where(_STILL_OPEN)
    .values(state=State.SENT.value, sent=func.coalesce(TABLE.c.sent, bindparam("now")))
)
MARK_UNKNOWN = update(TABLE).where(_STILL_OPEN).values(state=State.UNKNOWN.value)
# Written out: in a RETURNING for SQLite, SQLAlchemy leaves the tables' names away, and what is
# left, "meter_id = meter_id", is true of every meter's balance.
_LEFT = select(schema.balances.c.amount).where(
    literal_column("balances.meter_id") == literal_column("transactions.meter_id"),
    schema.balances.c.account == bindparam("account"),
)
FINISH = (
    update(TABLE)
    .where(_STILL_OPEN)
    .values(state=bindparam("to"), outcome=bindparam("outcome"), settled=bindparam("settled"))
    .returning(*ROW, _LEFT.scalar_subquery())
)
_WAITING = select(func.count()).where(TABLE.c.meter_id == schema.meters.c.id, _IS_OPEN)
MET_AT = meters.LAST_AT.add_columns(counters.UNLEASED.scalar_subquery(), _WAITING.scalar_subquery())


def of_meter(only_open: bool, kinds: Sequence[Order]) -> Select[Any]:
    """Return what asks for a meter's transactions, all of them or some."""
    query = select(*ROW).where(TABLE.c.meter_id == bindparam("meter"))
    if only_open:
        query = query.where(_IS_OPEN)
    if kinds:
        query = query.where(among(TABLE.c.kind, kinds))
    return query.order_by(TABLE.c.number)


OF_METER = of_meter(False, ())
OPEN_OF_METER = of_meter(True, ())
ACTIVATIONS_OF_METER = of_meter(False, (Order.ACTIVATE,))
