"""Names of meters for the shell's tab key."""

import os
from contextlib import suppress
from pathlib import Path

from headend.context import default_database
from headend.errors import HeadendError
from headend.store import Store, registry
from headend.store.opening import parse_url

#: So many are offered at a time.
_MOST = 200


def beginning(given: str | None, prefix: str) -> list[str]:
    """Return the names that begin so; none where there is no database, and none is made.

    Args:
        given: the URL of the command line; None: as the environment or the default has it.
        prefix: what was typed of the name.
    """
    with suppress(HeadendError):  # a tab key says nothing
        url = parse_url(given or os.environ.get("PREPAY_DB") or f"{default_database()}")
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
            return []
        store = Store(url.render_as_string(hide_password=False))
        try:
            with store.read() as db:
                return registry.beginning(db, prefix, _MOST)
        finally:
            store.close()
    return []
