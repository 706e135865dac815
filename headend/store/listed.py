"""A condition on a list of any length, in a statement whose text is always the same.

SQLAlchemy writes as many parameters into a statement as a list has members, so that each length is
another statement, to be understood and planned anew. Here the list is one parameter, in JSON.
"""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Listed(FunctionElement[bool]):
    name = "listed"
    type = Boolean()
    inherit_cache = True


def listed(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that a column is in the list of a parameter, which is ``as_list``."""
    return _Listed(column, bindparam(name, type_=String))


def as_list(values: Collection[int] | Collection[str]) -> str:
    """Return a list as the parameter of ``listed``."""
    return json.dumps(list(values))


@compiles(_Listed, "sqlite")
def _on_sqlite(element: _Listed, compiler: SQLCompiler, **words: Any) -> str:
    column, values = (compiler.process(each, **words) for each in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"


@compiles(_Listed, "postgresql")
def _on_postgresql(element: _Listed, compiler: SQLCompiler, **words: Any) -> str:
    column, values = (compiler.process(each, **words) for each in element.clauses)
    members = f"json_array_elements_text(CAST({values} AS json))"
    return f"(CAST({column} AS text) IN (SELECT {members}))"
