"""The security control octet: which protection an APDU carries, and under which suite.

    bit 7          6          5          4              3..0
    compression    key set    encrypted  authenticated  suite

The key set bit is 0 for the unicast key and 1 for the broadcast key. Layout as ``gurux-dlms``,
``dlms-cosem`` and ``pydlms-client`` agree on it.
"""

from enum import IntFlag

from protocol.errors import SecurityError

_SUITE_MASK = 0x0F
_BROADCAST_KEY = 0x40
_COMPRESSED = 0x80


class Protection(IntFlag):
    """What protects an APDU; the values are the bits of the security control octet."""

    NONE = 0x00
    AUTHENTICATED = 0x10
    ENCRYPTED = 0x20
    AUTHENTICATED_ENCRYPTED = 0x30

    def meets(self, required: "Protection") -> bool:
        """Whether this protects at least as ``required`` asks."""
        return self & required == required


def encode_control(protection: Protection) -> int:
    """Return the security control octet of suite 0 under the unicast key."""
    return int(protection)


def decode_control(octet: int) -> Protection:
    """Read a security control octet.

    Args:
        octet: 0..255, as received.

    Returns:
        The protection, at least one of authentication and encryption.

    Raises:
        SecurityError: another suite than 0, the broadcast key, compression, or no protection
            at all: a sender chooses this octet, so it must not be able to switch protection off.
    """
    if octet & _SUITE_MASK:
        raise SecurityError(f"security suite {octet & _SUITE_MASK} is not in use here")
    if octet & _BROADCAST_KEY:
        raise SecurityError("there is no broadcast key here")
    if octet & _COMPRESSED:
        raise SecurityError("compression is not supported")
    protection = Protection(octet)
    if not protection:
        raise SecurityError("a ciphered APDU that is neither authenticated nor encrypted")
    return protection
