"""Services that refer to attributes and methods by short names."""

from msgspec import Struct

from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events.references import SelectiveAccess


class ShortName(Struct, frozen=True):
    """A named variable: the object's base name plus the offset of the attribute or method.

    Args:
        address: 0..0xFFFF; the Green Book's ObjectName is a signed 16-bit integer of these octets.
        access: parameterised access, None for none.
    """

    address: int
    access: SelectiveAccess | None = None


class ReadRequest(Struct, frozen=True):
    """READ of named variables; a method with return parameters is read with parameters."""

    variables: tuple[ShortName, ...]


class ReadResponse(Struct, frozen=True):
    """The answer to a READ, one result a variable, in their order."""

    results: tuple[Data | DataAccessResult, ...]


class WriteRequest(Struct, frozen=True):
    """WRITE of named variables; unconfirmed (UnconfirmedWrite) nobody answers it."""

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    confirmed: bool = True


class WriteResponse(Struct, frozen=True):
    """The answer to a WRITE, one result a variable, in their order."""

    results: tuple[DataAccessResult, ...]


class InformationReport(Struct, frozen=True):
    """What a server reports by short names, unasked.

    Args:
        variables: what is reported.
        values: one each.
        time: ASN.1 GeneralizedTime, e.g. ``20261122001500+0100``; empty for none.
    """

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    time: str = ""
