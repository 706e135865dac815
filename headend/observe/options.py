"""How a service is watched: the options of ``prepay serve`` and ``prepay worker``."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from msgspec import Struct

_F = TypeVar("_F", bound=Callable[..., Any])
#: As ``logs`` has them, which nobody imports to show the help.
LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "json", "console")


class Watching(Struct, frozen=True):
    """What the user chose; see ``logs`` and ``health``."""

    level: str = "info"
    form: str = "auto"
    http: str | None = None


def watched(function: _F) -> _F:
    """Give a command the parameters ``log_level``, ``log_format`` and ``http``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS: Final = (
    click.option(
        "--log-level", type=click.Choice(LEVELS), default="info", show_default=True,
        help="What is logged on stderr; debug has sessions and frames, without their octets.",
    ),
    click.option(
        "--log-format", type=click.Choice(FORMATS), default="auto", show_default=True,
        help="Words for people or JSON lines; auto: by whether stderr is a terminal.",
    ),
    click.option(
        "--http", metavar="HOST:PORT",
        help="Answer /health, /ready and /metrics there; off unless given. Anybody who reaches "
        "the port may ask, so 127.0.0.1:9464 rather than 0.0.0.0.",
    ),
)  # fmt: skip # a table
