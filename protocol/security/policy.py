"""Security policies: what class 64 says every request and every response has to be.

Version 0 of the class counts, for both directions alike: 0 nothing, 1 authenticated, 2 encrypted,
3 both. Version 1 has a bit for each: 2 to 4 for requests, 5 to 7 for responses, each time
authenticated, encrypted, digitally signed; bits 0 and 1 are not used. ``gurux-dlms`` and
``pydlms-client`` agree; numbers 1 to 3 mean one thing in version 0 and nothing in version 1, so
the version has to be known.
"""

from enum import IntFlag

from msgspec import Struct

from protocol.security.control import Protection


class SecurityPolicyBits(IntFlag):
    """The security policy of class 64, version 1."""

    NOTHING = 0x00
    AUTHENTICATED_REQUEST = 0x04
    ENCRYPTED_REQUEST = 0x08
    SIGNED_REQUEST = 0x10
    AUTHENTICATED_RESPONSE = 0x20
    ENCRYPTED_RESPONSE = 0x40
    SIGNED_RESPONSE = 0x80


class Demands(Struct, frozen=True):
    """What a security policy demands.

    Args:
        request: the least protection of a request.
        response: the least protection of a response.
        request_signed: whether a request has to be signed.
        response_signed: whether a response has to be signed.
    """

    request: Protection = Protection.NONE
    response: Protection = Protection.NONE
    request_signed: bool = False
    response_signed: bool = False


_VERSION_0 = (
    Protection.NONE,
    Protection.AUTHENTICATED,
    Protection.ENCRYPTED,
    Protection.AUTHENTICATED_ENCRYPTED,
)


def demands(policy: int, version: int) -> Demands:
    """Return what a policy demands.

    Args:
        policy: attribute 2 of class 64.
        version: the version of the class, 0 or 1.

    Raises:
        ValueError: a version or a policy that there is not.
    """
    if version == 0:
        if not 0 <= policy < len(_VERSION_0):
            raise ValueError(f"version 0 of the security setup has no policy {policy}")
        return Demands(_VERSION_0[policy], _VERSION_0[policy])
    if version != 1:
        raise ValueError(f"the security setup has no version {version}")
    if not 0 <= policy <= 0xFF or policy & 0x03:
        raise ValueError(f"version 1 of the security setup has no policy 0x{policy:02X}")
    bits = SecurityPolicyBits(policy)
    return Demands(
        _protection(bits, SecurityPolicyBits.AUTHENTICATED_REQUEST),
        _protection(bits, SecurityPolicyBits.AUTHENTICATED_RESPONSE),
        SecurityPolicyBits.SIGNED_REQUEST in bits,
        SecurityPolicyBits.SIGNED_RESPONSE in bits,
    )


def weakens(old: int, new: int, version: int) -> bool:
    """Whether a policy lacks something that the one before it demands.

    Raises:
        ValueError: a version or a policy that there is not.
    """
    before, after = demands(old, version), demands(new, version)
    return not (
        after.request.meets(before.request)
        and after.response.meets(before.response)
        and after.request_signed >= before.request_signed
        and after.response_signed >= before.response_signed
    )


def _protection(bits: SecurityPolicyBits, authenticated: SecurityPolicyBits) -> Protection:
    """Return the protection that two neighbouring bits ask for."""
    found = Protection.NONE
    if bits & authenticated:
        found |= Protection.AUTHENTICATED
    if bits & (authenticated << 1):
        found |= Protection.ENCRYPTED
    return found
