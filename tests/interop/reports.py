"""The reports of the peers' clients against our meter, each client run once."""

from pathlib import Path

from tests.interop.driving import Access, Report, drive
from tests.interop.environments import Peer
from tests.interop.processes import OurMeter

OPERATIONS = (
    "object_list",
    "read_all",
    "clock",
    "relay_off",
    "relay_on",
    "set_refused",
    "set_accepted",
    "release",
)


class Reports:
    """The reports of the clients against our meter, each client run once."""

    def __init__(self, interpreters: dict[str, Path], meter: OurMeter) -> None:
        self._interpreters = interpreters
        self._meter = meter
        self._known: dict[tuple[Peer, str, Access, tuple[str, ...], tuple[str, ...]], Report] = {}

    def of(
        self,
        peer: Peer,
        transport: str,
        access: Access,
        operations: tuple[str, ...] = OPERATIONS,
        extra: tuple[str, ...] = (),
    ) -> Report:
        """The operations of one client over one transport, on one association, run once."""
        key = (peer, transport, access, operations, extra)
        if key not in self._known:
            self._known[key] = self.now(peer, transport, access, operations, extra)
        return self._known[key]

    def now(
        self,
        peer: Peer,
        transport: str,
        access: Access,
        operations: tuple[str, ...],
        extra: tuple[str, ...] = (),
    ) -> Report:
        """Run a client afresh."""
        line = self._meter.lines[transport]
        return drive(self._interpreters[peer.name], peer, line, access, operations, extra)
