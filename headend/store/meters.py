"""The meters this head-end has met."""

from msgspec import Struct

from headend.registry.life import Life
from headend.store.connection import Connection
from headend.store.prepared import Prepared, Row
from obis.values import field_names, replace
from protocol.timing import Instant

#: The mode of a meter that is not ours.
FOREIGN = "none"
#: System titles are unique by the book; of meters that share one so many are looked at.
_NAMESAKES = 4


class Meter(Struct, frozen=True):
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
        life: how far its life has come, as ``headend.registry.life`` has it.
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


#: What is read of a row, in the order of its fields.
COLUMNS = field_names(Meter)
_PREPAYMENT = COLUMNS.index("prepayment")


def of_row(row: Row) -> Meter:
    """Return the meter of a row of ``COLUMNS``."""
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
    return [of_row(row) for row in _EVERY.all(db)]


def meet(db: Connection, name: str, port: str, now: Instant) -> Meter:
    """Remember that a meter was met at a port, and return what is known of it."""
    if by_name(db, name) is None:
        _MEET.run(db, name=name, port=port, now=now, mode=FOREIGN, off=False)
    _MET.run(db, key=name, port=port, now=now)
    meter = by_name(db, name)
    assert meter is not None  # it was written a line ago
    return meter


def rename(db: Connection, meter: Meter, name: str) -> None:
    """Note a meter's logical device name, where only a made one was known."""
    _RENAME.run(db, key=meter.id, to=name)


def with_title(db: Connection, title: bytes) -> list[Meter]:
    """Return the meters, a few at most, that were last met with a system title."""
    return [of_row(row) for row in _WITH_TITLE.all(db, title=title.hex(), most=_NAMESAKES)]


def set_title(db: Connection, meter: Meter, title: bytes) -> None:
    """Note the system title that a meter has."""
    _SET_TITLE.run(db, key=meter.id, to=title.hex())


def describe(db: Connection, meter: Meter, *, serial: str, profile: str, mode: str) -> None:
    """Note what a meter says of itself."""
    _DESCRIBE.run(db, key=meter.id, to_serial=serial, to_profile=profile, to_mode=mode)


def set_mode(db: Connection, meter: Meter, mode: str) -> None:
    """Note who keeps the balance from now on."""
    _SET_MODE.run(db, key=meter.id, to=mode)


def set_sequence(db: Connection, meter: Meter, sequence: int) -> Meter:
    """Note the sequence of the newest snapshot ordered; return the meter with it."""
    _SET_SEQUENCE.run(db, key=meter.id, to=sequence)
    return replace(meter, sequence=sequence)


def set_prepayment(db: Connection, meter: Meter, active: bool) -> None:
    """Note whether prepayment is active; that puts a commissioned meter into service."""
    _SET_PREPAYMENT.run(db, key=meter.id, to=active)
    if active:
        _step(db, meter, Life.COMMISSIONED, Life.IN_SERVICE)


def commission(db: Connection, meter: Meter) -> None:
    """Note that a registered meter has answered its management client, as itself."""
    _step(db, meter, Life.REGISTERED, Life.COMMISSIONED)


def set_priced(
    db: Connection, meter: Meter, watt_hours: int | None, moment: Instant | None, remainder: int
) -> None:
    """Note up to which reading consumption is priced."""
    _SET_PRICED.run(db, key=meter.id, to_wh=watt_hours, to_moment=moment, rest=remainder)


def _step(db: Connection, meter: Meter, before: Life, after: Life) -> None:
    _SET_LIFE.run(db, key=meter.id, before=before.value, after=after.value)


_EVERY = Prepared("meters.EVERY")
_BY_NAME = Prepared("meters.BY_NAME")
_BY_ID = Prepared("meters.BY_ID")
_HOLD = Prepared("meters.HOLD")
_HOLD_SEEN = Prepared("meters.HOLD_SEEN")
_WITH_TITLE = Prepared("meters.WITH_TITLE")
_LAST_AT = Prepared("meters.LAST_AT")
_MEET = Prepared("meters.MEET")
_MET = Prepared("meters.MET")
_SET_SEQUENCE = Prepared("meters.SET_SEQUENCE")
_RENAME = Prepared("meters.RENAME")
_SET_TITLE = Prepared("meters.SET_TITLE")
_DESCRIBE = Prepared("meters.DESCRIBE")
_SET_MODE = Prepared("meters.SET_MODE")
_SET_PREPAYMENT = Prepared("meters.SET_PREPAYMENT")
_SET_PRICED = Prepared("meters.SET_PRICED")
_SET_LIFE = Prepared("meters.SET_LIFE")
