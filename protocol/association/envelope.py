"""Envelopes: how an APDU is ciphered and signed, and so how its answer has to be."""

from enum import Enum
from functools import cache

from msgspec import Struct

from obis.values import replace
from protocol.axdr import encode_length
from protocol.security import TAG_LENGTH, TITLE_LENGTH, Protection, SecuritySuite

_CONTROL_AND_COUNTER = 5
#: A transaction-id of ours: eight octets, as in the published examples.
TRANSACTION_LENGTH = 8
# transaction-id, two titles, date-time and other-information, both empty, each with its length
_TITLES_AND_REST = 2 * (1 + TITLE_LENGTH) + 2


class KeyKind(Enum):
    """How general-ciphering says under which key it is."""

    UNSTATED = "no key-info: the global unicast key"
    IDENTIFIED = "identified: the global unicast or broadcast key"
    WRAPPED = "a new key, wrapped with the master key"
    ONE_PASS = "agreed by one-pass Diffie-Hellman, C(1e, 1s)"
    STATIC_UNIFIED = "agreed by the static unified model, C(0e, 2s)"


class SigningPlace(Enum):
    """Where general-signing is, when an APDU is ciphered too."""

    OUTSIDE = "around the ciphered APDU"
    INSIDE = "inside the ciphered APDU"


class Exchange(Struct, frozen=True):
    """general-ciphering.

    Args:
        kind: which key.
        transaction_id: None to have a new one with each APDU.
    """

    kind: KeyKind = KeyKind.IDENTIFIED
    transaction_id: bytes | None = None


class Signing(Struct, frozen=True):
    """general-signing.

    Args:
        place: outside or inside of the ciphering.
        transaction_id: None to have a new one with each APDU.
    """

    place: SigningPlace = SigningPlace.OUTSIDE
    transaction_id: bytes | None = None


class Envelope(Struct, frozen=True):
    """How an APDU is ciphered and signed, and so how its answer has to be.

    Args:
        protection: what protects it; none of it only where it is signed.
        is_general: general-glo- or general-ded-ciphering rather than the service-specific form.
        is_dedicated: under the dedicated key rather than a global one.
        broadcast: under the broadcast key rather than the unicast key.
        exchange: general-ciphering rather than all that.
        signing: how it is signed, None for not at all.
        suite: whose cipher and signature.
    """

    protection: Protection
    is_general: bool = False
    is_dedicated: bool = False
    broadcast: bool = False
    exchange: Exchange | None = None
    signing: Signing | None = None
    suite: SecuritySuite = SecuritySuite.SUITE_0

    def length(self, plain: int) -> int:
        """Return how long an APDU of ``plain`` octets is in this envelope."""
        signing = self.signing
        if signing is None:
            return self._ciphered(plain)
        if signing.place is SigningPlace.INSIDE:
            return self._ciphered(self._signed(plain, signing))
        return self._signed(self._ciphered(plain), signing)

    def answering(self, protection: Protection, signed: bool) -> "Envelope":
        """Return the envelope of the answer to a request in this one.

        What comes under the broadcast key is answered under the unicast key: others have the
        broadcast key too.

        Args:
            protection: the least that the answer has to have.
            signed: whether the answer has to be signed.
        """
        signing = self.signing or (Signing() if signed else None)
        if protection | self.protection == self.protection and signing is self.signing:
            return replace(self, broadcast=False) if self.broadcast else self
        return replace(
            self, protection=self.protection | protection, signing=signing, broadcast=False
        )

    def _ciphered(self, plain: int) -> int:
        if not self.protection:
            return plain
        content = _CONTROL_AND_COUNTER + plain
        if Protection.AUTHENTICATED in self.protection:
            content += TAG_LENGTH
        head = 1 + TITLE_LENGTH if self.is_general else 0
        if self.exchange is not None:
            head = _header(self.exchange.transaction_id) + self._key_info(self.exchange.kind)
        return 1 + head + len(encode_length(content)) + content

    def _key_info(self, kind: KeyKind) -> int:
        if kind is KeyKind.UNSTATED:
            return 1
        if kind is KeyKind.IDENTIFIED:
            return 3
        if kind is KeyKind.WRAPPED:
            return 3 + 1 + self.suite.key_length + 8
        data = 2 * self.suite.signature_length if kind is KeyKind.ONE_PASS else 0
        return 4 + len(encode_length(data)) + data

    def _signed(self, content: int, signing: Signing) -> int:
        head = 1 + _header(signing.transaction_id) + len(encode_length(content))
        return head + content + 1 + self.suite.signature_length


@cache
def largest_addition(suite: SecuritySuite) -> int:
    """Return what the largest envelope of a suite adds to an APDU."""
    plain = 0xFFFF
    both = Protection.AUTHENTICATED_ENCRYPTED
    if suite is SecuritySuite.SUITE_0:
        return Envelope(both, is_general=True).length(plain) - plain
    agreed = Exchange(KeyKind.ONE_PASS)
    return Envelope(both, exchange=agreed, signing=Signing(), suite=suite).length(plain) - plain


def _header(transaction_id: bytes | None) -> int:
    length = TRANSACTION_LENGTH if transaction_id is None else len(transaction_id)
    return len(encode_length(length)) + length + _TITLES_AND_REST
