"""The view: made cheaply at each tick, and never of another moment than the state it shows."""

from dataclasses import fields

import pytest

from meter_fw import money
from meter_fw.board import Inputs, Phase
from meter_fw.state import Energy
from meter_fw.supply import Windows
from meter_fw.view import View
from obis import catalogue
from obis.values import replace
from prepay.schedule import ScheduleEntry
from prepay.schedule_rows import entry_row
from protocol.axdr import Data, octet_string
from protocol.codes import DataAccessResult
from protocol.cosem import types
from protocol.cosem.schedule import SCHEDULE
from protocol.events import AttributeRef, SetRequest, SetResponse
from protocol.timing import Instant
from tests.meter_fw.rig import MANAGER, Rig
from tests.meter_fw.test_calendar import NOON


def put(rig: Rig, target: AttributeRef, value: Data) -> None:
    """SET an attribute, and let no tick pass."""
    answer = rig.kernel.answer(MANAGER, SetRequest(target, value))
    assert isinstance(answer, SetResponse)
    assert answer.result is DataAccessResult.SUCCESS


def afresh(rig: Rig) -> View:
    """Return the view as clock and windows that remember nothing make it."""
    view = rig.kernel.view
    clock = rig.now + view.state.clock.offset
    friendly = Windows(rig.factory).cover(clock, rig.kernel.state)
    return replace(view, state=rig.kernel.state, clock=clock, friendly=friendly)


def test_another_state_or_moment_is_what_replace_makes_of_it() -> None:
    """The quick way and that of the standard library come to the same view."""
    rig = Rig("il")
    view, used = rig.kernel.view, rig.kernel.state.but(energy=Energy(imported=5))
    assert view.with_state(used) == replace(view, state=used)
    phases = (Phase(2300, 100, 230),)
    moved = view.at_moment(used, 7, True, 230, MANAGER, Instant(8), False, 9, phases)
    assert moved == replace(
        view,
        state=used,
        clock=7,
        friendly=True,
        power=230,
        caller=MANAGER,
        board=Instant(8),
        contact=False,
        exported_power=9,
        phases=phases,
    )
    assert vars(moved).keys() == {field.name for field in fields(View)}


def test_a_clock_that_is_set_is_that_of_the_view_at_once() -> None:
    """Not from the next tick on: the rules of the very request go by it."""
    rig = Rig("il")
    assert rig.kernel.view == afresh(rig)
    before = rig.kernel.view.clock
    stamp = rig.stamp("2026-11-27T18:30").to_bytes()  # the Sabbath has begun, here and now
    put(rig, AttributeRef(8, catalogue.CLOCK, 2), octet_string(stamp))
    assert rig.kernel.view.clock - before == 102.5 * 3_600_000
    assert rig.kernel.view == afresh(rig)


@pytest.mark.parametrize("entry", [NOON, replace(NOON, opens=False)])
def test_a_calendar_that_is_written_is_that_of_the_view_at_once(entry: ScheduleEntry) -> None:
    """It is noon: a window that opens now is in force with the answer."""
    rig = Rig()
    assert not rig.kernel.view.friendly
    rows = types.to_data(SCHEDULE.attributes[1].type, [entry_row(entry)])
    put(rig, AttributeRef(10, catalogue.CALENDAR_SCHEDULE, 2), rows)
    assert rig.kernel.view.friendly is entry.opens
    assert rig.kernel.view == afresh(rig)


def test_a_tick_brings_all_that_the_board_tells() -> None:
    """Power both ways, contact and phases are those of the last tick, and of no other."""
    rig = Rig()
    phases = (Phase(2311, 52, 119),)
    told = Inputs(power=120, contact_closed=True, exported_power=3, phases=phases)
    later = Instant(rig.now + 1000)
    rig.kernel.tick(later, told)
    view = rig.kernel.view
    assert (view.power, view.contact, view.exported_power) == (120, True, 3)
    assert (view.phases, view.board) == (phases, later)
    rig.kernel.tick(later, Inputs())
    view = rig.kernel.view
    assert (view.power, view.contact, view.exported_power, view.phases) == (0, None, 0, ())


def test_energy_that_is_used_changes_nothing_else_of_its_cell() -> None:
    """Whatever the cell of energy holds beside the register is carried along."""
    view = Rig("il").kernel.view
    marked = Energy(**{name: place + 1 for place, name in enumerate(Energy.__struct_fields__)})
    after = money.consume(view.with_state(view.state.but(energy=marked)), 250, 0)
    assert after.energy == replace(marked, imported=marked.imported + 250)


def test_where_nothing_is_used_nothing_changes() -> None:
    """The very same state: so no cell of it is looked at."""
    view = Rig("il").kernel.view
    assert money.consume(view, 0, 0) is view.state
