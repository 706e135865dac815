"""The client's services: one request into APDUs, response APDUs into one event."""

from dataclasses import dataclass, field
from typing import TypeVar

from obis.values import replace
from protocol import axdr
from protocol.apdu import (
    AccessResponseApdu,
    ActionRequestFirstPblock,
    ActionRequestListFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    ActionResponseWithList,
    GetRequestNext,
    GetRequestNormal,
    GetResponseDatablock,
    GetResponseNormal,
    GetResponseWithList,
    RequestApdu,
    ResponseApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestListFirstDatablock,
    SetRequestNormal,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from protocol.apdu.action import read_outcomes
from protocol.apdu.fields import Reader, data_list
from protocol.apdu.get import read_results
from protocol.association import lists
from protocol.association.blocks import Block, IncomingBlocks, OutgoingBlocks, room, sealed_length
from protocol.association.channel import Envelope
from protocol.association.general_blocks import GeneralBlocks
from protocol.axdr import Data
from protocol.codes import ActionResult, Conformance, DataAccessResult
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.events import (
    AccessRequest,
    ActionListRequest,
    ActionListResponse,
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    ListRequest,
    ListResponse,
    Request,
    Response,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
)

_NEEDED: dict[type[Request | ListRequest], Conformance] = {
    GetRequest: Conformance.GET,
    SetRequest: Conformance.SET,
    ActionRequest: Conformance.ACTION,
    GetListRequest: Conformance.GET | Conformance.MULTIPLE_REFERENCES,
    SetListRequest: Conformance.SET | Conformance.MULTIPLE_REFERENCES,
    ActionListRequest: Conformance.ACTION | Conformance.MULTIPLE_REFERENCES,
    AccessRequest: Conformance.ACCESS,
}

# Octets of a block request before the length of what it carries.
_SET_BLOCK_HEAD = len(SetRequestDatablock(InvokeId(), False, 0, b"").encode()) - 1
_ACTION_BLOCK_HEAD = len(ActionRequestPblock(InvokeId(), False, 0, b"").encode()) - 1


_FirstBlock = (
    SetRequestFirstDatablock
    | SetRequestListFirstDatablock
    | ActionRequestFirstPblock
    | ActionRequestListFirstPblock
)


@dataclass
class _Outstanding:
    request: Request | ListRequest
    incoming: IncomingBlocks
    outgoing: OutgoingBlocks = field(default_factory=lambda: OutgoingBlocks(b""))
    blocks: set[tuple[type, int]] = field(default_factory=set)


class ClientTransfers:
    """The requests of one association.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the server takes, its envelope included.
        max_assembly: the longest value in octets that is put together from blocks.
        envelope: how requests are ciphered, None for not at all.
        general_blocks: send what does not fit in general blocks, where they were negotiated,
            rather than in those of its service.
        window: how many general blocks the client takes at a stretch.
        datagrams: a block that has been taken may come again.
    """

    def __init__(
        self,
        conformance: Conformance,
        limit: int,
        max_assembly: int,
        envelope: Envelope | None,
        general_blocks: bool = False,
        window: int = 1,
        datagrams: bool = False,
    ) -> None:
        self._datagrams = datagrams
        self._conformance = conformance
        self._limit = limit
        self._max_assembly = max_assembly
        self.envelope = envelope
        #: The general blocks of requests and answers; None where they were not negotiated.
        self.general: GeneralBlocks | None = None
        #: Those that nobody acknowledges: what the server pushes, at any time.
        self.pushed: GeneralBlocks | None = None
        if Conformance.GENERAL_BLOCK_TRANSFER in conformance:
            self.general = GeneralBlocks(True, window, limit, max_assembly)
            self.pushed = GeneralBlocks(True, window, limit, max_assembly)
        self._prefer_general = general_blocks and self.general is not None
        self._outstanding: _Outstanding | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a response is outstanding."""
        return self._outstanding is not None

    def envelope_of(self, request: AssociationEvent) -> Envelope | None:
        """Return how a request is ciphered, None for not at all.

        ACCESS has no ciphered tag of its own, so it is always in a general envelope.
        """
        if self.envelope is None or not isinstance(request, AccessRequest):
            return self.envelope
        return replace(self.envelope, is_general=True)

    def forget(self) -> None:
        """Expect no response any more."""
        self._outstanding = None
        if self.general is not None:
            self.general.begin()

    def start(self, request: Request | ListRequest) -> bytes:
        """Begin a request.

        Returns:
            The plain APDU that carries it, or as much of it as fits; longer than fits where it
            is for general blocks to carry.

        Raises:
            LocalProtocolError: a response is outstanding, the service was not negotiated, or
                the request does not fit and blocks were not negotiated.
            EncodeError: a value does not fit its type.
        """
        if self._outstanding is not None:
            raise LocalProtocolError("the response to the last request is still outstanding")
        if _NEEDED[type(request)] & ~self._conformance:
            raise LocalProtocolError(f"{type(request).__name__} was not negotiated")
        outstanding = _Outstanding(request, IncomingBlocks(self._max_assembly))
        apdu = _whole(request).encode()
        if sealed_length(self.envelope_of(request), len(apdu)) > self._limit:
            apdu = self._too_long(outstanding, apdu)
        if request.invoke.confirmed:
            self._outstanding = outstanding
        return apdu

    def response(self, apdu: ResponseApdu) -> Response | ListResponse | RequestApdu | None:
        """Take a response APDU.

        Returns:
            The event, once the response is complete; the request for the next block before
            that; None for the late answer to some earlier request, which is dropped.

        Raises:
            RemoteProtocolError: it does not answer what was asked, a block is not the next
                one, or what the blocks make is no value or too long.
        """
        outstanding = self._outstanding
        if outstanding is None or apdu.invoke.number != outstanding.request.invoke.number:
            return None
        if self._datagrams and _is_copy(outstanding, apdu):
            return None
        answer = self._answer(outstanding, apdu)
        if isinstance(answer, Response | ListResponse):
            self._outstanding = None
        return answer

    def _answer(
        self, outstanding: _Outstanding, apdu: ResponseApdu
    ) -> Response | ListResponse | RequestApdu:
        request = outstanding.request
        match request, apdu:
            case GetRequest(), GetResponseNormal():
                return GetResponse(apdu.result, apdu.invoke)
            case GetRequest(), GetResponseDatablock():
                return _get_block(outstanding, apdu)
            case SetRequest(), SetResponseNormal() | SetResponseLastDatablock():
                return SetResponse(apdu.result, apdu.invoke)
            case SetRequest() | SetListRequest(), SetResponseDatablock():
                block = self._next_block(outstanding, apdu.block_number, _SET_BLOCK_HEAD)
                return SetRequestDatablock(
                    request.invoke, block.is_last, block.number, block.octets
                )
            case ActionRequest(), ActionResponseNormal():
                return ActionResponse(apdu.result, apdu.value, apdu.invoke)
            case ActionRequest() | ActionListRequest(), ActionResponseNextPblock():
                block = self._next_block(outstanding, apdu.block_number, _ACTION_BLOCK_HEAD)
                return ActionRequestPblock(
                    request.invoke, block.is_last, block.number, block.octets
                )
            case ActionRequest() | ActionListRequest(), ActionResponsePblock():
                return _action_block(outstanding, apdu)
            case GetListRequest(), GetResponseDatablock():
                return _get_block(outstanding, apdu)
            case AccessRequest(), AccessResponseApdu():
                return lists.access_event(request, apdu)
            case GetListRequest() | SetListRequest() | ActionListRequest(), _:
                answer = _list_answer(request, apdu)
                if answer is not None:
                    return _of_all(request, answer)
        raise RemoteProtocolError(
            f"{type(apdu).__name__} does not answer a {type(request).__name__}"
        )

    def _too_long(self, outstanding: _Outstanding, whole: bytes) -> bytes:
        """Return the first block of a request that does not fit, or all of it for general blocks.

        Raises:
            LocalProtocolError: neither kind of blocks was negotiated.
        """
        if not self._prefer_general:
            first = self._first_block(outstanding)
            if first is not None:
                return first.encode()
        length = sealed_length(self.envelope_of(outstanding.request), len(whole))
        if self.general is None or not self.general.carries(length):
            raise LocalProtocolError("the request is longer than the server takes")
        return whole

    def _first_block(self, outstanding: _Outstanding) -> RequestApdu | None:
        empty = _empty_first_block(outstanding.request)
        if empty is None:
            return None
        first, needed, octets = empty
        size = room(self._limit, self.envelope, len(first.encode()) - 1)
        if needed not in self._conformance or size <= 0:
            return None
        outstanding.outgoing = OutgoingBlocks(octets)
        number, is_last, piece = outstanding.outgoing.take(size)
        return replace(first, last=is_last, block_number=number, raw_data=piece)

    def _next_block(self, outstanding: _Outstanding, number: int, head: int) -> Block:
        blocks = outstanding.outgoing
        if number != blocks.number or blocks.is_done:
            raise RemoteProtocolError(f"block {number} confirmed after block {blocks.number}")
        return blocks.take(room(self._limit, self.envelope, head))


def _is_copy(outstanding: _Outstanding, apdu: ResponseApdu) -> bool:
    """Whether a block, or the confirmation of one, has come before; from now on it has."""
    number = getattr(apdu, "block_number", None)
    if number is None or (type(apdu), number) in outstanding.blocks:
        return number is not None
    outstanding.blocks.add((type(apdu), number))
    return False


def _empty_first_block(
    request: Request | ListRequest,
) -> tuple[_FirstBlock, Conformance, bytes] | None:
    """Return the first block without what it carries, the conformance it needs, and all octets."""
    match request:
        case SetRequest():
            return (
                SetRequestFirstDatablock(
                    request.invoke, request.attribute, request.access, False, 1, b""
                ),
                Conformance.BLOCK_TRANSFER_SET,
                axdr.encode(request.value),
            )
        case SetListRequest():
            return (
                SetRequestListFirstDatablock(
                    request.invoke, lists.selected(request), False, 1, b""
                ),
                Conformance.BLOCK_TRANSFER_SET,
                data_list([one.value for one in request.requests]),
            )
        case ActionRequest(parameter=Data() as parameter):
            return (
                ActionRequestFirstPblock(request.invoke, request.method, False, 1, b""),
                Conformance.BLOCK_TRANSFER_ACTION,
                axdr.encode(parameter),
            )
        case ActionListRequest():
            methods = tuple(one.method for one in request.requests)
            return (
                ActionRequestListFirstPblock(request.invoke, methods, False, 1, b""),
                Conformance.BLOCK_TRANSFER_ACTION,
                data_list(lists.parameters(request)),
            )
    return None


def _whole(request: Request | ListRequest) -> RequestApdu:
    match request:
        case GetRequest():
            return GetRequestNormal(request.invoke, request.attribute, request.access)
        case SetRequest():
            return SetRequestNormal(
                request.invoke, request.attribute, request.access, request.value
            )
        case ActionRequest():
            return ActionRequestNormal(request.invoke, request.method, request.parameter)
        case _:
            return lists.request_apdu(request)


def _get_block(
    outstanding: _Outstanding, apdu: GetResponseDatablock
) -> GetResponse | GetListResponse | GetRequestNext:
    request = outstanding.request
    if isinstance(apdu.result, DataAccessResult):
        if isinstance(request, GetListRequest):
            return GetListResponse((apdu.result,) * len(request.requests), apdu.invoke)
        return GetResponse(apdu.result, apdu.invoke)
    blocks = outstanding.incoming
    blocks.add(apdu.block_number, apdu.result)
    if not apdu.last:
        return GetRequestNext(apdu.invoke, apdu.block_number)
    if not isinstance(request, GetListRequest):
        return GetResponse(axdr.decode(blocks.value()), apdu.invoke)
    reader = Reader(blocks.value())
    results = read_results(reader)
    reader.end()
    return _of_all(request, GetListResponse(results, apdu.invoke))


def _action_block(
    outstanding: _Outstanding, apdu: ActionResponsePblock
) -> ActionResponse | ActionListResponse | ActionRequestNextPblock:
    request, blocks = outstanding.request, outstanding.incoming
    blocks.add(apdu.block_number, apdu.raw_data)
    if not apdu.last:
        return ActionRequestNextPblock(apdu.invoke, apdu.block_number)
    if not isinstance(request, ActionListRequest):
        return ActionResponse(ActionResult.SUCCESS, axdr.decode(blocks.value()), apdu.invoke)
    reader = Reader(blocks.value())
    outcomes = read_outcomes(reader)
    reader.end()
    responses = lists.action_responses(outcomes, apdu.invoke)
    return _of_all(request, ActionListResponse(responses, apdu.invoke))


_ListAnswer = GetListResponse | SetListResponse | ActionListResponse
_List = TypeVar("_List", GetListResponse, SetListResponse, ActionListResponse, _ListAnswer)


def _list_answer(
    request: GetListRequest | SetListRequest | ActionListRequest, apdu: ResponseApdu
) -> _ListAnswer | None:
    """Return what an APDU says to a list; a refusal of the whole is one of each member."""
    members = len(request.requests)
    match request, apdu:
        case GetListRequest(), GetResponseWithList():
            return GetListResponse(apdu.results, apdu.invoke)
        case GetListRequest(), GetResponseNormal():
            if isinstance(apdu.result, DataAccessResult):
                return GetListResponse((apdu.result,) * members, apdu.invoke)
        case SetListRequest(), SetResponseWithList() | SetResponseLastDatablockWithList():
            return SetListResponse(apdu.results, apdu.invoke)
        case SetListRequest(), SetResponseNormal() | SetResponseLastDatablock():
            if apdu.result != DataAccessResult.SUCCESS:
                return SetListResponse((apdu.result,) * members, apdu.invoke)
        case ActionListRequest(), ActionResponseWithList():
            responses = lists.action_responses(apdu.outcomes, apdu.invoke)
            return ActionListResponse(responses, apdu.invoke)
        case ActionListRequest(), ActionResponseNormal():
            if apdu.result != ActionResult.SUCCESS:
                refused = ActionResponse(apdu.result, None, apdu.invoke)
                return ActionListResponse((refused,) * members, apdu.invoke)
    return None


def _of_all(request: GetListRequest | SetListRequest | ActionListRequest, answer: _List) -> _List:
    """Return an answer that has as many results as there are members."""
    if lists.size(answer) != len(request.requests):
        raise RemoteProtocolError(
            f"{lists.size(answer)} results for a list of {len(request.requests)}"
        )
    return answer
