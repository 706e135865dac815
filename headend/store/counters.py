"""Invocation counters, leased ahead in blocks, and the client's own system title.

A counter under a key must never be used twice (the nonce of GCM is system title and counter).
So there is one row for each key, whichever meters share it and whichever client we are: in a
laboratory all meters may have the same key. The lease is committed before the first counter of
its block is used, so a crash skips counters and repeats none.
"""

from collections.abc import Callable

from headend.store.connection import Connection
from headend.store.prepared import Prepared
from protocol.errors import CountersExhausted
from protocol.security.counters import MAX_COUNTER

#: Counters of one lease: more than most commands use, and 134 million leases a key.
BLOCK = 32
_TITLE = "system_title"
#: The first three octets of a system title name the manufacturer; these are nobody's.
_MANUFACTURER = b"OPP"

_UNLEASED = Prepared("counters.UNLEASED")
_HOLD = Prepared("counters.HOLD")
_SET = Prepared("counters.SET")
_NEW_KEY = Prepared("counters.NEW_KEY")
_LEASE = Prepared("counters.LEASE")
_SETTING = Prepared("counters.SETTING")
_NEW_SETTING = Prepared("counters.NEW_SETTING")


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
    at_once = lease_at_once(db, key, at_least, length)
    if at_once is not None:
        return at_once
    _NEW_KEY.run(db, key=key)
    free = _HOLD.scalar(db, key=key)
    assert free is not None  # it was written a line ago
    first = max(free, at_least)
    last = min(first + length, MAX_COUNTER)
    if first >= last:
        raise CountersExhausted("no invocation counter is left under this key: change the key")
    _SET.run(db, key=key, to=last)
    return range(first, last)


def lease_at_once(db: Connection, key: str, at_least: int, length: int) -> range | None:
    """Do as ``lease``, in one statement; None where so many may not be left, and nothing is done.

    Committed with the statement (``Store.write_one``), it costs one question to the server.
    """
    room = MAX_COUNTER - length
    if at_least > room:
        return None
    first = {"key": key, "at_least": at_least, "length": length}
    last = _LEASE.scalar(db, **first, last=at_least + length, room=room)
    return None if last is None else range(last - length, last)


def unleased(db: Connection, key: str) -> int | None:
    """Return the first counter that nobody has leased; None before the first lease."""
    free: int | None = _UNLEASED.scalar(db, key=key)
    return free


def known_title(db: Connection) -> bytes | None:
    """Return this database's client system title (8 octets); None before it is drawn."""
    stored = _SETTING.scalar(db, name=_TITLE)
    return None if stored is None else bytes.fromhex(stored)


def system_title(db: Connection, entropy: Callable[[int], bytes]) -> bytes:
    """Return this database's client system title (8 octets), drawn when first asked for."""
    known = known_title(db)
    if known is None:
        drawn = _MANUFACTURER + entropy(5)
        _NEW_SETTING.run(db, name=_TITLE, value=drawn.hex())
        known = known_title(db)  # another process may have been quicker
    assert known is not None  # it was written a line ago
    return known
