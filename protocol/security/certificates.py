"""X.509 certificates that bind a public key to a system title, and requests for them.

The subject's common name is the system title in hexadecimal. The key usage is one of digital
signature and key agreement (and of certificate signing, for an authority). ``gurux-dlms`` and
``pydlms-client`` agree. Whether a certificate is trusted is for ``verify``: issued by an
authority that we know, of the suite's curve, and valid at the given time. Longer chains and
revocation lists are not looked at.

The library's X.509 takes a twelfth of the time in which ``prepay`` starts, and few meters have
certificates: it is imported where there is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache, cached_property
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.errors import DecodeError, SecurityError
from protocol.security.ec import PrivateKey, PublicKey
from protocol.security.suite import SecuritySuite
from protocol.timing import Instant

if TYPE_CHECKING:
    from cryptography import x509

#: A certificate of one elliptic-curve key is some 400 to 1,000 octets long.
MAX_CERTIFICATE = 4096
_TITLE_DIGITS = 16
_HASHES: dict[SecuritySuite, hashes.SHA256 | hashes.SHA384] = {
    SecuritySuite.SUITE_1: hashes.SHA256(),
    SecuritySuite.SUITE_2: hashes.SHA384(),
}


@cache
def _unreadable() -> tuple[type[Exception], ...]:
    """Return what the library raises at octets that a stranger made up."""
    from cryptography import x509

    return (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    )


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn whatever the library says of octets into one error, and its warnings into nothing."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # a stranger's octets shall not write to our standard error
            yield
    except _unreadable():
        raise DecodeError(f"not a {what} that can be read") from None


class CertificateEntity(IntEnum):
    """Whose certificate it is, in class 64."""

    SERVER = 0
    CLIENT = 1
    CERTIFICATION_AUTHORITY = 2
    OTHER = 3


class CertificateType(IntEnum):
    """What its key is for, in class 64."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 1
    TLS = 2
    OTHER = 3


@dataclass(frozen=True)
class Certificate:
    """A certificate that has been read; that says nothing of whether it is trusted.

    Args:
        octets: the certificate in DER.
        title: the system title in its subject, 8 octets; empty where there is none, as in an
            authority's.
        key: the public key.
        usage: what the key may be used for.
        serial_number: its serial number.
        may_certify: whether it says that its key may sign certificates.
    """

    octets: bytes = field(repr=False)
    title: bytes
    key: PublicKey
    usage: frozenset[CertificateType]
    serial_number: int
    may_certify: bool

    @classmethod
    def decode(cls, octets: bytes) -> "Certificate":
        """Read a certificate in DER.

        Raises:
            DecodeError: too long, malformed, or without a key of suite 1 or 2.
        """
        if len(octets) > MAX_CERTIFICATE:
            raise DecodeError(f"a certificate of {len(octets)} octets")
        from cryptography import x509

        with _reading("certificate"):
            found = x509.load_der_x509_certificate(octets)
            # The library reads lazily: what would fail later has to fail here.
            _ = found.issuer.public_bytes(), found.subject.public_bytes()
            _ = _common_name(found.issuer), found.signature_algorithm_oid
            _ = found.not_valid_before_utc, found.not_valid_after_utc
            return cls(
                octets,
                _title(found.subject),
                _key(found),
                _usage(found),
                found.serial_number,
                _may_certify(found),
            )

    @cached_property
    def _parsed(self) -> "x509.Certificate":
        from cryptography import x509

        with _reading("certificate"):
            return x509.load_der_x509_certificate(self.octets)

    @property
    def issuer(self) -> bytes:
        """The issuer's name in DER, as class 64 lists it."""
        return self._parsed.issuer.public_bytes()

    @property
    def subject(self) -> bytes:
        """The subject's name in DER."""
        return self._parsed.subject.public_bytes()

    @property
    def issuer_name(self) -> str:
        """The issuer's common name, empty if it has none."""
        return _common_name(self._parsed.issuer)

    @property
    def subject_name(self) -> str:
        """The subject's common name, empty if it has none."""
        return _common_name(self._parsed.subject)

    def is_valid_at(self, now: Instant) -> bool:
        """Whether ``now`` is within its period of validity."""
        moment = datetime.fromtimestamp(now / 1000, UTC)
        return self._parsed.not_valid_before_utc <= moment <= self._parsed.not_valid_after_utc

    def issued_by(self, authority: "Certificate") -> bool:
        """Whether ``authority`` is its issuer by name and by signature, and may be one."""
        if not authority.may_certify:
            return False
        try:
            self._parsed.verify_directly_issued_by(authority._parsed)
        except InvalidSignature:
            return False
        except _unreadable():
            return False
        return True


def verify(
    octets: bytes,
    authorities: tuple[Certificate, ...],
    purpose: CertificateType,
    title: bytes,
    suite: SecuritySuite,
    now: Instant,
) -> Certificate:
    """Read a certificate and check all that makes it one to trust.

    Args:
        octets: the certificate in DER.
        authorities: the certificates of those who may have issued it.
        purpose: what its key has to be for.
        title: whose it has to be.
        suite: the suite in use.
        now: when.

    Raises:
        DecodeError: it cannot be read.
        SecurityError: it is of somebody else, for something else, for another suite, issued by
            nobody we know, or not valid now.
    """
    certificate = Certificate.decode(octets)
    if certificate.title != title:
        raise SecurityError("a certificate for another system title")
    if purpose not in certificate.usage:
        raise SecurityError(f"a certificate that is not for {purpose.name.lower()}")
    if certificate.key.suite != suite:
        raise SecurityError(f"a certificate whose key is not of suite {int(suite)}")
    issuer = next((one for one in authorities if certificate.issued_by(one)), None)
    if issuer is None:
        raise SecurityError("a certificate by an authority that is not known here")
    if not (certificate.is_valid_at(now) and issuer.is_valid_at(now)):
        raise SecurityError("a certificate that is not valid now")
    return certificate


def request_certificate(key: PrivateKey, title: bytes) -> bytes:
    """Return a certificate signing request (PKCS #10) in DER.

    Args:
        key: the private key of what is to be certified; it signs the request.
        title: our system title, which becomes the common name.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title.hex().upper())])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(key.key, _HASHES[key.suite], ecdsa_deterministic=True)
    return request.public_bytes(Encoding.DER)


def read_request(octets: bytes) -> tuple[bytes, PublicKey]:
    """Return the system title and the public key in a certificate signing request.

    Raises:
        DecodeError: it cannot be read.
        SecurityError: it is not signed by the key that it is for.
    """
    if len(octets) > MAX_CERTIFICATE:
        raise DecodeError(f"a certificate signing request of {len(octets)} octets")
    from cryptography import x509

    with _reading("certificate signing request"):
        request = x509.load_der_x509_csr(octets)
        title, key = _title(request.subject), _key(request)
        genuine = request.is_signature_valid
    if not genuine:
        raise SecurityError("a certificate signing request with a false signature")
    return title, key


def _title(subject: "x509.Name") -> bytes:
    name = _common_name(subject)
    if len(name) != _TITLE_DIGITS:
        return b""
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""


def _common_name(name: "x509.Name") -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def _key(holder: "x509.Certificate | x509.CertificateSigningRequest") -> PublicKey:
    key = holder.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not a key of an elliptic curve")
    return PublicKey.of(key)


def _usage(certificate: "x509.Certificate") -> frozenset[CertificateType]:
    from cryptography import x509

    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    found = set()
    if usage.digital_signature:
        found.add(CertificateType.DIGITAL_SIGNATURE)
    if usage.key_agreement:
        found.add(CertificateType.KEY_AGREEMENT)
    return frozenset(found)


def _may_certify(certificate: "x509.Certificate") -> bool:
    """Whether basic constraints or key usage say so, and neither of them says otherwise.

    Authorities of small tools have only one of the two.
    """
    from cryptography import x509

    said = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints):
            said.append(extension.value.ca)
        if isinstance(extension.value, x509.KeyUsage):
            said.append(extension.value.key_cert_sign)
    return bool(said) and all(said)
