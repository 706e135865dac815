"""The data sheet: every attribute of every object of both profiles, in a known state."""

from functools import cache

import pytest

from meter_fw.view import Caller
from obis import catalogue
from obis.code import ObisCode
from prepay.keys import LAB_KEYS
from prepay.tokens.vend import vend_lab
from prepay.transactions import Kind
from protocol import axdr
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
    octet_string,
    structure,
    unsigned,
    visible_string,
)
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from tests.meter_fw.rig import MANAGER, NAME, PUBLIC, READER, Rig, number

DENIED = DataAccessResult.READ_WRITE_DENIED
UNDEFINED = DataAccessResult.OBJECT_UNDEFINED

#: class, logical name, attribute
Key = tuple[int, ObisCode, int]
Sheet = dict[Key, Data]

NEVER = octet_string(b"\xff" * 9 + b"\x80\x00\xff")
EUR, ILS = (structure(Data(Tag.UTF8_STRING, c), integer(-2), enum(2)) for c in ("EUR", "ILS"))
NO_TITLE = octet_string(b"")

#: What the public client may see: who the meter is, the counter to begin with, the time.
FOR_EVERYBODY = {
    (1, catalogue.LOGICAL_DEVICE_NAME, 2),
    (1, catalogue.INVOCATION_COUNTER, 2),
    (8, catalogue.CLOCK, 2),
    (8, catalogue.CLOCK, 4),
    *((15, catalogue.CURRENT_ASSOCIATION, index) for index in (2, 3, 4, 5, 6, 8, 9)),
}
#: The objects of these.
SEEN_BY_EVERYBODY = {name for _, name, _ in FOR_EVERYBODY}


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


def identity(profile: str, mode: int) -> Sheet:
    """Return who the meter is."""
    return {
        **attributes(1, catalogue.LOGICAL_DEVICE_NAME, octet_string(NAME.encode())),
        **attributes(1, catalogue.SERIAL_NUMBER, octet_string(b"00000001")),
        **attributes(1, catalogue.FIRMWARE_VERSION, visible_string("openprepay 0.1")),
        **attributes(1, catalogue.INVOCATION_COUNTER, double_long_unsigned(0)),
        **attributes(1, catalogue.PROFILE_NAME, visible_string(profile)),
        **attributes(1, catalogue.BALANCE_MODE, enum(mode)),
        **attributes(
            64, catalogue.SECURITY_SETUP, enum(3), enum(0), NO_TITLE, octet_string(b"OPP\0\0\0\0\1")
        ),
    }


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


TARIFF = structure(
    structure(integer(3), integer(-1)),
    structure(long_unsigned(3), name(catalogue.ACTIVE_ENERGY_IMPORT), integer(2)),
    array(structure(octet_string(b""), long_(6))),
)

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
        array(name(catalogue.CONSUMPTION_CHARGE)),
        array(
            structure(
                name(catalogue.TOKEN_CREDIT),
                name(catalogue.CONSUMPTION_CHARGE),
                bit_string("001"),
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
    **attributes(
        113,
        catalogue.CONSUMPTION_CHARGE,
        double_long(780),
        enum(0),
        unsigned(1),
        TARIFF,
        TARIFF,
        octet_string(b"\xff" * 12),
        double_long_unsigned(0),
        bit_string("01"),
        IL_NOW,
        double_long(0),
        double_long(0),
        long_unsigned(0),
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
}

METERS = {"be-wal": (wallonia, WALLONIA), "il": (israel, ISRAEL)}
ROWS = [
    pytest.param(profile, *key, value, id=f"{profile}-{key[0]}-{key[1]}-{key[2]}")
    for profile, (_, sheet) in METERS.items()
    for key, value in sheet.items()
]


@pytest.mark.parametrize(("profile", "class_id", "code", "index", "value"), ROWS)
def test_an_attribute_has_the_value_that_the_state_says(
    profile: str, class_id: int, code: ObisCode, index: int, value: Data
) -> None:
    """Tags included, and on the wire it is read back the same."""
    found = METERS[profile][0]().get(code, class_id, index)
    assert found == value
    assert isinstance(found, Data)
    assert axdr.decode(axdr.encode(found)) == value


@pytest.mark.parametrize("profile", METERS)
def test_the_sheet_is_complete(profile: str) -> None:
    """It has every attribute that any client can read; class 15 has a file of its own."""
    make, sheet = METERS[profile]
    rig = make()
    readable = {
        (shown.declaration.class_id, code, declared.index)
        for code, shown in rig.kernel._objects.items()
        for declared in shown.declaration.attributes
        if shown.attribute_roles(declared.index)[0]
    }
    assert {key for key in readable if key[0] != 15} == set(sheet)


@pytest.mark.parametrize("profile", METERS)
def test_every_object_is_in_the_catalogue_with_its_class(profile: str) -> None:
    """One list of names and classes for the meter and the head-end."""
    classes = {entry.code: entry.class_id for entry in catalogue.CATALOGUE}
    for code, shown in METERS[profile][0]().kernel._objects.items():
        assert classes[code] == shown.declaration.class_id


@pytest.mark.parametrize("profile", METERS)
def test_the_reader_reads_what_the_management_client_reads(profile: str) -> None:
    """Every attribute; the security setup names nobody's system title without ciphering."""
    make, sheet = METERS[profile]
    for (class_id, code, index), value in sheet.items():
        assert make().get(code, class_id, index, caller=READER) == value


@pytest.mark.parametrize("profile", METERS)
def test_the_public_client_sees_four_objects_and_no_other(profile: str) -> None:
    """What it may not see is not there for it; what it sees it may not read in full."""
    make, sheet = METERS[profile]
    for (class_id, code, index), value in sheet.items():
        found = make().get(code, class_id, index, caller=PUBLIC)
        if code not in SEEN_BY_EVERYBODY:
            assert found is UNDEFINED
        elif index == 1 or (class_id, code, index) in FOR_EVERYBODY:
            assert found == value
        else:
            assert found is DENIED


@pytest.mark.parametrize("caller", [READER, PUBLIC], ids=["reader", "public"])
@pytest.mark.parametrize("profile", METERS)
def test_only_the_management_client_writes_or_calls(profile: str, caller: Caller) -> None:
    """Every attribute SET to the value it has, every method called: refused, nothing moves."""
    make, sheet = METERS[profile]
    rig = make()
    before, here = (
        rig.kernel.state,
        (SEEN_BY_EVERYBODY if caller is PUBLIC else rig.kernel._objects),
    )
    for (class_id, code, index), value in sheet.items():
        expected = DENIED if code in here else UNDEFINED
        assert rig.set(code, class_id, value, index, caller=caller) is expected
    for code, shown in rig.kernel._objects.items():
        for method in shown.declaration.methods:
            bound = method.index in shown.methods and code in here
            called = rig.act(code, shown.declaration.class_id, method.index, caller=caller)
            assert called.name == (DENIED if bound else UNDEFINED).name
    assert rig.kernel.state is before


def test_the_management_client_writes_the_clock_and_the_transaction_and_no_other() -> None:
    """All else that moves does so by methods, or by itself."""
    rig = Rig()
    writable = {
        (code, index)
        for code, shown in rig.kernel._objects.items()
        for index in range(30)
        if rig.set(code, shown.declaration.class_id, axdr.null(), index) not in (DENIED, UNDEFINED)
    }
    assert writable == {(catalogue.CLOCK, 2), (catalogue.TRANSACTION, 2)}


# --- other states ------------------------------------------------------------------------------


def test_a_new_meter_says_that_nothing_has_happened_yet() -> None:
    """New account in credit mode, no transaction, no token, no snapshot, no day."""
    rig = Rig()
    blank = structure(octet_string(bytes(16)), enum(0), enum(0), double_long(0), double_long(0))
    expected = {
        (111, catalogue.ACCOUNT, 2): structure(enum(1), enum(1)),
        (111, catalogue.ACCOUNT, 3): unsigned(2),
        (111, catalogue.ACCOUNT, 13): NEVER,
        (111, catalogue.ACCOUNT, 14): NEVER,
        (1, catalogue.TRANSACTION, 2): blank,
        (7, catalogue.TRANSACTION_LOG, 2): array(),
        (7, catalogue.DAILY_PROFILE, 2): array(),
        (115, catalogue.TOKEN_GATEWAY, 3): NEVER,
        (70, catalogue.DISCONNECT_CONTROL, 2): boolean(True),
    }
    for (class_id, code, index), value in expected.items():
        assert rig.get(code, class_id, index) == value


def test_a_closed_account_says_when() -> None:
    """And that it was active once; prepayment is off."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.until("2026-11-27T18:00")
    rig.order(2, Kind.DEACTIVATE)
    assert rig.get(catalogue.ACCOUNT, 111, 2) == structure(enum(1), enum(3))
    assert rig.get(catalogue.ACCOUNT, 111, 13) == IL_ACTIVE
    assert rig.get(catalogue.ACCOUNT, 111, 14) == IL_NOW
    rig.order(3, Kind.ACTIVATE, rig.snapshot(0, 0))
    assert rig.get(catalogue.ACCOUNT, 111, 2) == structure(enum(2), enum(2))
    assert rig.get(catalogue.ACCOUNT, 111, 14) == NEVER


def test_emergency_credit_in_use_is_the_second_of_the_list() -> None:
    """In use, and what is available is what is left of it."""
    rig = Rig(start="2026-11-24T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300, 900))
    assert rig.act(catalogue.EMERGENCY_CREDIT, 112, 3, integer(0)).name == "SUCCESS"
    assert rig.get(catalogue.ACCOUNT, 111, 3) == unsigned(1)
    assert rig.get(catalogue.ACCOUNT, 111, 4) == bit_string("11000100")
    assert rig.get(catalogue.ACCOUNT, 111, 5) == double_long(900)
    assert rig.get(catalogue.EMERGENCY_CREDIT, 112, 8) == enum(3)


def test_the_import_register_rolls_over_at_32_bits_and_the_charge_does_not_notice() -> None:
    """4294967.295 kWh and one Wh more are nothing."""
    rig = Rig("il")
    rig.use((1 << 32) - 1)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 1000))
    assert rig.get(catalogue.ACTIVE_ENERGY_IMPORT, 3) == double_long_unsigned((1 << 32) - 1)
    rig.use(1000)
    assert rig.get(catalogue.ACTIVE_ENERGY_IMPORT, 3) == double_long_unsigned(999)
    assert rig.balance == 940


@pytest.mark.parametrize("kind", [Kind.ADJUST, Kind.DEACTIVATE])
def test_a_balance_beyond_32_bits_is_shown_as_the_greatest_and_ends_nothing(kind: Kind) -> None:
    """Consumption asks nobody; orders on such a balance are refused or logged, never a fault."""
    rig = Rig("il", "2026-11-27T18:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    assert rig.order(2, Kind.ADJUST, -(1 << 31)) is DataAccessResult.SUCCESS
    rig.use(1000)
    assert rig.kernel.state.totals.balance == -(1 << 31) - 60
    assert rig.get(catalogue.TOKEN_CREDIT, 112) == double_long(-(1 << 31))
    assert rig.get(catalogue.ACCOUNT, 111, 6) == double_long((1 << 31) - 1)
    result = rig.order(3, kind, 1 if kind is Kind.ADJUST else None)
    assert result.name == ("OTHER_REASON" if kind is Kind.ADJUST else "SUCCESS")
    assert rig.last_outcome().balance == (-(1 << 31) if kind is Kind.ADJUST else 0)


def test_the_security_setup_shows_a_client_his_own_title() -> None:
    """Any title is accepted, so none is configured."""
    ciphered = Caller(MANAGER.role, MANAGER.sap, system_title=b"HEAD\0\0\0\1")
    found = Rig().get(catalogue.SECURITY_SETUP, 64, 4, caller=ciphered)
    assert found == octet_string(b"HEAD\0\0\0\1")
