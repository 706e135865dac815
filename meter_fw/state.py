"""The meter's state: frozen dataclasses, each a cell (or a ring of cells) in flash.

The kernel keeps one ``MeterState``; rules return a new one; what differs is committed. Moments are
milliseconds since 1970 by the meter's own clock, so that a corrected clock does not rewrite
history. How each cell lies in flash stands below the dataclasses; the kinds and versions there
never change their meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from construct import Bytes, Flag, Int8ub, Int32sb, Int32ub, Int64sb, Int64ub, Struct

from meter_fw.nvram import Cell, CellKey
from meter_fw.relay import Cause
from prepay.transactions import ID_LENGTH, Kind, Outcome
from protocol.cosem.disconnect_control import ControlState

#: Daily readings that are kept: two months, so that a head-end may come late.
DAYS_KEPT: Final = 62
#: The longest token that is kept for reading back.
MAX_TOKEN: Final = 64


@dataclass(frozen=True, slots=True)
class Relay:
    """Disconnect control: where it stands and why."""

    control: ControlState = ControlState.CONNECTED
    causes: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class Clock:
    """The meter's clock, as an offset on the board's time."""

    offset: int = 0  # ms
    known: bool = True


@dataclass(frozen=True, slots=True)
class Energy:
    """The import register, and how much of it the tariff has been applied to."""

    imported: int = 0  # Wh
    remainder: int = 0  # of the tariff, below one minor unit
    last_day: int = -1  # ordinal of the local day whose start was last captured


@dataclass(frozen=True, slots=True)
class Account:
    """Prepayment itself."""

    active: bool = False
    closed: bool = False
    emergency_selected: bool = False
    low_announced: bool = False
    activated_at: int = -1
    closed_at: int = -1


@dataclass(frozen=True, slots=True)
class Totals:
    """Local mode: the ledger's totals in minor units; the balance is their sum."""

    started: int = 0  # start credit
    paid: int = 0  # tokens
    adjusted: int = 0  # signed
    charged: int = 0  # consumption
    settled: int = 0  # paid out at deactivation

    @property
    def balance(self) -> int:
        """What the customer has, in minor units."""
        return self.started + self.paid + self.adjusted - self.charged - self.settled


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Central mode: what the head-end last said of the balance."""

    sequence: int = 0  # 0: never
    balance: int = 0  # minor units
    emergency: int = 0  # minor units
    as_of: bytes = b"\xff" * 12  # COSEM date-time


@dataclass(frozen=True, slots=True)
class Armed:
    """Central mode: the head-end's leave to cut once the balance of one snapshot is used up."""

    armed: bool = False
    sequence: int = 0
    expiry: int = -1
    expiry_stamp: bytes = b"\xff" * 12  # as it was given


@dataclass(frozen=True, slots=True)
class Counters:
    """Invocation counters of the global unicast key."""

    reserved: int = 1  # ours below this one may have been used; some clients do not take 0
    received: int = -1  # the last accepted from the management client


@dataclass(frozen=True, slots=True)
class Gateway:
    """Token gateway: the last token and what became of it."""

    token: bytes = bytes(MAX_TOKEN)
    length: int = 0  # octets of it that count
    time: int = -1
    status: int = 0
    outcome: Outcome = Outcome.DONE


@dataclass(frozen=True, slots=True)
class History:
    """Where the rings stand."""

    ordered: int = 0  # transactions since manufacture
    captured: int = 0  # days since manufacture
    forgotten: bytes = bytes(ID_LENGTH)  # the greatest id forgotten


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered transaction."""

    number: int = 0  # its place in the order of arrival
    slot: int = 0  # its place in the ring: that of the one it drove out
    id: bytes = bytes(ID_LENGTH)
    kind: Kind = Kind.ACTIVATE
    outcome: Outcome = Outcome.DONE
    amount: int = 0
    balance: int = 0  # after it
    time: int = -1
    content: int = 0  # CRC-32 of the order, to tell a repetition from a reuse


@dataclass(frozen=True, slots=True)
class Day:
    """The register at the start of a local day."""

    number: int = 0
    time: int = -1
    imported: int = 0  # Wh

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % DAYS_KEPT


@dataclass(frozen=True, slots=True)
class MeterState:
    """All that survives a power cut."""

    relay: Relay = field(default_factory=Relay)
    clock: Clock = field(default_factory=Clock)
    energy: Energy = field(default_factory=Energy)
    account: Account = field(default_factory=Account)
    totals: Totals = field(default_factory=Totals)
    snapshot: Snapshot = field(default_factory=Snapshot)
    armed: Armed = field(default_factory=Armed)
    counters: Counters = field(default_factory=Counters)
    gateway: Gateway = field(default_factory=Gateway)
    history: History = field(default_factory=History)
    transactions: tuple[Entry, ...] = ()
    days: tuple[Day, ...] = ()


RELAY = Cell(
    1,
    1,
    Relay,
    Struct(
        "control" / Int8ub,
        "causes" / Int8ub,
    ),
)
CLOCK = Cell(
    2,
    1,
    Clock,
    Struct(
        "offset" / Int64sb,
        "known" / Flag,
    ),
)
ENERGY = Cell(
    3,
    1,
    Energy,
    Struct(
        "imported" / Int64ub,
        "remainder" / Int32ub,
        "last_day" / Int64sb,
    ),
)
ACCOUNT = Cell(
    4,
    1,
    Account,
    Struct(
        "active" / Flag,
        "closed" / Flag,
        "emergency_selected" / Flag,
        "low_announced" / Flag,
        "activated_at" / Int64sb,
        "closed_at" / Int64sb,
    ),
)
TOTALS = Cell(
    5,
    1,
    Totals,
    Struct(
        "started" / Int64sb,
        "paid" / Int64sb,
        "adjusted" / Int64sb,
        "charged" / Int64sb,
        "settled" / Int64sb,
    ),
)
SNAPSHOT = Cell(
    6,
    1,
    Snapshot,
    Struct(
        "sequence" / Int32ub,
        "balance" / Int32sb,
        "emergency" / Int32sb,
        "as_of" / Bytes(12),
    ),
)
ARMED = Cell(
    7,
    1,
    Armed,
    Struct(
        "armed" / Flag,
        "sequence" / Int32ub,
        "expiry" / Int64sb,
        "expiry_stamp" / Bytes(12),
    ),
)
COUNTERS = Cell(
    8,
    1,
    Counters,
    Struct(
        "reserved" / Int32ub,
        "received" / Int64sb,
    ),
)
GATEWAY = Cell(
    9,
    1,
    Gateway,
    Struct(
        "token" / Bytes(MAX_TOKEN),
        "length" / Int8ub,
        "time" / Int64sb,
        "status" / Int8ub,
        "outcome" / Int8ub,
    ),
)
HISTORY = Cell(
    10,
    1,
    History,
    Struct(
        "ordered" / Int32ub,
        "captured" / Int32ub,
        "forgotten" / Bytes(ID_LENGTH),
    ),
)
ENTRY = Cell(
    32,
    1,
    Entry,
    Struct(
        "number" / Int32ub,
        "slot" / Int8ub,
        "id" / Bytes(ID_LENGTH),
        "kind" / Int8ub,
        "outcome" / Int8ub,
        "amount" / Int32sb,
        "balance" / Int32sb,
        "time" / Int64sb,
        "content" / Int32ub,
    ),
)
DAY = Cell(
    33,
    1,
    Day,
    Struct(
        "number" / Int32ub,
        "time" / Int64sb,
        "imported" / Int64ub,
    ),
)

#: The cells of single values, by the name of the field.
SINGLES: Final[Mapping[str, Cell[Any]]] = {
    "relay": RELAY,
    "clock": CLOCK,
    "energy": ENERGY,
    "account": ACCOUNT,
    "totals": TOTALS,
    "snapshot": SNAPSHOT,
    "armed": ARMED,
    "counters": COUNTERS,
    "gateway": GATEWAY,
    "history": HISTORY,
}
#: The cells of rings, one for each place.
RINGS: Final[Mapping[str, Cell[Any]]] = {"transactions": ENTRY, "days": DAY}


def changes(old: MeterState, new: MeterState) -> dict[CellKey, bytes | None]:
    """Return the cells that have to be written, None for those to delete."""
    changed: dict[CellKey, bytes | None] = {}
    for name, cell in SINGLES.items():
        after = getattr(new, name)
        if getattr(old, name) != after:
            changed[cell.key()] = cell.encode(after)
    for name, cell in RINGS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before is after:
            continue
        stood = {item.slot: item for item in before}
        stands = {item.slot: item for item in after}
        changed.update({cell.key(slot): None for slot in stood.keys() - stands.keys()})
        changed.update(
            {
                cell.key(slot): cell.encode(item)
                for slot, item in stands.items()
                if stood.get(slot) != item
            }
        )
    return changed


def restore(cells: Mapping[CellKey, bytes]) -> MeterState:
    """Return the state that the cells hold; a missing cell is as new.

    Raises:
        CellError: a cell of another layout: another firmware's.
    """
    values: dict[str, Any] = {}
    for name, cell in SINGLES.items():
        octets = cells.get(cell.key())
        if octets is not None:
            values[name] = cell.decode(octets)
    for name, cell in RINGS.items():
        found = [cell.decode(octets) for key, octets in cells.items() if key.kind == cell.kind]
        values[name] = tuple(sorted(found, key=lambda item: item.number))
    return MeterState(**values)
