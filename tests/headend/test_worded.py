"""What was said unasked, in words: of what is kept of it, whatever a stranger has put there."""

from typing import Any

import pytest

from headend.listener import alarms, worded
from headend.reading.values import to_json
from meter_fw import events
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    array,
    enum,
    integer,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
)
from protocol.events import AttributeRef
from tests.headend.test_alarms import pushed

OURS = "OPP0000000001"


def event(code: int, *, relay: bool = False) -> dict[str, Any]:
    """Return an event notification as it is kept."""
    place = catalogue.RELAY_EVENT if relay else catalogue.EVENT
    return {"service": "event-notification", "class": 1, "code": str(place), "attribute": 2,
            "value": code}  # fmt: skip # one object


def push(causes: str, *, low: bool = False) -> dict[str, Any]:
    """Return the push that our meters are made with as it is kept."""
    return {"service": "data-notification", "body": to_json(pushed(causes, low=low).body)}


def events_pushed(event: int, counter: int, relay: int, moves: int) -> dict[str, Any]:
    """Return the push that our meters are made with today: the last event of each log."""
    body = [*push("00000000")["body"], event, counter, relay, moves]
    return {"service": "data-notification", "body": body}


def own_list() -> dict[str, Any]:
    """Return a push that has its list with it: the list, a cover, and a register."""
    refs = [
        AttributeRef(40, catalogue.PUSH_SETUP, 2),
        AttributeRef(1, catalogue.EVENT, 2),
        AttributeRef(3, ObisCode.parse("1-0:1.8.0.255"), 2),
    ]
    rows = [
        structure(
            long_unsigned(ref.class_id), octet_string(ref.logical_name.to_bytes()),
            integer(ref.index), long_unsigned(0), structure(enum(0), null()), array(),
        )
        for ref in refs
    ]  # fmt: skip # one row an object
    said = structure(array(*rows), unsigned(44), long_unsigned(4711))
    return {"service": "data-notification", "body": to_json(said)}


@pytest.mark.parametrize(
    ("body", "meter", "told"),
    [
        (event(44), OURS, "cover opened"),
        (event(44), "XYZ1", "cover opened"),
        (event(212), OURS, "prepayment began"),
        (event(212), "XYZ1", "event 212"),
        (event(212), "", "event 212"),
        (event(99), OURS, "event 99"),
        (event(62, relay=True), OURS, "relay: opened by order"),
        (event(61, relay=True), OURS, "relay: connected by hand"),
        (push("00000000"), OURS, "relay closed; credit new"),
        (push("01000000", low=True), OURS, "relay closed: operator; credit new; low credit"),
        (
            events_pushed(44, 17, 62, 3),
            OURS,
            "relay closed; credit new; event 17: cover opened; relay event 3: opened by order",
        ),
        (events_pushed(2, 1, 0, 0), OURS, "relay closed; credit new; event 1: power up"),
        (events_pushed(99, 2, 0, 0), OURS, "relay closed; credit new; event 2: code 99"),
        (own_list(), OURS, "cover opened; 1-0:1.8.0*255 attribute 2 is 4711"),
        ({"body": "00FF"}, OURS, '"00FF"'),
        ({"body": ["00" * 30]}, "", '["' + "0" * 37 + "…"),
        ({"body": ["\x1b[2J"]}, "", '["\\u001b[2J"]'),
        ({"body": [[[1, "xx", 2]]]}, OURS, '[[[1, "xx", 2]]]'),
        ({"body": None}, "", "null"),
        ({"values": [5]}, "", "[5]"),
        ({"unreadable": "too short"}, "", "cannot be read"),
        ({"cut": "{"}, "", "too long to be kept"),
        ({"code": "none", "class": 1, "attribute": 2, "value": 5}, OURS, "5"),
        ({"code": "0-0:1.0.0.255", "class": True, "attribute": "x", "value": 5}, OURS, "5"),
    ],
)
def test_what_was_said_has_words(body: dict[str, Any], meter: str, told: str) -> None:
    """On one line, whoever said it; what nobody has a word for stands as it came, cut short."""
    assert worded.words(body, meter) == told


@pytest.mark.parametrize("code", events.Code, ids=lambda each: each.name)
def test_each_code_of_the_firmware_has_a_word(code: events.Code) -> None:
    """A newcomer to the firmware's table is missed here."""
    assert "event" not in worded.words(event(code), OURS)


@pytest.mark.parametrize("code", events.RelayCode, ids=lambda each: each.name)
def test_each_code_of_the_relay_has_a_word(code: events.RelayCode) -> None:
    """As for the others."""
    assert "event" not in worded.words(event(code, relay=True), OURS)


def test_a_profile_of_ours_makes_a_meter_ours() -> None:
    """Whatever its name is; as where its cases are opened."""
    assert worded.words(event(212), "XYZ1", "be-wal") == "prepayment began"
    assert alarms.is_ours("XYZ1", "be-wal")
