"""Fixtures for the peers and our meter, and the table of what worked with whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import PYDLMS, default_directory, ensure_all
from tests.interop.processes import OurMeter, our_meter
from tests.interop.pydlms_simulator import Simulators, all_pydlms_simulators
from tests.interop.reports import Reports
from tests.interop.table import CELL, Table


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


@pytest.fixture(scope="session")
def reports(interpreters: dict[str, Path], meter: OurMeter) -> Reports:
    """The reports of the clients against our meter."""
    return Reports(interpreters, meter)
