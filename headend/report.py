"""What a command says when it is done: one object for machines, lines or a table for people."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Characters in a line of a table that goes into a file or another program.
_WIDTH = 100

#: Columns that are never broken.
_WHOLE = ("moment", "created", "amount", "transaction")


@dataclass(frozen=True, slots=True)
class Report:
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


def show(report: Report, *, as_json: bool) -> None:
    """Print a report on stdout."""
    if as_json:
        click.echo(json.dumps(report.data, ensure_ascii=False))
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
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    roomy = console.width >= _WIDTH
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in report.columns:
        # An id that is cut short is none, so the other cells give way to it.
        table.add_column(heading, overflow="fold", no_wrap=roomy and heading in _WHOLE)
    for row in report.rows:
        table.add_row(*(Text(cell) for cell in row))
    _print(console, table)


def _print(console: "Console", what: "RenderableType") -> None:
    """Print by way of a text: the console itself would end the program when a pipe breaks."""
    with console.capture() as text:
        console.print(what)
    click.echo(text.get(), nl=False)
