"""InitiateRequest, InitiateResponse and the ConfirmedServiceError that refuses, as nodes."""

from typing import Final

from protocol.apdu.tags import ApduTag
from protocol.codes import InitiateError
from protocol.explain import names
from protocol.explain.readers import Reader, fields, flag, number, optional
from protocol.explain.walker import Fault, Walker
from protocol.security import KeySet
from protocol.security.suite import SecuritySuite

_CONFORMANCE_HEAD: Final = bytes.fromhex("5F1F0400")
#: The tag in one octet, as old clients write it; the codec takes it too.
_SHORT_HEAD: Final = bytes.fromhex("5F0400")
_VAA_NAMES: Final = {0x0007: "logical names", 0xFA00: "short names"}
_SERVICES: Final = {1: "initiate", 5: "read", 6: "write"}
_KINDS: Final = {
    0: "application-reference",
    1: "hardware-resource",
    2: "vde-state-error",
    3: "service",
    4: "definition",
    5: "access",
    6: "initiate",
    7: "load-data-set",
    9: "task",
    10: "other",
}
_INITIATE, _INITIATE_KIND = 1, 6
_CHOICES: Final = range(20)


def _dedicated_key(walker: Walker, name: str) -> None:
    """Read the dedicated key, and remember it for what is ciphered with it."""
    key = walker.take(walker.length())
    walker.leaf(name, f"a key of {len(key)} octets", key)
    known = walker.talk.keys
    authentication = known.authentication_key if known else bytes(16)
    suite = SecuritySuite.SUITE_2 if len(key) == SecuritySuite.SUITE_2.key_length else None
    try:
        walker.talk.dedicated = KeySet(key, authentication, suite or SecuritySuite.SUITE_0)
    except ValueError:
        return  # of a length that no suite here has


def _conformance(walker: Walker, name: str) -> int:
    """Read the conformance block, a BER bit string of 24 bits."""
    head = walker.take(len(_SHORT_HEAD))
    if head != _SHORT_HEAD and head + walker.take() != _CONFORMANCE_HEAD:
        raise Fault("not a conformance block of 24 bits")
    with walker.group(name, "bit-string of 24"):
        bits = walker.number(3)
        walker.leaf("services", names.conformance_names(bits), bits)
    return bits


def _vaa_name(walker: Walker, name: str) -> None:
    value = walker.number(2)
    walker.leaf(name, f"0x{value:04X} {_VAA_NAMES.get(value, '')}".rstrip(), value)


def _size(walker: Walker, name: str) -> None:
    value = walker.number(2)
    walker.leaf(name, f"{value} octets" if value else "0, no limit", value)


_QUALITY: Final = optional(number(signed=True))
_REQUEST: Final = fields((
    ("dedicated-key", optional(_dedicated_key)),
    ("response-allowed", optional(flag, "true, as it is not said")),
    ("proposed-quality-of-service", _QUALITY),
    ("proposed-dlms-version-number", number()),
    ("proposed-conformance", _conformance),
    ("client-max-receive-pdu-size", _size),
))  # fmt: skip # a table
_RESPONSE: Final = fields((
    ("negotiated-quality-of-service", _QUALITY),
    ("negotiated-dlms-version-number", number()),
    ("negotiated-conformance", _conformance),
    ("server-max-receive-pdu-size", _size),
    ("vaa-name", _vaa_name),
))  # fmt: skip # a table


def _service_error(walker: Walker, _name: str) -> None:
    service = _choice(walker, "confirmed-service-error", _SERVICES)
    kind = _choice(walker, "service-error", _KINDS)
    error = walker.number()
    initiate = (service, kind) == (_INITIATE, _INITIATE_KIND)
    named = names.code_name(InitiateError, error) if initiate else None
    walker.leaf("error", named or str(error), error)


def _choice(walker: Walker, name: str, known: dict[int, str]) -> int:
    value = walker.number()
    if value not in _CHOICES:
        raise Fault(f"{name}: no choice has the tag {value}")
    walker.leaf(name, known.get(value, str(value)), value)
    return value


#: What follows the tag, by the tag.
SERVICES: Final[dict[int, Reader]] = {
    ApduTag.INITIATE_REQUEST: _REQUEST,
    ApduTag.INITIATE_RESPONSE: _RESPONSE,
    ApduTag.CONFIRMED_SERVICE_ERROR: _service_error,
}
