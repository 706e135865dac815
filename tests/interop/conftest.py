"""Fixtures for the peers and our meter, and the table of what worked with whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import Access, Report, drive
from tests.interop.environments import PYDLMS, Peer, default_directory, ensure_all
from tests.interop.processes import OurMeter, our_meter
from tests.interop.pydlms_simulator import Simulators, all_pydlms_simulators
from tests.interop.table import CELL, Table

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the Markdown report; it is there when this folder is named."""
    parser.addoption("--interop-report", metavar="FILE", help="write the table as Markdown")


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Print the table; with --interop-report write it as well."""
    table = Table()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, cell in getattr(report, "user_properties", ()):
                if name == CELL and report.when == "call":
                    table.add(cell, passed=report.passed)
    if table.empty:
        return
    terminalreporter.section("interoperation")
    terminalreporter.write_line(table.as_markdown())
    target = config.getoption("--interop-report", default=None)
    if target:
        Path(target).write_text(table.as_markdown() + "\n")


@pytest.fixture(scope="session")
def interpreters() -> dict[str, Path]:
    """The peers' interpreters, in environments that are made when they are not there."""
    return ensure_all(default_directory())


@pytest.fixture(scope="session")
def simulators(
    interpreters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulators]:
    """The simulators of pydlms-client, by transport and whether they cipher."""
    directory = tmp_path_factory.mktemp("pydlms")
    with all_pydlms_simulators(interpreters[PYDLMS.name], directory) as lines:
        yield lines


@pytest.fixture(scope="session")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurMeter]:
    """Our meter, one for all the cells, as a utility's meter has one life with many clients."""
    with our_meter(tmp_path_factory.mktemp("meter")) as found:
        yield found


class Reports:
    """The reports of the clients against our meter, each client run once."""

    def __init__(self, interpreters: dict[str, Path], meter: OurMeter) -> None:
        self._interpreters = interpreters
        self._meter = meter
        self._known: dict[tuple[str, str, str, int], Report] = {}

    def of(self, peer: Peer, transport: str, access: Access, address_size: int = 1) -> Report:
        """All the operations of one client over one transport."""
        key = (peer.name, transport, access.name, address_size)
        if key not in self._known:
            extra = ("--server-address-size", str(address_size))
            self._known[key] = self.now(peer, transport, access, OPERATIONS, extra)
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


@pytest.fixture(scope="session")
def reports(interpreters: dict[str, Path], meter: OurMeter) -> Reports:
    """The reports of the clients against our meter."""
    return Reports(interpreters, meter)
