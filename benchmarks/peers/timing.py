"""One way to time a call, for us and for the peers: CPU time, in rounds of some milliseconds.

It needs nothing but the standard library, because the peers' interpreters run it too. CPU time
and not wall time, so that a neighbour's turns on the processor are not counted as ours.
"""

import time
from collections.abc import Callable
from typing import Final

#: Rounds that are timed; one more before them warms up.
ROUNDS: Final = 25
#: CPU seconds that a round lasts at least, where the number of calls is ours to choose.
ROUND_SECONDS: Final = 0.01

clock = time.process_time
Call = Callable[[], object]


def round_seconds(call: Call, iterations: int) -> float:
    """Return how long each of ``iterations`` calls takes on average."""
    begin = clock()
    for _ in range(iterations):
        call()
    return (clock() - begin) / iterations


def calibrated(call: Call) -> int:
    """Return how many calls make a round of ``ROUND_SECONDS``."""
    iterations = 1
    while (taken := iterations * round_seconds(call, iterations)) < ROUND_SECONDS:
        # A clock that ticks coarsely may say 0 of the first few.
        growth = ROUND_SECONDS / taken if taken else 10.0
        iterations = max(iterations + 1, int(iterations * min(growth, 10.0)))
    return iterations
