"""The registry's rows: which meters there are, how each is reached, its tags and its line.

A meter is one row of ``meters``, whether it was registered from paper or met at a port; its books
hang on that row. What may stand in a row is in ``headend.registry.meters``, its life in
``headend.registry.life``.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update

from headend.registry.life import Life
from headend.store import schema
from headend.store.connection import Connection
from headend.store.entry import COLUMNS, WRITTEN, Entry, by_ean, by_name
from headend.store.meters import FOREIGN
from headend.store.prepared import Prepared
from protocol.timing import Instant

__all__ = [
    "ONE_VOICE", "Entry", "Line", "add", "alike", "by_ean", "by_ids", "by_name", "every",
    "history", "hold", "id_of", "life_of", "lines", "names", "permits", "put", "remove",
    "remove_line", "set_life", "set_line", "tag", "tags_of", "untag",
]  # fmt: skip # with what ``entry`` finds

_METERS, _TAGS, _LINES = schema.meters, schema.tags, schema.lines
#: Row numbers in one query: SQLite takes 32,766 parameters, PostgreSQL's driver 65,535.
_AT_ONCE = 10_000
#: On a line that nobody has said more of, one meter at a time is spoken to: a bus has one voice.
ONE_VOICE = 1


# Made once: SQLAlchemy compiles a statement once, and would look each new one up.
_QUERY = select(*(_METERS.c[name] for name in COLUMNS))
_TAGS_OF = select(_TAGS).where(_TAGS.c.meter_id.in_(bindparam("ids", expanding=True)))
_PERMITS = Prepared(select(_LINES.c.name, _LINES.c.permits))


def _entries(db: Connection, query: Select[Any], **values: Any) -> list[Entry]:
    rows = db.execute(query, values).all()
    tags = tags_of(db, [row.id for row in rows])
    return [_entry(row, tags.get(row.id, ())) for row in rows]


def _entry(row: Row[Any], tags: tuple[str, ...]) -> Entry:
    columns = dict(row._mapping)
    return Entry(**columns | {"access": json.loads(columns["access"]), "tags": tags})


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


def profiles(db: Connection, ids: Sequence[int]) -> list[tuple[str, str]]:
    """Return name and profile of the meters of some row numbers, by name."""
    found: list[tuple[str, str]] = []
    for some in _portions(ids):
        query = select(_METERS.c.name, _METERS.c.profile).where(_METERS.c.id.in_(some))
        found += [(row.name, row.profile) for row in db.execute(query)]
    return sorted(found)


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
    return {name: getattr(entry, name) for name in WRITTEN} | {"access": access}


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


class Line(Struct, frozen=True):
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
    return dict(_PERMITS.all(db))


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
