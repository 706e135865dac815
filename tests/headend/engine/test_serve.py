"""``prepay serve`` as people have it: real processes, a meter in another one, and ``kill -9``."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headend.commands.activate import activate
from headend.commands.status import status
from headend.context import Context, Settings
from headend.engine.service import serve
from headend.engine.states import State
from headend.errors import PortUnusable, UsageError
from headend.observe.options import Watching
from headend.store import Store, commands, ledger, meters, registry, workers
from headend.store.transactions import of_meter

PATIENCE = 60.0


class Place:
    """A folder with a database, a meter in another process, and workers.

    Args:
        folder: of all of it.
        url: of the database.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.running: list[subprocess.Popen[str]] = []
        self.store = Store(url)

    def meet(self) -> None:
        """Start a meter, activate prepayment on it and register it."""
        sim = self.start(
            "sim.cli", "meter", "--profile", "be-wal", "--port", "tcp:127.0.0.1:0",
            "--no-face", "--events", "none", "--json", "--seed", "7",
        )  # fmt: skip # a command line
        assert sim.stdout is not None
        ready = json.loads(sim.stdout.readline())
        self.port = ready["ports"][0]["spec"]
        context = self.context(port=self.port)
        activate(context)
        with self.store.begin() as db:
            (meter,) = meters.every(db)
            entry = registry.by_name(db, meter.name)
            assert entry is not None
            registry.put(db, meter.id, _reached(entry, self.port))
        self.meter = meter.name

    def context(self, **settings: Any) -> Context:
        """Return a context on this place's database."""
        return Context(Settings(**settings), store=self.store)

    def start(self, module: str, *words: str) -> "subprocess.Popen[str]":
        """Start one of our programs."""
        code = f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))"
        made = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PREPAY_DB": self.url},
        )
        self.running.append(made)
        return made

    def serve(self) -> "subprocess.Popen[str]":
        """Start a worker, and wait until it says that it works."""
        made = self.start("headend.cli", "serve", "--sessions", "4")
        assert made.stderr is not None
        assert json.loads(made.stderr.readline())["event"] == "worker begun"
        return made

    def prepay(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        made = self.start("headend.cli", *words)
        out, err = made.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(words, made.returncode, out, err)

    def queue(self, *words: str) -> str:
        """Queue a command without a process of its own; return its id."""
        from headend.engine.ordering import ordered

        asked = {"queue": True}
        parameters = {"amount": words[1]} if words[0] == "topup" else {}
        report = ordered(self.context(meter=self.meter), words[0], parameters, asked)
        return str(report.data["command"])

    def states(self) -> dict[State, int]:
        """Return how many commands are in each state."""
        with self.store.read() as db:
            return commands.counts(db)

    def close(self) -> None:
        """End all of it."""
        self.store.close()
        for each in self.running:
            if each.poll() is None:
                each.kill()
            each.communicate()


def _reached(entry: registry.Entry, port: str) -> registry.Entry:
    return registry.Entry(entry.name, entry.serial, None, entry.profile, port, life="in-service")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A meter on which prepayment is active, known by its name, on either database."""
    on_server = request.param == "postgresql"
    url = request.getfixturevalue("postgres").database() if on_server else str(tmp_path / "h.db")
    made = Place(tmp_path, url)
    try:
        made.meet()
        yield made
    finally:
        made.close()


def eventually(found: Any, patience: float = PATIENCE) -> None:
    """Wait until something is so."""
    until = time.monotonic() + patience
    while not found():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


def test_killed_again_and_again_every_top_up_is_paid_once(place: Place) -> None:
    """Workers are killed at random while they pay; meter and ledger agree to the cent."""
    amounts = [f"{5 + i}.00" for i in range(12)]
    ids = [place.queue("topup", amount) for amount in amounts]
    dice = random.Random(11)  # a schedule, no secret
    for number in range(3):
        worker = place.serve()
        if number < 2:
            done = place.states().get(State.DONE, 0)
            eventually(lambda done=done: place.states().get(State.DONE, 0) > done)
            time.sleep(dice.random() / 10)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    eventually(lambda: sum(n for s, n in place.states().items() if s.is_final) == len(ids))
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, out
    assert set(place.states()) <= {State.DONE, State.SETTLED}
    total = sum(5 + i for i in range(12))
    with place.store.read() as db:
        meter = meters.by_name(db, place.meter)
        assert meter is not None
        balance = ledger.balance(db, meter.id)
        paid = [each for each in of_meter(db, meter.id) if each.kind.value == "topup"]
        ours = {commands.get(db, each).transaction_id for each in ids}  # type: ignore[union-attr] # each was queued
    assert balance == 2_000 + total * 100
    assert len(paid) == len(ids)
    assert {each.id for each in paid} == ours
    told = status(place.context(meter=place.meter)).data
    assert str(told["balance"]) == f"{20 + total}.00"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_queued_and_waited_for_on_the_command_line(place: Place) -> None:
    """What is printed is what the command itself prints; SIGTERM ends the worker in good order."""
    queued = place.prepay("--meter", place.meter, "--json", "topup", "25.00", "--queue")
    assert queued.returncode == 0, queued.stderr
    told = json.loads(queued.stdout)
    assert told["state"] == "queued"
    worker = place.serve()
    waited = place.prepay("commands", "wait", told["command"])
    assert waited.returncode == 0, waited.stderr
    assert "topped up" in waited.stdout
    too_much = ("refund", "9999.00", "--reason", "why")
    refused = place.prepay("--meter", place.meter, *too_much, "--queue", "--wait=30")
    assert refused.returncode == 1, refused.stdout
    assert "refused" in refused.stderr
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, err
    assert out == ""
    assert json.loads(err.splitlines()[-1])["ended"] == {"done": 1, "refused": 1}
    assert not list(place.folder.glob("*.wake.*"))


@pytest.mark.parametrize("where", ["foo", "127.0.0.1:{taken}"])
def test_a_port_that_cannot_be_had_is_said_before_a_worker_begins(
    tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is logged of one, and no row of it is written."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = where.format(taken=taken.getsockname()[1])
        store = Store(str(tmp_path / "h.db"))
        context = Context(Settings(db=str(tmp_path / "h.db")), store=store)
        with pytest.raises((PortUnusable, UsageError), match=r"HOST:PORT|use"):
            serve(context, 1, Watching(http=port))
    assert capsys.readouterr().err == ""
    with store.read() as db:
        assert workers.every(db) == []
    store.close()


def test_the_workers_row_and_socket_are_gone_with_it(tmp_path: Path) -> None:
    """A worker that was told to end leaves nothing that looks alive.

    In a pipe it says JSON alone; a second one on the same file is told of the first.
    """
    place = Place(tmp_path, str(tmp_path / "h.db"))
    try:
        first, second = place.serve(), place.serve()
        eventually(lambda: len(list(tmp_path.glob("h.db.wake.*"))) == 2)
        for worker in (second, first):
            worker.send_signal(signal.SIGINT)
            out, err = worker.communicate(timeout=PATIENCE)
            assert (worker.returncode, out) == (0, ""), err
            said = [json.loads(line) for line in err.splitlines()]
            there = [line["pid"] for line in said if "another worker" in line["event"]]
            assert there == ([first.pid] if worker is second else [])
        assert not list(tmp_path.glob("h.db.wake.*"))
        with place.store.read() as db:
            assert all(row.ended is not None for row in workers.every(db))
    finally:
        place.close()
