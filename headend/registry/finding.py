"""Finding the meter that a command names, and how it is reached.

``--meter NAME`` finds a meter in the registry, by its name or by the EAN of its point of delivery,
and takes port and access from its entry; what was chosen in so many words goes before.
"""

from typing import Final

from headend.context import Settings
from headend.errors import UsageError
from headend.store import entry
from headend.store.connection import Connection
from headend.store.entry import Entry
from obis.values import replace

_DEFAULTS: Final = Settings()
#: How many of the names that are near are told, and how many are looked at closely.
_NEAR, _COMPARED = 3, 500


def find(db: Connection, name: str) -> Entry:
    """Return the meter of a name, or at a point of delivery.

    Raises:
        UsageError: there is none; the message says what is near, and what to do.
    """
    found = entry.by_name(db, name) or entry.by_ean(db, name)
    if found is None:
        raise unknown(db, name)
    return found


def unknown(db: Connection, name: str) -> UsageError:
    """Return what to say of a name that no meter has."""
    from difflib import get_close_matches  # only for who made a mistake

    from headend.store import registry

    near = get_close_matches(name[:64], registry.alike(db, name[:64], _COMPARED), _NEAR)
    hint = f" did you mean {' or '.join(near)}?" if near else ""
    return UsageError(
        f"no meter {name[:64]!r}:{hint} prepay meters lists them, "
        "prepay meters add NAME --port SPEC registers one"
    )


def applied(chosen: Settings, found: Entry) -> Settings:
    """Return settings with what the registry says wherever nobody chose."""
    said = {"port": found.transport, **found.access}
    taken = {
        name: value
        for name, value in said.items()
        if name not in chosen.given and getattr(chosen, name) == getattr(_DEFAULTS, name)
    }
    return replace(chosen, **taken)
