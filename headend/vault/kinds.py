"""The kinds of keys that a meter has, and how each is changed over the line.

| kind | changed by | what shows that the meter has it |
|---|---|---|
| master_key | class 64 ``key_transfer`` | its answer; it takes the same, wrapped by the new one |
| block_cipher_key | class 64 ``key_transfer`` | an association under it |
| authentication_key | class 64 ``key_transfer`` | an association with it |
| broadcast_key | class 64 ``key_transfer`` | its answer; the same again changes nothing |
| secret | class 15 method 2, 12 method 6 | an association with it, in HLS 2, 3, 4 and 6 |
| password | class 15 attribute 7, 12 method 5 | its answer; the same again changes nothing |
| client_signing_key | class 64 ``import_certificate`` | an association in HLS 7, or signed [1] |
| client_agreement_key | class 64 ``import_certificate`` | an association that agrees on keys [1] |
| meter_agreement_key | class 64 ``generate_key_pair`` | the request for its certificate |
| meter_signing_key | class 64 ``generate_key_pair`` | the request for its certificate |
| token_key | nothing | |

[1] Where no such association is asked for: its answer; the same again changes nothing.

The four pairs are there in suites 1 and 2 alone. The private keys of the client's are drawn here.
The meter's it makes itself and shows to nobody: here is its public key then, as a compressed point,
which is as short as the other keys (02 or 03, and X); ``MeterKeys`` has X || Y. While nobody knows
which one it is, no octets stand for it.

The settings of a key file are kept like a key: who can write into the database and has no master
key cannot make a meter be spoken to with less protection.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from obis.values import replace
from prepay.keys import KeyPairs, MeterKeys, is_public, lab_keys
from protocol.association.settings import BY_SECRET
from protocol.codes import Mechanism
from protocol.security import CertificateType, KeyId, PublicKey, SecuritySuite


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
#: The pairs of ours, and the meter's own; what each certificate is for.
OUR_PAIRS: Final[Mapping[Kind, CertificateType]] = {
    Kind.CLIENT_SIGNING: CertificateType.DIGITAL_SIGNATURE,
    Kind.CLIENT_AGREEMENT: CertificateType.KEY_AGREEMENT,
}
OWN_PAIRS: Final[Mapping[Kind, CertificateType]] = {
    Kind.METER_AGREEMENT: CertificateType.KEY_AGREEMENT,
    Kind.METER_SIGNING: CertificateType.DIGITAL_SIGNATURE,
}
_SYMMETRIC: Final = (*TRANSFERRED, Kind.SECRET, Kind.PASSWORD)
#: Those that can be changed over the line, in the order in which a rotation of all goes.
CHANGEABLE: Final = (*_SYMMETRIC, *OUR_PAIRS, *OWN_PAIRS)
_SIMPLE: Final = (*_SYMMETRIC, Kind.TOKEN)
_PAIRS: Final = {
    Kind.METER_SIGNING: ("meter", "signing_key"),
    Kind.METER_AGREEMENT: ("meter", "agreement_key"),
    Kind.CLIENT_SIGNING: ("client", "signing_key"),
    Kind.CLIENT_AGREEMENT: ("client", "agreement_key"),
}
#: What a compressed point begins with: Y is even, or odd.
_COMPRESSED: Final = (0x02, 0x03)


def parts(keys: MeterKeys) -> dict[Kind, bytes]:
    """Return a meter's keys one by one; suite 0 has no key pairs."""
    found = {kind: bytes(getattr(keys, kind.value)) for kind in _SIMPLE}
    if keys.suite:
        found |= {kind: _short(pair_of(keys, kind)) for kind in _PAIRS}
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
            half = known_half(SecuritySuite(suite), found[kind])
            sides[side] = _with(sides[side], name, half)
    simple = {kind.value: found[kind] for kind in _SIMPLE}
    settings = {"suite": suite, "mechanism": mechanism, "protection": protection}
    return replace(lab, **simple, **sides, **settings)  # type: ignore[arg-type]  # fields by name


def _with(pairs: KeyPairs, name: str, key: bytes) -> KeyPairs:
    return replace(pairs, **{name: key})


def pair_of(keys: MeterKeys, kind: Kind) -> bytes:
    """Return a key of a pair, as far as it is known."""
    side, name = _PAIRS[kind]
    key: bytes = getattr(getattr(keys, side), name)
    return key


def _short(key: bytes) -> bytes:
    """Return a key of a pair as it is kept: of a public one the compressed point."""
    half = len(key) // 2
    return bytes((_COMPRESSED[key[-1] & 1],)) + key[:half] if is_public(key) else key


def kept_public(key: PublicKey) -> bytes:
    """Return a public key as it is kept."""
    return _short(key.point)


def known_half(suite: SecuritySuite, kept: bytes) -> bytes:
    """Return the key of a pair that was kept: a private one as it is, of a public one X || Y.

    Raises:
        ValueError: it is no point of the curve.
    """
    if len(kept) != 1 + suite.coordinate_length:
        return kept
    return PublicKey.compressed(suite, kept).point


def opens(kind: Kind, mechanism: Mechanism, *, signs: bool = False, agrees: bool = False) -> bool:
    """Say whether an association of the management client shows which key of a kind is in force.

    Args:
        kind: which.
        mechanism: of the association.
        signs: its services are signed.
        agrees: they are under keys that are agreed on.
    """
    if kind is Kind.SECRET:
        return mechanism in BY_SECRET
    if kind in (Kind.CLIENT_SIGNING, Kind.METER_SIGNING):
        return signs or mechanism is Mechanism.HLS_ECDSA
    if kind in (Kind.CLIENT_AGREEMENT, Kind.METER_AGREEMENT):
        return agrees
    return kind in (Kind.BLOCK_CIPHER, Kind.AUTHENTICATION)


def why_not(kind: Kind, keys: MeterKeys) -> str:
    """Return why a key of a meter is not changed over the line; empty where it is."""
    if kind is Kind.SECRET and Mechanism(keys.mechanism) not in BY_SECRET:
        name = Mechanism(keys.mechanism).name.replace("_", "-")
        return f"{name} rests on the keys and uses no secret"
    if kind in _PAIRS and not keys.suite:
        return "suite 0 has no key pairs"
    return "no object of the meter changes it" if kind is Kind.TOKEN else ""
