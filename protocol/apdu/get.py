"""GET: reading attributes, one or a list of them, in one APDU or in datablocks.

The datablocks of one attribute make its value; those of a list make the list as it would stand in
one APDU, the number of results first (``pydlms-client`` and ``gurux-dlms`` read it so).
"""

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader, SelectedAttribute
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events import AttributeRef, InvokeId, SelectiveAccess

_REQUEST = bytes((ApduTag.GET_REQUEST,))
_RESPONSE = bytes((ApduTag.GET_RESPONSE,))
_NORMAL, _NEXT, _WITH_LIST = 1, 2, 3
_DATABLOCK = 2
_RAW_DATA, _RESULT = 0, 1
_LEAST_RESULT = 2


class GetRequestNormal(Struct, frozen=True):
    """A read of one attribute."""

    invoke: InvokeId
    attribute: AttributeRef
    access: SelectiveAccess | None = None

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _NORMAL, self.invoke)
            + fields.descriptor(self.attribute)
            + fields.access_selection(self.access)
        )


class GetRequestNext(Struct, frozen=True):
    """A request for the block after ``block_number``."""

    invoke: InvokeId
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_REQUEST, _NEXT, self.invoke) + fields.number(self.block_number, 4)


class GetRequestWithList(Struct, frozen=True):
    """A read of several attributes."""

    invoke: InvokeId
    attributes: tuple[SelectedAttribute, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_REQUEST, _WITH_LIST, self.invoke)
        return head + fields.sequence([fields.selected(one) for one in self.attributes])


class GetResponseNormal(Struct, frozen=True):
    """The value, or why there is none."""

    invoke: InvokeId
    result: Data | DataAccessResult

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_RESPONSE, _NORMAL, self.invoke)
        return head + encode_result(self.result)


class GetResponseDatablock(Struct, frozen=True):
    """A piece of the encoded value, or why there are no more.

    Args:
        invoke: as in the request.
        last: whether no block follows.
        block_number: 1 for the first.
        result: octets of the value, or why there are none.
    """

    invoke: InvokeId
    last: bool
    block_number: int
    result: bytes | DataAccessResult

    def encode(self) -> bytes:
        """Return the APDU."""
        if isinstance(self.result, DataAccessResult):
            body = bytes((_RESULT, self.result))
        else:
            body = bytes((_RAW_DATA,)) + fields.octet_string(self.result)
        return (
            fields.head(_RESPONSE, _DATABLOCK, self.invoke)
            + fields.flag(self.last)
            + fields.number(self.block_number, 4)
            + body
        )


class GetResponseWithList(Struct, frozen=True):
    """One value, or why there is none, for each attribute."""

    invoke: InvokeId
    results: tuple[Data | DataAccessResult, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_RESPONSE, _WITH_LIST, self.invoke)
        return head + encode_results(self.results)


GetRequestApdu = GetRequestNormal | GetRequestNext | GetRequestWithList
GetResponseApdu = GetResponseNormal | GetResponseDatablock | GetResponseWithList


def decode_get_request(apdu: bytes) -> GetRequestApdu:
    """Read a GET request.

    Raises:
        DecodeError: cut short, malformed or too long.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.GET_REQUEST)
    kind = reader.choice(_NORMAL, _NEXT, _WITH_LIST)
    invoke = reader.invoke()
    request: GetRequestApdu
    if kind == _NORMAL:
        request = GetRequestNormal(invoke, reader.attribute(), reader.access())
    elif kind == _WITH_LIST:
        count = reader.count(fields.LEAST_SELECTED)
        request = GetRequestWithList(invoke, tuple(reader.selected() for _ in range(count)))
    else:
        request = GetRequestNext(invoke, reader.number(4))
    reader.end()
    return request


def decode_get_response(apdu: bytes) -> GetResponseApdu:
    """Read a GET response.

    Raises:
        DecodeError: cut short, malformed or too long.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.GET_RESPONSE)
    kind = reader.choice(_NORMAL, _DATABLOCK, _WITH_LIST)
    invoke = reader.invoke()
    response: GetResponseApdu
    if kind == _NORMAL:
        response = GetResponseNormal(invoke, read_result(reader))
    elif kind == _WITH_LIST:
        response = GetResponseWithList(invoke, read_results(reader))
    else:
        last, block_number = reader.flag(), reader.number(4)
        result: bytes | DataAccessResult
        if reader.choice(_RAW_DATA, _RESULT) == _RAW_DATA:
            result = reader.octet_string()
        else:
            result = reader.code(DataAccessResult)
        response = GetResponseDatablock(invoke, last, block_number, result)
    reader.end()
    return response


def read_result(reader: Reader) -> Data | DataAccessResult:
    """Return a Get-Data-Result: a value, or why there is none."""
    if reader.choice(_RAW_DATA, _RESULT) == _RAW_DATA:
        return reader.data()
    return reader.code(DataAccessResult)


def read_results(reader: Reader) -> tuple[Data | DataAccessResult, ...]:
    """Return a SEQUENCE OF Get-Data-Result."""
    count = reader.count(_LEAST_RESULT)
    return tuple(read_result(reader) for _ in range(count))


def encode_results(results: tuple[Data | DataAccessResult, ...]) -> bytes:
    """Return a SEQUENCE OF Get-Data-Result.

    Raises:
        EncodeError: a value does not fit its type.
    """
    return fields.sequence([encode_result(result) for result in results])


def encode_result(result: Data | DataAccessResult) -> bytes:
    """Return a Get-Data-Result.

    Raises:
        EncodeError: the value does not fit its type.
    """
    if isinstance(result, DataAccessResult):
        return bytes((_RESULT, result))
    return bytes((_RAW_DATA,)) + axdr.encode(result)
