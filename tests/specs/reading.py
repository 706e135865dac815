"""The reading of a scenario table: Markdown in, scenarios out, what is wrong told with its line.

    ## Title
    A sentence that says what the scenario shows.

    ```toml
    price = 0.50                  # figures in place of the profile's; optional
    ```

    | time | event | balance | credit in use | relay | display | event code | why |
    |---|---|---|---|---|---|---|---|
    | Fri 2026-11-27 17:00 | uses 4 kWh | -2.00 | none | on | FRIENDLY | - | 0.00 - 4 x 0.50 |

``tests/specs/README.md`` says what the cells mean.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

COLUMNS: Final = (
    "time",
    "event",
    "balance",
    "credit in use",
    "relay",
    "display",
    "event code",
    "why",
)
#: The columns that the meter is asked about.
CHECKED: Final = COLUMNS[2:7]
#: What an empty cell shows: nothing logged, no sign lit, or no power to show anything.
NOTHING: Final = "-"

_MOMENT = re.compile(
    r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)( \(2nd\))?"
)


class SpecError(Exception):
    """A table that cannot be read or played; the message says where and why."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path.name}, line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        line: where it stands, from 1.
        time: the meter's wall time, without zone; ``fold`` 1 where it is shown the second time.
        events: what happens then, in order.
        cells: what is expected afterwards, by column.
        why: the arithmetic and the rule.
    """

    line: int
    time: datetime
    events: tuple[str, ...]
    cells: dict[str, str]
    why: str

    @property
    def display(self) -> tuple[frozenset[str], dict[str, str]]:
        """The signs that are lit, and the pages that the cell names."""
        parts = [part.strip() for part in self.cells["display"].split(",")]
        lit = frozenset(part for part in parts if "=" not in part and part != NOTHING)
        pages = [part.partition("=") for part in parts if "=" in part]
        return lit, {code.strip(): value.strip() for code, _, value in pages}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One table with its title.

    Args:
        path: the file.
        line: of the title.
        title: what it is about.
        figures: in place of the profile's; numbers with a point as text, since they are money.
        rows: in order of time.
    """

    path: Path
    line: int
    title: str
    figures: dict[str, Any]
    rows: tuple[Row, ...]

    def error(self, line: int, reason: str) -> SpecError:
        """Return what is wrong on a line of this file."""
        return SpecError(self.path, line, reason)


def read(path: Path) -> tuple[Scenario, ...]:
    """Return the scenarios of a file.

    Raises:
        SpecError: the first thing that cannot be read.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [index for index, text in enumerate(lines) if text.startswith("## ")]
    ends = [*starts[1:], len(lines)]
    return tuple(
        _scenario(path, start, lines[start:end]) for start, end in zip(starts, ends, strict=True)
    )


def _scenario(path: Path, start: int, lines: list[str]) -> Scenario:
    numbered = list(enumerate(lines, start=start + 1))
    title = lines[0].removeprefix("## ").strip()
    if next((text for text in lines[1:] if text), "|")[0] in "|`#":
        raise SpecError(path, start + 1, f"no sentence says what {title!r} shows")
    rows = tuple(_rows(path, [(number, text) for number, text in numbered if text[:1] == "|"]))
    if not rows:
        raise SpecError(path, start + 1, f"{title!r} has no table")
    return Scenario(path, start + 1, title, _figures(path, numbered), rows)


def _figures(path: Path, numbered: list[tuple[int, str]]) -> dict[str, Any]:
    fences = [(number, text) for number, text in numbered if text.startswith("```")]
    if not fences:
        return {}
    if [text for _, text in fences] != ["```toml", "```"]:
        raise SpecError(path, fences[0][0], "one block of figures, between ```toml and ```")
    (first, _), (last, _) = fences
    block = "\n".join(text for number, text in numbered if first < number < last)
    try:
        return tomllib.loads(block, parse_float=str)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(path, first, str(error)) from error


def _rows(path: Path, table: list[tuple[int, str]]) -> Iterator[Row]:
    for place, (number, text) in enumerate(table):
        cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
        if len(cells) != len(COLUMNS):
            raise SpecError(path, number, f"{len(cells)} cells, not {len(COLUMNS)}")
        if place == 0:
            if tuple(cells) != COLUMNS:
                raise SpecError(path, number, f"the columns are {', '.join(COLUMNS)}")
        elif place > 1:  # below the dashes
            yield _row(path, number, dict(zip(COLUMNS, cells, strict=True)))


def _row(path: Path, line: int, cells: dict[str, str]) -> Row:
    empty = next((column for column, cell in cells.items() if not cell), None)
    if empty:
        raise SpecError(path, line, f"the cell {empty!r} is empty: write {NOTHING!r} for nothing")
    events = tuple(event.strip() for event in cells["event"].split(";"))
    time = _moment(path, line, cells["time"])
    return Row(line, time, events, {column: cells[column] for column in CHECKED}, cells["why"])


def _moment(path: Path, line: int, text: str) -> datetime:
    found = _MOMENT.fullmatch(text)
    if not found:
        raise SpecError(path, line, f"{text!r} is no time such as 'Fri 2026-11-27 17:00 (2nd)'")
    try:
        moment = moment_of(found[2], second=bool(found[3]))
    except ValueError as error:
        raise SpecError(path, line, str(error)) from error
    if found[1] and found[1] != f"{moment:%a}":
        raise SpecError(path, line, f"{found[2]} is a {moment:%A}")
    return moment


def moment_of(text: str, *, second: bool = False) -> datetime:
    """Return a wall time, ``second`` where the clock shows it twice.

    Raises:
        ValueError: there is no such date.
    """
    return datetime.fromisoformat(text).replace(fold=int(second))
