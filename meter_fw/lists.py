"""Requests of several members: each is executed by itself, in order, and all have one reply.

Each member is committed by itself before the next one begins, so a member that fails stops no
other and undoes none, but that an ACCESS may ask for the rest to be left out once one has failed.
The values of a reply are bounded together: a GET beyond that says long-get-aborted, and a method
that has been executed keeps its result and loses only its return parameters.
"""

from collections.abc import Callable
from typing import Final

from protocol import axdr
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
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
    ListRequest,
    ListResponse,
    Request,
    Response,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
)

#: How many octets of values a reply holds at most.
MAX_VALUES: Final = 128 * 1024

_SUCCESS: Final = (DataAccessResult.SUCCESS, ActionResult.SUCCESS)


def execute(request: ListRequest, answer: Callable[[Request], Response]) -> ListResponse:
    """Execute a request of several members.

    Args:
        request: the indication.
        answer: executes one member, and makes durable what it changed.
    """
    break_on_error = isinstance(request, AccessRequest) and request.invoke.break_on_error
    responses: list[Response] = []
    left, stopped = MAX_VALUES, False
    for member in request.requests:
        response = _left_out(member) if stopped else answer(member)
        size = _size(response)
        if size > left:
            response = _without_value(response)
        else:
            left -= size
        responses.append(response)
        stopped = stopped or (break_on_error and _failed(response))
    return _reply(request, responses)


def _reply(request: ListRequest, responses: list[Response]) -> ListResponse:
    match request:
        case GetListRequest():
            results = tuple(one.result for one in responses if isinstance(one, GetResponse))
            return GetListResponse(results, request.invoke)
        case SetListRequest():
            written = tuple(one.result for one in responses if isinstance(one, SetResponse))
            return SetListResponse(written, request.invoke)
        case ActionListRequest():
            done = tuple(one for one in responses if isinstance(one, ActionResponse))
            return ActionListResponse(done, request.invoke)
        case AccessRequest():
            return AccessResponse(tuple(responses), request.invoke)


def _value(response: Response) -> Data | None:
    match response:
        case GetResponse(result=Data() as value) | ActionResponse(value=Data() as value):
            return value
    return None


def _size(response: Response) -> int:
    value = _value(response)
    return 0 if value is None else len(axdr.encode(value))


def _failed(response: Response) -> bool:
    return not isinstance(response.result, Data) and response.result not in _SUCCESS


def _without_value(response: Response) -> Response:
    if isinstance(response, ActionResponse):
        return ActionResponse(response.result, DataAccessResult.OTHER_REASON, response.invoke)
    return GetResponse(DataAccessResult.LONG_GET_ABORTED, response.invoke)


def _left_out(member: Request) -> Response:
    """Return the answer to a member of an ACCESS that follows one that failed."""
    match member:
        case GetRequest():
            return GetResponse(DataAccessResult.OTHER_REASON, member.invoke)
        case SetRequest():
            return SetResponse(DataAccessResult.OTHER_REASON, member.invoke)
        case ActionRequest():
            return ActionResponse(ActionResult.OTHER_REASON, None, member.invoke)
