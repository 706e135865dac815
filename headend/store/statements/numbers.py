"""The number of the next transaction, which the two databases draw in ways of their own."""

from typing import Any

from sqlalchemy import Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from headend.store.dialects import NUMBERS


class NextNumber(FunctionElement[int]):
    """The number of the next transaction: above that of every transaction of the same meter.

    Between meters numbers only tell apart: on PostgreSQL who draws first may commit last.
    """

    type = Integer()
    inherit_cache = True
    name = "next_number"


@compiles(NextNumber, "sqlite")
def _number_of_sqlite(_element: NextNumber, _compiler: SQLCompiler, **_: Any) -> str:
    return "(SELECT coalesce(max(number), 0) + 1 FROM transactions)"


@compiles(NextNumber, "postgresql")
def _number_of_postgresql(_element: NextNumber, _compiler: SQLCompiler, **_: Any) -> str:
    return f"nextval('{NUMBERS}')"
