"""Rotation: a new key of a meter, brought there in two phases, whatever dies and whatever is lost.

1. The new key is drawn and written down, wrapped, as pending: before it is sent.
2. It is sent. What the meter says about it, or under which key it answers next, ends the phase:
   the key is current, and the one before retired; or it is refused.

| the new key | what settles it |
|---|---|
| opens associations | an association under it, or under the one before |
| does not, and the meter says success | that answer, which is authenticated |
| does not, and the answer was lost | it is sent once more: no change where it had arrived |

A master key whose answer was lost is sent once more as well, wrapped under itself first: a meter
that has it can unwrap it, and one that has it not refuses and gets it under the one before.

A pair that the meter makes itself is pending before it is told to make one, and nobody knows it:

| state | the meter has | who reaches it |
|---|---|---|
| pending, not known | the pair before, or a new one | asks it first which, see ``answering`` |
| pending, known | the new one | under the new one, else the one before |
| current | the new one, with our certificate unless it refused that | under the new one |

What signs the answers of a session is what the meter had when that began. So it is told to make a
pair, asked which one, and given its certificate in one session; and wherever that breaks off, the
next one begins by asking. It is never told to make another while one is pending that it has made.

A refusal is believed where the key was never sent before. Where it may have been, the meter may
have the key and refuse it for having it: the key stays pending, for people to look at.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from headend.context import Context
from headend.errors import Cancelled, Expired, NoAnswer, OutcomeUnknown, Refused, UsageError
from headend.reach import mechanism_of, reach
from headend.security import public_of
from headend.session import ExceptionAnswered
from headend.vault import pairs
from headend.vault.answering import learn, opens_here, refresh, settle
from headend.vault.held import Held
from headend.vault.kinds import OWN_PAIRS, Kind, kept_public, pair_of, why_not
from headend.vault.sending import drawn, send
from protocol.codes import Mechanism
from protocol.errors import AccessRefused, ActionRefused
from protocol.security import PublicKey, SecuritySuite

#: How often a key is sent and asked about before that is left to the next run.
ATTEMPTS: Final = 3


class End(StrEnum):
    """What became of one kind of key."""

    NEW = "new"
    KEPT = "kept"  # it cannot be changed, or not here
    REFUSED = "refused"  # by the meter


class Turned(Struct, frozen=True):
    """What became of one kind of key.

    Args:
        kind: which.
        end: what.
        why: why it has not become a new one.
    """

    kind: Kind
    end: End
    why: str = ""


def rotate(context: Context, kinds: Sequence[Kind], identity: str) -> list[Turned]:
    """Give a meter new keys, one after the other; a key that is pending goes first.

    Args:
        context: of a meter that was given by name, and of which the vault has the keys.
        kinds: which keys; those that cannot be changed over the line are told, and stay.
        identity: transaction id: what was changed under it is not changed again.

    Returns:
        What became of each.

    Raises:
        UsageError: not as the management client.
        Refused: the vault has no keys of it.
        NoAnswer: the meter was not reached; keys that were changed before stay changed.
        OutcomeUnknown: a key was sent and nobody said what became of it; it stays pending.
    """
    if mechanism_of(context) < Mechanism.HLS:
        raise UsageError("only the management client changes keys: leave out --client")
    held = _held(context)
    done: list[Turned] = []
    order = [*([held.pending] if held.pending else []), *kinds]
    for kind in dict.fromkeys(order):
        try:
            done.append(_turned(context, kind, identity))
        except (Cancelled, Expired) as error:
            if not any(each.end is End.NEW for each in done):
                raise
            done.append(Turned(kind, End.KEPT, f"not begun: {error}"))
        if held.pending is kind and done[-1].end is End.NEW and kind not in kinds:
            done.pop()  # it was found out about on the way, and nobody asked
    return done


def _turned(context: Context, kind: Kind, identity: str) -> Turned:
    held = _held(context)
    reason = why_not(kind, held.keys) or _too_open(context, kind)
    if reason:  # also of one that is pending: it stays so
        return Turned(kind, End.KEPT, reason)
    if held.pending not in (kind, None):
        return Turned(kind, End.KEPT, f"not begun: a new {held.pending} is still pending")
    if held.pending is not kind and held.drawn[kind] == identity:
        return Turned(kind, End.NEW)  # a run before this one has done it
    if kind in OWN_PAIRS:
        return _turn_own(context, kind, identity)
    return _turn(context, kind, identity)


def _held(context: Context) -> Held:
    """Return what the vault has of the context's meter.

    Raises:
        Refused: nothing, or the meter was not given by name.
    """
    held = context.held
    if held is None:
        raise Refused(
            "the keys of this meter are not the vault's: prepay keys import takes them in, "
            "and --meter NAME without --keys uses them"
        )
    return held


def _too_open(context: Context, kind: Kind) -> str:
    """Return why a secret is not sent in a session that others can read; empty where it is."""
    if kind not in (Kind.SECRET, Kind.PASSWORD) or context.settings.protection != "authenticated":
        return ""
    return "it would go over the line in clear: leave out --protection authenticated"


def _turn(context: Context, kind: Kind, identity: str) -> Turned:
    """Bring a new key of one kind to the meter."""
    meter = _held(context).meter
    doubtful = _held(context).pending is kind  # a run before this one may have sent it
    _check_permitted(context, sent=doubtful)
    context.vault.begin_rotation(
        meter,
        kind,
        lambda keys: drawn(context, kind, keys),
        identity,
        context.now(),
        context.caller,
    )
    refresh(context)
    fate, refusal = "", ""
    for _ in range(ATTEMPTS):
        try:
            found = reach(context)
        except NoAnswer as error:
            if not doubtful:
                raise
            fate = str(error)
            continue
        try:
            held = _held(context)
            if held.pending is not kind:
                return Turned(kind, End.NEW)
            if refusal:  # and under the one before it answers
                return _refused(context, held, refusal)
            _check_permitted(context, sent=doubtful)
            before, doubtful = doubtful, True
            send(found.device, context, held, again=before)
            fate = "it says that it has, and answers under the one before"
            if not opens_here(context, kind):
                settle(context, held, taken=True, why="the meter says so")
                return Turned(kind, End.NEW)
        except (AccessRefused, ActionRefused, pairs.Mistrusted) as error:
            refusal = f"the meter refuses it: {error}"
            if not opens_here(context, kind):
                return _refused(context, held, refusal, doubtful=before)
        except (NoAnswer, ExceptionAnswered) as error:  # nothing authenticates an exception
            fate = str(error)
        finally:
            found.session.close()
    raise OutcomeUnknown(
        f"it is not known whether {meter} has its new {kind} ({fate}); both are kept, and "
        "the same command again finds out",
        identity,
    )


def _turn_own(context: Context, kind: Kind, identity: str) -> Turned:
    """Have the meter make itself a new pair, and give it a certificate of it."""
    fate = ""
    for _ in range(ATTEMPTS):
        told = _held(context).pending is kind  # it may have been told to make one
        _check_permitted(context, sent=told)
        try:
            found = reach(context)
        except NoAnswer as error:
            if not told:
                raise
            fate = str(error)
            continue
        try:
            done = _turn_once(context, pairs.Setup.of(found.device), kind, identity)
            if done is not None:
                return done
            fate = "the meter refuses its certificate"
        except (AccessRefused, ActionRefused, pairs.Mistrusted, pairs.Unproven) as error:
            fate = f"the meter refuses it: {error}"
            if _held(context).pending is not kind:
                return Turned(kind, End.REFUSED, fate)
        except (NoAnswer, ExceptionAnswered) as error:
            if _held(context).pending is not kind:
                raise  # it was not even told to
            fate = str(error)
        finally:
            found.session.close()
    raise OutcomeUnknown(
        f"it is not known whether {_held(context).meter} has made itself a new {kind} ({fate}); "
        "whoever reaches it next asks, and the same command again goes on",
        identity,
    )


def _turn_once(context: Context, setup: pairs.Setup, kind: Kind, identity: str) -> Turned | None:
    """Do in one session what is left to be done; None where only the next one shows its end."""
    held = _held(context)
    if held.pending is kind and not held.unknown:
        answered = context.keys == held.turned  # under the new one; else under the one before
        same = _shown(context, setup, kind)
        lacking = _uncertified(context, setup)
        if not lacking or not opens_here(context, kind) or (same and answered):
            return _own_turned(context, lacking)
        return _refused(context, _held(context), lacking) if same else None
    before = _before(context, setup, kind)
    _check_permitted(context, sent=held.pending is kind)
    _begin_own(context, kind, identity)
    refusal = _made(context, setup, before)
    if refusal:
        return _refused(context, _held(context), refusal)
    lacking = _uncertified(context, setup)
    if lacking and opens_here(context, kind):
        return None  # a session under the new one shows whether the meter has it all the same
    return _own_turned(context, lacking)


def _before(context: Context, setup: pairs.Setup, kind: Kind) -> PublicKey:
    """Return which key the meter has before it makes another: it can show it, and trusts us."""
    held = _held(context)
    suite = SecuritySuite(held.keys.suite)
    shown = pairs.requested(setup, suite, OWN_PAIRS[kind])
    try:
        pairs.entrust(setup, context.vault.authority(suite, context.now(), context.caller))
    except (AccessRefused, ActionRefused, pairs.Mistrusted) as error:
        if held.unknown and shown == public_of(suite, pair_of(held.keys, kind)):
            settle(context, held, taken=False, why=f"it has the one before, and {error}")
        raise
    return shown


def _begin_own(context: Context, kind: Kind, identity: str) -> None:
    """Write down that the meter is about to make a pair, which nobody knows."""
    meter, now = _held(context).meter, context.now()
    context.vault.begin_rotation(meter, kind, lambda _: b"", identity, now, context.caller)
    refresh(context)


def _made(context: Context, setup: pairs.Setup, before: PublicKey) -> str:
    """Have the meter make a pair and note which; return why it has none, empty where it has."""
    held = _held(context)
    assert held.pending is not None  # it was written down
    purpose, refusal = OWN_PAIRS[held.pending], "the meter says that it has, and has the one before"
    try:
        pairs.generate(setup, purpose)
    except ActionRefused as error:
        refusal = f"the meter refuses it: {error}"
    key = pairs.requested(setup, before.suite, purpose)
    if key == before:
        return refusal
    learn(context, held, key)
    return ""


def _shown(context: Context, setup: pairs.Setup, kind: Kind) -> bool:
    """Have the meter show once more which pair it has; say whether it is the one that is known."""
    held = _held(context)
    key = pairs.requested(setup, SecuritySuite(held.keys.suite), OWN_PAIRS[kind])
    if kept_public(key) == held.new:
        return True
    learn(context, held, key)
    return False


def _uncertified(context: Context, setup: pairs.Setup) -> str:
    """Give the meter a certificate of the pair that it has made; return why it takes none."""
    try:
        pairs.certify_own(setup, context, _held(context))
    except (AccessRefused, ActionRefused, pairs.Mistrusted) as error:
        return f"the meter refuses its certificate: {error}"
    return ""


def _own_turned(context: Context, lacking: str) -> Turned:
    """Note that the meter has the pair that it has made, be it without our certificate."""
    held = _held(context)
    assert held.pending is not None  # it is known by now
    settle(context, held, taken=True, why=lacking or "the meter has asked for its certificate")
    return Turned(held.pending, End.NEW, lacking and f"and in force, but {lacking}")


def _refused(context: Context, held: Held, refusal: str, *, doubtful: bool = False) -> Turned:
    """Note a refusal, where it can be believed."""
    assert held.pending is not None  # it was sent
    if doubtful:
        refusal += "; it may have it from before, so both are kept"
    else:
        settle(context, held, taken=False, why=refusal)
    return Turned(held.pending, End.REFUSED, refusal)


def _check_permitted(context: Context, *, sent: bool) -> None:
    """Refuse to send a key for the first time when it is too late for that, or was withdrawn.

    Raises:
        Cancelled, Expired: nothing was sent.
    """
    if sent:
        return
    if context.cancelled():
        raise Cancelled("withdrawn before the key was sent")
    if context.not_after is not None and context.now() > context.not_after:
        raise Expired("too late: the key was not sent")
