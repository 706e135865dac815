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

from enum import StrEnum

from msgspec import Struct

from headend.store.connection import Connection
from headend.store.prepared import Prepared, Row
from obis.values import field_names
from protocol.timing import Instant


class State(StrEnum):
    """What is known of a key."""

    PENDING = "pending"
    CURRENT = "current"
    RETIRED = "retired"
    REFUSED = "refused"


class Wrapped(Struct, frozen=True):
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


#: What is read of a row, in the order of its fields.
COLUMNS = field_names(Wrapped)


def has_any(db: Connection, meter_id: int) -> bool:
    """Return whether there is a key of a meter."""
    return _ANY.first(db, meter=meter_id) is not None


def of_meter(db: Connection, meter_id: int, *states: State) -> list[Wrapped]:
    """Return a meter's keys in these states, in all if none is named, by kind and version."""
    found = [_wrapped(row) for row in _OF_METER.all(db, meter=meter_id)]
    return [key for key in found if not states or key.state in states]


def not_under(db: Connection, master: str, limit: int) -> list[Wrapped]:
    """Return keys that are wrapped under another master key, at most ``limit`` of them."""
    return [_wrapped(row) for row in _NOT_UNDER.all(db, master=master, most=limit)]


def by_master(db: Connection) -> dict[str, int]:
    """Return how many keys are wrapped under each master key, by its fingerprint."""
    return dict(_BY_MASTER.all(db))


def after(db: Connection, place: tuple[int, str, int], limit: int) -> list[Wrapped]:
    """Return the keys behind a place (meter's row number, kind, version), in that order."""
    meter_id, kind, version = place
    rows = _AFTER.all(db, meter=meter_id, kind=kind, version=version, most=limit)
    return [_wrapped(row) for row in rows]


def next_version(db: Connection, meter_id: int, kind: str) -> int:
    """Return the version of a further key; the caller holds the meter."""
    return (_NEWEST_VERSION.scalar(db, meter=meter_id, kind=kind) or 0) + 1


def add(db: Connection, key: Wrapped) -> None:
    """Write a key down."""
    _ADD.run(
        db,
        meter_id=key.meter_id,
        kind=key.kind,
        version=key.version,
        state=key.state.value,
        wrapped=key.wrapped.hex(),
        master=key.master,
        created=key.created,
        transaction_id=key.transaction_id,
    )


def set_state(db: Connection, key: Wrapped, state: State) -> None:
    """Note what has become of a key."""
    _SET_STATE.run(db, **_this(key), to=state.value)


def wrap_anew(db: Connection, key: Wrapped, wrapped: bytes, master: str) -> bool:
    """Put another wrapping in the place of the one that ``key`` has; False where it is gone."""
    before, new = key.wrapped.hex(), wrapped.hex()
    return bool(_WRAP_ANEW.run(db, **_this(key), before=before, to_wrapped=new, to_master=master))


def _this(key: Wrapped) -> dict[str, object]:
    return {"of_meter": key.meter_id, "of_kind": key.kind, "number": key.version}


def _wrapped(row: Row) -> Wrapped:
    meter_id, meter, kind, version, state, wrapped, *rest = row  # of COLUMNS
    return Wrapped(meter_id, meter, kind, version, State(state), bytes.fromhex(wrapped), *rest)


_ANY = Prepared("keys.ANY")
_OF_METER = Prepared("keys.OF_METER")
_NOT_UNDER = Prepared("keys.NOT_UNDER")
_BY_MASTER = Prepared("keys.BY_MASTER")
_AFTER = Prepared("keys.AFTER")
_NEWEST_VERSION = Prepared("keys.NEWEST_VERSION")
_ADD = Prepared("keys.ADD")
_SET_STATE = Prepared("keys.SET_STATE")
_WRAP_ANEW = Prepared("keys.WRAP_ANEW")
