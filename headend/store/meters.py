"""The meters this head-end has met."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from headend.store import schema
from protocol.timing import Instant

_TABLE = schema.meters

#: The mode of a meter that is not ours.
FOREIGN = "none"


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter as the database knows it.

    Args:
        id: row number, only used inside the database.
        name: logical device name.
        serial: serial number.
        profile: name of its profile, empty for a meter that is not ours.
        mode: "central" or "local", who owns the balance; ``FOREIGN`` for a meter that is not ours.
        port: the port spec it was last met at.
        prepayment: whether prepayment is active, by our last transaction with it.
        sequence: of the newest snapshot ordered; 0 when there was none.
        priced_wh: register reading in Wh up to which consumption is priced; None before that.
        priced_at: the moment of that reading, by the meter's clock.
        remainder: what pricing left below one minor unit, as ``prepay.charge`` counts it.
    """

    id: int
    name: str
    serial: str
    profile: str
    mode: str
    port: str
    prepayment: bool
    sequence: int
    priced_wh: int | None
    priced_at: Instant | None
    remainder: int


def _meter(row: Row[tuple[object, ...]]) -> Meter:
    columns = row._mapping
    return Meter(**{name: columns[name] for name in Meter.__dataclass_fields__})


def by_name(db: Connection, name: str) -> Meter | None:
    """Return the meter of a logical device name."""
    row = db.execute(select(_TABLE).where(_TABLE.c.name == name)).first()
    return None if row is None else _meter(row)


def by_id(db: Connection, meter_id: int) -> Meter:
    """Return the meter of a row number."""
    return _meter(db.execute(select(_TABLE).where(_TABLE.c.id == meter_id)).one())


def last_at(db: Connection, port: str) -> Meter | None:
    """Return the meter that was last met at a port."""
    query = select(_TABLE).where(_TABLE.c.port == port).order_by(_TABLE.c.last_seen.desc())
    row = db.execute(query.limit(1)).first()
    return None if row is None else _meter(row)


def every(db: Connection) -> list[Meter]:
    """Return all meters, by name."""
    return [_meter(row) for row in db.execute(select(_TABLE).order_by(_TABLE.c.name))]


def meet(db: Connection, name: str, port: str, now: Instant) -> Meter:
    """Remember that a meter was met at a port, and return what is known of it."""
    met = {"port": port, "last_seen": now}
    known = by_name(db, name)
    if known is None:
        blank = {"serial": "", "profile": "", "mode": FOREIGN, "prepayment": False}
        zero = {"sequence": 0, "remainder": 0, "first_seen": now}
        db.execute(insert(_TABLE).values(name=name, **met, **blank, **zero))
    else:
        _set(db, known, **met)
    meter = by_name(db, name)
    assert meter is not None  # it was written a line ago
    return meter


def rename(db: Connection, meter: Meter, name: str) -> None:
    """Note a meter's logical device name, where only a made one was known."""
    _set(db, meter, name=name)


def describe(db: Connection, meter: Meter, *, serial: str, profile: str, mode: str) -> None:
    """Note what a meter says of itself."""
    _set(db, meter, serial=serial, profile=profile, mode=mode)


def set_mode(db: Connection, meter: Meter, mode: str) -> None:
    """Note who keeps the balance from now on."""
    _set(db, meter, mode=mode)


def set_sequence(db: Connection, meter: Meter, sequence: int) -> None:
    """Note the sequence of the newest snapshot ordered."""
    _set(db, meter, sequence=sequence)


def set_prepayment(db: Connection, meter: Meter, active: bool) -> None:
    """Note whether prepayment is active."""
    _set(db, meter, prepayment=active)


def set_priced(
    db: Connection, meter: Meter, watt_hours: int | None, moment: Instant | None, remainder: int
) -> None:
    """Note up to which reading consumption is priced."""
    _set(db, meter, priced_wh=watt_hours, priced_at=moment, remainder=remainder)


def _set(db: Connection, meter: Meter, **values: object) -> None:
    db.execute(update(_TABLE).where(_TABLE.c.id == meter.id).values(**values))
