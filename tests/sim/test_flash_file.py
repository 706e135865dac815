"""Flash in a file: it outlives its process, and has one owner."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meter_fw.nvram import CellKey, Finding, Journal
from sim.flash import (
    Cut,
    FileFlash,
    FlashFileError,
    FlashInUse,
    PowerCut,
    Tear,
    WrongSize,
)

#: Commits as fast as it can and says after each one which it was.
WRITER = """
import sys
from meter_fw.nvram import CellKey, Journal
from sim.flash import FileFlash
flash = FileFlash(sys.argv[1], 2, 512)
journal = Journal(flash)
start = int.from_bytes(journal.mount().cells.get(CellKey(1), b""), "big")
for number in range(start + 1, 1_000_000):
    octets = number.to_bytes(8, "big")
    journal.commit({CellKey(1): octets, CellKey(2, number % 5): octets * 3})
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the flash will be."""
    return tmp_path / "meter.flash"


def test_a_new_file_is_erased_flash(path: Path) -> None:
    """It is made with the size of the flash, every bit set."""
    with FileFlash(path, 2, 64) as flash:
        assert flash.image == b"\xff" * 128
    assert path.read_bytes() == b"\xff" * 128


def test_what_was_written_is_there_again(path: Path) -> None:
    """Programmed, erased and flipped bits alike."""
    with FileFlash(path, 2, 8) as flash:
        flash.program(0, 2, b"kept")
        flash.program(1, 0, b"gone")
        flash.erase(1)
        flash.flip_bit(1, 7, 0)
        image = flash.image
    with FileFlash(path, 2, 8) as flash:
        assert flash.image == image == path.read_bytes()
        assert image == b"\xff\xffkept\xff\xff" + b"\xff" * 7 + b"\xfe"


def test_each_operation_is_one_fsync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is durable on return, against the host's power too, and no dearer than it has to be."""
    with FileFlash(path, 2, 64) as flash:
        synced: list[int] = []
        fsync = os.fsync

        def counted(file: int) -> None:
            synced.append(file)
            fsync(file)

        monkeypatch.setattr(os, "fsync", counted)
        flash.program(0, 0, b"data")
        assert len(synced) == 1
        flash.erase(1)
        assert len(synced) == 2


def test_a_torn_write_is_in_the_file(path: Path) -> None:
    """The cut leaves in the file what it leaves on flash."""
    with FileFlash(path, 1, 64) as flash:
        flash.cut_at(Cut(0, Tear.TORN, 3))
        with pytest.raises(PowerCut):
            flash.program(0, 0, bytes(64))
        assert path.read_bytes() == flash.image != bytes(64)


def test_one_simulator_at_a_time(path: Path) -> None:
    """The second is refused by name until the first lets go."""
    with FileFlash(path, 2, 64), pytest.raises(FlashInUse, match=r"meter\.flash is in use"):
        FileFlash(path, 2, 64)
    FileFlash(path, 2, 64).close()


@pytest.mark.parametrize("size", [1, 127, 129, 4096])
def test_a_file_of_another_size(path: Path, size: int) -> None:
    """It is refused with both sizes, and left as it is."""
    path.write_bytes(bytes(size))
    with pytest.raises(WrongSize, match=f"has {size} octets, this flash 128"):
        FileFlash(path, 2, 64)
    assert path.read_bytes() == bytes(size)


def test_a_file_whose_making_was_cut_short(path: Path) -> None:
    """It holds nothing but erased octets, so it is made in full."""
    path.write_bytes(b"\xff" * 50)
    with FileFlash(path, 2, 64) as flash:
        assert flash.image == b"\xff" * 128
    assert path.stat().st_size == 128


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A folder, or a file in one that does not exist, is a named error with the path in it."""
    for place in (tmp_path, tmp_path / "none" / "meter.flash"):
        with pytest.raises(FlashFileError, match=str(place)):
            FileFlash(place, 2, 64)


def test_a_closed_flash_is_not_written(path: Path) -> None:
    """Closing twice is harmless; writing afterwards is a named error and changes nothing."""
    flash = FileFlash(path, 1, 8)
    flash.close()
    flash.close()
    with pytest.raises(FlashFileError, match="closed"):
        flash.program(0, 0, b"late")
    assert flash.image == path.read_bytes() == b"\xff" * 8


def test_killed_while_it_commits(path: Path) -> None:
    """``kill -9`` in the middle of commits: what was confirmed is there, in each of five lives."""
    confirmed = 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        with process.stdout:
            lines = [process.stdout.readline() for _ in range(20)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
        assert int(lines[0]) in (confirmed + 1, confirmed + 2)
        confirmed = int([line for line in lines if line.endswith("\n")][-1])
        with FileFlash(path, 2, 512) as flash:
            mounted = Journal(flash).mount()
            number = int.from_bytes(mounted.cells[CellKey(1)], "big")
            assert number in (confirmed, confirmed + 1)
            assert mounted.cells[CellKey(2, number % 5)] == number.to_bytes(8, "big") * 3
            assert mounted.finding in (Finding.CLEAN, Finding.INTERRUPTED)
