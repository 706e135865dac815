"""How the head-end proves itself to a meter and protects what it says: the key file's settings.

The meter's half of the key file gives the public keys alone: what a head-end does not need it does
not use, although the lab's file has both. Of a meter that made its own there is no more.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headend.errors import UsageError
from protocol.association import ClientSettings
from protocol.association.envelope import Exchange, KeyKind, Signing
from protocol.codes import ApplicationContext, Mechanism
from protocol.security import (
    KeySet,
    PrivateKey,
    Protection,
    PublicKey,
    SecurityMaterial,
    SecuritySuite,
)

if TYPE_CHECKING:
    from prepay.keys import MeterKeys


def key_set(keys: "MeterKeys") -> KeySet:
    """Return the global unicast keys."""
    return KeySet(keys.block_cipher_key, keys.authentication_key, SecuritySuite(keys.suite))


def half_of(suite: SecuritySuite, key: bytes) -> PrivateKey | PublicKey:
    """Return a key of a pair, as far as it is known.

    Raises:
        ValueError: it is none of the suite's curve.
    """
    return (
        PublicKey(suite, key) if len(key) == 2 * suite.coordinate_length else PrivateKey(suite, key)
    )


def public_of(suite: SecuritySuite, key: bytes) -> PublicKey:
    """Return the public key of a pair of which either key is known.

    Raises:
        ValueError: it is none of the suite's curve.
    """
    half = half_of(suite, key)
    return half.public if isinstance(half, PrivateKey) else half


def material(keys: "MeterKeys") -> SecurityMaterial:
    """Return everything beside them: our private keys, and the meter's public ones."""
    suite = SecuritySuite(keys.suite)
    if not suite:
        return SecurityMaterial(broadcast_key=keys.broadcast_key, master_key=keys.master_key)
    return SecurityMaterial(
        broadcast_key=keys.broadcast_key,
        master_key=keys.master_key,
        signing_key=PrivateKey(suite, keys.client.signing_key),
        agreement_key=PrivateKey(suite, keys.client.agreement_key),
        peer_signing_key=public_of(suite, keys.meter.signing_key),
        peer_agreement_key=public_of(suite, keys.meter.agreement_key),
    )


#: How services may be ciphered, by the name of ``--envelope``.
ENVELOPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "glo": {},
    "general-glo": {"general_ciphering": True},
    "ded": {"dedicated_key": True},
    "general-ded": {"dedicated_key": True, "general_ciphering": True},
    "identified": {"exchange": Exchange(KeyKind.IDENTIFIED)},
    "wrapped": {"exchange": Exchange(KeyKind.WRAPPED)},
    "one-pass": {"exchange": Exchange(KeyKind.ONE_PASS)},
    "static": {"exchange": Exchange(KeyKind.STATIC_UNIFIED)},
}
#: Those that need a curve, which suite 0 has not.
AGREEING: Final = ("one-pass", "static")
#: Where another suite comes from.
_OTHER_SUITE: Final = ", in a key file of both sides: prepay-sim keys --suite 1 prints one"
#: How services may be protected, by the name of ``--protection``.
PROTECTIONS: Final[Mapping[str, Protection]] = {
    "authenticated": Protection.AUTHENTICATED,
    "encrypted": Protection.ENCRYPTED,
    "authenticated-encrypted": Protection.AUTHENTICATED_ENCRYPTED,
}


def management(
    keys: "MeterKeys",
    title: bytes,
    mechanism: Mechanism,
    *,
    envelope: str = "glo",
    protection: str = "authenticated-encrypted",
    signed: bool = False,
) -> ClientSettings:
    """Return how to open an association as the management client.

    Args:
        keys: the key file.
        title: our system title.
        mechanism: one of HLS.
        envelope: one of ``ENVELOPES``.
        protection: one of ``PROTECTIONS``.
        signed: sign services as well.

    Raises:
        UsageError: they do not go together, for instance signatures and suite 0.
    """
    if envelope in AGREEING and not keys.suite:
        raise UsageError(
            f"suite 0 agrees on no keys: --envelope {envelope} needs suite 1 or 2{_OTHER_SUITE}"
        )
    ecdsa = mechanism is Mechanism.HLS_ECDSA
    if (signed or ecdsa) and not keys.suite:
        what = "--mechanism ecdsa" if ecdsa else "--sign"
        raise UsageError(f"suite 0 signs nothing: {what} needs suite 1 or 2{_OTHER_SUITE}")
    try:
        return ClientSettings(
            mechanism=mechanism,
            context=ApplicationContext.LN_CIPHERED,
            secret=keys.secret,
            keys=key_set(keys),
            system_title=title,
            material=material(keys),
            protection=PROTECTIONS[protection],
            signing=Signing() if signed else None,
            **ENVELOPES[envelope],
        )
    except ValueError as error:
        raise UsageError(f"suite {keys.suite}, {mechanism.name}, {envelope}: {error}") from error
