"""Counting what a worker does, in the format that Prometheus scrapes.

| metric | labels | what |
|---|---|---|
| prepay_attempts_total | command | attempts begun |
| prepay_commands_ended_total | command, state | commands that became final here |
| prepay_attempt_seconds | command | histogram: how long an attempt took |
| prepay_retries_total | why | attempts after which the command is asked again |
| prepay_faults_total | command | attempts that ended in a fault of this program |
| prepay_sessions_open | | sessions with meters now |
| prepay_sessions_total | | sessions begun |
| prepay_octets_total | direction | octets on the line |
| prepay_commands | state | in the database: commands that are not final |
| prepay_oldest_due_seconds | | in the database: since when the oldest command is due |
| prepay_notifications_total | | in the database: notifications kept |
| prepay_cases_open | kind | in the database: cases that somebody has to look after |
| prepay_database_up | | 1, or 0 when the database could not be asked |

What is in the database is the same for all workers of it, and asked for once in a few seconds
however often somebody scrapes.
"""

import threading
import time
from collections.abc import Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from headend.clock import Clock
from headend.engine.states import OPEN, State
from headend.store import Store, StoreError, schema

#: Seconds: an attempt on TCP takes a tenth, one on a slow line some minutes.
_BUCKETS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 180, 600)
#: For so many seconds what the database said is said again.
_FRESH: Final = 5.0
#: The media type of the answer, as prometheus_client writes it.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one process, in a registry of their own.

    Args:
        store: the database.
        now: the clock that commands are due by.
    """

    def __init__(self, store: Store, now: Clock) -> None:
        # Times of creation double what is scraped, and nobody looks at them.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has it so
        own = CollectorRegistry()
        self._registry = own
        self.attempts = Counter("prepay_attempts", "Attempts begun", ["command"], registry=own)
        self.ended = Counter(
            "prepay_commands_ended", "Commands that became final", ["command", "state"],
            registry=own,
        )  # fmt: skip # as the others
        self.seconds = Histogram(
            "prepay_attempt_seconds", "How long an attempt took", ["command"],
            registry=own, buckets=_BUCKETS,
        )  # fmt: skip # as the others
        self.retries = Counter(
            "prepay_retries", "Attempts after which it is asked again", ["why"], registry=own
        )
        self.faults = Counter(
            "prepay_faults", "Attempts that ended in a fault of this program", ["command"],
            registry=own,
        )  # fmt: skip # as the others
        self.sessions_open = Gauge("prepay_sessions_open", "Sessions with meters", registry=own)
        self.sessions = Counter("prepay_sessions", "Sessions begun", registry=own)
        octets = Counter("prepay_octets", "Octets on the line", ["direction"], registry=own)
        self.octets = {True: octets.labels("sent"), False: octets.labels("received")}
        own.register(_Stock(store, now))

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self._registry)


class _Stock(Collector):
    """What the database says."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now
        self._guard = threading.Lock()
        self._asked = float("-inf")
        self._told: list[Metric] = []

    def describe(self) -> list[Metric]:
        """Return nothing: the database is not asked before somebody scrapes."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what the database says, or said a moment ago."""
        with self._guard:
            if time.monotonic() - self._asked > _FRESH:
                self._told = self._ask()
                self._asked = time.monotonic()
            yield from self._told

    def _ask(self) -> list[Metric]:
        up = GaugeMetricFamily("prepay_database_up", "Whether the database answers")
        try:
            found = self._figures()
        except StoreError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *found]

    def _figures(self) -> list[Metric]:
        commands, cases = schema.commands.c, schema.cases.c
        waiting = [State.QUEUED.value, State.UNKNOWN.value]
        with self._store.read() as db:
            states = select(commands.state, func.count()).group_by(commands.state)
            is_open = commands.state.in_([each.value for each in OPEN])
            counted = {row[0]: row[1] for row in db.execute(states.where(is_open))}
            oldest = db.scalar(
                select(func.min(commands.due)).where(
                    commands.state.in_(waiting), commands.ticket.is_(None)
                )
            )
            heard = db.scalar(select(func.max(schema.notifications.c.number)))
            opened = select(cases.kind, func.count()).where(cases.state == "open")
            kinds = db.execute(opened.group_by(cases.kind)).all()
        depth = GaugeMetricFamily("prepay_commands", "Commands not final", labels=["state"])
        for state in OPEN:
            depth.add_metric([state.value], counted.get(state.value, 0))
        late = 0.0 if oldest is None else max(0, self._now() - oldest) / 1000
        due = GaugeMetricFamily("prepay_oldest_due_seconds", "Since when the oldest is due", late)
        said = CounterMetricFamily("prepay_notifications", "Notifications kept", heard or 0)
        todo = GaugeMetricFamily("prepay_cases_open", "Cases to look after", labels=["kind"])
        for kind, number in kinds:
            todo.add_metric([kind], number)
        return [depth, due, said, todo]
