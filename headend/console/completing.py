"""What the shell's tab key is offered for an argument or option: by what stands for it in the help.

Looked at only while a shell asks: every other run has the parameters as they are declared.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

#: What the database is asked for, by the metavar or the name of a parameter.
_NAMES: Final[Mapping[str, str]] = {
    "METER": "meters",
    "[METER]": "meters",
    "[METER]...": "meters",
    "METER|FILE": "meters",
    "LINE": "lines",
    "TAG": "tags",
    "command_id": "commands",
    "campaign_id": "campaigns",
    "subject": "meters",
    "number": "",  # of a case or notification: a number is typed as fast
}
_FILES: Final = frozenset({"FILE", "[FILE]", "METER|FILE"})
#: After the first word click would take the rest for that command's own.
_COMMANDS: Final = "words"


class _Offered(click.ParamType[Any]):
    """A text for which something is offered."""

    name = "text"

    def __init__(self, offer: Callable[[click.Context, str], list[CompletionItem]]) -> None:
        self._offer = offer

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what may stand there."""
        return self._offer(ctx, incomplete)


def prepare(command: click.Command, shown: frozenset[str]) -> None:
    """Make a command offer what stands for its parameters, and options that its help leaves out.

    Args:
        command: of the command line.
        shown: names of options that are offered although they are rare.
    """
    for parameter in command.params:
        if parameter.name in shown and isinstance(parameter, click.Option):
            parameter.hidden = False
        offer = _offer(parameter)
        if offer is not None:
            parameter.type = _Offered(offer)


def _offer(
    parameter: click.Parameter,
) -> Callable[[click.Context, str], list[CompletionItem]] | None:
    if not isinstance(parameter.type, click.types.StringParamType):
        return None  # it says itself what may stand there
    metavar, name = parameter.metavar or "", parameter.name or ""
    kind = _NAMES.get(metavar) or _NAMES.get(name)
    files = metavar in _FILES or name == "file"
    if name == _COMMANDS:
        return _commands
    if kind is None and not files:
        return None

    def offer(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [] if kind is None else names(ctx, incomplete, kind)
        items = [CompletionItem(each) for each in found]
        return items or ([CompletionItem(incomplete, type="file")] if files else [])

    return offer


def _commands(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the commands that may be given to many meters, for the first of the words."""
    root = ctx.find_root()
    if ctx.params.get(_COMMANDS) or not isinstance(root.command, click.Group):
        return []
    known = root.command.list_commands(root)
    return [CompletionItem(each) for each in known if each.startswith(incomplete)]


def names(ctx: click.Context, incomplete: str, kind: str = "meters") -> list[str]:
    """Return names out of the database, which is not made for it; see ``naming``."""
    from headend.console.naming import beginning  # the database, which only this needs

    values: Any = getattr(ctx.find_object(object), "values", {})
    return beginning(values.get("db"), incomplete, kind)


def meters(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return names of meters."""
    return names(ctx, incomplete)


def files(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell offer its files."""
    return [CompletionItem(incomplete, type="file")]
