"""The statements of ``headend.store.audit``."""

from typing import Final

from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.dialects import postgresql

from headend.store import schema
from headend.store.audit import COLUMNS

_TABLE, _SETTINGS = schema.audit, schema.settings
#: Who appends the first row takes this lock until his transaction ends: a chain has one end.
_APPENDING: Final = 0x0FFA0D
_NAMED = _SETTINGS.c.name == bindparam("name")

ALONE = text(f"SELECT pg_advisory_xact_lock({_APPENDING})")
INSERT = insert(_TABLE).values({name: bindparam(name) for name in COLUMNS})
LAST = select(_TABLE.c.number, _TABLE.c.digest).order_by(_TABLE.c.number.desc()).limit(1)
KEEP = text(
    "INSERT INTO settings (name, value) VALUES (:name, :value) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_KEEPING = postgresql.insert(_SETTINGS).values(name=bindparam("name"), value=bindparam("value"))
# PostgreSQL does both in one statement.
INSERT_AND_KEEP = INSERT.add_cte(
    _KEEPING.on_conflict_do_update(
        index_elements=["name"], set_={"value": _KEEPING.excluded.value}
    ).cte("kept")
)
_NUMBERED = select(func.coalesce(func.max(_TABLE.c.number), 0)).scalar_subquery()
HELD = select(_SETTINGS.c.value, _NUMBERED).where(_NAMED).with_for_update()
BEHIND = (
    select(*(_TABLE.c[name] for name in COLUMNS))
    .where(_TABLE.c.number > bindparam("after"))
    .order_by(_TABLE.c.number)
    .limit(bindparam("most"))
)
KEPT = select(_SETTINGS.c.value).where(_NAMED)
ANY = select(_TABLE.c.number).limit(1)
ANY_POST = select(schema.posts.c.line).limit(1)
