"""An attribute that is made when it is first asked for, by whoever has the object to himself.

Python 3.11's ``functools.cached_property`` holds one lock for all objects of a class while it makes
one's value: where that asks the database, every other thread stands in line for it. Python 3.12 has
no such lock any more.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

_T = TypeVar("_T")


class lazy(Generic[_T]):  # noqa: N801 # a decorator's name, as ``property`` is
    """What a method returns, asked once for each object; it may be assigned as well.

    Args:
        make: the method. Of two threads that ask one object at a time, both may make it.
    """

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self._name = ""
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        """Note under which name it stands in an object."""
        self._name = name

    @overload
    def __get__(self, owned: None, owner: type[Any]) -> "lazy[_T]": ...
    @overload
    def __get__(self, owned: object, owner: type[Any]) -> _T: ...
    def __get__(self, owned: object | None, owner: type[Any]) -> "lazy[_T] | _T":
        """Make it; from then on the object's own attribute is found before this."""
        if owned is None:
            return self
        made = owned.__dict__[self._name] = self._make(owned)
        return made

    if TYPE_CHECKING:  # without one an assignment goes to the object's own attribute

        def __set__(self, owned: object, value: _T) -> None: ...
