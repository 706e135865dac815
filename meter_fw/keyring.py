"""The keys in use: those of the factory, and over them those that came over the line since.

A key that was transferred or agreed on lives in the state and outweighs the factory's. Of the
client the meter knows public keys only: from a certificate that was imported, or else what was put
in at the factory.
"""

from typing import Final

from msgspec import Struct

from meter_fw.factory import Factory
from meter_fw.line_state import CERTIFICATES, PART, PARTS, CertificatePart, Key
from meter_fw.state import MeterState
from obis.values import replace
from protocol.errors import DecodeError
from protocol.security import (
    Certificate,
    CertificateType,
    KeyId,
    KeySet,
    PrivateKey,
    PublicKey,
    SecurityMaterial,
    SecuritySuite,
)

#: The longest certificate that is kept, in octets.
MAX_STORED: Final = PART * PARTS

#: Where a key that comes over the line is kept.
FIELDS: Final = {
    KeyId.GLOBAL_UNICAST_ENCRYPTION: "unicast_key",
    KeyId.GLOBAL_BROADCAST_ENCRYPTION: "broadcast_key",
    KeyId.AUTHENTICATION: "authentication_key",
    KeyId.MASTER: "master_key",
}


class Keyring(Struct, frozen=True):
    """The keys of one moment."""

    factory: Factory
    state: MeterState

    @property
    def suite(self) -> SecuritySuite:
        """The security suite; a meter has one for life, because its keys fit no other."""
        return SecuritySuite(self.factory.keys.suite)

    def symmetric(self, key_id: KeyId) -> bytes:
        """Return a symmetric key."""
        keys = self.factory.keys
        of_the_factory = {
            KeyId.GLOBAL_UNICAST_ENCRYPTION: keys.block_cipher_key,
            KeyId.GLOBAL_BROADCAST_ENCRYPTION: keys.broadcast_key,
            KeyId.AUTHENTICATION: keys.authentication_key,
            KeyId.MASTER: keys.master_key,
        }
        kept: Key = getattr(self.state, FIELDS[key_id])
        return kept.value or of_the_factory[key_id]

    def key_set(self) -> KeySet:
        """Return the global unicast keys."""
        return KeySet(
            self.symmetric(KeyId.GLOBAL_UNICAST_ENCRYPTION),
            self.symmetric(KeyId.AUTHENTICATION),
            self.suite,
        )

    def own(self, kind: CertificateType) -> PrivateKey | None:
        """Return the meter's private key for signatures or for key agreement; none in suite 0."""
        if not self.suite:
            return None
        signs = kind is CertificateType.DIGITAL_SIGNATURE
        kept = self.state.signing_key if signs else self.state.agreement_key
        pairs = self.factory.keys.meter
        made = pairs.signing_key if signs else pairs.agreement_key
        return PrivateKey(self.suite, kept.value or made)

    def client(self, kind: CertificateType, title: bytes = b"") -> PublicKey | None:
        """Return the client's public key: of his certificate, else as put in at the factory."""
        found = self.material().towards(title)
        signs = kind is CertificateType.DIGITAL_SIGNATURE
        return found.peer_signing_key if signs else found.peer_agreement_key

    def _put_in(self, scalar: bytes) -> PublicKey | None:
        """Return a public key of the client's as put in at the factory; none in suite 0."""
        return PrivateKey(self.suite, scalar).public if self.suite else None

    def material(self) -> SecurityMaterial:
        """Return everything beside the global unicast keys."""
        client = self.factory.keys.client
        return SecurityMaterial(
            broadcast_key=self.symmetric(KeyId.GLOBAL_BROADCAST_ENCRYPTION),
            master_key=self.symmetric(KeyId.MASTER),
            signing_key=self.own(CertificateType.DIGITAL_SIGNATURE),
            agreement_key=self.own(CertificateType.KEY_AGREEMENT),
            peer_signing_key=self._put_in(client.signing_key),
            peer_agreement_key=self._put_in(client.agreement_key),
            partners=self.certificates() if self.suite else (),
        )

    def certificates(self) -> tuple[Certificate, ...]:
        """Return the certificates that are kept."""
        return tuple(one for one in map(self._certificate, range(CERTIFICATES)) if one)

    def _certificate(self, place: int) -> Certificate | None:
        octets = _octets(self.state, place)
        try:
            return Certificate.decode(octets) if octets else None
        except DecodeError:  # another firmware took it in, and this one cannot read it
            return None


def with_certificate(state: MeterState, octets: bytes) -> MeterState | None:
    """Return ``state`` with one more certificate; None where there is no room for it.

    Args:
        state: as it is.
        octets: the certificate, at most ``MAX_STORED`` octets.
    """
    taken = {part.certificate for part in state.certificates}
    place = next((place for place in range(CERTIFICATES) if place not in taken), None)
    if place is None or len(octets) > MAX_STORED:
        return None
    added = [
        CertificatePart(place, number, len(piece), piece.ljust(PART, b"\0"))
        for number, piece in enumerate(
            octets[start : start + PART] for start in range(0, len(octets), PART)
        )
    ]
    parts = sorted([*state.certificates, *added], key=lambda part: part.slot)
    return replace(state, certificates=tuple(parts))


def without_certificate(state: MeterState, octets: bytes) -> MeterState:
    """Return ``state`` without a certificate that is kept."""
    gone = {place for place in range(CERTIFICATES) if _octets(state, place) == octets}
    return replace(
        state,
        certificates=tuple(part for part in state.certificates if part.certificate not in gone),
    )


def _octets(state: MeterState, place: int) -> bytes:
    parts = sorted(
        (part for part in state.certificates if part.certificate == place),
        key=lambda part: part.part,
    )
    return b"".join(part.octets[: part.length] for part in parts)
