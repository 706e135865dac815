"""Values: what is compared by its fields and never changes.

| kind | what for |
|---|---|
| ``msgspec.Struct``, ``frozen=True`` | every value; ``hiding`` if it has what nobody may see |
| ``dataclass`` | what has a field that counts not in ``==``, keeps what it found out, or changes |

A Struct is defined, made, compared and hashed several times faster than a frozen dataclass: see
``docs/adr/0011-values-are-structs.md``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import replace as replace  # whose names and types mypy checks, for both kinds
else:
    import dataclasses

    from msgspec import Struct, structs

    def replace(value, /, **changes):
        """Return a copy of a value, of either kind, in which some fields are others.

        Raises:
            TypeError: It has no such field.
        """
        if isinstance(value, Struct):
            return structs.replace(value, **changes)
        return dataclasses.replace(value, **changes)


def hiding(*names: str) -> Callable[[Any], str]:
    """Return the ``__repr__`` of a Struct that does not show some of its fields: what is secret.

    ::

        class Secret(Struct, frozen=True):
            octets: bytes
            length: int

            __repr__ = hiding("octets")
    """

    def shown(self: Any) -> str:
        kept = (name for name in self.__struct_fields__ if name not in names)
        pairs = ", ".join(f"{name}={getattr(self, name)!r}" for name in kept)
        return f"{type(self).__qualname__}({pairs})"

    shown.hidden = names  # type: ignore[attr-defined]  # for the test that they are its fields
    return shown


def field_names(value: Any) -> tuple[str, ...]:
    """Return the names of the fields of a value, or of its type; none of what is no value."""
    found: tuple[str, ...] | None = getattr(value, "__struct_fields__", None)
    return tuple(getattr(value, "__dataclass_fields__", ())) if found is None else found
