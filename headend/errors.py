"""What can go wrong in the head-end, and the exit code that each kind has.

One clear line a message; whoever shows it puts the program's name before it.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit says."""

    DONE = 0
    REFUSED = 1  # by the meter or by the rules
    USAGE = 2
    NO_ANSWER = 3
    UNKNOWN = 4  # the outcome is unknown, and recorded so
    INTERRUPTED = 130  # by whoever ran it, as shells have it


class HeadendError(Exception):
    """Base of every error that a command ends with."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED
    #: What the error says besides in JSON: ids and states, by which a program goes on.
    details: Mapping[str, str] = MappingProxyType({})


class Refused(HeadendError):
    """The meter, the database or the rules said no; nothing was changed by this command."""


class Cancelled(Refused):
    """A durable command was withdrawn before anything was sent."""


class Expired(Refused):
    """A durable command's not-after passed before anything was sent."""


class UsageError(HeadendError):
    """What was asked for cannot be understood."""

    exit_code = ExitCode.USAGE


class KeysUnusable(UsageError):
    """A meter's keys cannot be read in this process, as they are now: elsewhere they may be."""


class NoMasterKey(KeysUnusable):
    """No master key is at hand under which the vault's keys of a meter are wrapped."""


class PortUnusable(UsageError):
    """The port may not be opened, is in use, or is no port."""


class NoAnswer(HeadendError):
    """Nobody answered, or not in time, or what came was no answer.

    Args:
        message: what happened.
        hint: what to do, for somebody who gave the port himself: it is kept nowhere.
    """

    exit_code = ExitCode.NO_ANSWER

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class OutcomeUnknown(HeadendError):
    """The order went out and its answer got lost; it is recorded and can be settled.

    Args:
        message: what happened and what to do.
        transaction_id: the transaction that is open, as 32 hexadecimal digits.
    """

    exit_code = ExitCode.UNKNOWN

    def __init__(self, message: str, transaction_id: str) -> None:
        super().__init__(message)
        self.transaction_id = transaction_id
        self.details = {"transaction": transaction_id}


class Interrupted(HeadendError):
    """Whoever gave the command has interrupted it; the message says what may have been done."""

    exit_code = ExitCode.INTERRUPTED


class StillQueued(Interrupted):
    """Somebody has waited for a command, and waits no more; the command goes on.

    Args:
        command_id: of the command.
        meter: whose it is.
        sure: whether it is known to be written down.
    """

    def __init__(self, command_id: str, meter: str, *, sure: bool = True) -> None:
        stays = "stays queued" if sure else "may have been queued"
        super().__init__(
            f"interrupted; command {command_id} for {meter} {stays}: prepay commands show "
            f"{command_id} says how it goes, prepay commands cancel {command_id} withdraws it"
        )
        self.details = {"command": command_id, "meter": meter}


class Unfinished(OutcomeUnknown):
    """A command of several steps has done some of them; run again it goes on where it stood."""


class Unknowable(OutcomeUnknown):
    """The meter answers, but cannot say any more what became of the order: people have to."""
