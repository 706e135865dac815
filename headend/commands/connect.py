"""Let the relay close again."""

import click

from headend.cli import with_context
from headend.commands._relay import move
from headend.context import Context
from headend.report import Report
from headend.store.transactions import Order


@click.command("connect")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, identity: str | None) -> Report:
    """Let the relay close again, as far as the operator is concerned.

    A disconnect that waits for the end of friendly hours is withdrawn. Another cause, such as
    used-up credit, may still hold the relay open.

    Example: prepay --port serial:./meter0 connect

    Next: prepay status; after exit code 4, prepay settle.
    """
    return connect(context, identity)


def connect(context: Context, identity: str | None = None) -> Report:
    """Take the operator's causes from the relay; see ``move`` for what it raises."""
    return move(context, Order.CONNECT, identity)
