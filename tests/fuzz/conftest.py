"""Reports, at the end of a run, which protocol states hostile octets met, and how many."""

from collections import Counter
from collections.abc import Generator

import pytest

from tests.fuzz.campaign import OBEYED, REACHED

_TOLD = "hostile inputs"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note what the test did with its result, which finds its way out of a worker."""
    reached, obeyed = Counter(REACHED), Counter(OBEYED)
    try:
        return (yield)
    finally:
        inputs = dict(REACHED - reached)
        if inputs:
            item.user_properties.append((_TOLD, (inputs, dict(OBEYED - obeyed))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a state."""
    reached: Counter[str] = Counter()
    obeyed: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, told in getattr(report, "user_properties", ()):
                if name == _TOLD and report.when == "call":
                    reached.update(told[0])
                    obeyed.update(told[1])
    if not reached:
        return
    terminalreporter.section("hostile inputs by protocol state (of them, orders in due form)")
    for state, inputs in sorted(reached.items()):
        terminalreporter.write_line(f"{inputs:8d} ({obeyed[state]:4d})  {state}")
