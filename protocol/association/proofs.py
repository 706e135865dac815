"""HLS passes 3 and 4, whatever the mechanism: answers to challenges, made and judged."""

from collections.abc import Callable
from hmac import compare_digest

from msgspec import Struct

from protocol.association.settings import ClientSettings, ServerPolicy
from protocol.codes import Mechanism
from protocol.errors import DecodeError, SecurityError
from protocol.security import (
    Certificate,
    CertificateType,
    KeySet,
    PublicKey,
    gmac_reply,
    md5_reply,
    sha1_reply,
    sha256_reply,
    signed_octets,
    verify_gmac_reply,
)
from protocol.security.certificates import verify
from protocol.security.hls import BLOCK
from protocol.timing import Instant


class Prover(Struct, frozen=True):
    """What one side of an association proves itself with, and judges the other by.

    Args:
        settings: its mechanism, secrets and keys.
        own_title: our system title; may be empty where the mechanism has no use for it.
        peer_title: the other side's.
        peer_key: the other side's public key for signatures, with HLS_ECDSA.
    """

    settings: ServerPolicy | ClientSettings
    own_title: bytes
    peer_title: bytes
    peer_key: PublicKey | None = None

    def answer(self, challenge: bytes, own_challenge: bytes, counter: Callable[[], int]) -> bytes:
        """Return f(challenge).

        Args:
            challenge: the other side's.
            own_challenge: ours.
            counter: returns an unused invocation counter.

        Raises:
            CountersExhausted: there is none left.
        """
        settings = self.settings
        if settings.mechanism == Mechanism.HLS_GMAC:
            return gmac_reply(self._keys(), self.own_title, counter(), challenge)
        if settings.mechanism == Mechanism.HLS_ECDSA:
            signer = settings.material.signing_key
            if signer is None:
                raise SecurityError("there is no signing key")
            return signer.sign(
                signed_octets(self.own_title, self.peer_title, challenge, own_challenge)
            )
        return self._by_secret(self.own_title, self.peer_title, challenge, own_challenge)

    def check(self, proof: bytes, own_challenge: bytes, challenge: bytes) -> int | None:
        """Judge the other side's f(own_challenge).

        Args:
            proof: what came.
            own_challenge: what we sent.
            challenge: what the other side sent.

        Returns:
            The invocation counter in it, where there is one.

        Raises:
            SecurityError: it is false.
        """
        mechanism = self.settings.mechanism
        if mechanism == Mechanism.HLS_GMAC:
            return verify_gmac_reply(self._keys(), self.peer_title, own_challenge, proof)
        if mechanism == Mechanism.HLS_ECDSA:
            if self.peer_key is None:
                raise SecurityError("there is no key to verify the HLS answer with")
            octets = signed_octets(self.peer_title, self.own_title, own_challenge, challenge)
            self.peer_key.verify(octets, proof)
            return None
        genuine = self._by_secret(self.peer_title, self.own_title, own_challenge, challenge)
        if not compare_digest(genuine, proof):
            raise SecurityError("the HLS answer is false")
        return None

    def reflects(self, server_challenge: bytes, challenge: bytes) -> bool:
        """Whether a server's challenge would make us compute its answer to ours.

        Its own challenge is that of course. Mechanism 2 ciphers block by block, so there any
        challenge will do that has one of our blocks in it.
        """
        if self.settings.mechanism != Mechanism.HLS:
            return server_challenge == challenge
        return not _blocks(server_challenge).isdisjoint(_blocks(challenge))

    def _keys(self) -> KeySet:
        keys = self.settings.keys
        if keys is None:
            raise SecurityError("there are no keys")
        return keys

    def _by_secret(self, title: bytes, other_title: bytes, answered: bytes, other: bytes) -> bytes:
        settings = self.settings
        secret = settings.secret
        match settings.mechanism:
            case Mechanism.HLS:
                return settings.hls_function(answered, secret)
            case Mechanism.HLS_MD5:
                return md5_reply(answered, secret)
            case Mechanism.HLS_SHA1:
                return sha1_reply(answered, secret)
            case _:
                return sha256_reply(secret, title, other_title, answered, other)


def _blocks(challenge: bytes) -> set[bytes]:
    """Return a challenge in the blocks that mechanism 2 ciphers."""
    starts = range(0, len(challenge), BLOCK)
    return {challenge[start : start + BLOCK].ljust(BLOCK, b"\0") for start in starts}


def signing_key_of(
    settings: ServerPolicy | ClientSettings, qualifier: bytes, title: bytes, now: Instant
) -> PublicKey | None:
    """Return the other side's public key for signatures.

    The AE-qualifier of an AARQ or AARE may bring it, as a certificate or as X || Y. A key by
    itself proves nothing: it has to be the one we know, or certified by an authority we know.

    Args:
        settings: ours.
        qualifier: calling- or responding-AE-qualifier, empty when it was not sent.
        title: the other side's system title.
        now: the time, which a certificate has to be valid at.

    Raises:
        SecurityError: what came is another key than the one we know, or is not to be trusted.
    """
    material = settings.material.towards(title)
    known = material.peer_signing_key
    if not qualifier:
        return known
    if known is not None:
        if _brought(qualifier, known) != known.point:
            raise SecurityError("another signing key than the one that is known here")
        return known
    if not material.authorities:
        return None
    try:
        certificate = verify(
            qualifier,
            material.authorities,
            CertificateType.DIGITAL_SIGNATURE,
            title,
            settings.suite,
            now,
        )
    except DecodeError as error:
        raise SecurityError(str(error)) from error
    return certificate.key


def _brought(qualifier: bytes, known: PublicKey) -> bytes:
    if len(qualifier) == len(known.point):
        return qualifier
    try:
        return Certificate.decode(qualifier).key.point
    except DecodeError:
        return b""
