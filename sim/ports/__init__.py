"""Ports, one file a kind, found by the scheme of a spec such as ``pty:./meter0``.

A kind's file has ``SCHEME``, ``FORM`` and ``SUMMARY`` (for help) and
``open_port(rest, selector)``; ``LISTED = False`` keeps it out of what users are told. Another kind
is another file.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from selectors import BaseSelector
from typing import NamedTuple

from sim.ports.base import Port, PortSpecError


class Kind(NamedTuple):
    """One kind of port."""

    scheme: str
    form: str
    summary: str
    open_port: Callable[[str, BaseSelector], Port]
    listed: bool = True


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind of port by scheme, in the order of their files' names.

    Raises:
        RuntimeError: two files claim the same scheme.
    """
    found: dict[str, Kind] = {}
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        if not hasattr(module, "SCHEME"):
            continue  # what the kinds share
        if module.SCHEME in found:
            raise RuntimeError(f"two kinds of port are named {module.SCHEME}")
        found[module.SCHEME] = Kind(
            module.SCHEME,
            module.FORM,
            module.SUMMARY,
            module.open_port,
            getattr(module, "LISTED", True),
        )
    return found


def open_port(spec: str, selector: BaseSelector) -> Port:
    """Open the port that ``spec`` names.

    Args:
        spec: scheme, colon and what the kind needs, e.g. ``tcp:127.0.0.1:4059``.
        selector: where the port's descriptors are watched.

    Raises:
        PortSpecError: the text names no port.
        PortError: the port cannot be opened.
    """
    scheme, colon, rest = spec.partition(":")
    kind = kinds().get(scheme) if colon else None
    if kind is None:
        forms = ", ".join(kind.form for kind in kinds().values() if kind.listed)
        raise PortSpecError(f"{spec!r} names no port; a port is one of {forms}")
    return kind.open_port(rest, selector)
