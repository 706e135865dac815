"""ECDSA and ECDH on the curves of suites 1 and 2, with nothing left to chance.

A public key travels as X || Y, a signature as r || s, each number as long as the curve's field:
``gurux-dlms`` and ``pydlms-client`` agree. Signatures are made by RFC 6979: their number k
comes from key and message, so that no random number is drawn here, and none can repeat. A
private key is made of entropy that the caller gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from protocol.errors import LocalProtocolError, SecurityError
from protocol.security.suite import SecuritySuite

_UNCOMPRESSED = b"\x04"
# How many octets of entropy more than a scalar has: what the remainder favours is then less than
# 2 to the power of -64 (FIPS 186-5, A.2.1, "extra random bits").
_EXTRA_OCTETS = 8

_CURVES: dict[SecuritySuite, ec.EllipticCurve] = {
    SecuritySuite.SUITE_1: ec.SECP256R1(),
    SecuritySuite.SUITE_2: ec.SECP384R1(),
}
_HASHES: dict[SecuritySuite, hashes.HashAlgorithm] = {
    SecuritySuite.SUITE_1: hashes.SHA256(),
    SecuritySuite.SUITE_2: hashes.SHA384(),
}
# The orders of P-256 and P-384 (FIPS 186-4, D.1.2.3 and D.1.2.4).
_ORDERS = {
    SecuritySuite.SUITE_1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    SecuritySuite.SUITE_2: int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}


@dataclass(frozen=True)
class PublicKey:
    """A public key; it has been seen to lie on its curve.

    Args:
        suite: 1 for P-256, 2 for P-384.
        point: X || Y, 64 or 96 octets.

    Raises:
        ValueError: suite 0, another length, or no point of the curve.
    """

    suite: SecuritySuite
    point: bytes

    def __post_init__(self) -> None:
        _curve(self.suite)
        if len(self.point) != 2 * self.suite.coordinate_length:
            raise ValueError(
                f"a public key of suite {int(self.suite)} has "
                f"{2 * self.suite.coordinate_length} octets, not {len(self.point)}"
            )
        try:
            _ = self.key
        except ValueError:
            raise ValueError("a public key that is no point of its curve") from None

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> "PublicKey":
        """Return a key of the library, for instance that of a certificate.

        Raises:
            ValueError: it is on another curve.
        """
        numbers = key.public_numbers()
        for suite, curve in _CURVES.items():
            if curve.name == key.curve.name:
                length = suite.coordinate_length
                return cls(
                    suite, numbers.x.to_bytes(length, "big") + numbers.y.to_bytes(length, "big")
                )
        raise ValueError(f"a public key on {key.curve.name}")

    @classmethod
    def compressed(cls, suite: SecuritySuite, octets: bytes) -> "PublicKey":
        """Return the key of a compressed point: 02 or 03, for an even or odd Y, and X.

        Raises:
            ValueError: suite 0, another length, or no point of the curve.
        """
        return cls.of(ec.EllipticCurvePublicKey.from_encoded_point(_curve(suite), octets))

    @cached_property
    def key(self) -> ec.EllipticCurvePublicKey:
        """The key, for the library."""
        encoded = _UNCOMPRESSED + self.point
        return ec.EllipticCurvePublicKey.from_encoded_point(_curve(self.suite), encoded)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature r || s.

        Raises:
            SecurityError: it has another length, or is false.
        """
        length = self.suite.coordinate_length
        if len(signature) != 2 * length:
            raise SecurityError(f"a signature of {len(signature)} octets, not {2 * length}")
        r, s = (int.from_bytes(part, "big") for part in (signature[:length], signature[length:]))
        encoded = utils.encode_dss_signature(r, s)
        try:
            self.key.verify(encoded, message, ec.ECDSA(_HASHES[self.suite]))
        except InvalidSignature:
            raise SecurityError("the signature is false") from None


@dataclass(frozen=True)
class PrivateKey:
    """A private key; it does not show in ``repr``.

    Args:
        suite: 1 for P-256, 2 for P-384.
        scalar: 32 or 48 octets.

    Raises:
        ValueError: suite 0, another length, or not within 1 and the order of the curve.
    """

    suite: SecuritySuite
    scalar: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _curve(self.suite)
        if len(self.scalar) != self.suite.coordinate_length:
            raise ValueError(
                f"a private key of suite {int(self.suite)} has "
                f"{self.suite.coordinate_length} octets, not {len(self.scalar)}"
            )
        if not 0 < int.from_bytes(self.scalar, "big") < _ORDERS[self.suite]:
            raise ValueError("a private key that is not within 1 and the order of its curve")

    @classmethod
    def from_entropy(cls, suite: SecuritySuite, entropy: Callable[[int], bytes]) -> "PrivateKey":
        """Make a key.

        Args:
            suite: 1 or 2.
            entropy: returns as many random octets as it is asked for.

        Raises:
            ValueError: suite 0.
        """
        _curve(suite)
        drawn = int.from_bytes(entropy(suite.coordinate_length + _EXTRA_OCTETS), "big")
        scalar = drawn % (_ORDERS[suite] - 1) + 1
        return cls(suite, scalar.to_bytes(suite.coordinate_length, "big"))

    @cached_property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The key, for the library."""
        return ec.derive_private_key(int.from_bytes(self.scalar, "big"), _curve(self.suite))

    @cached_property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""
        return PublicKey.of(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return the signature r || s, always the same for the same message.

        Raises:
            LocalProtocolError: the library under ``cryptography`` is too old to do this.
        """
        try:
            algorithm = ec.ECDSA(_HASHES[self.suite], deterministic_signing=True)
            encoded = self.key.sign(message, algorithm)
        except UnsupportedAlgorithm:
            raise LocalProtocolError("signing needs OpenSSL 3.2 or later") from None
        length = self.suite.coordinate_length
        r, s = utils.decode_dss_signature(encoded)
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")

    def agree(self, other: PublicKey) -> bytes:
        """Return the shared secret Z of ECDH: the x-coordinate of the common point.

        Raises:
            SecurityError: the other side's key is on another curve.
        """
        if other.suite != self.suite:
            raise SecurityError("a public key on another curve than ours")
        return self.key.exchange(ec.ECDH(), other.key)


def _curve(suite: SecuritySuite) -> ec.EllipticCurve:
    try:
        return _CURVES[suite]
    except KeyError:
        raise ValueError("security suite 0 has no curve") from None
