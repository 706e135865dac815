"""Choosing meters: the options that commands over many meters share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from headend.errors import UsageError

_F = TypeVar("_F", bound=Callable[..., Any])
#: Octets of a file of names: a million of the longest.
_MOST_OCTETS = 65 << 20


def selection_options(function: _F) -> _F:
    """Add --tag, --file and --query: parameters ``tags``, ``listed`` and ``query``."""
    for option in (
        click.option(
            "--query",
            metavar="QUERY",
            help="Meters by profile=, line=, life=, mode=, serial=, ean=, tag= and name= (with * "
            "and ?), commas between; != for all others. name=* is all.",
        ),
        click.option(
            "--file", "listed", metavar="FILE", help="Meters whose names stand in a file, one a "
            "line; - reads them from stdin.",
        ),
        click.option(
            "--tag", "tags", metavar="TAG", multiple=True, help="Meters with a tag; with each of "
            "them, if it is given more than once.",
        ),
    ):  # fmt: skip # a table: one entry an option
        function = option(function)
    return function


def names_in(file: str | None) -> tuple[str, ...] | None:
    """Return the names that stand in a file; None where none was given.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    if file is None:
        return None
    from headend.registry.meters import names_of_file

    try:
        if file == "-":
            octets = sys.stdin.buffer.read(_MOST_OCTETS + 1)
        else:
            with Path(file).open("rb") as stream:
                octets = stream.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    if len(octets) > _MOST_OCTETS:
        raise UsageError(f"{file}: more than {_MOST_OCTETS >> 20} MiB")
    try:
        return names_of_file(octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not a text file") from error


def chosen(db: Any, tags: tuple[str, ...], listed: str | None, query: str | None) -> list[int]:
    """Return the row numbers of the meters that are chosen.

    Raises:
        UsageError: a choice that cannot be understood.
    """
    from headend.registry.meters import Selection, select

    return select(db, Selection.parse(tags, names_in(listed), query))
