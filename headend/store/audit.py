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
from typing import Any, Final

from msgspec import Struct

from headend.store.connection import Connection
from headend.store.prepared import Prepared, Row
from protocol.timing import Instant

#: What the first row has in the place of a digest before it.
GENESIS: Final = "0" * 64
#: What is said of a log that is gone.
GONE: Final = "the audit log is empty, and orders were booked"
#: Under this name the settings have the anchor.
ANCHOR: Final = "audit anchor"
#: The columns of a row, in the order in which they are read.
COLUMNS: Final = (
    "number", "moment", "caller", "action", "subject", "details", "previous", "digest",
)  # fmt: skip # names, and nothing else
_ALONE: Final = Prepared("audit.ALONE")
_INSERT: Final = Prepared("audit.INSERT")
_LAST: Final = Prepared("audit.LAST")
_KEEP: Final = Prepared("audit.KEEP")
_INSERT_AND_KEEP: Final = Prepared("audit.INSERT_AND_KEEP")
_HELD: Final = Prepared("audit.HELD")
_BEHIND: Final = Prepared("audit.BEHIND")
_KEPT: Final = Prepared("audit.KEPT")
_ANY: Final = Prepared("audit.ANY")
_ANY_POST: Final = Prepared("audit.ANY_POST")
#: Rows that are looked at at a time.
_PORTION: Final = 1000


class Entry(Struct, frozen=True):
    """A row, its details as an object."""

    number: int
    moment: Instant
    caller: str
    action: str
    subject: str
    details: Mapping[str, Any]


class Anchor(Struct, frozen=True):
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


class Verdict(Struct, frozen=True):
    """What a check found.

    Args:
        anchor: the end of the chain, as far as it holds.
        row: number of the first row that does not fit; None when all do.
        fault: what is wrong with it.
    """

    anchor: Anchor
    row: int | None = None
    fault: str = ""


class Told(Struct, frozen=True):
    """What a row is to say.

    Args:
        moment: when.
        caller: who.
        action: what, as in "keys.export".
        subject: of what, mostly a meter's name.
        details: more, in the types that JSON has; never a key.
    """

    moment: Instant
    caller: str
    action: str
    subject: str
    details: Mapping[str, Any]

    def columns(self) -> dict[str, Any]:
        """Return the row, but for its number and digests."""
        return {
            "moment": int(self.moment),
            "caller": self.caller,
            "action": self.action,
            "subject": self.subject,
            "details": canonical(self.details),
        }

    def around(self) -> tuple[str, str]:
        """Return what stands before and behind the row's number in the JSON that is sealed."""
        row = self.columns()
        subject = row.pop("subject")  # the only name that comes after "number"
        return f'{canonical(row)[:-1]},"number":', f",{canonical({'subject': subject})[1:]}"


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
        now, caller, action, subject, details: see ``Told``.
    """
    add(db, Told(now, caller, action, subject, details))


def add(db: Connection, told: Told) -> None:
    """Do as ``append``."""
    last = _end(db)
    number = last.number + 1
    row = {"number": number, **told.columns()}
    digest = seal(last.digest, row)
    row |= {"previous": last.digest, "digest": digest}
    anchor = {"name": ANCHOR, "value": str(Anchor(number, digest))}
    if db.dialect.name == "postgresql":
        _INSERT_AND_KEEP.run(db, **row, **anchor)
    else:
        _INSERT.run(db, **row)
        _KEEP.run(db, **anchor)


def _end(db: Connection) -> Anchor:
    """Return the end of the chain, which nobody else appends to before ``db`` ends.

    On PostgreSQL whoever appends holds the anchor's row, and finds it as the one before has left
    it. Its word counts unless a row stands there already in the place of the next one: then
    somebody has written to these tables, which a check tells and which is to stop no order.
    """
    if db.dialect.name != "postgresql":  # SQLite has one writer anyway
        return _last(db)
    held = _HELD.first(db, name=ANCHOR)
    if held is None:  # nobody has ever appended; two that do so first come one after the other
        _ALONE.all(db)
        held = _HELD.first(db, name=ANCHOR)
    anchor = None if held is None else Anchor.parse(held[0])
    return _last(db) if anchor is None or held is None or held[1] > anchor.number else anchor


def _last(db: Connection) -> Anchor:
    row = _LAST.first(db)
    return Anchor(0, GENESIS) if row is None else Anchor(*row)


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
    from sqlalchemy import select  # asked by people, in many ways

    from headend.store.schema import audit as table

    query = select(*(table.c[name] for name in COLUMNS)).order_by(table.c.number.desc())
    if action:
        query = query.where(table.c.action.startswith(action, autoescape=True))
    if subject:
        named = canonical({"meter": subject})[1:-1]  # as ``append`` wrote it
        told = table.c.details.contains(named, autoescape=True)
        query = query.where((table.c.subject == subject) | told)
    if caller:
        query = query.where(table.c.caller == caller)
    if since is not None:
        query = query.where(table.c.moment >= since)
    return [_entry(tuple(row)) for row in reversed(db.execute(query.limit(limit)).all())]


def _entry(row: Row) -> Entry:
    number, moment, caller, action, subject, written, *_ = row  # of COLUMNS
    try:
        details = json.loads(written)
    except ValueError:  # somebody has written there; a check says so
        details = {"unreadable": written}
    return Entry(number, Instant(moment), caller, action, subject, details)


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
        number, digest = row["number"], row["digest"]
        if not fault and digests.pop(number, digest) != digest:
            fault = "it is not the row that it was when the anchor was kept"
        if fault:
            return Verdict(end, end.number + 1, fault)
        end = Anchor(number, digest)
    own = Anchor.parse(_KEPT.scalar(db, name=ANCHOR) or "")
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
    return _ANY.first(db) is None and _ANY_POST.first(db) is not None


def _rows(db: Connection) -> Iterator[dict[str, Any]]:
    """Yield all rows in their order, a portion at a time."""
    after = -1
    while rows := _BEHIND.all(db, after=after, most=_PORTION):
        yield from (dict(zip(COLUMNS, row, strict=True)) for row in rows)
        after = rows[-1][0]


def _fault(row: Mapping[str, Any], before: Anchor) -> str:
    """Say what is wrong with a row behind another; empty when nothing is."""
    if row["number"] != before.number + 1:
        return f"the next row is number {row['number']}"
    if row["previous"] != before.digest:
        return "it does not follow the row before it: one of them was put in its place"
    sealed = {name: row[name] for name in COLUMNS[: COLUMNS.index("previous")]}
    if seal(row["previous"], sealed) != row["digest"]:
        return "it was changed"
    return ""
