"""WRITE and UnconfirmedWrite: writing variables by their short names, in one APDU or in blocks."""

from msgspec import Struct

from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.apdu.variables import Variable, encode_variables, read_variables
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events import InvokeId

_RESPONSE = bytes((ApduTag.WRITE_RESPONSE,))
_SUCCESS, _ERROR, _BLOCK_NUMBER = range(3)


class WriteRequestApdu(Struct, frozen=True):
    """A write of variables, or one block of it.

    Args:
        variables: what is written.
        values: one each.
        confirmed: whether an answer is wanted; UnconfirmedWrite has a tag of its own.
    """

    variables: tuple[Variable, ...]
    values: tuple[Data, ...]
    confirmed: bool = True

    @property
    def invoke(self) -> InvokeId:
        """Whether an answer is wanted, as the other services have it."""
        return InvokeId(confirmed=self.confirmed)

    def encode(self) -> bytes:
        """Return the APDU."""
        tag = ApduTag.WRITE_REQUEST if self.confirmed else ApduTag.UNCONFIRMED_WRITE_REQUEST
        return bytes((tag,)) + encode_variables(self.variables) + fields.data_list(self.values)

    @classmethod
    def decode(cls, apdu: bytes) -> "WriteRequestApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed, too long, or not one value a variable.
        """
        reader = Reader(apdu)
        tag = reader.choice(ApduTag.WRITE_REQUEST, ApduTag.UNCONFIRMED_WRITE_REQUEST)
        variables = read_variables(reader)
        values = reader.data_list(len(variables))
        reader.end()
        return cls(variables, values, tag == ApduTag.WRITE_REQUEST)


class WriteBlockNumber(Struct, frozen=True):
    """The block of the request that came: the next one, please."""

    block_number: int


WriteResult = DataAccessResult | WriteBlockNumber


class WriteResponseApdu(Struct, frozen=True):
    """What became of each variable, or which block came."""

    results: tuple[WriteResult, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        return _RESPONSE + fields.sequence([_encode_result(result) for result in self.results])

    @classmethod
    def decode(cls, apdu: bytes) -> "WriteResponseApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.WRITE_RESPONSE)
        response = cls(tuple(_read_result(reader) for _ in range(reader.count(1))))
        reader.end()
        return response


def _encode_result(result: WriteResult) -> bytes:
    if isinstance(result, WriteBlockNumber):
        return bytes((_BLOCK_NUMBER,)) + fields.number(result.block_number, 2)
    return bytes((_ERROR, result)) if result else bytes((_SUCCESS,))


def _read_result(reader: Reader) -> WriteResult:
    choice = reader.choice(_SUCCESS, _ERROR, _BLOCK_NUMBER)
    if choice == _SUCCESS:
        return DataAccessResult.SUCCESS
    if choice == _ERROR:
        return reader.code(DataAccessResult)
    return WriteBlockNumber(reader.number(2))
