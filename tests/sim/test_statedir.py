from pathlib import Path

import pytest

from protocol.timing import Instant, later
from sim.board import Contact
from sim.statedir import BoardRecord, NamePlate, StateDir, StateError
from tests.sim.standin import MONDAY

PLATE = NamePlate("OPP0000000000001", "be-wal", 1)


def test_a_new_directory_knows_nothing(tmp_path: Path) -> None:
    """It is made, with its parents, and has neither name plate nor time."""
    state = StateDir(tmp_path / "deep" / "meter")
    assert state.plate() is None
    assert state.board() is None
    state.close()


@pytest.mark.parametrize("contact", Contact)
@pytest.mark.parametrize("now", [Instant(0), MONDAY, Instant(7_258_118_399_999)])
def test_what_was_recorded_is_read_back(tmp_path: Path, contact: Contact, now: Instant) -> None:
    """Time, relay and energy below a pulse; a record replaces the one before it."""
    state = StateDir(tmp_path)
    state.engrave(PLATE)
    state.record(BoardRecord(later(now, 60_000), Contact.OPEN, 899_999))
    state.record(BoardRecord(now, contact, 7))
    state.close()
    again = StateDir(tmp_path)
    assert again.plate() == PLATE
    assert again.board() == BoardRecord(now, contact, 7)
    again.close()


def test_one_directory_serves_one_simulator(tmp_path: Path) -> None:
    """The second is told so, and gets it when the first has gone."""
    first = StateDir(tmp_path)
    with pytest.raises(StateError, match="in use"):
        StateDir(tmp_path)
    first.close()
    StateDir(tmp_path).close()


@pytest.mark.parametrize("place", [0, 14, 18, 20, 26, 30])
def test_a_damaged_record_is_noticed(tmp_path: Path, place: int) -> None:
    """A wrong digit anywhere gives an error, not another time."""
    state = StateDir(tmp_path)
    state.record(BoardRecord(MONDAY, Contact.CLOSED, 123))
    text = bytearray((tmp_path / "board").read_bytes())
    text[place] = ord("7") if text[place] != ord("7") else ord("8")
    (tmp_path / "board").write_bytes(text)
    with pytest.raises(StateError, match="damaged"):
        state.board()
    state.close()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"name": "A"}', '{"name": 1, "profile": "il", "seed": 1}']
)
def test_a_damaged_name_plate_is_noticed(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, the error is one of a known type."""
    state = StateDir(tmp_path)
    (tmp_path / "meter.json").write_text(text)
    with pytest.raises(StateError, match="damaged"):
        state.plate()
    state.close()


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    """The operating system's reason is in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="exists"):
        StateDir(tmp_path / "file")


def test_a_memory_without_its_name_plate_is_nobodys(tmp_path: Path) -> None:
    """Read under another profile its balance would mean something else."""
    state = StateDir(tmp_path)
    state.flash.write_bytes(b"\xff" * 64)  # formatted, and power failed before the plate was on
    state.check()
    state.flash.write_bytes(b"\xff" * 63 + b"\x00")
    with pytest.raises(StateError, match=r"without its meter\.json"):
        state.check()
    state.close()


def test_a_name_plate_without_its_memory_is_no_new_meter(tmp_path: Path) -> None:
    """The balance is gone, and nobody shall be told that it was 0."""
    state = StateDir(tmp_path)
    state.check()
    state.engrave(NamePlate("OPP1", "il", 1))
    with pytest.raises(StateError, match=r"flash\.bin is gone"):
        state.check()
    state.close()
