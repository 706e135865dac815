"""Single bits flip: the damage is noticed, and what is shown was a state of the meter."""

from collections.abc import Iterator

import pytest

from meter_fw.nvram import CellKey, Finding, Journal
from meter_fw.nvram.layout import HEADER_LENGTH, Tag, decode_header, decode_record
from sim.flash import Cut, MemoryFlash, PowerCut, Tear
from tests.meter_fw.journal_day import (
    BLOCK_SIZE,
    Commit,
    State,
    apply,
    copy,
    day,
    live,
    lived,
)
from tests.meter_fw.powercut import every_cut

MARK: Commit = {CellKey(200): b"after the flip"}


def aged(commits: int, blocks: int = 2) -> tuple[MemoryFlash, list[State]]:
    """Return a flash after that many commits of the day, and all the states it had."""
    flash = MemoryFlash(blocks, BLOCK_SIZE, strict=True)
    return flash, lived(flash, day()[:commits])


def newest_block(flash: MemoryFlash) -> int:
    """Return the block of the newest generation."""
    generations = {}
    for block in range(flash.block_count):
        generation = decode_header(flash.read(block, 0, flash.block_size))
        generations[-1 if generation is None else generation] = block
    return generations[max(generations)]


def ends_of_records(flash: MemoryFlash, block: int) -> list[int]:
    """Return where the header, the checkpoint and each record of a block end."""
    image = flash.read(block, 0, flash.block_size)
    generation = decode_header(image)
    assert generation is not None
    checkpoint = decode_record(Tag.CHECKPOINT, image, HEADER_LENGTH, generation)
    assert checkpoint is not None
    ends = [HEADER_LENGTH, checkpoint.end]
    while (record := decode_record(Tag.COMMIT, image, ends[-1], generation)) is not None:
        ends.append(record.end)
    return ends


def flipped(flash: MemoryFlash, block: int, start: int, end: int) -> Iterator[MemoryFlash]:
    """Yield the flash with each bit from ``start`` to ``end`` flipped, one at a time."""
    twin = copy(flash)
    for offset in range(start, end):
        for bit in range(8):
            twin.flip_bit(block, offset, bit)
            yield twin
            twin.flip_bit(block, offset, bit)


def just_compacted() -> tuple[MemoryFlash, list[State]]:
    """Return a flash whose power was cut right after a checkpoint, before the commit's record."""
    flash, states = aged(60)
    operations = flash.operations
    for operation in reversed(range(operations)):
        cut = MemoryFlash(2, BLOCK_SIZE)
        cut.cut_at(Cut(operation, Tear.WRITTEN))
        reached: list[State] = []
        with pytest.raises(PowerCut):
            reached.extend(live(cut, day()[:60]))
        cut.power_on()
        if len(ends_of_records(cut, newest_block(cut))) == 2:
            mounted = Journal(cut).mount()
            return cut, [state for state in states if state == mounted.cells]
    raise AssertionError("no compaction")


def test_every_bit_of_the_last_record() -> None:
    """A bit of the last record: that commit is not there, and everything before it is."""
    flash, states = aged(80)
    block = newest_block(flash)
    *_, start, end = ends_of_records(flash, block)
    for twin in flipped(flash, block, start, end):
        mounted = Journal(twin).mount()
        assert mounted.cells == states[-2]
        assert mounted.finding is Finding.INTERRUPTED


def test_every_bit_of_the_last_checkpoint_with_commits_behind_it() -> None:
    """A bit of the newest header or checkpoint: the block before gives the same state again."""
    flash, states = aged(80)
    block = newest_block(flash)
    checkpoint_end = ends_of_records(flash, block)[1]
    for twin in flipped(flash, block, 0, checkpoint_end):
        mounted = Journal(twin).mount()
        assert mounted.cells == states[-1]
        assert mounted.finding is Finding.REBUILT


def test_every_bit_of_a_checkpoint_without_commits_behind_it() -> None:
    """A bit of a checkpoint that nothing follows: its state is still that of the block before."""
    flash, (state,) = just_compacted()
    block = newest_block(flash)
    for twin in flipped(flash, block, 0, ends_of_records(flash, block)[1]):
        mounted = Journal(twin).mount()
        assert mounted.cells == state
        assert mounted.finding is Finding.INTERRUPTED


def test_every_bit_of_the_first_checkpoint_ever() -> None:
    """The first checkpoint has no block before it, and can be rebuilt all the same."""
    flash, states = aged(3)
    for twin in flipped(flash, 0, 0, ends_of_records(flash, 0)[1]):
        mounted = Journal(twin).mount()
        assert mounted.cells == states[-1]
        assert mounted.finding is Finding.REBUILT


def test_every_bit_of_the_flash() -> None:
    """Whichever bit flips, the state was one of the meter's; a stale one is never called whole."""
    flash, states = aged(40)
    for block in range(2):
        for twin in flipped(flash, block, 0, BLOCK_SIZE):
            mounted = Journal(twin).mount()
            assert mounted.cells in states
            if mounted.cells != states[-1]:
                assert mounted.finding in (Finding.INTERRUPTED, Finding.ROLLED_BACK)
            if mounted.finding in (Finding.CLEAN, Finding.REBUILT):
                assert mounted.cells == states[-1]
            if mounted.finding is Finding.INTERRUPTED:
                assert mounted.cells in states[-2:]


def test_a_bad_record_hides_the_good_ones_behind_it() -> None:
    """A state with a commit missing from its middle never existed, so none is made up."""
    flash, states = aged(80)
    block = newest_block(flash)
    ends = ends_of_records(flash, block)
    behind = len(ends) - 3
    assert behind >= 3
    flash.flip_bit(block, ends[1] + 7, 0)
    mounted = Journal(flash).mount()
    assert mounted.cells == states[-2 - behind]
    assert mounted.finding is Finding.ROLLED_BACK


@pytest.mark.parametrize("place", ["header", "checkpoint", "first record", "tail"])
@pytest.mark.parametrize("blocks", [2, 3])
def test_the_repair_can_be_cut_at_every_operation(place: str, blocks: int) -> None:
    """The first commit after damage repairs it; cut there, no commit that was found is lost.

    The one exception is documented: two blocks, and the state hangs on both of them.
    """
    flash, states = aged(80, blocks)
    block = newest_block(flash)
    ends = ends_of_records(flash, block)
    offset = {"header": 6, "checkpoint": ends[0] + 9, "first record": ends[1] + 9, "tail": ends[-1]}
    flash.flip_bit(block, offset[place], 3)
    found = Journal(flash, range(blocks)).mount().cells
    allowed = [found, apply(found, MARK)]
    if blocks == 2 and place in ("header", "checkpoint"):
        allowed.append(states[-len(ends) + 1])
    for cut in every_cut(3, torn_seeds=20):
        twin = copy(flash)
        twin.cut_at(cut)
        journal = Journal(twin, range(blocks))
        journal.mount()
        with pytest.raises(PowerCut):
            journal.commit(MARK)
        twin.power_on()
        assert Journal(twin, range(blocks)).mount().cells in allowed


@pytest.mark.parametrize("blocks", [2, 3])
def test_a_repaired_journal_is_clean(blocks: int) -> None:
    """After the first commit nothing is left of the damage, and a day goes on."""
    flash, _ = aged(80, blocks)
    block = newest_block(flash)
    flash.flip_bit(block, HEADER_LENGTH + 20, 0)
    states = lived(flash, day())
    mounted = Journal(flash, range(blocks)).mount()
    assert mounted.cells == states[-1]
    assert mounted.finding is Finding.CLEAN


def test_three_blocks_in_a_chain() -> None:
    """Two bad checkpoints in turn: with three blocks the state is still rebuilt in full."""
    flash, _ = aged(80, 3)
    flash.flip_bit(newest_block(flash), HEADER_LENGTH + 20, 0)
    journal = Journal(flash, range(3))
    state = journal.mount().cells
    journal.commit(MARK)
    flash.flip_bit(newest_block(flash), HEADER_LENGTH + 20, 0)
    mounted = Journal(flash, range(3)).mount()
    assert mounted.cells == apply(state, MARK)
    assert mounted.finding is Finding.REBUILT
