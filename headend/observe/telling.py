"""What a worker's log and metrics are told: commands, attempts, sessions, octets.

One object takes all of it: it is the ``Telling`` of ``engine.attempt``, called from the thread of
an attempt, and the ``Watch`` of its sessions. So the correlation id that is bound to the thread
when an attempt begins stands on everything that is logged until it ends. It never raises: what is
told here has happened, whether or not it can be written.
"""

import threading
import time
from typing import TYPE_CHECKING, Any

from headend.observe import logs

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from headend.observe.metrics import Metrics
    from headend.store.commands import Command


class Teller:
    """Takes what happens in a worker.

    Args:
        log: where it is logged.
        metrics: where it is counted; None where nobody asks.
    """

    def __init__(self, log: "FilteringBoundLogger", metrics: "Metrics | None" = None) -> None:
        self._log = log
        self.metrics = metrics
        self._here = threading.local()
        self._guard = threading.Lock()
        #: How many commands became what, for the report at the end.
        self.ended: dict[str, int] = {}

    def __call__(self, event: str, command: "Command", more: dict[str, Any]) -> None:
        """Take what happened to a command."""
        if event == "begun":
            self._begun(command)
        elif event == "ended":
            self._ended(command, more)
        elif event == "fault":
            if self.metrics is not None:
                self.metrics.faults.labels(command.name).inc()
            self._log.error("a fault in this program", exc_info=more["error"])

    def _begun(self, command: "Command") -> None:
        self._here.begun = time.perf_counter()
        logs.bind(
            correlation=command.correlation,
            command=command.id,
            name=command.name,
            meter=command.meter,
            attempt=command.attempts,
        )
        if self.metrics is not None:
            self.metrics.attempts.labels(command.name).inc()
        self._log.info("attempt begun")

    def _ended(self, command: "Command", more: dict[str, Any]) -> None:
        state = str(more["state"])
        seconds = time.perf_counter() - getattr(self._here, "begun", time.perf_counter())
        with self._guard:
            self.ended[state] = self.ended.get(state, 0) + 1
        if self.metrics is not None:
            self.metrics.seconds.labels(command.name).observe(seconds)
            if more.get("final"):
                self.metrics.ended.labels(command.name, state).inc()
            else:
                self.metrics.retries.labels(str(more.get("why", "other"))).inc()
        why = {"reason": more["reason"]} if more.get("reason") else {}
        self._log.info("attempt ended", state=state, seconds=round(seconds, 3), **why)
        logs.unbind()

    def listening(self, port: int) -> None:
        """Take that metrics and health can be asked for."""
        self._log.info("answering /health, /ready and /metrics", port=port)

    # --- sessions ------------------------------------------------------------------------------

    def opened(self, place: str) -> None:
        """Take that a session begins."""
        if self.metrics is not None:
            self.metrics.sessions_open.inc()
            self.metrics.sessions.inc()
        self._log.debug("session begun", place=place)

    def passed(self, octets: int, *, sent: bool) -> None:
        """Take that octets passed."""
        if self.metrics is not None:
            self.metrics.octets[sent].inc(octets)
        self._log.debug("sent" if sent else "received", octets=octets)

    def closed(self, received: int, sent: int) -> None:
        """Take that a session is over."""
        if self.metrics is not None:
            self.metrics.sessions_open.dec()
        self._log.debug("session over", received=received, sent=sent)

    def traced(self, line: str) -> None:
        """Take a line of ``--trace``: the octets themselves, passwords and all."""
        self._log.info("trace", line=line)
