"""Names out of the database for the shell's tab key: of meters, tags, lines, and ids."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, select

from headend.context import default_database
from headend.errors import HeadendError
from headend.store import Store, schema
from headend.store.opening import parse_url

#: So many are offered at a time.
_MOST: Final = 200
_COLUMNS: Final[Mapping[str, Column[Any]]] = {
    "meters": schema.meters.c.name,
    "tags": schema.tags.c.tag,
    "lines": schema.lines.c.name,
    "commands": schema.commands.c.id,
    "campaigns": schema.campaigns.c.id,
}
#: Ids grow with time: the newest are offered.
_NEWEST: Final = frozenset({"commands", "campaigns"})


def beginning(given: str | None, prefix: str, kind: str = "meters") -> list[str]:
    """Return the names that begin so; none where there is no database, and none is made.

    Args:
        given: the URL of the command line; None: as the environment or the default has it.
        prefix: what was typed of the name.
        kind: one of ``_COLUMNS``.
    """
    column = _COLUMNS[kind]
    query = select(column).distinct().where(column.startswith(prefix, autoescape=True))
    query = query.order_by(column.desc() if kind in _NEWEST else column).limit(_MOST)
    with suppress(HeadendError):  # a tab key says nothing
        url = parse_url(given or os.environ.get("PREPAY_DB") or f"{default_database()}")
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
            return []
        store = Store(url.render_as_string(hide_password=False))
        try:
            with store.read() as db:
                return sorted(db.scalars(query))
        finally:
            store.close()
    return []
