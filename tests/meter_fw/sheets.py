"""The data sheets of two meters in a known state: every attribute, with its tags."""

from functools import cache

from obis import catalogue
from obis.code import ObisCode
from prepay.keys import LAB_KEYS
from prepay.tokens.vend import vend_lab
from prepay.transactions import Kind
from protocol.axdr import (
    Data,
    Tag,
    array,
    bit_string,
    boolean,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    long_,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
    visible_string,
)
from protocol.cosem import vendor
from tests.meter_fw import calendar_sheet
from tests.meter_fw import money_sheets as money
from tests.meter_fw import supply_sheets as supplied
from tests.meter_fw.rig import NAME, Rig, number

#: class, logical name, attribute
Key = tuple[int, ObisCode, int]
Sheet = dict[Key, Data]

NEVER = octet_string(b"\xff" * 9 + b"\x80\x00\xff")
EUR, ILS = (structure(Data(Tag.UTF8_STRING, c), integer(-2), enum(2)) for c in ("EUR", "ILS"))
NO_TITLE = octet_string(b"")


def moment(text: str) -> Data:
    """Return octets of a date-time: year, month, day, weekday, time, deviation and status."""
    return octet_string(bytes.fromhex(text.replace(" ", "")))


def name(code: ObisCode) -> Data:
    """Return a logical name as a reference carries it."""
    return octet_string(code.to_bytes())


def column(class_id: int, code: ObisCode, data_index: int = 0) -> Data:
    """Return a capture object definition of attribute 2."""
    return structure(long_unsigned(class_id), name(code), integer(2), long_unsigned(data_index))


def attributes(class_id: int, code: ObisCode, *values: Data) -> Sheet:
    """Return the attributes of an object from index 2 on; index 1 is its name."""
    rows = {(class_id, code, index): value for index, value in enumerate(values, 2)}
    return {(class_id, code, 1): name(code), **rows}


def log_entry(stamp: Data, identity: int, kind: Kind, amount: int, balance: int) -> Data:
    """Return a row of the transaction log, of an order that was done."""
    outcome = (enum(kind), enum(0), double_long(amount), double_long(balance))
    return structure(stamp, octet_string(number(identity)), *outcome)


# --- what both profiles have alike -------------------------------------------------------------


def port_setups() -> Sheet:
    """Return how the ports speak; what the board alone knows has no row."""
    local = (enum(0), enum(0), enum(5), enum(1), octet_string(b"00000001"))
    limits = (unsigned(7), unsigned(7), *(long_unsigned(n) for n in (2030, 2030, 500, 120, 1)))
    hdlc, tcp = catalogue.HDLC_SETUP, catalogue.TCP_UDP_SETUP
    return {
        **attributes(19, catalogue.LOCAL_PORT_SETUP, *local),
        (23, hdlc, 1): name(hdlc),
        **{(23, hdlc, index): value for index, value in enumerate(limits, 3)},
        (41, tcp, 1): name(tcp),
        (41, tcp, 6): long_unsigned(120),
    }


def identity(profile: str, mode: int) -> Sheet:
    """Return who the meter is."""
    return {
        **port_setups(),
        **attributes(1, catalogue.LOGICAL_DEVICE_NAME, octet_string(NAME.encode())),
        **attributes(1, catalogue.SERIAL_NUMBER, octet_string(b"00000001")),
        **attributes(1, catalogue.FIRMWARE_VERSION, visible_string("openprepay 0.1")),
        **attributes(1, catalogue.INVOCATION_COUNTER, double_long_unsigned(0)),
        **attributes(
            17,
            catalogue.SAP_ASSIGNMENT,
            array(
                structure(long_unsigned(1), octet_string(NAME.encode())),
                structure(long_unsigned(2), octet_string(b"OPPM000000000001")),
            ),
        ),
        **port_protection(),
        **push_setup(),
        **attributes(1, catalogue.PROFILE_NAME, visible_string(profile)),
        **attributes(1, catalogue.BALANCE_MODE, enum(mode)),
        **attributes(
            64, catalogue.SECURITY_SETUP, enum(3), enum(0), NO_TITLE, octet_string(b"OPP\0\0\0\0\1")
        ),
    }


def port_protection() -> Sheet:
    """Return ports that nobody has guessed at."""
    guarded = {
        catalogue.LOCAL_PORT_PROTECTION: catalogue.HDLC_SETUP,
        catalogue.NETWORK_PORT_PROTECTION: catalogue.TCP_UDP_SETUP,
    }
    sheet: Sheet = {}
    for code, port in guarded.items():
        sheet |= attributes(
            124,
            code,
            enum(1),
            long_unsigned(10),
            double_long_unsigned(30),
            unsigned(2),
            double_long_unsigned(900),
            name(port),
            enum(0),
            double_long_unsigned(0),
            double_long_unsigned(0),
        )
    return sheet


def push_setup() -> Sheet:
    """Return a push setup that nobody has changed, of a meter that was given no destination."""
    pushed = (
        (40, catalogue.PUSH_SETUP, 1),
        (1, catalogue.LOGICAL_DEVICE_NAME, 2),
        (8, catalogue.CLOCK, 2),
        (70, catalogue.DISCONNECT_CONTROL, 3),
        (1, catalogue.RELAY_CAUSES, 2),
        (111, catalogue.ACCOUNT, 2),
        (1, catalogue.LOW_CREDIT, 2),
        (1, catalogue.EVENT, 2),
        (1, catalogue.EVENT_COUNTER, 2),
        (1, catalogue.RELAY_EVENT, 2),
        (1, catalogue.RELAY_EVENT_COUNTER, 2),
    )
    whole = structure(enum(0), null())
    return attributes(
        40,
        catalogue.PUSH_SETUP,
        array(
            *(
                structure(
                    long_unsigned(class_id),
                    name(code),
                    integer(index),
                    long_unsigned(0),
                    whole,
                    array(),
                )
                for class_id, code, index in pushed
            )
        ),
        structure(enum(0), octet_string(b""), enum(0)),
        array(),
        long_unsigned(0),
        unsigned(3),
        structure(long_unsigned(60), long_unsigned(100), long_unsigned(3600)),
        name(catalogue.TCP_UDP_SETUP),
        integer(102),
        array(),
        enum(0),
        structure(NEVER, double_long_unsigned(0)),
        NEVER,
    )


def clock(now: Data, zone: int, begin: str, end: str) -> Sheet:
    """Return the clock: now, minutes from standard time to UTC, and daylight saving."""
    edges = (moment(begin), moment(end))
    return attributes(
        8,
        catalogue.CLOCK,
        now,
        long_(zone),
        unsigned(0),
        *edges,
        integer(60),
        boolean(True),
        enum(1),
    )


def registers(imported: int, *days: Data) -> Sheet:
    """Return energy, power of 1500 W, and the daily profile."""
    sort_by = column(8, catalogue.CLOCK)
    return {
        **attributes(
            3,
            catalogue.ACTIVE_ENERGY_IMPORT,
            double_long_unsigned(imported),
            structure(integer(0), enum(30)),
        ),
        **attributes(
            3,
            catalogue.ACTIVE_POWER_IMPORT,
            double_long_unsigned(1500),
            structure(integer(0), enum(27)),
        ),
        **attributes(
            7,
            catalogue.DAILY_PROFILE,
            array(*days),
            array(sort_by, column(3, catalogue.ACTIVE_ENERGY_IMPORT)),
            double_long_unsigned(86400),
            enum(1),
            sort_by,
            double_long_unsigned(len(days)),
            double_long_unsigned(62),
        ),
    }


def log(last: Data, *entries: Data) -> Sheet:
    """Return the transaction door and its log."""
    sort_by = column(8, catalogue.CLOCK)
    parts = [column(1, catalogue.TRANSACTION, index) for index in (1, 2, 3, 4, 5)]
    return {
        **attributes(1, catalogue.TRANSACTION, last),
        **attributes(
            7,
            catalogue.TRANSACTION_LOG,
            array(*entries),
            array(sort_by, *parts),
            double_long_unsigned(0),
            enum(1),
            sort_by,
            double_long_unsigned(len(entries)),
            double_long_unsigned(64),
        ),
    }


# --- Wallonia: cut at noon, with the head-end's leave ------------------------------------------

WAL_NOON = moment("07EA 0B 18 02 0C000000 FFC4 00")
WAL_ACTIVE = moment("07EA 0B 17 01 0C000000 FFC4 00")
WAL_EXPIRY = moment("07EA 0B 1E 01 06000000 FFC4 00")


@cache
def wallonia() -> Rig:
    """Return a Walloon meter that was cut on a Tuesday noon."""
    rig = Rig("be-wal", "2026-11-23T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 2000))
    rig.until("2026-11-24T12:00", watt_hours=12_345)
    rig.order(2, Kind.SNAPSHOT, rig.snapshot(2, -300, 900))
    rig.order(3, Kind.ARM, vendor.Arm(2, rig.stamp("2026-11-30T06:00")))
    rig.tick(power=1500, pulses=655)
    return rig


WALLONIA: Sheet = {
    **identity("be-wal", 0),
    **clock(
        WAL_NOON,
        -60,
        "07EA 03 1D 07 02000000 8000 FF",  # Sunday 29 March 2026, 02:00
        "07EA 0A 19 07 03000000 8000 FF",  # Sunday 25 October 2026, 03:00
    ),
    **registers(
        13_000,
        structure(moment("07EA 0B 18 02 00000000 FFC4 00"), double_long_unsigned(12_345)),
    ),
    **log(
        structure(octet_string(number(3)), enum(4), enum(0), double_long(0), double_long(-300)),
        log_entry(WAL_ACTIVE, 1, Kind.ACTIVATE, 2000, 2000),
        log_entry(WAL_NOON, 2, Kind.SNAPSHOT, -300, -300),
        log_entry(WAL_NOON, 3, Kind.ARM, 0, -300),
    ),
    **attributes(70, catalogue.DISCONNECT_CONTROL, boolean(False), enum(2), enum(6)),
    **attributes(
        111,
        catalogue.ACCOUNT,
        structure(enum(2), enum(2)),
        unsigned(2),  # as many as there are credits: none is in use
        bit_string("01010010"),  # low; the next one is selectable; out of credit
        double_long(0),
        double_long(300),
        double_long(0),
        double_long(0),
        array(name(catalogue.TOKEN_CREDIT), name(catalogue.EMERGENCY_CREDIT)),
        array(),
        array(),
        array(structure(name(catalogue.TOKEN_CREDIT), unsigned(100))),
        WAL_ACTIVE,
        NEVER,
        EUR,
        double_long(500),
        double_long(0),
        long_unsigned(0),
        double_long(0),
    ),
    **attributes(
        112,
        catalogue.TOKEN_CREDIT,
        double_long(-300),
        enum(0),
        unsigned(1),
        double_long(500),
        double_long(0),
        bit_string("10001"),
        enum(4),
        double_long(2000),
        double_long(0),
        octet_string(b"\xff" * 12),
    ),
    **attributes(
        112,
        catalogue.EMERGENCY_CREDIT,
        double_long(900),  # as the head-end said
        enum(2),
        unsigned(2),
        double_long(0),
        double_long(0),
        bit_string("11100"),
        enum(1),
        double_long(1200),
        double_long(0),
        octet_string(b"\xff" * 12),
    ),
    **attributes(
        115,
        catalogue.TOKEN_GATEWAY,
        octet_string(b""),
        NEVER,
        array(octet_string(b"lab")),
        enum(0),
        structure(enum(0), bit_string("00000000")),
    ),
    **attributes(1, catalogue.DISPLAY_UPDATED.complete(0, 0), WAL_NOON),
    **attributes(
        3,
        catalogue.DISPLAY_BALANCE.complete(0, 0),
        double_long(-300),
        structure(integer(-2), enum(10)),
    ),
    **attributes(
        3,
        catalogue.DISPLAY_EMERGENCY.complete(0, 0),
        double_long(900),
        structure(integer(-2), enum(10)),
    ),
    **attributes(1, catalogue.FRIENDLY_WINDOW, boolean(False)),
    **attributes(1, catalogue.RELAY_CAUSES, bit_string("10000000")),
    **attributes(
        1,
        catalogue.SNAPSHOT,
        structure(double_long_unsigned(2), double_long(-300), double_long(900), WAL_NOON),
    ),
    **attributes(
        1, catalogue.ARMED_CUT, structure(boolean(True), double_long_unsigned(2), WAL_EXPIRY)
    ),
    **attributes(1, catalogue.LOW_CREDIT, boolean(True)),
    **calendar_sheet.objects("be-wal"),
    **money.charge(0, 0, "01", price=money.tariff(-2, 35)),
    **money.charge(1, 1, "01", period=30 * 86400),
    **money.charge(2, 2, "10", proportion=3500),
    **money.charge(3, 2, "10", priority=2, proportion=3500),
    **money.charge(4, 2, "10", priority=3, proportion=3500),
    **money.blank(),
    **supplied.supply(
        (
            (WAL_ACTIVE, 2, 0),
            (WAL_ACTIVE, 212, 2000),
            (WAL_NOON, 200, -300),
            (WAL_NOON, 204, -300),
            (WAL_NOON, 205, -300),
        ),
        ((WAL_NOON, 64, 2, "10000000"),),
    ),
    **money.tokens(),
}

# --- Israel: Friday evening, inside the window -------------------------------------------------

IL_NOW = moment("07EA 0B 1B 05 12000000 FF88 00")
IL_ACTIVE = moment("07EA 0B 1A 04 0C000000 FF88 00")


@cache
def israel() -> Rig:
    """Return an Israeli meter on a Friday evening, one token in."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.enter(rig.token(2, 10_000))
    rig.until("2026-11-27T18:00", watt_hours=12_345)  # 740.7 agorot
    rig.tick(power=1500, pulses=655)  # makes 780 in all
    return rig


TARIFF = money.tariff(-1, 6)

ISRAEL: Sheet = {
    **identity("il", 1),
    **clock(
        IL_NOW,
        -120,
        "07EA 03 1B 05 02000000 8000 FF",  # Friday 27 March 2026, 02:00
        "07EA 0A 19 07 02000000 8000 FF",  # Sunday 25 October 2026, 02:00
    ),
    **registers(
        13_000,
        structure(moment("07EA 0B 1B 05 00000000 FF88 00"), double_long_unsigned(12_345)),
    ),
    **log(
        structure(
            octet_string(number(2)), enum(7), enum(0), double_long(10_000), double_long(10_000)
        ),
        log_entry(IL_ACTIVE, 1, Kind.ACTIVATE, 0, 0),
        log_entry(IL_ACTIVE, 2, Kind.TOKEN, 10_000, 10_000),
    ),
    **attributes(70, catalogue.DISCONNECT_CONTROL, boolean(True), enum(1), enum(6)),
    **attributes(
        111,
        catalogue.ACCOUNT,
        structure(enum(2), enum(2)),
        unsigned(0),
        bit_string("10000000"),
        double_long(9_220),
        double_long(0),
        double_long(0),
        double_long(0),
        array(name(catalogue.TOKEN_CREDIT)),
        array(*(name(code) for code in catalogue.CHARGES[:7])),
        array(
            *(
                structure(name(catalogue.TOKEN_CREDIT), name(code), bit_string("111"))
                for code in catalogue.CHARGES[:7]
            )
        ),
        array(structure(name(catalogue.TOKEN_CREDIT), unsigned(100))),
        IL_ACTIVE,
        NEVER,
        ILS,
        double_long(2000),
        double_long(-(1 << 31)),
        long_unsigned(0),
        double_long(0),
    ),
    **attributes(
        112,
        catalogue.TOKEN_CREDIT,
        double_long(9_220),
        enum(0),
        unsigned(1),
        double_long(2000),
        double_long(-5000),
        bit_string("10001"),
        enum(3),
        double_long(0),
        double_long(0),
        octet_string(b"\xff" * 12),
    ),
    **attributes(
        112,
        catalogue.EMERGENCY_CREDIT,  # there is none: it is in no reference list
        double_long(0),
        enum(2),
        unsigned(2),
        double_long(0),
        double_long(0),
        bit_string("10100"),
        enum(4),
        double_long(0),
        double_long(0),
        octet_string(b"\xff" * 12),
    ),
    **money.charge(0, 0, "01", price=TARIFF, paid=780, last=(IL_NOW, 40)),
    **money.charge(1, 1, "01", period=30 * 86400),
    **money.charge(2, 2, "01"),
    **money.charge(3, 2, "01"),
    **money.charge(4, 2, "10", proportion=5000),
    **money.charge(5, 2, "10", priority=2, proportion=5000),
    **money.charge(6, 2, "10", priority=3, proportion=5000),
    **money.blank(),
    **supplied.supply(
        (
            (IL_ACTIVE, 2, 0),
            (IL_ACTIVE, 212, 0),
            (IL_ACTIVE, 200, 0),
            (IL_ACTIVE, 210, 10_000),
        )
    ),
    **money.tokens(
        (
            IL_ACTIVE,
            structure(
                octet_string(number(2)),
                enum(0),
                enum(3),
                enum(0),
                double_long(10_000),
                double_long(10_000),
            ),
        )
    ),
    **attributes(
        115,
        catalogue.TOKEN_GATEWAY,
        octet_string(vend_lab(LAB_KEYS.token_key, NAME.encode(), number(2), 10_000)),
        IL_ACTIVE,
        array(octet_string(b"lab")),
        enum(0),
        structure(enum(3), bit_string("00000000")),
    ),
    **attributes(1, catalogue.FRIENDLY_WINDOW, boolean(True)),
    **attributes(1, catalogue.RELAY_CAUSES, bit_string("00000000")),
    **attributes(
        1,
        catalogue.SNAPSHOT,
        structure(
            double_long_unsigned(0), double_long(0), double_long(0), octet_string(b"\xff" * 12)
        ),
    ),
    **attributes(
        1,
        catalogue.ARMED_CUT,
        structure(boolean(False), double_long_unsigned(0), octet_string(b"\xff" * 12)),
    ),
    **attributes(1, catalogue.LOW_CREDIT, boolean(False)),
    **calendar_sheet.objects("il"),
}
