"""Invocation counters, leased ahead in blocks, and the client's own system title.

A counter under a key must never be used twice (the nonce of GCM is system title and counter).
So there is one row for each key, whichever meters share it and whichever client we are: in a
laboratory all meters may have the same key. The lease is committed before the first counter of
its block is used, so a crash skips counters and repeats none.
"""

from collections.abc import Callable

from sqlalchemy import Connection, bindparam, select, text, update

from headend.store import schema
from headend.store.prepared import Prepared
from protocol.errors import CountersExhausted
from protocol.security.counters import MAX_COUNTER

#: Counters of one lease: more than most commands use, and 134 million leases a key.
BLOCK = 32
_TITLE = "system_title"
#: The first three octets of a system title name the manufacturer; these are nobody's.
_MANUFACTURER = b"OPP"

_FREE = select(schema.counters.c.unleased).where(schema.counters.c.key == bindparam("key"))
_UNLEASED = Prepared(_FREE)
_SETTING = select(schema.settings.c.value).where(schema.settings.c.name == bindparam("name"))
# Both databases have this clause, SQLAlchemy one for each; of two that come at once the first wins.
_NEW_KEY = text("INSERT INTO counters (key, unleased) VALUES (:key, 0) ON CONFLICT DO NOTHING")
_NEW_SETTING = text(
    "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
)


def lease(db: Connection, key: str, at_least: int = 0, length: int = BLOCK) -> range:
    """Lease a block of invocation counters.

    Args:
        db: the connection; commit before using a counter.
        key: fingerprint of the key they are used under.
        at_least: none of them is below it.
        length: how many, unless fewer are left.

    Returns:
        Counters that nobody has been given before.

    Raises:
        CountersExhausted: none are left under this key.
    """
    table = schema.counters
    db.execute(_NEW_KEY, {"key": key})
    free = db.scalar(_FREE.with_for_update(), {"key": key})  # whoever else leases waits
    assert free is not None  # it was written a line ago
    first = max(free, at_least)
    last = min(first + length, MAX_COUNTER)
    if first >= last:
        raise CountersExhausted("no invocation counter is left under this key: change the key")
    db.execute(update(table).where(table.c.key == key).values(unleased=last))
    return range(first, last)


def unleased(db: Connection, key: str) -> int | None:
    """Return the first counter that nobody has leased; None before the first lease."""
    free: int | None = _UNLEASED.scalar(db, key=key)
    return free


def known_title(db: Connection) -> bytes | None:
    """Return this database's client system title (8 octets); None before it is drawn."""
    stored = db.scalar(_SETTING, {"name": _TITLE})
    return None if stored is None else bytes.fromhex(stored)


def system_title(db: Connection, entropy: Callable[[int], bytes]) -> bytes:
    """Return this database's client system title (8 octets), drawn when first asked for."""
    known = known_title(db)
    if known is None:
        drawn = _MANUFACTURER + entropy(5)
        db.execute(_NEW_SETTING, {"name": _TITLE, "value": drawn.hex()})
        known = known_title(db)  # another process may have been quicker
    assert known is not None  # it was written a line ago
    return known
