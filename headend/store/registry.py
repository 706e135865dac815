"""The registry's rows: which meters there are, how each is reached, its tags and its line.

A meter is one row of ``meters``, whether it was registered from paper or met at a port; its books
hang on that row. What may stand in a row is in ``headend.registry``, its life in ``headend.life``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from headend.life import Life
from headend.store import schema
from headend.store.meters import FOREIGN
from headend.store.prepared import Prepared
from headend.store.prepared import Row as PlainRow
from protocol.timing import Instant

_METERS, _TAGS, _LINES = schema.meters, schema.tags, schema.lines
#: Row numbers in one query: SQLite takes 32,766 parameters, PostgreSQL's driver 65,535.
_AT_ONCE = 10_000
#: On a line that nobody has said more of, one meter at a time is spoken to: a bus has one voice.
ONE_VOICE = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A meter as the registry has it.

    Args:
        name: logical device name.
        serial: serial number, empty where it is not known.
        ean: of the point of delivery, 18 digits.
        profile: name of its profile, empty where it is not known.
        transport: port spec by which it is reached; None: not by its name.
        access: how it is spoken to: names and values of ``Settings``.
        line: line or concentrator that it shares with others.
        life: one of ``headend.life.Life``.
        tags: sorted.
        id: row number; 0 before it has one.
        port: the port spec it was last met at, empty before that.
        prepayment: whether prepayment is active, by our last transaction with it.
        has_keys: whether the vault has keys of it; None where nobody looked.
    """

    name: str
    serial: str = ""
    ean: str | None = None
    profile: str = ""
    transport: str | None = None
    access: Mapping[str, Any] = field(default_factory=dict)
    line: str | None = None
    life: str = Life.REGISTERED.value
    tags: tuple[str, ...] = ()
    id: int = field(default=0, compare=False)
    port: str = field(default="", compare=False)
    prepayment: bool = field(default=False, compare=False)
    has_keys: bool | None = field(default=None, compare=False)


#: What is written of an entry into its row.
_WRITTEN = ("serial", "ean", "profile", "transport", "line", "life")
_COLUMNS = (*_WRITTEN, "id", "name", "access", "port", "prepayment")
# Made once: SQLAlchemy compiles a statement once, and would look each new one up.
_QUERY = select(*(_METERS.c[name] for name in _COLUMNS))
_TAGS_OF = select(_TAGS).where(_TAGS.c.meter_id.in_(bindparam("ids", expanding=True)))
_PERMITS = select(_LINES.c.name, _LINES.c.permits)
_WHOLE = _QUERY.add_columns(
    exists().where(_TAGS.c.meter_id == _METERS.c.id),
    exists().where(schema.meter_keys.c.meter_id == _METERS.c.id),
)
_BY_NAME = Prepared(_WHOLE.where(_METERS.c.name == bindparam("name")))
_BY_EAN = Prepared(_WHOLE.where(_METERS.c.ean == bindparam("ean")))


def _entries(db: Connection, query: Select[Any], **values: Any) -> list[Entry]:
    rows = db.execute(query, values).all()
    tags = tags_of(db, [row.id for row in rows])
    return [_entry(row, tags.get(row.id, ())) for row in rows]


def _entry(row: Row[Any], tags: tuple[str, ...]) -> Entry:
    columns = dict(row._mapping)
    return Entry(**columns | {"access": json.loads(columns["access"]), "tags": tags})


def by_name(db: Connection, name: str) -> Entry | None:
    """Return the meter of a logical device name."""
    return _whole(db, _BY_NAME.first(db, name=name))


def by_ean(db: Connection, ean: str) -> Entry | None:
    """Return the meter at a point of delivery."""
    return _whole(db, _BY_EAN.first(db, ean=ean))


def _whole(db: Connection, row: PlainRow | None) -> Entry | None:
    if row is None:
        return None
    *told, has_tags, has_keys = row
    columns = dict(zip(_COLUMNS, told, strict=True))
    columns["access"] = json.loads(columns["access"])
    columns["prepayment"] = bool(columns["prepayment"])
    if has_tags:
        columns |= {"tags": tags_of(db, [columns["id"]]).get(columns["id"], ())}
    return Entry(**columns, has_keys=bool(has_keys))


def by_ids(db: Connection, ids: Sequence[int]) -> list[Entry]:
    """Return the meters of some row numbers, by name."""
    found: list[Entry] = []
    for some in _portions(ids):
        found += _entries(db, _QUERY.where(_METERS.c.id.in_(some)))
    return sorted(found, key=lambda each: each.name)


def hold(db: Connection, ids: Sequence[int]) -> list[Entry]:
    """Return meters by name, whose rows nobody else changes before ``db`` ends."""
    for some in _portions(sorted(ids)):  # in one order, so that no two wait for each other
        query = select(_METERS.c.id).where(_METERS.c.id.in_(some)).order_by(_METERS.c.id)
        db.execute(query.with_for_update()).all()
    return by_ids(db, ids)


def every(db: Connection) -> list[Entry]:
    """Return all meters, by name."""
    return sorted(_entries(db, _QUERY), key=lambda each: each.name)


def id_of(db: Connection, name: str) -> int | None:
    """Return the row number of a name."""
    found: int | None = db.scalar(select(_METERS.c.id).where(_METERS.c.name == name))
    return found


def names(db: Connection) -> dict[str, int]:
    """Return the row number of each name."""
    found = db.execute(select(_METERS.c.name, _METERS.c.id).order_by(_METERS.c.name))
    return {row.name: row.id for row in found}


def alike(db: Connection, name: str, most: int) -> list[str]:
    """Return names that share half of a name or more, those that share most of it first.

    Whichever letter of a name is wrong, the others before it or those after it are half of it. Of
    no more meters than ``most``, all names are returned: to compare them takes no time.
    """
    column = _METERS.c.name
    found = list(db.scalars(select(column).order_by(column).limit(most + 1)))
    if len(found) <= most:
        return found
    near: dict[str, None] = {}
    for shared in range(len(name) - 1, max(len(name) // 2 - 1, 0), -1):
        begins = column.startswith(name[:shared], autoescape=True)
        ends = column.endswith(name[-shared:], autoescape=True)
        near |= dict.fromkeys(db.scalars(select(column).where(begins | ends).limit(most)))
        if len(near) >= most:
            break
    return list(near)


def add(db: Connection, entries: Sequence[Entry], now: Instant) -> None:
    """Write down meters that have no row yet."""
    if not entries:
        return
    _need_lines(db, {each.line for each in entries})
    zero = {"mode": FOREIGN, "port": "", "first_seen": now, "last_seen": 0}
    zero |= {"prepayment": False, "sequence": 0, "remainder": 0}
    rows = [{"name": each.name, **_values(each), **zero} for each in entries]
    db.execute(insert(_METERS), rows)
    ids = names(db) if len(entries) > 1 else {}
    tagged = []
    for each in entries:
        if each.tags:
            meter_id = ids.get(each.name) or id_of(db, each.name)
            tagged += [{"meter_id": meter_id, "tag": one} for one in each.tags]
    if tagged:
        db.execute(insert(_TAGS), tagged)


def put(db: Connection, meter_id: int, entry: Entry) -> None:
    """Write an entry over the row of a meter; its name and its books stay."""
    _need_lines(db, {entry.line})
    db.execute(update(_METERS).where(_METERS.c.id == meter_id).values(**_values(entry)))
    db.execute(delete(_TAGS).where(_TAGS.c.meter_id == meter_id))
    tag(db, [meter_id], entry.tags)


def set_life(db: Connection, meter_id: int, life: Life) -> None:
    """Note how far a meter's life has come."""
    db.execute(update(_METERS).where(_METERS.c.id == meter_id).values(life=life.value))


def life_of(db: Connection, meter_id: int) -> tuple[str, str]:
    """Return a meter's name and life."""
    row = db.execute(select(_METERS.c.name, _METERS.c.life).where(_METERS.c.id == meter_id)).one()
    return row.name, row.life


def remove(db: Connection, meter_id: int) -> None:
    """Take a meter off, with its tags; whoever calls has looked that it has no ``history``."""
    db.execute(delete(_TAGS).where(_TAGS.c.meter_id == meter_id))
    db.execute(delete(_METERS).where(_METERS.c.id == meter_id))


def history(db: Connection, meter_id: int) -> list[str]:
    """Return the names of the tables that speak of a meter: posts, commands, keys ..."""
    found = []
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            mine = any(key.column is _METERS.c.id for key in column.foreign_keys)
            if mine and table is not _TAGS:
                query = select(func.count()).select_from(table).where(column == meter_id)
                if db.scalar(query):
                    found.append(table.name)
    return found


def _values(entry: Entry) -> dict[str, Any]:
    access = json.dumps(dict(sorted(entry.access.items())), ensure_ascii=False)
    return {name: getattr(entry, name) for name in _WRITTEN} | {"access": access}


def _portions(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


# --- tags --------------------------------------------------------------------------------------


def tags_of(db: Connection, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the tags of each meter that has any, sorted."""
    found: dict[int, list[str]] = {}
    for some in _portions(ids):
        for row in db.execute(_TAGS_OF, {"ids": list(some)}):
            found.setdefault(row.meter_id, []).append(row.tag)
    return {meter_id: tuple(sorted(tags)) for meter_id, tags in found.items()}


def tag(db: Connection, ids: Sequence[int], tags: Iterable[str]) -> None:
    """Give tags to meters; one that has it already keeps it."""
    have = tags_of(db, ids)
    rows = [
        {"meter_id": meter_id, "tag": each}
        for meter_id in ids
        for each in sorted(set(tags) - set(have.get(meter_id, ())))
    ]
    if rows:
        db.execute(insert(_TAGS), rows)


def untag(db: Connection, ids: Sequence[int], tags: Iterable[str]) -> None:
    """Take tags from meters; one that has it not does no harm."""
    gone = list(tags)
    for some in _portions(ids):
        db.execute(delete(_TAGS).where(_TAGS.c.meter_id.in_(some), _TAGS.c.tag.in_(gone)))


# --- lines -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line or concentrator.

    Args:
        name: its name.
        permits: how many of its meters may be spoken to at a time.
        meters: how many it has.
    """

    name: str
    permits: int
    meters: int = 0


def lines(db: Connection) -> list[Line]:
    """Return all lines, by name."""
    query = select(_METERS.c.line, func.count().label("number")).group_by(_METERS.c.line)
    count = {row.line: row.number for row in db.execute(query)}
    found = db.execute(select(_LINES).order_by(_LINES.c.name))
    return [Line(row.name, row.permits, count.get(row.name, 0)) for row in found]


def permits(db: Connection) -> dict[str, int]:
    """Return how many meters may be spoken to at a time, for each line that somebody said it of."""
    return {row.name: row.permits for row in db.execute(_PERMITS)}


def set_line(db: Connection, name: str, permits: int) -> None:
    """Note how many meters of a line may be spoken to at a time; a new line is made."""
    changed = db.execute(update(_LINES).where(_LINES.c.name == name).values(permits=permits))
    if not changed.rowcount:
        db.execute(insert(_LINES).values(name=name, permits=permits))


def remove_line(db: Connection, name: str) -> bool:
    """Take off a line that no meter is on, and return whether there was one."""
    return bool(db.execute(delete(_LINES).where(_LINES.c.name == name)).rowcount)


def _need_lines(db: Connection, wanted: set[str | None]) -> None:
    """Make the lines that are named for the first time."""
    known = set(db.scalars(select(_LINES.c.name)))
    for name in sorted(each for each in wanted if each is not None and each not in known):
        set_line(db, name, ONE_VOICE)
