"""The kinds of keys that a meter has, and how each is changed over the line.

| kind | changed by | what shows that the meter has it |
|---|---|---|
| master_key | class 64 ``key_transfer`` | its answer; it takes the same, wrapped by the new one |
| block_cipher_key | class 64 ``key_transfer`` | an association under it |
| authentication_key | class 64 ``key_transfer`` | an association with it |
| broadcast_key | class 64 ``key_transfer`` | its answer; the same again changes nothing |
| secret | class 15 method 2, 12 method 6 | an association with it, in HLS 2, 3, 4 and 6 |
| password | class 15 attribute 7, 12 method 5 | its answer; the same again changes nothing |
| all others | nothing | |

The settings of a key file are kept like a key: who can write into the database and has no master
key cannot make a meter be spoken to with less protection.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from obis.values import replace
from prepay.keys import KeyPairs, MeterKeys, lab_keys
from protocol.association.settings import BY_SECRET
from protocol.codes import Mechanism
from protocol.security import KeyId


class Kind(StrEnum):
    """What one wrapped key is; most have the name of their field in ``MeterKeys``."""

    MASTER = "master_key"
    BLOCK_CIPHER = "block_cipher_key"
    AUTHENTICATION = "authentication_key"
    BROADCAST = "broadcast_key"
    SECRET = "secret"
    PASSWORD = "password"
    TOKEN = "token_key"
    METER_SIGNING = "meter_signing_key"
    METER_AGREEMENT = "meter_agreement_key"
    CLIENT_SIGNING = "client_signing_key"
    CLIENT_AGREEMENT = "client_agreement_key"
    SETTINGS = "settings"


#: Those that class 64 transfers.
TRANSFERRED: Final[Mapping[Kind, KeyId]] = {
    Kind.MASTER: KeyId.MASTER,
    Kind.BLOCK_CIPHER: KeyId.GLOBAL_UNICAST_ENCRYPTION,
    Kind.AUTHENTICATION: KeyId.AUTHENTICATION,
    Kind.BROADCAST: KeyId.GLOBAL_BROADCAST_ENCRYPTION,
}
#: Those that can be changed over the line, in the order in which a rotation of all goes.
CHANGEABLE: Final = (*TRANSFERRED, Kind.SECRET, Kind.PASSWORD)
_SIMPLE: Final = (*CHANGEABLE, Kind.TOKEN)
_PAIRS: Final = {
    Kind.METER_SIGNING: ("meter", "signing_key"),
    Kind.METER_AGREEMENT: ("meter", "agreement_key"),
    Kind.CLIENT_SIGNING: ("client", "signing_key"),
    Kind.CLIENT_AGREEMENT: ("client", "agreement_key"),
}
_OWN_PAIR: Final = "the meter makes it itself (class 64, generate_key_pair) and shows it to nobody"
_CERTIFIED: Final = "the meter takes it with a certificate (class 64, import_certificate)"
_UNCHANGEABLE: Final = {
    Kind.TOKEN: "no object of the meter changes it",
    Kind.METER_SIGNING: _OWN_PAIR,
    Kind.METER_AGREEMENT: _OWN_PAIR,
    Kind.CLIENT_SIGNING: _CERTIFIED,
    Kind.CLIENT_AGREEMENT: _CERTIFIED,
}


def parts(keys: MeterKeys) -> dict[Kind, bytes]:
    """Return a meter's keys one by one; suite 0 has no key pairs."""
    found = {kind: bytes(getattr(keys, kind.value)) for kind in _SIMPLE}
    if keys.suite:
        found |= {kind: getattr(getattr(keys, side), name) for kind, (side, name) in _PAIRS.items()}
    found[Kind.SETTINGS] = bytes((keys.suite, keys.mechanism, keys.protection))
    return found


def assemble(found: Mapping[Kind, bytes]) -> MeterKeys:
    """Return the keys that ``parts`` took apart.

    Raises:
        KeyError: one is missing.
        ValueError: the settings are none.
    """
    suite, mechanism, protection = found[Kind.SETTINGS]
    lab = lab_keys(suite)  # suite 0 has pairs that nobody uses
    sides = {"meter": lab.meter, "client": lab.client}
    if suite:
        for kind, (side, name) in _PAIRS.items():
            sides[side] = _with(sides[side], name, found[kind])
    simple = {kind.value: found[kind] for kind in _SIMPLE}
    settings = {"suite": suite, "mechanism": mechanism, "protection": protection}
    return replace(lab, **simple, **sides, **settings)  # type: ignore[arg-type]  # fields by name


def _with(pairs: KeyPairs, name: str, key: bytes) -> KeyPairs:
    return replace(pairs, **{name: key})


def opens(kind: Kind, keys: MeterKeys) -> bool:
    """Say whether an association of the management client shows which key of a kind is in force."""
    if kind is Kind.SECRET:
        return Mechanism(keys.mechanism) in BY_SECRET
    return kind in (Kind.BLOCK_CIPHER, Kind.AUTHENTICATION)


def why_not(kind: Kind, keys: MeterKeys) -> str:
    """Return why a key of a meter is not changed over the line; empty where it is."""
    if kind is Kind.SECRET and Mechanism(keys.mechanism) not in BY_SECRET:
        name = Mechanism(keys.mechanism).name.replace("_", "-")
        return f"{name} rests on the keys and uses no secret"
    return _UNCHANGEABLE.get(kind, "")
