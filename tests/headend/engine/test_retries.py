"""What a failure means for a durable command, and how long it waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.engine.retries import HOPELESS_PAUSE, LONGEST_PAUSE, judge, pause
from headend.engine.states import Happening
from headend.errors import (
    Cancelled,
    Expired,
    NoAnswer,
    NoMasterKey,
    OutcomeUnknown,
    PortUnusable,
    Refused,
    Unfinished,
    Unknowable,
    UsageError,
)
from headend.store import StoreError
from headend.store.locks import Busy
from headend.vault.wrapping import UnderAnother
from protocol.errors import DecodeError

OWN, OTHER = "01" * 16, "02" * 16
CASES = [
    (Cancelled("x"), Happening.WITHDRAWN, 1),
    (Expired("x"), Happening.TOO_LATE, 1),
    (NoAnswer("x"), Happening.SILENT, 3),
    (Busy("x"), Happening.SILENT, 3),
    (PortUnusable("x"), Happening.SILENT, 2),
    (NoMasterKey("x"), Happening.SILENT, 2),
    (UnderAnother("x"), Happening.SILENT, 1),
    (StoreError("x"), Happening.SILENT, 1),
    (OutcomeUnknown("x", OWN), Happening.LOST, 4),
    (OutcomeUnknown("x", OTHER), Happening.SILENT, 4),
    (Unfinished("x", OWN), Happening.LOST, 4),
    (Unknowable("x", OWN), Happening.LOST, 4),
    (Refused("x"), Happening.DENIED, 1),
    (UsageError("x"), Happening.DENIED, 2),
    (DecodeError("x"), Happening.DENIED, 1),
    (KeyError("a password"), Happening.DENIED, 1),
]


@pytest.mark.parametrize(("error", "happening", "exit_code"), CASES)
def test_each_kind_of_failure(error: Exception, happening: Happening, exit_code: int) -> None:
    """It means what the table says, with the exit code that the command itself would have."""
    failure = judge(error, OWN)
    assert (failure.happening, failure.exit_code) == (happening, exit_code)


def test_a_reason_has_only_what_can_be_written_down() -> None:
    """PostgreSQL takes no NUL, and nothing takes half a surrogate: no end could be noted."""
    failure = judge(Refused("the meter is  A\0\udcff\nB, \N{LATIN SMALL LETTER E WITH ACUTE}"), OWN)
    assert failure.reason == "the meter is A\ufffd\ufffd B, \xe9"


def test_a_fault_of_ours_is_named_by_its_kind_only() -> None:
    """Nobody knows what the text of an exception holds that nobody foresaw."""
    failure = judge(KeyError("a password"), None)
    assert failure.ours
    assert "KeyError" in failure.reason
    assert "password" not in failure.reason


SHORT = [OSError(24, "x"), MemoryError(), ModuleNotFoundError("x")]


@pytest.mark.parametrize("error", [*SHORT, RuntimeError("can't start new thread")])
def test_a_machine_that_is_short_of_something_ends_no_command(error: Exception) -> None:
    """Files are closed and memory is freed again; who keeps the machine reads of it in the log."""
    failure = judge(error, None)
    assert (failure.happening, failure.exit_code, failure.ours) == (Happening.SILENT, 3, True)


def test_only_what_the_meter_has_forgotten_is_hopeless() -> None:
    """It is asked about each hour, in case somebody settled it by hand."""
    assert judge(Unknowable("x", OWN), OWN).hopeless
    assert not judge(OutcomeUnknown("x", OWN), OWN).hopeless
    assert pause(1, lambda: 0.5, hopeless=True) == HOPELESS_PAUSE


@pytest.mark.parametrize(
    ("failures", "expected"), [(0, 1_000), (1, 1_000), (2, 2_000), (9, 256_000), (10, 300_000)]
)
def test_pauses_double_up_to_five_minutes(failures: int, expected: int) -> None:
    """From one second on."""
    assert pause(failures, lambda: 0.5) == expected


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_pause_strays_by_a_quarter_at_most(failures: int, chance: float) -> None:
    """However often it failed, and however the dice fall."""
    assert 750 <= pause(failures, lambda: chance) <= LONGEST_PAUSE * 1.25
