"""AES-GCM as DLMS uses it: 12-octet tags, nonce = system title || invocation counter.

    protection               additional authenticated data      result
    authenticated            SC || AK || header || plaintext    plaintext || tag
    encrypted                none                               ciphertext
    authenticated encrypted  SC || AK || header                 ciphertext || tag

The header is empty but in general-ciphering. ``gurux-dlms``, ``dlms-cosem`` and
``pydlms-client`` agree on the table; the test vectors name the public examples that pin it.
"""

from hmac import compare_digest

from protocol.errors import SecurityError
from protocol.security.control import Protection
from protocol.security.keys import KeySet

TAG_LENGTH = 12
TITLE_LENGTH = 8
_FULL_TAG_LENGTH = 16  # what the library appends; DLMS keeps the first 12


def protect(
    keys: KeySet,
    title: bytes,
    counter: int,
    protection: Protection,
    plaintext: bytes,
    header: bytes = b"",
) -> bytes:
    """Protect ``plaintext``.

    Args:
        keys: the keys of both sides.
        title: the sender's system title, 8 octets.
        counter: the invocation counter; the caller answers for its never coming twice.
        protection: at least one of authenticated and encrypted.
        plaintext: the APDU, or any octets.
        header: what else is authenticated.

    Returns:
        What follows security control octet and invocation counter on the wire.
    """
    nonce = _nonce(title, counter)
    if protection == Protection.ENCRYPTED:
        return _keystream(keys, nonce, plaintext)
    if protection == Protection.AUTHENTICATED:
        return plaintext + _tag(keys, nonce, header + plaintext)
    sealed = keys.cipher.encrypt(nonce, plaintext, keys.associated[protection] + header)
    return sealed[: TAG_LENGTH - _FULL_TAG_LENGTH]


def unprotect(
    keys: KeySet,
    title: bytes,
    counter: int,
    protection: Protection,
    octets: bytes,
    header: bytes = b"",
) -> bytes:
    """Undo ``protect``; tags are compared in constant time.

    Args:
        keys: the keys of both sides.
        title: the sender's system title, 8 octets.
        counter: the invocation counter that came with the octets.
        protection: what the security control octet claims.
        octets: what followed security control octet and invocation counter.
        header: what else is authenticated.

    Returns:
        The plaintext.

    Raises:
        SecurityError: the octets are shorter than a tag, or the tag is false.
    """
    nonce = _nonce(title, counter)
    if protection == Protection.ENCRYPTED:
        return _keystream(keys, nonce, octets)
    if len(octets) < TAG_LENGTH:
        raise SecurityError("a protected APDU shorter than its authentication tag")
    body, tag = octets[:-TAG_LENGTH], octets[-TAG_LENGTH:]
    if protection == Protection.AUTHENTICATED:
        plaintext, genuine = body, _tag(keys, nonce, header + body)
    else:
        # The library verifies 16-octet tags only. GCM is a counter mode, so encrypting the
        # ciphertext gives the plaintext; encrypting that again gives the tag it should have.
        plaintext = _keystream(keys, nonce, body)
        sealed = keys.cipher.encrypt(nonce, plaintext, keys.associated[protection] + header)
        genuine = sealed[len(body) : len(body) + TAG_LENGTH]
    if not compare_digest(genuine, tag):
        raise SecurityError("the authentication tag is false")
    return plaintext


def _nonce(title: bytes, counter: int) -> bytes:
    if len(title) != TITLE_LENGTH:
        raise SecurityError(f"a system title of {len(title)} octets, not {TITLE_LENGTH}")
    return title + counter.to_bytes(4, "big")


def _keystream(keys: KeySet, nonce: bytes, octets: bytes) -> bytes:
    return keys.cipher.encrypt(nonce, octets, None)[:-_FULL_TAG_LENGTH]


def _tag(keys: KeySet, nonce: bytes, octets: bytes) -> bytes:
    associated = keys.associated[Protection.AUTHENTICATED] + octets
    return keys.cipher.encrypt(nonce, b"", associated)[:TAG_LENGTH]
