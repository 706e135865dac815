"""An entry of the registry, found by its name or its point of delivery.

It is what every command asks that names a meter; what else there is to do with these rows is in
``headend.store.registry``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from headend.registry.life import Life
from headend.store.connection import Connection
from headend.store.prepared import Prepared, Row


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
        life: one of ``headend.registry.life.Life``.
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
WRITTEN: Final = ("serial", "ean", "profile", "transport", "line", "life")
#: What is read of it; with a row of these come whether it has tags, and whether it has keys.
COLUMNS: Final = (*WRITTEN, "id", "name", "access", "port", "prepayment")


def by_name(db: Connection, name: str) -> Entry | None:
    """Return the meter of a logical device name."""
    return _whole(db, _BY_NAME.first(db, name=name))


def by_ean(db: Connection, ean: str) -> Entry | None:
    """Return the meter at a point of delivery."""
    return _whole(db, _BY_EAN.first(db, ean=ean))


def _whole(db: Connection, row: Row | None) -> Entry | None:
    if row is None:
        return None
    *told, has_tags, has_keys = row
    columns = dict(zip(COLUMNS, told, strict=True))
    columns["access"] = json.loads(columns["access"])
    columns["prepayment"] = bool(columns["prepayment"])
    if has_tags:
        tags = _TAGS.all(db, meter=columns["id"])
        columns["tags"] = tuple(sorted(tag for (tag,) in tags))  # whatever the database's order is
    return Entry(**columns, has_keys=bool(has_keys))


_BY_NAME = Prepared("entry.BY_NAME")
_BY_EAN = Prepared("entry.BY_EAN")
_TAGS = Prepared("entry.TAGS")
