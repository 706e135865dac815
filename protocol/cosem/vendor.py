"""The values of our manufacturer-specific objects (0-0:128.x.y), for meter and head-end alike.

| object | value |
|---|---|
| 0-0:128.0.0 transaction | SET: ``Order``; GET: ``LastOutcome`` |
| 0-0:128.1.3 relay causes | bit-string(8), ``RelayCauseBit`` |
| 0-0:128.1.4 balance snapshot | ``Snapshot`` |
| 0-0:128.1.5 armed cut | ``ArmedCut`` |
| 0-0:128.2.0 settlement | ``Settlement`` |
| 0-0:128.2.1 plan | ``Plan`` |
| 0-0:128.2.2 token log | rows of ``TOKEN_TYPE``, each behind its time |
| 0-0:128.2.3 last token | ``TOKEN_TYPE`` |
| 0-0:128.2.4 carried out | ``CarriedOut``, some |
| 0-0:128.3.0 customer | ``CustomerStatus`` |

Kinds and outcomes are plain numbers here: ``prepay.transactions`` names them. Amounts are in minor
units of the currency, sequences 32 bits unsigned, and every moment is a COSEM date-time.
"""

from enum import IntEnum
from typing import Any, Final, Self

from msgspec import Struct

from protocol.axdr import Data, Tag
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
CUSTOMER_TYPE: Final = structure_of(protected=BOOLEAN, never_cut=BOOLEAN, since=DATE_TIME)
CUSTOMER_STATUS_TYPE: Final = structure_of(
    protected=BOOLEAN,
    never_cut=BOOLEAN,
    since=DATE_TIME,
    limited=BOOLEAN,
    recurrent=BOOLEAN,
)
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
CARRIED_OUT_TYPE: Final = ArrayOf(
    structure_of(
        id=ID,
        kind=ENUM,
        time=DATE_TIME,
        imported=DOUBLE_LONG_UNSIGNED,
        exported=DOUBLE_LONG_UNSIGNED,
    )
)
TOKEN_TYPE: Final = structure_of(
    id=ID,
    delivery=ENUM,
    status=ENUM,
    outcome=ENUM,
    gross=DOUBLE_LONG,
    credited=DOUBLE_LONG,
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
RELAY_CAUSES_TYPE: Final = bits(8)


class RelayCauseBit(IntEnum):
    """The bits of the relay causes; bit 0 is the first, 0x80 on the wire."""

    CREDIT = 0
    OPERATOR = 1
    LIMITER = 2
    TAMPER = 3
    GAS_SAFETY = 4


class Snapshot(Struct, frozen=True):
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


class Arm(Struct, frozen=True):
    """Leave to cut once the balance of one snapshot is used up, until it expires."""

    sequence: int
    expiry: CosemDateTime

    def _plain(self) -> tuple[Any, ...]:
        return (self.sequence, self.expiry.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        sequence, expiry = plain
        return cls(sequence, _moment(expiry))


class Customer(Struct, frozen=True):
    """What is due to a customer.

    Args:
        protected: minimum supply in place of a cut.
        never_cut: no cut at all for want of credit.
        since: when the customer was placed under protection; all wild is now.
    """

    protected: bool
    never_cut: bool
    since: CosemDateTime = CosemDateTime()

    def _plain(self) -> tuple[Any, ...]:
        return (self.protected, self.never_cut, self.since.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        protected, never_cut, since = plain
        return cls(protected, never_cut, _moment(since))


class CustomerStatus(Struct, frozen=True):
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

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the value that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        protected, never_cut, since, limited, recurrent = CUSTOMER_STATUS_TYPE.from_data(data)
        return cls(protected, never_cut, _moment(since), limited, recurrent)


class ArmedCut(Struct, frozen=True):
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


class Debt(Struct, frozen=True):
    """What a debt is changed by, or what remains of it.

    Args:
        slot: of its charge.
        amount: minor units.
    """

    slot: int
    amount: int

    def _plain(self) -> tuple[Any, ...]:
        return (self.slot, self.amount)

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        return cls(*plain)


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

    def _plain(self) -> tuple[Any, ...]:
        debts = [debt._plain() for debt in self.debts]
        plain = (*self.snapshot._plain(), self.anchor.to_bytes(), debts, self.at.to_bytes())
        return plain if self.paid == CosemDateTime() else (*plain, self.paid.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        snapshot, (anchor, debts, *moments) = plain[:4], plain[4:]
        brought = tuple(Debt._of(debt) for debt in debts)
        told = (_moment(moment) for moment in moments)
        return cls(Snapshot._of(snapshot), _moment(anchor), brought, *told)


class ModeChange(Struct, frozen=True):
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

    def _plain(self) -> tuple[Any, ...]:
        return (self.mode, self.sequence, self.balance, self.register, self.as_of.to_bytes())

    @classmethod
    def _of(cls, plain: tuple[Any, ...]) -> Self:
        mode, sequence, balance, register, as_of = plain
        return cls(mode, sequence, balance, register, _moment(as_of))


class Plan(Struct, frozen=True):
    """What waits for its moment.

    Args:
        kind: of the order; 0 where there is no plan.
        id: of the order.
        at: the moment.
    """

    kind: int
    id: bytes
    at: CosemDateTime

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the value that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        kind, identity, at = PLAN_TYPE.from_data(data)
        return cls(kind, identity, _moment(at))


class Settlement(Struct, frozen=True):
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

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the value that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        identity, time, imported, exported, balance, returned, debts = SETTLEMENT_TYPE.from_data(
            data
        )
        left = tuple(Debt._of(debt) for debt in debts)
        return cls(identity, _moment(time), imported, exported, balance, returned, left)


class CarriedOut(Struct, frozen=True):
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

    @classmethod
    def all_from_data(cls, data: Data) -> tuple[Self, ...]:
        """Return the plans that ``data`` has, the oldest first.

        Raises:
            TypeMismatch: it has something else.
        """
        return tuple(
            cls(identity, kind, _moment(time), imported, exported)
            for identity, kind, time, imported, exported in CARRIED_OUT_TYPE.from_data(data)
        )


#: What an order may carry in a structure.
Carried = Snapshot | Arm | Customer | Opening | ModeChange | Debt


class Order(Struct, frozen=True):
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

    def to_data(self) -> Data:
        """Return the value with its tags.

        Raises:
            TypeMismatch: the id has not 16 octets.
        """
        parameters: Any = self.parameters
        if isinstance(parameters, Carried):
            parameters = parameters._plain()
        elif isinstance(parameters, CosemDateTime):
            parameters = parameters.to_bytes()
        return ORDER_TYPE.to_data((self.id, self.kind, parameters))

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Return the order that ``data`` is.

        Raises:
            TypeMismatch: it is none.
        """
        identity, kind, parameters = ORDER_TYPE.from_data(data)
        if isinstance(parameters, tuple):
            return cls(identity, kind, _carried(parameters)._of(parameters))
        if isinstance(parameters, bytes):
            return cls(identity, kind, _moment(parameters))
        return cls(identity, kind, parameters)


class LastOutcome(Struct, frozen=True):
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


def _moment(octets: bytes) -> CosemDateTime:
    try:
        return CosemDateTime.from_bytes(octets)
    except DecodeError as error:
        raise TypeMismatch(f"expected a COSEM date-time: {error}") from error
