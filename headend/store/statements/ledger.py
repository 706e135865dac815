"""The statements of ``headend.store.ledger``."""

from sqlalchemy import bindparam, insert, select

from headend.store import schema

_TABLE = schema.posts

BALANCE = select(schema.balances.c.amount).where(
    schema.balances.c.meter_id == bindparam("meter"),
    schema.balances.c.account == bindparam("account"),
)
#: Books one post.
BOOK = insert(_TABLE).values({c.name: bindparam(f"post_{c.name}") for c in _TABLE.columns})
OF_TRANSACTION = (
    select(_TABLE)
    .where(_TABLE.c.transaction_id == bindparam("transaction"))
    .order_by(_TABLE.c.line)
)
OF_METER = (
    select(_TABLE)
    .join(schema.transactions, schema.transactions.c.id == _TABLE.c.transaction_id)
    .where(_TABLE.c.meter_id == bindparam("meter"))
    .order_by(schema.transactions.c.number, _TABLE.c.line)
)
