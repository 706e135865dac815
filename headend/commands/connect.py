"""Let the relay close again."""

import click

from headend.cli import with_context
from headend.commands._relay import RECONNECT, move
from headend.context import Context
from headend.report import Report


@click.command("connect")
@with_context
def command(context: Context) -> Report:
    """Let the relay close again, as far as the operator is concerned.

    Another cause, such as used-up credit, may still hold it open.

    Example: prepay --port serial:./meter0 connect
    """
    return connect(context)


def connect(context: Context) -> Report:
    """Take the operator's cause from the relay; see ``move`` for what it raises."""
    return move(context, RECONNECT)
