"""Open the relay now, whatever the credit and the hour."""

import click

from headend.cli import with_context
from headend.commands._relay import DISCONNECT, move
from headend.context import Context
from headend.report import Report


@click.command("disconnect")
@with_context
def command(context: Context) -> Report:
    """Open the relay now, whatever the credit and the hour: the operator's order.

    Example: prepay --port serial:./meter0 disconnect
    """
    return disconnect(context)


def disconnect(context: Context) -> Report:
    """Open the relay at once; see ``move`` for what it raises."""
    return move(context, DISCONNECT)
