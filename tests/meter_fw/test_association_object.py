"""The current association (class 15): what it lists is what can be done, attribute by attribute."""

from typing import Any

import pytest

from meter_fw.lines import LOGICAL_DEVICE
from meter_fw.policies import MAX_PDU
from meter_fw.view import Caller
from obis import catalogue
from obis.code import ObisCode
from protocol import axdr, cosem
from protocol.axdr import Data
from protocol.codes import ActionResult, Conformance, DataAccessResult, Mechanism
from protocol.cosem.association_ln import (
    ASSOCIATION_LN,
    AssociationStatus,
    AttributeAccessMode,
    MethodAccessMode,
)
from protocol.events import SelectiveAccess
from tests.meter_fw.rig import MANAGER, PUBLIC, READER, Rig

ROLES = {"public": PUBLIC, "reader": READER, "management": MANAGER}
NAME = catalogue.CURRENT_ASSOCIATION
REFUSED = {DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED}
READS = {AttributeAccessMode.READ_ONLY, AttributeAccessMode.READ_AND_WRITE}
WRITES = {AttributeAccessMode.WRITE_ONLY, AttributeAccessMode.READ_AND_WRITE}

#: class, version, attribute modes and selectors, method modes
Shown = tuple[int, int, dict[int, tuple[int, Any]], dict[int, int]]


def read(rig: Rig, caller: Caller, index: int) -> Any:
    """Return an attribute of the association as plain values."""
    found = rig.get(NAME, 15, index, caller=caller)
    assert isinstance(found, Data), found
    declared = ASSOCIATION_LN.attribute(index)
    assert declared is not None
    return declared.type.from_data(axdr.decode(axdr.encode(found)))


def listed(rig: Rig, caller: Caller) -> dict[ObisCode, Shown]:
    """Return the object list by logical name."""
    return {
        ObisCode.from_bytes(name): (
            class_id,
            version,
            {index: (mode, selectors) for index, mode, selectors in attributes},
            dict(methods),
        )
        for class_id, version, name, (attributes, methods) in read(rig, caller, 2)
    }


@pytest.fixture(scope="module", params=["be-wal", "il"])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Return a new meter; what the tests here do to it is refused, or repeatable."""
    return Rig(request.param)


@pytest.mark.parametrize("role", ROLES)
def test_each_object_is_there_once_with_the_version_of_its_class(rig: Rig, role: str) -> None:
    """In the order of their names, each with every attribute and method of its class."""
    elements = read(rig, ROLES[role], 2)
    names = [element[2] for element in elements]
    assert names == sorted(set(names))
    for name, (class_id, version, attributes, methods) in listed(rig, ROLES[role]).items():
        declared = cosem.CLASSES[class_id, version]
        assert list(attributes) == [each.index for each in declared.attributes], name
        assert list(methods) == [each.index for each in declared.methods], name


def test_the_public_client_is_shown_five_objects(rig: Rig) -> None:
    """Association, name, counter, logical devices and the clock; of that the time and status."""
    shown = listed(rig, PUBLIC)
    assert set(shown) == {
        catalogue.CURRENT_ASSOCIATION,
        catalogue.LOGICAL_DEVICE_NAME,
        catalogue.INVOCATION_COUNTER,
        catalogue.SAP_ASSIGNMENT,
        catalogue.CLOCK,
    }
    modes = {index: mode for index, (mode, _) in shown[catalogue.CLOCK][2].items()}
    assert modes == {1: 1, 2: 1, 4: 1, **dict.fromkeys((3, 5, 6, 7, 8, 9), 0)}


def test_reader_and_management_client_are_shown_every_object(rig: Rig) -> None:
    """The one only to read."""
    assert set(listed(rig, READER)) == set(listed(rig, MANAGER)) == set(rig.kernel._objects)
    for _, _, attributes, methods in listed(rig, READER).values():
        assert not WRITES & {mode for mode, _ in attributes.values()}
        assert set(methods.values()) <= {MethodAccessMode.NO_ACCESS}


@pytest.mark.parametrize("role", ROLES)
def test_an_attribute_is_readable_exactly_where_the_list_says_so(rig: Rig, role: str) -> None:
    """Walk every attribute of every object of the meter."""
    caller, walked = ROLES[role], 0
    shown = listed(rig, caller)
    for name, (class_id, _, attributes, _) in listed(rig, MANAGER).items():
        for index in attributes:
            found = rig.get(name, class_id, index, caller=caller)
            mode = shown[name][2][index][0] if name in shown else AttributeAccessMode.NO_ACCESS
            assert isinstance(found, Data) == (mode in READS), (name, index)
            assert isinstance(found, Data) or found in REFUSED
            walked += 1
    assert walked > 120


@pytest.mark.parametrize("role", ROLES)
def test_an_attribute_is_writable_exactly_where_the_list_says_so(rig: Rig, role: str) -> None:
    """A SET of null-data gets as far as the type where there is a right, and no further."""
    caller = ROLES[role]
    shown = listed(rig, caller)
    for name, (class_id, _, attributes, _) in listed(rig, MANAGER).items():
        for index in attributes:
            result = rig.set(name, class_id, axdr.null(), index, caller=caller)
            mode = shown[name][2][index][0] if name in shown else AttributeAccessMode.NO_ACCESS
            allowed = result is DataAccessResult.TYPE_UNMATCHED
            assert allowed == (mode in WRITES), (name, index)
            assert allowed or result in REFUSED


@pytest.mark.parametrize("role", ROLES)
def test_a_method_can_be_called_exactly_where_the_list_says_so(rig: Rig, role: str) -> None:
    """A call with null-data gets as far as the type where there is a right, and no further."""
    caller = ROLES[role]
    shown = listed(rig, caller)
    for name, (class_id, _, _, methods) in listed(rig, MANAGER).items():
        for index in methods:
            result = rig.act(name, class_id, index, axdr.null(), caller=caller)
            mode = shown[name][3][index] if name in shown else MethodAccessMode.NO_ACCESS
            allowed = result is ActionResult.TYPE_UNMATCHED
            assert allowed == (mode == MethodAccessMode.ACCESS), (name, index)
            assert allowed or result.name in {refused.name for refused in REFUSED}


@pytest.mark.parametrize("role", ["reader", "management"])
def test_an_attribute_takes_exactly_the_access_selectors_that_the_list_names(
    rig: Rig, role: str
) -> None:
    """By range and by entry for buffers, four for the object list, and none for anything else."""
    caller = ROLES[role]
    for name, (class_id, _, attributes, _) in listed(rig, caller).items():
        for index, (mode, selectors) in attributes.items():
            expected = {(7, 2): [1, 2], (15, 2): [1, 2, 3, 4]}
            assert selectors == expected.get((class_id, index))
            if mode not in READS:
                continue
            for selector in (0, 1, 2, 3, 4, 5, 255):
                access = SelectiveAccess(selector, axdr.boolean(False))
                result = rig.get(name, class_id, index, caller=caller, access=access)
                known = selector in (selectors or ())
                assert result is (
                    DataAccessResult.TYPE_UNMATCHED
                    if known
                    else DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
                )


CONFORMANCE = Conformance.GET | Conformance.SELECTIVE_ACCESS
CALLERS = [
    (PUBLIC.role, 16, Mechanism.NONE, 1),
    (READER.role, 2, Mechanism.LLS, 1),
    (MANAGER.role, 1, Mechanism.HLS_GMAC, 3),
]


@pytest.mark.parametrize(("role", "sap", "mechanism", "context"), CALLERS)
def test_it_tells_a_client_how_he_is_associated(
    rig: Rig, role: Any, sap: int, mechanism: Mechanism, context: int
) -> None:
    """Partners, contexts, mechanism, what was negotiated, and that he is."""
    caller = Caller(role, sap, mechanism, CONFORMANCE, 500)
    name = (2, 16, 756, 5, 8)  # the registered names of DLMS begin with 2.16.756.5.8
    assert read(rig, caller, 3) == (sap, LOGICAL_DEVICE)
    assert read(rig, caller, 4) == (*name, 1, context)
    assert read(rig, caller, 5) == (f"{0x14:024b}", MAX_PDU, 500, 6, 0, b"")
    assert read(rig, caller, 6) == (*name, 2, mechanism)
    assert read(rig, caller, 8) == AssociationStatus.ASSOCIATED
    assert read(rig, caller, 9) == catalogue.SECURITY_SETUP.to_bytes()


@pytest.mark.parametrize("role", ROLES)
def test_nobody_reads_the_secret_and_management_alone_writes_it(rig: Rig, role: str) -> None:
    """Attribute 7; what it does is in ``test_association_secrets.py``."""
    assert rig.get(NAME, 15, 7, caller=ROLES[role]) is DataAccessResult.READ_WRITE_DENIED
    secret = axdr.octet_string(b"12345678")
    result = rig.set(NAME, 15, secret, 7, caller=ROLES[role])
    allowed = DataAccessResult.SUCCESS
    denied = DataAccessResult.READ_WRITE_DENIED
    assert result is (allowed if role == "management" else denied)


def test_the_reply_to_a_challenge_is_no_method_for_later(rig: Rig) -> None:
    """It is listed, because it is called while the association opens, and does nothing after."""
    assert listed(rig, MANAGER)[NAME][3][1] == MethodAccessMode.ACCESS
    result = rig.act(NAME, 15, 1, axdr.octet_string(bytes(17)))
    assert result is ActionResult.OTHER_REASON


def _names(rig: Rig, selector: int, parameter: axdr.Data) -> list[tuple[int, bytes, bool]]:
    access = SelectiveAccess(selector, parameter)
    data = rig.get(catalogue.CURRENT_ASSOCIATION, 15, 2, caller=READER, access=access)
    assert isinstance(data, axdr.Data)
    found = []
    for element in data.value:
        class_id, _version, name, (_, rights) = (part for part in element.value[:4])
        found.append((class_id.value, name.value, bool(rights[0].value)))
    return found


def _object_id(class_id: int, name: ObisCode) -> axdr.Data:
    return axdr.structure(axdr.long_unsigned(class_id), axdr.octet_string(name.to_bytes()))


def test_the_object_list_by_class_and_by_object(rig: Rig) -> None:
    """Selectors 1 and 2 leave the rights out; 3 and 4 name objects, and unknown ones are absent."""
    everything = {
        (class_id, name.to_bytes()) for name, (class_id, *_) in listed(rig, READER).items()
    }
    bare = _names(rig, 1, axdr.null())
    assert {one[:2] for one in bare} == everything
    assert not any(has_rights for *_, has_rights in bare)
    clocks = _names(rig, 2, axdr.array(axdr.long_unsigned(8), axdr.long_unsigned(0xFFFF)))
    clock = catalogue.CLOCK.to_bytes()
    assert clocks == [(8, clock, False)]
    wanted = axdr.array(_object_id(8, catalogue.CLOCK), _object_id(3, catalogue.CLOCK))
    assert _names(rig, 3, wanted) == [(8, clock, True)]
    assert _names(rig, 4, _object_id(8, catalogue.CLOCK)) == [(8, clock, True)]
    assert _names(rig, 4, _object_id(3, catalogue.CLOCK)) == []
