"""Reading and writing the fields that the xDLMS services share."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, TypeVar

from obis.code import ObisCode
from protocol import axdr
from protocol.axdr import Data
from protocol.errors import DecodeError, EncodeError
from protocol.events import AttributeRef, InvokeId, LongInvokeId, MethodRef, SelectiveAccess

_Code = TypeVar("_Code", bound=IntEnum)

#: An attribute, and what is selected of it: an element of the lists of GET and SET.
SelectedAttribute = tuple[AttributeRef, SelectiveAccess | None]

# The fewest octets of an element of a list.
LEAST_SELECTED: Final = 10  # descriptor and the flag of no selection
LEAST_DESCRIPTOR: Final = 9
LEAST_DATA: Final = 1

_CONFIRMED = 0x40
_HIGH_PRIORITY = 0x80
_PRESENT = 0x01
_LONG_NUMBER = 0x00FF_FFFF
_SELF_DESCRIPTIVE, _BREAK_ON_ERROR, _LONG_CONFIRMED, _LONG_HIGH_PRIORITY = (
    1 << bit for bit in (28, 29, 30, 31)
)


class Reader:
    """A position in an APDU. Every read raises ``DecodeError`` rather than run past the end."""

    def __init__(self, octets: bytes, offset: int = 0) -> None:
        self._octets = octets
        self._offset = offset

    def take(self, length: int) -> bytes:
        """Return the next ``length`` octets."""
        end = self._offset + length
        if end > len(self._octets):
            raise DecodeError(f"the APDU is cut short at octet {len(self._octets)}")
        octets = self._octets[self._offset : end]
        self._offset = end
        return octets

    def number(self, length: int = 1) -> int:
        """Return the next ``length`` octets as an unsigned number."""
        return int.from_bytes(self.take(length), "big")

    def flag(self) -> bool:
        """Return a BOOLEAN."""
        return self.number() != 0

    def octet_string(self) -> bytes:
        """Return octets that their length precedes."""
        length, self._offset = axdr.decode_length(self._octets, self._offset)
        return self.take(length)

    def code(self, codes: type[_Code]) -> _Code:
        """Return a one-octet enumeration."""
        number = self.number()
        try:
            return codes(number)
        except ValueError:
            raise DecodeError(f"{codes.__name__} has no {number}") from None

    def choice(self, *allowed: int) -> int:
        """Return the tag of a CHOICE or the usage flag of an OPTIONAL."""
        number = self.number()
        if number not in allowed:
            raise DecodeError(f"choice {number} is none of {allowed}")
        return number

    def data(self) -> Data:
        """Return one A-XDR value."""
        data, self._offset = axdr.decode_prefix(self._octets, self._offset)
        return data

    def invoke(self) -> InvokeId:
        """Return invoke-id-and-priority."""
        octet = self.number()
        return InvokeId(octet & 0x0F, bool(octet & _CONFIRMED), bool(octet & _HIGH_PRIORITY))

    def long_invoke(self) -> LongInvokeId:
        """Return long-invoke-id-and-priority; the reserved bits 24..27 mean nothing."""
        word = self.number(4)
        return LongInvokeId(
            word & _LONG_NUMBER,
            self_descriptive=bool(word & _SELF_DESCRIPTIVE),
            break_on_error=bool(word & _BREAK_ON_ERROR),
            confirmed=bool(word & _LONG_CONFIRMED),
            high_priority=bool(word & _LONG_HIGH_PRIORITY),
        )

    def attribute(self) -> AttributeRef:
        """Return a COSEM attribute descriptor."""
        return AttributeRef(self.number(2), ObisCode.from_bytes(self.take(6)), self.number())

    def method(self) -> MethodRef:
        """Return a COSEM method descriptor."""
        return MethodRef(self.number(2), ObisCode.from_bytes(self.take(6)), self.number())

    def access(self) -> SelectiveAccess | None:
        """Return an optional access selection."""
        if not self.choice(0, _PRESENT):
            return None
        return SelectiveAccess(self.number(), self.data())

    def count(self, least: int) -> int:
        """Return how many elements a SEQUENCE OF has, of at least ``least`` octets each."""
        count, self._offset = axdr.decode_length(self._octets, self._offset)
        if count * least > len(self._octets) - self._offset:
            raise DecodeError(f"{count} elements do not fit the octets that are left")
        return count

    def data_list(self, expected: int | None = None) -> tuple[Data, ...]:
        """Return a SEQUENCE OF Data, which has as many elements as are expected."""
        count = self.count(LEAST_DATA)
        if expected is not None and count != expected:
            raise DecodeError(f"{count} values for {expected} references")
        return tuple(self.data() for _ in range(count))

    def selected(self) -> SelectedAttribute:
        """Return an attribute descriptor with its optional access selection."""
        return self.attribute(), self.access()

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._octets) - self._offset)

    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._offset == len(self._octets)

    def end(self) -> None:
        """Raise ``DecodeError`` unless everything has been read."""
        if not self.at_end():
            raise DecodeError(f"{len(self._octets) - self._offset} octets after the APDU's end")


def sequence(elements: Sequence[bytes]) -> bytes:
    """Return a SEQUENCE OF: how many there are, and they themselves."""
    return axdr.encode_length(len(elements)) + b"".join(elements)


def number(value: int, length: int = 1) -> bytes:
    """Return an unsigned number of ``length`` octets.

    Raises:
        EncodeError: it does not fit.
    """
    try:
        return value.to_bytes(length, "big")
    except OverflowError:
        raise EncodeError(f"{value} does not fit {length} octets") from None


def octet_string(octets: bytes) -> bytes:
    """Return ``octets`` with their length before them."""
    return axdr.encode_length(len(octets)) + octets


def flag(value: bool) -> bytes:
    """Return a BOOLEAN."""
    return b"\x01" if value else b"\x00"


def datablock(last: bool, block_number: int, raw_data: bytes) -> bytes:
    """Return a block of SET or ACTION: whether it is the last, its number, its octets."""
    return flag(last) + number(block_number, 4) + octet_string(raw_data)


def head(service: bytes, kind: int, invoke: InvokeId) -> bytes:
    """Return what the APDUs of GET, SET and ACTION begin with.

    Args:
        service: the tag.
        kind: which of the service's APDUs it is.
        invoke: as for ``invoke_id``.

    Raises:
        EncodeError: as of ``invoke_id``.
    """
    return service + bytes((kind,)) + invoke_id(invoke)


def invoke_id(invoke: InvokeId) -> bytes:
    """Return invoke-id-and-priority.

    Raises:
        EncodeError: the number is not within 0..15.
    """
    if not 0 <= invoke.number <= 15:
        raise EncodeError(f"invoke id {invoke.number} is not within 0..15")
    flags = (_CONFIRMED if invoke.confirmed else 0) | (
        _HIGH_PRIORITY if invoke.high_priority else 0
    )
    return bytes((invoke.number | flags,))


def long_invoke_id(invoke: LongInvokeId) -> bytes:
    """Return long-invoke-id-and-priority.

    Raises:
        EncodeError: the number is not within 0..0xFFFFFF.
    """
    if not 0 <= invoke.number <= _LONG_NUMBER:
        raise EncodeError(f"long invoke id {invoke.number} is not within 0..{_LONG_NUMBER}")
    flags = (
        (_SELF_DESCRIPTIVE if invoke.self_descriptive else 0)
        | (_BREAK_ON_ERROR if invoke.break_on_error else 0)
        | (_LONG_CONFIRMED if invoke.confirmed else 0)
        | (_LONG_HIGH_PRIORITY if invoke.high_priority else 0)
    )
    return number(invoke.number | flags, 4)


def descriptor(reference: AttributeRef | MethodRef) -> bytes:
    """Return a COSEM attribute or method descriptor.

    Raises:
        EncodeError: class id or index do not fit.
    """
    name = reference.logical_name.to_bytes()
    return number(reference.class_id, 2) + name + number(reference.index)


def data_list(values: Sequence[Data]) -> bytes:
    """Return a SEQUENCE OF Data.

    Raises:
        EncodeError: a value does not fit its type.
    """
    return sequence([axdr.encode(value) for value in values])


def selected(attribute: SelectedAttribute) -> bytes:
    """Return an attribute descriptor with its optional access selection.

    Raises:
        EncodeError: something of it does not fit.
    """
    reference, access = attribute
    return descriptor(reference) + access_selection(access)


def access_selection(access: SelectiveAccess | None) -> bytes:
    """Return an optional access selection.

    Raises:
        EncodeError: the selector or its parameters do not fit.
    """
    if access is None:
        return b"\x00"
    return bytes((_PRESENT,)) + number(access.selector) + axdr.encode(access.parameters)
