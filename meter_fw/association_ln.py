"""The current association (class 15): the objects that this client sees, and what it may do."""

from typing import Any, Final

from meter_fw.association_secrets import change_hls_secret, change_password
from meter_fw.policies import MAX_PDU
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
from protocol.cosem.types import (
    LOGICAL_NAME,
    LONG_UNSIGNED,
    NULL,
    ArrayOf,
    Type,
    TypeMismatch,
    from_data,
    structure_of,
)
from protocol.errors import AccessRefused
from protocol.events import SelectiveAccess

_DLMS_VERSION: Final = 6
_NAME: Final = (2, 16, 756, 5, 8)  # joint-iso-ccitt country(16) country-name(756) ... dlms-ua
_WITHOUT_RIGHTS, _BY_CLASS, _BY_OBJECT, _ONE_OBJECT = 1, 2, 3, 4
_OBJECT_ID: Final = structure_of(class_id=LONG_UNSIGNED, logical_name=LOGICAL_NAME)
_CONTEXT_ARC: Final = 1
_MECHANISM_ARC: Final = 2
_MODES: Final = {
    (False, False): AttributeAccessMode.NO_ACCESS,
    (True, False): AttributeAccessMode.READ_ONLY,
    (False, True): AttributeAccessMode.WRITE_ONLY,
    (True, True): AttributeAccessMode.READ_AND_WRITE,
}


def rights_of(shown: CosemObject, role: Role) -> tuple[list[Any], list[Any]]:
    """Return the rights that a role has: of each attribute and of each method of an object."""
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
            rights_of(shown, caller.role),
        )
        for name, shown in sorted(objects.items())
        if shown.roles & caller.role
    ]


def _selected(objects: Objects, view: View, access: SelectiveAccess) -> list[Any]:
    """Return what of the object list an access selector wants.

    | selector | parameter | what |
    |---|---|---|
    | 1 | null-data | every object, without rights |
    | 2 | array of class ids | those of these classes, without rights |
    | 3 | array of class id and logical name | these objects, with rights |
    | 4 | class id and logical name | that object, with rights |

    So the selectors are said to be in the Blue Book, which we have not opened; no peer of ours has
    them, so nobody has judged this. How an element looks without its rights is open: ours has both
    lists of them, empty, so that whoever reads the whole list reads this too.
    """
    listed = _object_list(objects, _caller(view))
    if access.selector in (_WITHOUT_RIGHTS, _BY_CLASS):
        classes = None if access.selector == _BY_CLASS else _parameter(NULL, access)
        if access.selector == _BY_CLASS:
            classes = _parameter(ArrayOf(LONG_UNSIGNED), access)
        bare: list[Any] = [(number, version, name, ([], [])) for number, version, name, _ in listed]
        return [one for one in bare if classes is None or one[0] in classes]
    if access.selector == _BY_OBJECT:
        wanted = {tuple(one) for one in _parameter(ArrayOf(_OBJECT_ID), access)}
    else:
        wanted = {tuple(_parameter(_OBJECT_ID, access))}
    return [one for one in listed if (one[0], one[2]) in wanted]


def _parameter(declared: Type, access: SelectiveAccess) -> Any:
    try:
        return from_data(declared, access.parameters)
    except TypeMismatch as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error


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


def refuse_proof(view: View, parameter: Any) -> Change:
    """The association itself takes this method while it is due; at any other time it is not."""
    raise AccessRefused(DataAccessResult.OTHER_REASON, "not while associated")


def current_association(objects: Objects) -> CosemObject:
    """Return the object at 0-0:40.0.0 over ``objects``, which it joins itself."""
    return CosemObject(
        ASSOCIATION_LN,
        catalogue.CURRENT_ASSOCIATION,
        {
            2: Attribute(
                lambda view: _object_list(objects, _caller(view)),
                ANYBODY,
                select=lambda view, access: _selected(objects, view, access),
                selectors=(_WITHOUT_RIGHTS, _BY_CLASS, _BY_OBJECT, _ONE_OBJECT),
            ),
            3: Attribute(lambda view: (_caller(view).sap, _caller(view).logical), ANYBODY),
            4: Attribute(_context, ANYBODY),
            5: Attribute(_xdlms, ANYBODY),
            6: Attribute(
                lambda view: (*_NAME, _MECHANISM_ARC, int(_caller(view).mechanism)), ANYBODY
            ),
            7: Attribute(None, Role.NOBODY, set=change_password, writers=Role.MANAGEMENT),
            8: Attribute(lambda view: AssociationStatus.ASSOCIATED, ANYBODY),
            9: Attribute(lambda view: catalogue.SECURITY_SETUP.to_bytes(), ANYBODY),
        },
        {
            1: Method(refuse_proof, Role.MANAGEMENT),
            2: Method(change_hls_secret, Role.MANAGEMENT),
        },
    )
