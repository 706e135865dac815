"""Pushes of a meter, and a desk that hears them: what tests of news and repetitions share."""

import itertools
from collections.abc import Mapping

from headend.store import Store, cases, meters, registry
from headend.store.registry import Entry
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    Data,
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
from protocol.events import AttributeRef, DataNotification, LongInvokeId
from tests.headend.test_listen import KEYS, T0
from tests.headend.test_reception import TITLE, Desk, Speaker

CLOCK_REF = AttributeRef(8, catalogue.CLOCK, 2)
NAME_REF = AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2)
SERIAL_REF = AttributeRef(1, catalogue.SERIAL_NUMBER, 2)
ENERGY = AttributeRef(3, ObisCode.parse("1-0:1.8.0.255"), 2)
LIST = AttributeRef(40, catalogue.PUSH_SETUP, 2)
#: Codes of the standard event log.
COVER, CLOSED = 44, 45


def stamp(second: int) -> bytes:
    """Return a date-time of the meter."""
    return (
        bytes.fromhex("07EA0B160708")
        + bytes((second // 60, second % 60))
        + bytes.fromhex("37FFC400")
    )


def as_made(
    number: int, event: tuple[int, int], relay: tuple[int, int], causes: str, *, low: bool
) -> DataNotification:
    """Return what a meter of ours pushes as it is made: code and counter of each log's last."""
    values = (
        octet_string(catalogue.PUSH_SETUP.to_bytes()), octet_string(b"OPP1"),
        octet_string(stamp(number)), enum(1), bit_string(causes), structure(enum(1), enum(1)),
        boolean(low), unsigned(event[0]), double_long_unsigned(event[1]),
        unsigned(relay[0]), double_long_unsigned(relay[1]),
    )  # fmt: skip # one row, in the order of the list
    return DataNotification(structure(*values), LongInvokeId(number), stamp(number))


def listed(number: int, values: Mapping[AttributeRef, Data]) -> DataNotification:
    """Return a push that has its list with it, in front of the values."""
    refs = [LIST, *values]
    rows = [
        structure(
            long_unsigned(ref.class_id), octet_string(ref.logical_name.to_bytes()),
            integer(ref.index), long_unsigned(0), structure(enum(0), null()), array(),
        )
        for ref in refs
    ]  # fmt: skip # one row an object
    body = structure(array(*rows), *values.values())
    return DataNotification(body, LongInvokeId(number), stamp(number))


NUMBERS = itertools.count(1)


def met(store: Store, maker: str = "OPP") -> tuple[Desk, Speaker, str]:
    """Return a desk, and a meter that it knows, which nobody has met before."""
    number = next(NUMBERS)
    name, title = f"{maker}{number}", TITLE[:4] + number.to_bytes(4, "big")
    with store.begin() as db:
        registry.add(db, [Entry(name, transport="tcp:192.0.2.1:4059")], T0)
        known = meters.by_name(db, name)
        assert known is not None
        meters.set_title(db, known, title)
    return Desk(store), Speaker(KEYS, title), name


def kinds(desk: Desk, name: str, *, closed: bool = False) -> list[str]:
    """Return the kinds of the cases of a meter."""
    return [each.kind for each in desk.cases(closed=closed) if each.meter == name]


def close(desk: Desk, name: str, kind: str) -> None:
    """Close a case by hand."""
    (number,) = (each.number for each in desk.cases() if (each.meter, each.kind) == (name, kind))
    with desk.store.begin() as db:
        assert cases.close(db, number, "tester", T0)
