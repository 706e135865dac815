"""The tables of a profile's file: what keys there are, of which type, within which limits.

A table is a class whose annotations say that. Where a file is as it should be, a plain look at
the types says so (``read``). Where it is not, or not plainly, pydantic judges, by models made of
the same annotations (``model_of``), and says exactly what is wrong and where: importing it takes
longer than whole commands do, and the files that come with the package are as they should be.
"""

import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeVar, Union
from typing import get_args as arguments_of
from typing import get_origin as origin_of

if TYPE_CHECKING:
    from pydantic import BaseModel


#: What ``X | None`` is: of types the one, of annotated ones the other.
_EITHER: Final = (UnionType, Union)


class Limits:
    """Limits of a value, in pydantic's words.

    Args:
        ge, le: the least and the greatest number.
        min_length, max_length: of a text or list.
        pattern: of a whole text.
    """

    def __init__(
        self,
        *,
        ge: float | None = None,
        le: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
    ) -> None:
        self._ge, self._le = ge, le
        self._min_length, self._max_length = min_length, max_length
        self._pattern = pattern

    def keep(self, value: Any) -> bool:
        """Say whether a value of the right type is within them."""
        return (
            (self._ge is None or value >= self._ge)
            and (self._le is None or value <= self._le)
            and (self._min_length is None or len(value) >= self._min_length)
            and (self._max_length is None or len(value) <= self._max_length)
            and (self._pattern is None or re.fullmatch(self._pattern, value) is not None)
        )

    @property
    def words(self) -> dict[str, Any]:
        """What is said of it to pydantic."""
        said = {name.removeprefix("_"): value for name, value in vars(self).items()}
        return {name: value for name, value in said.items() if value is not None}


#: A text of a profile.
Text = Annotated[str, Limits(min_length=1, max_length=120)]


class Table:
    """Every key known, present or with a default, and of its type.

    Args:
        keys: of a class: those that cannot be names here, by the name that they have here.
    """

    def __init_subclass__(cls, keys: Mapping[str, str] | None = None) -> None:
        cls._keys = keys or {}

    _keys: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def key_of(cls, name: str) -> str:
        """Return how a file has a name."""
        return cls._keys.get(name, name)


class NotPlain(Exception):
    """A plain look does not say that a table is as it should be; it may be all the same."""


_AnyTable = TypeVar("_AnyTable", bound=Table)


def read(kind: type[_AnyTable], document: Any) -> _AnyTable:
    """Return a table of which all is plainly as it should be.

    Args:
        kind: what is expected.
        document: as ``tomllib`` has it.

    Raises:
        NotPlain: something may be wrong.
    """
    if type(document) is not dict:
        raise NotPlain
    table, left = kind(), dict(document)
    for name, expected in kind.__annotations__.items():
        key = kind.key_of(name)
        if key in left:
            setattr(table, name, _value(expected, left.pop(key)))
        elif not hasattr(kind, name):
            raise NotPlain
    if left:
        raise NotPlain
    return table


def _value(expected: Any, value: Any) -> Any:
    """Return a value of the expected type, with tables in place of what they are read from."""
    origin, inner = origin_of(expected), arguments_of(expected)
    if origin is Annotated:
        found = _value(inner[0], value)
        if not all(limits.keep(found) for limits in inner[1:]):
            raise NotPlain
        return found
    if origin in _EITHER:  # a key that may be missing; TOML has no null
        (only,) = (each for each in inner if each is not NoneType)
        return _value(only, value)
    if origin is list and type(value) is list:
        return [_value(inner[0], each) for each in value]
    if origin is Literal and any(type(each) is type(value) and each == value for each in inner):
        return value
    if origin is None and issubclass(expected, Table):
        return read(expected, value)
    if origin is None and type(value) is expected:
        return value
    raise NotPlain


def model_of(kind: type[Table]) -> "type[BaseModel]":
    """Return the model by which pydantic judges a table."""
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    for name, expected in kind.__annotations__.items():
        default = getattr(kind, name, ...)
        fields[name] = (_explained(expected), Field(default=default, alias=kind.key_of(name)))
    strict = ConfigDict(strict=True, extra="forbid", frozen=True)
    made: type[BaseModel] = create_model(kind.__name__, __config__=strict, **fields)
    return made


def _explained(expected: Any) -> Any:
    """Return a type as pydantic takes it."""
    from pydantic import Field

    origin, inner = origin_of(expected), arguments_of(expected)
    if origin is Annotated:
        limits = (Field(**each.words) for each in inner[1:])
        return Annotated[_explained(inner[0]), *limits]
    if origin in _EITHER:
        (only,) = (each for each in inner if each is not NoneType)
        return _explained(only) | None
    if origin is list:
        return list[_explained(inner[0])]  # type: ignore[misc] # made while it runs
    if origin is None and issubclass(expected, Table):
        return model_of(expected)
    return expected
