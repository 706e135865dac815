"""The client's services: one request into APDUs, response APDUs into one event."""

from dataclasses import dataclass, field, replace

from protocol import axdr
from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    GetRequestNext,
    GetRequestNormal,
    GetResponseDatablock,
    GetResponseNormal,
    RequestApdu,
    ResponseApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseNormal,
)
from protocol.association.blocks import Block, IncomingBlocks, OutgoingBlocks, room, sealed_length
from protocol.association.channel import Envelope
from protocol.codes import ActionResult, Conformance, DataAccessResult
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.events import (
    ActionRequest,
    ActionResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    Request,
    Response,
    SetRequest,
    SetResponse,
)

_NEEDED: dict[type[Request], Conformance] = {
    GetRequest: Conformance.GET,
    SetRequest: Conformance.SET,
    ActionRequest: Conformance.ACTION,
}

# Octets of a block request before the length of what it carries.
_SET_BLOCK_HEAD = len(SetRequestDatablock(InvokeId(), False, 0, b"").encode()) - 1
_ACTION_BLOCK_HEAD = len(ActionRequestPblock(InvokeId(), False, 0, b"").encode()) - 1


@dataclass
class _Outstanding:
    request: Request
    incoming: IncomingBlocks
    outgoing: OutgoingBlocks = field(default_factory=lambda: OutgoingBlocks(b""))


class ClientTransfers:
    """The requests of one association.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the server takes, its envelope included.
        max_assembly: the longest value in octets that is put together from blocks.
        envelope: how requests are ciphered, None for not at all.
    """

    def __init__(
        self,
        conformance: Conformance,
        limit: int,
        max_assembly: int,
        envelope: Envelope | None,
    ) -> None:
        self._conformance = conformance
        self._limit = limit
        self._max_assembly = max_assembly
        self.envelope = envelope
        self._outstanding: _Outstanding | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a response is outstanding."""
        return self._outstanding is not None

    def forget(self) -> None:
        """Expect no response any more."""
        self._outstanding = None

    def start(self, request: Request) -> bytes:
        """Begin a request.

        Returns:
            The plain APDU that carries it, or as much of it as fits.

        Raises:
            LocalProtocolError: a response is outstanding, the service was not negotiated, or
                the request does not fit and blocks were not negotiated.
            EncodeError: a value does not fit its type.
        """
        if self._outstanding is not None:
            raise LocalProtocolError("the response to the last request is still outstanding")
        if not _NEEDED[type(request)] & self._conformance:
            raise LocalProtocolError(f"{type(request).__name__} was not negotiated")
        outstanding = _Outstanding(request, IncomingBlocks(self._max_assembly))
        apdu = _whole(request).encode()
        if sealed_length(self.envelope, len(apdu)) > self._limit:
            apdu = self._first_block(outstanding).encode()
        if request.invoke.confirmed:
            self._outstanding = outstanding
        return apdu

    def response(self, apdu: ResponseApdu) -> Response | RequestApdu | None:
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
        answer = self._answer(outstanding, apdu)
        if isinstance(answer, GetResponse | SetResponse | ActionResponse):
            self._outstanding = None
        return answer

    def _answer(self, outstanding: _Outstanding, apdu: ResponseApdu) -> Response | RequestApdu:
        request = outstanding.request
        match request, apdu:
            case GetRequest(), GetResponseNormal():
                return GetResponse(apdu.result, apdu.invoke)
            case GetRequest(), GetResponseDatablock():
                return _get_block(outstanding, apdu)
            case SetRequest(), SetResponseNormal() | SetResponseLastDatablock():
                return SetResponse(apdu.result, apdu.invoke)
            case SetRequest(), SetResponseDatablock():
                block = self._next_block(outstanding, apdu.block_number, _SET_BLOCK_HEAD)
                return SetRequestDatablock(
                    request.invoke, block.is_last, block.number, block.octets
                )
            case ActionRequest(), ActionResponseNormal():
                return ActionResponse(apdu.result, apdu.value, apdu.invoke)
            case ActionRequest(), ActionResponseNextPblock():
                block = self._next_block(outstanding, apdu.block_number, _ACTION_BLOCK_HEAD)
                return ActionRequestPblock(
                    request.invoke, block.is_last, block.number, block.octets
                )
            case ActionRequest(), ActionResponsePblock():
                return _action_block(outstanding, apdu)
        raise RemoteProtocolError(
            f"{type(apdu).__name__} does not answer a {type(request).__name__}"
        )

    def _first_block(self, outstanding: _Outstanding) -> RequestApdu:
        request = outstanding.request
        first: SetRequestFirstDatablock | ActionRequestFirstPblock
        if isinstance(request, SetRequest):
            needed = Conformance.BLOCK_TRANSFER_SET
            value = axdr.encode(request.value)
            first = SetRequestFirstDatablock(
                request.invoke, request.attribute, request.access, False, 1, b""
            )
        elif isinstance(request, ActionRequest) and request.parameter is not None:
            needed = Conformance.BLOCK_TRANSFER_ACTION
            value = axdr.encode(request.parameter)
            first = ActionRequestFirstPblock(request.invoke, request.method, False, 1, b"")
        else:
            raise LocalProtocolError("the request is longer than the server takes")
        size = room(self._limit, self.envelope, len(first.encode()) - 1)
        if needed not in self._conformance or size <= 0:
            raise LocalProtocolError("the request is longer than the server takes")
        outstanding.outgoing = OutgoingBlocks(value)
        number, is_last, octets = outstanding.outgoing.take(size)
        return replace(first, last=is_last, block_number=number, raw_data=octets)

    def _next_block(self, outstanding: _Outstanding, number: int, head: int) -> Block:
        blocks = outstanding.outgoing
        if number != blocks.number or blocks.is_done:
            raise RemoteProtocolError(f"block {number} confirmed after block {blocks.number}")
        return blocks.take(room(self._limit, self.envelope, head))


def _whole(request: Request) -> RequestApdu:
    match request:
        case GetRequest():
            return GetRequestNormal(request.invoke, request.attribute, request.access)
        case SetRequest():
            return SetRequestNormal(
                request.invoke, request.attribute, request.access, request.value
            )
        case ActionRequest():
            return ActionRequestNormal(request.invoke, request.method, request.parameter)


def _get_block(
    outstanding: _Outstanding, apdu: GetResponseDatablock
) -> GetResponse | GetRequestNext:
    if isinstance(apdu.result, DataAccessResult):
        return GetResponse(apdu.result, apdu.invoke)
    blocks = outstanding.incoming
    blocks.add(apdu.block_number, apdu.result)
    if not apdu.last:
        return GetRequestNext(outstanding.request.invoke, apdu.block_number)
    return GetResponse(axdr.decode(blocks.value()), apdu.invoke)


def _action_block(
    outstanding: _Outstanding, apdu: ActionResponsePblock
) -> ActionResponse | ActionRequestNextPblock:
    blocks = outstanding.incoming
    blocks.add(apdu.block_number, apdu.raw_data)
    if not apdu.last:
        return ActionRequestNextPblock(outstanding.request.invoke, apdu.block_number)
    return ActionResponse(ActionResult.SUCCESS, axdr.decode(blocks.value()), apdu.invoke)
