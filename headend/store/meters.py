"""The meters this head-end has met."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, select, text, update

from headend.life import Life
from headend.store import schema
from headend.store.prepared import Prepared, Row
from protocol.timing import Instant

_TABLE = schema.meters

#: The mode of a meter that is not ours.
FOREIGN = "none"
#: System titles are unique by the book; of meters that share one so many are looked at.
_NAMESAKES = 4


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
        life: how far its life has come, as ``headend.life`` has it.
        system_title: hexadecimal, as it had it when it was last associated with; empty before.
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
    life: str
    system_title: str = ""


_COLUMNS = [_TABLE.c[name] for name in Meter.__dataclass_fields__]
_PREPAYMENT = list(Meter.__dataclass_fields__).index("prepayment")


def of_row(row: Row) -> Meter:
    """Return the meter of a row as ``LAST_AT`` has it."""
    told = list(row)
    told[_PREPAYMENT] = bool(told[_PREPAYMENT])
    return Meter(*told)


def by_name(db: Connection, name: str) -> Meter | None:
    """Return the meter of a logical device name."""
    row = _BY_NAME.first(db, name=name)
    return None if row is None else of_row(row)


def by_id(db: Connection, meter_id: int) -> Meter:
    """Return the meter of a row number."""
    return of_row(_BY_ID.one(db, key=meter_id))


def hold(db: Connection, meter_id: int, seen: Instant | None = None) -> Meter:
    """Return the meter of a row number, whose books nobody else changes before ``db`` ends.

    Whoever changes a meter's transactions, posts or sequence calls this first.

    Args:
        db: a transaction that writes.
        meter_id: the meter's row number.
        seen: when it answered last; None leaves that as it is.
    """
    if seen is None:
        return of_row(_HOLD.one(db, key=meter_id))
    return of_row(_HOLD_SEEN.one(db, key=meter_id, now=seen))


def last_at(db: Connection, port: str) -> Meter | None:
    """Return the meter that was last met at a port."""
    row = _LAST_AT.first(db, port=port)
    return None if row is None else of_row(row)


def every(db: Connection) -> list[Meter]:
    """Return all meters, by name."""
    return [of_row(tuple(row)) for row in db.execute(_EVERY.order_by(_TABLE.c.name))]


def meet(db: Connection, name: str, port: str, now: Instant) -> Meter:
    """Remember that a meter was met at a port, and return what is known of it."""
    met = {"port": port, "now": now}
    if by_name(db, name) is None:
        db.execute(_MEET, {"name": name, **met, "mode": FOREIGN, "off": False})
    db.execute(_MET, {"key": name, **met})
    meter = by_name(db, name)
    assert meter is not None  # it was written a line ago
    return meter


def rename(db: Connection, meter: Meter, name: str) -> None:
    """Note a meter's logical device name, where only a made one was known."""
    _set(db, meter, name=name)


def with_title(db: Connection, title: bytes) -> list[Meter]:
    """Return the meters, a few at most, that were last met with a system title."""
    query = _EVERY.where(_TABLE.c.system_title == title.hex()).order_by(_TABLE.c.id)
    return [of_row(tuple(row)) for row in db.execute(query.limit(_NAMESAKES))]


def set_title(db: Connection, meter: Meter, title: bytes) -> None:
    """Note the system title that a meter has."""
    _set(db, meter, system_title=title.hex())


def describe(db: Connection, meter: Meter, *, serial: str, profile: str, mode: str) -> None:
    """Note what a meter says of itself."""
    _set(db, meter, serial=serial, profile=profile, mode=mode)


def set_mode(db: Connection, meter: Meter, mode: str) -> None:
    """Note who keeps the balance from now on."""
    _set(db, meter, mode=mode)


def set_sequence(db: Connection, meter: Meter, sequence: int) -> Meter:
    """Note the sequence of the newest snapshot ordered; return the meter with it."""
    _SET_SEQUENCE.run(db, key=meter.id, to=sequence)
    return replace(meter, sequence=sequence)


def set_prepayment(db: Connection, meter: Meter, active: bool) -> None:
    """Note whether prepayment is active; that puts a commissioned meter into service."""
    _set(db, meter, prepayment=active)
    if active:
        _step(db, meter, Life.COMMISSIONED, Life.IN_SERVICE)


def commission(db: Connection, meter: Meter) -> None:
    """Note that a registered meter has answered its management client, as itself."""
    _step(db, meter, Life.REGISTERED, Life.COMMISSIONED)


def set_priced(
    db: Connection, meter: Meter, watt_hours: int | None, moment: Instant | None, remainder: int
) -> None:
    """Note up to which reading consumption is priced."""
    _set(db, meter, priced_wh=watt_hours, priced_at=moment, remainder=remainder)


def _step(db: Connection, meter: Meter, before: Life, after: Life) -> None:
    mine = _TABLE.c.id == meter.id, _TABLE.c.life == before.value
    db.execute(update(_TABLE).where(*mine).values(life=after.value))


def _set(db: Connection, meter: Meter, **values: object) -> None:
    db.execute(update(_TABLE).where(_TABLE.c.id == meter.id).values(**values))


# Made once: SQLAlchemy compiles a statement once, and would look each new one up.
_EVERY = select(*_COLUMNS)
_ONE = _EVERY.where(_TABLE.c.id == bindparam("key"))
_BY_NAME = Prepared(_EVERY.where(_TABLE.c.name == bindparam("name")))
_BY_ID = Prepared(_ONE)
# SQLite has no such clause; there nobody else writes anyway.
_HOLD = Prepared(_ONE.with_for_update())
_THIS = update(_TABLE).where(_TABLE.c.id == bindparam("key"))
_HOLD_SEEN = Prepared(_THIS.values(last_seen=bindparam("now")).returning(*_COLUMNS))
_SET_SEQUENCE = Prepared(_THIS.values(sequence=bindparam("to")))
#: The meter last met at "port"; its row is for ``of_row``.
LAST_AT = (
    _EVERY.where(_TABLE.c.port == bindparam("port")).order_by(_TABLE.c.last_seen.desc()).limit(1)
)
_LAST_AT = Prepared(LAST_AT)
# Of two that meet a new meter at once the first writes it down; both databases have this clause.
_MEET = text(
    "INSERT INTO meters (name, port, serial, profile, mode, prepayment, sequence, remainder, "
    "first_seen, last_seen) VALUES (:name, :port, '', '', :mode, :off, 0, 0, :now, :now) "
    "ON CONFLICT DO NOTHING"
)
_MET = (
    update(_TABLE)
    .where(_TABLE.c.name == bindparam("key"))
    .values(port=bindparam("port"), last_seen=bindparam("now"))
)
