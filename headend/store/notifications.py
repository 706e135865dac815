"""What meters said unasked: a row each, however often it came, and bounded in number.

What belongs to no meter known here is kept apart, the newest ``STRANGERS`` of it; of each meter
the newest ``OF_A_METER`` are kept, and those that a case came from.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, bindparam, delete, select, text, update

from headend.store import schema
from headend.store.connection import Connection
from protocol.timing import Instant

_TABLE, _METERS = schema.notifications, schema.meters
#: Rows that belong to no meter known here.
STRANGERS = 1_000
#: Rows of one meter.
OF_A_METER = 1_000


class Notification(Struct, frozen=True):
    """Something that was said.

    Args:
        digest: of sender, number, stamp and body: what makes two the same, see
            ``headend.listener.reception``.
        meter_id: whose it is; None where nobody known here said it.
        source: the address it came from.
        system_title: hexadecimal, empty where nothing vouches for it.
        authenticated: whether a key does.
        service: "data-notification", "event-notification" or "information-report".
        body: as ``prepay listen --json`` prints it, without whence and when.
        received: when it first came.
        times: how often it came.
        number: row number; 0 before it has one.
        meter, profile: the meter's name and profile, empty where there is none.
    """

    digest: str
    meter_id: int | None
    source: str
    system_title: str
    authenticated: bool
    service: str
    body: Mapping[str, Any]
    received: Instant
    times: int = 1
    number: int = 0
    meter: str = ""
    profile: str = ""


def add(db: Connection, said: Notification) -> tuple[int, bool]:
    """Write down what was said, unless it is there.

    Returns:
        Its row number, and whether it is new; what is there has come once more.
    """
    row = {
        "digest": said.digest,
        "meter": said.meter_id,
        "source": said.source[:_SOURCE],
        "title": said.system_title,
        "authenticated": said.authenticated,
        "service": said.service,
        "body": json.dumps(dict(said.body), sort_keys=True, allow_nan=False),
        "received": said.received,
    }
    # PostgreSQL draws a number for each INSERT, taken or not: what was heard before is not one.
    new = not known(db, said.digest) and bool(db.execute(_ADD, row).rowcount)
    if not new:
        db.execute(_AGAIN, {"key": said.digest})
    number = db.scalar(_NUMBER, {"digest": said.digest})
    assert number is not None  # it was written, or found
    return number, new


def known(db: Connection, digest: str) -> bool:
    """Say whether something was written down before."""
    return db.scalar(_NUMBER, {"digest": digest}) is not None


def heard_since(db: Connection, digest: str, since: Instant) -> bool:
    """Say whether something was written down, and first came after a moment."""
    first = db.scalar(_RECEIVED, {"digest": digest})
    return first is not None and first > since


def earlier(
    db: Connection, meter_id: int, number: int, *, authenticated: bool
) -> Iterator[Mapping[str, Any]]:
    """Give the bodies of what a meter said before, the newest first, and some at a time.

    Args:
        db: the database.
        meter_id: the meter.
        number: of the notification that it is before.
        authenticated: only what a key vouches for.
    """
    query = _BODIES.where(_TABLE.c.meter_id == meter_id)
    if authenticated:
        query = query.where(_TABLE.c.authenticated)
    pages = chain([_FIRST], repeat(OF_A_METER))
    for page in pages:
        rows = db.execute(query.where(_TABLE.c.number < number).limit(page)).all()
        for row in rows:
            number = row.number
            yield _body(row.body)
        if len(rows) < page:
            return


def trim(db: Connection, meter_id: int | None) -> int:
    """Forget the oldest rows of a meter, or of nobody's, beyond the bound; return how many."""
    mine = _TABLE.c.meter_id == meter_id  # NULL too; IS NOT DISTINCT FROM would use no index
    bound = STRANGERS if meter_id is None else OF_A_METER
    query = select(_TABLE.c.number).where(mine).order_by(_TABLE.c.number.desc())
    last = db.scalar(query.offset(bound).limit(1))
    if last is None:
        return 0
    told = schema.cases.c.notification
    own = schema.cases.c.meter_id == meter_id  # not the cases of all meters, at every push
    cases = select(told).where(own, told.is_not(None))
    old = mine, _TABLE.c.number <= last, _TABLE.c.number.not_in(cases)
    return db.execute(delete(_TABLE).where(*old)).rowcount


def newest(
    db: Connection, limit: int, *, meter_id: int | None = None, strangers: bool = False
) -> list[Notification]:
    """Return the newest notifications, newest first.

    Args:
        db: the database.
        limit: how many at most.
        meter_id: only those of this meter.
        strangers: only those that are of no meter known here.
    """
    query = _WITH_METER
    if meter_id is not None:
        query = query.where(_TABLE.c.meter_id == meter_id)
    if strangers:
        query = query.where(_TABLE.c.meter_id.is_(None))
    return [
        _notification(r) for r in db.execute(query.order_by(_TABLE.c.number.desc()).limit(limit))
    ]


def get(db: Connection, number: int) -> Notification | None:
    """Return the notification of a number; None where there is none, or it is forgotten."""
    row = db.execute(_WITH_METER.where(_TABLE.c.number == number)).one_or_none()
    return None if row is None else _notification(row)


def _notification(row: Row[Any]) -> Notification:
    columns = dict(row._mapping)
    whose = {name: columns[name] or "" for name in ("meter", "profile")}
    return Notification(**columns | whose | {"body": _body(columns["body"])})


def _body(written: str) -> Any:
    return json.loads(written, parse_constant=str)  # NaN, as older rows may have it: a word


_WITH_METER = select(_TABLE, _METERS.c.name.label("meter"), _METERS.c.profile).outerjoin(
    _METERS, _METERS.c.id == _TABLE.c.meter_id
)


#: Characters that the column takes; PostgreSQL would refuse more.
_SOURCE = 128
# Both databases have this clause, SQLAlchemy one for each; of two that come at once the first wins.
_ADD = text(
    "INSERT INTO notifications (digest, meter_id, source, system_title, authenticated, service, "
    "body, received, times) VALUES (:digest, :meter, :source, :title, :authenticated, :service, "
    ":body, :received, 1) ON CONFLICT (digest) DO NOTHING"
)
_AGAIN = update(_TABLE).where(_TABLE.c.digest == bindparam("key")).values(times=_TABLE.c.times + 1)
_RECEIVED = select(_TABLE.c.received).where(_TABLE.c.digest == bindparam("digest"))
_BODIES = select(_TABLE.c.number, _TABLE.c.body).order_by(_TABLE.c.number.desc())
#: Bodies that are looked at first: most meters show in each push what they show in the next.
_FIRST = 4
_NUMBER = select(_TABLE.c.number).where(_TABLE.c.digest == bindparam("digest"))
