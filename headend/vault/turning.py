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

A refusal is believed where the key was never sent before. Where it may have been, the meter may
have the key and refuse it for having it: the key stays pending, for people to look at.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from headend.context import Context
from headend.device import Device
from headend.errors import Cancelled, Expired, NoAnswer, OutcomeUnknown, Refused, UsageError
from headend.reach import mechanism_of, reach
from headend.session import ExceptionAnswered
from headend.vault.answering import refresh, settle
from headend.vault.kinds import TRANSFERRED, Kind, opens, why_not
from headend.vault.vault import Held
from obis import catalogue
from prepay.keys import MeterKeys, symmetric_length
from protocol import axdr
from protocol.codes import Mechanism
from protocol.cosem.security_setup import KEY_DATA
from protocol.cosem.types import ArrayOf, to_data
from protocol.errors import AccessRefused, ActionRefused
from protocol.events import AttributeRef, MethodRef
from protocol.security import KeyId, wrap_key

#: How often a key is sent and asked about before that is left to the next run.
ATTEMPTS: Final = 3
_SECURITY_SETUP, _KEY_TRANSFER = 64, 2
_ASSOCIATION_LN, _LLS_SECRET, _CHANGE_HLS_SECRET = 15, 7, 2
_ASSOCIATION_SN, _CHANGE_SECRET, _CHANGE_HLS_SECRET_SN = 12, 5, 6
#: Of a password: digits and letters that nobody mixes up when reading them out.
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: Octets of the shortest password and secret that are made here.
_LEAST_PASSWORD, _LEAST_SECRET = 8, 16


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
    if kind in TRANSFERRED or context.settings.protection != "authenticated":
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
        lambda keys: _drawn(context, kind, keys),
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
            _send(found.device, context, held, again=before)
            fate = "it says that it has, and answers under the one before"
            if not opens(kind, held.keys):
                settle(context, held, taken=True, why="the meter says so")
                return Turned(kind, End.NEW)
        except (AccessRefused, ActionRefused) as error:
            refusal = f"the meter refuses it: {error}"
            if not opens(kind, held.keys):
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


# --- new keys ------------------------------------------------------------------------------------


def _drawn(context: Context, kind: Kind, keys: MeterKeys) -> bytes:
    """Return a new key; secrets are as long as those before, which the meter has room for."""
    if kind in TRANSFERRED:
        return context.entropy(symmetric_length(keys.suite))
    if kind is Kind.SECRET:
        return context.entropy(max(len(keys.secret), _LEAST_SECRET))
    octets = context.entropy(max(len(keys.password), _LEAST_PASSWORD))
    return "".join(_ALPHABET[octet % len(_ALPHABET)] for octet in octets).encode("ascii")


# --- over the line -------------------------------------------------------------------------------


def _send(device: Device, context: Context, held: Held, *, again: bool) -> None:
    """Send the pending key.

    Raises:
        AccessRefused, ActionRefused: the meter refuses it.
        NoAnswer, ExceptionAnswered: it is not known what became of it.
    """
    assert held.pending is not None  # it was written down before
    kind, short = held.pending, context.settings.short_names
    here = catalogue.CURRENT_ASSOCIATION
    new = axdr.octet_string(held.new)
    if kind is Kind.MASTER:
        _send_master(device, held, again=again)
    elif kind in TRANSFERRED:
        _transfer(device, TRANSFERRED[kind], held.keys.master_key, held.new)
    elif kind is Kind.SECRET:
        method = (_ASSOCIATION_SN, _CHANGE_HLS_SECRET_SN)
        class_id, index = method if short else (_ASSOCIATION_LN, _CHANGE_HLS_SECRET)
        device.session.action(MethodRef(class_id, here, index), new)
    elif short:
        device.session.action(MethodRef(_ASSOCIATION_SN, here, _CHANGE_SECRET), new)
    else:
        device.session.set(AttributeRef(_ASSOCIATION_LN, here, _LLS_SECRET), new)


def _send_master(device: Device, held: Held, *, again: bool) -> None:
    if again:
        try:
            _transfer(device, KeyId.MASTER, held.new, held.new)
        except ActionRefused:
            pass  # the meter does not have it yet
        else:
            return
    _transfer(device, KeyId.MASTER, held.keys.master_key, held.new)


def _transfer(device: Device, key_id: KeyId, wrapping: bytes, key: bytes) -> None:
    method = MethodRef(_SECURITY_SETUP, catalogue.SECURITY_SETUP, _KEY_TRANSFER)
    device.session.action(method, to_data(ArrayOf(KEY_DATA), [(key_id, wrap_key(wrapping, key))]))
