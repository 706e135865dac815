import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from selectors import BaseSelector, DefaultSelector, SelectorKey

import pytest

from meter_fw.board import Inputs, Outputs
from protocol.timing import Instant
from sim.ports import open_port
from sim.realtime import CATCH_UP, NAP, RealTime, line_clock, on_signals
from sim.world import Site, World
from tests.sim.standin import MONDAY, Echo, board


@pytest.fixture
def selector() -> Iterator[BaseSelector]:
    """A selector for one test."""
    with DefaultSelector() as made:
        yield made


class Slow(Echo):
    """Takes longer for a tick than the world gives it."""

    def tick(self, now: Instant, inputs: Inputs) -> Outputs:
        time.sleep(0.005)
        return super().tick(now, inputs)


def test_a_slow_host_makes_the_world_lag_and_skips_nothing(selector: BaseSelector) -> None:
    """Each wake-up still comes, one after the other."""
    echo = Slow(period=1000)
    world = World(MONDAY, line_clock=line_clock)
    loop = RealTime(world, selector, speed=1_000_000)
    loop.each_turn.append(lambda: loop.stop() if len(echo.seen) > 60 else None)
    world.add(Site("one", echo, board()))
    loop.run()
    *woken, (_, last) = echo.seen
    assert last.failing  # the end of the run, whenever that was
    moments = [now for now, _ in woken]
    assert moments == [MONDAY + 1000 * step for step in range(len(moments))]
    assert world.now - moments[-1] < 1000


def test_the_world_runs_at_its_speed_and_no_faster(selector: BaseSelector) -> None:
    """The world's clock is never ahead of the real one times the speed."""
    world = World(MONDAY, line_clock=line_clock)
    loop = RealTime(world, selector, speed=5000)
    world.add(Site("one", Echo(period=60_000), board()))
    began = time.monotonic_ns()
    loop.each_turn.append(lambda: loop.stop() if world.now > MONDAY + 900_000 else None)
    loop.run()
    assert (world.now - MONDAY) * 1_000_000 <= (time.monotonic_ns() - began) * 5000


def test_a_stalled_host_is_not_made_up_for(selector: BaseSelector) -> None:
    """After a long stop the world goes on where it was, without a burst."""
    world = World(MONDAY, line_clock=line_clock)
    loop = RealTime(world, selector, speed=1000)
    world.add(Site("one", Echo(period=60_000), board()))
    turns: list[Instant] = []

    def turn() -> None:
        turns.append(world.now)
        if len(turns) == 5:
            time.sleep(3 * CATCH_UP / 1e9)
        if len(turns) == 10:
            loop.stop()

    loop.each_turn.append(turn)
    loop.run()
    steps = [after - before for before, after in pairwise(turns)]
    nap = 60  # ms until the next tick at this speed: what the turn after the stop slept
    assert max(steps) <= (CATCH_UP / 1e6 + nap) * 1000


@pytest.mark.parametrize("speed", [1, 60])
def test_an_idle_world_runs_at_its_speed(selector: BaseSelector, speed: int) -> None:
    """Sleeping is not lagging: nothing is due for a minute, and a second lasts a second."""
    world = World(MONDAY, line_clock=line_clock)
    world.add(Site("one", Echo(period=3_600_000), board()))
    loop = RealTime(world, selector, speed)
    began = time.monotonic_ns()
    passed = 0

    def turn() -> None:
        nonlocal passed
        passed = time.monotonic_ns() - began
        if passed > 3_000_000_000:
            loop.stop()

    loop.each_turn.append(turn)
    loop.run()
    assert (world.now - MONDAY) * 1e6 == pytest.approx(passed * speed, rel=0.1)


class Sleeper(DefaultSelector):
    """Sleeps as it is told on a timer of its own, and oversleeps."""

    def __init__(self, *late: int) -> None:
        super().__init__()
        self.now = 0
        self.asked: list[float] = []
        self._late = list(late)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        assert timeout is not None
        self.asked.append(timeout)
        self.now += int(timeout * 1e9) + self._late.pop(0)
        return []

    def turns(self, speed: float) -> list[int]:
        """Return by how many ms of the world each sleep took an idle one on."""
        world = World(MONDAY)
        world.add(Site("one", Echo(period=3_600_000), board()))
        loop = RealTime(world, self, speed, timer=lambda: self.now)
        moments: list[Instant] = [MONDAY]

        def turn() -> None:
            moments.append(world.now)
            if not self._late:
                loop.stop()

        loop.each_turn.append(turn)
        loop.run()
        return [after - before for before, after in pairwise(moments)]


_MS = 1_000_000


@pytest.mark.parametrize("speed", [1, 60])
def test_a_sleep_that_was_asked_for_passes_in_full(speed: int) -> None:
    """To the millisecond, far beyond what lateness is made up for."""
    with Sleeper(0, 0, 0) as sleeper:
        steps = sleeper.turns(speed)
        assert sleeper.asked == [NAP] * 3
    assert steps == [NAP * 1000 * speed] * 3
    assert NAP * 1e9 > CATCH_UP


def test_only_what_a_sleep_is_too_long_by_is_capped() -> None:
    """A little late is made up for; a host that was suspended is not."""
    late = [3 * _MS, CATCH_UP, CATCH_UP + 1 * _MS, 3_600_000 * _MS]
    with Sleeper(*late) as sleeper:
        steps = sleeper.turns(1)
    whole = NAP * 1000 + CATCH_UP / _MS
    assert steps == [NAP * 1000 + 3, whole, whole, whole]


def test_a_client_is_answered_while_the_world_is_hurried(selector: BaseSelector) -> None:
    """Ports have their turn between the ticks."""
    port = open_port("tcp:127.0.0.1:0", selector)
    world = World(MONDAY, line_clock=line_clock)
    world.add(Site("one", Echo(period=1), board(), [port]))
    loop = RealTime(world, selector, speed=100_000)
    heard: list[bytes] = []

    def ask() -> None:
        number = int(port.client_spec.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", number), timeout=20) as client:
            client.sendall(b"hello")
            heard.append(client.recv(16))
        loop.stop()

    asker = threading.Thread(target=ask)
    asker.start()
    loop.run()
    asker.join()
    port.close()
    assert heard == [b"hello"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_loop_while_it_sleeps(
    selector: BaseSelector, number: signal.Signals
) -> None:
    """The loop comes back at once, and the handlers are as they were before."""
    world = World(MONDAY, line_clock=line_clock)
    world.add(Site("one", Echo(period=60_000), board()))
    loop = RealTime(world, selector, speed=1)
    former = signal.getsignal(number)
    with on_signals(loop, selector, {}):
        timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
        timer.start()
        loop.run()
    assert signal.getsignal(number) is former
    assert not selector.get_map()


def test_another_signal_does_what_it_is_told(selector: BaseSelector) -> None:
    """A button is pressed by a signal, and the loop goes on."""
    world = World(MONDAY, line_clock=line_clock)
    world.add(Site("one", Echo(period=60_000), board()))
    loop = RealTime(world, selector, speed=1)
    pressed: list[str] = []
    with on_signals(loop, selector, {signal.SIGUSR1: lambda: pressed.append("display")}):
        os.kill(os.getpid(), signal.SIGUSR1)
        loop.each_turn.append(lambda: loop.stop() if pressed else None)
        loop.run()
    assert pressed == ["display"]
