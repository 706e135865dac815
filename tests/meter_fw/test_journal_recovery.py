"""Blocks made by hand: what is read from them, case by case."""

from collections.abc import Mapping

import pytest

from meter_fw.nvram import CellKey, Finding
from meter_fw.nvram.layout import (
    HEADER_LENGTH,
    Changes,
    Tag,
    encode_body,
    encode_record,
)
from meter_fw.nvram.recovery import Recovery, initial_image, recover

SIZE = 300
A, B = CellKey(1), CellKey(2)
BLANK = b"\xff" * SIZE


def block(
    generation: int, sequence: int, cells: Mapping[CellKey, bytes], *commits: tuple[int, Changes]
) -> bytes:
    """Return a block with that checkpoint and those commits, by sequence."""
    image = initial_image(generation, sequence, cells)
    for number, changes in commits:
        image += encode_record(Tag.COMMIT, encode_body(changes), number, generation)
    return image.ljust(SIZE, b"\xff")


def spoil(image: bytes, offset: int) -> bytes:
    """Return the block with one bit of that octet flipped."""
    return image[:offset] + bytes([image[offset] ^ 1]) + image[offset + 1 :]


def read(*images: bytes) -> Recovery:
    """Return what is recovered from these blocks."""
    return recover(dict(enumerate(images)))


def test_the_newest_base_counts() -> None:
    """Whichever block it is in."""
    old, new = (
        block(4, 10, {A: b"old"}, (11, {A: b"then"})),
        block(5, 11, {A: b"then"}, (12, {B: b"new"})),
    )
    for images in ((old, new), (new, old)):
        state = read(*images)
        assert (state.cells, state.sequence, state.generation) == ({A: b"then", B: b"new"}, 12, 5)
        assert state.finding is Finding.CLEAN
        assert state.appendable


@pytest.mark.parametrize("sequence", [10, 9, 12, 0])
def test_a_commit_out_of_sequence_is_not_applied(sequence: int) -> None:
    """It is right in itself, but a commit is missing before it."""
    state = read(block(4, 10, {A: b"a"}, (sequence, {A: b"b"})), BLANK)
    assert state.cells == {A: b"a"}
    assert state.finding is (Finding.ROLLED_BACK if sequence == 12 else Finding.INTERRUPTED)
    assert not state.appendable


def test_a_commit_of_another_generation_is_not_applied() -> None:
    """An unfinished erasure left it behind."""
    stale = encode_record(Tag.COMMIT, encode_body({A: b"stale"}), 11, 3)
    image = initial_image(4, 10, {A: b"a"}) + stale
    state = read(image.ljust(SIZE, b"\xff"), BLANK)
    assert state.cells == {A: b"a"}
    assert state.finding is Finding.INTERRUPTED


def test_a_checkpoint_is_never_taken_for_a_commit() -> None:
    """Else a cell that was deleted in the damaged commit would be back beside the new ones."""
    damaged = block(4, 10, {A: b"a"}, (11, {A: None, B: b"b"}))
    damaged = spoil(damaged, len(damaged.rstrip(b"\xff")) - 5)
    newer = spoil(block(5, 11, {B: b"b"}), 6)
    state = read(damaged, newer)
    assert state.cells == {A: b"a"}
    assert not state.appendable


def test_commits_that_cannot_be_reached_are_reported() -> None:
    """The newest checkpoint and the commit behind it are bad, later ones are good."""
    older = block(4, 10, {A: b"a"})
    newer = block(5, 10, {A: b"a"}, (11, {A: b"b"}), (12, {A: b"c"}))
    first_commit = len(initial_image(5, 10, {A: b"a"}))
    state = read(older, spoil(spoil(newer, HEADER_LENGTH + 9), first_commit + 9))
    assert state.cells == {A: b"a"}
    assert state.finding is Finding.ROLLED_BACK


@pytest.mark.parametrize("place", [6, HEADER_LENGTH + 9], ids=["header", "checkpoint"])
def test_a_rebuilt_state_needs_both_blocks(place: int) -> None:
    """The older one for its state, the newer one for its commits; nothing may be appended."""
    older = block(4, 9, {A: b"a"}, (10, {B: b"b"}))
    newer = block(5, 10, {A: b"a", B: b"b"}, (11, {A: None}))
    state = read(older, spoil(newer, place))
    assert state.cells == {B: b"b"}
    assert (state.finding, state.needed, state.sequence) == (Finding.REBUILT, [0, 1], 11)
    assert not state.appendable


def test_the_last_of_both_blocks_gone() -> None:
    """No base: lost, and the next generation is newer than any header that can be read."""
    older, newer = block(4, 9, {A: b"a"}), block(5, 10, {A: b"b"})
    state = read(spoil(older, HEADER_LENGTH + 9), spoil(newer, HEADER_LENGTH + 9))
    assert (state.cells, state.finding, state.generation) == ({}, Finding.LOST, 5)


@pytest.mark.parametrize("octets", range(len(initial_image(1, 0, {}))))
def test_a_first_format_cut_short_is_a_new_meter(octets: int) -> None:
    """At each octet; but not in another block, or beside other octets."""
    form = initial_image(1, 0, {})[:octets].ljust(SIZE, b"\xff")
    assert read(form, BLANK).finding is Finding.FRESH
    if octets:
        assert read(BLANK, form).finding is Finding.LOST
        assert read(form, b"\x00" * SIZE).finding is Finding.LOST


def test_a_damaged_older_block_is_no_harm_but_is_not_left_so() -> None:
    """It is not needed; as it might be an unfinished newer one, the journal writes it anew."""
    older, newer = block(4, 9, {A: b"a"}), block(5, 10, {A: b"b"})
    state = read(spoil(older, 6), newer)
    assert state.cells == {A: b"b"}
    assert not state.appendable
    assert read(spoil(older, HEADER_LENGTH + 9), newer).finding is Finding.CLEAN
