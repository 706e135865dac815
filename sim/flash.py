"""NOR flash made of software, in memory or in a file: it wears, tears, flips and sticks.

Programming clears bits, erasing sets those of a whole block. Power can be cut at any operation
(an operation is one ``program`` or one ``erase``), before it, in the middle or right after it.
"""

import contextlib
import fcntl
import os
import random
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

ERASED: Final = 0xFF


#: 1 for every octet that an erased one can become, 0 for the erased one.
_PROGRAMMED = bytes(octet != ERASED for octet in range(256))


class FlashError(Exception):
    """Base of every error of the simulated flash."""


class OutOfRange(FlashError):
    """A block, offset or length that the flash does not have."""


class ProgrammedTwice(FlashError):
    """An octet was programmed that had not been erased since the last time (strict flash)."""


class FlashFileError(FlashError):
    """The file of a flash cannot be opened, read or written."""


class WrongSize(FlashFileError):
    """The file is not that of a flash of this size."""


class FlashInUse(FlashFileError):
    """Another simulator holds the file."""


class PowerCut(Exception):
    """Power failed; until ``power_on`` every operation raises this again."""


class Tear(Enum):
    """What the operation at which power fails leaves behind."""

    NOT_WRITTEN = "nothing: power failed right before"
    TORN = "a part, drawn from the cut's seed"
    WRITTEN = "all: power failed right after, before anyone was told"


class Cut(Struct, frozen=True):
    """Where power fails, and how.

    Args:
        operation: the number of the operation; the flash's first is 0.
        tear: what that operation leaves behind.
        seed: from which a torn operation draws what it still did.
    """

    operation: int
    tear: Tear
    seed: int = 0


class MemoryFlash:
    """Flash in memory.

    Args:
        block_count: erase blocks, 1 or more.
        block_size: octets of a block, 1 or more.
        strict: refuse to program an octet twice without an erasure between. Real flash clears
            the bits and is silent, as this one is without it.

    Attributes:
        operations: how many times the flash was programmed or erased.
        erasures: how many times each block was erased.
    """

    def __init__(self, block_count: int, block_size: int, *, strict: bool = False) -> None:
        if block_count < 1 or block_size < 1:
            raise OutOfRange(f"no flash has {block_count} blocks of {block_size} octets")
        self._block_count = block_count
        self._block_size = block_size
        self._octets = bytearray([ERASED]) * (block_count * block_size)
        # Only a strict flash keeps book: it takes as much memory again.
        self._programmed = bytearray(block_count * block_size) if strict else None
        self._stuck: dict[int, tuple[int, int]] = {}
        self._cut: Cut | None = None
        self._powered = True
        self.operations = 0
        self.erasures = [0] * block_count

    @property
    def block_count(self) -> int:
        """How many erase blocks there are."""
        return self._block_count

    @property
    def block_size(self) -> int:
        """Octets in an erase block."""
        return self._block_size

    @property
    def image(self) -> bytes:
        """All octets, block after block."""
        return bytes(self._octets)

    def read(self, block: int, offset: int, length: int) -> bytes:
        """Return ``length`` octets.

        Raises:
            OutOfRange: they are not within one block.
            PowerCut: there is no power.
        """
        start = self._place(block, offset, length)
        if not self._powered:
            raise PowerCut("the power is off")
        return bytes(self._octets[start : start + length])

    def program(self, block: int, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in ``data``.

        Raises:
            OutOfRange: the octets are not within one block.
            ProgrammedTwice: an octet is not erased (strict flash).
            PowerCut: power fails at this operation, or is off.
        """
        start = self._place(block, offset, len(data))
        end = start + len(data)
        if self._programmed is not None and any(self._programmed[start:end]):
            raise ProgrammedTwice(f"block {block}, offset {offset}, {len(data)} octets")
        before = self._octets[start:end]
        after = data
        if before.count(ERASED) < len(before):
            # One and of two big numbers is a hundred times faster than one an octet.
            cleared = int.from_bytes(before, "big") & int.from_bytes(data, "big")
            after = cleared.to_bytes(len(data), "big")
        tear = self._begin()
        if tear is Tear.TORN:
            after = self._torn_program(before, after)
        if tear is not Tear.NOT_WRITTEN:
            if self._programmed is not None:
                self._programmed[start:end] = b"\x01" * len(data)
            self._change(start, after)
        self._finish(tear)

    def erase(self, block: int) -> None:
        """Set every bit of the block.

        Raises:
            OutOfRange: there is no such block.
            PowerCut: power fails at this operation, or is off.
        """
        size = self._block_size
        start = self._place(block, 0, size)
        tear = self._begin()
        after = bytes([ERASED]) * size
        if tear is Tear.TORN:
            after = self._torn_erase(self._octets[start : start + size])
        if tear is not Tear.NOT_WRITTEN:
            self.erasures[block] += 1
            self._note_programmed(start, bytes(size))
            self._change(start, after)
        self._finish(tear)

    def cut_at(self, cut: Cut | None) -> None:
        """Let power fail at that operation; None takes it back."""
        self._cut = cut

    def power_on(self) -> None:
        """Bring power back after a cut."""
        self._powered = True
        self._cut = None

    def flip_bit(self, block: int, offset: int, bit: int) -> None:
        """Turn one stored bit over, as age and radiation do.

        Args:
            block: the erase block.
            offset: of the octet in it.
            bit: 0 is the least significant.
        """
        start = self._place(block, offset, 1)
        self._store(start, bytes([self._octets[start] ^ (1 << bit)]))

    def stick_bit(self, block: int, offset: int, bit: int, value: int) -> None:
        """Let one cell read ``value`` from now on, whatever is programmed or erased."""
        start = self._place(block, offset, 1)
        set_bits, kept_bits = self._stuck.get(start, (0, ERASED))
        if value:
            set_bits |= 1 << bit
        else:
            kept_bits &= ~(1 << bit)
        self._stuck[start] = (set_bits, kept_bits)
        self._change(start, self._octets[start : start + 1])

    def fill(self, octets: bytes) -> None:
        """Replace the whole content, e.g. by another flash's ``image``.

        Raises:
            OutOfRange: it is not as long as the flash.
        """
        if len(octets) != len(self._octets):
            raise OutOfRange(f"{len(octets)} octets for a flash of {len(self._octets)}")
        for start in range(0, len(octets), self._block_size):
            self._store(start, octets[start : start + self._block_size])
        self._note_programmed(0, octets.translate(_PROGRAMMED))

    def _note_programmed(self, start: int, marks: bytes) -> None:
        if self._programmed is not None:
            self._programmed[start : start + len(marks)] = marks

    def _place(self, block: int, offset: int, length: int) -> int:
        if not 0 <= block < self._block_count:
            raise OutOfRange(f"block {block} of {self._block_count}")
        if offset < 0 or length < 0 or offset + length > self._block_size:
            raise OutOfRange(f"{length} octets at {offset} in a block of {self._block_size}")
        return block * self._block_size + offset

    def _begin(self) -> Tear | None:
        if not self._powered:
            raise PowerCut("the power is off")
        number = self.operations
        self.operations += 1
        if self._cut is None or self._cut.operation != number:
            return None
        return self._cut.tear

    def _finish(self, tear: Tear | None) -> None:
        if tear is not None:
            self._powered = False
            raise PowerCut(f"power failed at operation {self.operations - 1}: {tear.value}")

    def _change(self, start: int, octets: bytes | bytearray) -> None:
        """Store what the cells take of ``octets``."""
        if self._stuck:
            octets = bytearray(octets)
            for place, (set_bits, kept_bits) in self._stuck.items():
                if start <= place < start + len(octets):
                    octets[place - start] = octets[place - start] & kept_bits | set_bits
        self._store(start, octets)

    def _store(self, start: int, octets: bytes | bytearray) -> None:
        self._octets[start : start + len(octets)] = octets

    def _chance(self) -> random.Random:
        seed = 0 if self._cut is None else self._cut.seed
        return random.Random(f"{seed}/{self.operations}")

    def _torn_program(self, before: bytes | bytearray, after: bytes) -> bytes:
        """Return a prefix of ``after``, an octet with some of its bits cleared, and ``before``."""
        if not after:
            return after
        chance = self._chance()
        done = chance.randrange(len(after))
        half = after[done] | (before[done] & chance.randrange(256))
        return after[:done] + bytes([half]) + bytes(before[done + 1 :])

    def _torn_erase(self, before: bytes | bytearray) -> bytes:
        """Return erased octets, then octets with some of their bits set, then ``before``."""
        chance = self._chance()
        first, second = sorted(chance.randrange(len(before) + 1) for _ in range(2))
        half = bytes(octet | chance.randrange(256) for octet in before[first:second])
        return bytes([ERASED]) * first + half + bytes(before[second:])


class FileFlash(MemoryFlash):
    """Flash in a file, so that a meter's state survives its process, ``kill -9`` included.

    The file is the image and nothing else. One that does not exist is made, erased. It is held
    by a lock as long as the flash is open.

    Args:
        path: the file.
        block_count: erase blocks.
        block_size: octets of a block.
        strict: as for ``MemoryFlash``.

    Raises:
        FlashInUse: another simulator holds the file.
        WrongSize: the file is of another size.
        FlashFileError: the file cannot be opened, read or made.
    """

    def __init__(
        self, path: str | Path, block_count: int, block_size: int, *, strict: bool = False
    ) -> None:
        super().__init__(block_count, block_size, strict=strict)
        self._path = Path(path)
        try:
            self._file: int | None = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise FlashFileError(f"{self._path}: {error.strerror}") from error
        try:
            self._lock()
            self._load()
        except FlashError:
            self.close()
            raise

    def close(self) -> None:
        """Give the file back. A closed flash can be read but not written."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._open_file(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FlashInUse(f"{self._path} is in use by another simulator") from error
        except OSError as error:
            raise FlashFileError(f"{self._path}: {error.strerror}") from error

    def _load(self) -> None:
        size = len(self._octets)
        try:
            octets = os.pread(self._open_file(), size + 1, 0)
        except OSError as error:
            raise FlashFileError(f"{self._path}: {error.strerror}") from error
        if len(octets) < size and not octets.strip(bytes([ERASED])):
            # New, or its making was cut short: it holds nothing yet.
            self._store(0, self._octets)
            self._sync_directory()
        elif len(octets) != size:
            found = os.fstat(self._open_file()).st_size
            raise WrongSize(f"{self._path} has {found} octets, this flash {size}")
        else:
            self._octets[:] = octets
            self._note_programmed(0, octets.translate(_PROGRAMMED))

    def _open_file(self) -> int:
        if self._file is None:
            raise FlashFileError(f"{self._path} is closed")
        return self._file

    def _store(self, start: int, octets: bytes | bytearray) -> None:
        file = self._open_file()
        try:
            done = 0
            while done < len(octets):
                done += os.pwrite(file, octets[done:], start + done)
            os.fsync(file)
        except OSError as error:
            raise FlashFileError(f"{self._path}: {error.strerror}") from error
        super()._store(start, octets)

    def _sync_directory(self) -> None:
        """Make the name of a new file durable, where the file system lets us."""
        with contextlib.suppress(OSError):
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
