"""Short names: where each object lies in the address space of READ and WRITE, and how it is asked.

A client reads the object list once and keeps the base names, in its memory or in a head-end's
database, for years. So a base name is a promise: it may not depend on the profile, on the order in
which objects are made, or on which objects a later firmware adds. That is why ``PLACES`` is
written down, and only ever grows at its end: an object has the same base name in every meter of
every firmware that carries it, and the place of one that is gone stays empty. An object without a
row still gets one, behind the last row and in the order of the names; it moves when another such
object is added, so a release gives it a row first (a test says so).

| base names | |
|---|---|
| 0x0100, 0x0200 .. 0xF900 | the objects of ``PLACES``; 256 octets have room for 32 members |
| 0xFA00 | the current association, class 12 in the place of class 15 |
| 0xFB00 | the script table that a broadcast reaches |
| 0xFC00 | SAP assignment |
| 0xFD00 | logical device name |

A name that is nobody's, or lies within the gap between attributes and methods, is
object-undefined. READ of an attribute is a GET, WRITE a SET, with the same rights. A method is
executed by WRITE, or by READ with parameterized access, whose selector means nothing there; a plain
READ of its name executes nothing, so that whoever reads all names through moves no relay.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from meter_fw import lists
from meter_fw.server import CosemObject, Objects
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import Data, Tag, null
from protocol.codes import DataAccessResult
from protocol.cosem import short_names as names
from protocol.events import (
    AccessRequest,
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    MethodRef,
    ReadRequest,
    ReadResponse,
    Request,
    Response,
    SetRequest,
    ShortName,
    ShortNameRequest,
    ShortNameResponse,
    WriteResponse,
)

#: Each object has so many octets of address space to itself.
SPACE: Final = 0x100
_FIRST, _LAST = SPACE, 0xF900
_FIXED: Final = {
    catalogue.CURRENT_ASSOCIATION: names.CURRENT_ASSOCIATION,
    ObisCode.parse("0-0:10.0.125*255"): names.BROADCAST_SCRIPTS,
    catalogue.SAP_ASSIGNMENT: names.SAP_ASSIGNMENT,
    catalogue.LOGICAL_DEVICE_NAME: names.LOGICAL_DEVICE_NAME,
}
#: The logical names in the order of their places. Add at the end; never move or take out a row.
PLACES: Final[tuple[str, ...]] = (
    "0-0:1.0.0*255",  # clock
    "0-0:19.0.0*255",  # account
    "0-0:19.10.0*255",  # token credit
    "0-0:19.10.1*255",  # emergency credit
    "0-0:19.20.0*255",  # consumption charge
    "0-0:19.40.0*255",  # token gateway
    "0-0:20.0.0*255",  # local port
    "0-0:22.0.0*255",  # hdlc port
    "0-0:25.0.0*255",  # tcp port
    "0-0:25.9.0*255",  # push setup
    "0-0:43.0.0*255",  # security setup
    "0-0:43.1.0*255",  # invocation counter
    "0-0:94.32.2*1",  # time of last update
    "0-0:94.32.2*2",  # available balance
    "0-0:94.32.2*3",  # available emergency credit
    "0-0:96.1.0*255",  # serial number
    "0-0:96.3.10*255",  # disconnect control
    "0-0:128.0.0*255",  # transaction
    "0-0:128.0.1*255",  # transaction log
    "0-0:128.1.0*255",  # profile name
    "0-0:128.1.1*255",  # balance mode
    "0-0:128.1.2*255",  # friendly window in force
    "0-0:128.1.3*255",  # relay causes
    "0-0:128.1.4*255",  # balance snapshot
    "0-0:128.1.5*255",  # armed cut
    "0-0:128.1.6*255",  # low credit announced
    "1-0:0.2.0*255",  # firmware version
    "1-0:1.7.0*255",  # active power import
    "1-0:1.8.0*255",  # active energy import
    "1-0:99.2.0*255",  # daily profile
    "0-0:44.2.0*255",  # local port protection
    "0-0:44.2.1*255",  # network port protection
    "0-0:17.0.0*255",  # limiter
    "0-0:96.11.0*255",  # event
    "0-0:99.98.0*255",  # event log
    "0-0:96.11.2*255",  # disconnect control event
    "0-0:99.98.2*255",  # disconnect control log
    "0-0:128.3.0*255",  # customer
    "0-0:128.3.1*255",  # event value
    "0-1:12.0.1*255",  # friendly schedule
    "0-1:11.0.2*255",  # friendly special days
    "0-1:10.0.106*255",  # friendly scripts
    "0-0:128.4.0*255",  # calendar complete from
    "0-0:128.4.1*255",  # calendar complete until
    "0-0:128.4.2*255",  # calendar about to end
    "0-0:128.2.0*255",  # settlement
    "0-0:128.2.1*255",  # plan
    "0-0:128.2.2*255",  # token log
    "0-0:128.2.3*255",  # last token
    "1-0:2.8.0*255",  # active energy export
    "1-0:2.7.0*255",  # active power export
    "0-0:96.14.0*255",  # active rate
    "1-0:1.8.1*255",  # active energy import rate 1
    "1-0:1.8.2*255",  # active energy import rate 2
    "1-0:1.8.3*255",  # active energy import rate 3
    "1-0:1.8.4*255",  # active energy import rate 4
    "1-0:2.8.1*255",  # active energy export rate 1
    "1-0:2.8.2*255",  # active energy export rate 2
    "1-0:2.8.3*255",  # active energy export rate 3
    "1-0:2.8.4*255",  # active energy export rate 4
    "1-0:32.7.0*255",  # voltage phase 1
    "1-0:31.7.0*255",  # current phase 1
    "1-0:21.7.0*255",  # active power import phase 1
    "1-0:52.7.0*255",  # voltage phase 2
    "1-0:51.7.0*255",  # current phase 2
    "1-0:41.7.0*255",  # active power import phase 2
    "1-0:72.7.0*255",  # voltage phase 3
    "1-0:71.7.0*255",  # current phase 3
    "1-0:61.7.0*255",  # active power import phase 3
    "0-0:19.20.1*255",  # charge 1
    "0-0:19.20.2*255",  # charge 2
    "0-0:19.20.3*255",  # charge 3
    "0-0:19.20.4*255",  # charge 4
    "0-0:19.20.5*255",  # charge 5
    "0-0:19.20.6*255",  # charge 6
    "0-0:19.20.7*255",  # charge 7
    "0-0:19.20.8*255",  # charge 8
    "0-0:19.20.9*255",  # charge 9
    "0-0:19.20.10*255",  # charge 10
    "0-0:19.20.11*255",  # charge 11
    "0-0:19.20.12*255",  # charge 12
    "0-0:19.20.13*255",  # charge 13
    "0-0:19.20.14*255",  # charge 14
    "0-0:19.20.15*255",  # charge 15
    "0-0:128.2.4*255",  # plans carried out
    "0-0:96.13.1*255",  # message
    "0-0:96.15.0*255",  # event counter
    "0-0:96.15.2*255",  # disconnect control event counter
)


class ShortNames:
    """The address space of a logical device.

    Args:
        objects: the device's.
        association: makes its class 12 object, which stands in the place of class 15, over what
            is listed; it is called once, when all the base names are known.

    Raises:
        ValueError: an object takes more than its place has, or there are too many of them.
    """

    def __init__(
        self, objects: Objects, association: Callable[["ShortNames"], CosemObject]
    ) -> None:
        self.base_names: Mapping[ObisCode, int] = _base_names(objects)
        present = association(self)
        #: The objects as this space has them.
        self.objects: Objects = {**objects, present.logical_name: present}
        self._by_base = {base: self.objects[name] for name, base in self.base_names.items()}
        for shown in self.objects.values():
            if names.extent(shown.declaration) > SPACE:
                raise ValueError(f"{shown.logical_name} takes more than {SPACE} octets")

    def find(self, address: int) -> AttributeRef | MethodRef | None:
        """Return what lies at an address, None where nothing does."""
        base = address - address % SPACE
        found = self._by_base.get(base)
        offset = address - base
        if found is None or offset % names.STEP:
            return None
        declared, index = found.declaration, offset // names.STEP + 1
        if declared.attribute(index) is not None:
            return AttributeRef(declared.class_id, found.logical_name, index)
        index -= names.first_method(declared) // names.STEP
        if declared.method(index) is not None:
            return MethodRef(declared.class_id, found.logical_name, index)
        return None


def _base_names(objects: Objects) -> dict[ObisCode, int]:
    found = {ObisCode.parse(name): _FIRST + SPACE * row for row, name in enumerate(PLACES)}
    free = _FIRST + SPACE * len(PLACES)
    for name in sorted(objects.keys() - found.keys() - _FIXED.keys()):
        found[name] = free
        free += SPACE
    if free - SPACE > _LAST:
        raise ValueError(f"no place for {len(found)} objects")
    found |= _FIXED
    return {name: found[name] for name in objects}


def execute(
    space: ShortNames, request: ShortNameRequest, answer: Callable[[Request], Response]
) -> ShortNameResponse:
    """Execute a READ or WRITE, variable after variable, each committed before the next begins.

    Args:
        space: where the variables lie.
        request: the indication.
        answer: executes one request by logical names, and makes durable what it changed.
    """
    if isinstance(request, ReadRequest):
        asked = [_read(space, variable) for variable in request.variables]
        return ReadResponse(tuple(_values(asked, answer)))
    asked = [
        _write(space, variable, value)
        for variable, value in zip(request.variables, request.values, strict=True)
    ]
    return WriteResponse(tuple(_results(asked, answer)))


_Asked = Request | DataAccessResult


def _read(space: ShortNames, variable: ShortName) -> _Asked:
    match space.find(variable.address):
        case AttributeRef() as attribute:
            return GetRequest(attribute, variable.access)
        case MethodRef() as method:
            if variable.access is None:
                return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
            return ActionRequest(method, _parameter(variable.access.parameters))
    return DataAccessResult.OBJECT_UNDEFINED


def _write(space: ShortNames, variable: ShortName, value: Data) -> _Asked:
    match space.find(variable.address):
        case AttributeRef() as attribute:
            return SetRequest(attribute, value, variable.access)
        case MethodRef() as method:
            if variable.access is not None:
                return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
            return ActionRequest(method, _parameter(value))
    return DataAccessResult.OBJECT_UNDEFINED


def _parameter(given: Data) -> Data | None:
    """Return a method's parameter; null-data stands for none, since something has to be sent."""
    return None if given.tag == Tag.NULL else given


def _responses(
    asked: list[_Asked], answer: Callable[[Request], Response]
) -> Iterable[Response | DataAccessResult]:
    """Answer what has been found, its values bounded together, and keep the place of the rest."""
    members = tuple(one for one in asked if not isinstance(one, DataAccessResult))
    done = lists.execute(AccessRequest(members), answer)
    responses = iter(getattr(done, "responses", ()))
    for one in asked:
        yield one if isinstance(one, DataAccessResult) else next(responses)


def _values(
    asked: list[_Asked], answer: Callable[[Request], Response]
) -> Iterable[Data | DataAccessResult]:
    for response in _responses(asked, answer):
        match response:
            case GetResponse(result=result):
                yield result
            case ActionResponse(result=result, value=value):
                yield _returned(DataAccessResult(result), value)
            case DataAccessResult():
                yield response


def _returned(
    result: DataAccessResult, value: Data | DataAccessResult | None
) -> Data | DataAccessResult:
    """Return what a method that is read comes to: its value, null-data where it has none."""
    if result is not DataAccessResult.SUCCESS:
        return result
    return null() if value is None else value


def _results(
    asked: list[_Asked], answer: Callable[[Request], Response]
) -> Iterable[DataAccessResult]:
    for response in _responses(asked, answer):
        if isinstance(response, DataAccessResult):
            yield response
        elif not isinstance(response, GetResponse):
            yield DataAccessResult(response.result)
