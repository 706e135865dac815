"""One way to time a call, for us and for the peers: CPU time, rounds, median.

It needs nothing but the standard library, because the peers' interpreters run it too. CPU time
and not wall time, so that a neighbour on the machine is not measured with us; the median of many
short rounds, so that one round which was disturbed does not count.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

#: Rounds that are timed; one more before them warms up.
ROUNDS = 25
#: CPU seconds that a round lasts at least, where the number of calls is ours to choose.
ROUND_SECONDS = 0.01

clock = time.process_time
Call = Callable[[], object]


def round_seconds(call: Call, iterations: int) -> float:
    """Return how long ``iterations`` calls take."""
    begin = clock()
    for _ in range(iterations):
        call()
    return clock() - begin


def calibrated(call: Call) -> int:
    """Return how many calls make a round of ``ROUND_SECONDS``."""
    iterations = 1
    while (taken := round_seconds(call, iterations)) < ROUND_SECONDS:
        # A clock that ticks coarsely may say 0 of the first few.
        growth = ROUND_SECONDS / taken if taken else 10.0
        iterations = max(iterations + 1, int(iterations * min(growth, 10.0)))
    return iterations


def median_seconds(call: Call, iterations: int | None = None) -> float:
    """Return the median time of one call.

    Args:
        call: what is timed.
        iterations: calls in a round; None chooses.
    """
    count = iterations or calibrated(call)
    round_seconds(call, count)
    return median(round_seconds(call, count) / count for _ in range(ROUNDS))


if sys.version_info < (3, 11):
    raise SystemExit("the peers are timed under the Python that we are timed under")
