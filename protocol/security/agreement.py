"""Keys that two sides agree on, and keys that one wraps for the other.

| scheme | whose keys make Z | party U, party V | who uses it |
|---|---|---|---|
| ephemeral unified C(2e, 0s) | both ephemeral | client, server | class 64 |
| one-pass Diffie-Hellman C(1e, 1s) | U ephemeral, V static | both titles | general-ciphering |
| static unified C(0e, 2s) | both static | transaction-id before V | general-ciphering |

The key is the beginning of one round of the concatenation KDF of NIST SP 800-56A:

    Hash(00000001 || Z || algorithm-id || party U info || party V info)

The hash is that of the suite, the algorithm-id 2.16.756.5.8.3.x, the party infos system titles;
the transaction-id of the static scheme has its length before it. Published octets pin the KDF
and all three schemes (``tests/vectors/agreement.json``).

An ephemeral public key is signed by who made it: key_agreement signs key-id || X || Y, as
published. Over what one-pass Diffie-Hellman signs, people differ: the published example verifies
over X || Y alone, ``pydlms-client`` says that Gurux.DLMS.Net signs 01 || X || Y. We make the
first and take either: the signature is the same person's over the same key.
"""

import hashlib
from collections.abc import Callable
from enum import IntEnum

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from protocol.errors import SecurityError
from protocol.security.ec import PrivateKey, PublicKey
from protocol.security.suite import SecuritySuite

_FIRST_ROUND = bytes.fromhex("00000001")
_ALGORITHM_PREFIX = bytes.fromhex("608574050803")  # 2.16.756.5.8.3
_HASHES = {SecuritySuite.SUITE_1: hashlib.sha256, SecuritySuite.SUITE_2: hashlib.sha384}
_WRAPPED_LENGTHS = {16 + 8: 16, 32 + 8: 32}


class Algorithm(IntEnum):
    """What a derived key is for: the last arc of 2.16.756.5.8.3.x."""

    AES_GCM_128 = 0
    AES_GCM_256 = 1
    AES_WRAP_128 = 2
    AES_WRAP_256 = 3


class Scheme(IntEnum):
    """How a content key is agreed on: the key-parameters of general-ciphering."""

    ONE_PASS = 1
    STATIC_UNIFIED = 2


class KeyId(IntEnum):
    """Which key key_transfer and key_agreement are about."""

    GLOBAL_UNICAST_ENCRYPTION = 0
    GLOBAL_BROADCAST_ENCRYPTION = 1
    AUTHENTICATION = 2
    MASTER = 3


def algorithm_for(suite: SecuritySuite, key_id: KeyId | None = None) -> Algorithm:
    """Return what a key agreed on is for: wrapping for the master key, AES-GCM for the others.

    That of the master key nobody has published; AES-WRAP is what its number is there for.
    """
    if key_id is KeyId.MASTER:
        long, short = Algorithm.AES_WRAP_256, Algorithm.AES_WRAP_128
    else:
        long, short = Algorithm.AES_GCM_256, Algorithm.AES_GCM_128
    return long if suite is SecuritySuite.SUITE_2 else short


def derive_key(
    suite: SecuritySuite, secret: bytes, party_u: bytes, party_v: bytes, algorithm: Algorithm
) -> bytes:
    """Return the key that the concatenation KDF makes of a shared secret.

    Args:
        suite: 1 or 2.
        secret: Z, 32 or 48 octets.
        party_u: the originator's info, mostly its system title.
        party_v: the recipient's.
        algorithm: what the key is for.

    Returns:
        As many octets as a key of the suite has.

    Raises:
        ValueError: suite 0.
    """
    if suite not in _HASHES:
        raise ValueError("security suite 0 has no key agreement")
    info = _ALGORITHM_PREFIX + bytes((algorithm,)) + party_u + party_v
    return _HASHES[suite](_FIRST_ROUND + secret + info).digest()[: suite.key_length]


def content_key(
    scheme: Scheme,
    ours: PrivateKey,
    theirs: PublicKey,
    originator: bytes,
    recipient: bytes,
    transaction_id: bytes,
) -> bytes:
    """Return the content key of a general-ciphering APDU.

    Args:
        scheme: one-pass or static unified.
        ours: our part: ephemeral for the originator of one-pass, else static.
        theirs: the other side's part.
        originator: the originator's system title.
        recipient: the recipient's system title.
        transaction_id: that of the APDU; only static unified looks at it.

    Raises:
        SecurityError: the keys are of different suites.
    """
    party_v = recipient
    if scheme is Scheme.STATIC_UNIFIED:
        party_v = bytes((len(transaction_id),)) + transaction_id + recipient
    secret = ours.agree(theirs)
    return derive_key(ours.suite, secret, originator, party_v, algorithm_for(ours.suite))


def sign_one_pass(signer: PrivateKey, ephemeral: PublicKey) -> bytes:
    """Return the key-ciphered-data of one-pass Diffie-Hellman: X || Y || r || s."""
    return ephemeral.point + signer.sign(ephemeral.point)


def read_one_pass(signer: PublicKey, data: bytes) -> PublicKey:
    """Return the ephemeral key in the key-ciphered-data of one-pass Diffie-Hellman.

    Args:
        signer: the originator's public signing key.
        data: X || Y || r || s.

    Raises:
        SecurityError: another length, a false signature, or no point of the curve.
    """
    point, signature = _split(signer.suite, data)
    try:
        signer.verify(point, signature)
    except SecurityError:
        signer.verify(bytes((Scheme.ONE_PASS,)) + point, signature)
    return _point(signer.suite, point)


def offer_key(signer: PrivateKey, ephemeral: PublicKey, key_id: KeyId) -> bytes:
    """Return the key_data of key_agreement: X || Y || r || s, signed with the key-id."""
    return ephemeral.point + signer.sign(bytes((key_id,)) + ephemeral.point)


def read_offer(signer: PublicKey, data: bytes, key_id: KeyId) -> PublicKey:
    """Return the ephemeral key in the key_data of key_agreement.

    Args:
        signer: the public signing key of who offers.
        data: X || Y || r || s.
        key_id: which key is to be agreed on.

    Raises:
        SecurityError: another length, a false signature, or no point of the curve.
    """
    point, signature = _split(signer.suite, data)
    signer.verify(bytes((key_id,)) + point, signature)
    return _point(signer.suite, point)


def agreed_key(
    ephemeral: PrivateKey,
    theirs: PublicKey,
    key_id: KeyId,
    client_title: bytes,
    server_title: bytes,
) -> bytes:
    """Return the key that key_agreement makes, the same on both sides.

    Args:
        ephemeral: our ephemeral key, to be forgotten after this.
        theirs: what ``read_offer`` returned.
        key_id: which key it will be.
        client_title: the client's system title, party U.
        server_title: the server's system title, party V.

    Raises:
        SecurityError: the keys are of different suites.
    """
    suite = ephemeral.suite
    algorithm = algorithm_for(suite, key_id)
    return derive_key(suite, ephemeral.agree(theirs), client_title, server_title, algorithm)


def answer_offer(
    offered: bytes,
    key_id: KeyId,
    signer: PrivateKey,
    offerer: PublicKey,
    titles: tuple[bytes, bytes],
    entropy: Callable[[int], bytes],
) -> tuple[bytes, bytes]:
    """Do the server's part of key_agreement for one key.

    Args:
        offered: the client's key_data.
        key_id: which key.
        signer: our signing key.
        offerer: the client's public signing key.
        titles: the system titles of client and server.
        entropy: for our ephemeral key.

    Returns:
        The key_data to answer with, and the key.

    Raises:
        SecurityError: what was offered is not genuine.
    """
    theirs = read_offer(offerer, offered, key_id)
    ephemeral = PrivateKey.from_entropy(signer.suite, entropy)
    key = agreed_key(ephemeral, theirs, key_id, *titles)
    return offer_key(signer, ephemeral.public, key_id), key


def wrap_key(wrapping_key: bytes, key: bytes) -> bytes:
    """Wrap a key of 16 or 32 octets (RFC 3394); the result is 8 octets longer.

    Raises:
        ValueError: one of the keys has another length.
    """
    if len(key) not in _WRAPPED_LENGTHS.values():
        raise ValueError(f"a key of {len(key)} octets is not wrapped")
    return aes_key_wrap(wrapping_key, key)


def unwrap_key(wrapping_key: bytes, wrapped: bytes) -> bytes:
    """Undo ``wrap_key``.

    Raises:
        SecurityError: another length, or it was not wrapped with this key.
    """
    if len(wrapped) not in _WRAPPED_LENGTHS:
        raise SecurityError(f"a wrapped key of {len(wrapped)} octets")
    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap:
        raise SecurityError("a key that was not wrapped with ours") from None


def _split(suite: SecuritySuite, data: bytes) -> tuple[bytes, bytes]:
    length = 2 * suite.coordinate_length
    if len(data) != 2 * length:
        raise SecurityError(f"a signed key of {len(data)} octets, not {2 * length}")
    return data[:length], data[length:]


def _point(suite: SecuritySuite, point: bytes) -> PublicKey:
    try:
        return PublicKey(suite, point)
    except ValueError as error:
        raise SecurityError(str(error)) from None
