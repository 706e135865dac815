"""How the two sides prove who they are: LLS by password, HLS by an answer to a challenge.

HLS takes four passes. The client sends its challenge CtoS in the AARQ (1), the server its own,
StoC, in the AARE (2). The client answers f(StoC) by the method reply_to_HLS_authentication of
the current association (3), the server f(CtoS) in the answer to it (4).

| mechanism | f(challenge) |
|---|---|
| 2, manufacturer's | a secret of theirs; here what ``gurux-dlms`` and ``pydlms-client`` do, AES-128 in ECB mode |
| 3, MD5 | MD5(challenge, secret) |
| 4, SHA-1 | SHA-1(challenge, secret) |
| 5, GMAC | SC, IC, GMAC(nonce = title, IC; data = SC, AK, challenge), SC being 0x10 and the suite |
| 6, SHA-256 | SHA-256(secret, title of who answers, title of who asked, challenge answered, the other challenge) |
| 7, ECDSA | the signature r, s of who answers over the same without the secret |

``gurux-dlms`` and ``pydlms-client`` agree on all of them, ``dlms-cosem`` on 5.
"""  # noqa: E501 - the rows of a table do not wrap

import hashlib
from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocol.errors import SecurityError
from protocol.security.control import Protection, encode_control
from protocol.security.gcm import TAG_LENGTH, protect
from protocol.security.keys import KeySet

#: How long a challenge may be, in octets.
CHALLENGE_LENGTHS = range(8, 65)
#: How long the challenges of mechanism 7 are at least, by what ``pydlms-client`` reads out of
#: IEC 62056-5-3. We send none that is shorter, and take what comes.
LEAST_ECDSA_CHALLENGE = 32

_REPLY_LENGTH = 1 + 4 + TAG_LENGTH
#: Octets of a block of the cipher.
BLOCK = 16

#: f(challenge) of mechanism 2: takes the challenge and the secret.
ManufacturerFunction = Callable[[bytes, bytes], bytes]


def gmac_reply(keys: KeySet, title: bytes, counter: int, challenge: bytes) -> bytes:
    """Return f(challenge), 17 octets.

    Args:
        keys: the keys of both sides.
        title: the system title of the side that answers, 8 octets.
        counter: an unused invocation counter of that side.
        challenge: what the other side sent.
    """
    tag = protect(keys, title, counter, Protection.AUTHENTICATED, challenge)[-TAG_LENGTH:]
    return _control(keys) + counter.to_bytes(4, "big") + tag


def verify_gmac_reply(keys: KeySet, title: bytes, challenge: bytes, reply: bytes) -> int:
    """Check the other side's f(challenge), in constant time.

    Args:
        keys: the keys of both sides.
        title: the system title of the side that answered, 8 octets.
        challenge: what we sent.
        reply: what came back.

    Returns:
        The invocation counter in the reply.

    Raises:
        SecurityError: the reply has the wrong form or the wrong tag.
    """
    if len(reply) != _REPLY_LENGTH or not reply.startswith(_control(keys)):
        raise SecurityError("not the form of an HLS answer by GMAC")
    counter = int.from_bytes(reply[1:5], "big")
    if not compare_digest(gmac_reply(keys, title, counter, challenge), reply):
        raise SecurityError("the HLS answer is false")
    return counter


def aes_reply(challenge: bytes, secret: bytes) -> bytes:
    """Return f(challenge) of mechanism 2 as the public tools have it.

    Args:
        challenge: filled up with zeros to whole blocks of 16 octets.
        secret: its first 16 octets are the key, filled up with zeros.
    """
    key = secret[:BLOCK].ljust(BLOCK, b"\0")
    padded = challenge + bytes(-len(challenge) % BLOCK)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def md5_reply(challenge: bytes, secret: bytes) -> bytes:
    """Return f(challenge) of mechanism 3."""
    return hashlib.md5(challenge + secret, usedforsecurity=False).digest()


def sha1_reply(challenge: bytes, secret: bytes) -> bytes:
    """Return f(challenge) of mechanism 4."""
    return hashlib.sha1(challenge + secret, usedforsecurity=False).digest()


def signed_octets(title: bytes, other_title: bytes, answered: bytes, other: bytes) -> bytes:
    """Return what mechanism 7 signs, and mechanism 6 hashes after the secret.

    Args:
        title: the system title of the side that answers.
        other_title: that of the side that asked.
        answered: the challenge that is answered.
        other: the challenge that the side that answers sent itself.
    """
    return title + other_title + answered + other


def sha256_reply(
    secret: bytes, title: bytes, other_title: bytes, answered: bytes, other: bytes
) -> bytes:
    """Return f(challenge) of mechanism 6; the arguments are those of ``signed_octets``."""
    return hashlib.sha256(secret + signed_octets(title, other_title, answered, other)).digest()


def password_matches(offered: bytes, secret: bytes) -> bool:
    """Compare an LLS password without telling by the time it takes how much of it was right."""
    return compare_digest(offered, secret)


def _control(keys: KeySet) -> bytes:
    return bytes((encode_control(Protection.AUTHENTICATED, keys.suite),))
