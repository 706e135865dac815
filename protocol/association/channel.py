"""The secure channel: APDUs into envelopes and out of them.

What comes in is believed in this order: the envelope is one we use and protects enough, the
signature and the authentication tag are true, the plain APDU is of the kind that the envelope
names, the invocation counter is new. Only then is anything done. A counter is remembered as soon
as a true tag, or a signature around it, vouches for it. Without either (encryption alone)
nothing does, so there it is remembered only once the APDU has proved to be readable: a
stranger's invented counter would have to decipher into a well-formed request first.

Counters are counted by key. One guard serves for all of the other side's global, wrapped and
agreed keys, as the public clients use one range for them; a ``ReplayBook`` has one for each. The
dedicated key is a new one with each association, and so is its guard. What is signed and not
ciphered has no counter: there the signatures seen are remembered.
"""

from collections.abc import Callable
from typing import TypeVar

from obis.values import replace
from protocol.apdu import (
    DED_BY_PLAIN,
    DEDICATED,
    ENVELOPES,
    GLO_BY_PLAIN,
    NOTIFICATIONS,
    PLAIN_BY_DED,
    PLAIN_BY_GLO,
    ApduTag,
    Ciphered,
    GeneralCiphering,
    GeneralHeader,
    GeneralSigning,
)
from protocol.association.content import Content, simple_envelope
from protocol.association.entropy import Entropy, no_entropy
from protocol.association.envelope import (
    TRANSACTION_LENGTH,
    Envelope,
    Exchange,
    Signing,
    SigningPlace,
)
from protocol.association.exchange import KeyExchange
from protocol.association.guards import Guard, guard_of
from protocol.errors import LocalProtocolError, SecurityError
from protocol.security import (
    CounterSource,
    KeySet,
    KeyUse,
    Protection,
    PublicKey,
    ReplayBook,
    ReplayGuard,
    SecurityMaterial,
    SecuritySuite,
    SignatureMemory,
    protect,
    unprotect,
)

__all__ = ["Entropy", "Envelope", "Guard", "SecureChannel", "guard_of"]

_Read = TypeVar("_Read")

_SIGNED = bytes((ApduTag.GENERAL_SIGNING,))
_NAMED = PLAIN_BY_GLO | PLAIN_BY_DED
_CIPHERED_TAGS = frozenset(bytes((tag,)) for tag in ENVELOPES) - {_SIGNED}


class SecureChannel:
    """Keys, titles and counters of one association.

    Args:
        keys: the global unicast keys of both sides.
        own_title: our system title.
        peer_title: the other side's system title.
        counters: where our invocation counters come from.
        guard: remembers the other side's.
        required: the least protection that is accepted.
        material: all further keys.
        entropy: for keys of our making.
        asks: whether we are the client: what comes in then answers what we sent last.
        signed: whether what comes in has to be signed.
        signatures: what has been signed and not ciphered so far.
    """

    def __init__(
        self,
        keys: KeySet,
        own_title: bytes,
        peer_title: bytes,
        counters: CounterSource,
        guard: Guard | ReplayBook,
        required: Protection,
        material: SecurityMaterial | None = None,
        entropy: Entropy = no_entropy,
        *,
        asks: bool = False,
        signed: bool = False,
        signatures: SignatureMemory | None = None,
    ) -> None:
        self.keys = keys
        self.own_title = own_title
        self.peer_title = peer_title
        self.counters = counters
        self.guard = guard
        self.material = material or SecurityMaterial()
        self.dedicated: KeySet | None = None
        self._dedicated_guard = ReplayGuard()
        self._required = required
        self._signed = signed
        self._signatures = signatures or SignatureMemory()
        self._exchange = KeyExchange(keys, self.material, entropy, own_title)
        self._asks = asks
        self._asked = b""

    @property
    def suite(self) -> SecuritySuite:
        """The security suite."""
        return self.keys.suite

    @property
    def dedicated_key(self) -> bytes:
        """The dedicated key, empty while there is none."""
        return b"" if self.dedicated is None else self.dedicated.block_cipher_key

    def dedicate(self, key: bytes) -> None:
        """Take the dedicated key of this association.

        Raises:
            ValueError: it has another length than a key of the suite.
        """
        if key == self.dedicated_key:
            return
        self.dedicated = self.keys.under(key)
        self._dedicated_guard = ReplayGuard()

    def know_signer(self, key: PublicKey | None) -> None:
        """Take the other side's public key for signatures, if a certificate brought one."""
        if key is not None and key != self.material.peer_signing_key:
            self.material = replace(self.material, peer_signing_key=key)
            self._exchange.material = self.material

    # --- out -------------------------------------------------------------------------------

    def seal(self, apdu: bytes, envelope: Envelope) -> bytes:
        """Cipher and sign a plain APDU.

        Raises:
            CountersExhausted: no invocation counter is left.
            LocalProtocolError: there is no key for that envelope.
        """
        signing = envelope.signing
        self._asked = b""
        if signing is not None and signing.place is SigningPlace.INSIDE:
            apdu = self._sign(apdu, signing)
        if envelope.exchange is not None:
            apdu = self._seal_general(apdu, envelope, envelope.exchange)
        elif envelope.protection:
            apdu = self._seal(apdu, envelope)
        if signing is not None and signing.place is SigningPlace.OUTSIDE:
            apdu = self._sign(apdu, signing)
        return apdu

    def _seal(self, apdu: bytes, envelope: Envelope) -> bytes:
        keys, tags, general = self.keys, GLO_BY_PLAIN, ApduTag.GENERAL_GLO_CIPHERING
        if envelope.is_dedicated:
            if self.dedicated is None:
                raise LocalProtocolError("there is no dedicated key")
            keys, tags, general = self.dedicated, DED_BY_PLAIN, ApduTag.GENERAL_DED_CIPHERING
        elif envelope.broadcast:
            keys = self._exchange.broadcast_keys(LocalProtocolError)
        # What has no service-specific form, as ACCESS, goes by the general one.
        tag = general if envelope.is_general else tags.get(apdu[0], general)
        protection, counter = envelope.protection, self.counters.next()
        octets = protect(keys, self.own_title, counter, protection, apdu)
        return Ciphered(
            tag, protection, counter, octets, self.own_title, keys.suite, keys.broadcast
        ).encode()

    def _seal_general(self, apdu: bytes, envelope: Envelope, exchange: Exchange) -> bytes:
        counter = self.counters.next()
        header = self._header(exchange.transaction_id, counter)
        keys, key_info = self._exchange.make(
            exchange.kind, envelope.broadcast, header.recipient, header.transaction_id
        )
        protection, associated = envelope.protection, self._associated(header)
        octets = protect(keys, self.own_title, counter, protection, apdu, associated)
        return GeneralCiphering(
            header, key_info, protection, counter, octets, keys.suite, keys.broadcast
        ).encode()

    def _sign(self, apdu: bytes, signing: Signing) -> bytes:
        signer = self.material.signing_key
        if signer is None:
            raise LocalProtocolError("there is no signing key")
        new = signing.transaction_id is None and not self._asked
        header = self._header(signing.transaction_id, self.counters.next() if new else 0)
        unsigned = GeneralSigning(header, apdu, b"")
        return GeneralSigning(header, apdu, signer.sign(unsigned.signed)).encode()

    def _header(self, transaction_id: bytes | None, counter: int) -> GeneralHeader:
        """Begin an envelope.

        A transaction-id of our own is a counter, so it never repeats; that of the signature is
        the same as that of the ciphering.
        """
        if transaction_id is None:
            self._asked = self._asked or counter.to_bytes(TRANSACTION_LENGTH, "big")
            transaction_id = self._asked
        return GeneralHeader(transaction_id, self.own_title, self.peer_title)

    def _associated(self, header: GeneralHeader) -> bytes:
        return header.encode() if self.material.authenticates_header else b""

    # --- in --------------------------------------------------------------------------------

    def open(
        self,
        apdu: bytes,
        allowed: frozenset[int],
        read: Callable[[bytes], _Read],
        *,
        initiating: bool = False,
    ) -> tuple[_Read, Envelope]:
        """Decipher an APDU, check its signature, and read what is inside.

        Args:
            apdu: as received.
            allowed: the tags that the plain APDU may have.
            read: makes something of the plain APDU; what it raises passes through.
            initiating: it opens or ends an association; that need not be signed.

        Returns:
            What ``read`` made, and the envelope for the answer.

        Raises:
            SecurityError: the protection is too weak, of a stranger, or false.
            ReplayError: the invocation counter is not new.
            DecodeError: the envelope is malformed.
        """
        signing, peer = None, self.peer_title
        if apdu[0] == ApduTag.GENERAL_SIGNING:
            apdu, signing, peer = self._verify(apdu, SigningPlace.OUTSIDE, peer)
        if apdu[:1] == _SIGNED or not apdu:
            raise SecurityError("signed twice, or nothing signed")
        content = self._unwrap(apdu, peer, signing)
        plain, envelope = content.plain, content.envelope
        if plain[:1] == _SIGNED and signing is None and content.named is None:
            plain, signing, content.title = self._verify(plain, SigningPlace.INSIDE, content.title)
        elif content.named not in (None, *plain[:1]):
            raise SecurityError(f"ciphered APDU {apdu[0]} does not hold what it should")
        self._check(plain, envelope, signing, allowed, initiating)
        if content.vouched:
            content.accept()
        result = read(plain)
        if not content.vouched:
            content.accept()
        self.peer_title = content.title
        return result, envelope if signing is None else replace(envelope, signing=signing)

    def _check(
        self,
        plain: bytes,
        envelope: Envelope,
        signing: Signing | None,
        allowed: frozenset[int],
        initiating: bool,
    ) -> None:
        if not plain or plain[0] not in allowed:
            raise SecurityError("a ciphered APDU that does not hold what it should")
        if self._signed and signing is None and not initiating:
            raise SecurityError("an APDU that is not signed")
        if initiating and envelope.broadcast:
            # Every meter of an area has that key: who has it need not be our partner.
            raise SecurityError("an association is not opened or ended with the broadcast key")
        exchange = envelope.exchange
        said = (exchange.transaction_id if exchange else None) or (
            signing.transaction_id if signing else None
        )
        asked = self._asked if self._asks and plain[0] not in NOTIFICATIONS else b""
        if asked and said not in (None, b"", asked):
            raise SecurityError("the answer to another transaction")

    def _unwrap(self, apdu: bytes, peer: bytes, signing: Signing | None) -> Content:
        if apdu[0] not in ENVELOPES:
            return self._open_signed(apdu, peer, signing)
        if apdu[0] in DEDICATED and self.dedicated is None:
            raise SecurityError(f"APDU {apdu[0]} is ciphered by a key not in use")
        if apdu[0] == ApduTag.GENERAL_CIPHERING:
            content = self._open_general(apdu, peer)
        else:
            content = self._open(apdu, peer)
        content.vouched |= signing is not None
        return content

    def _open(self, apdu: bytes, peer: bytes) -> Content:
        """Open an APDU under a global key or the dedicated one."""
        ciphered = Ciphered.decode(apdu)
        protection, tag = ciphered.protection, ciphered.tag
        title = self._partner(peer, ciphered.title)
        keys, guard = self._keys(ciphered, title)
        self._check_protection(protection, ciphered.suite)
        plain = unprotect(keys, title, ciphered.counter, protection, ciphered.octets)
        named = _NAMED.get(tag)
        envelope = simple_envelope(
            protection, ciphered.is_general, ciphered.is_dedicated, keys.broadcast, keys.suite
        )
        vouched = protection.meets(Protection.AUTHENTICATED)
        return Content(plain, envelope, title, named, guard, ciphered.counter, vouched)

    def _keys(self, ciphered: Ciphered, title: bytes) -> tuple[KeySet, Guard]:
        if ciphered.is_dedicated:
            if self.dedicated is None or ciphered.broadcast:
                raise SecurityError(f"APDU {ciphered.tag} is ciphered by a key not in use")
            return self.dedicated, self._dedicated_guard
        if ciphered.broadcast:
            keys = self._exchange.broadcast_keys(SecurityError)
            return keys, guard_of(self.guard, title, KeyUse.BROADCAST)
        return self.keys, guard_of(self.guard, title, KeyUse.UNICAST)

    def _open_general(self, apdu: bytes, peer: bytes) -> Content:
        """Open general-ciphering."""
        ciphered = GeneralCiphering.decode(apdu)
        header, protection = ciphered.header, ciphered.protection
        title = self._partner(peer, header.originator)
        self._check_recipient(header)
        self._check_protection(protection, ciphered.suite)
        key = self._exchange.find(ciphered, title)
        plain = unprotect(
            key.keys,
            title,
            ciphered.counter,
            protection,
            ciphered.octets,
            self._associated(header),
        )
        envelope = Envelope(
            protection,
            broadcast=key.keys.broadcast,
            exchange=Exchange(key.kind, header.transaction_id),
            suite=ciphered.suite,
        )
        guard = guard_of(self.guard, title, key.use)
        vouched = Protection.AUTHENTICATED in protection
        return Content(plain, envelope, title, None, guard, ciphered.counter, vouched)

    def _open_signed(self, apdu: bytes, peer: bytes, signing: Signing | None) -> Content:
        """Take what is signed, its signature being true, and not ciphered."""
        if signing is None:
            raise SecurityError("an APDU that is neither ciphered nor signed")
        self._check_protection(Protection.NONE, self.suite)
        return Content(apdu, Envelope(Protection.NONE, suite=self.suite), peer, None, None, 0, True)

    def _verify(
        self, apdu: bytes, place: SigningPlace, peer: bytes
    ) -> tuple[bytes, Signing, bytes]:
        """Check a signature; return what is signed, how, and by whom."""
        signed = GeneralSigning.decode(apdu)
        title = self._partner(peer, signed.header.originator)
        self._check_recipient(signed.header)
        signer = self.material.peer_signing_key
        if signer is None:
            raise SecurityError("signed, and there is no key here to verify it")
        signer.verify(signed.signed, signed.signature)
        if place is SigningPlace.OUTSIDE and signed.content[:1] not in _CIPHERED_TAGS:
            self._signatures.accept(signed.signed, signed.signature)
        return signed.content, Signing(place, signed.header.transaction_id), title

    def _partner(self, peer: bytes, said: bytes) -> bytes:
        """Return who sends: our partner; a pre-established association may not know it yet."""
        title = peer or said
        if title in (b"", self.own_title) or said not in (b"", title):
            raise SecurityError("ciphered by somebody else than the partner of this association")
        return title

    def _check_recipient(self, header: GeneralHeader) -> None:
        if header.recipient not in (b"", self.own_title):
            raise SecurityError("an APDU for somebody else")

    def _check_protection(self, protection: Protection, suite: SecuritySuite) -> None:
        if suite != self.keys.suite:
            raise SecurityError(f"security suite {int(suite)} is not in use here")
        if not protection.meets(self._required):
            raise SecurityError(f"{protection!r} is weaker than {self._required!r}")
