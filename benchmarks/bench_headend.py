"""Whole top-ups: how many are settled in a second, and how long one takes.

    python -m benchmarks.bench_headend                    # all of it, some three minutes
    python -m benchmarks.bench_headend --only latency --runs 21
    python -m benchmarks.bench_headend --only raw-sqlite --profile    # and where the time goes

The meters are in a process of their own (``benchmarks.fleet``) at TCP ports of their own; one half
keeps its balance itself, that of the other half is at the head-end. Each top-up is a fresh suite-0
association with HLS-GMAC, a payment booked, sent and confirmed.

| phase | who carries top-ups out |
|---|---|
| raw-sqlite | threads of one process that call the command's function; no engine |
| serve-sqlite | ``prepay serve`` on what was queued |
| raw-postgresql | as many processes as workers, threads in each; no engine |
| workers-postgresql | ``prepay worker``, two of them |
| latency | the command line: directly, and with --queue --wait through ``prepay serve`` |

Databases wait for the disk at each commit; PostgreSQL is reached by its socket. CPU time is what
Linux charges each process with, in ms for each top-up; the rate is by wall time, and depends on
what else the machine does.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.processes import cpu_seconds, peak_mib
from headend.commands.activate import activate
from headend.commands.adjust import adjust
from headend.context import Context, Settings
from headend.engine.arguments import durable
from headend.engine.queueing import Terms, prepared
from headend.engine.states import State
from headend.engine.wake import wake, wake_with
from headend.store import Store, commands, registry, workers
from obis.values import replace
from tests.postgres import server

#: What each kind of meter is topped up by.
AMOUNTS = {"be-wal": "10.00", "il": "100.00"}
#: Takes an Israeli meter from nothing far below its overdraft of ILS 50; and brings it back.
USED_UP, PAID = "-600.00", "600.00"
PHASES = ("raw-sqlite", "serve-sqlite", "raw-postgresql", "workers-postgresql", "latency")
ROOT = Path(__file__).resolve().parents[1]
#: Seconds that anything may take.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Metered:
    """One of the fleet.

    Args:
        name: its logical device name.
        spec: where it is.
        profile: be-wal or il.
    """

    name: str
    spec: str
    profile: str


@dataclass
class Fleet:
    """The meters' process.

    Args:
        process: of ``benchmarks.fleet``.
        meters: those that are topped up by the hundred.
        last: the one that is topped up after a cut.
    """

    process: "subprocess.Popen[str]"
    meters: list[Metered]
    last: Metered
    _moves: "queue.Queue[tuple[str, str, float]]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def moved(self, name: str, how: str) -> float:
        """Wait until a meter's relay moves; return when, by the monotonic clock."""
        while True:
            found = self._moves.get(timeout=PATIENCE)
            if found[:2] == (name, how):
                return found[2]

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("["):
                self._moves.put(tuple(json.loads(line)))
            else:
                print(line, end="")  # where its time went


@contextmanager
def fleet(count: int, *, profile: bool) -> Iterator[Fleet]:
    """Run so many meters, and one more."""
    kinds = [list(AMOUNTS)[place % len(AMOUNTS)] for place in range(count)] + ["il"]
    words = ["-m", "benchmarks.fleet", *(["--profile"] if profile else []), *kinds]
    with started(words) as process:
        assert process.stdout is not None
        *most, last = (Metered(*each) for each in json.loads(process.stdout.readline()))
        yield Fleet(process, most, last)


@contextmanager
def started(words: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python process of ours; it ends when its input does, or by SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        if "headend.cli" in words[-1] or words[0] == "-c":
            process.terminate()
        process.stdin.close()
        process.wait(PATIENCE)


def environment() -> dict[str, str]:
    """Return the environment of a user, who does not compile all packages at each start."""
    unwanted = ("PREPAY_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def cli(*words: str) -> list[str]:
    """Return how a ``prepay`` command is run by this Python."""
    return ["-c", "from headend.cli import main; main()", *words]


# --- databases ---------------------------------------------------------------------------------


def furnish(store: Store, meters: Sequence[Metered]) -> None:
    """Meet the meters, begin prepayment, and tell the registry where they are."""
    for each in meters:
        activate(Context(Settings(port=each.spec), store=store))
        with store.begin() as db:
            entry = registry.by_name(db, each.name)
            number = registry.id_of(db, each.name)
            assert entry is not None
            assert number is not None
            registry.put(db, number, replace(entry, transport=each.spec))


@dataclass(frozen=True, slots=True)
class Place:
    """A database with the fleet in it.

    Args:
        store: open.
        url: as ``--db`` takes it.
        server: process number of its server; None where there is none.
    """

    store: Store
    url: str
    server: int | None


@contextmanager
def sqlite(meters: Sequence[Metered]) -> Iterator[Place]:
    """Give a new file."""
    with tempfile.TemporaryDirectory(prefix="prepay-bench-") as folder:
        url = str(Path(folder) / "headend.sqlite3")
        with closing(Store(url)) as store:
            furnish(store, meters)
            yield Place(store, url, None)


@contextmanager
def postgresql(meters: Sequence[Metered]) -> Iterator[Place]:
    """Give a new database of a server of our own."""
    with server(durable=True) as running:
        url = running.beside(running.database())
        pid = int((running.folder / "data" / "postmaster.pid").read_text().split()[0])
        with closing(Store(url)) as store:
            furnish(store, meters)
            yield Place(store, url, pid)


# --- how many in a second ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What a phase came to.

    Args:
        phase: its name.
        topups: how many.
        seconds: by wall time.
        cpu: by who, in ms for each top-up.
        peak: of the processes that carried them out, in MiB each.
    """

    phase: str
    topups: int
    seconds: float
    cpu: dict[str, float]
    peak: list[float]

    def __str__(self) -> str:
        cpu = ", ".join(f"{who} {milliseconds:.1f}" for who, milliseconds in self.cpu.items())
        peak = ", ".join(f"{each:.0f}" for each in self.peak)
        rate = self.topups / self.seconds
        return f"| {self.phase} | {rate:.1f} | {cpu} | {peak} |"


@contextmanager
def counted(
    phase: str, topups: int, place: Place, meters: Fleet, doing: Sequence[int]
) -> Iterator[list[Row]]:
    """Measure what a block does; the row is in the list afterwards."""
    watched = {"head-end": list(doing), "meters": [meters.process.pid]}
    if place.server is not None:
        watched["PostgreSQL"] = [place.server]

    def spent() -> dict[str, float]:
        return {who: sum(map(cpu_seconds, pids)) for who, pids in watched.items()}

    rows: list[Row] = []
    before, began = spent(), time.monotonic()
    yield rows
    seconds, after = time.monotonic() - began, spent()
    cpu = {who: 1000 * (after[who] - before[who]) / topups for who in watched}
    rows.append(Row(phase, topups, seconds, cpu, [peak_mib(pid) for pid in doing]))


def raw(phase: str, place: Place, meters: Fleet, asked: argparse.Namespace) -> Row:
    """Measure sessions without an engine."""
    processes = 1 if place.server is None else asked.workers
    profile = ["--profile"] if asked.profile else []
    threads = 1 if asked.profile else asked.sessions
    words = ["-m", "benchmarks.raw_sessions", place.url, str(threads), *profile]
    each = max(1, asked.count // len(meters.meters))
    with ExitStack() as stack:
        doing = [stack.enter_context(started(words)) for _ in range(processes)]
        for count in (1, each):  # once to warm up
            topups = count * len(meters.meters)
            with counted(phase, topups, place, meters, [one.pid for one in doing]) as rows:
                for index, process in enumerate(doing):
                    mine = meters.meters[index::processes]
                    told = " ".join(f"{one.name}={AMOUNTS[one.profile]}" for one in mine)
                    print(count, told, file=process.stdin, flush=True)
                for process in doing:
                    assert process.stdout is not None
                    assert process.stdout.readline(), "a session failed"
        for process in doing if profile else ():
            print(process.communicate()[0])
    return rows[0]


def engine(phase: str, place: Place, meters: Fleet, asked: argparse.Namespace) -> Row:
    """Measure what is queued, and carried out by workers."""
    processes = 1 if place.server is None else asked.workers
    verb = "serve" if place.server is None else "worker"
    words = cli("--db", place.url, verb, "--sessions", str(asked.sessions), "--log-level", "error")
    each = max(1, asked.count // len(meters.meters))
    with ExitStack() as stack:
        doing = [stack.enter_context(started(words)) for _ in range(processes)]
        await_workers(place.store, processes)
        for count in (2, each):  # the first ones to warm up
            topups = count * len(meters.meters)
            with counted(phase, topups, place, meters, [one.pid for one in doing]) as rows:
                order(place.store, meters.meters, count)
                await_all(place.store)
    return rows[0]


def order(store: Store, meters: Sequence[Metered], count: int) -> None:
    """Queue so many top-ups of each meter, in one database transaction."""
    of, context = durable("topup"), Context(Settings(), store=store)
    with store.begin() as db:
        numbers = registry.names(db)
        rows = [
            prepared(of, {"amount": AMOUNTS[each.profile]}, numbers[each.name], Terms(), context)
            for _ in range(count)
            for each in meters
        ]
        commands.add(db, rows, context.now())
        wake_with(db)
    wake(store.url)


def await_workers(store: Store, count: int) -> None:
    """Wait until so many workers are there."""

    def there() -> bool:
        with store.read() as db:
            return len(workers.every(db, only_running=True)) >= count

    _until(there)


def await_all(store: Store) -> None:
    """Wait until nothing is queued any more, and hold that all of it is done."""
    found: dict[State, int] = {}

    def through() -> bool:
        with store.read() as db:
            found.clear()
            found.update(commands.counts(db))
        return all(state.is_final for state, number in found.items() if number)

    _until(through)
    assert all(state is State.DONE for state, number in found.items() if number), found


def _until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.2)  # each look counts all commands, on the server's time


# --- how long one takes ------------------------------------------------------------------------


def latency(place: Place, meters: Fleet, asked: argparse.Namespace) -> list[str]:
    """Measure from the start of ``prepay`` to the relay's closing, and to the command's end."""
    chosen = meters.last
    lines = []
    serving = cli("--db", place.url, "serve", "--log-level", "error")
    ways: dict[str, tuple[list[str], Any]] = {
        "prepay topup": ([], nullcontext()),
        "prepay topup --queue --wait, through prepay serve": (
            ["--queue", "--wait"],
            started(serving),
        ),
    }
    for way, (more, running) in ways.items():
        with running:
            if more:
                await_workers(place.store, 1)
            words = cli("--db", place.url, "--meter", chosen.name, "topup", PAID, *more)
            _one(place, meters, chosen, words)  # to warm up
            found = [_one(place, meters, chosen, words) for _ in range(asked.runs)]
        for what, index in (("relay closed", 0), ("command over", 1), ("CPU time of it", 2)):
            times = [each[index] for each in found]
            last = quantiles(times, n=10)[-1]
            lines.append(f"| {way} | {what} | {median(times):.3f} s | {last:.3f} s |")
    return lines


def _one(
    place: Place, meters: Fleet, meter: Metered, words: Sequence[str]
) -> tuple[float, float, float]:
    """Use a meter's credit up, top it up; return the seconds to the relay, to the end, of CPU."""
    adjust(Context(Settings(meter=meter.name), store=place.store), USED_UP, "used up")
    meters.moved(meter.name, "open")
    before, began = os.times(), time.monotonic()
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    over, after = time.monotonic(), os.times()
    assert done.returncode == 0, done.stderr
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return meters.moved(meter.name, "close") - began, over - began, spent


# -----------------------------------------------------------------------------------------------


def main() -> None:
    """Measure the phases that are asked for, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", choices=PHASES, help="a phase; all by default")
    parser.add_argument("--meters", type=int, default=24, help="how many there are")
    parser.add_argument("--count", type=int, default=1200, help="top-ups of a phase")
    parser.add_argument("--sessions", type=int, default=8, help="at a time, in each process")
    parser.add_argument("--workers", type=int, default=2, help="on PostgreSQL")
    parser.add_argument("--runs", type=int, default=21, help="of the command line")
    parser.add_argument("--profile", action="store_true", help="where the time goes, where raw")
    asked = parser.parse_args()
    for place_of, mark in ((sqlite, "-sqlite"), (postgresql, "-postgresql")):
        phases = [p for p in asked.only or PHASES if p.endswith(mark)]
        if mark == "-sqlite" and "latency" in (asked.only or PHASES):
            phases.append("latency")
        if not phases:
            continue
        with (
            fleet(asked.meters, profile=asked.profile) as meters,
            place_of([*meters.meters, meters.last]) as place,
        ):
            for phase in phases:
                if phase == "latency":
                    print("\n".join(latency(place, meters, asked)), flush=True)
                    continue
                measure = raw if phase.startswith("raw") else engine
                print(measure(phase, place, meters, asked), flush=True)


if __name__ == "__main__":
    main()
