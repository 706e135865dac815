"""Envelope encryption of one key: AES-256-GCM, a data key for each (ADR 9).

    01 || nonce (12) || data key, encrypted under the master key (32 + 16)
       || the key, encrypted under the data key (65 + 16)

Both are bound to meter, kind and version as associated data: a row that is copied to another place
does not open there. A data key encrypts once, so its nonce is zero. The key has its length before
it and zeros behind, so that no row shows how long a password is.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headend.errors import NoMasterKey, Refused
from headend.vault.masters import MasterKey, Masters

_FORM: Final = b"\x01"
_NONCE: Final = 12
_TAG: Final = 16
_DATA_KEY: Final = 32
#: The longest key there is: a password or secret.
LONGEST: Final = 64
_HEAD: Final = len(_FORM) + _NONCE + _DATA_KEY + _TAG
_LENGTH: Final = _HEAD + 1 + LONGEST + _TAG

Entropy = Callable[[int], bytes]


class Unreadable(Refused):
    """A key in the database cannot be opened: no master key for it, or the row was changed."""


class UnderAnother(Unreadable, NoMasterKey):
    """A key is wrapped under a master key that is not at hand: elsewhere it may be."""

    exit_code = Unreadable.exit_code


def label(meter: str, kind: str, version: int) -> bytes:
    """Return the associated data of a key: no two places have the same."""
    name = meter.encode("utf-8")
    return b"OpenPrepay key" + len(name).to_bytes(2, "big") + name + f"{kind} {version}".encode()


def wrap(master: MasterKey, key: bytes, place: bytes, entropy: Entropy) -> bytes:
    """Return a key wrapped for its place.

    Args:
        master: what it is wrapped under.
        key: at most ``LONGEST`` octets.
        place: its ``label``.
        entropy: for nonce and data key.

    Raises:
        ValueError: the key is too long.
    """
    if len(key) > LONGEST:
        raise ValueError(f"a key of {len(key)} octets")
    data_key = entropy(_DATA_KEY)
    padded = bytes((len(key),)) + key.ljust(LONGEST, b"\0")
    sealed = AESGCM(data_key).encrypt(bytes(_NONCE), padded, place)
    return _head(master, data_key, place, entropy) + sealed


def unwrap(masters: Masters, fingerprint: str, wrapped: bytes, place: bytes) -> bytes:
    """Return a key.

    Args:
        masters: among them the one that it was wrapped under.
        fingerprint: of that one.
        wrapped: what ``wrap`` returned.
        place: its ``label``.

    Raises:
        Unreadable: there is no such master key, or these octets were not wrapped for this place.
    """
    data_key = _data_key(masters, fingerprint, wrapped, place)
    try:
        padded = AESGCM(data_key).decrypt(bytes(_NONCE), wrapped[_HEAD:], place)
    except InvalidTag as error:
        raise _changed(place) from error
    return padded[1 : 1 + padded[0]]


def rewrap(
    masters: Masters, fingerprint: str, wrapped: bytes, place: bytes, entropy: Entropy
) -> bytes:
    """Return the same key under the first master key; the key itself stays wrapped.

    Raises:
        Unreadable: as in ``unwrap``.
    """
    data_key = _data_key(masters, fingerprint, wrapped, place)
    return _head(masters.first, data_key, place, entropy) + wrapped[_HEAD:]


def _head(master: MasterKey, data_key: bytes, place: bytes, entropy: Entropy) -> bytes:
    nonce = entropy(_NONCE)
    return _FORM + nonce + AESGCM(master.octets).encrypt(nonce, data_key, place)


def _data_key(masters: Masters, fingerprint: str, wrapped: bytes, place: bytes) -> bytes:
    if len(wrapped) != _LENGTH or not wrapped.startswith(_FORM):
        raise _changed(place)
    master = masters.by_fingerprint(fingerprint)
    if master is None:
        raise UnderAnother(
            f"the keys are wrapped under master key {fingerprint}, which is not at hand "
            f"(there is {masters.first.fingerprint}): give the file that has it, "
            "PREPAY_MASTER_KEY_FILE"
        )
    nonce, sealed = wrapped[1 : 1 + _NONCE], wrapped[1 + _NONCE : _HEAD]
    try:
        return AESGCM(master.octets).decrypt(nonce, sealed, place)
    except InvalidTag as error:
        raise _changed(place) from error


def _changed(place: bytes) -> Unreadable:
    length = int.from_bytes(place[14:16], "big")
    meter, kind = place[16 : 16 + length].decode(), place[16 + length :].decode()
    return Unreadable(f"{meter}: the wrapped {kind} was changed, or is another key's")
