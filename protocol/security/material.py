"""What one side holds beside the global unicast and authentication keys: for the other suites."""

from msgspec import Struct

from obis.values import hiding, replace
from protocol.security.certificates import Certificate, CertificateType
from protocol.security.ec import PrivateKey, PublicKey


class SecurityMaterial(Struct, frozen=True):
    """The further keys of a security relationship; no secret octet shows in ``repr``.

    All of them may be missing: what needs a key that is not here is refused by name.

    Args:
        broadcast_key: the global broadcast encryption key.
        master_key: what keys are wrapped with.
        signing_key: our private key for signatures.
        agreement_key: our private key for key agreement.
        peer_signing_key: the other side's public key for signatures, if it is known beforehand.
        peer_agreement_key: the other side's public key for key agreement.
        partners: certificates of those who may be the other side, taken in before: to whoever has
            the title of one its key belongs, and no longer the ``peer_`` one.
        certificate: ours for ``signing_key``; it travels in AARQ and AARE with HLS by ECDSA.
        authorities: who may have issued a certificate of the other side that comes that way.
        authenticates_header: whether the tag of general-ciphering is over its header too. The
            Green Book's figure of it says so as ``pydlms-client`` cites it, and ``gurux-dlms``
            does it; ``pydlms-client`` does not unless told to. No published tag settles it: that
            of the one published example is reproduced by neither. Both sides have to agree.
    """

    broadcast_key: bytes = b""
    master_key: bytes = b""
    signing_key: PrivateKey | None = None
    agreement_key: PrivateKey | None = None
    peer_signing_key: PublicKey | None = None
    peer_agreement_key: PublicKey | None = None
    partners: tuple[Certificate, ...] = ()
    certificate: Certificate | None = None
    authorities: tuple[Certificate, ...] = ()
    authenticates_header: bool = True

    __repr__ = hiding("broadcast_key", "master_key")

    def __post_init__(self) -> None:
        for name in ("broadcast_key", "master_key"):
            if len(getattr(self, name)) not in (0, 16, 32):
                raise ValueError(f"{name} is not 16 or 32 octets long")
        ours, signing = self.certificate, self.signing_key
        if ours is not None and (signing is None or ours.key != signing.public):
            raise ValueError("a certificate for another key than signing_key")

    def towards(self, title: bytes) -> "SecurityMaterial":
        """Return the material for a partner of that title: certified keys outweigh known ones."""
        if not self.partners:
            return self
        signs, agrees = self.peer_signing_key, self.peer_agreement_key
        for certificate in reversed(self.partners):  # the first of several counts
            if not title or certificate.title != title:
                continue
            if CertificateType.DIGITAL_SIGNATURE in certificate.usage:
                signs = certificate.key
            if CertificateType.KEY_AGREEMENT in certificate.usage:
                agrees = certificate.key
        return replace(self, peer_signing_key=signs, peer_agreement_key=agrees)
