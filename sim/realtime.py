"""Real time for a world: its clock runs at a multiple of ours, and its ports are real."""

import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from selectors import EVENT_READ, BaseSelector
from types import FrameType

from protocol.timing import Instant
from sim.ports.base import Ready
from sim.world import World

#: Real time, in ns, that one turn of the loop may give to the meters before the ports' turn.
TURN = 20_000_000
#: Real time, in ns, by which a turn may be late; what a stalled host missed beyond it never
#: happens. Sleep that was asked for is no lateness.
CATCH_UP = 200_000_000
#: The highest speed; beyond it no host keeps up anyway.
MAX_SPEED = 100_000
#: The longest sleep in seconds.
NAP = 0.5


def line_clock() -> Instant:
    """Return the line timer: ms of real time, from no particular moment."""
    return Instant(time.monotonic_ns() // 1_000_000)


class RealTime:
    """The loop: sleep until something is due, let the ports call back, let time pass.

    Where the host is too slow for ``speed`` the world's clock falls behind; it never skips.

    Args:
        world: made with ``line_clock``.
        selector: the one its ports are registered with.
        speed: seconds of the world in a second of ours, above 0.
        timer: ns of real time, from no particular moment; the selector sleeps by it.
    """

    def __init__(
        self,
        world: World,
        selector: BaseSelector,
        speed: float,
        timer: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._world = world
        self._selector = selector
        self._timer = timer
        #: Seconds of the world in a second of ours; may be changed at any time.
        self.speed = speed
        self._stopped = False
        self._hurried_to: tuple[Instant, Callable[[], None]] | None = None
        #: Called at the end of each turn; a face redraws itself here.
        self.each_turn: list[Callable[[], None]] = []

    def stop(self) -> None:
        """End ``run`` after the present turn."""
        self._stopped = True

    def hurry(self, moment: Instant, reached: Callable[[], None]) -> None:
        """Run as fast as the host can until ``moment``, then at the usual speed again.

        Args:
            moment: of the world; one that has passed is reached at once.
            reached: called then.
        """
        self._hurried_to = moment, reached

    def run(self) -> None:
        """Run until stopped."""
        last = self._timer()
        owed = 0.0  # ms of the world, below the next whole one
        while not self._stopped:
            asked = self._sleep()
            asleep = self._timer()
            events = self._selector.select(asked)
            slept = min(self._timer() - asleep, int(asked * 1e9))
            for key, mask in events:
                ready: Ready = key.data
                ready(mask)
            now = self._timer()
            if self._hurried_to is None:
                owed += (slept + min(now - last - slept, CATCH_UP)) * self.speed / 1e6
                whole = int(owed)
                owed -= whole
                self._advance(Instant(self._world.now + whole), now + TURN)
            else:
                self._hurry_on(now + TURN)
            last = now
            self._world.deliver()
            for call in self.each_turn:
                call()
        self._world.power_down()

    def _advance(self, target: Instant, deadline: int) -> bool:
        return self._world.run_until(target, lambda: self._timer() > deadline)

    def _hurry_on(self, deadline: int) -> None:
        assert self._hurried_to is not None
        moment, reached = self._hurried_to
        if self._advance(moment, deadline):
            self._hurried_to = None
            reached()

    def _sleep(self) -> float:
        """Return for how many seconds nothing is due."""
        if self._hurried_to is not None:
            return 0.0
        world = self._world
        waits = [NAP]
        due = world.next_due()
        if due is not None:
            waits.append((due - world.now) / 1000 / self.speed)
        line_due = world.next_line_due()
        if line_due is not None:
            waits.append((line_due - line_clock()) / 1000)
        return max(0.0, min(waits))


@contextmanager
def on_signals(
    loop: RealTime, selector: BaseSelector, actions: Mapping[signal.Signals, Callable[[], None]]
) -> Iterator[None]:
    """Stop ``loop`` at SIGINT, SIGTERM or SIGHUP, at once even while it sleeps.

    Args:
        loop: what to stop.
        selector: the loop's.
        actions: what other signals do; called between two turns of Python, so kept tiny.
    """
    woken, waker = socket.socketpair()
    woken.setblocking(False)
    waker.setblocking(False)
    selector.register(woken, EVENT_READ, partial(_drain, woken))
    stops = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), loop.stop)
    wanted = {**stops, **actions}

    def handle(number: int, _frame: FrameType | None) -> None:
        wanted[signal.Signals(number)]()

    former_fd = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    former = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(former_fd)
        selector.unregister(woken)
        woken.close()
        waker.close()


def _drain(woken: socket.socket, _mask: int) -> None:
    with suppress(BlockingIOError):
        woken.recv(64)
