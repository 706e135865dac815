"""A campaign: real meters, a real database, real workers, all of which are killed while they pay.

What it is of stands in its folder (``plan``), so one that was broken off goes on where it stood:
kills and payments that were counted stay counted.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headend.clock import system_clock
from headend.commands.activate import activate
from headend.context import Context, Settings
from headend.engine.arguments import durable
from headend.engine.queueing import Terms, prepared, queue
from headend.errors import Refused
from headend.store import Store, StoreError, registry
from sim.making import derive_name
from tests.kill.armed import POINTS
from tests.kill.checker import Audit, audit, decimal
from tests.kill.killer import RANDOM, Killer, kill_dead
from tests.kill.plan import BARRIER, MeterPlan, Payment, Plan
from tests.postgres import Postgres

#: Seconds without a command that became final, after which something is wrong: more than the
#: longest pause between two attempts.
STALLED: Final = 420.0
#: Seconds for which a process that is told to end may take.
_PATIENCE: Final = 60.0
#: Seconds between two looks at what is going on.
_LOOK: Final = 0.05
#: Ports that this machine does not give to those who call.
_FIRST_PORT: Final = 15_000
#: How many commands are queued in one transaction.
_BATCH: Final = 250
_HERE: Final = Path(__file__).parents[2]
#: The least amounts that the two profiles take.
_LEAST: Final = {"be-wal": 500, "il": 10_000}

#: Who is killed. A worker is ``prepay serve`` where the database is a file, else one of two.
WORKER, METERS, SERVER = VICTIMS = "worker", "meters", "postgresql"

Say = Callable[[str], None]


class Failed(Exception):
    """A campaign that cannot go on."""


def draw(
    folder: Path,
    store: str,
    topups: int,
    meters: int,
    kills: int,
    sessions: int = 8,
    victims: Sequence[str] = VICTIMS,
    points: Sequence[str] = (*POINTS, RANDOM),
) -> Plan:
    """Make the plan of a campaign, and write it down.

    Args:
        folder: where it is to be.
        store: sqlite or postgresql.
        topups, meters: how many.
        kills: how many of each victim at each point; of the meters, a sixth.
        sessions: how many meters a worker speaks to at a time.
        victims: who is killed.
        points: where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = _ports()
    fleet = [
        MeterPlan(derive_name(profile, number + 1), profile, next(ports))
        for number in range(meters)
        for profile in [("be-wal", "il")[number % 2]]
    ]
    payments = []
    for number in range(topups):
        meter = fleet[number % meters]
        # one cent more each time: no two are alike, and all are within what a profile takes
        payments.append(Payment(meter.name, _LEAST[meter.profile] + number, f"pay-{number:06}"))
    server = ""
    if store == "postgresql":
        server = tempfile.mkdtemp(prefix="prepay-kill-", dir="/tmp")  # a socket's name is short
    made = Plan(
        store=store,
        database="" if server else str(folder / "headend.sqlite3"),
        server=server,
        server_port=0,
        workers=2 if server else 1,
        sessions=sessions,
        points=list(points),
        kills={
            # all meters die at once, and each top-up under way with them: a few of that will do
            victim: -(-kills // 6) if victim == METERS else kills
            for victim in victims
            if server or victim != SERVER
        },
        meters=fleet,
        payments=payments,
    )
    made.save(folder)
    return made


def _ports() -> Iterator[int]:
    """Give TCP ports that nobody listens at."""
    for port in range(_FIRST_PORT + random.randrange(14_000), 32_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield port


@dataclass
class Campaign:
    """One campaign under way.

    Args:
        folder: where everything of it is.
        plan: what it is of.
        say: takes lines for people.
        eager: kill as soon as there is somebody to be killed, rather than all along.
    """

    folder: Path
    plan: Plan
    say: Say = print
    eager: bool = False
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    fleet: "subprocess.Popen[bytes] | None" = None
    server: Postgres | None = None
    spare: "subprocess.Popen[bytes] | None" = None
    audit: Audit | None = None
    _server_up: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)  # of whoever stops or starts it

    def run(self) -> Audit:
        """Prepare what is not prepared, kill and pay until all is paid, and audit.

        Raises:
            Failed: nothing moves any more.
        """
        with ExitStack() as stack:
            stack.callback(self.close)
            self.serve_database()
            self.start_fleet()
            if not (self.folder / "prepared").exists():
                self.prepare()
            self._kill_and_pay(stack)
            self.end(self.workers)
            self.end([self.fleet] if self.fleet else [])
            self.audit = audit(self.folder, self.plan)
            return self.audit

    # --- before --------------------------------------------------------------------------------

    def serve_database(self) -> None:
        if not self.plan.server:
            return
        folder = Path(self.plan.server)
        self.server = Postgres(folder, durable=True, port=self.plan.server_port)
        self.server.start()
        self._server_up = True
        if not self.plan.database:
            values = {f: getattr(self.plan, f) for f in Plan.__dataclass_fields__}
            url = self.server.empty()
            self.plan = Plan(**values | {"database": url, "server_port": self.server.port})
            self.plan.save(self.folder)

    def prepare(self) -> None:
        """Activate, register, queue; done again, it changes nothing."""
        self.say(f"{len(self.plan.meters)} meters, {len(self.plan.payments)} payments: queueing")
        store = Store(self.plan.database)
        try:
            for meter in self.plan.meters:
                self._register(store, meter)
            pay(store, self.plan.payments)
        finally:
            store.close()
        (self.folder / "prepared").touch()

    def _register(self, store: Store, meter: MeterPlan) -> None:
        port = f"tcp:127.0.0.1:{meter.port}"
        with suppress(Refused):  # active already
            activate(Context(Settings(port=port), store=store, now=system_clock()))
        with store.begin() as db:
            entry = registry.by_name(db, meter.name)
            assert entry is not None  # it was met
            reached = registry.Entry(
                meter.name, entry.serial, None, meter.profile, port, life="in-service"
            )
            registry.put(db, entry.id, reached)

    # --- while it goes -------------------------------------------------------------------------

    def _kill_and_pay(self, stack: ExitStack) -> None:
        open_now = still_open(self.plan.database)
        ways = {WORKER: self._kill_worker, METERS: self._kill_fleet, SERVER: self._kill_server}
        killer = Killer(
            self.folder,
            self.plan.kills,
            self.plan.points,
            ways,
            ready=self._is_there,
        )
        total = max(1, len(self.plan.payments))
        killer.share = float(self.eager)
        stack.callback(killer.close)
        self._environment = {**clean_environment(), BARRIER: str(killer.address)}
        self.workers = [self._hire() for _ in range(self.plan.workers)]
        moved = said = time.monotonic()
        while open_now != 0:
            time.sleep(_LOOK)
            self._replace()
            killer.chance()
            if time.monotonic() - said < 1.0:
                continue
            said = time.monotonic()
            before, open_now = open_now, still_open(self.plan.database)
            if open_now is not None and open_now != before:
                moved = time.monotonic()
                killer.share = max(1 - open_now / total, self.eager)
                killed = sum(killer.counts.values())
                self.say(f"  {open_now:5} to go, {killed} killed, {killer.missing()} to kill")
            if time.monotonic() - moved > STALLED:
                raise Failed(f"nothing has moved for {STALLED:g} s, {open_now} to go")

    def _replace(self) -> None:
        """Start anew who has died."""
        for place, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[place] = self._hire()
        if self.fleet is not None and self.fleet.poll() is not None:
            self.start_fleet(wait=False)
        with self._turn:
            if self.server is not None and not self._server_up:
                self.server.start()
                self._server_up = True

    def _is_there(self, victim: str) -> bool:
        if victim == METERS:
            return self.fleet is not None and self.fleet.poll() is None and self._fleet_ready()
        if victim == SERVER:
            return self._server_up
        return all(each.poll() is None for each in self.workers)

    def _kill_worker(self, process: int) -> bool:
        running = [each for each in self.workers if each.poll() is None]
        dead = [each for each in running if process in (0, each.pid)]
        if not dead:
            return False
        random.choice(dead).kill()  # a schedule, no secret
        return True

    def _kill_fleet(self, _process: int) -> bool:
        assert self.fleet is not None  # it is there
        self.fleet.kill()
        self.fleet.wait()
        return True

    def _kill_server(self, _process: int) -> bool:
        assert self.server is not None  # it is there
        with self._turn:
            self._server_up = False
            self.server.stop(signal.SIGKILL)
        return True

    # --- processes -----------------------------------------------------------------------------

    def _hire(self) -> "subprocess.Popen[bytes]":
        """Let the worker begin that stands ready, and have another one stand ready."""
        begun = self.spare or self._ready_worker()
        assert begun.stdin is not None
        begun.stdin.write(b"go\n")
        begun.stdin.close()
        self.spare = self._ready_worker()
        return begun

    def _ready_worker(self) -> "subprocess.Popen[bytes]":
        name = "worker" if self.plan.server else "serve"
        words = [name, "--db", self.plan.database, "--sessions", str(self.plan.sessions)]
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.kill.armed", *words, "--log-level", "warning"],
                cwd=_HERE,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def start_fleet(self, *, wait: bool = True) -> None:
        (self.folder / "meters").mkdir(exist_ok=True)
        rows = [f"{n // 4:02}:{n % 4 * 15:02},0\n" for n in range(96)]
        (self.folder / "load.csv").write_text("time,watt_hours\n" + "".join(rows))
        self._told = self.folder / "fleet.out"
        with self._told.open("wb") as out, (self.folder / "fleet.log").open("ab") as log:
            self.fleet = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.fleet", str(self.folder)],
                cwd=_HERE,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        until = time.monotonic() + _PATIENCE
        while wait and not self._fleet_ready():
            if self.fleet.poll() is not None or time.monotonic() > until:
                raise Failed(f"the fleet does not start: {self.folder / 'fleet.log'}")
            time.sleep(0.02)

    def _fleet_ready(self) -> bool:
        return self._told.read_bytes() == b"ready\n"

    def end(self, processes: "list[subprocess.Popen[bytes]]") -> None:
        for each in processes:
            each.terminate()
        for each in processes:
            try:
                each.wait(_PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise Failed(f"process {each.pid} does not end") from error

    def close(self) -> None:
        everybody = [*self.workers, self.fleet, self.spare]
        for each in everybody:
            if each is not None and each.poll() is None:
                kill_dead(each.pid)
            if each is not None:
                each.wait()
                if each.stdin is not None:
                    each.stdin.close()
        if self.server is not None:
            self.server.stop()


def pay(store: Store, payments: Sequence[Payment]) -> None:
    """Queue payments; one that is there already stays as it is."""
    of, context = durable("topup"), Context(Settings(), store=store)
    with store.read() as db:
        ids = registry.names(db)
    for first in range(0, len(payments), _BATCH):
        with store.begin() as db:
            for each in payments[first : first + _BATCH]:
                terms = Terms(idempotency_key=each.key, caller="campaign")
                amount = {"amount": decimal(each.amount)}
                new = prepared(of, amount, ids[each.meter], terms, context)
                queue(db, new, context.now())


def still_open(database: str) -> int | None:
    """Return how many commands are not final; None while the database is gone."""
    try:
        store = Store(database)
        with store.read() as db:
            row = db.exec_driver_sql(
                "SELECT count(*) FROM commands WHERE state IN "
                "('planned', 'queued', 'running', 'unknown')"
            ).one()
        store.close()
    except StoreError:
        return None
    return int(row[0])


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what a user has chosen for the program."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PREPAY_")}
    return {**mine, "PYTHONPATH": str(_HERE)}
