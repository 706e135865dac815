"""A client that is asked by logical names and speaks by short ones.

It reads the object list (and the rights, where the server has them) before the first request, and
finds each object in it. What the server does not list is answered here, as the server would. The
object list of class 15 can be asked for as well: it is made of what class 12 has.

A method is executed by a READ with its parameter, as ``pydlms-client`` and jDLMS do, because only
that brings its return value; by WRITE where parameterized access was not agreed upon.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from msgspec import Struct

from obis.code import ObisCode
from protocol.axdr import Data, Tag, array, null, structure
from protocol.codes import ActionResult, Conformance, DataAccessResult
from protocol.cosem import CLASSES, latest
from protocol.cosem import short_names as names
from protocol.errors import LocalProtocolError
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    MethodRef,
    Opened,
    ReadRequest,
    ReadResponse,
    Request,
    Response,
    SelectiveAccess,
    SetRequest,
    SetResponse,
    ShortName,
    WriteRequest,
    WriteResponse,
)
from protocol.timing import Instant, earliest

_ASSOCIATION_LN, _OBJECT_LIST, _RIGHTS = 15, 2, 3
_NAME: Final = ObisCode(0, 0, 40, 0, 0, 255)
_MEMBERS: Final = 4  # of an element of the object list

#: The results of a method, by their numbers, which are those of an attribute's results.
_ALIKE: Final = {int(result): result for result in ActionResult}

LIST_NAME: Final = ShortName(names.CURRENT_ASSOCIATION + names.attribute_offset(_OBJECT_LIST))
RIGHTS_NAME: Final = ShortName(names.CURRENT_ASSOCIATION + names.attribute_offset(_RIGHTS))


class SpeaksShortNames(Protocol):
    """What is needed of ``Association``."""

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take one whole APDU and say what it meant."""
        ...

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Queue what ``event`` asks for."""
        ...

    def outgoing(self) -> bytes:
        """Return the next whole APDU, ``b""`` when there is none."""
        ...

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        ...


class _Place(Struct, frozen=True):
    base: int
    version: int


@dataclass
class _Known:
    """What the object list said, by class and logical name."""

    places: dict[tuple[int, ObisCode], _Place] = field(default_factory=dict)
    as_class_15: Data = field(default_factory=lambda: array())


class ByShortNames:
    """The client half of an association by short names, for whoever asks by logical names.

    Args:
        association: a client whose context is SN or SN_CIPHERED.
    """

    def __init__(self, association: SpeaksShortNames) -> None:
        self._association = association
        self._known: _Known | None = None
        self._pending: Request | None = None
        self._listing = False
        self._conformance = Conformance(0)
        self._ready: list[AssociationEvent] = []
        self._ready_at: Instant | None = None

    def outgoing(self) -> bytes:
        """Return the next whole APDU, ``b""`` when there is none."""
        return self._association.outgoing()

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)``: at once, where the answer is known already."""
        return earliest(self._ready_at, self._association.wake_at())

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Queue what ``event`` asks for: a GET, SET or ACTION, or what is no service.

        Raises:
            LocalProtocolError: it is not the time for that event, or it cannot be said by short
                names.
            EncodeError: a value does not fit its type.
        """
        if not isinstance(event, Request):
            self._association.send(event, now)
            return
        if self._pending is not None or self._ready:
            raise LocalProtocolError("the response to the last request is still outstanding")
        if self._known is None or _is_list(event):
            several = Conformance.MULTIPLE_REFERENCES in self._conformance
            wanted = (LIST_NAME, RIGHTS_NAME) if several else (LIST_NAME,)
            self._association.send(ReadRequest(wanted), now)
            self._pending, self._listing = event, True
        else:
            self._ask(self._known, event, now)

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take one whole APDU, or none, and say what it meant.

        Raises:
            RemoteProtocolError: the server did what it may not; the association is over.
        """
        events, self._ready, self._ready_at = self._ready, [], None
        due = self._association.wake_at()
        if apdu or (due is not None and now >= due):
            for event in self._association.receive(apdu, now):
                events += self._meant(event, now)
        # What was found out without asking is said now, and not only at the next call.
        events += self._ready
        self._ready, self._ready_at = [], None
        return events

    def _meant(self, event: AssociationEvent, now: Instant) -> list[AssociationEvent]:
        pending = self._pending
        match event:
            case Opened(conformance=conformance):
                self._known, self._pending, self._conformance = None, None, conformance
            case ExceptionRaised():
                self._pending = None
            case ReadResponse(results) if pending is not None:
                self._pending = None
                if self._listing:
                    return self._listed(results, pending, now)
                return [_response(pending, results[0])]
            case WriteResponse(results) if pending is not None:
                self._pending = None
                return [_response(pending, results[0])]
        return [event]

    def _listed(
        self, results: tuple[Data | DataAccessResult, ...], pending: Request, now: Instant
    ) -> list[AssociationEvent]:
        self._listing = False
        listed = results[0]
        if isinstance(listed, DataAccessResult):
            return [_response(pending, listed)]
        rights = results[1] if len(results) > 1 else None
        self._known = _read_list(listed, rights if isinstance(rights, Data) else array())
        if _is_list(pending):
            return [_response(pending, self._known.as_class_15)]
        self._ask(self._known, pending, now)
        return []

    def _ask(self, known: _Known, event: Request, now: Instant) -> None:
        ref = event.method if isinstance(event, ActionRequest) else event.attribute
        place = known.places.get((ref.class_id, ref.logical_name))
        if place is None:
            other = any(name == ref.logical_name for _, name in known.places)
            self._ready = [
                _response(
                    event,
                    DataAccessResult.OBJECT_CLASS_INCONSISTENT
                    if other
                    else DataAccessResult.OBJECT_UNDEFINED,
                )
            ]
            self._ready_at = now
            return
        self._association.send(self._as_short_names(event, place), now)
        self._pending = event

    def _as_short_names(self, event: Request, place: _Place) -> ReadRequest | WriteRequest:
        match event:
            case GetRequest(attribute, access):
                return ReadRequest((ShortName(_attribute(place, attribute), access),))
            case SetRequest(attribute, value, access):
                name = ShortName(_attribute(place, attribute), access)
                return WriteRequest((name,), (value,), event.invoke.confirmed)
            case ActionRequest(method, parameter):
                given = null() if parameter is None else parameter
                address = _method(place, method)
                if Conformance.PARAMETERIZED_ACCESS in self._conformance:
                    return ReadRequest((ShortName(address, SelectiveAccess(0, given)),))
                return WriteRequest((ShortName(address),), (given,))


def _is_list(event: Request) -> bool:
    """Whether the object list of class 15 is asked for, all of it."""
    wanted = AttributeRef(_ASSOCIATION_LN, _NAME, _OBJECT_LIST)
    return isinstance(event, GetRequest) and event.attribute == wanted and event.access is None


def _attribute(place: _Place, attribute: AttributeRef) -> int:
    return (place.base + names.attribute_offset(attribute.index)) & 0xFFFF


def _method(place: _Place, method: MethodRef) -> int:
    declared = CLASSES.get((method.class_id, place.version)) or latest(method.class_id)
    if declared is None:
        raise LocalProtocolError(f"where the methods of class {method.class_id} lie is not known")
    return (place.base + names.method_offset(declared, method.index)) & 0xFFFF


def _response(event: Request, result: Data | DataAccessResult) -> Response:
    match event:
        case GetRequest():
            return GetResponse(result, event.invoke)
        case SetRequest():
            done = DataAccessResult.SUCCESS if isinstance(result, Data) else result
            return SetResponse(done, event.invoke)
        case ActionRequest():
            if isinstance(result, Data):
                value = None if result.tag == Tag.NULL else result
                return ActionResponse(ActionResult.SUCCESS, value, event.invoke)
            failed = _ALIKE.get(int(result), ActionResult.OTHER_REASON)
            return ActionResponse(failed, None, event.invoke)


def _read_list(listed: Data, rights: Data) -> _Known:
    """Return what an object list says; what is no element of one is left out."""
    known, elements = _Known(), []
    by_base = {base & 0xFFFF: granted for base, granted in _rights(rights)}
    for one in listed.value if listed.tag == Tag.ARRAY else ():
        found = _element(one)
        if found is None:
            continue
        base, class_id, version, name = found
        known.places[class_id, name] = _Place(base & 0xFFFF, version)
        granted = by_base.get(base & 0xFFFF, (array(), array()))
        elements.append(structure(*one.value[1:], structure(*granted)))
    known.as_class_15 = array(*elements)
    return known


def _element(element: Data) -> tuple[int, int, int, ObisCode] | None:
    if element.tag != Tag.STRUCTURE or len(element.value) != _MEMBERS:
        return None
    base, class_id, version, name = (member.value for member in element.value)
    numbers = all(isinstance(number, int) for number in (base, class_id, version))
    if not numbers or not isinstance(name, bytes) or len(name) != 6:
        return None
    return base, class_id, version, ObisCode.from_bytes(name)


def _rights(rights: Data) -> list[tuple[int, tuple[Data, Data]]]:
    if rights.tag != Tag.ARRAY:
        return []
    return [
        (one.value[0].value, (one.value[1], one.value[2]))
        for one in rights.value
        if one.tag == Tag.STRUCTURE and len(one.value) == 3 and isinstance(one.value[0].value, int)
    ]
