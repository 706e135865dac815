"""Print what makes the shell complete commands, options and names of meters."""

import click
from click.shell_completion import get_completion_class

from headend.cli import main, with_context
from headend.context import Context
from headend.report import Report

#: No meter is asked, and nothing of the database.
OFFLINE = True
DURABLE = False

_SHELLS = ("bash", "zsh", "fish")
#: Where each shell looks for it, as its own manual has it.
_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/prepay",
    "zsh": "_prepay, in a directory of $fpath",
    "fish": "~/.config/fish/completions/prepay.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@with_context
def command(context: Context, shell: str) -> Report:
    """Print a script that makes SHELL complete commands, options and names of meters.

    Example: prepay completion bash > ~/.local/share/bash-completion/completions/prepay

    Example: source <(prepay completion zsh)
    """
    return completion(shell)


def completion(shell: str) -> Report:
    """Return the script for a shell, as click makes it."""
    made = get_completion_class(shell)
    assert made is not None  # click has the three of them
    script = made(main, {}, "prepay", "_PREPAY_COMPLETE").source()
    return Report({"shell": shell, "script": script, "place": _WHERE[shell]}, (script.rstrip(),))
