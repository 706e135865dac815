"""Who says things unasked and has proved to be genuine, with the last invocation counter of each.

A row is one system title under one key: a key that is changed has counters of its own. Only who
has the key can add a row, and of those that are no meter's there are ``STRANGERS`` at most: one
that invents titles is refused in the end, rather than the counter of another be forgotten.
"""

from msgspec import Struct
from sqlalchemy import bindparam, func, select, text, update

from headend.store import schema
from headend.store.connection import Connection
from protocol.timing import Instant

_TABLE = schema.senders
#: Senders that belong to no meter known here.
STRANGERS = 4096


class Known(Struct, frozen=True):
    """A sender.

    Args:
        key: fingerprint of the key that he speaks under.
        meter_id: whose he is, as far as is known.
        counter: the last invocation counter taken from him.
    """

    key: str
    meter_id: int | None
    counter: int


def of_title(db: Connection, title: bytes) -> dict[str, Known]:
    """Return what is known of a system title, by the fingerprint of the key."""
    found = db.execute(_OF_TITLE, {"title": title.hex()})
    return {row.key: Known(row.key, row.meter_id, row.counter) for row in found}


def take(
    db: Connection, title: bytes, key: str, counter: int, meter_id: int | None, now: Instant
) -> bool:
    """Take an invocation counter as used, whoever else listens with this database.

    Args:
        db: the transaction of what came with it.
        title, key: who.
        counter: what he used.
        meter_id: whose he is; None where nobody knows.
        now: when.

    Returns:
        Whether it is greater than every one taken before, and there is room.
    """
    row = {"title": title.hex(), "id": key, "counter": counter, "meter": meter_id, "now": now}
    if db.execute(_TAKE, row).rowcount:
        return True
    if key in of_title(db, title):
        return False
    if meter_id is None and (db.scalar(_COUNT) or 0) >= STRANGERS:
        return False
    return bool(db.execute(_MEET, row).rowcount)


_OF_TITLE = select(_TABLE).where(_TABLE.c.system_title == bindparam("title"))
_TAKE = (
    update(_TABLE)
    .where(
        _TABLE.c.system_title == bindparam("title"),
        _TABLE.c.key == bindparam("id"),
        _TABLE.c.counter < bindparam("counter"),
    )
    .values(
        counter=bindparam("counter"),
        heard=bindparam("now"),
        meter_id=func.coalesce(bindparam("meter"), _TABLE.c.meter_id),
    )
)
_COUNT = select(func.count()).select_from(_TABLE).where(_TABLE.c.meter_id.is_(None))
# Both databases have this clause, SQLAlchemy one for each; of two that come at once the first wins.
_MEET = text(
    "INSERT INTO senders (system_title, key, meter_id, counter, heard) "
    "VALUES (:title, :id, :meter, :counter, :now) ON CONFLICT DO NOTHING"
)
