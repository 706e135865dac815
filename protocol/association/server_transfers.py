"""The server's services: request APDUs into one event each, one response into APDUs.

Requests in blocks are put together by ``long_requests``. A long response goes out in blocks of its
service where those were negotiated, else whole, for general block transfer to cut; the answer to a
request that came in general blocks goes in general blocks. ``dlms-cosem`` proposes general block
transfer and cannot read it, so a plain request is never answered that way without need.

Where a block cannot be had, the answer says why and the transfer is over:

| what came | the answer |
|---|---|
| GET next block, none in progress | datablock no-long-get-in-progress |
| GET next block, wrong number | datablock data-block-number-invalid |
| ACTION next block, none in progress | no-long-action-in-progress |
| ACTION next block, wrong number | long-action-aborted |
| a value too long for the client, blocks not negotiated | GET: long-get-aborted; ACTION: its result, and other-reason for the return parameters |
| an answer that is too long even without its values | exception (1, 4) |

A new request ends whatever transfer was in progress.
"""  # noqa: E501 - the rows of a table do not wrap

from typing import Final

from msgspec import Struct

from protocol import axdr
from protocol.apdu import (
    AccessRequestApdu,
    ActionRequestFirstPblock,
    ActionRequestListFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponsePblock,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseDatablock,
    GetResponseNormal,
    RequestApdu,
    ResponseApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestListFirstDatablock,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseLastDatablock,
    SetResponseNormal,
)
from protocol.apdu.action import encode_outcomes
from protocol.apdu.get import encode_results
from protocol.association import lists
from protocol.association.blocks import OutgoingBlocks, room, sealed_length
from protocol.association.channel import Envelope
from protocol.association.general_blocks import GeneralBlocks
from protocol.association.long_requests import LongRequests, SetBlock
from protocol.axdr import Data
from protocol.codes import ActionResult, Conformance, DataAccessResult
from protocol.errors import LocalProtocolError, ServiceNotSupported
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
    LongInvokeId,
    Request,
    Response,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
)

_LIST = Conformance.MULTIPLE_REFERENCES
_SET_BLOCKS = Conformance.SET | Conformance.BLOCK_TRANSFER_SET
_ACTION_BLOCKS = Conformance.ACTION | Conformance.BLOCK_TRANSFER_ACTION
_NEEDED: dict[type[RequestApdu], Conformance] = {
    GetRequestNormal: Conformance.GET,
    GetRequestNext: Conformance.GET | Conformance.BLOCK_TRANSFER_GET,
    GetRequestWithList: Conformance.GET | _LIST,
    SetRequestNormal: Conformance.SET,
    SetRequestFirstDatablock: _SET_BLOCKS,
    SetRequestDatablock: _SET_BLOCKS,
    SetRequestWithList: Conformance.SET | _LIST,
    SetRequestListFirstDatablock: _SET_BLOCKS | _LIST,
    ActionRequestNormal: Conformance.ACTION,
    ActionRequestFirstPblock: _ACTION_BLOCKS,
    ActionRequestPblock: _ACTION_BLOCKS,
    ActionRequestNextPblock: _ACTION_BLOCKS,
    ActionRequestWithList: Conformance.ACTION | _LIST,
    ActionRequestListFirstPblock: _ACTION_BLOCKS | _LIST,
    AccessRequestApdu: Conformance.ACCESS,
}

#: Which response answers which request.
RESPONSE_TO: Final[dict[type[Request | ListRequest], type[Response | ListResponse]]] = {
    GetRequest: GetResponse,
    SetRequest: SetResponse,
    ActionRequest: ActionResponse,
    GetListRequest: GetListResponse,
    SetListRequest: SetListResponse,
    ActionListRequest: ActionListResponse,
    AccessRequest: AccessResponse,
}


class Owed(Struct, frozen=True):
    """A response that the server still has to give.

    Args:
        event: the request that it answers.
        request: the APDU that the request came in, or the last of them.
        envelope: how the request was ciphered.
        in_blocks: whether it came in general blocks, so that the answer may have any length.
    """

    event: Request | ListRequest
    request: RequestApdu
    envelope: Envelope | None
    in_blocks: bool = False

    @property
    def invoke(self) -> InvokeId | LongInvokeId:
        """The invoke id of the request, which says whether anybody waits for the answer."""
        return self.event.invoke

    @property
    def echoed(self) -> InvokeId:
        """The invoke id that is echoed, of any service but ACCESS."""
        return self.invoke if isinstance(self.invoke, InvokeId) else InvokeId()

    @property
    def block_number(self) -> int | None:
        """Of a SET in blocks the number of the last; None otherwise."""
        return self.request.block_number if isinstance(self.request, SetBlock) else None


class ServerTransfers:
    """The requests of one association.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the client takes, its envelope included.
        max_assembly: the longest value in octets that is put together from blocks.
        window: how many general blocks the server takes at a stretch.
    """

    def __init__(
        self, conformance: Conformance, limit: int, max_assembly: int, window: int = 1
    ) -> None:
        self._conformance = conformance
        self._limit = limit
        #: The general blocks; None where they were not negotiated.
        self.general: GeneralBlocks | None = None
        if Conformance.GENERAL_BLOCK_TRANSFER in conformance:
            self.general = GeneralBlocks(False, window, limit, max_assembly)
        self._requests = LongRequests(max_assembly)
        self._long_get: OutgoingBlocks | None = None
        self._long_action: OutgoingBlocks | None = None
        self.owed: Owed | None = None

    def request(
        self, request: RequestApdu, envelope: Envelope | None
    ) -> Request | ListRequest | ResponseApdu:
        """Take a request APDU while no response is owed.

        Returns:
            The event for whoever knows the objects; or the answer, where a transfer needs none
            of him.

        Raises:
            ServiceNotSupported: what it asks for was not negotiated.
            TooManyError: it has more members than are executed.
        """
        self._check_negotiated(request)
        outcome = self._take(request, envelope)
        if isinstance(outcome, Request | ListRequest):
            in_blocks = self.general is not None and self.general.in_blocks
            self.owed = Owed(outcome, request, envelope, in_blocks)
        return outcome

    def _take(
        self, request: RequestApdu, envelope: Envelope | None
    ) -> Request | ListRequest | ResponseApdu:
        match request:
            case GetRequestNext():
                return self._next_get_block(request, envelope)
            case ActionRequestNextPblock():
                return self._next_action_block(request, envelope)
            case SetRequestDatablock():
                return self._requests.set_block(request)
            case ActionRequestPblock():
                return self._requests.action_block(request)
        self._abort()
        match request:
            case GetRequestNormal():
                return GetRequest(request.attribute, request.access, request.invoke)
            case SetRequestNormal():
                return SetRequest(request.attribute, request.value, request.access, request.invoke)
            case ActionRequestNormal():
                return ActionRequest(request.method, request.parameter, request.invoke)
            case SetRequestFirstDatablock():
                return self._requests.set_block(request)
            case ActionRequestFirstPblock():
                return self._requests.action_block(request)
        lists.check_members(request)
        match request:
            case SetRequestListFirstDatablock():
                return self._requests.set_block(request)
            case ActionRequestListFirstPblock():
                return self._requests.action_block(request)
            case _:
                return lists.request_event(request)

    def response(self, event: Response | ListResponse) -> bytes | None:
        """Take the response that is owed.

        Returns:
            The plain APDU that carries it, or as much of it as fits; None when not even the
            results without their values fit the client.

        Raises:
            LocalProtocolError: none is owed, or one of another service or with another number
                of members.
            EncodeError: its value does not fit its type; the response is still owed.
        """
        owed = self.owed
        if owed is None or not isinstance(event, RESPONSE_TO[type(owed.event)]):
            raise LocalProtocolError(f"no {type(event).__name__} is owed")
        if isinstance(event, ListResponse) and lists.size(event) != len(_members(owed.event)):
            raise LocalProtocolError(f"{lists.size(event)} answers to a list of another length")
        apdu: bytes | None = _whole(owed, event).encode()
        if not owed.in_blocks and not self._fits(owed, apdu):
            apdu = self._too_long(owed, event)
        self.owed = None
        return apdu

    def _check_negotiated(self, request: RequestApdu) -> None:
        needed = _NEEDED[type(request)]
        if _selects(request):
            needed |= Conformance.SELECTIVE_ACCESS
        missing = needed & ~self._conformance
        if missing:
            raise ServiceNotSupported(f"not negotiated: {missing!r}")

    def _abort(self) -> None:
        self._requests.abort()
        self._long_get = None
        self._long_action = None

    # --- long responses --------------------------------------------------------------------

    def _fits(self, owed: Owed, apdu: bytes | None) -> bool:
        return apdu is not None and sealed_length(owed.envelope, len(apdu)) <= self._limit

    def _too_long(self, owed: Owed, event: Response | ListResponse) -> bytes | None:
        blocks = self._in_blocks(owed, event)
        if blocks is not None:
            return blocks.encode()
        if self.general is not None:
            return _whole(owed, event).encode()
        apdu = _whole(owed, _without_values(event)).encode()
        return apdu if self._fits(owed, apdu) else None

    def _in_blocks(self, owed: Owed, event: Response | ListResponse) -> ResponseApdu | None:
        """Return the first block of the service's own, where it has any here."""
        get = Conformance.BLOCK_TRANSFER_GET in self._conformance
        action = Conformance.BLOCK_TRANSFER_ACTION in self._conformance
        match event:
            case GetResponse(result=Data() as value) if get:
                self._long_get = OutgoingBlocks(axdr.encode(value))
            case GetListResponse() if get:
                self._long_get = OutgoingBlocks(encode_results(event.results))
            # Blocks carry no result of a single method, they mean success.
            case ActionResponse(ActionResult.SUCCESS, Data() as value) if action:
                self._long_action = OutgoingBlocks(axdr.encode(value))
            case ActionListResponse() if action:
                self._long_action = OutgoingBlocks(encode_outcomes(lists.outcomes(event)))
            case _:
                return None
        if self._long_get is not None:
            return self._get_block(self._long_get, owed.echoed, owed.envelope)
        assert self._long_action is not None  # one of the two has just been made
        return self._action_response_block(self._long_action, owed.echoed, owed.envelope)

    def _get_block(
        self, blocks: OutgoingBlocks, invoke: InvokeId, envelope: Envelope | None
    ) -> ResponseApdu:
        head = len(GetResponseDatablock(invoke, False, 0, b"").encode()) - 1
        number, is_last, octets = blocks.take(room(self._limit, envelope, head))
        if is_last:
            self._long_get = None
        return GetResponseDatablock(invoke, is_last, number, octets)

    def _next_get_block(self, request: GetRequestNext, envelope: Envelope | None) -> ResponseApdu:
        blocks = self._long_get
        if blocks is not None and blocks.number == request.block_number:
            return self._get_block(blocks, request.invoke, envelope)
        self._long_get = None
        reason = (
            DataAccessResult.NO_LONG_GET_IN_PROGRESS
            if blocks is None
            else DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        )
        return GetResponseDatablock(request.invoke, True, request.block_number, reason)

    def _action_response_block(
        self, blocks: OutgoingBlocks, invoke: InvokeId, envelope: Envelope | None
    ) -> ResponseApdu:
        head = len(ActionResponsePblock(invoke, False, 0, b"").encode()) - 1
        number, is_last, octets = blocks.take(room(self._limit, envelope, head))
        if is_last:
            self._long_action = None
        return ActionResponsePblock(invoke, is_last, number, octets)

    def _next_action_block(
        self, request: ActionRequestNextPblock, envelope: Envelope | None
    ) -> ResponseApdu:
        blocks = self._long_action
        if blocks is not None and blocks.number == request.block_number:
            return self._action_response_block(blocks, request.invoke, envelope)
        self._long_action = None
        reason = (
            ActionResult.NO_LONG_ACTION_IN_PROGRESS
            if blocks is None
            else ActionResult.LONG_ACTION_ABORTED
        )
        return ActionResponseNormal(request.invoke, reason)


def _members(event: Request | ListRequest) -> tuple[Request, ...]:
    if isinstance(event, GetRequest | SetRequest | ActionRequest):
        return (event,)
    return event.requests


def _selects(request: RequestApdu) -> bool:
    match request:
        case GetRequestWithList() | SetRequestWithList() | SetRequestListFirstDatablock():
            return any(access is not None for _, access in request.attributes)
        case AccessRequestApdu():
            return any(one.access is not None for one in request.specifications)
    return getattr(request, "access", None) is not None


def _whole(owed: Owed, event: Response | ListResponse) -> ResponseApdu:
    match event:
        case GetResponse():
            return GetResponseNormal(owed.echoed, event.result)
        case ActionResponse():
            return ActionResponseNormal(owed.echoed, event.result, event.value)
        case SetResponse():
            if owed.block_number is None:
                return SetResponseNormal(owed.echoed, event.result)
            return SetResponseLastDatablock(owed.echoed, event.result, owed.block_number)
        case AccessResponse():
            assert isinstance(owed.request, AccessRequestApdu)  # nothing else asks for it
            return lists.access_response_apdu(event, owed.request)
        case _:
            return lists.response_apdu(event, owed.echoed, owed.block_number)


def _without_values(event: Response | ListResponse) -> Response | ListResponse:
    """Return an answer with reasons where it had values."""
    match event:
        case GetResponse(result=Data()):
            return GetResponse(DataAccessResult.LONG_GET_ABORTED, event.invoke)
        case ActionResponse(value=Data()):
            return ActionResponse(event.result, DataAccessResult.OTHER_REASON, event.invoke)
        case GetListResponse():
            aborted = DataAccessResult.LONG_GET_ABORTED
            results = tuple(aborted if isinstance(r, Data) else r for r in event.results)
            return GetListResponse(results, event.invoke)
        case ActionListResponse():
            responses = tuple(_bare(one) for one in event.responses)
            return ActionListResponse(responses, event.invoke)
    return event


def _bare(one: ActionResponse) -> ActionResponse:
    value = DataAccessResult.OTHER_REASON if isinstance(one.value, Data) else one.value
    return ActionResponse(one.result, value, one.invoke)
