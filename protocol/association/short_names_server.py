"""The server's services by short names: request APDUs into one event each, one response into APDUs.

A response that is too long goes out in blocks, a request may come in some. What the octets of the
blocks make, nobody here has read in the book, and the clients do not agree:

* of one variable they are its value, as ``gurux-dlms`` and ``pydlms-client`` read it;
* of several the list of results as the response has it after its tag, as jDLMS reads it;
* of a request what comes after its tag, as ``gurux-dlms`` and ``pydlms-client`` do it.

| what came | the answer, for the one block |
|---|---|
| the next block of a response, none in progress | no-long-get-in-progress |
| the same with a wrong number | data-block-number-invalid |
| a block of a request other than the first, none in progress | no-long-get-, no-long-set-in-progress |
| the same with a wrong number | data-block-number-invalid |
| blocks that get too long | long-get-aborted, long-set-aborted |
| blocks that make no request in the end | other-reason |
| a block beside variables, or of another service | data-block-unavailable |
| values too long for the client, blocks not negotiated | long-get-aborted for each value |
| results that are too long even then | ConfirmedServiceError service, pdu-size |

A new request ends whatever transfer was in progress.
"""  # noqa: E501 - the rows of a table do not wrap

from typing import cast

from msgspec import Struct

from protocol import axdr
from protocol.apdu import (
    ApduTag,
    BlockNumberAccess,
    ReadBlock,
    ReadBlockNumber,
    ReadDataBlockAccess,
    ReadRequestApdu,
    ReadResponseApdu,
    ShortNameRequestApdu,
    ShortNameResponseApdu,
    WriteBlockNumber,
    WriteDataBlockAccess,
    WriteRequestApdu,
    WriteResponseApdu,
)
from protocol.apdu.read import encode_read_results
from protocol.apdu.variables import MAX_BLOCK_NUMBER
from protocol.association.blocks import (
    BlockNumberError,
    IncomingBlocks,
    OutgoingBlocks,
    TooLongError,
    room,
    sealed_length,
)
from protocol.association.channel import Envelope
from protocol.association.general_blocks import GeneralBlocks
from protocol.association.lists import MAX_MEMBERS, TooManyError
from protocol.axdr import Data, Tag
from protocol.codes import Conformance, DataAccessResult
from protocol.errors import DecodeError, LocalProtocolError, ServiceNotSupported
from protocol.events import (
    InvokeId,
    ReadRequest,
    ReadResponse,
    ShortName,
    ShortNameRequest,
    ShortNameResponse,
    WriteRequest,
    WriteResponse,
)

#: Which response answers which request.
_RESPONSE_TO: dict[type[ShortNameRequest], type[ReadResponse] | type[WriteResponse]] = {
    ReadRequest: ReadResponse,
    WriteRequest: WriteResponse,
}
_BLOCK_HEAD = len(ReadResponseApdu((ReadBlock(False, 0, b""),)).encode()) - 1


class OwedByName(Struct, frozen=True):
    """A response that the server still has to give.

    Args:
        event: what was asked.
        envelope: how the request was ciphered.
    """

    event: ShortNameRequest
    envelope: Envelope | None

    @property
    def confirmed(self) -> bool:
        """Whether anybody waits for the answer."""
        return isinstance(self.event, ReadRequest) or self.event.confirmed

    @property
    def invoke(self) -> InvokeId:
        """The same, as the other services have it."""
        return InvokeId(confirmed=self.confirmed)


class _Service(Struct, frozen=True):
    """What the blocks of a request are called in each service."""

    tag: ApduTag
    block: type[ReadDataBlockAccess] | type[WriteDataBlockAccess]
    needed: Conformance
    none_in_progress: DataAccessResult
    aborted: DataAccessResult


_READ = _Service(
    ApduTag.READ_REQUEST,
    ReadDataBlockAccess,
    Conformance.BLOCK_TRANSFER_GET,
    DataAccessResult.NO_LONG_GET_IN_PROGRESS,
    DataAccessResult.LONG_GET_ABORTED,
)
_WRITE = _Service(
    ApduTag.WRITE_REQUEST,
    WriteDataBlockAccess,
    Conformance.BLOCK_TRANSFER_SET,
    DataAccessResult.NO_LONG_SET_IN_PROGRESS,
    DataAccessResult.LONG_SET_ABORTED,
)


class ShortNameServerTransfers:
    """The requests of one association by short names.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the client takes, its envelope included.
        max_assembly: the longest request in octets that is put together from blocks.
    """

    def __init__(
        self, conformance: Conformance, limit: int, max_assembly: int, window: int = 1
    ) -> None:
        del window  # of general blocks: short names have their own
        self._conformance = conformance
        self._limit = limit
        self._max_assembly = max_assembly
        self._incoming: tuple[_Service, IncomingBlocks] | None = None
        self._outgoing: OutgoingBlocks | None = None
        self.owed: OwedByName | None = None
        #: General blocks: short names have their own.
        self.general: GeneralBlocks | None = None

    def request(
        self, request: object, envelope: Envelope | None
    ) -> ShortNameRequest | ShortNameResponseApdu:
        """Take a request APDU while no response is owed.

        Returns:
            The event for whoever knows the objects; or the answer, where a transfer needs none
            of him.

        Raises:
            ServiceNotSupported: what it asks for was not negotiated.
            TooManyError: it has more variables than are executed.
        """
        if not isinstance(request, ReadRequestApdu | WriteRequestApdu):
            raise ServiceNotSupported("a service by logical names")
        self._check_negotiated(request)
        service = _READ if isinstance(request, ReadRequestApdu) else _WRITE
        match request.variables:
            case (BlockNumberAccess(number),) if service is _READ:
                return self._next_block(number, envelope)
            case (ReadDataBlockAccess() | WriteDataBlockAccess() as block,):
                return self._request_block(service, block, request, envelope)
        return self._whole(service, request, envelope)

    def response(self, event: object) -> bytes | None:
        """Take the response that is owed.

        Returns:
            The plain APDU that carries it, or as much of it as fits; None when not even the
            results without their values fit the client.

        Raises:
            LocalProtocolError: none is owed, or one of another service or number of variables.
            EncodeError: its value does not fit its type; the response is still owed.
        """
        owed = self.owed
        if owed is None or not isinstance(event, _RESPONSE_TO[type(owed.event)]):
            raise LocalProtocolError(f"no {type(event).__name__} is owed")
        if len(event.results) != len(owed.event.variables):
            raise LocalProtocolError("not one result a variable")
        apdu = self._fitting(event, owed.envelope)
        self.owed = None
        return apdu

    def _check_negotiated(self, request: ShortNameRequestApdu) -> None:
        if isinstance(request, ReadRequestApdu):
            needed, block = Conformance.READ, _READ.needed
        else:
            needed, block = Conformance.WRITE, _WRITE.needed
            if not request.confirmed:
                needed = Conformance.UNCONFIRMED_WRITE
        if len(request.variables) > 1:
            needed |= Conformance.MULTIPLE_REFERENCES
        for variable in request.variables:
            if not isinstance(variable, ShortName):
                needed |= block
            elif variable.access is not None:
                needed |= Conformance.PARAMETERIZED_ACCESS
        missing = needed & ~self._conformance
        if missing:
            raise ServiceNotSupported(f"not negotiated: {missing!r}")

    def _whole(
        self, service: _Service, request: ShortNameRequestApdu, envelope: Envelope | None
    ) -> ShortNameRequest | ShortNameResponseApdu:
        self._incoming = self._outgoing = None
        if not all(isinstance(variable, ShortName) for variable in request.variables):
            return _refused(service, DataAccessResult.DATA_BLOCK_UNAVAILABLE)
        if len(request.variables) > MAX_MEMBERS:
            raise TooManyError(len(request.variables))
        names = cast(tuple[ShortName, ...], request.variables)
        event: ShortNameRequest
        if isinstance(request, ReadRequestApdu):
            event = ReadRequest(names)
        else:
            event = WriteRequest(names, request.values, request.confirmed)
        self.owed = OwedByName(event, envelope)
        return event

    # --- long responses --------------------------------------------------------------------

    def _fitting(self, event: ShortNameResponse, envelope: Envelope | None) -> bytes | None:
        whole: ShortNameResponseApdu
        if isinstance(event, WriteResponse):
            whole = WriteResponseApdu(event.results)
        else:
            whole = ReadResponseApdu(event.results)
        apdu = whole.encode()
        if sealed_length(envelope, len(apdu)) <= self._limit:
            return apdu
        size = room(self._limit, envelope, _BLOCK_HEAD)
        if isinstance(event, ReadResponse):
            octets = _to_carry(event)
            fits = size > 0 and len(octets) <= size * MAX_BLOCK_NUMBER
            if fits and Conformance.BLOCK_TRANSFER_GET in self._conformance:
                self._outgoing = OutgoingBlocks(octets)
                return self._block(self._outgoing, envelope).encode()
            apdu = ReadResponseApdu(tuple(map(_aborted, event.results))).encode()
            if sealed_length(envelope, len(apdu)) <= self._limit:
                return apdu
        return None

    def _block(self, blocks: OutgoingBlocks, envelope: Envelope | None) -> ReadResponseApdu:
        number, is_last, octets = blocks.take(room(self._limit, envelope, _BLOCK_HEAD))
        if is_last:
            self._outgoing = None
        return ReadResponseApdu((ReadBlock(is_last, number, octets),))

    def _next_block(self, number: int, envelope: Envelope | None) -> ShortNameResponseApdu:
        blocks, self._incoming = self._outgoing, None
        if blocks is not None and blocks.number == number:
            return self._block(blocks, envelope)
        self._outgoing = None
        if blocks is None:
            return _refused(_READ, DataAccessResult.NO_LONG_GET_IN_PROGRESS)
        return _refused(_READ, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)

    # --- long requests ---------------------------------------------------------------------

    def _request_block(
        self,
        service: _Service,
        block: ReadDataBlockAccess | WriteDataBlockAccess,
        request: ShortNameRequestApdu,
        envelope: Envelope | None,
    ) -> ShortNameRequest | ShortNameResponseApdu:
        if not request.invoke.confirmed:
            raise ServiceNotSupported("an UnconfirmedWrite in blocks, whose blocks nobody confirms")
        self._outgoing = None
        octets = _piece(service, block, request)
        if octets is None:
            self._incoming = None
            return _refused(service, DataAccessResult.DATA_BLOCK_UNAVAILABLE)
        if block.block_number == 1:
            self._incoming = service, IncomingBlocks(self._max_assembly)
        if self._incoming is None or self._incoming[0] is not service:
            self._incoming = None
            return _refused(service, service.none_in_progress)
        blocks = self._incoming[1]
        try:
            blocks.add(block.block_number, octets)
            if not block.last:
                return _confirmed(service, block.block_number)
            whole = _request(service, blocks.value())
        except BlockNumberError:
            reason = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        except TooLongError:
            reason = service.aborted
        except DecodeError:
            reason = DataAccessResult.OTHER_REASON
        else:
            self._incoming = None
            self._check_negotiated(whole)
            return self._whole(service, whole, envelope)
        self._incoming = None
        return _refused(service, reason)


def _piece(
    service: _Service,
    block: ReadDataBlockAccess | WriteDataBlockAccess,
    request: ShortNameRequestApdu,
) -> bytes | None:
    """Return the octets that a block brings, None where it is not one of its service."""
    if not isinstance(block, service.block):
        return None
    if isinstance(block, ReadDataBlockAccess):
        return block.raw_data
    if not isinstance(request, WriteRequestApdu) or request.values[0].tag != Tag.OCTET_STRING:
        return None
    return bytes(request.values[0].value)


def _request(service: _Service, octets: bytes) -> ShortNameRequestApdu:
    apdu = bytes((service.tag,)) + octets
    return (ReadRequestApdu if service is _READ else WriteRequestApdu).decode(apdu)


def _to_carry(event: ReadResponse) -> bytes:
    match event.results:
        case (Data() as value,):
            return axdr.encode(value)
    return encode_read_results(event.results)


def _aborted(result: Data | DataAccessResult) -> DataAccessResult:
    return DataAccessResult.LONG_GET_ABORTED if isinstance(result, Data) else result


def _refused(service: _Service, reason: DataAccessResult) -> ShortNameResponseApdu:
    return ReadResponseApdu((reason,)) if service is _READ else WriteResponseApdu((reason,))


def _confirmed(service: _Service, number: int) -> ShortNameResponseApdu:
    if service is _READ:
        return ReadResponseApdu((ReadBlockNumber(number),))
    return WriteResponseApdu((WriteBlockNumber(number),))
