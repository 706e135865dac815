"""READ: reading variables by their short names, in one APDU or in blocks.

A request carries no invoke id: whatever answer comes next is its answer.
"""

from typing import ClassVar

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.apdu.variables import Variable, encode_variables, read_variables
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.errors import EncodeError
from protocol.events import InvokeId

_REQUEST = bytes((ApduTag.READ_REQUEST,))
_RESPONSE = bytes((ApduTag.READ_RESPONSE,))
_DATA, _ERROR, _BLOCK, _BLOCK_NUMBER = range(4)
#: Octets of the shortest result: its choice, and null-data or an error.
_LEAST_RESULT = 2


class ReadRequestApdu(Struct, frozen=True):
    """A read of variables, or one block of it."""

    variables: tuple[Variable, ...]
    #: READ is always answered.
    invoke: ClassVar[InvokeId] = InvokeId()

    def encode(self) -> bytes:
        """Return the APDU."""
        return _REQUEST + encode_variables(self.variables)

    @classmethod
    def decode(cls, apdu: bytes) -> "ReadRequestApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.READ_REQUEST)
        request = cls(read_variables(reader))
        reader.end()
        return request


class ReadBlock(Struct, frozen=True):
    """A piece of a READ response.

    Args:
        last: whether no block follows.
        block_number: 1 for the first.
        raw_data: octets of what the whole carries.
    """

    last: bool
    block_number: int
    raw_data: bytes


class ReadBlockNumber(Struct, frozen=True):
    """The block of the request that came: the next one, please."""

    block_number: int


ReadResult = Data | DataAccessResult | ReadBlock | ReadBlockNumber


class ReadResponseApdu(Struct, frozen=True):
    """The values, or why there are none; or one block."""

    results: tuple[ReadResult, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        return _RESPONSE + encode_read_results(self.results)

    @classmethod
    def decode(cls, apdu: bytes) -> "ReadResponseApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.READ_RESPONSE)
        response = cls(read_read_results(reader))
        reader.end()
        return response


def encode_read_results(results: tuple[ReadResult, ...]) -> bytes:
    """Return a list of results.

    Raises:
        EncodeError: a value does not fit its type, or a block number two octets.
    """
    return fields.sequence([_encode_result(result) for result in results])


def read_read_results(reader: Reader) -> tuple[ReadResult, ...]:
    """Return a list of results.

    Raises:
        DecodeError: cut short, or malformed.
    """
    return tuple(_read_result(reader) for _ in range(reader.count(_LEAST_RESULT)))


def _encode_result(result: ReadResult) -> bytes:
    match result:
        case DataAccessResult():
            return bytes((_ERROR, result))
        case Data():
            return bytes((_DATA,)) + axdr.encode(result)
        case ReadBlock(last, number, raw_data):
            head = bytes((_BLOCK,)) + fields.flag(last) + fields.number(number, 2)
            return head + fields.octet_string(raw_data)
        case ReadBlockNumber(number):
            return bytes((_BLOCK_NUMBER,)) + fields.number(number, 2)
    raise EncodeError(f"{type(result).__name__} is no result of a READ")


def _read_result(reader: Reader) -> ReadResult:
    choice = reader.choice(_DATA, _ERROR, _BLOCK, _BLOCK_NUMBER)
    if choice == _DATA:
        return reader.data()
    if choice == _ERROR:
        return reader.code(DataAccessResult)
    if choice == _BLOCK:
        return ReadBlock(reader.flag(), reader.number(2), reader.octet_string())
    return ReadBlockNumber(reader.number(2))
