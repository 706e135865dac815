"""SET: writing attributes, one or a list of them, in one APDU or in datablocks.

The datablocks of a list make the list of values as it would stand in one APDU, the number of
values first (``pydlms-client`` writes them so).
"""

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader, SelectedAttribute
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events import AttributeRef, InvokeId, SelectiveAccess

_REQUEST = bytes((ApduTag.SET_REQUEST,))
_RESPONSE = bytes((ApduTag.SET_RESPONSE,))
_NORMAL, _FIRST_DATABLOCK, _DATABLOCK, _WITH_LIST, _LIST_FIRST_DATABLOCK = 1, 2, 3, 4, 5
_BLOCK_RESPONSE, _LAST_BLOCK_RESPONSE, _LAST_BLOCK_WITH_LIST, _RESPONSE_WITH_LIST = 2, 3, 4, 5


class SetRequestNormal(Struct, frozen=True):
    """A write of one attribute."""

    invoke: InvokeId
    attribute: AttributeRef
    access: SelectiveAccess | None
    value: Data

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _NORMAL, self.invoke)
            + fields.descriptor(self.attribute)
            + fields.access_selection(self.access)
            + axdr.encode(self.value)
        )


class SetRequestFirstDatablock(Struct, frozen=True):
    """What to write, and the first octets of its value."""

    invoke: InvokeId
    attribute: AttributeRef
    access: SelectiveAccess | None
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _FIRST_DATABLOCK, self.invoke)
            + fields.descriptor(self.attribute)
            + fields.access_selection(self.access)
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


class SetRequestDatablock(Struct, frozen=True):
    """The next octets of the value."""

    invoke: InvokeId
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_REQUEST, _DATABLOCK, self.invoke) + fields.datablock(
            self.last, self.block_number, self.raw_data
        )


class SetRequestWithList(Struct, frozen=True):
    """A write of several attributes, and a value for each."""

    invoke: InvokeId
    attributes: tuple[SelectedAttribute, ...]
    values: tuple[Data, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _WITH_LIST, self.invoke)
            + fields.sequence([fields.selected(one) for one in self.attributes])
            + fields.data_list(self.values)
        )


class SetRequestListFirstDatablock(Struct, frozen=True):
    """Which attributes to write, and the first octets of the list of their values."""

    invoke: InvokeId
    attributes: tuple[SelectedAttribute, ...]
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _LIST_FIRST_DATABLOCK, self.invoke)
            + fields.sequence([fields.selected(one) for one in self.attributes])
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


class SetResponseNormal(Struct, frozen=True):
    """How a write in one APDU ended."""

    invoke: InvokeId
    result: DataAccessResult

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_RESPONSE, _NORMAL, self.invoke) + bytes((self.result,))


class SetResponseDatablock(Struct, frozen=True):
    """A block has come; the next may."""

    invoke: InvokeId
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_RESPONSE, _BLOCK_RESPONSE, self.invoke) + fields.number(
            self.block_number, 4
        )


class SetResponseLastDatablock(Struct, frozen=True):
    """How a write in blocks ended."""

    invoke: InvokeId
    result: DataAccessResult
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_RESPONSE, _LAST_BLOCK_RESPONSE, self.invoke)
            + bytes((self.result,))
            + fields.number(self.block_number, 4)
        )


class SetResponseWithList(Struct, frozen=True):
    """How the writes of a list in one APDU ended."""

    invoke: InvokeId
    results: tuple[DataAccessResult, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_RESPONSE, _RESPONSE_WITH_LIST, self.invoke)
        return head + fields.octet_string(bytes(self.results))


class SetResponseLastDatablockWithList(Struct, frozen=True):
    """How the writes of a list in blocks ended."""

    invoke: InvokeId
    results: tuple[DataAccessResult, ...]
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_RESPONSE, _LAST_BLOCK_WITH_LIST, self.invoke)
            + fields.octet_string(bytes(self.results))
            + fields.number(self.block_number, 4)
        )


SetRequestApdu = (
    SetRequestNormal
    | SetRequestFirstDatablock
    | SetRequestDatablock
    | SetRequestWithList
    | SetRequestListFirstDatablock
)
SetResponseApdu = (
    SetResponseNormal
    | SetResponseDatablock
    | SetResponseLastDatablock
    | SetResponseWithList
    | SetResponseLastDatablockWithList
)


def decode_set_request(apdu: bytes) -> SetRequestApdu:
    """Read a SET request.

    Raises:
        DecodeError: cut short, malformed or too long, or a list with fewer values than attributes
            or more.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.SET_REQUEST)
    kind = reader.choice(_NORMAL, _FIRST_DATABLOCK, _DATABLOCK, _WITH_LIST, _LIST_FIRST_DATABLOCK)
    invoke = reader.invoke()
    request: SetRequestApdu
    if kind == _NORMAL:
        request = SetRequestNormal(invoke, reader.attribute(), reader.access(), reader.data())
    elif kind == _FIRST_DATABLOCK:
        attribute, access = reader.attribute(), reader.access()
        request = SetRequestFirstDatablock(
            invoke, attribute, access, reader.flag(), reader.number(4), reader.octet_string()
        )
    elif kind == _DATABLOCK:
        request = SetRequestDatablock(
            invoke, reader.flag(), reader.number(4), reader.octet_string()
        )
    else:
        count = reader.count(fields.LEAST_SELECTED)
        attributes = tuple(reader.selected() for _ in range(count))
        if kind == _WITH_LIST:
            request = SetRequestWithList(invoke, attributes, reader.data_list(count))
        else:
            request = SetRequestListFirstDatablock(
                invoke, attributes, reader.flag(), reader.number(4), reader.octet_string()
            )
    reader.end()
    return request


def decode_set_response(apdu: bytes) -> SetResponseApdu:
    """Read a SET response.

    Raises:
        DecodeError: cut short, malformed or too long.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.SET_RESPONSE)
    kind = reader.choice(
        _NORMAL, _BLOCK_RESPONSE, _LAST_BLOCK_RESPONSE, _LAST_BLOCK_WITH_LIST, _RESPONSE_WITH_LIST
    )
    invoke = reader.invoke()
    response: SetResponseApdu
    if kind == _NORMAL:
        response = SetResponseNormal(invoke, reader.code(DataAccessResult))
    elif kind == _BLOCK_RESPONSE:
        response = SetResponseDatablock(invoke, reader.number(4))
    elif kind == _LAST_BLOCK_RESPONSE:
        response = SetResponseLastDatablock(invoke, reader.code(DataAccessResult), reader.number(4))
    else:
        count = reader.count(1)
        results = tuple(reader.code(DataAccessResult) for _ in range(count))
        if kind == _RESPONSE_WITH_LIST:
            response = SetResponseWithList(invoke, results)
        else:
            response = SetResponseLastDatablockWithList(invoke, results, reader.number(4))
    reader.end()
    return response
