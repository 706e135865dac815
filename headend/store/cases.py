"""Cases: what somebody has to look after, one of a kind open at a meter at a time.

| state | meaning |
|---|---|
| open | it is to be looked after; another event that tells of it is counted |
| closed | the meter said that it is over, or somebody did; it stays closed |

Of each meter the newest ``OF_A_METER`` closed ones are kept; open ones stay.

Which events are others, and which are shown once more, ``headend.listener.news`` says.

Whoever opens or closes one holds the meter (``meters.hold``).
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, delete, insert, select, update

from headend.store import schema
from headend.store.connection import Connection
from protocol.timing import Instant

_TABLE, _METERS = schema.cases, schema.meters
#: Closed cases of one meter that are kept; each keeps the notification that it came from.
OF_A_METER = 1_000


class State(StrEnum):
    """Whether it is to be looked after."""

    OPEN = "open"
    CLOSED = "closed"


class Case(Struct, frozen=True):
    """A case.

    Args:
        number: by which people name it.
        meter_id, meter: row number and name of the meter.
        kind: one of ``headend.listener.alarms.KINDS``.
        state: see the module.
        notification: row number of what opened it.
        details: "told": what the meter said; "times": how often; "last": when it was last said;
            "reason": why somebody closed it, where he said so.
        opened, closed: when.
        closed_by: who; a meter closes with what it says.
    """

    number: int
    meter_id: int | None
    kind: str
    state: State
    notification: int | None
    details: Mapping[str, Any]
    opened: Instant
    closed: Instant | None
    closed_by: str | None
    meter: str = ""


def open_or_note(
    db: Connection, meter_id: int, kind: str, notification: int, told: str, now: Instant
) -> bool:
    """Open a case, or count that it was told again; say whether it is new."""
    there = _open(db, meter_id, kind)
    if there is not None:
        times = {"times": there.details.get("times", 1) + 1, "last": int(now), "told": told}
        _set(db, there.number, details=json.dumps({**there.details, **times}, sort_keys=True))
        return False
    details = {"told": told, "times": 1, "last": int(now)}
    db.execute(
        insert(_TABLE).values(
            meter_id=meter_id,
            kind=kind,
            state=State.OPEN.value,
            notification=notification,
            details=json.dumps(details, sort_keys=True),
            opened=now,
        )
    )
    return True


def close_kind(db: Connection, meter_id: int, kind: str, by: str, now: Instant) -> bool:
    """Close the case of a kind at a meter; say whether one was open."""
    there = _open(db, meter_id, kind)
    return there is not None and close(db, there.number, by, now)


def close(db: Connection, number: int, by: str, now: Instant, reason: str = "") -> bool:
    """Close a case, for a reason that is kept with it; say whether it was open."""
    if reason:
        there = get(db, number)
        if there is None or there.state is not State.OPEN:
            return False
        _set(db, number, details=json.dumps({**there.details, "reason": reason}, sort_keys=True))
    mine = _TABLE.c.number == number, _TABLE.c.state == State.OPEN.value
    values = {"state": State.CLOSED.value, "closed": now, "closed_by": by[:_BY]}
    return bool(db.execute(update(_TABLE).where(*mine).values(**values)).rowcount)


def trim(db: Connection, meter_id: int) -> None:
    """Forget the oldest closed cases of a meter beyond the bound."""
    mine = _TABLE.c.meter_id == meter_id, _TABLE.c.state == State.CLOSED.value
    newest = select(_TABLE.c.number).where(*mine).order_by(_TABLE.c.number.desc())
    last = db.scalar(newest.offset(OF_A_METER).limit(1))
    if last is not None:
        db.execute(delete(_TABLE).where(*mine, _TABLE.c.number <= last))


def get(db: Connection, number: int) -> Case | None:
    """Return a case."""
    row = db.execute(_QUERY.where(_TABLE.c.number == number)).first()
    return None if row is None else _case(row)


def newest(
    db: Connection,
    limit: int,
    *,
    meter_id: int | None = None,
    kind: str | None = None,
    closed: bool = False,
) -> list[Case]:
    """Return cases, newest first.

    Args:
        db: the database.
        limit: how many at most.
        meter_id: only those of this meter.
        kind: only those of this kind.
        closed: those that are closed as well.
    """
    query = _QUERY
    if meter_id is not None:
        query = query.where(_TABLE.c.meter_id == meter_id)
    if kind is not None:
        query = query.where(_TABLE.c.kind == kind)
    if not closed:
        query = query.where(_TABLE.c.state == State.OPEN.value)
    return [_case(row) for row in db.execute(query.order_by(_TABLE.c.number.desc()).limit(limit))]


def _open(db: Connection, meter_id: int, kind: str) -> Case | None:
    mine = _TABLE.c.meter_id == meter_id, _TABLE.c.kind == kind
    row = db.execute(_QUERY.where(*mine, _TABLE.c.state == State.OPEN.value)).first()
    return None if row is None else _case(row)


def _set(db: Connection, number: int, **values: object) -> None:
    db.execute(update(_TABLE).where(_TABLE.c.number == number).values(**values))


def _case(row: Row[Any]) -> Case:
    columns = dict(row._mapping)
    read = {
        "state": State(columns["state"]),
        "details": json.loads(columns["details"]),
        "meter": columns["meter"] or "",
    }
    return Case(**columns | read)


#: Characters that the column takes; PostgreSQL would refuse more.
_BY = 64
_QUERY = select(_TABLE, _METERS.c.name.label("meter")).outerjoin(
    _METERS, _METERS.c.id == _TABLE.c.meter_id
)
