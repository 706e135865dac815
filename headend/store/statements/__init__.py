"""The statements of what a direct command does, and what SQLAlchemy makes of them.

One module for each module of rows beside this package, with statements as SQLAlchemy has them;
``texts.json`` has each one's text for each database, so that neither SQLAlchemy nor these modules
are imported where that is all that is needed. ``python -m headend.store.statements`` writes the
file; a test holds it to the modules.
"""

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Executable

#: SQL; parameters that are part of the statement; the order of all where they have no names.
Text = tuple[str, dict[str, Any], list[str] | None]
#: The texts, by name and database.
FILE: Final = Path(__file__).with_name("texts.json")


def text(name: str, database: str) -> Text | None:
    """Return the text of a statement, as in "meters.BY_NAME"; None where there is none."""
    found = _texts().get(name, {}).get(database)
    return None if found is None else (found["sql"], found["usual"], found["order"])


@cache
def _texts() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_bytes())
    return found


def find(name: str) -> "Executable":
    """Return a statement by its name, as SQLAlchemy has it."""
    module, _, constant = name.partition(".")
    found: Executable = getattr(import_module(f"{__name__}.{module}"), constant)
    return found


def compiled(statement: "Executable", dialect: "Dialect") -> Text:
    """Return what SQLAlchemy makes of a statement for a database."""
    made: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined] # every one has it
    assert not made.post_compile_params, "a list: see ``among``"
    known = made.construct_params(_check=False)
    usual = {name: value for name, value in known.items() if value is not None}
    return str(made), usual, list(made.positiontup) if made.positional else None
