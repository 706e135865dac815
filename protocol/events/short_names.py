"""Services that refer to attributes and methods by short names."""

from dataclasses import dataclass

from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events.references import SelectiveAccess


@dataclass(frozen=True, slots=True)
class ShortName:
    """A named variable: the object's base name plus the offset of the attribute or method.

    Args:
        address: 0..0xFFFF; the Green Book's ObjectName is a signed 16-bit integer of these octets.
        access: parameterised access, None for none.
    """

    address: int
    access: SelectiveAccess | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """READ of named variables; a method with return parameters is read with parameters."""

    variables: tuple[ShortName, ...]


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """The answer to a READ, one result a variable, in their order."""

    results: tuple[Data | DataAccessResult, ...]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """WRITE of named variables; unconfirmed (UnconfirmedWrite) nobody answers it."""

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class WriteResponse:
    """The answer to a WRITE, one result a variable, in their order."""

    results: tuple[DataAccessResult, ...]


@dataclass(frozen=True, slots=True)
class InformationReport:
    """What a server reports by short names, unasked.

    Args:
        variables: what is reported.
        values: one each.
        time: ASN.1 GeneralizedTime, e.g. ``20261122001500+0100``; empty for none.
    """

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    time: str = ""
