"""What becomes of a command whose attempt failed: by the kind of failure, as a table.

| failure | happening | asked again |
|---|---|---|
| withdrawn, or too late, before sending | WITHDRAWN, TOO_LATE | never |
| the port or the meter is busy or silent, the database gone | SILENT | 1 s, doubled to 5 min |
| this worker cannot read the meter's keys (master key, key file) | SILENT | 1 s, doubled to 5 min |
| an earlier transaction of the meter is still open | SILENT | 1 s, doubled to 5 min |
| its own outcome got lost | LOST | 1 s, doubled to 5 min |
| the meter cannot say any more what became of it | LOST | each hour |
| the meter or the rules said no; wrong usage | DENIED | never |
| the machine is short of files, memory, threads; an update | SILENT | 1 s, doubled to 5 min |
| anything else: a fault in this program | DENIED | never |

The first row that fits counts. Whatever failed, an own transaction that is still open makes it
LOST: money that may have moved is asked about, whatever the failure was.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from headend.engine.states import Happening
from headend.errors import (
    Cancelled,
    Expired,
    HeadendError,
    KeysUnusable,
    NoAnswer,
    OutcomeUnknown,
    PortUnusable,
    Unknowable,
)
from headend.store import StoreError
from protocol.errors import ProtocolError

#: The pause after the first failure, and the longest, in milliseconds.
FIRST_PAUSE, LONGEST_PAUSE = 1_000, 300_000
#: How long until a meter that cannot say is asked again: somebody may have settled it by hand.
HOPELESS_PAUSE = 3_600_000

#: Gives a number of at least 0 and less than 1.
Chance = Callable[[], float]

_ROWS: Final[tuple[tuple[type[Exception], Happening], ...]] = (
    (Cancelled, Happening.WITHDRAWN),
    (Expired, Happening.TOO_LATE),
    (NoAnswer, Happening.SILENT),
    (PortUnusable, Happening.SILENT),
    (KeysUnusable, Happening.SILENT),
    (StoreError, Happening.SILENT),
    (OutcomeUnknown, Happening.LOST),
    (HeadendError, Happening.DENIED),
    (ProtocolError, Happening.DENIED),
)
#: No fault of the command, and gone when files are closed, memory is free, an update is through.
_PASSING: Final = (OSError, MemoryError, ImportError)
#: What Python says, as a RuntimeError, when the system gives no thread more.
_NO_THREAD: Final = "can't start new thread"


class Failure(Struct, frozen=True):
    """What a failed attempt means.

    Args:
        happening: for the table of states.
        reason: one line for people.
        exit_code: of the command had it been given directly.
        hopeless: asking soon again makes no sense.
        ours: a fault in this program, to be logged with its traceback.
    """

    happening: Happening
    reason: str
    exit_code: int
    hopeless: bool = False
    ours: bool = False


def judge(error: Exception, transaction_id: str | None) -> Failure:
    """Return what an exception means for the command of a transaction id."""
    happening = next((h for kind, h in _ROWS if isinstance(error, kind)), None)
    if happening is None:
        # The text of an exception that nobody foresaw may hold anything, so only its kind is told.
        told = f"{type(error).__name__}; see the worker's log"
        if isinstance(error, _PASSING) or str(error) == _NO_THREAD:
            return Failure(Happening.SILENT, f"this machine is short: {told}", 3, ours=True)
        return Failure(Happening.DENIED, f"a fault in this program: {told}", 1, ours=True)
    if isinstance(error, OutcomeUnknown) and error.transaction_id != transaction_id:
        happening = Happening.SILENT  # it did not come to its own turn
    code = int(error.exit_code) if isinstance(error, HeadendError) else 1
    # It may repeat what a meter has said, and PostgreSQL does not take every character.
    reason = "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for each in " ".join(str(error).split())
    )
    return Failure(happening, reason, code, hopeless=isinstance(error, Unknowable))


def pause(failures: int, chance: Chance, *, hopeless: bool = False) -> int:
    """Return how many milliseconds to wait after so many failures in a row.

    Doubled from time to time, and up to a quarter less or more, so that meters which fell silent
    together are not asked together.
    """
    if hopeless:
        middle = HOPELESS_PAUSE
    else:
        doubled = FIRST_PAUSE << min(max(failures - 1, 0), 20)
        middle = min(doubled, LONGEST_PAUSE)
    return round(middle * (0.75 + chance() / 2))
