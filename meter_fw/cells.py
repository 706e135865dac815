"""How the meter's state lies in flash: each value of ``meter_fw/state.py`` as a cell.

The kinds and versions here never change their meaning; a new layout takes a new one.
"""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any, Final

from construct import (
    Bytes,
    Flag,
    Int8ub,
    Int16ub,
    Int32sb,
    Int32ub,
    Int64sb,
    Int64ub,
    Struct,
)

from meter_fw import line_cells, money_cells
from meter_fw.nvram import Cell, CellKey
from meter_fw.state import (
    MAX_GROUPS,
    MAX_MESSAGE,
    MAX_TOKEN,
    Account,
    Armed,
    Clock,
    Condition,
    Customer,
    Day,
    Energy,
    Entry,
    Gateway,
    History,
    Limits,
    LoggedEvent,
    Message,
    MeterState,
    Relay,
    RelayEvent,
    Snapshot,
    Totals,
)
from prepay.transactions import ID_LENGTH

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
CUSTOMER = Cell(
    40,
    1,
    Customer,
    Struct(
        "protected" / Flag,
        "never_cut" / Flag,
        "since" / Int64sb,
    ),
)
LIMITS = Cell(
    41,
    1,
    Limits,
    Struct(
        "normal" / Int32ub,
        "emergency" / Int32ub,
        "over" / Int64sb,
        "under" / Int64sb,
        "profile" / Int16ub,
        "activation" / Bytes(12),
        "duration" / Int32ub,
        "groups" / Bytes(2 * MAX_GROUPS),
        "grouped" / Int8ub,
    ),
)
MESSAGE = Cell(
    57,
    1,
    Message,
    Struct(
        "octets" / Bytes(MAX_MESSAGE),
        "length" / Int8ub,
        "since" / Int64sb,
    ),
)
CONDITION = Cell(
    42,
    1,
    Condition,
    Struct(
        "limited" / Flag,
        "tripped" / Int64sb,
        "used_up" / Flag,
        "emergency" / Int8ub,
        "recurrent" / Flag,
        "ending" / Flag,
        "mismatch" / Flag,
        "opened" / Flag,
    ),
)
LOGGED_EVENT = Cell(
    43,
    1,
    LoggedEvent,
    Struct(
        "number" / Int32ub,
        "time" / Int64sb,
        "known" / Flag,
        "code" / Int8ub,
        "value" / Int32sb,
    ),
)
RELAY_EVENT = Cell(
    44,
    1,
    RelayEvent,
    Struct(
        "number" / Int32ub,
        "time" / Int64sb,
        "known" / Flag,
        "code" / Int8ub,
        "control" / Int8ub,
        "causes" / Int8ub,
    ),
)

#: The items of a ring; each knows its ``slot``.
Ring = tuple[Any, ...]

#: The cells of single values, by the name of the field.
SINGLES: Final[Mapping[str, Cell[Any]]] = {
    "relay": RELAY,
    "clock": CLOCK,
    "energy": ENERGY,
    "account": ACCOUNT,
    "totals": TOTALS,
    "snapshot": SNAPSHOT,
    "armed": ARMED,
    "gateway": GATEWAY,
    "history": HISTORY,
    "customer": CUSTOMER,
    "limits": LIMITS,
    "condition": CONDITION,
    "message": MESSAGE,
    **line_cells.SINGLES,
    **money_cells.SINGLES,
}
#: The cells of rings, one for each place.
RINGS: Final[Mapping[str, Cell[Any]]] = {
    "transactions": ENTRY,
    "days": DAY,
    "events": LOGGED_EVENT,
    "relay_events": RELAY_EVENT,
    **line_cells.RINGS,
    **money_cells.RINGS,
}


def changes(
    old: MeterState, new: MeterState, touched: Iterable[str] | None = None
) -> dict[CellKey, bytes | None]:
    """Return the cells that have to be written, None for those to delete.

    Args:
        old: the state that is on flash.
        new: the one to be written.
        touched: ``new.touched(old)``, where somebody has asked for that already.
    """
    changed: dict[CellKey, bytes | None] = {}
    for name in new.touched(old) if touched is None else touched:
        before, after = getattr(old, name), getattr(new, name)
        cell = SINGLES.get(name)
        if cell is None:
            _ring_changes(RINGS[name], before, after, changed)
            continue
        values = cell.values(after)
        if values != cell.values(before):
            changed[cell.key()] = cell.pack(values)
    return changed


def _ring_changes(
    cell: Cell[Any], before: Ring, after: Ring, changed: dict[CellKey, bytes | None]
) -> None:
    """Add what has to be written of a ring, of which mostly one place has changed, or none."""
    # An item that stands where it stood has its place; only the others can have changed it.
    stood: dict[int, Any] = {}
    others: list[Any] = []
    for held, item in zip_longest(before, after):
        if held is not item:
            if held is not None:
                stood[held.slot] = held
            if item is not None:
                others.append(item)
    for item in others:
        held = stood.pop(item.slot, None)
        if held is item:  # the ring has moved on by one
            continue
        values = cell.values(item)
        if held is None or cell.values(held) != values:
            changed[cell.key(item.slot)] = cell.pack(values)
    for slot in stood:
        changed[cell.key(slot)] = None


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
    of_kind: dict[int, list[bytes]] = {}
    for key, octets in cells.items():
        of_kind.setdefault(key.kind, []).append(octets)
    for name, cell in RINGS.items():
        found = [cell.decode(octets) for octets in of_kind.get(cell.kind, ())]
        values[name] = tuple(sorted(found, key=lambda item: item.number))
    return MeterState(**values)
