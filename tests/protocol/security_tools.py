"""What the tests of suites 1 and 2 share: keys for both sides, and certificates for them."""

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from obis.values import replace
from protocol.association.entropy import Entropy
from protocol.security import (
    Certificate,
    KeySet,
    PrivateKey,
    SecurityMaterial,
    SecuritySuite,
)
from tests.protocol.association_tools import CLIENT_TITLE, SERVER_TITLE

SUITE_0, SUITE_1, SUITE_2 = SecuritySuite
#: When the certificates are valid: around the tests' T0, 2023-11-14.
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def entropy(seed: str) -> Entropy:
    """Return a source of octets that is the same each time and never repeats itself."""
    numbers = count()

    def draw(length: int) -> bytes:
        octets = b""
        while len(octets) < length:
            octets += sha256(f"{seed} {next(numbers)}".encode()).digest()
        return octets[:length]

    return draw


@cache
def private_key(suite: SecuritySuite, name: str) -> PrivateKey:
    """Return somebody's private key."""
    return PrivateKey.from_entropy(suite, entropy(name))


def keys(suite: SecuritySuite) -> KeySet:
    """Return the global unicast keys."""
    length = suite.key_length
    return KeySet(bytes(range(length)), bytes(range(0xC0, 0xC0 + length)), suite)


def material(suite: SecuritySuite, ours: str, theirs: str) -> SecurityMaterial:
    """Return all further keys of one side."""
    length = suite.key_length
    shared = SecurityMaterial(broadcast_key=b"B" * length, master_key=b"M" * length)
    if suite is SUITE_0:
        return shared
    return replace(
        shared,
        signing_key=private_key(suite, f"{ours} signs"),
        agreement_key=private_key(suite, f"{ours} agrees"),
        peer_signing_key=private_key(suite, f"{theirs} signs").public,
        peer_agreement_key=private_key(suite, f"{theirs} agrees").public,
    )


def client_material(suite: SecuritySuite) -> SecurityMaterial:
    """Return the client's further keys."""
    return material(suite, "client", "server")


def server_material(suite: SecuritySuite) -> SecurityMaterial:
    """Return the server's further keys."""
    return material(suite, "server", "client")


@cache
def certificate(
    suite: SecuritySuite,
    subject: str,
    key: str,
    issuer: str = "CA",
    *,
    signs: bool = True,
    agrees: bool = False,
    until: datetime = UNTIL,
    certifies: bool | None = None,
    extra: str = "",
) -> Certificate:
    """Return a certificate.

    Args:
        suite: the curve of the subject's key, and of the issuer's.
        subject: the common name.
        key: the name of the subject's private key.
        issuer: the name of who signs it; an authority has its own name for its key.
        signs: whether its key is for signatures.
        agrees: whether its key is for key agreement.
        until: when it ends.
        certifies: whether its key may sign certificates; an authority's may by default.
        extra: a further extension, without content.
    """
    authority = subject == issuer if certifies is None else certifies
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)
    ]
    usage = x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agrees,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(private_key(suite, key).key.public_key())
        .serial_number(int.from_bytes(sha256(f"{subject}{key}".encode()).digest()[:8], "big"))
        .not_valid_before(FROM)
        .not_valid_after(until)
        .add_extension(usage, critical=True)
    )
    if extra:
        more = x509.UnrecognizedExtension(x509.ObjectIdentifier(extra), b"\x05\x00")
        builder = builder.add_extension(more, critical=False)
    algorithm = hashes.SHA384() if suite is SUITE_2 else hashes.SHA256()
    signed = builder.sign(private_key(suite, issuer).key, algorithm, ecdsa_deterministic=True)
    return Certificate.decode(signed.public_bytes(serialization.Encoding.DER))


def authority(suite: SecuritySuite) -> Certificate:
    """Return the certificate of the authority that everybody trusts."""
    return certificate(suite, "CA", "CA")


def client_certificate(suite: SecuritySuite) -> Certificate:
    """Return the client's certificate for signatures."""
    return certificate(suite, CLIENT_TITLE.hex().upper(), "client signs")


def server_certificate(suite: SecuritySuite) -> Certificate:
    """Return the server's certificate for signatures."""
    return certificate(suite, SERVER_TITLE.hex().upper(), "server signs")


@cache
def broken_certificates() -> tuple[bytes, ...]:
    """Return certificates whose form is whole and whose content is not, each in its own way."""
    name = CLIENT_TITLE.hex().upper()
    good = certificate(SUITE_1, name, "client signs", extra="2.5.29.99").octets
    common_name = bytes.fromhex("06035504030c")  # ... and a UTF8String
    return (
        b"",
        good[:-1],
        good.replace(bytes.fromhex("0603551d63"), bytes.fromhex("0603551d0f")),  # key usage, twice
        good.replace(common_name, common_name[:-1] + b"\x03"),  # names that are bit strings
        good.replace(common_name, common_name[:-1] + b"\x1c"),  # ... of characters of 32 bits
        good.replace(b"200101000000Z", b"209901000000Z"),  # the 99th month
        good.replace(bytes.fromhex("2a8648ce3d0301"), bytes.fromhex("2a8648ce3d0300")),  # no curve
    )


EXPIRED = FROM + timedelta(days=1)
