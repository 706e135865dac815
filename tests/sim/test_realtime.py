import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from selectors import BaseSelector, DefaultSelector

import pytest

from meter_fw.board import Inputs, Outputs
from protocol.timing import Instant
from sim.ports import open_port
from sim.realtime import CATCH_UP, RealTime, line_clock, on_signals
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
    moments = [now for now, _ in echo.seen]
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
    assert max(steps) <= CATCH_UP / 1e6 * 1000


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
