"""Reaching a meter that has a pending key: under the new one it may answer, or still the old one.

Only an association that is open proves anything. So the new key is tried, then the old one; silence
and refusals prove nothing, since a line breaks and a meter that cannot decipher may stay silent. A
meter that answers under the new key makes it current, whoever reaches it and for whatever. A meter
that answers under the old one leaves the new one pending: it is the same key that is sent again.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from headend.context import Context
from headend.errors import NoAnswer, Refused
from headend.session import AssociationRefused
from headend.vault.kinds import Kind, opens
from headend.vault.vault import Held

if TYPE_CHECKING:
    from headend.reach import Reached

Reach = Callable[[Context], "Reached"]


def reach_held(context: Context, reach: Reach) -> "Reached":
    """Open a session of the management client with a meter of the vault's.

    Args:
        context: of that meter; its keys are those that worked, afterwards.
        reach: opens a session under the keys of a context.

    Raises:
        NoAnswer, Refused: under no key that it may have does it answer.
    """
    before = context.held
    try:
        return _reach_either(context, reach)
    except AssociationRefused:
        if refresh(context) == before:
            raise
        return _reach_either(context, reach)  # another process has turned a key meanwhile


def _reach_either(context: Context, reach: Reach) -> "Reached":
    held = context.held
    assert held is not None  # the vault has keys of this meter
    if held.pending is None or not opens(held.pending, held.keys):
        return reach(context)
    context.keys = held.turned
    try:
        found = reach(context)
    except (NoAnswer, Refused):
        context.keys = held.keys
        return reach(context)
    if found.name == held.meter:
        settle(context, held, taken=True, why="the meter answers under it")
    return found


def open_reader(context: Context, open_: Reach) -> "Reached":
    """Open a session of the reader, whose password may be pending.

    Nothing is settled by it: a reader does not find out who answers.
    """
    held = context.held
    if held is None or held.pending is not Kind.PASSWORD or context.settings.password is not None:
        return open_(context)
    context.keys = held.turned
    try:
        return open_(context)
    except (NoAnswer, Refused):
        context.keys = held.keys
        return open_(context)


def settle(context: Context, held: Held, *, taken: bool, why: str) -> None:
    """Note what has become of a pending key, in the database and in the context."""
    context.vault.settle(held, context.now(), context.caller, taken=taken, why=why)
    refresh(context)


def refresh(context: Context) -> Held:
    """Have the context take its keys from the vault anew."""
    for name in ("held", "keys"):
        with suppress(AttributeError):
            delattr(context, name)
    assert context.held is not None  # the vault forgets nothing
    return context.held
