"""Statements kept as text: exactly what SQLAlchemy makes of them, and each one is used."""

import json
import pkgutil
from importlib import import_module

import pytest

from headend import store
from headend.store import statements
from headend.store.prepared import Prepared
from headend.store.statements import texts

MADE = texts.made()
KEPT = json.loads(statements.FILE.read_bytes())


def test_each_statement_has_its_text_and_no_other_is_there() -> None:
    """As ``python -m headend.store.statements`` writes the file."""
    assert sorted(KEPT) == sorted(MADE)
    assert statements.FILE.read_text(encoding="utf-8") == texts.rendered()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_text_is_what_sqlalchemy_makes_of_the_statement_today(name: str) -> None:
    """For both databases: SQL, fixed parameters, and their order."""
    assert KEPT[name] == MADE[name]


def test_what_is_asked_for_by_name_is_there_and_what_is_there_is_asked_for() -> None:
    """In the modules of rows, each of which has the statements of its own name, or another's."""
    asked = set()
    for module in pkgutil.iter_modules(store.__path__, f"{store.__name__}."):
        there = vars(import_module(module.name)).values()
        asked |= {each.name for each in there if isinstance(each, Prepared) and each.name}
    assert asked == set(KEPT)


def test_one_that_has_no_text_is_compiled_when_it_is_needed() -> None:
    """So a database that the file does not know is slower, and not shut."""
    assert statements.text("meters.BY_NAME", "nosuch") is None
    assert statements.find("meters.BY_NAME") is not None
    with pytest.raises(AttributeError):
        statements.find("meters.NO_SUCH")
