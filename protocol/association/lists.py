"""Requests of several members, and their answers: between their APDUs and their events.

A GET, SET or ACTION with a list and an ACCESS are one event each, so that whoever knows the objects
executes the members in their order. None of them may have more than ``MAX_MEMBERS``.
"""

from typing import Final

from protocol.apdu import (
    AccessKind,
    AccessRequestApdu,
    AccessResponseApdu,
    AccessResult,
    AccessSpecification,
    ActionOutcome,
    ActionRequestListFirstPblock,
    ActionRequestWithList,
    ActionResponseWithList,
    GetRequestWithList,
    GetResponseWithList,
    SetRequestListFirstDatablock,
    SetRequestWithList,
    SetResponseLastDatablockWithList,
    SetResponseWithList,
)
from protocol.apdu.fields import SelectedAttribute
from protocol.axdr import Data, Tag, null
from protocol.codes import ActionResult, DataAccessResult, ServiceError, StateError
from protocol.errors import RemoteProtocolError
from protocol.events import (
    AccessRequest,
    AccessResponse,
    ActionListRequest,
    ActionListResponse,
    ActionRequest,
    ActionResponse,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    ListRequest,
    ListResponse,
    MethodRef,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
)

#: How many members a request may have. As many GETs fit about 1,400 octets.
MAX_MEMBERS: Final = 128

ListRequestApdu = GetRequestWithList | SetRequestWithList | ActionRequestWithList
ListResponseApdu = (
    GetResponseWithList
    | SetResponseWithList
    | SetResponseLastDatablockWithList
    | ActionResponseWithList
)
_WithMembers = (
    ListRequestApdu | SetRequestListFirstDatablock | ActionRequestListFirstPblock
) | AccessRequestApdu


class TooManyError(RemoteProtocolError):
    """A request with more members than this side executes."""

    def __init__(self, members: int) -> None:
        super().__init__(
            f"a request with {members} members",
            StateError.SERVICE_NOT_ALLOWED,
            ServiceError.PDU_TOO_LONG,
        )


def check_members(request: _WithMembers) -> None:
    """See whether a request has few enough members.

    Raises:
        TooManyError: it has not.
    """
    match request:
        case ActionRequestWithList() | ActionRequestListFirstPblock():
            members = len(request.methods)
        case AccessRequestApdu():
            members = len(request.specifications)
        case _:
            members = len(request.attributes)
    if members > MAX_MEMBERS:
        raise TooManyError(members)


# --- the server's way: requests in, answers out ------------------------------------------------


def request_event(apdu: ListRequestApdu | AccessRequestApdu) -> ListRequest:
    """Return what a request APDU asks."""
    match apdu:
        case GetRequestWithList():
            return GetListRequest(
                tuple(GetRequest(*one, apdu.invoke) for one in apdu.attributes), apdu.invoke
            )
        case SetRequestWithList():
            return set_event(apdu.attributes, apdu.values, apdu.invoke)
        case ActionRequestWithList():
            return action_event(apdu.methods, apdu.parameters, apdu.invoke)
        case AccessRequestApdu():
            pairs = zip(apdu.specifications, apdu.values, strict=True)
            members = tuple(_access_member(one, value) for one, value in pairs)
            return AccessRequest(members, apdu.invoke, apdu.date_time)


def set_event(
    attributes: tuple[SelectedAttribute, ...], values: tuple[Data, ...], invoke: InvokeId
) -> SetListRequest:
    """Return what a SET with a list asks; there are as many values as attributes."""
    pairs = zip(attributes, values, strict=True)
    return SetListRequest(
        tuple(SetRequest(ref, value, access, invoke) for (ref, access), value in pairs), invoke
    )


def action_event(
    methods: tuple[MethodRef, ...], parameters: tuple[Data, ...], invoke: InvokeId
) -> ActionListRequest:
    """Return what an ACTION with a list asks; there are as many parameters as methods."""
    pairs = zip(methods, parameters, strict=True)
    return ActionListRequest(
        tuple(ActionRequest(method, _unless_null(value), invoke) for method, value in pairs),
        invoke,
    )


def response_apdu(
    event: GetListResponse | SetListResponse | ActionListResponse,
    invoke: InvokeId,
    block_number: int | None = None,
) -> ListResponseApdu:
    """Return the APDU of an answer.

    Args:
        event: the answer.
        invoke: of the request.
        block_number: of a SET in blocks the number of the last.
    """
    match event:
        case GetListResponse():
            return GetResponseWithList(invoke, event.results)
        case SetListResponse():
            if block_number is None:
                return SetResponseWithList(invoke, event.results)
            return SetResponseLastDatablockWithList(invoke, event.results, block_number)
        case ActionListResponse():
            return ActionResponseWithList(invoke, outcomes(event))


def outcomes(event: ActionListResponse) -> tuple[ActionOutcome, ...]:
    """Return what became of each method."""
    return tuple((one.result, one.value) for one in event.responses)


def access_response_apdu(event: AccessResponse, request: AccessRequestApdu) -> AccessResponseApdu:
    """Return the APDU that answers an ACCESS."""
    return AccessResponseApdu(
        request.invoke,
        event.date_time,
        request.specifications if request.invoke.self_descriptive else None,
        tuple(_returned(one) for one in event.responses),
        tuple(_access_result(one) for one in event.responses),
    )


def size(event: ListResponse) -> int:
    """Return how many members an answer has."""
    if isinstance(event, GetListResponse | SetListResponse):
        return len(event.results)
    return len(event.responses)


def _access_member(
    one: AccessSpecification, value: Data
) -> GetRequest | SetRequest | ActionRequest:
    if isinstance(one.reference, MethodRef):
        return ActionRequest(one.reference, _unless_null(value))
    if one.kind in (AccessKind.GET, AccessKind.GET_WITH_SELECTION):
        return GetRequest(one.reference, one.access)
    return SetRequest(one.reference, value, one.access)


def _returned(response: GetResponse | SetResponse | ActionResponse) -> Data:
    match response:
        case GetResponse(result=Data() as value) | ActionResponse(value=Data() as value):
            return value
    return null()


def _access_result(response: GetResponse | SetResponse | ActionResponse) -> AccessResult:
    match response:
        case GetResponse(result=DataAccessResult() as reason):
            return AccessResult(AccessKind.GET, reason)
        case GetResponse():
            return AccessResult(AccessKind.GET, DataAccessResult.SUCCESS)
        case SetResponse():
            return AccessResult(AccessKind.SET, response.result)
        case ActionResponse():
            return AccessResult(AccessKind.ACTION, response.result)


def _unless_null(value: Data) -> Data | None:
    return None if value.tag == Tag.NULL else value


# --- the client's way: requests out, answers in ------------------------------------------------


def request_apdu(event: ListRequest) -> ListRequestApdu | AccessRequestApdu:
    """Return the APDU of a request."""
    match event:
        case GetListRequest():
            return GetRequestWithList(event.invoke, selected(event))
        case SetListRequest():
            values = tuple(one.value for one in event.requests)
            return SetRequestWithList(event.invoke, selected(event), values)
        case ActionListRequest():
            methods = tuple(one.method for one in event.requests)
            return ActionRequestWithList(event.invoke, methods, parameters(event))
        case AccessRequest():
            return AccessRequestApdu(
                event.invoke,
                event.date_time,
                tuple(_specification(one) for one in event.requests),
                tuple(_carried(one) for one in event.requests),
            )


def selected(event: GetListRequest | SetListRequest) -> tuple[SelectedAttribute, ...]:
    """Return the attributes of a list, each with what is selected of it."""
    return tuple((one.attribute, one.access) for one in event.requests)


def parameters(event: ActionListRequest) -> tuple[Data, ...]:
    """Return the parameters of a list of methods, null-data for none."""
    return tuple(_carried(one) for one in event.requests)


def action_responses(
    results: tuple[ActionOutcome, ...], invoke: InvokeId
) -> tuple[ActionResponse, ...]:
    """Return what became of each method as a response of its own."""
    return tuple(ActionResponse(result, value, invoke) for result, value in results)


def access_event(request: AccessRequest, apdu: AccessResponseApdu) -> AccessResponse:
    """Return what an answer to ACCESS says.

    Raises:
        RemoteProtocolError: it answers something else than was asked.
    """
    if apdu.specifications not in (None, tuple(_specification(one) for one in request.requests)):
        raise RemoteProtocolError("an ACCESS response repeats what was not asked")
    if len(apdu.results) != len(request.requests):
        raise RemoteProtocolError(
            f"{len(apdu.results)} results for {len(request.requests)} members of an ACCESS"
        )
    triples = zip(request.requests, apdu.results, apdu.values, strict=True)
    responses = tuple(_access_response(*triple) for triple in triples)
    return AccessResponse(responses, apdu.invoke, apdu.date_time)


def _access_response(
    asked: GetRequest | SetRequest | ActionRequest, answer: AccessResult, value: Data
) -> GetResponse | SetResponse | ActionResponse:
    match asked, answer:
        case GetRequest(), AccessResult(AccessKind.GET, DataAccessResult.SUCCESS):
            return GetResponse(value)
        case GetRequest(), AccessResult(AccessKind.GET, DataAccessResult() as result):
            return GetResponse(result)
        case SetRequest(), AccessResult(AccessKind.SET, DataAccessResult() as result):
            return SetResponse(result)
        case ActionRequest(), AccessResult(AccessKind.ACTION, ActionResult() as done):
            return ActionResponse(done, _unless_null(value))
    raise RemoteProtocolError(f"an ACCESS result of {answer.kind.name} for {type(asked).__name__}")


def _specification(member: GetRequest | SetRequest | ActionRequest) -> AccessSpecification:
    match member:
        case GetRequest(access=None):
            return AccessSpecification(AccessKind.GET, member.attribute)
        case GetRequest():
            kind = AccessKind.GET_WITH_SELECTION
            return AccessSpecification(kind, member.attribute, member.access)
        case SetRequest(access=None):
            return AccessSpecification(AccessKind.SET, member.attribute)
        case SetRequest():
            kind = AccessKind.SET_WITH_SELECTION
            return AccessSpecification(kind, member.attribute, member.access)
        case ActionRequest():
            return AccessSpecification(AccessKind.ACTION, member.method)


def _carried(member: GetRequest | SetRequest | ActionRequest) -> Data:
    match member:
        case SetRequest():
            return member.value
        case ActionRequest(parameter=Data() as value):
            return value
    return null()
