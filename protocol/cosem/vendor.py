"""What is ordered of a meter over our transaction object, and what became of it.

| object | value |
|---|---|
| 0-0:128.0.0 transaction | SET: ``Order``; GET: ``LastOutcome`` |
| 0-0:128.1.4 balance snapshot | ``Snapshot`` |

Meter and head-end both use it; what a meter only shows is in ``vendor_shown``. Kinds and outcomes
are plain numbers here: ``prepay.transactions`` names them. Amounts are in minor units of the
currency, sequences 32 bits unsigned, and every moment is a COSEM date-time.
"""

from typing import Any, ClassVar, Final, Self

from msgspec import Struct

from protocol.axdr import Tag
from protocol.cosem.structure_value import StructureValue, moment
from protocol.cosem.types import (
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    NULL,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    Simple,
    StructureOf,
    structure_of,
)
from protocol.cosem_time import CosemDateTime

#: Octets of a transaction id.
ID: Final = Simple(Tag.OCTET_STRING, 16)

SNAPSHOT_TYPE: Final = structure_of(
    sequence=DOUBLE_LONG_UNSIGNED,
    balance=DOUBLE_LONG,
    emergency=DOUBLE_LONG,
    as_of=DATE_TIME,
)
ARM_TYPE: Final = structure_of(sequence=DOUBLE_LONG_UNSIGNED, expiry=DATE_TIME)
CUSTOMER_TYPE: Final = structure_of(protected=BOOLEAN, never_cut=BOOLEAN, since=DATE_TIME)
DEBT_TYPE: Final = structure_of(slot=UNSIGNED, amount=DOUBLE_LONG)
OPENING_TYPE: Final = structure_of(
    sequence=DOUBLE_LONG_UNSIGNED,
    balance=DOUBLE_LONG,
    emergency=DOUBLE_LONG,
    as_of=DATE_TIME,
    anchor=DATE_TIME,
    debts=ArrayOf(DEBT_TYPE),
    at=DATE_TIME,
)
#: An opening that says more: one member behind the others, so that neither is taken for the other.
OPENING_PAID_TYPE: Final = StructureOf((*OPENING_TYPE.fields, ("paid", DATE_TIME)))
MODE_CHANGE_TYPE: Final = structure_of(
    mode=ENUM,
    sequence=DOUBLE_LONG_UNSIGNED,
    balance=DOUBLE_LONG,
    register=DOUBLE_LONG_UNSIGNED,
    as_of=DATE_TIME,
)
ORDER_TYPE: Final = structure_of(
    id=ID,
    kind=ENUM,
    parameters=ChoiceOf(
        (
            NULL,
            DOUBLE_LONG,
            SNAPSHOT_TYPE,
            ARM_TYPE,
            CUSTOMER_TYPE,
            OPENING_TYPE,
            OPENING_PAID_TYPE,
            MODE_CHANGE_TYPE,
            DEBT_TYPE,
            DATE_TIME,
        )
    ),
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


class Snapshot(StructureValue, frozen=True):
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

    TYPE: ClassVar[StructureOf] = SNAPSHOT_TYPE


class Arm(StructureValue, frozen=True):
    """Leave to cut once the balance of one snapshot is used up, until it expires."""

    sequence: int
    expiry: CosemDateTime

    TYPE: ClassVar[StructureOf] = ARM_TYPE


class Customer(StructureValue, frozen=True):
    """What is due to a customer.

    Args:
        protected: minimum supply in place of a cut.
        never_cut: no cut at all for want of credit.
        since: when the customer was placed under protection; all wild is now.
    """

    protected: bool
    never_cut: bool
    since: CosemDateTime = CosemDateTime()

    TYPE: ClassVar[StructureOf] = CUSTOMER_TYPE


class Debt(StructureValue, frozen=True):
    """What a debt is changed by, or what remains of it.

    Args:
        slot: of its charge.
        amount: minor units.
    """

    slot: int
    amount: int

    TYPE: ClassVar[StructureOf] = DEBT_TYPE


class Opening(Struct, frozen=True):
    """What an account is opened with, and when.

    Args:
        snapshot: the first balance; in local mode what is put onto the one that is held.
        anchor: a date on which a period of the standing charges begins; all wild is the first.
        debts: that are brought along.
        at: the planned moment; all wild is now.
        paid: the last day that standing charges were paid for, to the meter before this one; all
            wild: none was, and the structure then has no such member.
    """

    snapshot: Snapshot
    anchor: CosemDateTime = CosemDateTime()
    debts: tuple[Debt, ...] = ()
    at: CosemDateTime = CosemDateTime()
    paid: CosemDateTime = CosemDateTime()

    def plain(self) -> tuple[Any, ...]:
        """Return the plain values of the members; those of the snapshot come first."""
        debts = [debt.plain() for debt in self.debts]
        plain = (*self.snapshot.plain(), self.anchor.to_bytes(), debts, self.at.to_bytes())
        return plain if self.paid == CosemDateTime() else (*plain, self.paid.to_bytes())

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Self:
        """Return the opening of which the members have these plain values.

        Raises:
            TypeMismatch: one is no moment that has to be.
        """
        snapshot, (anchor, debts, *moments) = plain[:4], plain[4:]
        brought = tuple(Debt.of_plain(debt) for debt in debts)
        told = (moment(stamp) for stamp in moments)
        return cls(Snapshot.of_plain(snapshot), moment(anchor), brought, *told)


class ModeChange(StructureValue, frozen=True):
    """Who keeps the balance from now on.

    Args:
        mode: 0 the head-end, 1 the meter.
        sequence: of the snapshot that the change is.
        balance: what the meter goes on with; of no account where it says so itself.
        register: the import register in Wh up to which that balance is priced.
        as_of: the moment of that.
    """

    mode: int
    sequence: int
    balance: int = 0
    register: int = 0
    as_of: CosemDateTime = CosemDateTime()

    TYPE: ClassVar[StructureOf] = MODE_CHANGE_TYPE


#: What an order may carry in a structure.
Carried = Snapshot | Arm | Customer | Opening | ModeChange | Debt


class Order(StructureValue, frozen=True):
    """A transaction as it is ordered.

    Args:
        id: 16 octets.
        kind: what is ordered.
        parameters: a ``Snapshot`` to activate or to refresh, an ``Arm`` to arm, an amount in minor
            units to adjust or to refund, a ``Customer`` for what is due to him, None for the rest.
            Whether they suit the kind is for the meter's rule. To activate, an ``Opening`` says
            more than a snapshot; a deactivation may carry its planned moment, a disconnect the one
            until which it may wait for the end of a window; a change of mode is a
            ``ModeChange``, one of a debt a ``Debt``.
    """

    id: bytes
    kind: int
    parameters: Carried | CosemDateTime | int | None = None

    TYPE: ClassVar[StructureOf] = ORDER_TYPE

    def plain(self) -> tuple[Any, ...]:
        """Return the plain values of the members."""
        parameters: Any = self.parameters
        if isinstance(parameters, Carried):
            parameters = parameters.plain()
        elif isinstance(parameters, CosemDateTime):
            parameters = parameters.to_bytes()
        return (self.id, self.kind, parameters)

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Self:
        """Return the order of which the members have these plain values.

        Raises:
            TypeMismatch: one is no moment that has to be.
        """
        identity, kind, parameters = plain
        if isinstance(parameters, tuple):
            return cls(identity, kind, _carried(parameters).of_plain(parameters))
        if isinstance(parameters, bytes):
            return cls(identity, kind, moment(parameters))
        return cls(identity, kind, parameters)


class LastOutcome(StructureValue, frozen=True):
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

    TYPE: ClassVar[StructureOf] = LAST_OUTCOME_TYPE


#: The structures that parameters may be, by how many fields they have.
_BY_LENGTH: Final[dict[int, type[Carried]]] = {
    2: Arm,
    3: Customer,
    4: Snapshot,
    5: ModeChange,
    7: Opening,
    8: Opening,
}


def _carried(plain: tuple[Any, ...]) -> type[Carried]:
    """Return what a structure is; an arm has a moment where a debt has an amount."""
    if len(plain) == 2 and isinstance(plain[1], int):
        return Debt
    return _BY_LENGTH[len(plain)]
