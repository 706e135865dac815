"""From an indication to an answer: event -> object -> right -> rule -> reply.

The checks come first and in this order: is there such an object for this client, is it of that
class, has it that attribute or method, may this client do that, does the value have the declared
type. Then the bound rule is called. It returns a new state and changes nothing; the kernel
commits that state before it lets the reply out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from meter_fw.state import MeterState
from meter_fw.view import Caller, Change, Role, View
from obis.code import ObisCode
from protocol.axdr import integer
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem.interface import InterfaceClass
from protocol.cosem.types import TypeMismatch, from_data, to_data
from protocol.errors import AccessRefused
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    MethodRef,
    Request,
    Response,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)

Getter = Callable[[View], Any]
Selector = Callable[[View, SelectiveAccess], Any]
Setter = Callable[[View, Any], Change]


class Attribute(Struct, frozen=True):
    """How an attribute is bound: its value comes and goes as its declared type takes it.

    Args:
        get: the value; None for an attribute that cannot be read.
        readers: the roles that may read it.
        set: what a SET comes to; None for an attribute that cannot be written.
        writers: the roles that may write it.
        select: the value under selective access, where the class has any.
        selectors: the access selectors that ``select`` knows.
    """

    get: Getter | None
    readers: Role
    set: Setter | None = None
    writers: Role = Role.NOBODY
    select: Selector | None = None
    selectors: tuple[int, ...] = ()


class Method(Struct, frozen=True):
    """How a method is bound: its rule and the roles that may call it."""

    call: Setter
    callers: Role


@dataclass(frozen=True, slots=True)
class CosemObject:
    """An instance: a declared class, a logical name, and its behaviour."""

    declaration: InterfaceClass
    logical_name: ObisCode
    attributes: Mapping[int, Attribute]
    methods: Mapping[int, Method] = field(default_factory=dict)
    #: who sees this object at all: whoever may read, write or call something of it
    roles: Role = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seen = Role.NOBODY
        for attribute in self.attributes.values():
            seen |= attribute.readers | attribute.writers
        for method in self.methods.values():
            seen |= method.callers
        object.__setattr__(self, "roles", seen)

    def attribute_roles(self, index: int) -> tuple[Role, Role]:
        """Return who may read and who may write an attribute; everybody reads attribute 1."""
        if index == 1:
            return self.roles, Role.NOBODY
        bound = self.attributes.get(index)
        return (bound.readers, bound.writers) if bound else (Role.NOBODY, Role.NOBODY)


Objects = Mapping[ObisCode, CosemObject]


class Answer(Struct, frozen=True):
    """What to commit, and then what to say."""

    state: MeterState
    response: Response


def answer(objects: Objects, view: View, request: Request) -> Answer:
    """Return what a GET, SET or ACTION indication comes to.

    Args:
        objects: the meter's objects by logical name.
        view: the meter at this moment, with its caller.
        request: the indication.
    """
    assert view.caller is not None
    if isinstance(request, GetRequest):
        return _get(objects, view, view.caller, request)
    if isinstance(request, SetRequest):
        return _set(objects, view, view.caller, request)
    return _action(objects, view, view.caller, request)


def hardware_fault(request: Request) -> Response:
    """Return the answer to a request whose effect could not be made durable."""
    match request:
        case GetRequest():
            return GetResponse(DataAccessResult.HARDWARE_FAULT, request.invoke)
        case SetRequest():
            return SetResponse(DataAccessResult.HARDWARE_FAULT, request.invoke)
        case ActionRequest():
            return ActionResponse(ActionResult.HARDWARE_FAULT, None, request.invoke)


def _find(objects: Objects, caller: Caller, ref: AttributeRef | MethodRef) -> CosemObject:
    found = objects.get(ref.logical_name)
    if found is None or not found.roles & caller.role:
        raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
    if found.declaration.class_id != ref.class_id:
        raise AccessRefused(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
    return found


def _get(objects: Objects, view: View, caller: Caller, request: GetRequest) -> Answer:
    try:
        value = _read(_find(objects, caller, request.attribute), view, caller, request)
    except AccessRefused as refused:
        return Answer(view.state, GetResponse(refused.result, request.invoke))
    return Answer(view.state, GetResponse(value, request.invoke))


def _read(found: CosemObject, view: View, caller: Caller, request: GetRequest) -> Any:
    index = request.attribute.index
    declared = found.declaration.attribute(index)
    if declared is None:
        raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
    if not found.attribute_roles(index)[0] & caller.role:
        raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
    bound = found.attributes.get(index)
    if request.access is not None:
        if bound is None or bound.select is None or request.access.selector not in bound.selectors:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return to_data(declared.type, bound.select(view, request.access))
    if index == 1:
        return to_data(declared.type, found.logical_name.to_bytes())
    if bound is None or bound.get is None:
        raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
    return to_data(declared.type, bound.get(view))


def _set(objects: Objects, view: View, caller: Caller, request: SetRequest) -> Answer:
    try:
        change = _write(_find(objects, caller, request.attribute), view, caller, request)
    except AccessRefused as refused:
        return Answer(view.state, SetResponse(refused.result, request.invoke))
    return Answer(change.state, SetResponse(change.result, request.invoke))


def _write(found: CosemObject, view: View, caller: Caller, request: SetRequest) -> Change:
    index = request.attribute.index
    declared = found.declaration.attribute(index)
    if declared is None:
        raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
    bound = found.attributes.get(index)
    if bound is None or bound.set is None or not bound.writers & caller.role:
        raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
    if request.access is not None:
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
    try:
        value = from_data(declared.type, request.value)
    except TypeMismatch as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
    return bound.set(view, value)


def _action(objects: Objects, view: View, caller: Caller, request: ActionRequest) -> Answer:
    try:
        found = _find(objects, caller, request.method)
        declared = found.declaration.method(request.method.index)
        bound = found.methods.get(request.method.index)
        if declared is None or bound is None:
            raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
        if not bound.callers & caller.role:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        change = bound.call(view, _parameter(declared.parameter, request))
    except AccessRefused as refused:
        return Answer(view.state, ActionResponse(_as_action(refused.result), None, request.invoke))
    value = None if change.value is None else to_data(declared.returns, change.value)
    return Answer(change.state, ActionResponse(_as_action(change.result), value, request.invoke))


def _parameter(declared: Any, request: ActionRequest) -> Any:
    """Decode a method's parameter; one that is left out stands for the plain integer 0.

    So a trigger may be called without; a method that takes an amount or a token may not.
    """
    given = integer(0) if request.parameter is None else request.parameter
    try:
        return from_data(declared, given)
    except TypeMismatch as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error


def _as_action(result: DataAccessResult) -> ActionResult:
    """The two enumerations number the results that a rule may give alike."""
    return ActionResult(result)
