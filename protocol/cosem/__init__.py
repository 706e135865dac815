"""The Blue Book's interface classes as declarations: one file a class, no behaviour.

``CLASSES`` has every ``InterfaceClass`` that a module of this package declares, by class id and
version. A new class is a new file and nothing else. They are imported when somebody asks for all
of them: who needs a few of the classes, as a head-end that tops up, imports their own files.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from protocol.cosem.interface import InterfaceClass


def collect(modules: Iterable[ModuleType]) -> dict[tuple[int, int], InterfaceClass]:
    """Return the classes that ``modules`` declare, by class id and version.

    Raises:
        ValueError: two declarations have the same class id and version.
    """
    classes: dict[tuple[int, int], InterfaceClass] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, InterfaceClass):
                continue
            known = classes.setdefault((value.class_id, value.version), value)
            if known is not value:  # the same one again is only imported
                raise ValueError(
                    f"{module.__name__} declares class {value.class_id} version {value.version}, "
                    "which is declared already"
                )
    return dict(sorted(classes.items()))


def _modules() -> list[ModuleType]:
    names = sorted(module.name for module in iter_modules(__path__))
    return [import_module(f"{__name__}.{name}") for name in names]


@cache
def _classes() -> Mapping[tuple[int, int], InterfaceClass]:
    return MappingProxyType(collect(_modules()))


if TYPE_CHECKING:
    CLASSES: Final[Mapping[tuple[int, int], InterfaceClass]] = _classes()


def __getattr__(name: str) -> Any:
    if name == "CLASSES":
        return _classes()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def latest(class_id: int) -> InterfaceClass | None:
    """Return the highest version of a class that is declared, None if there is none."""
    versions = [one for one in _classes().values() if one.class_id == class_id]
    return max(versions, key=lambda one: one.version, default=None)
