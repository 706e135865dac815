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
    Int16sb,
    Int16ub,
    Int32sb,
    Int32ub,
    Int64sb,
    Int64ub,
    Struct,
)

from meter_fw import money_cells
from meter_fw.nvram import Cell, CellKey
from meter_fw.state import (
    MAX_DESTINATION,
    MAX_GROUPS,
    MAX_KEY,
    MAX_MESSAGE,
    MAX_PUSH_WINDOWS,
    MAX_PUSHED,
    MAX_SECRET,
    MAX_TOKEN,
    PART,
    PUSH_WINDOW,
    PUSHED_OBJECT,
    Account,
    Armed,
    CalendarState,
    CertificatePart,
    Clock,
    Condition,
    Counters,
    Customer,
    Day,
    Energy,
    Entry,
    Gateway,
    History,
    Key,
    Limits,
    LoggedEvent,
    Message,
    MeterState,
    Policy,
    PortProtection,
    Pushed,
    PushList,
    PushSetup,
    Received,
    Relay,
    RelayEvent,
    SchedulePart,
    Secret,
    Snapshot,
    SpecialDaysPart,
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
RECEIVED = Cell(
    11,
    1,
    Received,
    Struct(
        "broadcast" / Int64sb,
    ),
)
_KEY = Struct("octets" / Bytes(MAX_KEY), "length" / Int8ub)
UNICAST_KEY = Cell(12, 1, Key, _KEY)
BROADCAST_KEY = Cell(13, 1, Key, _KEY)
AUTHENTICATION_KEY = Cell(14, 1, Key, _KEY)
MASTER_KEY = Cell(15, 1, Key, _KEY)
SIGNING_KEY = Cell(16, 1, Key, _KEY)
AGREEMENT_KEY = Cell(17, 1, Key, _KEY)
POLICY = Cell(
    18,
    1,
    Policy,
    Struct(
        "value" / Int16sb,
    ),
)
_SECRET = Struct("octets" / Bytes(MAX_SECRET), "length" / Int8ub)
PASSWORD = Cell(19, 1, Secret, _SECRET)
HLS_SECRET = Cell(20, 1, Secret, _SECRET)
PUSH_SETUP = Cell(
    28,
    1,
    PushSetup,
    Struct(
        "service" / Int8ub,
        "length" / Int8ub,
        "destination" / Bytes(MAX_DESTINATION),
        "randomisation" / Int16ub,
        "retries" / Int8ub,
        "delay" / Int16ub,
        "exponent" / Int16ub,
        "longest" / Int16ub,
        "client" / Int8ub,
        "method" / Int8ub,
    ),
)
PUSH_LIST = Cell(
    29,
    1,
    PushList,
    Struct(
        "listed" / Int16sb,
        "objects" / Bytes(PUSHED_OBJECT * MAX_PUSHED),
        "windows" / Int8ub,
        "spans" / Bytes(PUSH_WINDOW * MAX_PUSH_WINDOWS),
    ),
)
PUSHED = Cell(
    30,
    1,
    Pushed,
    Struct(
        "outcome" / Int8ub,
        "cause" / Int8ub,
        "tries" / Int8ub,
        "time" / Int64sb,
        "confirmed" / Int64sb,
        "number" / Int32ub,
        "dropped" / Int32ub,
    ),
)
CERTIFICATE_PART = Cell(
    34,
    1,
    CertificatePart,
    Struct(
        "certificate" / Int8ub,
        "part" / Int8ub,
        "length" / Int8ub,
        "octets" / Bytes(PART),
    ),
)
PORT_PROTECTION = Cell(
    35,
    1,
    PortProtection,
    Struct(
        "port" / Int8ub,
        "mode" / Int8ub,
        "allowed" / Int16ub,
        "initial" / Int32ub,
        "steepness" / Int8ub,
        "longest" / Int32ub,
        "failed" / Int32ub,
        "cumulative" / Int32ub,
        "until" / Int64sb,
    ),
)
CALENDAR = Cell(
    36,
    1,
    CalendarState,
    Struct(
        "entries" / Int16sb,
        "special_days" / Int16sb,
        "bounded" / Flag,
        "since" / Int64sb,
        "until" / Int64sb,
    ),
)
SCHEDULE_PART = Cell(
    37,
    1,
    SchedulePart,
    Struct(
        "number" / Int8ub,
        "length" / Int8ub,
        "octets" / Bytes(PART),
    ),
)
SPECIAL_DAYS_PART = Cell(
    38,
    1,
    SpecialDaysPart,
    Struct(
        "number" / Int8ub,
        "length" / Int8ub,
        "octets" / Bytes(PART),
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
    "counters": COUNTERS,
    "gateway": GATEWAY,
    "history": HISTORY,
    "received": RECEIVED,
    "unicast_key": UNICAST_KEY,
    "broadcast_key": BROADCAST_KEY,
    "authentication_key": AUTHENTICATION_KEY,
    "master_key": MASTER_KEY,
    "signing_key": SIGNING_KEY,
    "agreement_key": AGREEMENT_KEY,
    "policy": POLICY,
    "password": PASSWORD,
    "hls_secret": HLS_SECRET,
    "push_setup": PUSH_SETUP,
    "push_list": PUSH_LIST,
    "pushed": PUSHED,
    "calendar": CALENDAR,
    "customer": CUSTOMER,
    "limits": LIMITS,
    "condition": CONDITION,
    "message": MESSAGE,
    **money_cells.SINGLES,
}
#: The cells of rings, one for each place.
RINGS: Final[Mapping[str, Cell[Any]]] = {
    "transactions": ENTRY,
    "days": DAY,
    "certificates": CERTIFICATE_PART,
    "protections": PORT_PROTECTION,
    "schedule": SCHEDULE_PART,
    "special_days": SPECIAL_DAYS_PART,
    "events": LOGGED_EVENT,
    "relay_events": RELAY_EVENT,
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
