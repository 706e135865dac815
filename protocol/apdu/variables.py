"""Variable-access-specifications: what READ, WRITE and InformationReport name their variables by.

| tag | choice | fields |
|---|---|---|
| 2 | variable-name | short name (2) |
| 4 | parameterized-access | short name (2), selector (1), parameter |
| 5 | block-number-access | number (2) of the last block of the answer that came |
| 6 | read-data-block-access | whether it is the last, number (2), a piece of the READ request |
| 7 | write-data-block-access | whether it is the last, number (2); the piece is the one value |

Detailed access (3) is of DLMS, not of COSEM. Tags and fields as ``gurux-dlms``, ``pydlms-client``
and jDLMS agree on them.
"""

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.errors import EncodeError
from protocol.events import SelectiveAccess, ShortName

_NAME, _PARAMETERIZED, _BLOCK_NUMBER, _READ_BLOCK, _WRITE_BLOCK = 2, 4, 5, 6, 7
#: Octets of the shortest specification: a tag and a short name.
LEAST = 3
#: Block numbers have two octets, those of GET, SET and ACTION four.
MAX_BLOCK_NUMBER = 0xFFFF


class BlockNumberAccess(Struct, frozen=True):
    """A request for the block of the answer after ``block_number``."""

    block_number: int


class ReadDataBlockAccess(Struct, frozen=True):
    """A piece of a READ request.

    Args:
        last: whether no block follows.
        block_number: 1 for the first.
        raw_data: octets of the request after its tag.
    """

    last: bool
    block_number: int
    raw_data: bytes


class WriteDataBlockAccess(Struct, frozen=True):
    """What says that the one octet-string of a WRITE is a piece of a longer one."""

    last: bool
    block_number: int


Variable = ShortName | BlockNumberAccess | ReadDataBlockAccess | WriteDataBlockAccess


def encode_variable(variable: Variable) -> bytes:
    """Return a variable-access-specification.

    Raises:
        EncodeError: a short name, selector, block number or parameter does not fit.
    """
    match variable:
        case ShortName(address, None):
            return bytes((_NAME,)) + fields.number(address, 2)
        case ShortName(address, SelectiveAccess(selector, parameters)):
            head = bytes((_PARAMETERIZED,)) + fields.number(address, 2)
            return head + fields.number(selector) + axdr.encode(parameters)
        case BlockNumberAccess(number):
            return bytes((_BLOCK_NUMBER,)) + fields.number(number, 2)
        case ReadDataBlockAccess(last, number, raw_data):
            head = bytes((_READ_BLOCK,)) + fields.flag(last) + fields.number(number, 2)
            return head + fields.octet_string(raw_data)
        case WriteDataBlockAccess(last, number):
            return bytes((_WRITE_BLOCK,)) + fields.flag(last) + fields.number(number, 2)
    raise EncodeError(f"{type(variable).__name__} is no variable")


def encode_variables(variables: tuple[Variable, ...]) -> bytes:
    """Return a list of variable-access-specifications.

    Raises:
        EncodeError: one of them does not fit.
    """
    return fields.sequence([encode_variable(variable) for variable in variables])


def read_variable(reader: Reader) -> Variable:
    """Return a variable-access-specification.

    Raises:
        DecodeError: cut short, or none of the choices.
    """
    choice = reader.choice(_NAME, _PARAMETERIZED, _BLOCK_NUMBER, _READ_BLOCK, _WRITE_BLOCK)
    if choice == _NAME:
        return ShortName(reader.number(2))
    if choice == _PARAMETERIZED:
        return ShortName(reader.number(2), SelectiveAccess(reader.number(), reader.data()))
    if choice == _BLOCK_NUMBER:
        return BlockNumberAccess(reader.number(2))
    if choice == _READ_BLOCK:
        return ReadDataBlockAccess(reader.flag(), reader.number(2), reader.octet_string())
    return WriteDataBlockAccess(reader.flag(), reader.number(2))


def read_variables(reader: Reader) -> tuple[Variable, ...]:
    """Return a list of variable-access-specifications; one of none is a list, too.

    Raises:
        DecodeError: cut short, or malformed.
    """
    return tuple(read_variable(reader) for _ in range(reader.count(LEAST)))
