"""The security suites: which cipher, which curve and which hash go together.

| suite | cipher | signature | key agreement | hash | key wrap |
|---|---|---|---|---|---|
| 0 | AES-GCM-128 | - | - | - | AES-128 |
| 1 | AES-GCM-128 | ECDSA P-256 | ECDH P-256 | SHA-256 | AES-128 |
| 2 | AES-GCM-256 | ECDSA P-384 | ECDH P-384 | SHA-384 | AES-256 |

``gurux-dlms`` and ``pydlms-client`` agree on the table.
"""

from enum import IntEnum


class SecuritySuite(IntEnum):
    """A security suite, by the number in the security control octet."""

    SUITE_0 = 0
    SUITE_1 = 1
    SUITE_2 = 2

    @property
    def key_length(self) -> int:
        """How many octets a key of the cipher, or a wrapping key, has."""
        return 32 if self is SecuritySuite.SUITE_2 else 16

    @property
    def coordinate_length(self) -> int:
        """How many octets a coordinate of the curve has; 0 in suite 0, which has no curve."""
        return (0, 32, 48)[self]

    @property
    def signature_length(self) -> int:
        """How many octets a signature r || s has; 0 in suite 0."""
        return 2 * self.coordinate_length
