"""What the help and its errors say of commands and options, beyond what click makes of them."""

from typing import Final

import click

#: Characters of a line in a group's list of commands, beside their names.
_LINE: Final = 64


def short(text: str) -> str:
    """Return the first sentence of a help, or so much of it as a line of a list holds."""
    whole = " ".join(text.split("\n\n", 1)[0].split())
    for end in ("; ", ": ", ", "):
        if len(whole) > _LINE:
            whole = f"{whole.partition(end)[0]}."
    return whole


def listed(error: click.NoSuchOption) -> click.NoSuchOption:
    """Return the error with suggestions out of the command's help alone."""
    known = [] if error.ctx is None else error.ctx.command.params
    shown = (o for o in known if isinstance(o, click.Option) and not o.hidden)
    names = [name for option in shown for name in option.opts]
    return click.NoSuchOption(error.option_name, error.message, names, error.ctx)
