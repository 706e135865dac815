"""The peers' interpreters, and the table of ratios at the end of a run."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparing import SCRIPTS, Comparison, Ratios
from tests.interop.environments import PeersUnavailableError, default_directory, ensure_all

_RATIOS = pytest.StashKey[Ratios]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the Markdown table; it is there when this folder is named."""
    parser.addoption("--ratios", metavar="FILE", help="write the table of ratios as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table."""
    config.stash[_RATIOS] = Ratios()


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Print the table; with --ratios write it as well."""
    table = config.stash[_RATIOS]
    if not table.rows:
        return
    terminalreporter.section("how many times as long the peers take (CPU time, medians)")
    terminalreporter.write_line(table.as_markdown())
    target = config.getoption("--ratios", default=None)
    if target:
        Path(target).write_text(table.as_markdown() + "\n")


@pytest.fixture(scope="session")
def interpreters() -> dict[str, Path]:
    """The peers' interpreters; none where they cannot be installed, and we are timed alone."""
    try:
        made = ensure_all(default_directory())
    except PeersUnavailableError:
        return {}
    return {peer: python for peer, python in made.items() if peer in SCRIPTS}


@pytest.fixture
def ratios(pytestconfig: pytest.Config) -> Ratios:
    """The table of this run."""
    return pytestconfig.stash[_RATIOS]


@pytest.fixture
def compare(benchmark: Any, interpreters: dict[str, Path], ratios: Ratios) -> Comparison:
    """Time us and the peers at the same thing."""
    return Comparison(benchmark, interpreters, ratios)
