"""The journal: commits of cells that are there in full or not at all, whenever power fails.

Two erase blocks take turns (more than two, if the board can spare them). A commit appends one
record to the block in use. When that is full, the next block is erased and gets a checkpoint
of the state as it is, and then the commit. The block before is not touched until its turn
comes, so at every instant a whole state is on flash; ``recovery`` finds it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from meter_fw.board import Flash
from meter_fw.nvram.errors import (
    CommitTooLarge,
    FlashFailure,
    JournalError,
    NotMounted,
    StateTooLarge,
)
from meter_fw.nvram.layout import (
    CELL_OVERHEAD,
    EMPTY_BODY,
    HEADER_LENGTH,
    MAX_BODY,
    RECORD_OVERHEAD,
    CellKey,
    Changes,
    Tag,
    encode_body,
    encode_record,
    following,
)
from meter_fw.nvram.recovery import SMALLEST_BLOCK, Finding, Recovery, initial_image, recover

_CHECKPOINT_OVERHEAD: Final = HEADER_LENGTH + RECORD_OVERHEAD + EMPTY_BODY


class Mounted(Struct, frozen=True):
    """What mounting found.

    Args:
        cells: the state; the caller's own copy.
        finding: whether it is new, whole, older than it should be, or lost.
        sequence: number of the last commit in it, modulo 2**32; 0 before the first.
    """

    cells: dict[CellKey, bytes]
    finding: Finding
    sequence: int


class Journal:
    """The meter's memory on flash.

    Args:
        flash: the board's flash.
        blocks: the erase blocks that belong to the journal, in the order in which they take
            turns: two or more.

    Raises:
        JournalError: there are no such blocks, or they are too small.
    """

    def __init__(self, flash: Flash, blocks: Sequence[int] = (0, 1)) -> None:
        if len(blocks) < 2 or len(set(blocks)) < len(blocks):
            raise JournalError(f"a journal takes two or more different blocks, not {blocks}")
        if not all(0 <= block < flash.block_count for block in blocks):
            raise JournalError(f"the flash has {flash.block_count} blocks, not {blocks}")
        if flash.block_size < SMALLEST_BLOCK:
            raise JournalError(f"a block of {flash.block_size} octets is too small")
        self._flash = flash
        self._block_size = flash.block_size
        self._blocks = tuple(blocks)
        # A quarter of a block stays for records: else each commit would cost an erasure.
        room = flash.block_size * 3 // 4 - _CHECKPOINT_OVERHEAD
        self._most_octets = min(room, MAX_BODY - EMPTY_BODY)
        self._state: Recovery | None = None
        self._octets = 0

    @property
    def cells(self) -> Mapping[CellKey, bytes]:
        """A view of the state as last committed."""
        return MappingProxyType(self._mounted().cells)

    def mount(self) -> Mounted:
        """Read the state. Writes nothing, so it can be cut and repeated at will.

        Raises:
            UnknownFormat: a firmware with another format wrote the flash.
        """
        size = self._flash.block_size
        state = recover({block: self._flash.read(block, 0, size) for block in self._blocks})
        self._state = state
        self._octets = sum(CELL_OVERHEAD + len(value) for value in state.cells.values())
        return Mounted(dict(state.cells), state.finding, state.sequence)

    def commit(self, changes: Changes) -> None:
        """Put and delete cells: all of them, or none. On return that is durable.

        What changes nothing is not written.

        Args:
            changes: new values by key; None deletes the cell.

        Raises:
            NotMounted: ``mount`` has to come first.
            InvalidCell: a key out of range or a value too long.
            CommitTooLarge: the changes do not fit in a block behind a checkpoint.
            StateTooLarge: the cells would not fit in a checkpoint.
            FlashFailure: no block takes what is programmed.
        """
        state = self._mounted()
        cells, octets = state.cells, self._octets
        news: dict[CellKey, bytes | None] = {}
        for key, value in changes.items():
            before = cells.get(key)
            if before == value:
                continue
            news[key] = value
            if before is not None:
                octets -= CELL_OVERHEAD + len(before)
            if value is not None:
                octets += CELL_OVERHEAD + len(value)
        if not news:
            return
        body = encode_body(news)
        self._check_room(octets, body)
        self._write(body)
        # Point of no return: the commit is on flash.
        state.sequence = following(state.sequence)
        self._octets = octets
        for key, value in news.items():
            if value is None:
                del cells[key]
            else:
                cells[key if isinstance(key, CellKey) else CellKey(*key)] = value

    def _mounted(self) -> Recovery:
        if self._state is None:
            raise NotMounted("mount the journal first")
        return self._state

    def _check_room(self, octets: int, body: bytes) -> None:
        """Refuse now what no compaction could take later, while nothing is written yet."""
        if octets > self._octets and octets > self._most_octets:
            raise StateTooLarge(f"the cells need {octets} octets of {self._most_octets}")
        beside = _CHECKPOINT_OVERHEAD + self._octets + RECORD_OVERHEAD
        most = min(self._block_size - beside, MAX_BODY)
        if len(body) > most:
            raise CommitTooLarge(f"the changes need {len(body)} octets, {most} are left")

    def _write(self, body: bytes) -> None:
        for _ in self._blocks:
            if self._append(body):
                return
            self._compact()
        if not self._append(body):
            raise FlashFailure("no block takes the record")

    def _append(self, body: bytes) -> bool:
        """Program a record behind the others and read it back; return whether it is there."""
        state = self._mounted()
        record = encode_record(Tag.COMMIT, body, following(state.sequence), state.generation)
        end = state.end + len(record)
        if not state.appendable or end > self._block_size:
            return False
        # Until it has been read back, nobody knows what is there: nothing may follow it.
        state.appendable = False
        self._flash.program(state.block, state.end, record)
        if self._flash.read(state.block, state.end, len(record)) != record:
            return False
        state.end = end
        state.appendable = True
        return True

    def _compact(self) -> None:
        """Move to the next block that takes a checkpoint of the state.

        Raises:
            FlashFailure: none does.
        """
        state = self._mounted()
        # A checkpoint that fails here may read well later; the state must not go on without it.
        state.appendable = False
        for block in self._spare_blocks():
            state.generation = following(state.generation)
            image = initial_image(state.generation, state.sequence, state.cells)
            if self._rewrite(block, image):
                state.block, state.end, state.needed = block, len(image), [block]
                state.appendable = True
                return
        raise FlashFailure("no block takes the checkpoint")

    def _spare_blocks(self) -> list[int]:
        """Return the blocks that may be erased, in turn.

        If the state hangs on all of them, the newest: without it, the state is an older one,
        but a whole one.
        """
        state = self._mounted()
        turn = self._blocks.index(state.block) + 1
        in_turn = self._blocks[turn:] + self._blocks[:turn]
        return [block for block in in_turn if block not in state.needed] or state.needed[-1:]

    def _rewrite(self, block: int, image: bytes) -> bool:
        """Erase and program a block; return whether it reads as it should.

        What lies behind the image is not looked at: a bad cell there shows when a commit meets it.
        """
        self._flash.erase(block)
        self._flash.program(block, 0, image)
        return self._flash.read(block, 0, len(image)) == image
