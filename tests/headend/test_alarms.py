"""Alarms: which words of a meter open a case, which close it, and which mean nothing."""

from pathlib import Path

import pytest

from headend.listener.alarms import CAUSE_KINDS, EVENTS, KINDS, RELAY_EVENTS, alarms
from headend.listener.shown import AS_MADE, MADE_BEFORE, attributes
from headend.store.meters import FOREIGN, Meter
from meter_fw.events import Code, RelayCode
from meter_fw.push_setup import AS_MADE as PUSHED
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    Data,
    Tag,
    array,
    bit_string,
    boolean,
    double_long_unsigned,
    enum,
    integer,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
)
from protocol.events import AttributeRef, DataNotification, EventNotification, Notification
from protocol.timing import Instant

CLOCK = bytes.fromhex("07EA0B1607083A0137FFC400")


def meter(name: str = "OPP1", profile: str = "be-wal") -> Meter:
    """Return a meter of ours, or with other words somebody else's."""
    never = Instant(0)
    return Meter(1, name, "", profile, FOREIGN, "", False, 0, None, never, 0, "met")


def event(code: ObisCode, value: Data) -> EventNotification:
    """Return an event of a data object."""
    return EventNotification(AttributeRef(1, code, 2), value)


def pushed(causes: str = "00000000", *, low: bool = False) -> DataNotification:
    """Return what a meter of ours pushed as it was made, before events went along."""
    values = (
        octet_string(catalogue.PUSH_SETUP.to_bytes()), octet_string(b"OPP1"), octet_string(CLOCK),
        enum(1), bit_string(causes), structure(enum(1), enum(1)), boolean(low),
    )  # fmt: skip # one row, in the order of the list
    return DataNotification(structure(*values))


def with_events(event: int, counter: int) -> DataNotification:
    """Return what it pushes as it is made today: the last event of each log goes along."""
    last = unsigned(event), double_long_unsigned(counter), unsigned(0), double_long_unsigned(0)
    return DataNotification(structure(*pushed().body.value, *last))


def done(said: Notification, who: Meter | None = None) -> tuple[set[str], set[str]]:
    """Return what a notification opens, and what it closes."""
    found = alarms(said, who or meter())
    opened = {kind for alarm in found for kind in alarm.opens}
    return opened, {kind for alarm in found for kind in alarm.closes}


EVENT_CASES = [
    (catalogue.EVENT, Code.COVER_OPENED, {"cover"}, set()),
    (catalogue.EVENT, Code.COVER_CLOSED, set(), {"cover"}),
    (catalogue.EVENT, Code.CLOCK_INVALID, {"clock"}, set()),
    (catalogue.EVENT, Code.CLOCK_SET, set(), {"clock"}),
    (catalogue.EVENT, Code.MEMORY_ERROR, {"memory"}, set()),
    (catalogue.EVENT, Code.PORT_LOCKED, {"lock-out"}, set()),
    (catalogue.EVENT, Code.KEYS_CHANGED, {"keys"}, set()),
    (catalogue.EVENT, Code.LOW_CREDIT, {"low-credit"}, set()),
    (catalogue.EVENT, Code.EMERGENCY_TAKEN, {"emergency-credit"}, set()),
    (catalogue.EVENT, Code.EMERGENCY_IN_USE, {"emergency-credit"}, set()),
    (catalogue.EVENT, Code.EMERGENCY_USED_UP, {"emergency-credit"}, set()),
    (catalogue.EVENT, Code.USED_UP, {"used-up"}, set()),
    (catalogue.EVENT, Code.CUT, {"cut"}, set()),
    (catalogue.EVENT, Code.MINIMUM_SUPPLY, {"minimum-supply"}, {"cut"}),
    (catalogue.EVENT, Code.MINIMUM_SUPPLY_ENDED, set(), {"minimum-supply"}),
    (catalogue.EVENT, Code.RECURRENT_DEFAULTER, {"recurrent-defaulter"}, set()),
    (catalogue.EVENT, Code.TOKEN_ENTERED, set(), {"token-refused"}),
    (catalogue.EVENT, Code.TOKEN_REFUSED, {"token-refused"}, set()),
    (catalogue.EVENT, Code.CALENDAR_ENDING, {"calendar"}, set()),
    (catalogue.EVENT, Code.CALENDAR_CHANGED, set(), {"calendar"}),
    (catalogue.EVENT, Code.POWER_UP, set(), set()),
    (catalogue.EVENT, 0, set(), set()),
    (catalogue.RELAY_EVENT, RelayCode.LIMIT_EXCEEDED, {"over-limit"}, set()),
    (catalogue.RELAY_EVENT, RelayCode.LIMIT_OK, set(), {"over-limit"}),
    (catalogue.RELAY_EVENT, RelayCode.CONTACT_FAILED, {"contact"}, set()),
    (catalogue.RELAY_EVENT, RelayCode.CONTACT_FOLLOWS, set(), {"contact"}),
    (catalogue.RELAY_EVENT, RelayCode.TAMPER, {"tamper"}, set()),
    (catalogue.RELAY_EVENT, RelayCode.OPERATOR_CLEARED, set(), {"tamper"}),
]


@pytest.mark.parametrize(("place", "code", "opens", "closes"), EVENT_CASES)
def test_an_event_opens_and_closes_what_the_table_says(
    place: ObisCode, code: int, opens: set[str], closes: set[str]
) -> None:
    """The codes of the table are those that the firmware writes into its logs."""
    assert done(event(place, unsigned(code))) == (opens, closes)


@pytest.mark.parametrize(
    "code", [RelayCode.MANUAL_CONNECTION, RelayCode.REMOTE_CONNECTION, RelayCode.LOCAL_CONNECTION]
)
def test_supply_that_is_back_ends_the_cut(code: RelayCode) -> None:
    """Whoever closed the relay."""
    opens, closes = done(event(catalogue.RELAY_EVENT, unsigned(code)))
    assert not opens
    assert {"cut", "over-limit"} <= closes


def test_the_end_of_prepayment_ends_what_was_for_want_of_credit() -> None:
    """And leaves the cover alone."""
    opens, closes = done(event(catalogue.EVENT, unsigned(Code.CLOSED)))
    assert not opens
    assert {"low-credit", "emergency-credit", "used-up"} <= closes
    assert "cover" not in closes


def test_codes_of_our_own_are_not_read_of_others_meters() -> None:
    """From 200 on every maker has his own; below, two families share them."""
    other = meter("XYZ1", "")
    assert done(event(catalogue.EVENT, unsigned(Code.LOW_CREDIT)), other) == (set(), set())
    assert done(event(catalogue.EVENT, unsigned(Code.COVER_OPENED)), other) == ({"cover"}, set())


CAUSE_CASES = [
    ("10000000", "cut"),
    ("00100000", "over-limit"),
    ("00010000", "tamper"),
    ("00001000", "gas-safety"),
]


@pytest.mark.parametrize(("causes", "kind"), CAUSE_CASES)
def test_a_push_as_made_tells_why_the_relay_is_open(causes: str, kind: str) -> None:
    """The cause that stands opens its case, and those that do not stand close theirs."""
    opens, closes = done(pushed(causes))
    assert opens == {kind}
    assert closes == {*CAUSE_KINDS.values(), "low-credit"} - {kind}


def test_an_operator_who_opened_the_relay_opens_no_case() -> None:
    """He knows."""
    assert done(pushed("01000000"))[0] == set()


def test_low_credit_is_a_state_that_ends() -> None:
    """Pushed as true it opens, and as false it closes."""
    assert done(pushed(low=True))[0] == {"low-credit"}
    assert "low-credit" in done(pushed(low=False))[1]


def test_a_push_as_made_tells_what_happened() -> None:
    """The last event, with its number in the log; without one, that nothing has."""
    said = with_events(Code.COVER_OPENED, 17)
    assert list(attributes(said)) == list(AS_MADE)
    (alarm,) = (each for each in alarms(said, meter()) if each.opens)
    assert (alarm.opens, alarm.told) == (("cover",), "event 17: cover opened")
    assert done(with_events(0, 0))[0] == set()


def test_a_push_as_it_was_made_before_is_read_too() -> None:
    """A meter keeps its firmware for years."""
    assert list(attributes(pushed())) == list(MADE_BEFORE) == list(AS_MADE)[:7]


def test_a_push_that_has_its_own_list_is_read_by_it() -> None:
    """Element n is the value of the n-th object of the list, which is one of them."""
    refs = [
        AttributeRef(40, catalogue.PUSH_SETUP, 2),
        AttributeRef(1, catalogue.EVENT, 2),
        AttributeRef(1, catalogue.RELAY_EVENT, 2),
    ]
    rows = [
        structure(
            long_unsigned(ref.class_id), octet_string(ref.logical_name.to_bytes()),
            integer(ref.index), long_unsigned(0), structure(enum(0), null()), array(),
        )
        for ref in refs
    ]  # fmt: skip # one row an object
    said = DataNotification(structure(array(*rows), unsigned(44), unsigned(68)))
    assert list(attributes(said)) == refs
    assert done(said)[0] == {"cover", "contact"}


NOTHING = {
    "a number": unsigned(5),
    "nothing": structure(),
    "another push setup": structure(octet_string(bytes(6)), *pushed().body.value[1:]),
    "other types": structure(*pushed().body.value[:-1], unsigned(1)),
    "too few": structure(*pushed().body.value[:-1]),
    "between the two": structure(*with_events(44, 1).body.value[:-1]),
    "another type of counter": structure(*with_events(44, 1).body.value[:-1], unsigned(1)),
    "a list of another length": structure(array(null()), unsigned(44)),
    "a list of nonsense": structure(array(null(), null()), unsigned(44)),
    "a list of short rows": structure(array(structure(), structure()), unsigned(44)),
}


@pytest.mark.parametrize("body", NOTHING.values(), ids=NOTHING)
def test_what_does_not_say_what_it_is_opens_nothing(body: Data) -> None:
    """And harms nobody."""
    assert attributes(DataNotification(body)) == {}


@pytest.mark.parametrize("value", [null(), octet_string(b"x"), Data(Tag.BIT_STRING, "1")])
def test_a_value_of_another_type_opens_nothing(value: Data) -> None:
    """Such as null-data, for what the reader may not see."""
    assert done(event(catalogue.EVENT, value)) == (set(), set())
    assert done(event(catalogue.LOW_CREDIT, value)) == (set(), set())


def test_the_list_is_that_of_the_firmware_and_every_kind_has_words() -> None:
    """One fact in two rooms that may not import each other."""
    assert AS_MADE == PUSHED
    tables = (*EVENTS.values(), *RELAY_EVENTS.values())
    named = {kind for alarm in tables for kind in (*alarm.opens, *alarm.closes)}
    assert named | set(CAUSE_KINDS.values()) == set(KINDS)
    assert set(EVENTS) <= set(Code)
    assert set(RELAY_EVENTS) <= set(RelayCode)


def test_each_kind_of_case_stands_in_the_documentation() -> None:
    """With what opens it: a kind that is new is missed here."""
    document = (Path(__file__).parents[2] / "docs" / "headend.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in document.splitlines() if line.startswith("| ")]
    told = {name.strip(): opened for names, opened in rows for name in names.split(",")}
    assert told.keys() >= KINDS.keys()
    for alarm in (*EVENTS.values(), *RELAY_EVENTS.values()):
        for kind in alarm.opens:
            assert alarm.told.split()[-1] in told[kind], (kind, alarm.told)
