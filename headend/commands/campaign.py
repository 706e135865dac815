"""Give one command to many meters: start, watch, pause and cancel."""

import click

from headend.cli import with_context
from headend.commands._selection import selection_options
from headend.context import Context
from headend.report import Report
from headend.report import show as show_report

#: No meter is asked by this process.
OFFLINE = True


class _Waiting(click.Command):
    """Takes --wait without a number wherever it stands; click would take the next word for one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words behind the command's name."""
        options = [p for p in self.params if isinstance(p, click.Option) and not p.is_flag]
        taking = {name for option in options for name in option.opts}
        words, value = list(args), False
        for place, word in enumerate(args):
            if value:
                value = False
            elif word == "--wait":
                words[place] = "--wait=inf"
            elif word in taking:
                value = True
            elif word == "--" or not (word.startswith("-") or ctx.allow_interspersed_args):
                break  # what follows is another command's
        return super().parse_args(ctx, words)


_wait_option = click.option(
    "--wait", type=click.FloatRange(0), metavar="[=SECONDS]",
    help="Until each of them is through, or for so long; exit code 3 when that is over.",
)  # fmt: skip # as the others


def _patience(wait: float) -> float | None:
    return None if wait == float("inf") else wait


@click.group("campaign", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Give one command to many meters: start, watch, pause and cancel.

    Example: prepay campaign start --tag depot --at-once 20 clock --set

    Example: prepay campaign start --query profile=be-wal,life=in-service --wait morning
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command(
    "start",
    cls=_Waiting,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@selection_options
@click.option("--label", default="", help="What people call it.")
@click.option("--at-once", type=click.IntRange(1, 10_000), help="How many of it at a time.")
@click.option("--priority", type=click.IntRange(0, 1000), help="0 goes first.")
@click.option("--not-before", metavar="TIME", help="Not sent before this (ISO 8601, or +2h).")
@click.option(
    "--not-after", metavar="TIME", help="Not sent after this; default a day after --not-before."
)
@click.option("--idempotency-key", metavar="KEY", help="The same key again finds the same one.")
@click.option("--dry-run", is_flag=True, help="Say which meters are meant; nothing is queued.")
@_wait_option
@click.argument("words", nargs=-1, required=True, metavar="COMMAND [ARGUMENTS]")
@with_context
def start(
    context: Context,
    tags: tuple[str, ...],
    listed: str | None,
    query: str | None,
    label: str,
    at_once: int | None,
    priority: int | None,
    not_before: str | None,
    not_after: str | None,
    idempotency_key: str | None,
    dry_run: bool,
    wait: float | None,
    words: tuple[str, ...],
) -> Report:
    """Queue COMMAND for each meter that is chosen; all of them, or none.

    What the profile of one of them refuses is told with its name, and nothing is queued.

    What follows COMMAND is its own. A meter that cannot be reached holds up nobody else. With
    --wait the id comes at once, on stderr; who stops waiting stops no campaign.

    Example: prepay campaign start --tag pilot --wait=600 topup 5.00

    Next: prepay campaign show says which meters did not do it, and why.
    """
    from headend.commands._selection import names_in
    from headend.engine import campaign_views, campaigns
    from headend.engine.queueing import Terms, moment
    from headend.registry.meters import Selection

    ours = {o for p in click.get_current_context().command.params for o in p.opts}
    campaigns.check_order(words, ours)
    names = None if listed is None else names_in(listed)
    now = context.now()
    terms = Terms(moment(not_before, now), moment(not_after, now), priority, idempotency_key)
    chosen = Selection.parse(tags, names, query)
    begun = campaigns.Wish(words, chosen, terms, label, at_once)
    try:
        if dry_run:
            return campaigns.meant(context, begun)
        campaign, again = campaigns.start(context, begun)
    except campaigns.Unfit as error:
        show_report(error.report(), as_json=context.chosen.json)
        raise
    if wait is None:
        return campaign_views.shown(context, campaign.id, again=again)
    return campaign_views.watch(context, campaign.id, _patience(wait), again=again)


@command.command("list")
@with_context
def list_command(context: Context) -> Report:
    """List the newest campaigns."""
    from headend.engine import campaign_views

    return campaign_views.listed(context)


@command.command("show", cls=_Waiting)
@click.argument("campaign_id", metavar="ID")
@click.option(
    "--after", metavar="COMMAND",
    help="Of the meters that did not do it, the next ones behind that of this command.",
)  # fmt: skip # as the others
@_wait_option
@with_context
def show(context: Context, campaign_id: str, after: str | None, wait: float | None) -> Report:
    """Show how far a campaign has come, and which of its meters did not do it, and why.

    20 of them at a time, in JSON 1000, with the id that --after takes for the next ones.
    """
    from headend.engine import campaign_views

    if wait is None:
        return campaign_views.shown(context, campaign_id, after=after)
    return campaign_views.watch(context, campaign_id, _patience(wait), after=after)


@command.command("pause")
@click.argument("campaign_id", metavar="ID")
@with_context
def pause(context: Context, campaign_id: str) -> Report:
    """Begin no more of it; what is under way goes on."""
    from headend.engine import campaign_views

    return campaign_views.move(context, campaign_id, "paused")


@command.command("resume")
@click.argument("campaign_id", metavar="ID")
@with_context
def resume(context: Context, campaign_id: str) -> Report:
    """Go on with a campaign that was paused."""
    from headend.engine import campaign_views

    return campaign_views.move(context, campaign_id, "running")


@command.command("cancel")
@click.argument("campaign_id", metavar="ID")
@with_context
def cancel(context: Context, campaign_id: str) -> Report:
    """Withdraw what of it was not sent yet."""
    from headend.engine import campaign_views

    return campaign_views.move(context, campaign_id, "cancelled")
