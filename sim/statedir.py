"""A meter's directory: what would lie in the meter's case while it has no power.

``flash.bin`` is the firmware's memory, ``meter.json`` the name plate, and ``board`` the board's
time with the relay's position, written before each tick. So whatever the firmware has stamped,
the clock of the next start is not before it, however the last run ended. Only a ``kill -9`` is
meant by that: against a crash of the host itself nothing here waits for the disk.
"""

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

from msgspec import Struct
from msgspec.structs import asdict

from protocol.timing import Instant
from sim.board import Contact

FLASH = "flash.bin"
_PLATE = "meter.json"
_BOARD = "board"
_LONGEST_RECORD = 256
_ANEW = "put it back, or take another directory for a new meter"


class StateError(Exception):
    """A state directory cannot be used; the text says which and why."""


class NamePlate(Struct, frozen=True):
    """What is printed on the meter and never changes.

    Args:
        name: logical device name.
        profile: name of its profile.
        seed: of its household and serial number.
    """

    name: str
    profile: str
    seed: int


class BoardRecord(Struct, frozen=True):
    """The board between two runs.

    Args:
        now: its true time.
        contact: where the latching relay stands.
        remainder: energy below one pulse, as ``SoftwareBoard`` counts it.
    """

    now: Instant
    contact: Contact
    remainder: int


class Found(Struct, frozen=True):
    """A meter's directory as it was found: its name plate, its board and its memory."""

    plate: NamePlate
    board: BoardRecord
    memory: bytes


def look(path: Path) -> Found:
    """Return what lies in a meter's directory, and change nothing there.

    Raises:
        StateError: no meter is there, it is damaged, or a simulator holds it.
    """
    try:
        board = os.open(path / _BOARD, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise StateError(f"{path} holds no meter: prepay-sim meter --state makes one") from error
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(board, fcntl.LOCK_SH | fcntl.LOCK_NB)
        plate, record = _plate(path / _PLATE), _record(board, path)
        memory = (path / FLASH).read_bytes()
    except BlockingIOError as error:
        raise StateError(f"{path} is in use by another prepay-sim: stop that one first") from error
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    finally:
        os.close(board)
    if plate is None or record is None:
        raise StateError(f"{path} holds no meter: prepay-sim meter --state makes one")
    return Found(plate, record, memory)


class StateDir:
    """One directory, held by one process at a time.

    Args:
        path: made if it is not there.

    Raises:
        StateError: it cannot be made or written, or another simulator holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._board = os.open(path / _BOARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(self._board, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._board)
            raise StateError(f"{path} is in use by another prepay-sim") from error

    @property
    def flash(self) -> Path:
        """The file of the firmware's flash memory."""
        return self.path / FLASH

    def check(self) -> None:
        """See that name plate and memory belong together: neither is there without the other.

        Raises:
            StateError: one of them is gone, and nobody knows whose the other is.
        """
        engraved = (self.path / _PLATE).exists()
        used = self.flash.exists() and bool(self.flash.read_bytes().translate(None, b"\xff"))
        if engraved and not self.flash.exists():
            raise StateError(f"{self.flash} is gone, and the meter's memory with it: {_ANEW}")
        if used and not engraved:
            raise StateError(f"{self.path} has a meter's memory without its {_PLATE}: {_ANEW}")

    def plate(self) -> NamePlate | None:
        """Return the name plate, None in a new directory.

        Raises:
            StateError: it cannot be read.
        """
        return _plate(self.path / _PLATE)

    def engrave(self, plate: NamePlate) -> None:
        """Write the name plate of a new meter, whole or not at all."""
        path = self.path / _PLATE
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(plate), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    def board(self) -> BoardRecord | None:
        """Return the board's record, None in a new directory.

        Raises:
            StateError: it is damaged.
        """
        return _record(self._board, self.path)

    def record(self, board: BoardRecord) -> None:
        """Overwrite the board's record, in one write that a kill cannot part."""
        text = f"{board.now:015} {board.contact.value:>6} {board.remainder:06}"
        # the check is over the fields as they are read, without the padding between them
        check = crc32(" ".join(text.split()).encode())
        os.pwrite(self._board, f"{text} {check:08x}\n".encode(), 0)

    def close(self) -> None:
        """Let go of the directory."""
        with suppress(OSError):
            os.close(self._board)


def _plate(path: Path) -> NamePlate | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plate = NamePlate(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StateError(f"{path} is damaged: {error}") from error
    if not (
        isinstance(plate.name, str)
        and isinstance(plate.profile, str)
        and isinstance(plate.seed, int)
    ):
        raise StateError(f"{path} is damaged: a field has the wrong type")
    return plate


def _record(board: int, path: Path) -> BoardRecord | None:
    text = os.pread(board, _LONGEST_RECORD, 0)
    if not text:
        return None
    try:
        now, contact, remainder, check = text.decode("ascii").split()
        if int(check, 16) != crc32(f"{now} {contact} {remainder}".encode()):
            raise ValueError("its check fails")
        return BoardRecord(Instant(int(now)), Contact(contact), int(remainder))
    except ValueError as error:
        raise StateError(f"{path / _BOARD} is damaged: {error}") from error
