"""Meters in one process, each at a TCP port of its own, that tell what they saw.

Run as ``python -m tests.kill.fleet FOLDER``. They are the meters of ``prepay-sim meter --state``:
killed at any moment they go on from their memory. Beside that two files are written, from which
the checker learns what a head-end cannot know:

- each connection, and how many others were open at that meter when it came. One whose other end
  is closed does not count, even where the meter has not noticed: the kernel is asked.
- each transaction, once the meter's memory has it. What a kill kept from being written is written
  at the next start, from the meter's own log; so a line may come twice, with the same number.
"""

import socket
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from selectors import DefaultSelector

from meter_fw.board import Outputs, PortId
from meter_fw.kernel import Kernel
from protocol.timing import Instant
from sim.meter import Options, assemble
from sim.ports.base import News
from sim.ports.tcp import TcpPort
from sim.realtime import RealTime, line_clock, on_signals
from sim.world import After, Before, Site, World
from tests.kill import plan
from tests.kill.plan import MeterPlan

#: The first octet of Linux's ``tcp_info`` is the state, and this one that both ends are there.
_ESTABLISHED = 1


class WatchedPort:
    """A TCP port that writes down who comes and goes; a ``Port``.

    Args:
        port: the port.
        meter: whose.
        told: the file.
    """

    def __init__(self, port: TcpPort, meter: str, told: Path) -> None:
        self._port, self._meter, self._told = port, meter, told
        self._open: dict[PortId, socket.socket] = {}
        self.client_spec = port.client_spec

    def collect(self) -> News:
        """Return what happened at the port."""
        news = self._port.collect()
        for line in news.closed:
            if self._open.pop(line, None) is not None:
                self._tell("end", line, 0)
        for line in news.opened:
            others = sum(is_connected(each) for each in self._open.values())
            self._tell("begin", line, others)
            connection = self._port._connections.get(line)
            if connection is not None:
                self._open[line] = connection[0]
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Write to a connection."""
        self._port.send(line, data)

    def hang_up(self, line: PortId) -> None:
        """End a connection."""
        self._port.hang_up(line)

    def close(self) -> None:
        """Stop listening."""
        self._port.close()

    def _tell(self, event: str, line: PortId, others: int) -> None:
        told = {"meter": self._meter, "event": event, "line": line, "others": others}
        plan.append(self._told, {**told, "at": time.monotonic_ns()})


def is_connected(connection: socket.socket) -> bool:
    """Say whether the other end of a connection is still there."""
    if connection.fileno() < 0:
        return False
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] == _ESTABLISHED


class Trace:
    """Writes down each transaction that a meter executed.

    Args:
        meter: whose.
        kernel: its firmware.
        told: the file.
    """

    def __init__(self, meter: str, kernel: Kernel, told: Path) -> None:
        self._meter, self._kernel, self._told = meter, kernel, told
        self._next = 0  # its whole log at first: the last life may have left something out

    def look(self) -> None:
        """Write down what is new."""
        state = self._kernel.state
        if state.history.ordered == self._next:
            return
        fresh = [each for each in state.transactions if each.number >= self._next]
        for each in sorted(fresh, key=lambda entry: entry.number):
            told = {"number": each.number, "id": each.id.hex(), "kind": each.kind.name}
            told |= {"outcome": each.outcome.name, "amount": each.amount}
            plan.append(self._told, {"meter": self._meter, **told})
        self._next = state.history.ordered


def main(folder: str) -> None:
    """Run the fleet of a campaign until a signal ends it."""
    place = Path(folder)
    found = plan.load(place)
    assert found is not None  # who starts the fleet has made a plan
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        start = datetime.now(UTC)
        world: World | None = None
        before: dict[str, list[Before]] = {}
        after: dict[str, list[After]] = {}
        for each in found.meters:
            made = assemble(_options(each, place, start), selector, stack)
            before[each.name], after[each.name] = made.world.before, made.world.after
            trace = Trace(each.name, made.kernel, place / "trace.jsonl")
            trace.look()
            after[each.name].append(lambda site, outputs, trace=trace: trace.look())  # type: ignore[misc] # a default binds it
            (port,) = made.site.ports
            assert isinstance(port, TcpPort)
            made.site.ports = [WatchedPort(port, each.name, place / "sessions.jsonl")]
            if world is None:
                world = World(made.world.now, 0, line_clock)
                world.before.append(lambda site, now: _all_before(before[site.name], site, now))
                world.after.append(lambda site, out: _all_after(after[site.name], site, out))
            world.add(made.site)
        assert world is not None  # a campaign without meters is none
        loop = RealTime(world, selector, 1.0)
        stack.enter_context(on_signals(loop, selector, {}))
        print("ready", flush=True)
        loop.run()


def _options(meter: MeterPlan, place: Path, start: datetime) -> Options:
    return Options(
        ports=(f"tcp:127.0.0.1:{meter.port}",),
        profile=meter.profile,
        name=meter.name,
        start=start,
        state=place / "meters" / meter.name,
        load=place / "load.csv",
    )


def _all_before(calls: list[Before], site: Site, now: Instant) -> None:
    for call in calls:
        call(site, now)


def _all_after(calls: list[After], site: Site, outputs: Outputs) -> None:
    for call in calls:
        call(site, outputs)


if __name__ == "__main__":
    main(sys.argv[1])
