"""Invocation counters of real processes that are killed with their leases in use: none comes twice.

A counter that is used twice under one key gives the plaintexts of both APDUs away.
"""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from itertools import pairwise

#: Takes counters of one key for ever and says each, as a session does before it is used.
_TAKER = (
    "import sys\n"
    "from headend.store import Store\n"
    "store = Store(sys.argv[1])\n"
    "while True: print(store.leases.counter('key'), flush=True)\n"
)

#: How many counters each is seen to take; a first block has 32, and each next one twice as many.
TAKEN = (33, 200)


def taker(url: str) -> "subprocess.Popen[str]":
    """Start a process that takes counters."""
    return subprocess.Popen(
        [sys.executable, "-c", _TAKER, url], stdout=subprocess.PIPE, text=True, bufsize=1
    )


def test_no_counter_comes_twice_whoever_is_killed(database: str) -> None:
    """Two at a time, killed -9 after so many counters; what was on its way out counts too."""
    seen: list[list[int]] = []
    for _ in range(2):
        with ExitStack() as stack:
            both = [stack.enter_context(taker(database)) for _ in TAKEN]
            for process, count in zip(both, TAKEN, strict=True):
                assert process.stdout is not None
                said = [process.stdout.readline() for _ in range(count)]
                os.kill(process.pid, signal.SIGKILL)
                rest = process.stdout.read().splitlines(keepends=True)
                whole = [line for line in said + rest if line.endswith("\n")]
                seen.append([int(line) for line in whole])
                assert len(seen[-1]) >= count
    every = [counter for each in seen for counter in each]
    assert len(every) == len(set(every))
    assert all(first < second for each in seen for first, second in pairwise(each))
    assert min(min(each) for each in seen[2:]) > min(min(each) for each in seen[:2])
