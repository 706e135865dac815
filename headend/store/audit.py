"""The audit log: who did what, each row sealed by a digest that covers the row before it.

The digest is SHA-256 over the previous digest and the row as canonical JSON: a row that is changed,
taken out or put in between breaks the chain at its place. A row is written in the transaction of
what it tells of, so that neither is there without the other.

Rows taken from the end break no chain, so number and digest of the last row also stand in the
settings, as an *anchor*. Who can write to every table can make all of it anew, chain and anchor:
only an anchor that was kept elsewhere, on paper or on another machine, shows that.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, text

from headend.store import schema
from headend.store.prepared import Prepared
from protocol.timing import Instant

_TABLE = schema.audit
#: What the first row has in the place of a digest before it.
GENESIS: Final = "0" * 64
#: What is said of a log that is gone.
GONE: Final = "the audit log is empty, and orders were booked"
#: Who appends takes this lock until his transaction ends: a chain has one end.
_APPENDING: Final = 0x0FFA0D
#: Under this name the settings have the anchor.
_ANCHOR: Final = "audit anchor"
_KEEP_ANCHOR: Final = Prepared(
    text(
        "INSERT INTO settings (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
)
_ALONE: Final = Prepared(text(f"SELECT pg_advisory_xact_lock({_APPENDING})"))
_COLUMNS = ("number", "moment", "caller", "action", "subject", "details", "previous", "digest")
_INSERT = Prepared(insert(_TABLE).values({name: bindparam(name) for name in _COLUMNS}))
_LAST = Prepared(select(_TABLE.c.number, _TABLE.c.digest).order_by(_TABLE.c.number.desc()).limit(1))
#: Rows that are looked at at a time.
_PORTION: Final = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, its details as an object."""

    number: int
    moment: Instant
    caller: str
    action: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the chain at some time.

    Args:
        number: of the last row; 0 for none.
        digest: of it.
    """

    number: int
    digest: str

    @classmethod
    def parse(cls, written: str) -> "Anchor | None":
        """Return the anchor that ``str`` has written; None when it is none."""
        number, colon, digest = written.partition(":")
        good = number.isascii() and number.isdigit() and len(number) <= 18 and len(digest) == 64
        return cls(int(number), digest.lower()) if colon and good else None

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    Args:
        anchor: the end of the chain, as far as it holds.
        row: number of the first row that does not fit; None when all do.
        fault: what is wrong with it.
    """

    anchor: Anchor
    row: int | None = None
    fault: str = ""


def append(
    db: Connection,
    now: Instant,
    caller: str,
    action: str,
    subject: str,
    details: Mapping[str, Any],
) -> None:
    """Write down that something was done; best as the last statement of its transaction.

    Args:
        db: the connection, in the transaction of what was done.
        now: when.
        caller: who.
        action: what, as in "keys.export".
        subject: of what, mostly a meter's name.
        details: more, in the types that JSON has; never a key.
    """
    if db.dialect.name == "postgresql":  # SQLite has one writer anyway
        _ALONE.all(db)
    last = _LAST.first(db)
    number, previous = (1, GENESIS) if last is None else (last[0] + 1, last[1])
    row = {
        "number": number,
        "moment": int(now),
        "caller": caller,
        "action": action,
        "subject": subject,
        "details": canonical(details),
    }
    digest = seal(previous, row)
    _INSERT.run(db, **row, previous=previous, digest=digest)
    _KEEP_ANCHOR.run(db, name=_ANCHOR, value=str(Anchor(number, digest)))


def seal(previous: str, row: Mapping[str, Any]) -> str:
    """Return the digest of a row.

    Args:
        previous: the digest of the row before it.
        row: number, moment, caller, action, subject and details (as it is stored).

    Returns:
        Hexadecimal SHA-256.
    """
    return hashlib.sha256(f"{previous}\n{canonical(row)}".encode()).hexdigest()


def canonical(value: Mapping[str, Any]) -> str:
    """Return an object as JSON in the one form that its digest is over."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


# --- reading ------------------------------------------------------------------------------------


def newest(
    db: Connection,
    limit: int,
    *,
    action: str = "",
    subject: str = "",
    caller: str = "",
    since: Instant | None = None,
) -> list[Entry]:
    """Return the newest rows, the oldest of them first.

    Args:
        db: the connection.
        limit: how many at most.
        action: they begin with this, as "keys." or "command done".
        subject: they are of it, or their details name it as their meter; empty for all.
        caller: they are by him; empty for everybody.
        since: they are not older.
    """
    query = select(_TABLE).order_by(_TABLE.c.number.desc()).limit(limit)
    if action:
        query = query.where(_TABLE.c.action.startswith(action, autoescape=True))
    if subject:
        named = canonical({"meter": subject})[1:-1]  # as ``append`` wrote it
        told = _TABLE.c.details.contains(named, autoescape=True)
        query = query.where((_TABLE.c.subject == subject) | told)
    if caller:
        query = query.where(_TABLE.c.caller == caller)
    if since is not None:
        query = query.where(_TABLE.c.moment >= since)
    return [_entry(row) for row in reversed(db.execute(query).all())]


def _entry(row: Row[Any]) -> Entry:
    try:
        details = json.loads(row.details)
    except ValueError:  # somebody has written there; a check says so
        details = {"unreadable": row.details}
    moment = Instant(row.moment)
    return Entry(row.number, moment, row.caller, row.action, row.subject, details)


def check(db: Connection, kept: Sequence[Anchor] = ()) -> Verdict:
    """Go through the whole chain, up to the first row that does not fit.

    Args:
        db: the connection; all it reads has to be of one moment.
        kept: anchors that were kept elsewhere.
    """
    digests = {anchor.number: anchor.digest for anchor in kept}
    end = Anchor(0, GENESIS)
    for row in _rows(db):
        fault = _fault(row, end)
        if not fault and digests.pop(row.number, row.digest) != row.digest:
            fault = "it is not the row that it was when the anchor was kept"
        if fault:
            return Verdict(end, end.number + 1, fault)
        end = Anchor(row.number, row.digest)
    written = db.scalar(select(schema.settings.c.value).where(schema.settings.c.name == _ANCHOR))
    own = Anchor.parse(written or "")
    if is_gone(db):
        return Verdict(end, 1, GONE)
    if own is None and end.number:
        return Verdict(end, end.number, "the database's own anchor is missing")
    last = max([*digests, own.number if own is not None else 0])
    if last > end.number:
        return Verdict(end, end.number + 1, f"rows {end.number + 1} to {last} are missing")
    if own is not None and own != end:
        return Verdict(end, own.number, "it is not what the database's own anchor says")
    return Verdict(end)


def is_gone(db: Connection) -> bool:
    """Say whether nothing is written there although something was booked: each order is told."""
    if db.scalar(select(_TABLE.c.number).limit(1)) is not None:
        return False
    return db.scalar(select(schema.posts.c.line).limit(1)) is not None


def _rows(db: Connection) -> Iterator[Row[Any]]:
    """Yield all rows in their order, a portion at a time."""
    after = -1
    while rows := db.execute(
        select(_TABLE).where(_TABLE.c.number > after).order_by(_TABLE.c.number).limit(_PORTION)
    ).all():
        yield from rows
        after = rows[-1].number


def _fault(row: Row[Any], before: Anchor) -> str:
    """Say what is wrong with a row behind another; empty when nothing is."""
    if row.number != before.number + 1:
        return f"the next row is number {row.number}"
    if row.previous != before.digest:
        return "it does not follow the row before it: one of them was put in its place"
    names = ("number", "moment", "caller", "action", "subject", "details")
    if seal(row.previous, {name: row._mapping[name] for name in names}) != row.digest:
        return "it was changed"
    return ""
