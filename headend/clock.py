"""The one clock of the head-end, made at its edge and passed in as an argument from there."""

import time
from collections.abc import Callable

from protocol.timing import Instant

#: A function that says what time it is.
Clock = Callable[[], Instant]


def system_clock() -> Clock:
    """Return a clock that starts at the system's time and from there never jumps.

    The system's clock may be set while a session runs; a deadline must not move with it.
    """
    offset = time.time_ns() - time.monotonic_ns()

    def now() -> Instant:
        return Instant((offset + time.monotonic_ns()) // 1_000_000)

    return now


def wall_clock() -> Clock:
    """Return the system's clock as it is set at each moment.

    For what lasts for days, such as when a command is due: a clock that was set right counts.
    """

    def now() -> Instant:
        return Instant(time.time_ns() // 1_000_000)

    return now
