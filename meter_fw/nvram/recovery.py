"""From the octets of the blocks to the state they hold: what ``Journal.mount`` stands on.

A pure function of the blocks' images. The theory:

- A block is a *base* when its header and its checkpoint are right. The newest base is where
  reading begins; a compaction that was cut leaves no base, so the block before it still counts.
- From there the records are applied in the order of their sequence, up to the first that is not
  right. Where power was cut that is the record being written. Nothing behind it is applied,
  even if it reads well: a state with a commit left out of its middle never existed.
- A checkpoint holds the state at the end of the block before, no more. So when the newest
  checkpoint has gone bad, the block before gives that same state, and the records behind the
  bad checkpoint continue it. They are found by the sequence they must have.
- Erased flash is the base of generation 0 and sequence 0 without cells. So the first checkpoint
  can be rebuilt like any other.

Whatever is not an ordinary end of records makes the journal move to another block before it
writes again (``appendable`` is false): bits can only be cleared, and what once read badly may
read well another day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from meter_fw.nvram.layout import (
    HEADER_LENGTH,
    CellKey,
    Record,
    Tag,
    decode_header,
    decode_record,
    encode_body,
    encode_header,
    encode_record,
    find_commit,
    following,
    is_blank,
    is_newer,
)

#: The least a block can be: a header, an empty checkpoint and some room.
SMALLEST_BLOCK: Final = 128


class Finding(Enum):
    """What mounting found, from the best to the worst."""

    FRESH = "erased, or power failed in the very first write: a new meter"
    CLEAN = "all is readable"
    INTERRUPTED = "a write was cut, or the last commit is damaged: that commit is not there"
    REBUILT = "the newest checkpoint is damaged; the state was rebuilt and nothing is missing"
    ROLLED_BACK = "an unreadable record has others behind it: the state is an older one"
    LOST = "there are octets but no readable state: all cells are gone"


@dataclass(slots=True)
class Recovery:
    """The state on flash, and how to go on from there.

    Args:
        cells: the state.
        finding: how it was found.
        sequence: of the last commit in it; 0 before the first.
        generation: of the newest block read.
        block: the block to append to, or behind which the next one to erase is looked for.
        end: offset behind its last record.
        appendable: whether a record can go there.
        needed: the blocks that the state was read from, oldest first.
    """

    cells: dict[CellKey, bytes] = field(default_factory=dict)
    finding: Finding = Finding.CLEAN
    sequence: int = 0
    generation: int = 0
    block: int = 0
    end: int = 0
    appendable: bool = False
    needed: list[int] = field(default_factory=list)


def initial_image(generation: int, sequence: int, cells: Mapping[CellKey, bytes]) -> bytes:
    """Return what a compaction programs: header and checkpoint.

    Raises:
        InvalidCell: a key out of range, or a value too long.
    """
    checkpoint = encode_record(Tag.CHECKPOINT, encode_body(cells), sequence, generation)
    return encode_header(generation) + checkpoint


class _Block(NamedTuple):
    number: int
    image: bytes
    generation: int | None  # None: there is no header, or a damaged one

    def generation_after(self, state: Recovery) -> int:
        """Return its generation; where the header is damaged, the one it has to have."""
        return following(state.generation) if self.generation is None else self.generation


def recover(images: Mapping[int, bytes]) -> Recovery:
    """Return the state that the blocks hold.

    Args:
        images: the whole of each block, by number, in the order in which they take turns; each
            at least ``SMALLEST_BLOCK`` octets.

    Raises:
        UnknownFormat: a block was written by a firmware with another format.
    """
    blocks = [_Block(number, image, decode_header(image)) for number, image in images.items()]
    state = _read_base(blocks)
    rest = [block for block in blocks if block.number not in state.needed]
    while (found := _successor(rest, state)) is not None:
        block, record = found
        rest.remove(block)
        state.generation = block.generation_after(state)
        state.finding = Finding.REBUILT
        _replay(state, block, record)
    if state.needed:
        _judge(state, images[state.block], rest)
    else:
        _judge_empty(state, blocks)
    return state


def _read_base(blocks: list[_Block]) -> Recovery:
    """Return the state of the newest block whose header and checkpoint are right."""
    state = Recovery()
    newest: tuple[_Block, Record] | None = None
    for block in blocks:
        if block.generation is None or (
            newest is not None and not is_newer(block.generation, state.generation)
        ):
            continue
        checkpoint = decode_record(Tag.CHECKPOINT, block.image, HEADER_LENGTH, block.generation)
        if checkpoint is not None:
            newest = (block, checkpoint)
            state.generation = block.generation
    if newest is not None:
        _replay(state, *newest)
    return state


def _replay(state: Recovery, block: _Block, record: Record | None) -> None:
    """Apply ``record``, whatever its sequence, and then all that follow it in sequence."""
    cells = state.cells
    while record is not None:
        for key, value in record.changes.items():
            if value is None:
                cells.pop(key, None)
            else:
                cells[key] = value
        state.sequence, state.end = record.sequence, record.end
        record = decode_record(Tag.COMMIT, block.image, record.end, state.generation)
        if record is not None and record.sequence != following(state.sequence):
            break
    state.block = block.number
    state.needed.append(block.number)


def _successor(rest: list[_Block], state: Recovery) -> tuple[_Block, Record] | None:
    """Return the block with a damaged checkpoint whose commits continue the state, and the first.

    (With a good one it would have been the base.)
    """
    for block in rest:
        generation = block.generation_after(state)
        if is_newer(generation, state.generation):
            record = find_commit(block.image, HEADER_LENGTH, generation, state.sequence)
            if record is not None and record.sequence == following(state.sequence):
                return block, record
    return None


def _judge(state: Recovery, image: bytes, rest: list[_Block]) -> None:
    """Set the finding and ``appendable`` of a state that was read.

    Args:
        state: the state.
        image: of the last block it was read from.
        rest: the blocks it was not read from.
    """
    suspects = [
        (block.image, HEADER_LENGTH, block.generation_after(state))
        for block in rest
        if not is_blank(block.image)
        and not is_newer(state.generation, block.generation_after(state))
    ]
    whole = is_blank(image[state.end :]) and not suspects
    state.appendable = whole and state.finding is Finding.CLEAN
    places = [(image, state.end, state.generation), *suspects]
    if any(find_commit(*place, state.sequence) is not None for place in places):
        state.finding = Finding.ROLLED_BACK
    elif not whole and state.finding is Finding.CLEAN:
        state.finding = Finding.INTERRUPTED


def _judge_empty(state: Recovery, blocks: list[_Block]) -> None:
    """Tell a new meter from one that has lost everything, and choose where to begin."""
    first, *others = blocks
    if _is_torn_format(first.image) and all(is_blank(block.image) for block in others):
        state.finding = Finding.FRESH
        state.block = blocks[-1].number
        return
    state.finding = Finding.LOST
    # What is erased last is found lost again if power fails before the new beginning is written.
    state.block = [block for block in blocks if not is_blank(block.image)][-1].number
    for block in blocks:
        if block.generation is not None and is_newer(block.generation, state.generation):
            state.generation = block.generation


def _is_torn_format(image: bytes) -> bool:
    """Return whether the block is blank, or has some of the bits of a first format cleared."""
    form = initial_image(following(0), 0, {})
    begun = all(octet & want == want for octet, want in zip(image, form, strict=False))
    return begun and is_blank(image[len(form) :])
