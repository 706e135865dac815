"""What a command says when it is done: one object for machines, lines or a table for people."""

import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TextIO

import click
from msgspec import Struct

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Columns of words: where a line has no room, each goes on below, but none gets narrower than
#: this. All others stay whole: what is in them is copied.
_FOLDED = frozenset(
    {
        *("details", "label", "meters", "name", "next", "port"),
        *("prices", "result", "state", "tags", "value"),
    }
)
#: Columns of which a line shows the beginning: all of it is in the command's ``show``.
_CUT = frozenset({"reason", "told", "what"})
#: A last column of many words: where a line has no room for so much of it, it stands below.
_BELOW = frozenset({"details"})
_ROOMY = 40
_INDENT = "    "
_LEAST = 8
#: Columns of moments give way after them: date over time.
_MOMENTS = frozenset({"created", "moment", "opened", "received"})
_DATE = 10
_GAP = "  "


class Report(Struct, frozen=True):
    """A command's result.

    Args:
        data: the JSON object.
        lines: for people; printed as they are.
        columns: headings of a table, printed after the lines where there are any.
        rows: the table's cells.
        panel: title of a frame around the lines.
        exit_code: of a command that is done, and has found what it was to look for.
    """

    data: Mapping[str, Any]
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    panel: str = ""
    exit_code: int = 0


def plural(count: int, noun: str) -> str:
    """Return so many of something: "1 post", "2 posts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def facts(known: Mapping[str, object]) -> list[str]:
    """Return a line for each thing that is known, their values below each other."""
    width = max(map(len, known))
    return [f"{name:{width}}  {value}" for name, value in known.items()]


def show(report: Report, *, as_json: bool) -> None:
    """Print a report on stdout."""
    if as_json:
        click.echo(json.dumps(report.data, ensure_ascii=False, allow_nan=False))
        return
    if report.panel:
        _show_panel(report)
    else:
        for line in report.lines:
            click.echo(line)
    if report.columns:
        _show_table(report)


def show_error(message: str, exit_code: int, *, as_json: bool, **more: str) -> None:
    """Print an error as one line, or one JSON object, on stderr."""
    line = " ".join(message.split())
    if as_json:
        fault = {"error": line, "exit_code": exit_code, **more}
        show_aside(json.dumps(fault, ensure_ascii=False))
    else:
        show_aside(f"prepay: {line}")


def show_aside(line: str) -> None:
    """Print a line on stderr; when nobody takes it the command goes on all the same."""
    try:
        click.echo(line, err=True)
    except OSError:
        give_up(sys.stderr)


def give_up(stream: TextIO) -> None:
    """Let what is still to go to a stream that cannot be written go nowhere, without a word."""
    with suppress(OSError, ValueError):  # a stream of a test is no file
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _show_panel(report: Report) -> None:
    from rich.console import Console  # 50 ms that only people have to pay
    from rich.panel import Panel
    from rich.text import Text

    body = Text("\n".join(report.lines))
    _print(Console(highlight=False), Panel(body, title=report.panel, expand=False))


def _show_table(report: Report) -> None:
    width = _width()
    cells = [[_plain(cell) for cell in row] for row in report.rows]
    lines = _table(report.columns, cells, width)
    if width is not None:
        rule = "─" * min(width, max(map(len, lines)))
        lines[:1] = [click.style(lines[0], bold=True), rule]
    click.echo("\n".join(lines))


def _width() -> int | None:
    """Return the characters of a line; None where nobody says: a file or another program."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdecimal():
        return None
    from shutil import get_terminal_size  # and every packer with it: only for who has a terminal

    return get_terminal_size().columns


def _plain(cell: str) -> str:
    """Return a cell on one line, of which nothing moves the cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in cell)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table: whole where there is room, and else as the columns take it.

    A line may be longer than the width: an id that is broken, or cut short, is none.
    """
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if width is not None and columns[-1] in _BELOW:
        left = width - sum(widths[:-1]) - len(_GAP) * (len(columns) - 1)
        if left < min(widths[-1], _ROOMY):
            return _below(columns, rows, width)
    if width is not None:
        _narrow(widths, columns, rows, width)
    lines: list[str] = []
    for row in (columns, *rows):
        folded = [_cell(*each) for each in zip(row, columns, widths, strict=True)]
        for pieces in zip_longest(*folded, fillvalue=""):
            line = _GAP.join(f"{p:{w}}" for p, w in zip(pieces, widths, strict=True))
            lines.append(line.rstrip())
    return lines


def _below(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table whose last column stands below each row, without a heading."""
    heads = columns[:-1]
    whole = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *whole, strict=True)]
    lines = [_GAP.join(f"{c:{w}}" for c, w in zip(heads, widths, strict=True)).rstrip()]
    for *cells, last in rows:
        lines.append(_GAP.join(f"{c:{w}}" for c, w in zip(cells, widths, strict=True)).rstrip())
        room = max(width - len(_INDENT), _LEAST)
        wrapped = textwrap.wrap(last, room, break_on_hyphens=False, break_long_words=False)
        lines += [f"{_INDENT}{each}" for each in wrapped]
    return lines


def _narrow(
    widths: list[int], columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> None:
    """Take from the columns that give way, the widest first, until a line has its width."""
    room = width - len(_GAP) * (len(columns) - 1)
    for giving in (_CUT | _FOLDED, _MOMENTS):
        least = {
            i: _least(heading, [row[i] for row in rows], last=i == len(columns) - 1)
            for i, heading in enumerate(columns)
            if heading in giving
        }
        while sum(widths) > room:
            wide = [i for i in least if widths[i] > least[i]]
            if not wide:
                break
            widths[max(wide, key=lambda i: widths[i])] -= 1


def _least(heading: str, cells: Sequence[str], *, last: bool) -> int:
    """Return how narrow a column may get; a word in the last one may stand out."""
    if heading in _MOMENTS:
        return _DATE
    if heading in _CUT or last:
        return max(_LEAST, len(heading))
    words = (len(word) for cell in cells for word in cell.split())
    return max(_LEAST, len(heading), *words)


def _cell(cell: str, heading: str, width: int) -> list[str]:
    """Return a cell's lines in its column."""
    if len(cell) <= width or heading not in _CUT | _FOLDED | _MOMENTS:
        return [cell]
    if heading in _MOMENTS:
        time = cell[_DATE:].lstrip("T").replace("+00:00", "Z")
        return [cell[:_DATE], time[:_DATE]]
    if heading in _CUT:
        return [f"{cell[: width - 1].rstrip()}…"]
    return textwrap.wrap(cell, width, break_on_hyphens=False, break_long_words=False) or [""]


def _print(console: "Console", what: "RenderableType") -> None:
    """Print by way of a text: the console itself would end the program when a pipe breaks."""
    with console.capture() as text:
        console.print(what)
    click.echo(text.get(), nl=False)
