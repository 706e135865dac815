"""A new key of each kind: how it is made, and how it is brought to the meter."""

from typing import Final

from headend.context import Context
from headend.device import Device
from headend.vault import pairs
from headend.vault.held import Held
from headend.vault.kinds import OUR_PAIRS, TRANSFERRED, Kind
from obis import catalogue
from obis.code import ObisCode
from prepay.keys import MeterKeys, symmetric_length
from protocol import axdr
from protocol.cosem.security_setup import KEY_DATA
from protocol.cosem.types import ArrayOf, to_data
from protocol.errors import ActionRefused
from protocol.events import AttributeRef, MethodRef
from protocol.security import KeyId, PrivateKey, SecuritySuite, wrap_key

_SECURITY_SETUP, _KEY_TRANSFER = 64, 2
_ASSOCIATION_LN, _LLS_SECRET, _CHANGE_HLS_SECRET = 15, 7, 2
_ASSOCIATION_SN, _CHANGE_SECRET, _CHANGE_HLS_SECRET_SN = 12, 5, 6
#: Of a password: digits and letters that nobody mixes up when reading them out.
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: Octets of the shortest password and secret that are made here.
_LEAST_PASSWORD, _LEAST_SECRET = 8, 16


# --- new keys ------------------------------------------------------------------------------------


def drawn(context: Context, kind: Kind, keys: MeterKeys) -> bytes:
    """Return a new key; secrets are as long as those before, which the meter has room for."""
    if kind in TRANSFERRED:
        return context.entropy(symmetric_length(keys.suite))
    if kind in OUR_PAIRS:
        return PrivateKey.from_entropy(SecuritySuite(keys.suite), context.entropy).scalar
    if kind is Kind.SECRET:
        return context.entropy(max(len(keys.secret), _LEAST_SECRET))
    octets = context.entropy(max(len(keys.password), _LEAST_PASSWORD))
    return "".join(_ALPHABET[octet % len(_ALPHABET)] for octet in octets).encode("ascii")


# --- over the line -------------------------------------------------------------------------------


def send(device: Device, context: Context, held: Held, *, again: bool) -> None:
    """Send the pending key.

    Raises:
        AccessRefused, ActionRefused: the meter refuses it.
        NoAnswer, ExceptionAnswered: it is not known what became of it.
    """
    assert held.pending is not None  # it was written down before
    kind, short = held.pending, context.settings.short_names
    here = catalogue.CURRENT_ASSOCIATION
    new = axdr.octet_string(held.new)
    if kind in TRANSFERRED:
        setup = device.security_setup(short_names=short)
        if kind is Kind.MASTER:
            _send_master(device, setup, held, again=again)
        else:
            _transfer(device, setup, TRANSFERRED[kind], held.keys.master_key, held.new)
    elif kind in OUR_PAIRS:
        pairs.certify_ours(pairs.Setup.of(device), context, held)
    elif kind is Kind.SECRET:
        method = (_ASSOCIATION_SN, _CHANGE_HLS_SECRET_SN)
        class_id, index = method if short else (_ASSOCIATION_LN, _CHANGE_HLS_SECRET)
        device.session.action(MethodRef(class_id, here, index), new)
    elif short:
        device.session.action(MethodRef(_ASSOCIATION_SN, here, _CHANGE_SECRET), new)
    else:
        device.session.set(AttributeRef(_ASSOCIATION_LN, here, _LLS_SECRET), new)


def _send_master(device: Device, setup: ObisCode, held: Held, *, again: bool) -> None:
    if again:
        try:
            _transfer(device, setup, KeyId.MASTER, held.new, held.new)
        except ActionRefused:
            pass  # the meter does not have it yet
        else:
            return
    _transfer(device, setup, KeyId.MASTER, held.keys.master_key, held.new)


def _transfer(device: Device, setup: ObisCode, key_id: KeyId, wrapping: bytes, key: bytes) -> None:
    method = MethodRef(_SECURITY_SETUP, setup, _KEY_TRANSFER)
    device.session.action(method, to_data(ArrayOf(KEY_DATA), [(key_id, wrap_key(wrapping, key))]))
