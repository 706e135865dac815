"""How what belongs to the lines lies in flash: each value of ``meter_fw/line_state.py`` as a cell.

The kinds and versions here never change their meaning; a new layout takes a new one.
"""

from collections.abc import Mapping
from typing import Any, Final

from construct import Bytes, Flag, Int8ub, Int16sb, Int16ub, Int32ub, Int64sb, Struct

from meter_fw.line_state import (
    MAX_DESTINATION,
    MAX_KEY,
    MAX_PUSH_WINDOWS,
    MAX_PUSHED,
    MAX_SECRET,
    PART,
    PUSH_WINDOW,
    PUSHED_OBJECT,
    CalendarState,
    CertificatePart,
    Counters,
    Key,
    Policy,
    PortProtection,
    Pushed,
    PushList,
    PushSetup,
    Received,
    Secret,
    TablePart,
)
from meter_fw.nvram import Cell

COUNTERS = Cell(
    8,
    1,
    Counters,
    Struct(
        "reserved" / Int32ub,
        "received" / Int64sb,
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
_TABLE_PART = Struct("number" / Int8ub, "length" / Int8ub, "octets" / Bytes(PART))
SCHEDULE_PART = Cell(37, 1, TablePart, _TABLE_PART)
SPECIAL_DAYS_PART = Cell(38, 1, TablePart, _TABLE_PART)

#: The cells of single values, by the name of the field.
SINGLES: Final[Mapping[str, Cell[Any]]] = {
    "counters": COUNTERS,
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
}
#: The cells of rings, one for each place.
RINGS: Final[Mapping[str, Cell[Any]]] = {
    "certificates": CERTIFICATE_PART,
    "protections": PORT_PROTECTION,
    "schedule": SCHEDULE_PART,
    "special_days": SPECIAL_DAYS_PART,
}
