"""The server's services: request APDUs into one event each, one response into APDUs.

Where a block cannot be had, the answer says why and the transfer is over:

| what came | the answer |
|---|---|
| GET next block, none in progress | datablock no-long-get-in-progress |
| GET next block, wrong number | datablock data-block-number-invalid |
| SET block, none in progress | last-datablock no-long-set-in-progress |
| SET block, wrong number | last-datablock data-block-number-invalid |
| SET blocks that get too long | last-datablock long-set-aborted |
| ACTION block, none in progress | no-long-action-in-progress |
| ACTION block, wrong number, or too long in all | long-action-aborted |
| blocks that are no value in the end | other-reason |
| a value too long for the client, blocks not negotiated | GET: long-get-aborted; ACTION: its result, and other-reason for the return parameters |

A new request ends whatever transfer was in progress.
"""  # noqa: E501 - the rows of a table do not wrap

from dataclasses import dataclass

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
from protocol.association.blocks import (
    BlockNumberError,
    IncomingBlocks,
    OutgoingBlocks,
    TooLongError,
    room,
    sealed_length,
)
from protocol.association.channel import Envelope
from protocol.axdr import Data
from protocol.codes import ActionResult, Conformance, DataAccessResult
from protocol.errors import DecodeError, LocalProtocolError, ServiceNotSupported
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    InvokeId,
    MethodRef,
    Request,
    Response,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)

_NEEDED: dict[type[RequestApdu], Conformance] = {
    GetRequestNormal: Conformance.GET,
    GetRequestNext: Conformance.GET | Conformance.BLOCK_TRANSFER_GET,
    SetRequestNormal: Conformance.SET,
    SetRequestFirstDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_SET,
    SetRequestDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_SET,
    ActionRequestNormal: Conformance.ACTION,
    ActionRequestFirstPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_ACTION,
    ActionRequestPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_ACTION,
    ActionRequestNextPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_ACTION,
}


@dataclass(frozen=True, slots=True)
class Owed:
    """A response that the server still has to give.

    Args:
        kind: the type of the response.
        invoke: the invoke id that it echoes.
        envelope: how the request was ciphered.
        block_number: of a SET in blocks the number of the last; None otherwise.
    """

    kind: type[Response]
    invoke: InvokeId
    envelope: Envelope | None
    block_number: int | None = None


@dataclass(frozen=True, slots=True)
class _LongSet:
    attribute: AttributeRef
    access: SelectiveAccess | None
    blocks: IncomingBlocks


@dataclass(frozen=True, slots=True)
class _LongAction:
    method: MethodRef
    blocks: IncomingBlocks


class ServerTransfers:
    """The requests of one association.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the client takes, its envelope included.
        max_assembly: the longest value in octets that is put together from blocks.
    """

    def __init__(self, conformance: Conformance, limit: int, max_assembly: int) -> None:
        self._conformance = conformance
        self._limit = limit
        self._max_assembly = max_assembly
        self._incoming: _LongSet | _LongAction | None = None
        self._long_get: OutgoingBlocks | None = None
        self._long_action: OutgoingBlocks | None = None
        self.owed: Owed | None = None

    def request(self, request: RequestApdu, envelope: Envelope | None) -> Request | ResponseApdu:
        """Take a request APDU while no response is owed.

        Returns:
            The event for whoever knows the objects; or the answer, where a transfer needs none
            of him.

        Raises:
            ServiceNotSupported: what it asks for was not negotiated.
        """
        self._check_negotiated(request)
        match request:
            case GetRequestNext():
                return self._next_get_block(request, envelope)
            case ActionRequestNextPblock():
                return self._next_action_block(request, envelope)
            case SetRequestDatablock():
                return self._set_block(request, envelope)
            case ActionRequestPblock():
                return self._action_block(request, envelope)
        self._abort()
        match request:
            case GetRequestNormal():
                self.owed = Owed(GetResponse, request.invoke, envelope)
                return GetRequest(request.attribute, request.access, request.invoke)
            case SetRequestNormal():
                self.owed = Owed(SetResponse, request.invoke, envelope)
                return SetRequest(request.attribute, request.value, request.access, request.invoke)
            case ActionRequestNormal():
                self.owed = Owed(ActionResponse, request.invoke, envelope)
                return ActionRequest(request.method, request.parameter, request.invoke)
            case SetRequestFirstDatablock():
                blocks = IncomingBlocks(self._max_assembly)
                self._incoming = _LongSet(request.attribute, request.access, blocks)
                return self._set_block(request, envelope)
            case ActionRequestFirstPblock():
                self._incoming = _LongAction(request.method, IncomingBlocks(self._max_assembly))
                return self._action_block(request, envelope)

    def response(self, event: Response) -> bytes:
        """Take the response that is owed.

        Returns:
            The plain APDU that carries it, or as much of it as fits.

        Raises:
            LocalProtocolError: none is owed, or one of another service.
            EncodeError: its value does not fit its type; the response is still owed.
        """
        owed = self.owed
        if owed is None or not isinstance(event, owed.kind):
            raise LocalProtocolError(f"no {type(event).__name__} is owed")
        apdu = _whole(owed, event).encode()
        if sealed_length(owed.envelope, len(apdu)) > self._limit:
            apdu = self._too_long(owed, event).encode()
        self.owed = None
        return apdu

    def _check_negotiated(self, request: RequestApdu) -> None:
        needed = _NEEDED[type(request)]
        if getattr(request, "access", None) is not None:
            needed |= Conformance.SELECTIVE_ACCESS
        missing = needed & ~self._conformance
        if missing:
            raise ServiceNotSupported(f"not negotiated: {missing!r}")

    def _abort(self) -> None:
        self._incoming = None
        self._long_get = None
        self._long_action = None

    # --- long responses --------------------------------------------------------------------

    def _too_long(self, owed: Owed, event: Response) -> ResponseApdu:
        if isinstance(event, GetResponse) and isinstance(event.result, Data):
            if Conformance.BLOCK_TRANSFER_GET not in self._conformance:
                return GetResponseNormal(owed.invoke, DataAccessResult.LONG_GET_ABORTED)
            self._long_get = OutgoingBlocks(axdr.encode(event.result))
            return self._get_block(self._long_get, owed.invoke, owed.envelope)
        if isinstance(event, ActionResponse) and isinstance(event.value, Data):
            # Blocks carry no result, they mean success.
            if (
                Conformance.BLOCK_TRANSFER_ACTION not in self._conformance
                or event.result != ActionResult.SUCCESS
            ):
                return ActionResponseNormal(
                    owed.invoke, event.result, DataAccessResult.OTHER_REASON
                )
            self._long_action = OutgoingBlocks(axdr.encode(event.value))
            return self._action_response_block(self._long_action, owed.invoke, owed.envelope)
        raise LocalProtocolError(f"a {type(event).__name__} longer than {self._limit} octets")

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

    # --- long requests ---------------------------------------------------------------------

    def _set_block(
        self, request: SetRequestFirstDatablock | SetRequestDatablock, envelope: Envelope | None
    ) -> SetRequest | ResponseApdu:
        number = request.block_number
        transfer = self._incoming
        if not isinstance(transfer, _LongSet):
            return SetResponseLastDatablock(
                request.invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, number
            )
        try:
            transfer.blocks.add(number, request.raw_data)
            if not request.last:
                return SetResponseDatablock(request.invoke, number)
            value = axdr.decode(transfer.blocks.value())
        except BlockNumberError:
            reason = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        except TooLongError:
            reason = DataAccessResult.LONG_SET_ABORTED
        except DecodeError:
            reason = DataAccessResult.OTHER_REASON
        else:
            self._incoming = None
            self.owed = Owed(SetResponse, request.invoke, envelope, number)
            return SetRequest(transfer.attribute, value, transfer.access, request.invoke)
        self._incoming = None
        return SetResponseLastDatablock(request.invoke, reason, number)

    def _action_block(
        self, request: ActionRequestFirstPblock | ActionRequestPblock, envelope: Envelope | None
    ) -> ActionRequest | ResponseApdu:
        transfer = self._incoming
        if not isinstance(transfer, _LongAction):
            return ActionResponseNormal(request.invoke, ActionResult.NO_LONG_ACTION_IN_PROGRESS)
        try:
            transfer.blocks.add(request.block_number, request.raw_data)
            if not request.last:
                return ActionResponseNextPblock(request.invoke, request.block_number)
            value = axdr.decode(transfer.blocks.value())
        except (BlockNumberError, TooLongError):
            reason = ActionResult.LONG_ACTION_ABORTED
        except DecodeError:
            reason = ActionResult.OTHER_REASON
        else:
            self._incoming = None
            self.owed = Owed(ActionResponse, request.invoke, envelope)
            return ActionRequest(transfer.method, value, request.invoke)
        self._incoming = None
        return ActionResponseNormal(request.invoke, reason)


def _whole(owed: Owed, event: Response) -> ResponseApdu:
    match event:
        case GetResponse():
            return GetResponseNormal(owed.invoke, event.result)
        case ActionResponse():
            return ActionResponseNormal(owed.invoke, event.result, event.value)
        case SetResponse():
            if owed.block_number is None:
                return SetResponseNormal(owed.invoke, event.result)
            return SetResponseLastDatablock(owed.invoke, event.result, owed.block_number)
