"""The client's services by short names: one request into APDUs, response APDUs into one event.

READ and WRITE have no invoke id: the next answer is the answer. What the octets of blocks make is
told in ``short_names_server``; of one variable both its value and a list of one result are taken.
"""

from dataclasses import dataclass, field

from protocol import axdr
from protocol.apdu import (
    BlockNumberAccess,
    ReadBlock,
    ReadBlockNumber,
    ReadDataBlockAccess,
    ReadRequestApdu,
    ReadResponseApdu,
    ShortNameRequestApdu,
    WriteBlockNumber,
    WriteDataBlockAccess,
    WriteRequestApdu,
    WriteResponseApdu,
)
from protocol.apdu.fields import Reader
from protocol.apdu.read import ReadResult, read_read_results
from protocol.apdu.variables import MAX_BLOCK_NUMBER
from protocol.association.blocks import IncomingBlocks, OutgoingBlocks, room, sealed_length
from protocol.association.channel import Envelope
from protocol.association.general_blocks import GeneralBlocks
from protocol.axdr import Data, octet_string
from protocol.codes import Conformance, DataAccessResult
from protocol.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from protocol.events import (
    ReadRequest,
    ReadResponse,
    ShortNameRequest,
    ShortNameResponse,
    WriteRequest,
    WriteResponse,
)

_READ_BLOCK_HEAD = len(ReadRequestApdu((ReadDataBlockAccess(False, 0, b""),)).encode()) - 1
_WRITE_BLOCK_HEAD = (
    len(WriteRequestApdu((WriteDataBlockAccess(False, 0),), (octet_string(b""),)).encode()) - 1
)


@dataclass
class _Outstanding:
    request: ShortNameRequest
    incoming: IncomingBlocks
    outgoing: OutgoingBlocks = field(default_factory=lambda: OutgoingBlocks(b""))

    @property
    def is_sending(self) -> bool:
        """Whether blocks of the request are still to be sent."""
        return self.outgoing.number > 0 and not self.outgoing.is_done


class ShortNameClientTransfers:
    """The requests of one association by short names.

    Args:
        conformance: what was negotiated.
        limit: the largest APDU in octets that the server takes, its envelope included.
        max_assembly: the longest answer in octets that is put together from blocks.
        envelope: how requests are ciphered, None for not at all.
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
        # Short names have blocks of their own, and no invoke ids by which to know a late answer.
        del general_blocks, window, datagrams
        self._conformance = conformance
        self._limit = limit
        self._max_assembly = max_assembly
        self.envelope = envelope
        self._outstanding: _Outstanding | None = None
        self.general: GeneralBlocks | None = None
        self.pushed: GeneralBlocks | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a response is outstanding."""
        return self._outstanding is not None

    def envelope_of(self, request: object) -> Envelope | None:
        """Return how a request is ciphered, None for not at all."""
        return self.envelope

    def forget(self) -> None:
        """Expect no response any more."""
        self._outstanding = None

    def start(self, request: object) -> bytes:
        """Begin a request.

        Returns:
            The plain APDU that carries it, or as much of it as fits.

        Raises:
            LocalProtocolError: a response is outstanding, what it takes was not negotiated, or
                the request does not fit and blocks were not negotiated.
            EncodeError: a value or a short name does not fit.
        """
        if self._outstanding is not None:
            raise LocalProtocolError("the response to the last request is still outstanding")
        if not isinstance(request, ReadRequest | WriteRequest):
            raise LocalProtocolError("logical names in an association by short names")
        missing = _needed(request) & ~self._conformance
        if missing:
            raise LocalProtocolError(f"not negotiated: {missing!r}")
        outstanding = _Outstanding(request, IncomingBlocks(self._max_assembly))
        apdu = _whole(request).encode()
        if sealed_length(self.envelope, len(apdu)) > self._limit:
            apdu = self._first_block(outstanding, apdu)
        if isinstance(request, ReadRequest) or request.confirmed:
            self._outstanding = outstanding
        return apdu

    def response(self, apdu: object) -> ShortNameResponse | ShortNameRequestApdu | None:
        """Take a response APDU.

        Returns:
            The event, once the response is complete; the request for the next block, or with it,
            before that; None where nothing was asked.

        Raises:
            RemoteProtocolError: it does not answer what was asked, a block is not the next one,
                or what the blocks make is no value or too long.
        """
        outstanding = self._outstanding
        if outstanding is None:
            return None
        answer: ShortNameResponse | ShortNameRequestApdu
        if isinstance(outstanding.request, ReadRequest) and isinstance(apdu, ReadResponseApdu):
            answer = self._read(outstanding, apdu)
        elif isinstance(outstanding.request, WriteRequest) and isinstance(apdu, WriteResponseApdu):
            answer = self._written(outstanding, apdu)
        else:
            asked = type(outstanding.request).__name__
            raise RemoteProtocolError(f"{type(apdu).__name__} does not answer a {asked}")
        if isinstance(answer, ReadResponse | WriteResponse):
            self._outstanding = None
        return answer

    def _read(
        self, outstanding: _Outstanding, apdu: ReadResponseApdu
    ) -> ReadResponse | ReadRequestApdu:
        count = len(outstanding.request.variables)
        match apdu.results:
            case (ReadBlockNumber(number),):
                return ReadRequestApdu((self._next_read_block(outstanding, number),))
            case (DataAccessResult() as reason,) if outstanding.is_sending:
                return ReadResponse((reason,) * count)
            case (DataAccessResult() as reason,) if outstanding.incoming.number:
                return ReadResponse((reason,) * count)
            case (ReadBlock(last, number, raw_data),) if not outstanding.is_sending:
                outstanding.incoming.add(number, raw_data)
                if not last:
                    return ReadRequestApdu((BlockNumberAccess(number),))
                return ReadResponse(_put_together(outstanding.incoming.value(), count))
        if outstanding.is_sending or outstanding.incoming.number:
            raise RemoteProtocolError("an answer in the middle of blocks")
        return ReadResponse(_plain(apdu.results, count))

    def _written(
        self, outstanding: _Outstanding, apdu: WriteResponseApdu
    ) -> WriteResponse | WriteRequestApdu:
        count = len(outstanding.request.variables)
        match apdu.results:
            case (WriteBlockNumber(number),):
                block, octets = self._next_write_block(outstanding, number)
                return WriteRequestApdu((block,), (octet_string(octets),))
            case (DataAccessResult() as reason,) if outstanding.is_sending:
                return WriteResponse((reason,) * count)
        results = tuple(one for one in apdu.results if isinstance(one, DataAccessResult))
        if outstanding.is_sending or not len(results) == len(apdu.results) == count:
            raise RemoteProtocolError(f"{len(apdu.results)} results for {count} variables")
        return WriteResponse(results)

    # --- long requests ---------------------------------------------------------------------

    def _first_block(self, outstanding: _Outstanding, apdu: bytes) -> bytes:
        is_read = isinstance(outstanding.request, ReadRequest)
        needed = Conformance.BLOCK_TRANSFER_GET if is_read else Conformance.BLOCK_TRANSFER_SET
        size = room(self._limit, self.envelope, _READ_BLOCK_HEAD if is_read else _WRITE_BLOCK_HEAD)
        unconfirmed = isinstance(outstanding.request, WriteRequest) and (
            not outstanding.request.confirmed
        )
        if needed not in self._conformance or size <= 0 or unconfirmed:
            raise LocalProtocolError("the request is longer than the server takes")
        if len(apdu) - 1 > size * MAX_BLOCK_NUMBER:
            raise LocalProtocolError("the request takes more blocks than can be numbered")
        outstanding.outgoing = OutgoingBlocks(apdu[1:])
        if is_read:
            number, last, octets = outstanding.outgoing.take(size)
            return ReadRequestApdu((ReadDataBlockAccess(last, number, octets),)).encode()
        number, last, octets = outstanding.outgoing.take(size)
        block = WriteDataBlockAccess(last, number)
        return WriteRequestApdu((block,), (octet_string(octets),)).encode()

    def _next_read_block(self, outstanding: _Outstanding, number: int) -> ReadDataBlockAccess:
        _check_confirmed(outstanding, number)
        size = room(self._limit, self.envelope, _READ_BLOCK_HEAD)
        following, last, octets = outstanding.outgoing.take(size)
        return ReadDataBlockAccess(last, following, octets)

    def _next_write_block(
        self, outstanding: _Outstanding, number: int
    ) -> tuple[WriteDataBlockAccess, bytes]:
        _check_confirmed(outstanding, number)
        size = room(self._limit, self.envelope, _WRITE_BLOCK_HEAD)
        following, last, octets = outstanding.outgoing.take(size)
        return WriteDataBlockAccess(last, following), octets


def _check_confirmed(outstanding: _Outstanding, number: int) -> None:
    blocks = outstanding.outgoing
    if not outstanding.is_sending or number != blocks.number:
        raise RemoteProtocolError(f"block {number} confirmed after block {blocks.number}")


def _needed(request: ShortNameRequest) -> Conformance:
    needed = Conformance.READ
    if isinstance(request, WriteRequest):
        needed = Conformance.WRITE if request.confirmed else Conformance.UNCONFIRMED_WRITE
    if len(request.variables) > 1:
        needed |= Conformance.MULTIPLE_REFERENCES
    if any(variable.access is not None for variable in request.variables):
        needed |= Conformance.PARAMETERIZED_ACCESS
    return needed


def _whole(request: ShortNameRequest) -> ShortNameRequestApdu:
    if isinstance(request, ReadRequest):
        return ReadRequestApdu(request.variables)
    if len(request.values) != len(request.variables):
        raise LocalProtocolError("not one value a variable")
    return WriteRequestApdu(request.variables, request.values, request.confirmed)


def _plain(results: tuple[ReadResult, ...], count: int) -> tuple[Data | DataAccessResult, ...]:
    plain = tuple(one for one in results if isinstance(one, Data | DataAccessResult))
    if not len(plain) == len(results) == count:
        raise RemoteProtocolError(f"{len(results)} results for {count} variables")
    return plain


def _put_together(octets: bytes, count: int) -> tuple[Data | DataAccessResult, ...]:
    if count == 1:
        try:
            return (axdr.decode(octets),)
        except DecodeError:
            pass  # then perhaps a list of one result
    reader = Reader(octets)
    results = read_read_results(reader)
    reader.end()
    return _plain(results, count)
