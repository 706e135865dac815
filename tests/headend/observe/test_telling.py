"""One id from the call to the frame, and figures that add up: a worker that is watched."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from headend.context import Context
from headend.engine.attempt import Attempts
from headend.engine.queueing import Terms
from headend.engine.service import database_fault
from headend.engine.worker import Worker
from headend.errors import Refused
from headend.observe import capture, logs, metrics
from headend.observe.metrics import Metrics
from headend.observe.pcapng import read
from headend.observe.sessions import Sessions
from headend.observe.telling import Teller
from headend.store import Store, StoreError, commands
from headend.store.commands import Command
from headend.store.schema import HEAD
from protocol.timing import Instant
from tests.headend.engine.rig import WORKER, Inline, Rig, make


class Watched:
    """A rig whose worker logs and counts.

    Args:
        level: of the log.
        path: of a capture.
        change: is given each attempt's context.
    """

    def __init__(
        self,
        level: str = "debug",
        path: Path | None = None,
        change: Callable[[Context], None] = lambda context: None,
    ) -> None:
        self.rig: Rig = make()
        self.stream = io.StringIO()
        self.metrics = Metrics(self.rig.bench.store, self.rig.bench.clock)
        self.teller = Teller(logs.set_up(level, "json", self.stream), self.metrics)

        def context_of(command: Command) -> Context:
            chosen = {"capture": str(path)} if path else {}
            context = self.rig.context(meter=command.meter, **chosen)
            context.watch = self.teller
            change(context)
            return context

        attempts = Attempts(
            self.rig.bench.store, context_of, WORKER, self.rig.bench.clock, lambda: 0.5,
            self.rig.stopping, self.teller,
        )  # fmt: skip # as Rig has it
        self.rig.engine.start(attempts.run)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def figures(self) -> dict[str, float]:
        """Return each sample that is scraped, by its name and labels."""
        scraped = self.metrics.text().decode()
        return {
            sample.name + "".join(f",{value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(scraped)
            for sample in family.samples
        }


def test_one_id_leads_from_the_call_to_the_frame(tmp_path: Path) -> None:
    """The command's correlation id stands on each line of its attempt, and on each packet."""
    capture.capture_file.cache_clear()
    path = tmp_path / "a.pcapng"
    watched = Watched(path=path)
    queued = watched.rig.command(watched.rig.queue("topup", amount="15.00"))
    watched.rig.work()
    assert {line["correlation"] for line in watched.lines} == {queued.correlation}
    assert {line["command"] for line in watched.lines} == {queued.id}
    assert {line["meter"] for line in watched.lines} == {watched.rig.name}
    events = [line["event"] for line in watched.lines]
    assert events[0] == "attempt begun"
    assert events[-1] == "attempt ended"
    assert {"session begun", "sent", "received", "session over"} <= set(events)
    found = Sessions()
    with path.open("rb") as file:
        found.take(read(file))
    abouts = [session.about for session in found.found()]
    assert {each.correlation for each in abouts} == {queued.correlation}
    assert {(each.meter, each.command) for each in abouts} == {(watched.rig.name, "topup")}


def test_the_figures_add_up() -> None:
    """Octets counted are those of the sessions; a top-up is one command, one attempt, done."""
    watched = Watched()
    before = watched.figures()
    watched.rig.queue("topup", amount="15.00")
    watched.rig.work()
    figures = watched.figures()
    assert before["prepay_sessions_total"] == 0
    assert figures["prepay_attempts_total,topup"] == 1
    assert figures["prepay_commands_ended_total,topup,done"] == 1
    assert figures["prepay_attempt_seconds_count,topup"] == 1
    assert figures["prepay_sessions_open"] == 0
    over = [line for line in watched.lines if line["event"] == "session over"]
    assert figures["prepay_sessions_total"] == len(over)
    for way in ("sent", "received"):
        passed = sum(line["octets"] for line in watched.lines if line["event"] == way)
        assert figures[f"prepay_octets_total,{way}"] == passed == sum(line[way] for line in over)
    assert watched.teller.ended == {"done": 1}


def test_the_queue_is_counted_by_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how long the oldest command has been due."""
    monkeypatch.setattr(metrics, "_FRESH", -1.0)
    watched = Watched()
    now = watched.rig.bench.now
    watched.rig.queue("topup", amount="15.00")
    watched.rig.queue("topup", amount="15.00")
    watched.rig.queue("topup", Terms(not_before=Instant(now + 60_000)), amount="15.00")
    watched.rig.bench.now = Instant(now + 7_500)
    figures = watched.figures()
    assert figures["prepay_commands,queued"] == 2
    assert figures["prepay_commands,planned"] == 1
    assert figures["prepay_commands,unknown"] == 0
    assert figures["prepay_oldest_due_seconds"] == 7.5
    assert figures["prepay_database_up"] == 1
    watched.rig.work(2)
    figures = watched.figures()
    assert (figures["prepay_commands,queued"], figures["prepay_oldest_due_seconds"]) == (0, 0)


def test_the_database_is_asked_once_however_often_somebody_scrapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a stranger can ask for costs little."""
    watched = Watched()
    asked: list[int] = []
    read = watched.rig.bench.store.read

    def counted() -> object:
        asked.append(1)
        return read()

    monkeypatch.setattr(watched.rig.bench.store, "read", counted)
    for _ in range(20):
        watched.figures()
    assert len(asked) == 1


def test_a_database_that_is_gone_is_a_figure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own figures are scraped all the same."""
    watched = Watched()

    def gone() -> None:
        raise StoreError("gone")

    monkeypatch.setattr(watched.rig.bench.store, "read", gone)
    figures = watched.figures()
    assert figures["prepay_database_up"] == 0
    assert "prepay_sessions_total" in figures
    assert "prepay_commands,queued" not in figures


def silent(context: Context) -> None:
    """Let no port be opened."""
    context.__dict__["transports"] = lambda spec, now: (_ for _ in ()).throw(_no_answer())


def _no_answer() -> Exception:
    from headend.errors import NoAnswer

    return NoAnswer("no answer: nobody is there")


def test_an_attempt_that_is_to_be_repeated_is_counted_by_why() -> None:
    """It is none that ended; the reason is logged."""
    watched = Watched(change=silent)
    watched.rig.queue("topup", amount="15.00")
    watched.rig.work()
    figures = watched.figures()
    assert figures["prepay_retries_total,silent"] == 1
    assert "prepay_commands_ended_total,topup,queued" not in figures
    assert watched.lines[-1]["reason"] == "no answer: nobody is there"


def test_a_fault_is_logged_with_its_traceback() -> None:
    """And counted; the customer's command says only of what kind it was."""

    def broken(context: Context) -> None:
        raise ZeroDivisionError("a fault of ours")

    watched = Watched(change=broken)
    told = watched.rig.queue("topup", amount="15.00")
    watched.rig.work()
    (line,) = [line for line in watched.lines if line["level"] == "error"]
    assert "ZeroDivisionError: a fault of ours" in line["exception"]
    assert line["command"] == told
    assert watched.figures()["prepay_faults_total,topup"] == 1


def test_a_refusal_is_an_end() -> None:
    """By the rules, which are asked after the session has begun."""

    def refused(context: Context) -> None:
        raise Refused("not today")

    watched = Watched("info", change=refused)
    watched.rig.queue("topup", amount="15.00")
    watched.rig.work()
    assert watched.figures()["prepay_commands_ended_total,topup,refused"] == 1
    assert [line["event"] for line in watched.lines] == ["attempt begun", "attempt ended"]


def test_no_key_is_logged_at_any_level() -> None:
    """Nor any of the octets, which --trace has to ask for."""
    watched = Watched()
    watched.rig.queue("topup", amount="15.00")
    watched.rig.work()
    told = watched.stream.getvalue().lower()
    keys = watched.rig.bench.keys
    for key in (keys.block_cipher_key, keys.authentication_key, keys.master_key):
        assert key is None or key.hex() not in told
    assert len(told.splitlines()) > 10


def test_a_worker_hands_its_watch_on() -> None:
    """To the context of each command, with the command's name and id once its attempt runs."""
    watched = Watched()
    context = watched.rig.context(capture="a.pcapng")
    context.watch = watched.teller
    worker = Worker(context, Inline(), "w", 1)
    command = watched.rig.command(watched.rig.queue("topup", amount="15.00"))
    made = worker.context_of(command)
    assert made.watch is watched.teller
    assert made.chosen.capture == "a.pcapng"


def test_a_worker_says_what_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first look, when its dispatcher is stuck, and while it ends."""
    worker = Worker(Watched().rig.context(), Inline(), "w", 1)
    assert worker.fault() == "it has not begun"
    worker.dispatcher.looked = time.monotonic()
    assert worker.fault() is None
    worker.dispatcher.looked = time.monotonic() - 31
    assert worker.fault() == "the dispatcher has been stuck for 31 s"
    worker.stop()
    assert worker.fault() == "it is ending"


def test_a_database_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Gone, or of another version than this program's."""
    store = Store(str(tmp_path / "h.db"))
    assert database_fault(store) is None
    with store.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert database_fault(store) == f"its tables are of version 0001, not {HEAD}"
    with store.begin() as db:
        db.execute(text("DROP TABLE alembic_version"))
    assert database_fault(store) == "it cannot be used"
    store.close()


def test_what_is_open_is_known() -> None:
    """The rows that are not final are those that the figures are about."""
    watched = Watched()
    told = watched.rig.queue("topup", amount="15.00")
    with watched.rig.bench.store.read() as db:
        found = commands.get(db, told)
    assert found is not None
    assert watched.figures()[f"prepay_commands,{found.state.value}"] == 1
