"""The scenario tables: what a prepaid meter does, row by row, worked out by hand.

Each file of this folder but README.md is the table of the profile of that name, played on the
real firmware. Expected figures come from ``docs/prepayment.md`` and the profile, never from a run.
"""

from pathlib import Path

import pytest

from obis.values import replace
from prepay.cut import BalanceMode
from tests.specs.bench import Bench, Impossible
from tests.specs.figures import LOAD, profile_of
from tests.specs.playing import VOCABULARY, Play
from tests.specs.reading import CHECKED, NOTHING, Row, Scenario, read

FOLDER = Path(__file__).parent
FILES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
SCENARIOS = [scenario for path in FILES for scenario in read(path)]
LEAST_ROWS = 40


def _name(scenario: Scenario) -> str:
    return f"{scenario.path.stem}: {scenario.title}"


def differences(bench: Bench, row: Row) -> list[str]:
    """Return what the meter shows otherwise than a row says."""
    seen, found = bench.seen(), []
    for column in CHECKED:
        expected = row.cells[column]
        if column == "display":
            expected = ", ".join(sorted(row.display[0])) or NOTHING
        if column == "balance" and "debts" not in expected:
            seen[column] = seen[column].partition(",")[0]  # a table need not tell them
        if seen[column] != expected:
            found.append(f"{column}: {expected!r} expected, {seen[column]!r} seen")
    pages = bench.pages if bench.powered else {}
    for code, value in row.display[1].items():
        if value not in pages.get(code, ()):
            found.append(f"page {code}: {value!r} expected, {pages.get(code)} seen")
    return found + bench.contradictions()


def too_early(bench: Bench, before: Row | None, row: Row) -> list[str]:
    """Return what is otherwise than the row before says, a second before time alone changes it.

    Where a load moves the balance in between, nothing is said.
    """
    if before is None or row.events != ("nothing",) or not bench.powered:
        return []
    if bench.load and bench.kernel.view.mode is BalanceMode.LOCAL:
        return []
    bench.pass_until(row.time, short=1000)
    bench.logged = []
    cells = {**before.cells, "event code": NOTHING}
    at = f"line {row.line}, a second before {row.time:%a %Y-%m-%d %H:%M}"
    return [f"{at}: {what}" for what in differences(bench, replace(before, cells=cells))]


def play(scenario: Scenario) -> list[str]:
    """Play a scenario and return all that is otherwise than it says, with line and time.

    Raises:
        SpecError: a row that cannot be played.
    """
    profile = profile_of(scenario.path.stem, scenario)
    first = scenario.rows[0]
    bench = Play(profile, first.time, int(scenario.figures.get(LOAD, 0)))
    found = []
    for before, row in zip((None, *scenario.rows), scenario.rows, strict=False):
        try:
            found += too_early(bench, before, row)
            bench.play(row)
        except Impossible as error:
            raise scenario.error(row.line, str(error)) from error
        at = f"{scenario.path.name}, line {row.line}, {row.time:%a %Y-%m-%d %H:%M}"
        found += [f"{at}: {what}" for what in differences(bench, row)]
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_the_meter_does_what_the_table_says(scenario: Scenario) -> None:
    """Balance, credit in use, relay, display and log, after every row."""
    assert play(scenario) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_every_row_changes_something(scenario: Scenario) -> None:
    """A row that shows what the one before showed, and logs nothing, says nothing."""
    for before, row in zip(scenario.rows, scenario.rows[1:], strict=False):
        logs = row.cells["event code"] != NOTHING
        assert logs or row.cells != before.cells, f"{scenario.path.name}, line {row.line}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_table_has_enough_rows(path: Path) -> None:
    """Each profile has forty at least, every one with its reason."""
    rows = [row for scenario in read(path) for row in scenario.rows]
    assert len(rows) >= LEAST_ROWS
    assert [row.line for row in rows if len(row.why) < 10] == []


def test_every_word_of_the_vocabulary_is_played() -> None:
    """A word that no table uses has never been tried."""
    events = {event for scenario in SCENARIOS for row in scenario.rows for event in row.events}
    unused = [
        pattern.pattern
        for pattern, _ in VOCABULARY
        if not any(pattern.fullmatch(event) for event in events)
    ]
    assert unused == []
