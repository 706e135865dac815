"""The power-cut harness: any scenario on flash, cut at every operation in every way.

A scenario is a function that takes a flash and yields, first, what is durable before it begins
and then, after each step, what is durable now. The harness lets it run once uncut, to learn
the states; then once for each operation and each way to cut it, and hands ``check`` the flash as
the cut left it with the states before and after the step that was cut.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from sim.flash import Cut, MemoryFlash, PowerCut, Tear

S = TypeVar("S")

Scenario = Callable[[MemoryFlash], Iterator[S]]


@dataclass(frozen=True, slots=True)
class Remains(Generic[S]):
    """What a cut left.

    Args:
        flash: powered on again, and touched by nobody since.
        before: the state before the step that was cut.
        after: the state after it, as the uncut run reached it.
        cut: where and how.
    """

    flash: MemoryFlash
    before: S
    after: S
    cut: Cut


def every_cut(operations: int, first: int = 0, torn_seeds: int = 3) -> Iterator[Cut]:
    """Yield each way to cut each operation; tears with several seeds."""
    for operation in range(first, operations):
        yield Cut(operation, Tear.NOT_WRITTEN)
        yield Cut(operation, Tear.WRITTEN)
        for seed in range(torn_seeds):
            yield Cut(operation, Tear.TORN, seed)


def run_with_cut(
    make_flash: Callable[[], MemoryFlash], scenario: Scenario[S], states: list[S], cut: Cut
) -> Remains[S]:
    """Run the scenario up to the cut.

    Args:
        make_flash: makes the flash as it is before the scenario, always the same.
        scenario: what is run.
        states: what it yields when it is not cut.
        cut: where power fails.
    """
    flash = make_flash()
    flash.cut_at(cut)
    reached = 0
    try:
        for state in scenario(flash):
            assert state == states[reached], "the scenario is not deterministic"
            reached += 1
    except PowerCut:
        flash.power_on()
        # Before the first state is out and behind the last one, both sides are the same state.
        before, after = max(reached - 1, 0), min(reached, len(states) - 1)
        return Remains(flash, states[before], states[after], cut)
    raise AssertionError(f"no operation {cut.operation}")


def run_with_every_cut(
    make_flash: Callable[[], MemoryFlash],
    scenario: Scenario[S],
    check: Callable[[Remains[S]], None],
    torn_seeds: int = 3,
) -> int:
    """Cut the scenario at every flash operation in every way; return how many cuts that were.

    Args:
        make_flash: makes the flash as it is before the scenario, always the same.
        scenario: what is run; the same flash must make it do the same.
        check: asserts what has to be true of the remains.
        torn_seeds: how many different tears each operation gets.
    """
    flash = make_flash()
    first = flash.operations
    states = list(scenario(flash))
    cuts = 0
    for cut in every_cut(flash.operations, first, torn_seeds):
        check(run_with_cut(make_flash, scenario, states, cut))
        cuts += 1
    return cuts
