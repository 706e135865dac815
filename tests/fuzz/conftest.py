"""Reports, at the end of a run, which protocol states hostile octets met, and how many."""

import pytest

from tests.fuzz.campaign import OBEYED, REACHED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a state."""
    if not REACHED:
        return
    terminalreporter.section("hostile inputs by protocol state (of them, orders in due form)")
    for name, inputs in sorted(REACHED.items()):
        terminalreporter.write_line(f"{inputs:8d} ({OBEYED[name]:4d})  {name}")
