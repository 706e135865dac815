"""The meter's state: changed cheaply, compared by identity, encoded as it is declared."""

from dataclasses import fields
from typing import Any

import pytest
from construct import Bytes
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.board import Button
from meter_fw.cells import RINGS, SINGLES, changes, restore
from meter_fw.line_state import KEY_FIELDS, Counters, Key
from meter_fw.nvram import CellKey
from meter_fw.state import Day, Energy, MeterState, Totals
from obis.values import replace
from tests.meter_fw.rig import Rig

CELLS = {**SINGLES, **RINGS}

days = st.lists(st.integers(0, 90), max_size=6, unique_by=lambda number: number % 62)
states = st.builds(
    MeterState,
    energy=st.builds(Energy, imported=st.integers(0, 3)),
    totals=st.builds(Totals, paid=st.integers(0, 2)),
    counters=st.builds(Counters, received=st.integers(-1, 1)),
    days=days.map(lambda numbers: tuple(Day(number, number * 10) for number in sorted(numbers))),
)


def naive(old: MeterState, new: MeterState) -> dict[CellKey, bytes | None]:
    """Compare all that both states would leave in flash, octet by octet."""
    before, after = image(old), image(new)
    gone: dict[CellKey, bytes | None] = dict.fromkeys(before.keys() - after.keys())
    return gone | {key: octets for key, octets in after.items() if before.get(key) != octets}


def image(state: MeterState) -> dict[CellKey, bytes]:
    """Return every cell of a state."""
    singles = {cell.key(): cell.encode(getattr(state, name)) for name, cell in SINGLES.items()}
    rings = {
        cell.key(item.slot): cell.encode(item)
        for name, cell in RINGS.items()
        for item in getattr(state, name)
    }
    return singles | rings


def test_every_field_has_its_cell() -> None:
    """A field without one would be forgotten by a power cut."""
    assert {field.name for field in fields(MeterState)} == CELLS.keys()


def test_every_key_is_among_the_key_fields() -> None:
    """What looks at all the keys, to tell of a change or to forget what was made of one, has it."""
    held = {field.name for field in fields(MeterState) if field.type is Key}
    assert held == set(KEY_FIELDS)


@given(states, states)
def test_changes_are_what_differs_in_flash(old: MeterState, new: MeterState) -> None:
    """Whether objects are the same or only equal makes no difference to what is written."""
    assert changes(old, new) == naive(old, new)
    assert changes(old, new, new.touched(old)) == naive(old, new)


@given(states, states)
def test_equal_cells_are_not_written_again(old: MeterState, new: MeterState) -> None:
    """A state that is made anew from the octets of another differs in nothing."""
    copy = restore(image(new))
    assert changes(new, copy) == {}
    assert changes(old, copy) == naive(old, new)


@given(states, states)
def test_but_is_replace(old: MeterState, new: MeterState) -> None:
    """The quick way and that of the standard library come to the same state."""
    quick = old.but(energy=new.energy, days=new.days)
    assert quick == replace(old, energy=new.energy, days=new.days)
    assert set(quick.touched(old)) <= {"energy", "days"}
    assert list(vars(quick)) == [field.name for field in fields(MeterState)]


def test_but_knows_its_cells() -> None:
    """A name that is none is a mistake of ours, told at once."""
    with pytest.raises(TypeError, match="enrgy"):
        MeterState().but(enrgy=Energy())


def test_but_leaves_the_state_alone() -> None:
    """States are values: what a rule was given stays as it was."""
    state = MeterState()
    state.but(energy=Energy(5))
    assert state == MeterState()


def sample(field: Any, place: int) -> int | bytes:
    """Return a value for a field of a declaration; 1 where it may be an enumeration or a flag."""
    if isinstance(field.subcon, Bytes):
        return bytes(range(field.sizeof()))
    return 1 if field.sizeof() == 1 else place + 2


@pytest.mark.parametrize("name", sorted(CELLS))
def test_the_octets_are_those_of_the_declaration(name: str) -> None:
    """What construct builds by the declaration is what struct reads and writes, for every cell."""
    cell = CELLS[name]
    values = {field.name: sample(field, at) for at, field in enumerate(cell.layout.subcons)}
    octets = bytes([cell.version]) + cell.layout.build(values)
    assert cell.encode(cell.decode(octets)) == octets


def test_the_display_is_that_of_its_tick() -> None:
    """It is drawn when somebody looks, and shows what stood there then, however late that is."""
    rig = Rig()
    rig.use(1000)
    then = rig.last
    rig.use(500)
    assert (then.lcd.value, rig.last.lcd.value) == ("000001.000", "000001.500")
    rig.press(Button.DISPLAY)
    assert then.lcd.code == "1.8.0"
    assert rig.last.lcd.code != "1.8.0"


def test_a_calm_tick_writes_nothing() -> None:
    """Between two edges of a quarter-hour energy waits, and where nothing moved nothing is new."""
    rig = Rig()
    before = rig.kernel.state
    rig.tick()
    assert rig.kernel.state is before
    operations = rig.flash.operations  # type: ignore[attr-defined]  # it is flash of software
    rig.use(10)
    assert rig.flash.operations == operations  # type: ignore[attr-defined]  # likewise
    rig.tick(failing=True)
    assert rig.flash.operations > operations  # type: ignore[attr-defined]  # likewise
