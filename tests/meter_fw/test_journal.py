"""What the journal promises while nothing goes wrong, and what it refuses."""

import random
import zlib

import pytest

from meter_fw.nvram import (
    MAX_VALUE,
    CellKey,
    CommitTooLarge,
    Finding,
    FlashFailure,
    InvalidCell,
    Journal,
    JournalError,
    Mounted,
    NotMounted,
    StateTooLarge,
    UnknownFormat,
)
from meter_fw.nvram.layout import HEADER, HEADER_LENGTH, MODULUS, RECORD_OVERHEAD, VERSION
from meter_fw.nvram.recovery import initial_image
from sim.flash import Cut, MemoryFlash, PowerCut, Tear
from tests.meter_fw.journal_day import BLOCK_SIZE, Commit, State, apply, day, lived

A, B, C = CellKey(1), CellKey(1, 1), CellKey(2)


def mounted(flash: MemoryFlash, blocks: tuple[int, ...] = (0, 1)) -> Journal:
    """Return a mounted journal."""
    journal = Journal(flash, blocks)
    journal.mount()
    return journal


def small_flash(blocks: int = 2, size: int = 256) -> MemoryFlash:
    """Return an erased flash that refuses to program an octet twice."""
    return MemoryFlash(blocks, size, strict=True)


def test_erased_flash_is_a_new_meter() -> None:
    """It mounts as fresh, without a cell, and mounting writes nothing."""
    flash = small_flash()
    assert Journal(flash).mount() == Mounted({}, Finding.FRESH, 0)
    assert flash.operations == 0


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_told_from_a_new_meter(seed: int) -> None:
    """Random octets mount as empty and LOST; the first commit makes a journal of them."""
    flash = MemoryFlash(2, 256)
    flash.fill(random.Random(seed).randbytes(512))
    journal = Journal(flash)
    assert journal.mount() == Mounted({}, Finding.LOST, 0)
    journal.commit({A: b"new life"})
    assert Journal(flash).mount().cells == {A: b"new life"}
    for length in range(60, 67):
        journal.commit({B: bytes(length)})
    assert Journal(flash).mount().finding is Finding.CLEAN


@pytest.mark.parametrize("fill", [0x00, 0x43, 0x52, 0xFE])
def test_flash_of_one_octet_repeated_is_lost(fill: int) -> None:
    """Octets that look like tags or like nothing at all are garbage too."""
    flash = MemoryFlash(2, 256)
    flash.fill(bytes([fill]) * 512)
    assert Journal(flash).mount() == Mounted({}, Finding.LOST, 0)


def test_commits_put_replace_and_delete() -> None:
    """What was committed is there after the next mount, and only that."""
    flash = small_flash()
    journal = mounted(flash)
    journal.commit({A: b"one", B: b""})
    journal.commit({A: b"two", C: b"three"})
    journal.commit({B: None})
    expected = {A: b"two", C: b"three"}
    assert journal.cells == expected
    assert Journal(flash).mount() == Mounted(expected, Finding.CLEAN, 3)


def test_what_changes_nothing_is_not_written() -> None:
    """Equal values and the deletion of absent cells cost no flash."""
    flash = small_flash()
    journal = mounted(flash)
    journal.commit({A: b"one"})
    operations = flash.operations
    for changes in ({}, {A: b"one"}, {B: None}, {A: b"one", C: None}):
        journal.commit(changes)
    assert flash.operations == operations


def test_a_commit_is_one_program_operation() -> None:
    """That is what a commit costs in a file, where each operation is an fsync."""
    flash = small_flash()
    journal = mounted(flash)
    journal.commit({A: b"one"})
    operations = flash.operations
    journal.commit({A: b"two", B: b"three"})
    assert flash.operations == operations + 1


def test_the_mounted_cells_are_the_callers_own() -> None:
    """Changing them, or trying to change the view, does not change the journal."""
    journal = mounted(small_flash())
    journal.commit({A: b"one"})
    journal.mount().cells[A] = b"other"
    assert journal.cells == {A: b"one"}
    with pytest.raises(TypeError):
        journal.cells[A] = b"other"  # type: ignore[index]  # that is the point


def test_a_day_in_the_given_blocks_only() -> None:
    """The journal leaves the blocks that are not its own alone."""
    flash = small_flash(5, BLOCK_SIZE)
    journal = mounted(flash, (3, 1))
    state = journal.mount().cells
    for commit in day():
        journal.commit(commit)
        state = apply(state, commit)
    assert Journal(flash, (3, 1)).mount().cells == state
    assert [bool(count) for count in flash.erasures] == [False, True, False, True, False]


def test_blocks_take_turns() -> None:
    """Wear is spread evenly, over three blocks as over two."""
    for blocks in (2, 3):
        flash = small_flash(blocks, BLOCK_SIZE)
        lived(flash, day())
        assert max(flash.erasures) - min(flash.erasures) <= 1


@pytest.mark.parametrize("generation", [MODULUS - 3, MODULUS // 2 - 2])
@pytest.mark.parametrize("sequence", [MODULUS - 100, MODULUS // 2 - 5])
def test_generation_and_sequence_wrap(generation: int, sequence: int) -> None:
    """Counting past 2**32, or past half of it, loses nothing; each mount along the way is right."""
    flash = small_flash(2, BLOCK_SIZE)
    flash.program(0, 0, initial_image(generation, sequence, {A: b"old"}))
    state = {A: b"old"}
    for commit in day():
        journal = Journal(flash)
        found = journal.mount()
        assert (found.cells, found.finding) == (state, Finding.CLEAN)
        journal.commit(commit)
        state = apply(state, commit)
    assert Journal(flash).mount().cells == state
    assert sum(flash.erasures) > 10


@pytest.mark.parametrize(
    "blocks", [(), (0,), (0, 0), (0, 2), (-1, 0)], ids=["none", "one", "same", "beyond", "negative"]
)
def test_blocks_that_make_no_journal(blocks: tuple[int, ...]) -> None:
    """Two or more different blocks of the flash it has to be."""
    with pytest.raises(JournalError):
        Journal(small_flash(), blocks)


def test_blocks_too_small() -> None:
    """A block has to have room for header, checkpoint and commit."""
    with pytest.raises(JournalError, match="too small"):
        Journal(MemoryFlash(2, 64))


def test_mount_comes_first() -> None:
    """Before it, nothing is known about what is on flash."""
    journal = Journal(small_flash())
    with pytest.raises(NotMounted):
        journal.commit({A: b"one"})
    with pytest.raises(NotMounted):
        _ = journal.cells


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (CellKey(256), b""),
        (CellKey(-1), b""),
        (CellKey(0, 65536), b""),
        (CellKey(0, -1), b""),
        (CellKey(0), bytes(MAX_VALUE + 1)),
    ],
)
def test_cells_that_cannot_be_written(key: CellKey, value: bytes) -> None:
    """A key out of range or a value too long is refused whole, with what came beside it."""
    flash = small_flash(2, 1024)
    journal = mounted(flash)
    with pytest.raises(InvalidCell):
        journal.commit({A: b"beside", key: value})
    assert flash.operations == 0
    assert journal.cells == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (CellKey(0, 0), b""),
        (CellKey(255, 65535), bytes(MAX_VALUE)),
        (CellKey(0, 1), b"\xff" * MAX_VALUE),
        (CellKey(0, 1), bytes(MAX_VALUE - 1)),
    ],
)
def test_cells_at_the_bounds(key: CellKey, value: bytes) -> None:
    """The least and the most that a cell can be."""
    flash = small_flash(2, 1024)
    mounted(flash).commit({key: value})
    assert Journal(flash).mount().cells == {key: value}


def test_a_state_that_would_not_fit_in_a_checkpoint() -> None:
    """It is refused before anything is written, and deleting makes room again."""
    flash = small_flash(2, 1024)
    journal = mounted(flash)
    filled: Commit = {CellKey(1, index): bytes(60) for index in range(11)}
    journal.commit(filled)
    image = flash.image
    with pytest.raises(StateTooLarge, match=r"\d+ octets of \d+"):
        journal.commit({CellKey(2): bytes(60)})
    assert flash.image == image
    journal.commit({CellKey(1, 0): None, CellKey(2): bytes(60)})
    assert Journal(flash).mount().cells == apply(
        apply({}, filled), {CellKey(1, 0): None, CellKey(2): bytes(60)}
    )


def test_a_state_as_large_as_can_be_still_takes_commits() -> None:
    """A quarter of a block stays for commits, so the journal never locks itself up."""
    flash = small_flash(2, 1024)
    journal = mounted(flash)
    full = (1024 * 3 // 4 - HEADER_LENGTH - RECORD_OVERHEAD - 2) // 4
    for index in range(full):
        journal.commit({CellKey(1, index): b""})
    with pytest.raises(StateTooLarge):
        journal.commit({CellKey(2): b""})
    for turn in range(100):
        journal.commit({CellKey(1, turn): None, CellKey(3, turn): b""})
        assert len(Journal(flash).mount().cells) == full


def test_a_state_beyond_the_bound_may_still_shrink() -> None:
    """A firmware with another bound may have left it; deleting is the way out."""
    flash = small_flash()
    flash.program(0, 0, initial_image(1, 1, {A: bytes(100), B: bytes(80), C: b""}))
    journal = mounted(flash)
    journal.commit({C: None})
    with pytest.raises(StateTooLarge):
        journal.commit({C: b""})
    assert Journal(flash).mount().cells == {A: bytes(100), B: bytes(80)}


def test_changes_that_would_not_fit_behind_a_checkpoint() -> None:
    """Too many at once are refused before anything is written."""
    flash = small_flash(2, 1024)
    journal = mounted(flash)
    journal.commit({CellKey(1, index): bytes(60) for index in range(11)})
    operations = flash.operations
    with pytest.raises(CommitTooLarge):
        journal.commit({CellKey(1, index): b"\x01" * 60 for index in range(11)})
    assert flash.operations == operations


def test_another_firmwares_format_is_left_alone() -> None:
    """A right header of an unknown version is not garbage: somebody's balance is in there."""
    flash = small_flash()
    mounted(flash).commit({A: b"one"})
    fields = {"magic": b"OPnv", "version": VERSION + 1, "generation": 7}

    check = zlib.crc32(HEADER.fields.build(fields))
    flash.program(1, 0, HEADER.build({"fields": fields, "check": check}))
    with pytest.raises(UnknownFormat, match=f"version {VERSION + 1}"):
        Journal(flash).mount()


def test_a_bad_cell_moves_the_journal_on() -> None:
    """What does not read back as programmed is written to another block."""
    flash = MemoryFlash(2, 256)
    journal = mounted(flash)
    journal.commit({A: b"one"})
    flash.stick_bit(0, HEADER_LENGTH + 60, 0, 1)
    flash.stick_bit(0, HEADER_LENGTH + 61, 0, 0)
    for turn in range(4):
        journal.commit({A: bytes([turn]) * 20})
        assert Journal(flash).mount().cells == {A: bytes([turn]) * 20}
    assert flash.erasures[1] > 0


def test_no_good_block_left() -> None:
    """A named error after a bounded number of attempts, and the state is the one before."""
    flash = MemoryFlash(2, 256)
    journal = mounted(flash)
    journal.commit({A: b"one"})
    operations = flash.operations
    flash.stick_bit(0, 100, 0, 0)
    flash.stick_bit(1, 4, 0, 0)  # the version in the header
    with pytest.raises(FlashFailure):
        journal.commit({B: b"\xff" * 90})
    assert flash.operations - operations <= 4
    assert journal.cells == Journal(flash).mount().cells == {A: b"one"}


def test_a_block_that_takes_checkpoints_but_no_commits() -> None:
    """The journal tries each block in turn, gives up, and still holds the state."""
    flash = MemoryFlash(2, 256)
    journal = mounted(flash)
    journal.commit({A: b"one"})
    operations = flash.operations
    for block in range(2):
        flash.stick_bit(block, 120, 0, 1)
    with pytest.raises(FlashFailure, match="record"):
        journal.commit({B: b"\x00" * 90})
    assert flash.operations - operations <= 8
    assert journal.cells == Journal(flash).mount().cells == {A: b"one"}
    journal.commit({B: b"\x00" * 20})
    assert Journal(flash).mount().cells == {A: b"one", B: b"\x00" * 20}


@pytest.mark.parametrize("value", [0, 1])
def test_a_checkpoint_is_read_back(value: int) -> None:
    """A block that does not take it is not gone on with, and the state stays where it is."""
    flash = MemoryFlash(2, 256)
    journal = mounted(flash)
    journal.commit({A: b"\xa5" * 100})
    flash.stick_bit(1, HEADER_LENGTH + 40, 1 if value else 7, value)
    attempts = [b"\x00" * 50, b"\x01" * 50]
    journal.commit({B: attempts[0]})
    with pytest.raises(FlashFailure, match="checkpoint"):
        journal.commit({B: attempts[1]})
    assert Journal(flash).mount().cells == {A: b"\xa5" * 100, B: attempts[0]}


class MisreadFlash(MemoryFlash):
    """Flash that reads one octet wrong, once, when told to."""

    misread = False

    def read(self, block: int, offset: int, length: int) -> bytes:
        octets = super().read(block, offset, length)
        if self.misread:
            self.misread = False
            return bytes([octets[0] ^ 1]) + octets[1:]
        return octets


def test_a_checkpoint_that_was_misread_is_not_worked_around() -> None:
    """It is good on flash and newer: a commit behind the older one would be lost with the boot."""
    flash = MisreadFlash(2, 256, strict=True)
    journal = mounted(flash)
    journal.commit({A: bytes(100)})
    journal.commit({B: bytes(50)})
    flash.misread = True
    with pytest.raises(FlashFailure):
        journal.commit({B: b"\x01" * 50})
    journal.commit({C: b"c"})
    assert Journal(flash).mount().cells == {A: bytes(100), B: bytes(50), C: b"c"}


@pytest.mark.parametrize("tear", Tear)
@pytest.mark.parametrize("seed", range(5))
def test_a_firmware_that_outlives_a_power_dip(tear: Tear, seed: int) -> None:
    """The commit that raised is not there, and nothing is programmed over what it left."""
    flash = small_flash()
    journal = mounted(flash)
    journal.commit({A: b"one"})
    flash.cut_at(Cut(flash.operations, tear, seed))
    with pytest.raises(PowerCut):
        journal.commit({B: b"two"})
    flash.power_on()
    journal.commit({C: b"three"})
    assert Journal(flash).mount().cells == journal.cells == {A: b"one", C: b"three"}


def test_a_bad_cell_in_a_free_place_does_not_stop_the_meter() -> None:
    """Each time a commit meets it the journal compacts, and every commit is kept."""
    flash = MemoryFlash(2, BLOCK_SIZE)
    flash.stick_bit(1, BLOCK_SIZE - 100, 0, 0)
    flash.stick_bit(1, BLOCK_SIZE - 101, 0, 1)
    journal = mounted(flash)
    state: State = {}
    for commit in day():
        journal.commit(commit)
        state = apply(state, commit)
        assert Journal(flash).mount().cells == state


@pytest.mark.parametrize("blocks", [2, 3])
def test_bad_blocks_never_lose_the_state(blocks: int) -> None:
    """While commits fail for want of a good block, what was committed stays readable."""
    flash = MemoryFlash(blocks, 256)
    numbers = tuple(range(blocks))
    journal = mounted(flash, numbers)
    journal.commit({A: b"one"})
    for block in numbers[1:]:
        flash.stick_bit(block, 4, 0, 0)  # the version in the header
    flash.stick_bit(0, 125, 7, 0)
    failures = 0
    for turn in range(10):
        try:
            journal.commit({A: bytes([0x80 + turn]) * 40})
        except FlashFailure:
            failures += 1
        assert Journal(flash, numbers).mount().cells == journal.cells
    assert failures == 9  # the first one fits in front of the bad bit


def test_a_third_block_stands_in_for_a_bad_one() -> None:
    """With a spare, a bad block costs nothing but its erasures."""
    flash = MemoryFlash(3, BLOCK_SIZE)
    flash.stick_bit(1, 4, 0, 0)  # the version in the header
    states = lived(flash, day())
    assert Journal(flash, range(3)).mount().cells == states[-1]
