"""What our own meter pushes, octet by octet, and what the head-end makes of it."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from headend.cli import main
from headend.listener.ears import Heard
from headend.store import Store, registry
from headend.store.registry import Entry
from meter_fw.events import Code
from meter_fw.port_protection import Port
from obis import catalogue
from prepay.transactions import Kind
from protocol.axdr import (
    enum,
    integer,
)
from protocol.codes import ActionResult, DataAccessResult
from protocol.udp import datagrams
from tests.headend.pushes import COVER, as_made, close, met
from tests.headend.test_listen import T0
from tests.headend.test_reception import Desk
from tests.meter_fw.rig import Rig
from tests.meter_fw.test_push import pushing, wait


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A database."""
    opened = Store(database)
    yield opened
    opened.close()


def hear_all(desk: Desk, rig: Rig) -> list[Heard]:
    """Let a meter say what it has to push, and hear it."""
    found = []
    while rig.last.dial:
        ((port, whom),) = rig.last.dial.items()
        octets = rig.tick(opened={port: whom.kind}).tx[port]
        found += desk.hear(*datagrams(octets))
    return found


def test_our_meter_as_made_says_what_happened_and_its_closed_cases_stay_closed(
    store: Store,
) -> None:
    """Its cover is opened; somebody looks; it pushes for other reasons; it is opened again."""
    rig = pushing("udp")
    name = rig.factory.name
    with store.begin() as db:
        registry.add(db, [Entry(name, transport="tcp:192.0.2.1:4059")], T0)
    desk = Desk(store)
    rig.tick(tamper=True)
    heard = hear_all(desk, rig)
    assert [each.meter for each in heard] == [name] * len(heard)
    told = {each.kind: each.details["told"] for each in desk.cases()}
    assert told == {"cover": "event 2: cover opened", "tamper": "relay open: tamper"}
    for kind in told:
        close(desk, name, kind)
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0)) is ActionResult.SUCCESS
    assert hear_all(desk, rig)[-1].cases == ()
    rig.tick(tamper=False)
    rig.tick(tamper=True)
    assert "case opened: cover" in [one for each in hear_all(desk, rig) for one in each.cases]
    assert desk.cases()[0].details["told"] == "event 4: cover opened"


def test_what_happens_to_our_meter_at_once_opens_a_case_for_each(store: Store) -> None:
    """A balance far below nothing: low, used up, and cut, each told by a push of its own."""
    rig = pushing("udp", "il")
    with store.begin() as db:
        registry.add(db, [Entry(rig.factory.name, transport="tcp:192.0.2.1:4059")], T0)
    desk = Desk(store)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000)) is DataAccessResult.SUCCESS
    hear_all(desk, rig)
    rig.use(10_000_000)
    heard = hear_all(desk, rig)
    rows = rig.kernel.state.events
    told = {each.kind: each.details["told"] for each in desk.cases()}
    numbered = {row.code: row.number + 1 for row in rows}
    assert told["used-up"] == f"event {numbered[204]}: credit used up"
    assert told["cut"] == f"event {numbered[205]}: cut for want of credit"
    assert told["low-credit"] == f"event {numbered[200]}: low credit"
    assert len(heard) == 3


def test_who_guesses_at_a_port_of_our_meter_opens_a_case(store: Store) -> None:
    """The lock is told at once, though nothing but the log tells of it."""
    rig = pushing("udp")
    with store.begin() as db:
        registry.add(db, [Entry(rig.factory.name, transport="tcp:192.0.2.1:4059")], T0)
    desk = Desk(store)
    for _ in range(10):
        rig.kernel.attempted(Port.NETWORK, good=False)
    rig.tick()
    rows = [row.number + 1 for row in rig.kernel.state.events if row.code == Code.PORT_LOCKED]
    heard = hear_all(desk, rig)
    assert [one for each in heard for one in each.cases] == ["case opened: lock-out"]
    (case,) = desk.cases()
    told = f"event {rows[0]}: port locked after failed attempts"
    assert (case.kind, case.details["told"]) == ("lock-out", told)


def test_our_meter_repeats_a_message_and_it_is_one_row(store: Store) -> None:
    """Its confirmations are lost twice: one row, heard three times, and confirmed each time."""
    rig = pushing("udp")
    desk = Desk(store)
    assert rig.set(catalogue.PUSH_SETUP, 40, enum(2), 11) is DataAccessResult.SUCCESS
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0)) is ActionResult.SUCCESS
    said = []
    for _ in range(3):
        ((port, whom),) = rig.last.dial.items()
        said += desk.hear(*datagrams(rig.tick(opened={port: whom.kind}).tx[port]))
        rig.tick(closed=frozenset({port}))
        wait(rig, 3600)
    assert [each.again for each in said] == [False, True, True]
    assert [each.confirmed for each in said] == [True] * 3
    assert len({each.counter for each in said}) == 3
    assert [row.times for row in desk.rows()] == [3]


def test_cases_and_notifications_tell_the_event_in_words(store: Store, database: str) -> None:
    """With its number in the log, for people and for machines."""
    desk, source, name = met(store)
    desk.hear(*source.say(as_made(1, (COVER, 5), (62, 3), "01000000", low=False)))
    told = (
        "relay closed: operator; credit new; event 5: cover opened; relay event 3: opened by order"
    )
    assert f"  {told}\n" in prepay(database, "notifications", "--meter", name)
    table = prepay(database, "cases", "--meter", name)
    assert "  event 5: cover opened  " in table
    found = json.loads(prepay(database, "--json", "cases", "list", "--meter", name))
    assert [each["told"] for each in found["cases"]] == ["event 5: cover opened"]


def prepay(url: str, *words: str) -> str:
    """Run a command of ours, and return what it prints."""
    result = CliRunner().invoke(main, ["--db", url, *words])
    assert result.exit_code == 0, result.output
    return result.stdout
