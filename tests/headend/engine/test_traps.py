"""What is known to bite in DBOS 3.4, each with a test that it does not bite here.

The engine is the real one, in processes of its own where it takes more than one or a kill.
"""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headend.engine import Handed, ticket_of
from headend.engine.durable import VERSION, DurableEngine, beside
from headend.engine.queueing import Terms, cancel
from headend.engine.states import State
from headend.engine.worker import executor_id
from headend.errors import UsageError
from headend.store import Store, commands
from headend.store.opening import parse_url
from headend.transports import LinkKind
from protocol.timing import later
from tests.headend.bench import Bench
from tests.headend.engine.labour import lines
from tests.headend.engine.rig import Rig, make

PATIENCE = 30.0


def eventually(found: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it never was.
    """
    until = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


class Crew:
    """Processes with engines on one database, and what they wrote."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.log = url, folder / "log"
        self._running: list[subprocess.Popen[bytes]] = []
        self._names: dict[int, str] = {}

    def hire(
        self, executor: str, seconds: float = 0.0, dead: str = ""
    ) -> "subprocess.Popen[bytes]":
        """Start one, and wait until it works."""
        words = [self.url, executor, str(self.log), str(seconds), *([dead] if dead else [])]
        made = subprocess.Popen(
            [sys.executable, "-m", "tests.headend.engine.labour", *words], stdin=subprocess.PIPE
        )
        self._running.append(made)
        self._names[made.pid] = executor
        eventually(lambda: ["ready", "-", executor] in [line[:3] for line in lines(self.log)])
        return made

    def submit(self, worker: "subprocess.Popen[bytes]", work: list[Handed]) -> None:
        """Hand tickets to one of them."""
        assert worker.stdin is not None
        for each in work:
            worker.stdin.write(f"{each.batch},{each.ticket},{each.meter}\n".encode())
        worker.stdin.write(b"\n")
        worker.stdin.flush()
        eventually(lambda: self._taken(worker))

    def _taken(self, worker: "subprocess.Popen[bytes]") -> bool:
        name = self._names[worker.pid]
        return ["taken", "-", name] in [line[:3] for line in lines(self.log)]

    def told(self, word: str) -> list[str]:
        """Return the tickets of which a word was written."""
        return [ticket for said, ticket, *_ in lines(self.log) if said == word]

    def overlaps(self, partition_of: Callable[[str], str]) -> int:
        """Return how often two attempts of one partition ran at a time."""
        open_now: dict[str, int] = {}
        found = 0
        for word, ticket, *_ in lines(self.log):
            key = partition_of(ticket)
            if word == "begin":
                found += open_now.get(key, 0) > 0
                open_now[key] = open_now.get(key, 0) + 1
            elif word == "end":
                open_now[key] -= 1
        return found

    def dismiss(self) -> None:
        """Let all of them end."""
        for each in self._running:
            if each.stdin is not None:
                each.stdin.close()
        for each in self._running:
            each.wait(PATIENCE)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database, and beside it or within it the engine's."""
    if request.param == "sqlite":
        return str(tmp_path / "headend.sqlite3")
    found: str = request.getfixturevalue("postgres").database()
    return found


@pytest.fixture
def crew(url: str, tmp_path: Path) -> Iterator[Crew]:
    """Nobody yet."""
    made = Crew(url, tmp_path)
    yield made
    made.dismiss()


def handed(number: int, batch: int = 0) -> Handed:
    """Return a ticket of a batch."""
    ticket = ticket_of(f"c{number:04d}", 1)
    return Handed(ticket, f"batch {batch}", f"m{number}")


def test_trap_1_each_process_has_an_executor_id_of_its_own() -> None:
    """Two that shared "local" executed 61 of 600 at once, twice."""
    entropy = iter(range(100))
    ids = {executor_id(lambda count: next(entropy).to_bytes(count, "big")) for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) <= 64 for each in ids)


def test_traps_1_and_2_what_a_dead_worker_left_is_taken_over(crew: Crew) -> None:
    """One is killed in its attempts; of two others each batch is run again by one, and once."""
    work = [handed(i, i // 5) for i in range(30)]
    first = crew.hire("first", seconds=60)
    crew.submit(first, work)
    eventually(lambda: len(crew.told("begin")) == 4)  # its sessions
    first.kill()
    first.wait()
    crew.log.unlink()
    crew.hire("second", seconds=0.03, dead="first")
    crew.hire("third", seconds=0.03)
    eventually(lambda: len(crew.told("end")) >= len(work))
    assert sorted(crew.told("begin")) == sorted(each.ticket for each in work)
    assert crew.overlaps(lambda ticket: ticket) == 0


def test_a_batch_that_another_worker_runs_is_not_begun_again(crew: Crew) -> None:
    """A sweep hands over what has been out for long, of a batch only what still stands."""
    work = [handed(number) for number in range(3)]
    crew.submit(crew.hire("first", seconds=2), work)
    crew.submit(crew.hire("second"), work[1:])
    eventually(lambda: len(crew.told("end")) == len(work))
    assert sorted(crew.told("begin")) == [each.ticket for each in work]


def test_trap_3_a_cancelled_command_keeps_its_meter_until_it_is_through() -> None:
    """A cancel is a wish: the row keeps its ticket, so nobody else speaks to the meter."""
    rig = make()
    first, second = rig.queue("topup", amount="25.00"), rig.queue("topup", amount="30.00")
    rig.dispatcher.hand_out()
    with rig.bench.store.begin() as db:
        command = commands.get(db, first)
        assert command is not None
        commands.begin(db, command, "w", rig.bench.now)
        running = commands.get(db, first)
        assert running is not None
        assert cancel(db, running, "somebody", rig.bench.now) is State.RUNNING
    assert rig.dispatcher.hand_out() == 0
    assert rig.command(second).ticket is None
    rig.bench.close()


def test_trap_3_one_attempt_of_a_meter_at_a_time_within_a_process(tmp_path: Path) -> None:
    """Whatever the engine does: the same ticket twice is run after each other, and paid once."""
    store = Store(str(tmp_path / "headend.sqlite3"))  # one in memory has one connection
    rig = Rig(Bench("be-wal", LinkKind.WRAPPER, store=store))
    done = rig.queue("topup", amount="25.00")
    rig.dispatcher.hand_out()
    (ticket,) = [each.ticket for each in rig.engine.waiting]
    threads = [threading.Thread(target=rig.attempts.run, args=(ticket,)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert rig.command(done).state is State.DONE
    assert rig.told.count(("begun", "topup")) == 1
    assert len(rig.topups()) == 1
    rig.bench.close()


def test_trap_4_not_after_is_a_moment_however_long_it_waited() -> None:
    """It is looked at just before sending, not counted from when the engine took it."""
    rig = make()
    late = rig.queue("topup", Terms(not_after=later(rig.bench.now, 1_000)), amount="25.00")
    rig.dispatcher.hand_out()
    rig.bench.now = later(rig.bench.now, 1_001)
    rig.engine.work()
    assert rig.command(late).state is State.EXPIRED
    assert rig.topups() == []
    rig.bench.close()


def test_trap_5_tickets_of_a_batch_begin_in_the_order_in_which_they_were_claimed(
    tmp_path: Path,
) -> None:
    """By priority, then by number: the engine does not put them into an order of its own."""
    ran: list[str] = []
    engine = DurableEngine(parse_url(str(tmp_path / "headend.sqlite3")), "here", sessions=1)
    engine.start(ran.append)
    try:
        work = [handed(number) for number in (7, 3, 11, 1, 9)]
        engine.submit(work)
        eventually(lambda: len(ran) == len(work))
    finally:
        engine.stop(5)
    assert ran == [each.ticket for each in work]


def test_trap_5_tickets_are_in_the_order_of_their_numbers_as_text() -> None:
    """Whoever sorts them, by hand or in a database, has them in order."""
    tickets = [ticket_of("a" * 32, number) for number in range(1, 1_100)]
    assert tickets == sorted(tickets)
    assert max(len(each) for each in tickets) <= 48  # of the column


def test_trap_6_version_and_form_of_what_is_stored(tmp_path: Path) -> None:
    """The version is pinned, arguments are JSON that any program reads, the file is in WAL."""
    path = tmp_path / "headend.sqlite3"
    engine = DurableEngine(parse_url(str(path)), "here", sessions=1)
    engine.start(lambda ticket: None)
    try:
        engine.submit([handed(1)])
        eventually(lambda: bool(engine.ended([handed(1).batch])))
    finally:
        engine.stop(5)
    with sqlite3.connect(beside(path)) as db:
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        query = "SELECT workflow_uuid, application_version, serialization FROM workflow_status"
        rows = db.execute(query).fetchall()
    db.close()
    assert mode == "wal"
    assert rows == [(handed(1).batch, VERSION, "portable_json")]
    assert beside(path).stat().st_mode & 0o077 == 0


def test_trap_9_who_only_queues_imports_no_engine() -> None:
    """So it never dequeues, and does not pay the second and a half."""
    code = (
        "import sys; import headend.engine.ordering, headend.engine.views, "
        "headend.engine.campaigns; sys.exit('dbos' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_batch_is_taken_once_and_forgotten_when_it_is_through(tmp_path: Path) -> None:
    """The same id again is the same workflow; what is through does not pile up."""
    ran: list[str] = []
    engine = DurableEngine(parse_url(str(tmp_path / "headend.sqlite3")), "here", sessions=2)
    engine.start(ran.append)
    try:
        for _ in range(3):
            engine.submit([handed(1), handed(2), handed(3, batch=1)])
        batches = [handed(1).batch, handed(3, batch=1).batch]
        eventually(lambda: engine.ended(batches) == frozenset(batches))
        assert sorted(ran) == [handed(number).ticket for number in (1, 2, 3)]
        engine.tidy()
        assert engine.ended(batches) == frozenset()
    finally:
        engine.stop(5)


def test_a_database_in_memory_has_no_durable_engine() -> None:
    """Nothing in it outlives the process."""
    with pytest.raises(UsageError, match="memory"):
        DurableEngine(parse_url("sqlite://"), "here", sessions=1)
