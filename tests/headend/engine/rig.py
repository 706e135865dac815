"""A meter's kernel, a database with that meter registered, and a worker on one clock."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update

from headend.commands.activate import activate
from headend.context import Context, Settings
from headend.engine import Engine, Handed
from headend.engine.arguments import durable
from headend.engine.attempt import Attempts
from headend.engine.dispatcher import Dispatcher
from headend.engine.queueing import Terms, prepared, queue
from headend.store import commands, meters, schema, transactions
from headend.store.commands import Command
from headend.transports import LinkKind
from tests.headend.bench import PATIENCE, SPECS, Bench

AT_ONCE = Terms()
WORKER = "here-1-000000000001"


@dataclass
class Inline:
    """An engine that runs a ticket when told to; what it holds dies with it."""

    waiting: list[Handed] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    run: Callable[[str], None] = lambda ticket: None

    def start(self, run: Callable[[str], None]) -> None:
        """Begin."""
        self.run = run

    def submit(self, handed: Sequence[Handed]) -> None:
        """Take tickets."""
        known = {each.ticket for each in self.waiting} | self.gone
        self.waiting += [each for each in handed if each.ticket not in known]

    def work(self) -> int:
        """Run all that waits; return how many those were."""
        taken, self.waiting = self.waiting, []
        for each in taken:
            self.run(each.ticket)
            self.gone |= {each.ticket, each.batch}
        return len(taken)

    def ended(self, batches: Any) -> frozenset[str]:
        """Return which have ended."""
        return frozenset(batches) & self.gone

    def holders(self) -> frozenset[str]:
        """Return nobody: what it held died with it."""
        return frozenset()

    def recover(self, dead: Any) -> int:
        """Nothing is left of them."""
        return 0

    def tidy(self) -> None:
        """Nothing is forgotten."""

    def stop(self, patience: float) -> None:
        """End."""


@dataclass
class Rig:
    """One meter, one worker.

    Args:
        bench: the meter and the database.
        name: of the meter in the registry.
        begun: whether it is there already, with prepayment active.
    """

    bench: Bench
    name: str = ""
    begun: bool = False
    engine: Inline = field(default_factory=Inline)
    told: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.begun:
            self.begin()
        self.stopping = threading.Event()
        self.start()

    def begin(self) -> None:
        """Activate prepayment and register the meter."""
        activate(self.bench.context())
        with self.bench.store.begin() as db:
            (meter,) = meters.every(db)
            self.name = meter.name
            reached = {"transport": SPECS[self.bench.kind], "life": "in-service"}
            db.execute(update(schema.meters).values(**reached))

    def start(self, engine: Engine | None = None) -> None:
        """Begin a worker anew, as if the one before had died."""
        if engine is None:
            self.engine = Inline()
        self.attempts = Attempts(
            self.bench.store,
            self.context_of,
            WORKER,
            self.bench.clock,
            lambda: 0.5,
            self.stopping,
            lambda event, command, more: self.told.append((event, command.name)),
        )
        self.dispatcher = Dispatcher(
            self.bench.store, self.engine, WORKER, 4, self.bench.clock, self.bench.entropy
        )
        self.engine.start(self.attempts.run)

    def context_of(self, command: Command) -> Context:
        """Return the context of a command."""
        return self.context(meter=command.meter)

    def context(self, **settings: Any) -> Context:
        """Return a context by the registry."""
        context = Context(
            Settings(**settings),
            now=self.bench.clock,
            entropy=self.bench.entropy,
            transports=self.bench._open,
            store=self.bench.store,
            patience=PATIENCE,
        )
        context.__dict__["keys"] = self.bench.keys
        return context

    def queue(self, name: str, terms: Terms = AT_ONCE, **parameters: Any) -> str:
        """Queue a command for the meter; return its id."""
        context = self.context()
        with self.bench.store.begin() as db:
            meter_id = meter_of(db, self.name)
            new = prepared(durable(name), parameters, meter_id, terms, context)
            return queue(db, new, context.now()).id

    def work(self, rounds: int = 1) -> None:
        """Hand out what is due and carry it out."""
        for _ in range(rounds):
            self.dispatcher.hand_out()
            self.engine.work()

    def command(self, command_id: str) -> Command:
        """Return a command as it stands."""
        with self.bench.store.begin() as db:
            found = commands.get(db, command_id)
        assert found is not None
        return found

    def topups(self) -> list[Mapping[str, Any]]:
        """Return the top-ups that are in the books."""
        with self.bench.store.begin() as db:
            meter_id = meter_of(db, self.name)
            of_all = transactions.of_meter(db, meter_id)
        return [{"id": t.id, "state": t.state.value} for t in of_all if t.kind.value == "topup"]


def meter_of(db: Any, name: str) -> int:
    """Return a meter's row number."""
    meter = meters.by_name(db, name)
    assert meter is not None
    return meter.id


def make(profile: str = "be-wal", kind: LinkKind = LinkKind.WRAPPER) -> Rig:
    """Return a rig with a new meter on which prepayment is active."""
    return Rig(Bench(profile, kind))
