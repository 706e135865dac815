"""A command's arguments as they stand on a command line: ``calendar --years 10``."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from headend.engine.arguments import durable
from headend.errors import UsageError


def typed(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a command and its arguments as people type them; what is the default is left out.

    Args:
        name: of the command; of one that is none any more what is kept is shown by its names.
        arguments: in JSON's types, as they are kept.
    """
    try:
        known = {each.name: each for each in durable(name).declared.params}
    except UsageError:
        known = {}
    words = [
        word for key, value in arguments.items() for word in _words(known.get(key), key, value)
    ]
    return " ".join([name, *words])


def _words(parameter: click.Parameter | None, key: str, value: Any) -> Iterator[str]:
    if value in (None, [], "") or (parameter is not None and value == parameter.default):
        return
    if isinstance(parameter, click.Argument):
        yield from _quoted(value)
        return
    option = f"--{key.replace('_', '-')}" if parameter is None else max(parameter.opts, key=len)
    if isinstance(value, bool):
        if value:
            yield option
        elif parameter is not None and parameter.secondary_opts:
            yield max(parameter.secondary_opts, key=len)
        return
    if parameter is not None and parameter.multiple:
        for each in value if isinstance(value, list) else [value]:
            yield from (option, *_quoted(each))
        return
    yield from (option, *_quoted(value))


def _quoted(value: Any) -> list[str]:
    return [shlex.quote(str(each)) for each in (value if isinstance(value, list) else [value])]
