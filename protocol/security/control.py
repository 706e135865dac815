"""The security control octet: which protection an APDU carries, and under which suite and key.

    bit 7          6          5          4              3..0
    compression    key set    encrypted  authenticated  suite

The key set bit is 0 for the unicast key and 1 for the broadcast key. Layout as ``gurux-dlms``,
``dlms-cosem`` and ``pydlms-client`` agree on it.
"""

from enum import IntFlag
from typing import NamedTuple

from protocol.errors import SecurityError
from protocol.security.suite import SecuritySuite

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
        return int(self) & int(required) == int(required)  # flags are slow to combine


class Control(NamedTuple):
    """What a security control octet says.

    Args:
        protection: at least one of authentication and encryption.
        suite: whose cipher it is.
        broadcast: under the broadcast key rather than the unicast key.
    """

    protection: Protection
    suite: SecuritySuite = SecuritySuite.SUITE_0
    broadcast: bool = False


def encode_control(
    protection: Protection,
    suite: SecuritySuite = SecuritySuite.SUITE_0,
    *,
    broadcast: bool = False,
) -> int:
    """Return the security control octet."""
    return int(protection) | int(suite) | (_BROADCAST_KEY if broadcast else 0)


def decode_control(octet: int) -> Control:
    """Read a security control octet.

    Args:
        octet: 0..255, as received.

    Raises:
        SecurityError: a suite that there is not, compression, or no protection at all: a sender
            chooses this octet, so it must not be able to switch protection off.
    """
    control = _CONTROLS.get(octet)
    if control is not None:
        return control
    if octet & _COMPRESSED:
        raise SecurityError("compression is not supported")
    if octet & _SUITE_MASK > SecuritySuite.SUITE_2:
        raise SecurityError(f"there is no security suite {octet & _SUITE_MASK}")
    raise SecurityError("a ciphered APDU that is neither authenticated nor encrypted")


#: Every octet that may be read, 18 of them: quicker than taking the bits apart each time.
_CONTROLS = {
    encode_control(protection, suite, broadcast=broadcast): Control(protection, suite, broadcast)
    for protection in (
        Protection.AUTHENTICATED,
        Protection.ENCRYPTED,
        Protection.AUTHENTICATED_ENCRYPTED,
    )
    for suite in SecuritySuite
    for broadcast in (False, True)
}
