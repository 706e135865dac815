"""Reaching a meter that has a pending key: under the new one it may answer, or still the old one.

Only an association that is open proves anything. So the new key is tried, then the old one; silence
and refusals prove nothing, since a line breaks and a meter that cannot decipher may stay silent. A
meter that answers under the new key makes it current, whoever reaches it and for whatever. A meter
that answers under the old one leaves the new one pending: it is the same key that is sent again.

A pair that a meter makes itself is another matter: nobody knows the new one until the meter shows
it. So who comes next asks first, in an association of its own, in which nothing that the meter
signs is judged before its key is known (``vault.pairs``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from headend.context import Context
from headend.errors import NoAnswer, Refused
from headend.security import AGREEING, public_of
from headend.session import AssociationRefused
from headend.vault.held import Held
from headend.vault.kinds import OWN_PAIRS, Kind, kept_public, opens, pair_of
from obis.values import replace
from protocol.errors import AccessRefused, ActionRefused
from protocol.security import PublicKey, SecuritySuite

if TYPE_CHECKING:
    from headend.reach import Reached
    from headend.vault.pairs import Unjudged

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
    except (AssociationRefused, NoAnswer):  # the latter where its signature was not the known key's
        if refresh(context) == before:
            raise
        return _reach_either(context, reach)  # another process has turned a key meanwhile


def _reach_either(context: Context, reach: Reach) -> "Reached":
    held = context.held
    assert held is not None  # the vault has keys of this meter
    if held.unknown:
        held = _find_out(context, held, reach)
    own = held.pending in OWN_PAIRS
    if held.pending is None or held.unknown or not (own or opens_here(context, held.pending)):
        return reach(context)
    context.keys = held.turned
    try:
        found = reach(context)
    except (NoAnswer, Refused):
        context.keys = held.keys
        return reach(context)
    if found.name == held.meter and not own:  # that one still needs its certificate
        settle(context, held, taken=True, why="the meter answers under it")
    return found


def opens_here(context: Context, kind: Kind) -> bool:
    """Say whether an association as this run opens it shows which key of a kind is in force."""
    from headend.reach import mechanism_of

    asked = context.settings
    agrees = asked.envelope in AGREEING
    return opens(kind, mechanism_of(context), signs=asked.sign, agrees=agrees)


# --- a pair that the meter made itself -----------------------------------------------------------


def _find_out(context: Context, held: Held, reach: Reach) -> Held:
    """Ask a meter that may have made itself a pair which one it has.

    Raises:
        NoAnswer, Refused: it is not reached.
    """
    from headend.vault.pairs import Setup, Unproven, requested

    assert held.pending is not None  # nobody knows it
    suite = SecuritySuite(held.keys.suite)
    with _unjudged(context, suite, held) as unjudged:
        found = reach(context)
        try:
            if found.name != held.meter:
                return held
            key = requested(Setup.of(found.device), suite, OWN_PAIRS[held.pending])
            known = public_of(suite, pair_of(held.keys, Kind.METER_SIGNING))
            unjudged.judge(key if held.pending is Kind.METER_SIGNING else known)
        except (AccessRefused, ActionRefused, Unproven):
            return held  # with the key of before it answers, or it does not
        finally:
            found.session.close()
    if key == public_of(suite, pair_of(held.keys, held.pending)):
        return held
    return learn(context, held, key)


@contextmanager
def _unjudged(context: Context, suite: SecuritySuite, held: Held) -> Iterator["Unjudged"]:
    """Let a session be opened in which nothing rests on the pairs of the meter."""
    from headend.vault.pairs import Unjudged

    known = public_of(suite, pair_of(held.keys, Kind.METER_SIGNING))
    asked = context.settings
    context.unjudged = Unjudged(known.suite, known.point)
    if asked.envelope in AGREEING:
        context.settings = replace(asked, envelope="glo")
    try:
        yield context.unjudged
    finally:
        context.unjudged, context.settings = None, asked


def learn(context: Context, held: Held, key: PublicKey) -> Held:
    """Note which pair the meter has made itself, in the database and in the context."""
    context.vault.learn(held, kept_public(key), context.now(), context.caller)
    return refresh(context)


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
