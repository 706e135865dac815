"""SET and ACTION requests that come in datablocks, of one object or of a list: the server's side.

Where a block cannot be had, the answer says why and the transfer is over:

| what came | the answer |
|---|---|
| SET block, none in progress | last-datablock no-long-set-in-progress |
| SET block, wrong number | last-datablock data-block-number-invalid |
| SET blocks that get too long | last-datablock long-set-aborted |
| ACTION block, none in progress | no-long-action-in-progress |
| ACTION block, wrong number, or too long in all | long-action-aborted |
| blocks that are no value in the end, or not as many as there are references | other-reason |
"""

from msgspec import Struct

from protocol import axdr
from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestListFirstPblock,
    ActionRequestPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ResponseApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestListFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
)
from protocol.apdu.fields import Reader, SelectedAttribute
from protocol.association import lists
from protocol.association.blocks import BlockNumberError, IncomingBlocks, TooLongError
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
from protocol.errors import DecodeError
from protocol.events import (
    ActionListRequest,
    ActionRequest,
    InvokeId,
    MethodRef,
    SetListRequest,
    SetRequest,
)

SetBlock = SetRequestFirstDatablock | SetRequestListFirstDatablock | SetRequestDatablock
ActionBlock = ActionRequestFirstPblock | ActionRequestListFirstPblock | ActionRequestPblock
Assembled = SetRequest | SetListRequest | ActionRequest | ActionListRequest


class _LongSet(Struct, frozen=True):
    attributes: tuple[SelectedAttribute, ...]
    blocks: IncomingBlocks
    is_list: bool = False

    def event(self, invoke: InvokeId) -> SetRequest | SetListRequest:
        """Return what the blocks ask, now that all of them have come."""
        octets = self.blocks.value()
        if self.is_list:
            values = _values(octets, len(self.attributes))
            return lists.set_event(self.attributes, values, invoke)
        attribute, access = self.attributes[0]
        return SetRequest(attribute, axdr.decode(octets), access, invoke)


class _LongAction(Struct, frozen=True):
    methods: tuple[MethodRef, ...]
    blocks: IncomingBlocks
    is_list: bool = False

    def event(self, invoke: InvokeId) -> ActionRequest | ActionListRequest:
        """Return what the blocks ask, now that all of them have come."""
        octets = self.blocks.value()
        if self.is_list:
            return lists.action_event(self.methods, _values(octets, len(self.methods)), invoke)
        return ActionRequest(self.methods[0], axdr.decode(octets), invoke)


class LongRequests:
    """The request in blocks of one association, if one is in progress.

    Args:
        max_assembly: the longest value in octets that is put together from blocks.
    """

    def __init__(self, max_assembly: int) -> None:
        self._max_assembly = max_assembly
        self._incoming: _LongSet | _LongAction | None = None

    def abort(self) -> None:
        """Forget it."""
        self._incoming = None

    def set_block(self, request: SetBlock) -> Assembled | ResponseApdu:
        """Take a block of a SET: return what is asked, or the answer to the block."""
        blocks = IncomingBlocks(self._max_assembly)
        if isinstance(request, SetRequestFirstDatablock):
            self._incoming = _LongSet(((request.attribute, request.access),), blocks)
        elif isinstance(request, SetRequestListFirstDatablock):
            self._incoming = _LongSet(request.attributes, blocks, is_list=True)
        transfer, number = self._incoming, request.block_number
        if not isinstance(transfer, _LongSet):
            return SetResponseLastDatablock(
                request.invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, number
            )
        try:
            transfer.blocks.add(number, request.raw_data)
            if not request.last:
                return SetResponseDatablock(request.invoke, number)
            event = transfer.event(request.invoke)
        except BlockNumberError:
            reason = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        except TooLongError:
            reason = DataAccessResult.LONG_SET_ABORTED
        except DecodeError:
            reason = DataAccessResult.OTHER_REASON
        else:
            self._incoming = None
            return event
        self._incoming = None
        return SetResponseLastDatablock(request.invoke, reason, number)

    def action_block(self, request: ActionBlock) -> Assembled | ResponseApdu:
        """Take a block of an ACTION: return what is asked, or the answer to the block."""
        blocks = IncomingBlocks(self._max_assembly)
        if isinstance(request, ActionRequestFirstPblock):
            self._incoming = _LongAction((request.method,), blocks)
        elif isinstance(request, ActionRequestListFirstPblock):
            self._incoming = _LongAction(request.methods, blocks, is_list=True)
        transfer = self._incoming
        if not isinstance(transfer, _LongAction):
            return ActionResponseNormal(request.invoke, ActionResult.NO_LONG_ACTION_IN_PROGRESS)
        try:
            transfer.blocks.add(request.block_number, request.raw_data)
            if not request.last:
                return ActionResponseNextPblock(request.invoke, request.block_number)
            event = transfer.event(request.invoke)
        except (BlockNumberError, TooLongError):
            reason = ActionResult.LONG_ACTION_ABORTED
        except DecodeError:
            reason = ActionResult.OTHER_REASON
        else:
            self._incoming = None
            return event
        self._incoming = None
        return ActionResponseNormal(request.invoke, reason)


def _values(octets: bytes, expected: int) -> tuple[Data, ...]:
    reader = Reader(octets)
    values = reader.data_list(expected)
    reader.end()
    return values
