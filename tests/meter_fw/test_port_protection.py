"""Communication port protection: who guesses waits, and ever longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.line_state import PortProtection
from meter_fw.port_protection import failed, lockout_time, status, succeeded
from protocol.cosem.communication_port_protection import ProtectionMode, ProtectionStatus
from protocol.timing import Instant

NOON = Instant(43_200_000)
RULES = PortProtection(allowed=3, initial=10, steepness=2, longest=60)


def after(failures: int, rules: PortProtection = RULES) -> PortProtection:
    """The protection after so many failed attempts at noon."""
    for _ in range(failures):
        rules = failed(rules, NOON)
    return rules


# failures in a row, seconds the port is locked after the last of them
LOCKED = [(0, 0), (1, 0), (2, 0), (3, 10), (4, 20), (5, 40), (6, 60), (7, 60), (500, 60)]


@pytest.mark.parametrize(("failures", "seconds"), LOCKED)
def test_each_failure_beyond_the_allowed_locks_longer(failures: int, seconds: int) -> None:
    """The third of three begins with ten seconds, which double up to a minute."""
    one = after(failures)
    assert one.failed == one.cumulative == failures
    if seconds == 0:
        assert status(one, NOON) is ProtectionStatus.UNLOCKED
        return
    end = NOON + seconds * 1000
    assert status(one, Instant(end - 1)) is ProtectionStatus.TEMPORARILY_LOCKED
    assert status(one, Instant(end)) is ProtectionStatus.UNLOCKED


def test_one_good_attempt_opens_the_count_anew() -> None:
    """What was counted since manufacture stays."""
    one = succeeded(after(4))
    assert (one.failed, one.cumulative) == (0, 4)
    assert status(one, NOON) is ProtectionStatus.UNLOCKED


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (ProtectionMode.LOCKED, ProtectionStatus.LOCKED),
        (ProtectionMode.UNLOCKED, ProtectionStatus.UNLOCKED),
    ],
)
def test_the_other_modes_ask_for_no_attempts(
    mode: ProtectionMode, expected: ProtectionStatus
) -> None:
    """A locked port is locked from the first, an unlocked one never."""
    rules = PortProtection(mode=mode, allowed=1, initial=10)
    assert status(rules, NOON) is expected
    assert status(after(5, rules), NOON) is expected
    assert after(5, rules).cumulative == 5


@given(
    initial=st.integers(0, 0xFFFFFFFF),
    steepness=st.integers(1, 255),
    longest=st.integers(0, 0xFFFFFFFF),
    beyond=st.integers(0, 0xFFFFFFFF),
)
def test_a_lockout_never_gets_shorter_nor_longer_than_the_longest(
    initial: int, steepness: int, longest: int, beyond: int
) -> None:
    """Whatever is written into the object, and without counting to four thousand million."""
    rules = PortProtection(initial=initial, steepness=steepness, longest=longest)
    now, next_time = lockout_time(rules, beyond), lockout_time(rules, beyond + 1)
    assert 0 <= now <= next_time <= longest


def test_counts_stop_at_their_greatest_value() -> None:
    """They are 32 bits wide, in flash and on the wire."""
    most = 0xFFFFFFFF
    one = failed(PortProtection(failed=most, cumulative=most), NOON)
    assert (one.failed, one.cumulative) == (most, most)
