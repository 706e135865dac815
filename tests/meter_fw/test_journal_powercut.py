"""Power fails at every flash operation in every way: before or after, never between."""

import random

import pytest

from meter_fw.nvram import CellKey, Finding, Journal
from sim.flash import MemoryFlash, PowerCut, Tear
from tests.meter_fw.journal_day import (
    BLOCK_SIZE,
    RELAY,
    Commit,
    State,
    apply,
    copy,
    day,
    live,
    lived,
)
from tests.meter_fw.powercut import Remains, every_cut, run_with_cut, run_with_every_cut

MARK: Commit = {CellKey(200): b"after the cut", RELAY: None}


def strict_flash(blocks: int = 2) -> MemoryFlash:
    """Return an erased flash that refuses to program an octet twice."""
    return MemoryFlash(blocks, BLOCK_SIZE, strict=True)


def check_remains(remains: Remains[State]) -> None:
    """Mounting shows one side of the cut, and the journal goes on from there."""
    flash = remains.flash
    blocks = range(flash.block_count)
    journal = Journal(flash, blocks)
    mounted = journal.mount()
    assert mounted.cells in (remains.before, remains.after), remains.cut
    assert mounted.finding in (Finding.FRESH, Finding.CLEAN, Finding.INTERRUPTED), remains.cut
    if remains.cut.tear is Tear.NOT_WRITTEN:
        assert mounted.cells == remains.before
    journal.commit(MARK)
    again = Journal(flash, blocks).mount()
    assert again.cells == apply(mounted.cells, MARK)
    assert again.finding is Finding.CLEAN


def test_the_day_is_long_enough_to_mean_something() -> None:
    """At least 200 commits, with many compactions."""
    flash = strict_flash()
    assert len(lived(flash, day())) > 200
    assert min(flash.erasures) >= 8


@pytest.mark.parametrize("blocks", [2, 3])
def test_a_day_cut_at_every_operation(blocks: int) -> None:
    """Before or after, at each operation of the day; and the journal goes on."""
    cuts = run_with_every_cut(
        lambda: strict_flash(blocks), lambda flash: live(flash, day()), check_remains
    )
    assert cuts > 1200


def test_a_commit_that_returned_is_durable() -> None:
    """A cut right after the operation that completes a commit shows the state after it."""
    commits = day()[:40]
    flash = strict_flash()
    states = lived(flash, commits)
    shown_after = 0
    for cut in every_cut(flash.operations):
        remains = run_with_cut(strict_flash, lambda flash: live(flash, commits), states, cut)
        if cut.tear is Tear.WRITTEN:
            shown_after += Journal(remains.flash).mount().cells == remains.after
    assert shown_after == len(commits)


def test_power_fails_again_during_the_repair() -> None:
    """A second cut, at any operation of the first commit after a cut, changes nothing of it."""
    commits = day()[:60]

    def check(remains: Remains[State]) -> None:
        image = remains.flash.image
        before = Journal(remains.flash).mount().cells
        for cut in every_cut(3, torn_seeds=2):
            flash = MemoryFlash(2, BLOCK_SIZE)
            flash.fill(image)
            flash.cut_at(cut)
            journal = Journal(flash)
            journal.mount()
            try:
                journal.commit(MARK)
            except PowerCut:
                flash.power_on()
                found = Journal(flash).mount()
                assert found.cells in (before, apply(before, MARK))
                assert found.finding is not Finding.LOST

    run_with_every_cut(strict_flash, lambda flash: live(flash, commits), check, torn_seeds=2)


def test_a_new_meter_stays_new_until_its_first_commit() -> None:
    """Cut anywhere in the first format it is FRESH or empty, never LOST."""
    commits = day()[:1]
    findings = set()

    def check(remains: Remains[State]) -> None:
        mounted = Journal(remains.flash).mount()
        findings.add(mounted.finding)
        check_remains(remains)

    run_with_every_cut(strict_flash, lambda flash: live(flash, commits), check, torn_seeds=40)
    assert findings == {Finding.FRESH, Finding.CLEAN, Finding.INTERRUPTED}


@pytest.mark.parametrize("garbled", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_lost_stays_lost_until_a_commit_is_there(
    garbled: tuple[int, ...], seed: int
) -> None:
    """On garbage, a cut of the first commit never makes the meter believe that it is new."""
    chance = random.Random(seed)
    garbage = b"".join(
        chance.randbytes(BLOCK_SIZE) if block in garbled else b"\xff" * BLOCK_SIZE
        for block in range(2)
    )

    def garbled_flash() -> MemoryFlash:
        flash = MemoryFlash(2, BLOCK_SIZE)
        flash.fill(garbage)
        return flash

    def check(remains: Remains[State]) -> None:
        mounted = Journal(remains.flash).mount()
        assert mounted.cells in (remains.before, remains.after)
        assert mounted.finding is not Finding.FRESH

    run_with_every_cut(garbled_flash, lambda flash: live(flash, day()[:2]), check, torn_seeds=20)


def test_every_prefix_of_the_last_record() -> None:
    """However far the last record got, each of its octets missing makes it not there."""
    commits = day()[:50]
    flash = strict_flash()
    states = lived(flash, commits[:-1])
    shorter = flash.image
    lived(other := strict_flash(), commits)
    longer = other.image
    changed = [place for place in range(len(longer)) if longer[place] != shorter[place]]
    for stop in range(changed[0], changed[-1] + 1):
        torn = copy(flash)
        torn.fill(longer[:stop] + shorter[stop:])
        mounted = Journal(torn).mount()
        assert mounted.cells == states[-1]
        assert mounted.finding is (Finding.CLEAN if stop == changed[0] else Finding.INTERRUPTED)
