"""AARQ, AARE, RLRQ and RLRE as nodes: BER fields in whatever order they come, then what they hold.

Field names as the Green Book's ACSE abstract syntax has them, tags as ``gurux-dlms`` and
``pydlms-client`` agree on them.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import IntEnum
from typing import Final

from protocol.apdu import ber
from protocol.apdu.tags import ApduTag
from protocol.codes import (
    ApplicationContext,
    AssociationResult,
    Mechanism,
    ProviderDiagnostic,
    ReleaseReason,
    UserDiagnostic,
)
from protocol.explain import names, readers
from protocol.explain.nodes import Node
from protocol.explain.vault import CLIENT, SERVER
from protocol.explain.walker import Fault, Walker

#: Reads the content of a field; its tag and length have been read and have their node.
Content = Callable[[Walker], None]
#: Explains the xDLMS APDU in the user-information.
ApduReader = Callable[[Walker, str], None]

_CONTEXT_FAMILY: Final = (2, 16, 756, 5, 8, 1)
_MECHANISM_FAMILY: Final = (2, 16, 756, 5, 8, 2)
_MULTI_OCTET_TAG: Final = 0x1F
_VALUE_FORMS: Final = {0x80: "charstring", 0x81: "bitstring"}


def fields_of(walker: Walker, table: Mapping[int, tuple[str, Content]], reader: ApduReader) -> None:
    """Explain the fields of an ACSE APDU, behind its tag and length."""
    seen = 0
    while walker.left:
        seen += 1
        if seen > ber.MAX_FIELDS:
            raise Fault(f"more than {ber.MAX_FIELDS} fields")
        tag = walker.number()
        if tag & _MULTI_OCTET_TAG == _MULTI_OCTET_TAG:
            raise Fault(f"BER tag 0x{tag:02X} has several octets")
        name, content = table.get(tag, (f"field 0x{tag:02X}", _unknown))
        length = walker.length()
        with walker.group(name), walker.region(length):
            if tag == _USER_INFORMATION:
                _user_information(walker, reader)
            else:
                content(walker)


def _element(walker: Walker, tag: int, name: str) -> tuple[Node, AbstractContextManager[None]]:
    """Read tag and length of the one element that a field holds; give its node and its region."""
    found = walker.number()
    if found != tag:
        raise Fault(f"{name}: tag 0x{found:02X} where 0x{tag:02X} is due")
    length = walker.length()
    return walker.leaf(name, f"{length} octets"), walker.region(length)


def _unknown(walker: Walker) -> None:
    octets = walker.take(walker.left)
    walker.leaf("content", names.octets_meaning(octets) or f"{len(octets)} octets", octets)


def _identifier(octets: bytes) -> tuple[int, ...]:
    """Return the arcs of an object identifier.

    Raises:
        Fault: it ends within an arc, or an arc is longer than any that is in use.
    """
    arcs: list[int] = []
    value = 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
        if value >> 32:
            raise Fault("an object identifier with an arc above 32 bits")
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    if not arcs or octets[-1] & 0x80:
        raise Fault("an object identifier that ends within an arc")
    first = min(arcs[0] // 40, 2)
    return (first, arcs[0] - 40 * first, *arcs[1:])


def _named(walker: Walker, family: tuple[int, ...], codes: type[IntEnum], name: str) -> int | None:
    """Explain the octets of an object identifier; its last arc where it is of a family."""
    octets = walker.take(walker.left)
    arcs = _identifier(octets)
    ours = arcs[:-1] == family
    meaning = (names.code_name(codes, arcs[-1]) if ours else None) or "not known"
    walker.leaf(name, f"{'.'.join(map(str, arcs))} {meaning}", octets)
    return arcs[-1] if ours else None


def _context(walker: Walker) -> None:
    _, region = _element(walker, ber.OBJECT_IDENTIFIER, "object-identifier")
    with region:
        _named(walker, _CONTEXT_FAMILY, ApplicationContext, "name")


def _mechanism(walker: Walker) -> None:
    walker.talk.mechanism = _named(walker, _MECHANISM_FAMILY, Mechanism, "name")


def _title_of(side: str) -> Content:
    def read(walker: Walker) -> None:
        _, region = _element(walker, ber.OCTET_STRING, "octet-string")
        with region:
            octets = walker.take(walker.left)
            walker.leaf("system-title", readers.title_meaning(octets), octets)
            walker.talk.heard[side] = octets

    return read


def _octet_string(walker: Walker) -> None:
    _, region = _element(walker, ber.OCTET_STRING, "octet-string")
    with region:
        _unknown(walker)


def _integer(name: str, codes: type[IntEnum] | None = None) -> Content:
    def read(walker: Walker) -> None:
        _, region = _element(walker, ber.INTEGER, "integer")
        with region:
            _code(walker, name, codes)

    return read


def _code(walker: Walker, name: str, codes: type[IntEnum] | None) -> None:
    value = walker.number(walker.left or 1)
    meaning = names.code_name(codes, value) if codes else str(value)
    node = walker.leaf(name, meaning or str(value), value)
    if len(node.octets) != 1 and codes:
        walker.wrong(node, f"{name} is not an integer of one octet")
    elif meaning is None and codes:
        walker.wrong(node, f"{codes.__name__} has no {value}")


def _diagnostic(walker: Walker) -> None:
    source = walker.number()
    sources: dict[int, tuple[str, type[IntEnum]]] = {
        0xA1: ("acse-service-user", UserDiagnostic),
        0xA2: ("acse-service-provider", ProviderDiagnostic),
    }
    if source not in sources:
        raise Fault(f"result-source-diagnostic by 0x{source:02X}")
    name, codes = sources[source]
    length = walker.length()
    with walker.group(name), walker.region(length):
        _integer("diagnostic", codes)(walker)


def _requirements(walker: Walker) -> None:
    octets = walker.take(walker.left)
    asked = len(octets) > 1 and octets[1] & 0x80
    walker.leaf("bits", "authentication" if asked else "none", octets)


def _authentication_value_of(side: str) -> Content:
    def read(walker: Walker) -> None:
        form = walker.number()
        if form not in _VALUE_FORMS:
            raise Fault(f"neither charstring nor bitstring, but 0x{form:02X}")
        length = walker.length()
        with walker.group(_VALUE_FORMS[form], f"{length} octets"), walker.region(length):
            octets = walker.take(walker.left)
            walker.leaf("value", names.octets_meaning(octets) or "octets", octets)
            walker.talk.challenges[side] = octets

    return read


def _user_information(walker: Walker, reader: ApduReader) -> None:
    _, region = _element(walker, ber.OCTET_STRING, "octet-string")
    with region:
        reader(walker, "user-information")


def _reason(walker: Walker) -> None:
    _code(walker, "reason", ReleaseReason)


def _version(walker: Walker) -> None:
    octets = walker.take(walker.left)
    walker.leaf("bits", "version 1" if octets[-1:] == b"\x80" else "octets", octets)


_USER_INFORMATION: Final = 0xBE
_IDENTIFIER: Final = _integer("identifier")

_AARQ: Final[dict[int, tuple[str, Content]]] = {
    0x80: ("protocol-version", _version),
    0xA1: ("application-context-name", _context),
    0xA2: ("called-AP-title", _octet_string),
    0xA3: ("called-AE-qualifier", _octet_string),
    0xA4: ("called-AP-invocation-id", _IDENTIFIER),
    0xA5: ("called-AE-invocation-id", _IDENTIFIER),
    0xA6: ("calling-AP-title", _title_of(CLIENT)),
    0xA7: ("calling-AE-qualifier", _octet_string),
    0xA8: ("calling-AP-invocation-id", _IDENTIFIER),
    0xA9: ("calling-AE-invocation-id", _IDENTIFIER),
    0x8A: ("sender-acse-requirements", _requirements),
    0x8B: ("mechanism-name", _mechanism),
    0xAC: ("calling-authentication-value", _authentication_value_of(CLIENT)),
    0xBD: ("implementation-information", _unknown),
    _USER_INFORMATION: ("user-information", _unknown),
}
_AARE: Final[dict[int, tuple[str, Content]]] = {
    0x80: ("protocol-version", _version),
    0xA1: ("application-context-name", _context),
    0xA2: ("result", _integer("result", AssociationResult)),
    0xA3: ("result-source-diagnostic", _diagnostic),
    0xA4: ("responding-AP-title", _title_of(SERVER)),
    0xA5: ("responding-AE-qualifier", _octet_string),
    0xA6: ("responding-AP-invocation-id", _IDENTIFIER),
    0xA7: ("responding-AE-invocation-id", _IDENTIFIER),
    0x88: ("responder-acse-requirements", _requirements),
    0x89: ("mechanism-name", _mechanism),
    0xAA: ("responding-authentication-value", _authentication_value_of(SERVER)),
    0xBD: ("implementation-information", _unknown),
    _USER_INFORMATION: ("user-information", _unknown),
}
_RELEASE: Final[dict[int, tuple[str, Content]]] = {
    0x80: ("reason", _reason),
    _USER_INFORMATION: ("user-information", _unknown),
}

#: The fields of each ACSE APDU by its tag.
APDUS: Final[dict[int, Mapping[int, tuple[str, Content]]]] = {
    ApduTag.AARQ: _AARQ,
    ApduTag.AARE: _AARE,
    ApduTag.RLRQ: _RELEASE,
    ApduTag.RLRE: _RELEASE,
}
