"""The event logs: what happens is found in the state, written with it, and read by anybody."""

from typing import Any

import pytest

from meter_fw import events
from meter_fw.board import Button
from meter_fw.events import Code, RelayCode
from meter_fw.line_state import Secret
from meter_fw.port_protection import Port
from meter_fw.state import EVENTS_KEPT, LoggedEvent
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.transactions import Kind
from protocol.axdr import Data, Tag, double_long_unsigned, integer, octet_string, unsigned
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from protocol.cosem.profile_generic import ENTRY_DESCRIPTOR
from protocol.cosem_time import ClockStatus, CosemDateTime
from protocol.events import SelectiveAccess
from sim.flash import MemoryFlash
from tests.meter_fw.rig import READER, Rig

DONE = DataAccessResult.SUCCESS


def rows(rig: Rig, log: ObisCode = catalogue.EVENT_LOG, **more: Any) -> list[tuple[Any, ...]]:
    """Read a log: each row a local time, whether the clock knew it, and the plain values."""
    buffer = rig.get(log, 7, caller=READER, **more)
    assert isinstance(buffer, Data)
    found = []
    for row in buffer.value:
        stamp = CosemDateTime.from_bytes(row.value[0].value)
        assert stamp.status is not None
        local = stamp.to_datetime(rig.factory.zone)
        known = ClockStatus.INVALID not in stamp.status
        found.append((f"{local:%Y-%m-%d %H:%M:%S}", known, *(cell.value for cell in row.value[1:])))
    return found


def told(rig: Rig) -> list[tuple[int, int]]:
    """Return code and value of the standard log, without the switching on."""
    return [(r.code, r.value) for r in rig.kernel.state.events if r.code != Code.POWER_UP]


def operations(rig: Rig) -> int:
    """Return how often the flash has been programmed or erased."""
    assert isinstance(rig.flash, MemoryFlash)
    return rig.flash.operations


def wallonia(balance: int = 2000, start: str = "2026-11-24T12:00") -> Rig:
    """Return a prepaid Walloon meter; it is Tuesday noon."""
    rig = Rig("be-wal", start)
    assert rig.order(1, Kind.ACTIVATE, rig.snapshot(1, balance)) is DONE
    return rig


def arm(rig: Rig, identity: int, sequence: int) -> None:
    """Let the head-end give leave to cut."""
    rig.order(identity, Kind.ARM, vendor.Arm(sequence, rig.stamp("2026-12-30T06:00")))


# --- what is told ------------------------------------------------------------------------------


def test_a_life_in_events() -> None:
    """Opened, low, used up and cut, emergency credit, a payment, closed: in this order."""
    rig = wallonia()
    rig.order(2, Kind.SNAPSHOT, rig.snapshot(2, 400))
    rig.order(3, Kind.SNAPSHOT, rig.snapshot(3, -100))
    arm(rig, 4, 3)
    rig.press(Button.SELECT)
    rig.order(5, Kind.SNAPSHOT, rig.snapshot(4, -1200))
    arm(rig, 6, 4)
    rig.order(7, Kind.SNAPSHOT, rig.snapshot(5, 2000))
    rig.order(8, Kind.DEACTIVATE)
    assert told(rig) == [
        (Code.OPENED, 2000),
        (Code.LOW_CREDIT, 400),
        (Code.USED_UP, -100),
        (Code.CUT, -100),
        (Code.EMERGENCY_TAKEN, -100),
        (Code.EMERGENCY_IN_USE, -100),
        (Code.USED_UP, -1200),
        (Code.EMERGENCY_USED_UP, -1200),
        (Code.CUT, -1200),
        (Code.CLOSED, 2000),
    ]
    assert rig.relay_codes == [64, 69, 64, 69]


def test_a_token_is_told_with_its_amount_and_a_false_one_with_its_outcome() -> None:
    """Once each, however often it is entered."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000))
    token = rig.token(2, 20_000)
    rig.enter(token)
    rig.enter(b"no token")
    assert told(rig)[1:] == [(Code.TOKEN_ENTERED, 20_000), (Code.TOKEN_REFUSED, 10)]


def test_a_clock_that_is_set_is_told_at_both_times() -> None:
    """The row of the old time has the old time, that of the new the new."""
    rig = Rig(start="2026-11-24T12:00")
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2026-11-24T15:00:05").to_bytes()))
    assert rows(rig)[-2:] == [
        ("2026-11-24 12:00:00", True, 4, 3 * 3600 + 5),
        ("2026-11-24 15:00:05", True, 5, 3 * 3600 + 5),
    ]


def test_a_stamp_keeps_the_status_that_the_clock_had() -> None:
    """What happened while nobody knew the time goes on saying so after the clock is set."""
    flash = MemoryFlash(2, 32 * 1024)
    flash.fill(bytes(range(256)) * 256)
    rig = Rig(start="2026-11-24T12:00", flash=flash)
    assert [row[1:] for row in rows(rig)] == [(False, 2, 0), (False, 14, 2), (False, 6, 0)]
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2026-11-24T15:00").to_bytes()))
    assert [row[1:3] for row in rows(rig)] == [
        (False, 2),
        (False, 14),
        (False, 6),
        (False, 4),
        (True, 5),
    ]


def test_the_power_that_goes_and_comes_is_told() -> None:
    """Down when the board says that it is failing, once; up at each boot, with the next commit."""
    rig = Rig(start="2026-11-24T12:01")
    rig.tick(failing=True)
    rig.tick(failing=True)
    rig.boot()
    assert [row[2] for row in rows(rig)] == [2, 1, 2]
    before = operations(rig)
    rig.boot()
    rig.boot()
    assert operations(rig) == before, "a supply that flickers wears nothing"
    assert [row[2] for row in rows(rig)] == [2, 1, 2]
    rig.until("2026-11-24T12:15")
    rig.boot()
    assert [row[2] for row in rows(rig)] == [2, 1, 2, 2]


def test_a_key_that_has_changed_is_told_and_never_shown() -> None:
    """Which one, by its bit: here the password, the seventh."""
    rig = Rig()
    before = rig.kernel.state
    changed = before.but(password=Secret.of(b"87654321"))
    after = events.record(before, rig.kernel.view.with_state(changed))
    assert [(row.code, row.value) for row in after.events[-1:]] == [(48, 1 << 6)]
    assert b"87654321" not in repr(after.events).encode()


def test_a_port_that_is_locked_is_told() -> None:
    """At the tenth failure in a row, not before."""
    rig = Rig()
    for _ in range(9):
        rig.kernel.attempted(Port.NETWORK, good=False)
    assert rig.codes == []
    rig.kernel.attempted(Port.NETWORK, good=False)
    assert told(rig) == [(Code.PORT_LOCKED, Port.NETWORK)]


def test_who_moved_the_relay_is_told_by_the_code() -> None:
    """Operator, credit, and each with the causes that stand after it."""
    rig = wallonia(-100)
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    arm(rig, 2, 1)
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
    rig.order(3, Kind.SNAPSHOT, rig.snapshot(2, 2000))
    assert [row[2:] for row in rows(rig, catalogue.RELAY_EVENT_LOG)] == [
        (RelayCode.REMOTE_DISCONNECTION, 0, "01000000"),
        (RelayCode.OPERATOR_CLEARED, 2, "10000000"),
        (RelayCode.LOCAL_CONNECTION, 1, "00000000"),
    ]


def test_an_event_and_its_cause_are_one_record() -> None:
    """One flash operation for the order, the relay and both logs."""
    rig = wallonia(-100)
    before = operations(rig)
    arm(rig, 2, 1)
    assert rig.relay == "ready_for_reconnection"
    assert operations(rig) == before + 1
    assert (rig.codes[-1], rig.relay_codes[-1]) == (Code.CUT, RelayCode.LOCAL_DISCONNECTION)


# --- how it is read ----------------------------------------------------------------------------


def test_the_event_objects_hold_the_last_codes() -> None:
    """What a push carries: 0-0:96.11.0 and 0-0:96.11.2, unsigned."""
    rig = wallonia(-100)
    arm(rig, 2, 1)
    assert rig.get(catalogue.EVENT, 1, caller=READER) == unsigned(Code.CUT)
    assert rig.get(catalogue.RELAY_EVENT, 1, caller=READER) == unsigned(64)
    assert Rig().get(catalogue.RELAY_EVENT, 1) == unsigned(0)


def test_two_events_of_one_code_are_told_apart_by_the_counter_of_their_log() -> None:
    """0-0:96.15.0 and 0-0:96.15.2 count what went into each log, since manufacture."""
    rig = Rig("il")
    relay = rig.get(catalogue.RELAY_EVENT_COUNTER, 1, caller=READER)
    assert (counted(rig), relay) == (1, double_long_unsigned(0))  # power up
    for count in range(EVENTS_KEPT + 30):
        rig.enter(b"no token %d" % count)
        assert counted(rig) == count + 2
    rig.boot()
    assert counted(rig) == EVENTS_KEPT + 32
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    assert counted(rig) == EVENTS_KEPT + 32
    assert rig.get(catalogue.RELAY_EVENT_COUNTER, 1) == double_long_unsigned(1)


def counted(rig: Rig) -> int:
    """Return how many events went into the standard log, as a reader reads it."""
    value = rig.get(catalogue.EVENT_COUNTER, 1, caller=READER)
    assert isinstance(value, Data)
    assert value.tag is Tag.DOUBLE_LONG_UNSIGNED
    assert isinstance(value.value, int)
    return value.value


def test_a_counter_that_is_full_begins_anew() -> None:
    """As a double-long-unsigned does; nothing else of the log minds."""
    last = LoggedEvent(0xFFFF_FFFF, 0, True, 44, 0)
    assert events.count((last,)) == 0
    assert events.count((replace(last, number=0xFFFF_FFFE),)) == 0xFFFF_FFFF


def test_a_full_ring_forgets_the_oldest_and_comes_back_in_order() -> None:
    """A hundred rows, also after a restart in the middle of the ring."""
    rig = Rig("il")
    for count in range(EVENTS_KEPT + 30):
        rig.enter(b"no token %d" % count)
    assert len(rig.kernel.state.events) == EVENTS_KEPT
    numbers = [row.number for row in rig.kernel.state.events]
    assert numbers == list(range(31, EVENTS_KEPT + 31))
    rig.boot()
    assert [row.number for row in rig.kernel.state.events] == list(range(32, EVENTS_KEPT + 32))


def test_a_log_is_read_by_entry() -> None:
    """As any profile generic."""
    rig = wallonia(400)
    access = SelectiveAccess(2, ENTRY_DESCRIPTOR.to_data((2, 3, 2, 2)))
    found = rig.get(catalogue.EVENT_LOG, 7, access=access)
    assert isinstance(found, Data)
    assert [row.value[0].value for row in found.value] == [Code.OPENED, Code.LOW_CREDIT]


def test_what_changes_nothing_writes_nothing() -> None:
    """The very same state, and no row."""
    rig = wallonia()
    view = rig.kernel.view
    assert events.record(view.state, view) is view.state


@pytest.mark.parametrize("enum", [Code, RelayCode])
def test_a_code_fits_its_octet(enum: Any) -> None:
    """And those of our own keep to their range."""
    assert all(0 < code <= 255 for code in enum)
    assert not any(100 <= code < 200 for code in enum)
