"""ACCESS: GETs, SETs and ACTIONs in one APDU, and a result for each.

request   217, long-invoke-id (4), date-time, specifications, values
response  218, long-invoke-id (4), date-time, optional specifications, values, results

There are as many values as specifications: of a SET what to write, of an ACTION its parameter or
null-data, of a GET null-data; in a response what was read or returned, null-data for nothing. A
date-time is an octet-string, empty for none. Layout as ``pydlms-client`` has it, which compares
with examples of the Green Book; ``gurux-dlms`` writes and reads the same.
"""

from enum import IntEnum

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
from protocol.errors import DecodeError, EncodeError
from protocol.events import AttributeRef, LongInvokeId, MethodRef, SelectiveAccess

_REQUEST = bytes((ApduTag.ACCESS_REQUEST,))
_RESPONSE = bytes((ApduTag.ACCESS_RESPONSE,))
_LEAST_SPECIFICATION = 1 + fields.LEAST_DESCRIPTOR
_LEAST_RESULT = 2
_DATE_TIME_LENGTHS = (0, 12)


class AccessKind(IntEnum):
    """What is asked of an object."""

    GET = 1
    SET = 2
    ACTION = 3
    GET_WITH_SELECTION = 4
    SET_WITH_SELECTION = 5


_SELECTIONS = (AccessKind.GET_WITH_SELECTION, AccessKind.SET_WITH_SELECTION)
_RESULT_KINDS = (AccessKind.GET, AccessKind.SET, AccessKind.ACTION)


class AccessSpecification(Struct, frozen=True):
    """One thing that is asked; ``access`` stands in those with selection, and only there."""

    kind: AccessKind
    reference: AttributeRef | MethodRef
    access: SelectiveAccess | None = None

    def encode(self) -> bytes:
        """Return the Access-Request-Specification.

        Raises:
            EncodeError: kind, reference and selection do not fit together.
        """
        if isinstance(self.reference, MethodRef) != (self.kind == AccessKind.ACTION):
            raise EncodeError(f"{self.kind.name} of a {type(self.reference).__name__}")
        if (self.access is not None) != (self.kind in _SELECTIONS):
            raise EncodeError(f"{self.kind.name} with selection {self.access}")
        head = bytes((self.kind,)) + fields.descriptor(self.reference)
        if self.access is None:
            return head
        selector = fields.number(self.access.selector)
        return head + selector + axdr.encode(self.access.parameters)


class AccessResult(Struct, frozen=True):
    """How one of them ended; a selection does not show."""

    kind: AccessKind
    result: DataAccessResult | ActionResult

    def encode(self) -> bytes:
        """Return the Access-Response-Specification."""
        return bytes((self.kind, self.result))


class AccessRequestApdu(Struct, frozen=True):
    """What is asked, in order, and a value for each."""

    invoke: LongInvokeId
    date_time: bytes
    specifications: tuple[AccessSpecification, ...]
    values: tuple[Data, ...]

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: something of it does not fit.
        """
        return (
            _REQUEST
            + _head(self.invoke, self.date_time)
            + fields.sequence([one.encode() for one in self.specifications])
            + fields.data_list(self.values)
        )

    @classmethod
    def decode(cls, apdu: bytes) -> "AccessRequestApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.ACCESS_REQUEST)
        invoke, date_time = reader.long_invoke(), _read_date_time(reader)
        specifications = _read_specifications(reader)
        request = cls(invoke, date_time, specifications, reader.data_list(len(specifications)))
        reader.end()
        return request


class AccessResponseApdu(Struct, frozen=True):
    """A value and a result for each; ``specifications`` are None where they are not repeated."""

    invoke: LongInvokeId
    date_time: bytes
    specifications: tuple[AccessSpecification, ...] | None
    values: tuple[Data, ...]
    results: tuple[AccessResult, ...]

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: something of it does not fit.
        """
        repeated = b"\x00"
        if self.specifications is not None:
            repeated = b"\x01" + fields.sequence([one.encode() for one in self.specifications])
        return (
            _RESPONSE
            + _head(self.invoke, self.date_time)
            + repeated
            + fields.data_list(self.values)
            + fields.sequence([one.encode() for one in self.results])
        )

    @classmethod
    def decode(cls, apdu: bytes) -> "AccessResponseApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed, too long, or with more of one list
                than of another.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.ACCESS_RESPONSE)
        invoke, date_time = reader.long_invoke(), _read_date_time(reader)
        repeated = _read_specifications(reader) if reader.choice(0, 1) else None
        values = reader.data_list(None if repeated is None else len(repeated))
        count = reader.count(_LEAST_RESULT)
        if count != len(values):
            raise DecodeError(f"{count} results for {len(values)} values")
        results = tuple(_read_result(reader) for _ in range(count))
        reader.end()
        return cls(invoke, date_time, repeated, values, results)


def _head(invoke: LongInvokeId, date_time: bytes) -> bytes:
    if len(date_time) not in _DATE_TIME_LENGTHS:
        raise EncodeError(f"a date-time of {len(date_time)} octets")
    return fields.long_invoke_id(invoke) + fields.octet_string(date_time)


def _read_date_time(reader: Reader) -> bytes:
    date_time = reader.octet_string()
    if len(date_time) not in _DATE_TIME_LENGTHS:
        raise DecodeError(f"a date-time of {len(date_time)} octets")
    return date_time


def _read_specifications(reader: Reader) -> tuple[AccessSpecification, ...]:
    count = reader.count(_LEAST_SPECIFICATION)
    return tuple(_read_specification(reader) for _ in range(count))


def _read_specification(reader: Reader) -> AccessSpecification:
    kind = reader.code(AccessKind)
    if kind == AccessKind.ACTION:
        return AccessSpecification(kind, reader.method())
    attribute, access = reader.attribute(), None
    if kind in _SELECTIONS:
        access = SelectiveAccess(reader.number(), reader.data())
    return AccessSpecification(kind, attribute, access)


def _read_result(reader: Reader) -> AccessResult:
    kind = AccessKind(reader.choice(*_RESULT_KINDS))
    if kind == AccessKind.ACTION:
        return AccessResult(kind, reader.code(ActionResult))
    return AccessResult(kind, reader.code(DataAccessResult))
