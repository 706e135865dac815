"""SET: writing an attribute, in one APDU or in datablocks."""

from dataclasses import dataclass

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.errors import ServiceNotSupported
from protocol.events import AttributeRef, InvokeId, SelectiveAccess

_REQUEST = bytes((ApduTag.SET_REQUEST,))
_RESPONSE = bytes((ApduTag.SET_RESPONSE,))
_NORMAL, _FIRST_DATABLOCK, _DATABLOCK, _WITH_LIST, _LIST_FIRST_DATABLOCK = 1, 2, 3, 4, 5
_BLOCK_RESPONSE, _LAST_BLOCK_RESPONSE, _LAST_BLOCK_WITH_LIST, _RESPONSE_WITH_LIST = 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class SetRequestNormal:
    """A write of one attribute."""

    invoke: InvokeId
    attribute: AttributeRef
    access: SelectiveAccess | None
    value: Data

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            _REQUEST
            + bytes((_NORMAL,))
            + fields.invoke_id(self.invoke)
            + fields.descriptor(self.attribute)
            + fields.access_selection(self.access)
            + axdr.encode(self.value)
        )


@dataclass(frozen=True, slots=True)
class SetRequestFirstDatablock:
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
            _REQUEST
            + bytes((_FIRST_DATABLOCK,))
            + fields.invoke_id(self.invoke)
            + fields.descriptor(self.attribute)
            + fields.access_selection(self.access)
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


@dataclass(frozen=True, slots=True)
class SetRequestDatablock:
    """The next octets of the value."""

    invoke: InvokeId
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            _REQUEST
            + bytes((_DATABLOCK,))
            + fields.invoke_id(self.invoke)
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


@dataclass(frozen=True, slots=True)
class SetResponseNormal:
    """How a write in one APDU ended."""

    invoke: InvokeId
    result: DataAccessResult

    def encode(self) -> bytes:
        """Return the APDU."""
        return _RESPONSE + bytes((_NORMAL,)) + fields.invoke_id(self.invoke) + bytes((self.result,))


@dataclass(frozen=True, slots=True)
class SetResponseDatablock:
    """A block has come; the next may."""

    invoke: InvokeId
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            _RESPONSE
            + bytes((_BLOCK_RESPONSE,))
            + fields.invoke_id(self.invoke)
            + fields.number(self.block_number, 4)
        )


@dataclass(frozen=True, slots=True)
class SetResponseLastDatablock:
    """How a write in blocks ended."""

    invoke: InvokeId
    result: DataAccessResult
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            _RESPONSE
            + bytes((_LAST_BLOCK_RESPONSE,))
            + fields.invoke_id(self.invoke)
            + bytes((self.result,))
            + fields.number(self.block_number, 4)
        )


SetRequestApdu = SetRequestNormal | SetRequestFirstDatablock | SetRequestDatablock
SetResponseApdu = SetResponseNormal | SetResponseDatablock | SetResponseLastDatablock


def decode_set_request(apdu: bytes) -> SetRequestApdu:
    """Read a SET request.

    Raises:
        ServiceNotSupported: one with a list.
        DecodeError: cut short, malformed or too long.
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
        raise ServiceNotSupported("SET with a list")
    reader.end()
    return request


def decode_set_response(apdu: bytes) -> SetResponseApdu:
    """Read a SET response.

    Raises:
        ServiceNotSupported: one with a list.
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
        raise ServiceNotSupported("a SET response with a list")
    reader.end()
    return response
