"""Every attribute of every object of both profiles, in a known state and to each client."""

import pytest

from meter_fw.view import Caller
from obis import catalogue
from obis.code import ObisCode
from prepay.transactions import Kind
from protocol import axdr
from protocol.axdr import (
    Data,
    array,
    bit_string,
    boolean,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    octet_string,
    structure,
    unsigned,
)
from protocol.codes import DataAccessResult
from tests.meter_fw.rig import MANAGER, PUBLIC, READER, Rig
from tests.meter_fw.sheets import IL_ACTIVE, IL_NOW, ISRAEL, NEVER, WALLONIA, israel, wallonia

DENIED = DataAccessResult.READ_WRITE_DENIED
UNDEFINED = DataAccessResult.OBJECT_UNDEFINED

#: What the public client may see: who the meter is, where its devices are, the counter to begin
#: with, the time.
FOR_EVERYBODY = {
    (1, catalogue.LOGICAL_DEVICE_NAME, 2),
    (1, catalogue.INVOCATION_COUNTER, 2),
    (17, catalogue.SAP_ASSIGNMENT, 2),
    (8, catalogue.CLOCK, 2),
    (8, catalogue.CLOCK, 4),
    *((15, catalogue.CURRENT_ASSOCIATION, index) for index in (2, 3, 4, 5, 6, 8, 9)),
}
#: The objects of these.
SEEN_BY_EVERYBODY = {name for _, name, _ in FOR_EVERYBODY}


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
def test_the_public_client_sees_five_objects_and_no_other(profile: str) -> None:
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


def test_the_management_client_writes_few_attributes_and_no_other() -> None:
    """Clock, transactions, a password, pushing, port protection, terms of the account."""
    rig = Rig()
    writable = {
        (code, index)
        for code, shown in rig.kernel._objects.items()
        for index in range(30)
        if rig.set(code, shown.declaration.class_id, axdr.null(), index) not in (DENIED, UNDEFINED)
    }
    pushing = {(catalogue.PUSH_SETUP, index) for index in (2, 3, 4, 5, 6, 7, 9, 11)}
    protecting = {
        (code, index)
        for code in (catalogue.LOCAL_PORT_PROTECTION, catalogue.NETWORK_PORT_PROTECTION)
        for index in range(2, 7)
    }
    ordering = {(catalogue.CLOCK, 2), (catalogue.TRANSACTION, 2)}
    opening = {(catalogue.CURRENT_ASSOCIATION, 7)}
    opening |= {(catalogue.CALENDAR_SCHEDULE, 2), (catalogue.CALENDAR_SPECIAL_DAYS, 2)}
    opening |= {(catalogue.CALENDAR_FROM, 2), (catalogue.CALENDAR_UNTIL, 2)}
    account = {(catalogue.ACCOUNT, index) for index in (7, 11, 12, 16, 17, 18, 19)}
    credits = {(catalogue.TOKEN_CREDIT, 5), (catalogue.EMERGENCY_CREDIT, 10)}
    charges = {(code, index) for code in catalogue.CHARGES[:5] for index in (6, 7, 13)}
    paying = account | credits | charges
    limiting = {(catalogue.LIMITER, index) for index in range(4, 10)}
    telling = {(catalogue.MESSAGE, 2)}
    assert writable == ordering | opening | pushing | protecting | paying | limiting | telling


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
    """Consumption asks nobody; what makes it worse is refused, what ends it is logged."""
    rig = Rig("il", "2026-11-27T18:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    assert rig.order(2, Kind.ADJUST, -(1 << 31)) is DataAccessResult.SUCCESS
    rig.use(1000)
    assert rig.kernel.state.totals.balance == -(1 << 31) - 60
    assert rig.get(catalogue.TOKEN_CREDIT, 112) == double_long(-(1 << 31))
    assert rig.get(catalogue.ACCOUNT, 111, 6) == double_long((1 << 31) - 1)
    result = rig.order(3, kind, -1 if kind is Kind.ADJUST else None)
    assert result.name == ("OTHER_REASON" if kind is Kind.ADJUST else "SUCCESS")
    assert rig.last_outcome().balance == (-(1 << 31) if kind is Kind.ADJUST else 0)


def test_the_security_setup_shows_a_client_his_own_title() -> None:
    """Any title is accepted, so none is configured."""
    ciphered = Caller(MANAGER.role, MANAGER.sap, system_title=b"HEAD\0\0\0\1")
    found = Rig().get(catalogue.SECURITY_SETUP, 64, 4, caller=ciphered)
    assert found == octet_string(b"HEAD\0\0\0\1")
