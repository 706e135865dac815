"""The current association (class 15): the objects that this client sees, and what it may do."""

from typing import Any, Final

from meter_fw.lines import LOGICAL_DEVICE, MAX_PDU
from meter_fw.server import Attribute, CosemObject, Method, Objects
from meter_fw.view import ANYBODY, Caller, Change, Role, View
from obis import catalogue
from protocol.codes import ApplicationContext, DataAccessResult, Mechanism
from protocol.cosem.association_ln import (
    ASSOCIATION_LN,
    AssociationStatus,
    AttributeAccessMode,
    MethodAccessMode,
)
from protocol.errors import AccessRefused

_DLMS_VERSION: Final = 6
_NAME: Final = (2, 16, 756, 5, 8)  # joint-iso-ccitt country(16) country-name(756) ... dlms-ua
_CONTEXT_ARC: Final = 1
_MECHANISM_ARC: Final = 2
_MODES: Final = {
    (False, False): AttributeAccessMode.NO_ACCESS,
    (True, False): AttributeAccessMode.READ_ONLY,
    (False, True): AttributeAccessMode.WRITE_ONLY,
    (True, True): AttributeAccessMode.READ_AND_WRITE,
}


def _rights(shown: CosemObject, role: Role) -> tuple[list[Any], list[Any]]:
    attributes = []
    for declared in shown.declaration.attributes:
        readers, writers = shown.attribute_roles(declared.index)
        mode = _MODES[bool(readers & role), bool(writers & role)]
        bound = shown.attributes.get(declared.index)
        selectors = list(bound.selectors) if bound and bound.selectors else None
        attributes.append((declared.index, int(mode), selectors))
    methods = []
    for offered in shown.declaration.methods:
        method = shown.methods.get(offered.index)
        allowed = method is not None and bool(method.callers & role)
        mode_of_method = MethodAccessMode.ACCESS if allowed else MethodAccessMode.NO_ACCESS
        methods.append((offered.index, int(mode_of_method)))
    return attributes, methods


def _object_list(objects: Objects, caller: Caller) -> list[Any]:
    return [
        (
            shown.declaration.class_id,
            shown.declaration.version,
            name.to_bytes(),
            _rights(shown, caller.role),
        )
        for name, shown in sorted(objects.items())
        if shown.roles & caller.role
    ]


def _caller(view: View) -> Caller:
    assert view.caller is not None  # attributes are read by somebody
    return view.caller


def _context(view: View) -> Any:
    ciphered = _caller(view).mechanism is Mechanism.HLS_GMAC
    context = ApplicationContext.LN_CIPHERED if ciphered else ApplicationContext.LN
    return (*_NAME, _CONTEXT_ARC, int(context))


def _xdlms(view: View) -> Any:
    caller = _caller(view)
    return (f"{caller.conformance:024b}", MAX_PDU, caller.max_pdu, _DLMS_VERSION, 0, b"")


def _refuse(view: View, parameter: Any) -> Change:
    """The association itself takes this method while it is due; at any other time it is not."""
    raise AccessRefused(DataAccessResult.OTHER_REASON, "not while associated")


def current_association(objects: Objects) -> CosemObject:
    """Return the object at 0-0:40.0.0 over ``objects``, which it joins itself."""
    return CosemObject(
        ASSOCIATION_LN,
        catalogue.CURRENT_ASSOCIATION,
        {
            2: Attribute(lambda view: _object_list(objects, _caller(view)), ANYBODY),
            3: Attribute(lambda view: (_caller(view).sap, LOGICAL_DEVICE), ANYBODY),
            4: Attribute(_context, ANYBODY),
            5: Attribute(_xdlms, ANYBODY),
            6: Attribute(
                lambda view: (*_NAME, _MECHANISM_ARC, int(_caller(view).mechanism)), ANYBODY
            ),
            8: Attribute(lambda view: AssociationStatus.ASSOCIATED, ANYBODY),
            9: Attribute(lambda view: catalogue.SECURITY_SETUP.to_bytes(), ANYBODY),
        },
        {1: Method(_refuse, Role.MANAGEMENT)},
    )
