"""A line that goes dead after some writes, and stays dead."""

from typing import Any, Protocol

from headend.context import Context
from protocol.timing import Instant
from tests.headend.bench import Wire


class HasContext(Protocol):
    """One meter's bench, or that of several."""

    def context(self) -> Context:
        """Return a run of a command."""
        ...


class Unplugged:
    """Opens ports that go dead after some writes, and stay dead."""

    def __init__(self, bench: HasContext, writes: int) -> None:
        self.writes = writes
        self._bench = bench

    def context(self) -> Context:
        """Return a run of a command over such a line."""
        context = self._bench.context()
        opener = context.transports

        def dying(spec: Any, now: Any) -> Any:
            return _Dying(opener(spec, now), self)

        context.__dict__["transports"] = dying
        return context


class _Dying:
    def __init__(self, wire: Any, plug: Unplugged) -> None:
        self._wire: Wire = wire
        self._plug = plug

    def read(self, deadline: Instant) -> bytes:
        """Return what comes; nothing once the line is dead."""
        octets = self._wire.read(deadline)
        return octets if self._plug.writes >= 0 else b""

    def write(self, octets: bytes) -> None:
        """Send, the last time without hearing the answer."""
        self._plug.writes -= 1
        if self._plug.writes >= -1:
            self._wire.write(octets)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()
