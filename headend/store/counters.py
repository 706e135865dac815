"""Invocation counters, leased ahead in blocks, and the client's own system title.

A counter under a key must never be used twice (the nonce of GCM is system title and counter).
So there is one row for each key, whichever meters share it and whichever client we are: in a
laboratory all meters may have the same key. The lease is committed before the first counter of
its block is used, so a crash skips counters and repeats none.
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


def lease(db: Connection, key: str, at_least: int = 0) -> range:
    """Lease a block of invocation counters.

    Args:
        db: the connection; commit before using a counter.
        key: fingerprint of the key they are used under.
        at_least: none of them is below it.

    Returns:
        Counters that nobody has been given before.

    Raises:
        CountersExhausted: none are left under this key.
    """
    table = schema.counters
    free = unleased(db, key)
    first = max(free or 0, at_least)
    last = min(first + BLOCK, MAX_COUNTER)
    if first >= last:
        raise CountersExhausted("no invocation counter is left under this key: change the key")
    if free is None:
        db.execute(insert(table).values(key=key, unleased=last))
    else:
        db.execute(update(table).where(table.c.key == key).values(unleased=last))
    return range(first, last)


def unleased(db: Connection, key: str) -> int | None:
    """Return the first counter that nobody has leased; None before the first lease."""
    table = schema.counters
    free: int | None = db.scalar(select(table.c.unleased).where(table.c.key == key))
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
