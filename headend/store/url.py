"""Where a database is: what ``--db`` says, taken apart.

An SQLite file is told by its path or as ``sqlite:///PATH``, and that is taken apart here.
Whatever else a URL may say is SQLAlchemy's to understand, which takes longer to import than most
commands need for all they do.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from headend.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL

#: What stands behind "?" is for the driver.
_FILE: Final = re.compile(r"sqlite://(?:/(?P<path>[^?]*))?")


class DatabaseUrl:
    """The URL of a database.

    Args:
        backend: name of the database, "sqlite" or "postgresql".
        database: name of the database there, or the path of the file; None or empty: in memory.
        whole: as SQLAlchemy has it; None: that says no more than the two others.
    """

    def __init__(self, backend: str, database: str | None, whole: "URL | None" = None) -> None:
        self._backend = backend
        self.database = database
        #: Whether it is an SQLite file, or memory, and nothing more is said of it.
        self.is_plain = whole is None
        if whole is not None:
            self.__dict__["whole"] = whole

    @cached_property
    def whole(self) -> "URL":
        """The same, as SQLAlchemy has it."""
        from sqlalchemy import URL

        return URL.create(self._backend, database=self.database)

    def get_backend_name(self) -> str:
        """Return the name of the database: "sqlite", "postgresql"."""
        return self._backend

    def render_as_string(self, *, hide_password: bool = True) -> str:
        """Return it as text, the password as ``***``."""
        if not self.is_plain:
            return self.whole.render_as_string(hide_password=hide_password)
        if self.database is None:
            return "sqlite://"
        return f"sqlite:///{quote(self.database, safe=' +/')}"


def parse_url(url: str) -> DatabaseUrl:
    """Return the URL of a database, which may be given as the path of an SQLite file.

    Raises:
        UsageError: it cannot be understood; what it says is not repeated, it may have a password.
    """
    if "://" not in url:
        return DatabaseUrl("sqlite", str(Path(url)))
    file = _FILE.fullmatch(url)
    if file is not None:
        path = file["path"]
        return DatabaseUrl("sqlite", None if path is None else unquote(path))
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "--db cannot be understood: a path, sqlite:///PATH, "
            "or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    if found.drivername == "postgres":
        found = found.set(drivername="postgresql")
    return DatabaseUrl(found.get_backend_name(), found.database, found)
