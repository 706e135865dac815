"""Invocation counters, leased ahead in blocks, and the client's own system title.

A counter under a key must never be used twice (the nonce of GCM is system title and counter).
The lease is committed before the first counter of its block is used, so a crash skips counters
and repeats none.
"""

from collections.abc import Callable

from sqlalchemy import Connection, insert, select, update

from headend.store import schema
from protocol.errors import CountersExhausted
from protocol.security.counters import MAX_COUNTER

#: Counters of one lease: more than most commands use, and 134 million leases a key.
BLOCK = 32
_TITLE = "system_title"
#: The first three octets of a system title name the manufacturer; these are nobody's.
_MANUFACTURER = b"OPP"


def lease(db: Connection, meter_id: int, key: str, client: int, at_least: int = 0) -> range:
    """Lease a block of invocation counters.

    Args:
        db: the connection; commit before using a counter.
        meter_id: the meter they are used with.
        key: fingerprint of the key they are used under.
        client: the client SAP.
        at_least: none of them is below it.

    Returns:
        Counters that nobody has been given before.

    Raises:
        CountersExhausted: none are left under this key.
    """
    table = schema.counters
    row = (table.c.meter_id == meter_id) & (table.c.key == key) & (table.c.client == client)
    free = unleased(db, meter_id, key, client)
    first = max(free or 0, at_least)
    last = min(first + BLOCK, MAX_COUNTER)
    if first >= last:
        raise CountersExhausted("no invocation counter is left under this key: change the key")
    if free is None:
        db.execute(insert(table).values(meter_id=meter_id, key=key, client=client, unleased=last))
    else:
        db.execute(update(table).where(row).values(unleased=last))
    return range(first, last)


def unleased(db: Connection, meter_id: int, key: str, client: int) -> int | None:
    """Return the first counter that nobody has leased; None before the first lease."""
    table = schema.counters
    row = (table.c.meter_id == meter_id) & (table.c.key == key) & (table.c.client == client)
    free: int | None = db.scalar(select(table.c.unleased).where(row))
    return free


def system_title(db: Connection, entropy: Callable[[int], bytes]) -> bytes:
    """Return this database's client system title (8 octets), drawn when first asked for."""
    table = schema.settings
    stored = db.scalar(select(table.c.value).where(table.c.name == _TITLE))
    if stored is not None:
        return bytes.fromhex(stored)
    title = _MANUFACTURER + entropy(5)
    db.execute(insert(table).values(name=_TITLE, value=title.hex()))
    return title
