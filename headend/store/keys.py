"""Keys of meters, each wrapped under the master key: rows only; what they hold is ``vault``'s.

| state | what is known |
|---|---|
| pending | drawn and written down; the meter may have it, or not |
| current | the meter has it |
| retired | the meter had it |
| refused | the meter did not take it |

A key that may be at a meter is never forgotten: rows are added and change state, none is removed.
At most one key of a meter is pending, so a meter answers under one of two sets of keys. Whoever
changes them holds the meter (``meters.hold``).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, func, insert, select, update

from headend.store import schema
from headend.store.prepared import Prepared
from protocol.timing import Instant

_TABLE = schema.meter_keys
_METERS = schema.meters


class State(StrEnum):
    """What is known of a key."""

    PENDING = "pending"
    CURRENT = "current"
    RETIRED = "retired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped key of one meter.

    Args:
        meter_id, meter: row number and name of the meter.
        kind: which key it is, as ``vault.kinds.Kind`` names it.
        version: 1 and up, each once for a meter and kind.
        state: what is known of it.
        wrapped: see ``vault.wrapping``.
        master: fingerprint of the master key that it is wrapped under.
        created: when it was written down.
        transaction_id: of the rotation that drew it; None: it was imported.
    """

    meter_id: int
    meter: str
    kind: str
    version: int
    state: State
    wrapped: bytes
    master: str
    created: Instant
    transaction_id: str | None = None


def has_any(db: Connection, meter_id: int) -> bool:
    """Return whether there is a key of a meter."""
    return _ANY.first(db, meter=meter_id) is not None


def of_meter(db: Connection, meter_id: int, *states: State) -> list[Wrapped]:
    """Return a meter's keys in these states, in all if none is named, by kind and version."""
    query = _joined().where(_TABLE.c.meter_id == meter_id)
    if states:
        query = query.where(_TABLE.c.state.in_(states))
    return [_wrapped(row) for row in db.execute(query.order_by(_TABLE.c.kind, _TABLE.c.version))]


def not_under(db: Connection, master: str, limit: int) -> list[Wrapped]:
    """Return keys that are wrapped under another master key, at most ``limit`` of them."""
    query = _joined().where(_TABLE.c.master != master)
    order = (_TABLE.c.meter_id, _TABLE.c.kind, _TABLE.c.version)
    return [_wrapped(row) for row in db.execute(query.order_by(*order).limit(limit))]


def by_master(db: Connection) -> dict[str, int]:
    """Return how many keys are wrapped under each master key, by its fingerprint."""
    query = select(_TABLE.c.master, func.count()).group_by(_TABLE.c.master)
    return {row[0]: row[1] for row in db.execute(query.order_by(_TABLE.c.master))}


def after(db: Connection, place: tuple[int, str, int], limit: int) -> list[Wrapped]:
    """Return the keys behind a place (meter's row number, kind, version), in that order."""
    meter_id, kind, version = place
    there = _TABLE.c.meter_id, _TABLE.c.kind, _TABLE.c.version
    behind = (there[0] > meter_id) | (
        (there[0] == meter_id) & ((there[1] > kind) | ((there[1] == kind) & (there[2] > version)))
    )
    query = _joined().where(behind).order_by(*there).limit(limit)
    return [_wrapped(row) for row in db.execute(query)]


def next_version(db: Connection, meter_id: int, kind: str) -> int:
    """Return the version of a further key; the caller holds the meter."""
    query = select(func.max(_TABLE.c.version)).where(
        _TABLE.c.meter_id == meter_id, _TABLE.c.kind == kind
    )
    return (db.scalar(query) or 0) + 1


def add(db: Connection, key: Wrapped) -> None:
    """Write a key down."""
    db.execute(
        insert(_TABLE).values(
            meter_id=key.meter_id,
            kind=key.kind,
            version=key.version,
            state=key.state.value,
            wrapped=key.wrapped.hex(),
            master=key.master,
            created=key.created,
            transaction_id=key.transaction_id,
        )
    )


def set_state(db: Connection, key: Wrapped, state: State) -> None:
    """Note what has become of a key."""
    db.execute(_of(key).values(state=state.value))


def wrap_anew(db: Connection, key: Wrapped, wrapped: bytes, master: str) -> bool:
    """Put another wrapping in the place of the one that ``key`` has; False where it is gone."""
    query = _of(key).where(_TABLE.c.wrapped == key.wrapped.hex())
    done = db.execute(query.values(wrapped=wrapped.hex(), master=master))
    return bool(done.rowcount)


def _joined() -> Select[Any]:
    return select(_TABLE, _METERS.c.name.label("meter")).join(
        _METERS, _METERS.c.id == _TABLE.c.meter_id
    )


def _of(key: Wrapped) -> Update:
    return update(_TABLE).where(
        _TABLE.c.meter_id == key.meter_id,
        _TABLE.c.kind == key.kind,
        _TABLE.c.version == key.version,
    )


def _wrapped(row: Row[Any]) -> Wrapped:
    columns = row._mapping
    return Wrapped(
        meter_id=columns["meter_id"],
        meter=columns["meter"],
        kind=columns["kind"],
        version=columns["version"],
        state=State(columns["state"]),
        wrapped=bytes.fromhex(columns["wrapped"]),
        master=columns["master"],
        created=columns["created"],
        transaction_id=columns["transaction_id"],
    )


_ANY = Prepared(select(_TABLE.c.version).where(_TABLE.c.meter_id == bindparam("meter")).limit(1))
