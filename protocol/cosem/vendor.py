"""The values of our manufacturer-specific objects (0-0:128.x.y), for meter and head-end alike.

| object | value |
|---|---|
| 0-0:128.0.0 transaction | SET: ``Order``; GET: ``LastOutcome`` |
| 0-0:128.1.3 relay causes | bit-string(8), ``RelayCauseBit`` |
| 0-0:128.1.4 balance snapshot | ``Snapshot`` |
| 0-0:128.1.5 armed cut | ``ArmedCut`` |

Kinds and outcomes are plain numbers here: ``prepay.transactions`` names them. Amounts are in minor
units of the currency, sequences 32 bits unsigned, and every moment is a COSEM date-time.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

from protocol.axdr import Data, Tag
from protocol.cosem.types import (
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    NULL,
    ChoiceOf,
    Simple,
    TypeMismatch,
    bits,
    structure_of,
)
from protocol.cosem_time import CosemDateTime
from protocol.errors import DecodeError

#: Octets of a transaction id.
ID: Final = Simple(Tag.OCTET_STRING, 16)

SNAPSHOT_TYPE: Final = structure_of(
    sequence=DOUBLE_LONG_UNSIGNED,
    balance=DOUBLE_LONG,
    emergency=DOUBLE_LONG,
    as_of=DATE_TIME,
)
ARM_TYPE: Final = structure_of(sequence=DOUBLE_LONG_UNSIGNED, expiry=DATE_TIME)
ARMED_CUT_TYPE: Final = structure_of(
    armed=BOOLEAN,
    sequence=DOUBLE_LONG_UNSIGNED,
    expiry=DATE_TIME,
)
ORDER_TYPE: Final = structure_of(
    id=ID,
    kind=ENUM,
    parameters=ChoiceOf((NULL, DOUBLE_LONG, SNAPSHOT_TYPE, ARM_TYPE)),
)
LAST_OUTCOME_TYPE: Final = structure_of(
    id=ID,
    kind=ENUM,
    outcome=ENUM,
    amount=DOUBLE_LONG,
    balance=DOUBLE_LONG,
)
#: The attribute "value" of the transaction object, in both directions.
TRANSACTION_TYPE: Final = ChoiceOf((ORDER_TYPE, LAST_OUTCOME_TYPE))
RELAY_CAUSES_TYPE: Final = bits(8)


class RelayCauseBit(IntEnum):
    """The bits of the relay causes; bit 0 is the first, 0x80 on the wire."""

    CREDIT = 0
    OPERATOR = 1
    LIMITER = 2
    TAMPER = 3
    GAS_SAFETY = 4


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the head-end says of a balance that it keeps.

    Args:
        sequence: grows with each snapshot; 0 for the start credit in local mode.
        balance: minor units.
        emergency: emergency credit available, minor units.
        as_of: the moment up to which consumption is in the balance.
    """

    sequence: int
    balance: int
    emergency: int
    as_of: CosemDateTime

    def to_data(self) -> Data:
        """Return the value with its tags."""
        return SNAPSHOT_TYPE.to_data(self._plain())

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the snapshot that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        return cls._of(SNAPSHOT_TYPE.from_data(data))

    def _plain(self) -> tuple[Any, ...]:
        return (self.sequence, self.balance, self.emergency, self.as_of.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        sequence, balance, emergency, as_of = plain
        return cls(sequence, balance, emergency, _moment(as_of))


@dataclass(frozen=True, slots=True)
class Arm:
    """Leave to cut once the balance of one snapshot is used up, until it expires."""

    sequence: int
    expiry: CosemDateTime

    def _plain(self) -> tuple[Any, ...]:
        return (self.sequence, self.expiry.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        sequence, expiry = plain
        return cls(sequence, _moment(expiry))


@dataclass(frozen=True, slots=True)
class ArmedCut:
    """Whether a cut is armed, and if so as ``Arm`` said."""

    armed: bool
    sequence: int
    expiry: CosemDateTime

    def to_data(self) -> Data:
        """Return the value with its tags."""
        return ARMED_CUT_TYPE.to_data((self.armed, self.sequence, self.expiry.to_bytes()))

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the value that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        armed, sequence, expiry = ARMED_CUT_TYPE.from_data(data)
        return cls(armed, sequence, _moment(expiry))


@dataclass(frozen=True, slots=True)
class Order:
    """A transaction as it is ordered.

    Args:
        id: 16 octets.
        kind: what is ordered.
        parameters: a ``Snapshot`` to activate or to refresh, an ``Arm`` to arm, an amount in minor
            units to adjust, None for the rest. Whether they suit the kind is for the meter's rule.
    """

    id: bytes
    kind: int
    parameters: Snapshot | Arm | int | None = None

    def to_data(self) -> Data:
        """Return the value with its tags.

        Raises:
            TypeMismatch: the id has not 16 octets.
        """
        parameters: Any = self.parameters
        if isinstance(parameters, Snapshot | Arm):
            parameters = parameters._plain()
        return ORDER_TYPE.to_data((self.id, self.kind, parameters))

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the order that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        identity, kind, parameters = ORDER_TYPE.from_data(data)
        if isinstance(parameters, tuple):
            made: type[Snapshot | Arm] = Snapshot if len(parameters) == 4 else Arm
            return cls(identity, kind, made._of(parameters))
        return cls(identity, kind, parameters)


@dataclass(frozen=True, slots=True)
class LastOutcome:
    """What became of the last transaction.

    Args:
        id: 16 octets; zeros before the first.
        kind: what was ordered.
        outcome: what became of it.
        amount: what it moved, minor units.
        balance: after it, minor units.
    """

    id: bytes
    kind: int
    outcome: int
    amount: int
    balance: int

    def to_data(self) -> Data:
        """Return the value with its tags.

        Raises:
            TypeMismatch: the id has not 16 octets.
        """
        return LAST_OUTCOME_TYPE.to_data(
            (self.id, self.kind, self.outcome, self.amount, self.balance)
        )

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the outcome that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        return cls(*LAST_OUTCOME_TYPE.from_data(data))


def _moment(octets: bytes) -> CosemDateTime:
    try:
        return CosemDateTime.from_bytes(octets)
    except DecodeError as error:
        raise TypeMismatch(f"expected a COSEM date-time: {error}") from error
