"""The keys of our authorities, wrapped, among the facts about the database: rows only.

One a suite that has a curve; what they hold is ``vault.authority``'s. Of two processes that make
one at once the first one's stays.
"""

from msgspec import Struct

from headend.store.connection import Connection
from headend.store.prepared import Prepared

_SETTING = Prepared("counters.SETTING")
_NEW_SETTING = Prepared("counters.NEW_SETTING")


class Kept(Struct, frozen=True):
    """A wrapped key.

    Args:
        wrapped: see ``vault.wrapping``.
        master: fingerprint of the master key that it is wrapped under.
    """

    wrapped: bytes
    master: str


def of_suite(db: Connection, suite: int) -> Kept | None:
    """Return the key of a suite's authority; None where there is none."""
    text = _SETTING.scalar(db, name=_name(suite))
    if text is None:
        return None
    master, _, wrapped = text.partition(" ")
    try:
        return Kept(bytes.fromhex(wrapped), master)
    except ValueError:
        return Kept(b"", master)  # somebody changed it, and so it does not open


def add(db: Connection, suite: int, kept: Kept) -> bool:
    """Write a key down, unless there is one already; say whether it was written."""
    return bool(_NEW_SETTING.run(db, name=_name(suite), value=_text(kept)))


def wrap_anew(db: Connection, suite: int, before: Kept, kept: Kept) -> bool:
    """Put another wrapping in the place of the one before; False where that is gone."""
    from sqlalchemy import update  # only where the master key changes

    from headend.store import schema

    table = schema.settings
    this = (table.c.name == _name(suite)) & (table.c.value == _text(before))
    return bool(db.execute(update(table).where(this).values(value=_text(kept))).rowcount)


def _name(suite: int) -> str:
    return f"authority {int(suite)}"


def _text(kept: Kept) -> str:
    return f"{kept.master} {kept.wrapped.hex()}"
