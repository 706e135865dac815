"""What a meter shows in our manufacturer-specific objects, for it and for a head-end that reads it.

| object | value |
|---|---|
| 0-0:128.1.3 relay causes | bit-string(8), ``RelayCauseBit`` |
| 0-0:128.1.5 armed cut | ``ArmedCut`` |
| 0-0:128.2.0 settlement | ``Settlement`` |
| 0-0:128.2.1 plan | ``Plan`` |
| 0-0:128.2.2 token log | rows of ``TOKEN_TYPE``, each behind its time |
| 0-0:128.2.3 last token | ``TOKEN_TYPE`` |
| 0-0:128.2.4 carried out | ``CarriedOut``, some |
| 0-0:128.3.0 customer | ``CustomerStatus`` |

Numbers and moments are as in ``vendor``, which has what is ordered.
"""

from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from protocol.axdr import Data
from protocol.cosem.structure_value import StructureValue
from protocol.cosem.types import (
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    ArrayOf,
    StructureOf,
    bits,
    structure_of,
)
from protocol.cosem.vendor import DEBT_TYPE, ID, Debt
from protocol.cosem_time import CosemDateTime

ARMED_CUT_TYPE: Final = structure_of(
    armed=BOOLEAN,
    sequence=DOUBLE_LONG_UNSIGNED,
    expiry=DATE_TIME,
)
CUSTOMER_STATUS_TYPE: Final = structure_of(
    protected=BOOLEAN,
    never_cut=BOOLEAN,
    since=DATE_TIME,
    limited=BOOLEAN,
    recurrent=BOOLEAN,
)
PLAN_TYPE: Final = structure_of(kind=ENUM, id=ID, at=DATE_TIME)
SETTLEMENT_TYPE: Final = structure_of(
    id=ID,
    time=DATE_TIME,
    imported=DOUBLE_LONG_UNSIGNED,
    exported=DOUBLE_LONG_UNSIGNED,
    balance=DOUBLE_LONG,
    returned=DOUBLE_LONG,
    debts=ArrayOf(DEBT_TYPE),
)
_CARRIED_OUT: Final = structure_of(
    id=ID,
    kind=ENUM,
    time=DATE_TIME,
    imported=DOUBLE_LONG_UNSIGNED,
    exported=DOUBLE_LONG_UNSIGNED,
)
CARRIED_OUT_TYPE: Final = ArrayOf(_CARRIED_OUT)
TOKEN_TYPE: Final = structure_of(
    id=ID,
    delivery=ENUM,
    status=ENUM,
    outcome=ENUM,
    gross=DOUBLE_LONG,
    credited=DOUBLE_LONG,
)
RELAY_CAUSES_TYPE: Final = bits(8)


class RelayCauseBit(IntEnum):
    """The bits of the relay causes; bit 0 is the first, 0x80 on the wire."""

    CREDIT = 0
    OPERATOR = 1
    LIMITER = 2
    TAMPER = 3
    GAS_SAFETY = 4


class ArmedCut(StructureValue, frozen=True):
    """Whether a cut is armed, and if so as ``Arm`` said."""

    armed: bool
    sequence: int
    expiry: CosemDateTime

    TYPE: ClassVar[StructureOf] = ARMED_CUT_TYPE


class CustomerStatus(StructureValue, frozen=True):
    """What is due to the customer, and what has come of it.

    Args:
        protected: minimum supply in place of a cut.
        never_cut: no cut at all for want of credit.
        since: when the customer was placed under protection; all wild: not at all.
        limited: minimum supply has begun.
        recurrent: the months of protection have run.
    """

    protected: bool
    never_cut: bool
    since: CosemDateTime
    limited: bool
    recurrent: bool

    TYPE: ClassVar[StructureOf] = CUSTOMER_STATUS_TYPE


class Plan(StructureValue, frozen=True):
    """What waits for its moment.

    Args:
        kind: of the order; 0 where there is no plan.
        id: of the order.
        at: the moment.
    """

    kind: int
    id: bytes
    at: CosemDateTime

    TYPE: ClassVar[StructureOf] = PLAN_TYPE


class Settlement(StructureValue, frozen=True):
    """What the last closing left to be settled by invoice; amounts in minor units.

    A balance that the meter has handed over to a head-end leaves the same record; the debts stay
    on the meter then.

    Args:
        id: of the order; zeros where there was none.
        time: of the closing; all wild: there was none yet.
        imported: the registers then, Wh.
        exported: likewise.
        balance: what the customer gets back, or owes where it is below 0.
        returned: what came back of standing charges; it is in the balance.
        debts: what remained of each.
    """

    id: bytes
    time: CosemDateTime
    imported: int
    exported: int
    balance: int
    returned: int
    debts: tuple[Debt, ...]

    TYPE: ClassVar[StructureOf] = SETTLEMENT_TYPE

    def plain(self) -> tuple[Any, ...]:
        """Return the plain values of the members."""
        return (*super().plain()[:-1], [debt.plain() for debt in self.debts])

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Self:
        """Return the settlement of which the members have these plain values.

        Raises:
            TypeMismatch: one is no moment that has to be.
        """
        *members, debts = plain
        return super().of_plain((*members, tuple(map(Debt.of_plain, debts))))


class CarriedOut(StructureValue, frozen=True):
    """A plan that was carried out, with the registers of that moment.

    Args:
        id: of the order.
        kind: of the order.
        time: when it was done.
        imported: the registers then, Wh.
        exported: likewise.
    """

    id: bytes
    kind: int
    time: CosemDateTime
    imported: int
    exported: int

    TYPE: ClassVar[StructureOf] = _CARRIED_OUT

    @classmethod
    def all_from_data(cls, data: Data) -> tuple[Self, ...]:
        """Return the plans that ``data`` has, the oldest first.

        Raises:
            TypeMismatch: it has something else.
        """
        return tuple(map(cls.of_plain, CARRIED_OUT_TYPE.from_data(data)))
