"""The registers that the meter carries: one row each, and a constant to name it by.

``scaler`` and ``unit`` are those of a register that always has the same; where the currency or the
commodity decides, they are None and the profile says. Codes of group C 128..199 are manufacturer
specific: ours.
"""

from typing import Final, NamedTuple

from obis.code import ObisCode, ReducedCode, parse
from obis.units import Unit


class Entry(NamedTuple):
    """A register of the catalogue.

    Args:
        code: its logical name; of the customer display the default, A and B are the profile's.
        name: what it is, for people; unique.
        class_id: its interface class.
        unit: of its value, where that is fixed.
        scaler: of its value, where that is fixed.
    """

    code: ObisCode
    name: str
    class_id: int
    unit: Unit | None = None
    scaler: int | None = None


CLOCK: Final = ObisCode.parse("0-0:1.0.0*255")
LOGICAL_DEVICE_NAME: Final = ObisCode.parse("0-0:42.0.0*255")
SERIAL_NUMBER: Final = ObisCode.parse("0-0:96.1.0*255")
FIRMWARE_VERSION: Final = ObisCode.parse("1-0:0.2.0*255")
INVOCATION_COUNTER: Final = ObisCode.parse("0-0:43.1.0*255")
SECURITY_SETUP: Final = ObisCode.parse("0-0:43.0.0*255")
CURRENT_ASSOCIATION: Final = ObisCode.parse("0-0:40.0.0*255")
ACTIVE_ENERGY_IMPORT: Final = ObisCode.parse("1-0:1.8.0*255")
ACTIVE_ENERGY_EXPORT: Final = ObisCode.parse("1-0:2.8.0*255")
ACTIVE_POWER_EXPORT: Final = ObisCode.parse("1-0:2.7.0*255")
#: The energy registers of the rates, from the first.
IMPORT_RATES: Final = tuple(ObisCode(1, 0, 1, 8, rate, 255) for rate in (1, 2, 3, 4))
EXPORT_RATES: Final = tuple(ObisCode(1, 0, 2, 8, rate, 255) for rate in (1, 2, 3, 4))
ACTIVE_RATE: Final = ObisCode.parse("0-0:96.14.0*255")
#: Voltage, current and power by phase, from L1.
PHASE_VOLTAGE: Final = tuple(ObisCode(1, 0, c, 7, 0, 255) for c in (32, 52, 72))
PHASE_CURRENT: Final = tuple(ObisCode(1, 0, c, 7, 0, 255) for c in (31, 51, 71))
PHASE_POWER: Final = tuple(ObisCode(1, 0, c, 7, 0, 255) for c in (21, 41, 61))
ACTIVE_POWER_IMPORT: Final = ObisCode.parse("1-0:1.7.0*255")
DAILY_PROFILE: Final = ObisCode.parse("1-0:99.2.0*255")
DISCONNECT_CONTROL: Final = ObisCode.parse("0-0:96.3.10*255")
ACCOUNT: Final = ObisCode.parse("0-0:19.0.0*255")
TOKEN_CREDIT: Final = ObisCode.parse("0-0:19.10.0*255")
EMERGENCY_CREDIT: Final = ObisCode.parse("0-0:19.10.1*255")
#: A charge for each slot of an account; the first is for the imported energy.
CHARGES: Final = tuple(ObisCode(0, 0, 19, 20, slot, 255) for slot in range(16))
CONSUMPTION_CHARGE: Final = CHARGES[0]
TOKEN_GATEWAY: Final = ObisCode.parse("0-0:19.40.0*255")
SAP_ASSIGNMENT: Final = ObisCode.parse("0-0:41.0.0*255")
PUSH_SETUP: Final = ObisCode.parse("0-0:25.9.0*255")
TCP_UDP_SETUP: Final = ObisCode.parse("0-0:25.0.0*255")
LOCAL_PORT_SETUP: Final = ObisCode.parse("0-0:20.0.0*255")
HDLC_SETUP: Final = ObisCode.parse("0-0:22.0.0*255")
LOCAL_PORT_PROTECTION: Final = ObisCode.parse("0-0:44.2.0*255")
NETWORK_PORT_PROTECTION: Final = ObisCode.parse("0-0:44.2.1*255")
CALENDAR_SCHEDULE: Final = ObisCode.parse("0-1:12.0.1*255")
CALENDAR_SPECIAL_DAYS: Final = ObisCode.parse("0-1:11.0.2*255")
CALENDAR_SCRIPTS: Final = ObisCode.parse("0-1:10.0.106*255")
LIMITER: Final = ObisCode.parse("0-0:17.0.0*255")
#: The message to the customer via the meter display.
MESSAGE: Final = ObisCode.parse("0-0:96.13.1*255")
#: The code of the last event, how many there were, and the log of them; the same of the
#: disconnect control.
EVENT: Final = ObisCode.parse("0-0:96.11.0*255")
RELAY_EVENT: Final = ObisCode.parse("0-0:96.11.2*255")
EVENT_COUNTER: Final = ObisCode.parse("0-0:96.15.0*255")
RELAY_EVENT_COUNTER: Final = ObisCode.parse("0-0:96.15.2*255")
EVENT_LOG: Final = ObisCode.parse("0-0:99.98.0*255")
RELAY_EVENT_LOG: Final = ObisCode.parse("0-0:99.98.2*255")

#: The customer display of the Belgian prepaid meter: C = 94 is country specific, D = 32 Belgium.
DISPLAY_UPDATED: Final = ReducedCode.parse("94.32.2*1")
DISPLAY_BALANCE: Final = ReducedCode.parse("94.32.2*2")
DISPLAY_EMERGENCY: Final = ReducedCode.parse("94.32.2*3")

TRANSACTION: Final = ObisCode.parse("0-0:128.0.0*255")
TRANSACTION_LOG: Final = ObisCode.parse("0-0:128.0.1*255")
PROFILE_NAME: Final = ObisCode.parse("0-0:128.1.0*255")
BALANCE_MODE: Final = ObisCode.parse("0-0:128.1.1*255")
FRIENDLY_WINDOW: Final = ObisCode.parse("0-0:128.1.2*255")
RELAY_CAUSES: Final = ObisCode.parse("0-0:128.1.3*255")
SNAPSHOT: Final = ObisCode.parse("0-0:128.1.4*255")
ARMED_CUT: Final = ObisCode.parse("0-0:128.1.5*255")
LOW_CREDIT: Final = ObisCode.parse("0-0:128.1.6*255")
CALENDAR_FROM: Final = ObisCode.parse("0-0:128.4.0*255")
CALENDAR_UNTIL: Final = ObisCode.parse("0-0:128.4.1*255")
CALENDAR_RUNS_OUT: Final = ObisCode.parse("0-0:128.4.2*255")
SETTLEMENT: Final = ObisCode.parse("0-0:128.2.0*255")
PLAN: Final = ObisCode.parse("0-0:128.2.1*255")
TOKEN_LOG: Final = ObisCode.parse("0-0:128.2.2*255")
LAST_TOKEN: Final = ObisCode.parse("0-0:128.2.3*255")
CARRIED_OUT: Final = ObisCode.parse("0-0:128.2.4*255")
CUSTOMER: Final = ObisCode.parse("0-0:128.3.0*255")
EVENT_VALUE: Final = ObisCode.parse("0-0:128.3.1*255")

CATALOGUE: Final[tuple[Entry, ...]] = (
    Entry(CLOCK, "clock", 8),
    Entry(LOGICAL_DEVICE_NAME, "logical device name", 1),
    Entry(SERIAL_NUMBER, "serial number", 1),
    Entry(FIRMWARE_VERSION, "firmware version", 1),
    Entry(INVOCATION_COUNTER, "invocation counter", 1),
    Entry(SECURITY_SETUP, "security setup", 64),
    Entry(CURRENT_ASSOCIATION, "current association", 15),
    Entry(ACTIVE_ENERGY_IMPORT, "active energy import", 3, Unit.WATT_HOUR, 0),
    Entry(ACTIVE_POWER_IMPORT, "active power import", 3, Unit.WATT, 0),
    Entry(DAILY_PROFILE, "daily profile", 7),
    Entry(DISCONNECT_CONTROL, "disconnect control", 70),
    Entry(ACCOUNT, "account", 111),
    Entry(TOKEN_CREDIT, "token credit", 112),
    Entry(EMERGENCY_CREDIT, "emergency credit", 112),
    Entry(CONSUMPTION_CHARGE, "consumption charge", 113),
    Entry(TOKEN_GATEWAY, "token gateway", 115),
    Entry(SAP_ASSIGNMENT, "logical devices", 17),
    Entry(PUSH_SETUP, "push setup", 40),
    Entry(LOCAL_PORT_SETUP, "local port", 19),
    Entry(HDLC_SETUP, "hdlc port", 23),
    Entry(TCP_UDP_SETUP, "tcp port", 41),
    Entry(LOCAL_PORT_PROTECTION, "local port protection", 124),
    Entry(NETWORK_PORT_PROTECTION, "network port protection", 124),
    Entry(DISPLAY_UPDATED.complete(0, 0), "time of last update", 1),
    Entry(DISPLAY_BALANCE.complete(0, 0), "available balance", 3, Unit.CURRENCY),
    Entry(DISPLAY_EMERGENCY.complete(0, 0), "available emergency credit", 3, Unit.CURRENCY),
    Entry(TRANSACTION, "transaction", 1),
    Entry(TRANSACTION_LOG, "transaction log", 7),
    Entry(PROFILE_NAME, "profile name", 1),
    Entry(BALANCE_MODE, "balance mode", 1),
    Entry(FRIENDLY_WINDOW, "friendly window in force", 1),
    Entry(RELAY_CAUSES, "relay causes", 1),
    Entry(SNAPSHOT, "balance snapshot", 1),
    Entry(ARMED_CUT, "armed cut", 1),
    Entry(LOW_CREDIT, "low credit announced", 1),
    Entry(CALENDAR_SCHEDULE, "friendly schedule", 10),
    Entry(CALENDAR_SPECIAL_DAYS, "friendly special days", 11),
    Entry(CALENDAR_SCRIPTS, "friendly scripts", 9),
    Entry(CALENDAR_FROM, "calendar complete from", 1),
    Entry(CALENDAR_UNTIL, "calendar complete until", 1),
    Entry(CALENDAR_RUNS_OUT, "calendar about to end", 1),
    Entry(LIMITER, "limiter", 71),
    Entry(EVENT, "event", 1),
    Entry(EVENT_COUNTER, "event counter", 1),
    Entry(EVENT_LOG, "event log", 7),
    Entry(RELAY_EVENT, "disconnect control event", 1),
    Entry(RELAY_EVENT_COUNTER, "disconnect control event counter", 1),
    Entry(RELAY_EVENT_LOG, "disconnect control log", 7),
    Entry(CUSTOMER, "customer", 1),
    Entry(EVENT_VALUE, "event value", 1),
    Entry(SETTLEMENT, "settlement", 1),
    Entry(PLAN, "plan", 1),
    Entry(TOKEN_LOG, "token log", 7),
    Entry(LAST_TOKEN, "last token", 1),
    Entry(CARRIED_OUT, "plans carried out", 1),
    Entry(MESSAGE, "message", 1),
    Entry(ACTIVE_ENERGY_EXPORT, "active energy export", 3, Unit.WATT_HOUR, 0),
    Entry(ACTIVE_POWER_EXPORT, "active power export", 3, Unit.WATT, 0),
    Entry(ACTIVE_RATE, "active rate", 1),
    *(
        Entry(code, f"active energy import rate {rate}", 3, Unit.WATT_HOUR, 0)
        for rate, code in enumerate(IMPORT_RATES, start=1)
    ),
    *(
        Entry(code, f"active energy export rate {rate}", 3, Unit.WATT_HOUR, 0)
        for rate, code in enumerate(EXPORT_RATES, start=1)
    ),
    *(
        Entry(code, f"voltage phase {phase}", 3, Unit.VOLT, -1)
        for phase, code in enumerate(PHASE_VOLTAGE, start=1)
    ),
    *(
        Entry(code, f"current phase {phase}", 3, Unit.AMPERE, -2)
        for phase, code in enumerate(PHASE_CURRENT, start=1)
    ),
    *(
        Entry(code, f"active power import phase {phase}", 3, Unit.WATT, 0)
        for phase, code in enumerate(PHASE_POWER, start=1)
    ),
    *(Entry(code, f"charge {slot}", 113) for slot, code in enumerate(CHARGES) if slot),
)

_BY_CODE: Final = {entry.code: entry for entry in CATALOGUE}
_BY_NAME: Final = {entry.name: entry for entry in CATALOGUE}


class CatalogueError(LookupError):
    """A code or name that the catalogue has not, or that stands for more than one register."""


def find(text: str) -> Entry:
    """Return the register of a code in any form, or of a name, e.g. "1.8.0", "clock".

    Raises:
        CatalogueError: none is, or a reduced code fits more than one.
        ObisError: it is neither a name of the catalogue nor a code.
    """
    by_name = _BY_NAME.get(text.strip().lower())
    if by_name is not None:
        return by_name
    code = parse(text)
    if isinstance(code, ObisCode):
        if code not in _BY_CODE:
            raise CatalogueError(f"the catalogue has no register {code}")
        return _BY_CODE[code]
    found = [entry for entry in CATALOGUE if code.matches(entry.code)]
    if len(found) != 1:
        names = ", ".join(str(entry.code) for entry in found) or "none"
        raise CatalogueError(f"{code} has to stand for one register, but fits {names}")
    return found[0]
