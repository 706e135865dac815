"""List what was queued; show, withdraw, wait for or retry one of it."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.report import Report

#: No meter is asked.
OFFLINE = True
#: A list may be of one meter.
NAMED = True

_STATES = (
    "planned",
    "queued",
    "running",
    "unknown",
    "done",
    "settled",
    "refused",
    "expired",
    "cancelled",
)


@click.group("commands", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what was queued; show, withdraw, wait for or retry one of it.

    A command is named by its id, or by as many of its first digits as no other one has.

    Example: prepay commands list --state unknown
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only these.")
@click.option("--campaign", metavar="ID", help="Only of this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@with_context
def list_command(
    context: Context, states: tuple[str, ...], campaign: str | None, limit: int
) -> Report:
    """List the newest commands; with --meter NAME those of one meter.

    Example: prepay commands list --campaign 0192f0c0 --state refused
    """
    from headend.engine import views

    return views.listed(context, states, limit, campaign)


@command.command("show")
@click.argument("command_id", metavar="ID")
@with_context
def show(context: Context, command_id: str) -> Report:
    """Show all that is known of a command."""
    from headend.engine import views

    return views.shown(context, command_id)


@command.command("cancel")
@click.argument("command_id", metavar="ID")
@with_context
def cancel(context: Context, command_id: str) -> Report:
    """Withdraw a command, unless it was sent.

    One that is under way looks for this just before it sends; what was sent cannot be called
    back, and the meter is asked what became of it.
    """
    from headend.engine import views

    return views.cancelled(context, command_id)


@command.command("wait")
@click.argument("command_id", metavar="ID")
@click.option("--seconds", type=click.FloatRange(0), help="No longer than this.")
@with_context
def wait(context: Context, command_id: str, seconds: float | None) -> Report:
    """Wait until a command is done, and show what it reported.

    The exit code is that of the command: 1 refused, 3 not yet begun or expired in silence, 4
    unknown.
    """
    from headend.engine import views

    return views.waited(context, command_id, seconds)


@command.command("retry")
@click.argument("command_id", metavar="ID")
@click.option(
    "--not-after", metavar="TIME",
    help="One that is queued anew is not sent after this (ISO 8601, or +2h); default +1d.",
)  # fmt: skip # as the others
@with_context
def retry(context: Context, command_id: str, not_after: str | None) -> Report:
    """Try a command now that waits for its next attempt; queue one anew that was refused.

    Anew is a new command, for now, and, if it moves money, a new transaction. One that somebody
    has withdrawn is given again by whoever wants it.

    Example: prepay commands retry 0192f0c0 --not-after +2h
    """
    from headend.engine import views

    return views.retried(context, command_id, not_after)
