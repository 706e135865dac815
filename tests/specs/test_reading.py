"""The reading of scenario tables: what stands there is played, and what is wrong is told."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.specs.bench import Impossible
from tests.specs.figures import profile_of
from tests.specs.playing import VOCABULARY, Play
from tests.specs.reading import CHECKED, SpecError, read
from tests.specs.test_scenarios import SCENARIOS, differences, play

GOOD = """\
# il

## A title
What it shows.

```toml
price = 0.50
```

| time | event | balance | credit in use | relay | display | event code | why |
|---|---|---|---|---|---|---|---|
| Mon 2026-11-23 12:00 | start, balance 1.00 | 1.00 | token | on | LOW, 1.7.0 = 0 \
| 212 opened, 200 low credit | opened with it |
| Mon 2026-11-23 13:00 | uses 1 kWh; uses 0.2 kWh | 0.40 | token | on | LOW, 19.10.0 = 0.40 ILS \
| - | 1.2 kWh x 0.50 |
"""
#: What is changed in the table above, what is said of it, and of which line.
WRONG = {
    "no sentence": ("What it shows.", "", 3, "no sentence"),
    "no table": (GOOD[GOOD.index("| time") :], "", 3, "no table"),
    "no such figure": ("price = 0.50", "price = 0.5 0", 6, "line 1"),
    "an open block": ("price = 0.50\n```", "price = 0.50", 6, "between"),
    "other columns": ("| relay |", "| switch |", 10, "the columns are"),
    "a cell too few": ("| on | LOW, 19", "| LOW, 19", 13, "7 cells, not 8"),
    "an empty cell": ("| token | on | LOW, 19", "| token |  | LOW, 19", 13, "'relay' is empty"),
    "no time": ("2026-11-23 13:00", "tomorrow", 13, "is no time"),
    "no such day": ("Mon 2026-11-23 13:00", "2026-11-31 13:00", 13, "day is out of range"),
    "another weekday": ("Mon 2026-11-23 13:00", "Tue 2026-11-23 13:00", 13, "is a Monday"),
    "a key of no profile": ("price = 0.50", "prize = 0.50", 3, "prize"),
    "no price": ("price = 0.50", "price = 0.5000001", 3, "decimals"),
    "no such event": ("uses 0.2 kWh", "eats 0.2 kWh", 13, "not in the vocabulary"),
    "a time that has passed": ("2026-11-23 13:00", "2026-11-23 11:00", 13, "it is later"),
    "a time that is skipped": ("Mon 2026-11-23 13:00", "2027-03-26 02:30", 13, "is skipped"),
    "a second time": ("2026-11-23 13:00", "2026-11-23 13:00 (2nd)", 13, "not shown a second time"),
    "a false amount": ("balance 1.00 |", "balance 99999999.00 |", 12, "too large"),
    "nobody there to boot": ("uses 1 kWh;", "power back;", 13, "there is power already"),
    "no such debt": ("balance 1.00 |", "balance 1.00, costs 1.00, rent 2.00 |", 12, "'rent'"),
    "no power": ("uses 1 kWh;", "power cut;", 13, "there is no power"),
    "no energy": ("uses 1 kWh;", "operator disconnects;", 13, "no energy flows"),
}
#: A cell of its second row that is changed, and the column that has to be complained of.
FALSE = {
    "balance": ("| 0.40 |", "| 0.41 |"),
    "credit in use": ("| token | on | LOW, 19", "| none | on | LOW, 19"),
    "relay": ("| on | LOW, 19", "| off (credit) | LOW, 19"),
    "display": ("| LOW, 19", "| LOW, FRIENDLY, 19"),
    "page 19.10.0": ("0.40 ILS", "0.41 ILS"),
    "event code": ("| - | 1.2", "| 205 cut | 1.2"),
}


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    """Return a way to a file of the profile il with the given text."""

    def write(text: str) -> Path:
        path = tmp_path / "il.md"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_table_is_read_as_it_stands(table: Callable[[str], Path]) -> None:
    """Title, figures, and each row with its line, events, cells and reason."""
    (scenario,) = read(table(GOOD))
    assert (scenario.title, scenario.line) == ("A title", 3)
    assert scenario.figures == {"price": "0.50"}
    first, second = scenario.rows
    assert (first.line, first.time) == (12, datetime(2026, 11, 23, 12))  # noqa: DTZ001 - wall time
    assert second.events == ("uses 1 kWh", "uses 0.2 kWh")
    assert second.display == (frozenset({"LOW"}), {"19.10.0": "0.40 ILS"})
    assert set(second.cells) == set(CHECKED)
    assert second.why == "1.2 kWh x 0.50"


def test_the_second_time_is_told_from_the_first(table: Callable[[str], Path]) -> None:
    """In the night in which the clock shows it twice."""
    text = GOOD.replace("Mon 2026-11-23 13:00", "2026-10-25 01:30 (2nd)")
    (scenario,) = read(table(text))
    assert [row.time.fold for row in scenario.rows] == [0, 1]


def test_a_good_table_is_played_without_complaint(table: Callable[[str], Path]) -> None:
    """Its figures take the place of the profile's."""
    (scenario,) = read(table(GOOD))
    assert profile_of("il", scenario).tariff.price_per_kwh == pytest.approx(0.5)
    assert play(scenario) == []


@pytest.mark.parametrize(("old", "new", "line", "reason"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_read_or_played_is_told_with_its_line(
    table: Callable[[str], Path], old: str, new: str, line: int, reason: str
) -> None:
    """The first thing that is wrong, where it stands."""
    assert old in GOOD
    with pytest.raises(SpecError, match=reason) as error:
        play(read(table(GOOD.replace(old, new)))[0])
    assert error.value.line == line
    assert str(error.value).startswith(f"il.md, line {line}: ")


@pytest.mark.parametrize(("column", "change"), FALSE.items(), ids=FALSE)
def test_a_false_cell_is_complained_of(
    table: Callable[[str], Path], column: str, change: tuple[str, str]
) -> None:
    """Exactly that one, with its line: so every column is looked at."""
    assert change[0] in GOOD
    (scenario,) = read(table(GOOD.replace(*change)))
    (complaint,) = play(scenario)
    assert complaint.startswith(f"il.md, line 13, Mon 2026-11-23 13:00: {column}: ")


def test_a_meter_that_contradicts_itself_is_complained_of(table: Callable[[str], Path]) -> None:
    """A contact that moves by itself is where neither relay nor output_state say, whatever else."""
    (scenario,) = read(table(GOOD))
    bench = Play(profile_of("il", scenario), scenario.rows[0].time)
    bench.play(scenario.rows[0])
    assert differences(bench, scenario.rows[0]) == []
    bench.contact = False
    assert differences(bench, scenario.rows[0]) == [
        "output_state is not where the contact is",
        "the contact is not where the relay is",
    ]


def test_nothing_is_asked_of_a_meter_without_power(table: Callable[[str], Path]) -> None:
    """All its cells are empty."""
    (scenario,) = read(table(GOOD))
    bench = Play(profile_of("il", scenario), scenario.rows[0].time)
    bench.power_cut()
    assert set(bench.seen().values()) == {"-"}
    with pytest.raises(Impossible, match="no power"):
        bench.play(scenario.rows[0])


def _examples() -> list[str]:
    """Return what the guide to the tables gives as examples of events."""
    guide = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = guide[guide.index("| words |") :].splitlines()[2:]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_example_of_the_guide_is_in_the_vocabulary() -> None:
    """What it gives as an event can be written into a table."""
    examples = _examples()
    assert len(examples) > 30
    unknown = [
        example
        for example in examples
        if not any(pattern.fullmatch(example) for pattern, _ in VOCABULARY)
    ]
    assert unknown == []


def test_every_word_of_the_vocabulary_is_in_the_guide_and_in_a_table() -> None:
    """None that a reader cannot find, and none that nobody needs."""
    events = [event for one in SCENARIOS for row in one.rows for event in row.events]
    for pattern, _ in VOCABULARY:
        assert any(pattern.fullmatch(example) for example in _examples()), pattern.pattern
        assert any(pattern.fullmatch(event) for event in events), pattern.pattern
