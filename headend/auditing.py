"""What the audit log has of orders to meters: who ordered what, and what became of it.

A row is written in the database transaction of what it tells of. An order of a durable command has
none of its own: the rows of the command tell of it (``command queued``, ``command done``).

| row | written with |
|---|---|
| order planned | the intention and what it books, before anything is sent |
| order unknown | the note that nobody has said what became of it |
| order done, settled, refused | its outcome; by whoever was told it |
"""

from typing import Any, Final

from headend.line import Line
from headend.store import audit
from headend.store.connection import Connection
from headend.store.transactions import Transaction


def is_told(line: Line, order: Transaction, *, late: bool) -> bool:
    """Say whether an order's end has a row of its own.

    Args:
        line: the meter, in the run that was told the end.
        order: of the meter.
        late: it may have been sent in another run.
    """
    queued_as = line.context.queued_as
    return queued_as is None or (late and order.id != queued_as)


def note(db: Connection, line: Line, order: Transaction, event: str) -> None:
    """Write into the audit log what was done to an order.

    Args:
        db: one database transaction.
        line: the meter.
        order: of the meter.
        event: what; a row of the table above, without "order".
    """
    details: dict[str, Any] = {"order": order.kind.value, "transaction": order.id}
    if order.amount:
        details["amount"] = line.money(order.amount)
    details |= {name: order.parameters[name] for name in _TOLD if name in order.parameters}
    if order.outcome is not None:
        details["outcome"] = order.outcome
    audit.append(db, line.now, line.context.caller, f"order {event}", line.meter.name, details)


#: Of what is kept with an order: why it was given.
_TOLD: Final = ("reason",)
