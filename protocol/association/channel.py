"""The secure channel: APDUs into envelopes and out of them.

What comes in is believed in this order: the envelope is one we use and protects enough, the
authentication tag is true, the plain APDU is of the kind that the envelope names, the invocation
counter is new. Only then is anything done. A counter is remembered as soon as a true tag vouches
for it. Without a tag (encryption alone) nothing does, so there it is remembered only once the
APDU has proved to be readable: a stranger's invented counter would have to decipher into a
well-formed request first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from protocol.apdu import GLO_BY_PLAIN, PLAIN_BY_GLO, ApduTag, Ciphered
from protocol.axdr import encode_length
from protocol.errors import SecurityError
from protocol.security import (
    TAG_LENGTH,
    TITLE_LENGTH,
    CounterSource,
    KeySet,
    Protection,
    protect,
    unprotect,
)

#: Returns as many random octets as it is asked for.
Entropy = Callable[[int], bytes]

_Read = TypeVar("_Read")

_CONTROL_AND_COUNTER = 5


class Guard(Protocol):
    """Whatever remembers the invocation counters of the other side."""

    @property
    def last(self) -> int:
        """The greatest counter accepted so far, -1 when there was none."""
        ...

    def accept(self, counter: int) -> None:
        """Take ``counter`` as used.

        Raises:
            ReplayError: it is not greater than every one accepted before.
        """
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """How an APDU is ciphered, and so how its answer has to be.

    Args:
        protection: what protects it.
        is_general: general-glo-ciphering rather than the service-specific form.
    """

    protection: Protection
    is_general: bool = False

    def length(self, plain: int) -> int:
        """Return how long an APDU of ``plain`` octets is in this envelope."""
        content = _CONTROL_AND_COUNTER + plain
        if Protection.AUTHENTICATED in self.protection:
            content += TAG_LENGTH
        title = 1 + TITLE_LENGTH if self.is_general else 0
        return 1 + title + len(encode_length(content)) + content


class SecureChannel:
    """Keys, titles and counters of one association.

    Args:
        keys: the keys of both sides.
        own_title: our system title.
        peer_title: the other side's system title.
        counters: where our invocation counters come from.
        guard: remembers the other side's.
        required: the least protection that is accepted.
    """

    def __init__(
        self,
        keys: KeySet,
        own_title: bytes,
        peer_title: bytes,
        counters: CounterSource,
        guard: Guard,
        required: Protection,
    ) -> None:
        self.keys = keys
        self.own_title = own_title
        self.peer_title = peer_title
        self.counters = counters
        self.guard = guard
        self._required = required

    def seal(self, apdu: bytes, envelope: Envelope) -> bytes:
        """Cipher a plain APDU.

        Raises:
            CountersExhausted: no invocation counter is left.
        """
        general = ApduTag.GENERAL_GLO_CIPHERING
        tag = general if envelope.is_general else GLO_BY_PLAIN[apdu[0]]
        counter = self.counters.next()
        octets = protect(self.keys, self.own_title, counter, envelope.protection, apdu)
        return Ciphered(tag, envelope.protection, counter, octets, self.own_title).encode()

    def open(
        self, apdu: bytes, allowed: frozenset[int], read: Callable[[bytes], _Read]
    ) -> tuple[_Read, Envelope]:
        """Decipher an APDU and read what is inside.

        Args:
            apdu: as received.
            allowed: the tags that the plain APDU may have.
            read: makes something of the plain APDU; what it raises passes through.

        Returns:
            What ``read`` made, and the envelope for the answer.

        Raises:
            SecurityError: the protection is too weak, of a stranger, or false.
            ReplayError: the invocation counter is not new.
            DecodeError: the envelope is malformed.
        """
        ciphered = Ciphered.decode(apdu)
        if not ciphered.protection.meets(self._required):
            raise SecurityError(f"{ciphered.protection!r} is weaker than {self._required!r}")
        if ciphered.title and ciphered.title != self.peer_title:
            raise SecurityError("ciphered by somebody else than the partner of this association")
        plain = unprotect(
            self.keys, self.peer_title, ciphered.counter, ciphered.protection, ciphered.octets
        )
        named = PLAIN_BY_GLO.get(ciphered.tag)
        if not plain or plain[0] not in allowed or named not in (None, plain[0]):
            raise SecurityError(f"ciphered APDU {ciphered.tag} does not hold what it should")
        authenticated = Protection.AUTHENTICATED in ciphered.protection
        if authenticated:
            self.guard.accept(ciphered.counter)
        result = read(plain)
        if not authenticated:
            self.guard.accept(ciphered.counter)
        return result, Envelope(ciphered.protection, ciphered.is_general)
