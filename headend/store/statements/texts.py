"""What ``texts.json`` is to have: each statement of this package, compiled for each database."""

import json
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from sqlalchemy import Executable, create_engine

from headend.store import statements

#: SQLAlchemy's URL of each database; nothing is opened there.
_DATABASES: Final[Mapping[str, str]] = {
    "postgresql": "postgresql+psycopg://",
    "sqlite": "sqlite://",
}
#: Modules here that have no statements.
_OTHERS: Final = frozenset({"__main__", "numbers", "texts"})


def names() -> Iterator[str]:
    """Yield the name of each statement: each that is a constant without underscore before it."""
    for module in pkgutil.iter_modules(statements.__path__):
        if module.name in _OTHERS:
            continue
        there = vars(import_module(f"{statements.__name__}.{module.name}"))
        yield from (
            f"{module.name}.{name}"
            for name, value in sorted(there.items())
            if name.isupper() and not name.startswith("_") and isinstance(value, Executable)
        )


def made() -> dict[str, dict[str, Any]]:
    """Return the text of each statement, by its name and the database's."""
    dialects = {name: create_engine(url).dialect for name, url in _DATABASES.items()}
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(names()):
        found[name] = {}
        for database, dialect in dialects.items():
            sql, usual, order = statements.compiled(statements.find(name), dialect)
            found[name][database] = {"order": order, "sql": sql, "usual": usual}
    return found


def rendered() -> str:
    """Return the file."""
    return json.dumps(made(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
