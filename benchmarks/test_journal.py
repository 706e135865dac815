"""What a commit costs: against the bare flash operation under it, and in a file with its fsync.

Absolute times are the machine's; the ratio in ``extra_info`` is the journal's.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from timeit import timeit
from typing import Any

import pytest

from meter_fw.nvram import CellKey, Journal
from sim.flash import FileFlash, MemoryFlash

BLOCK_SIZE = 16384
STATE = {CellKey(kind, index): bytes(16) for kind in range(10) for index in range(30)}


def commits(journal: Journal) -> Iterator[None]:
    """Commit a quarter-hour's bookkeeping at each step: three cells, some 60 octets."""
    for number in count(1):
        journal.commit(
            {
                CellKey(1): struct.pack(">QQ", number, number),
                CellKey(2): struct.pack(">Q", number),
                CellKey(3, number % 30): struct.pack(">IIIIII", number, 0, 1, 2, 3, 4),
            }
        )
        yield


def stepper(flash: MemoryFlash) -> Callable[[], None]:
    """Return a commit on a journal that holds a meter's whole state."""
    journal = Journal(flash)
    journal.mount()
    journal.commit(STATE)
    steps = commits(journal)
    return lambda: next(steps)


def raw_program_seconds(length: int) -> float:
    """Return how long the flash takes for one program and its read-back."""
    flash = MemoryFlash(1, length)
    octets = bytes(length)

    def program() -> None:
        flash.program(0, 0, octets)
        flash.read(0, 0, length)

    return min(timeit(program, number=2000) / 2000 for _ in range(5))


@pytest.mark.benchmark(group="journal")
def test_commit_in_memory(benchmark: Any) -> None:
    """Commits per second, compactions included, and the ratio to the bare flash."""
    flash = MemoryFlash(2, BLOCK_SIZE)
    benchmark(stepper(flash))
    length = 11 + 2 + 3 * 4 + 48  # record, count, three cells, their values
    if benchmark.stats is not None:
        ratio = benchmark.stats.stats.median / raw_program_seconds(length)
        benchmark.extra_info["times a bare program and read"] = round(ratio, 1)
    benchmark.extra_info["commits per erasure"] = round(flash.operations / sum(flash.erasures))


@pytest.mark.benchmark(group="journal")
def test_commit_in_a_file(benchmark: Any, tmp_path: Path) -> None:
    """The same with one fsync a commit: what a meter on a disk pays."""
    with FileFlash(tmp_path / "meter.flash", 2, BLOCK_SIZE) as flash:
        benchmark.pedantic(stepper(flash), rounds=100)


@pytest.mark.benchmark(group="journal")
def test_mount(benchmark: Any) -> None:
    """A boot with a block half full of records."""
    flash = MemoryFlash(2, BLOCK_SIZE)
    step = stepper(flash)
    for _ in range(60):
        step()
    mounted = benchmark(lambda: Journal(flash).mount())
    assert len(mounted.cells) == len(STATE)
