"""List what meters said unasked, as far as it was kept; show one."""

from typing import TYPE_CHECKING, Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report, facts

if TYPE_CHECKING:  # with it comes the database
    from headend.store.notifications import Notification

#: No meter is asked.
OFFLINE = True
DURABLE = False
NAMED = True
_LIMIT = click.IntRange(1, 10_000)


@click.group("notifications", invoke_without_command=True)
@click.option("--unknown", is_flag=True, help="Only those that are of no meter known here.")
@click.option("--limit", type=_LIMIT, default=50, show_default=True)
@click.pass_context
def command(ctx: click.Context, unknown: bool, limit: int) -> None:
    """List what meters said unasked, newest first; with --meter NAME of one meter.

    prepay listen --store and prepay serve --listen keep it. What is in clear, or of nobody known
    here, is kept apart; of that, and of each meter, the newest thousand are kept.

    Example: prepay notifications --meter OPP0000000001

    Next: prepay notifications show NUMBER, prepay cases list
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command, unknown=unknown, limit=limit)


@command.command("list")
@click.option("--unknown", is_flag=True, help="Only those that are of no meter known here.")
@click.option("--limit", type=_LIMIT, default=50, show_default=True)
@with_context
def list_command(context: Context, unknown: bool, limit: int) -> Report:
    """List them, newest first.

    Example: prepay notifications list --unknown
    """
    return listed(context, limit, unknown=unknown)


def listed(context: Context, limit: int, *, unknown: bool = False) -> Report:
    """Return notifications.

    Raises:
        UsageError: no such meter.
    """
    from headend.store import notifications

    meter_id = None if context.registered is None else context.registered.id
    with context.store.read() as db:
        found = notifications.newest(db, limit, meter_id=meter_id, strangers=unknown)
    told = [_told(each) for each in found]
    if not told:
        return Report({"notifications": told}, ("nothing was said that was kept",))
    rows = [
        (
            str(row["number"]), row["received"][:19], row["meter"] or f"unknown, {row['from']}",
            "key" if row["authenticated"] else "in clear", str(row["times"]), row["told"],
        )
        for row in told
    ]  # fmt: skip # a table: one row a notification
    columns = ("number", "received", "meter", "vouched by", "times", "told")
    return Report({"notifications": told}, (), columns, rows)


@command.command("show")
@click.argument("number", metavar="NUMBER", type=click.IntRange(1, 2**31 - 1))
@with_context
def show(context: Context, number: int) -> Report:
    """Show one, with all that was said, as it came.

    Example: prepay notifications show 17
    """
    return shown(context, number)


def shown(context: Context, number: int) -> Report:
    """Return one notification.

    Raises:
        UsageError: there is none of that number.
    """
    import json

    from headend.store import notifications

    with context.store.read() as db:
        found = notifications.get(db, number)
    if found is None:
        raise UsageError(f"no notification {number}: prepay notifications lists what is kept")
    told = _told(found)
    worded = {
        "number": number,
        "received": told["received"],
        "meter": told["meter"] or "unknown",
        "from": told["from"],
        "system title": told["system_title"] or "none",
        "vouched by": "key" if told["authenticated"] else "nothing, it came in clear",
        "times": told["times"],
        "told": told["told"],
        "said": json.dumps(told["said"], allow_nan=False),  # escapes what would move the cursor
    }
    return Report(told, facts(worded))


def _told(each: "Notification") -> dict[str, Any]:
    from headend.listener.worded import words
    from headend.times import utc

    return {
        "number": each.number,
        "received": utc(each.received),
        "meter": each.meter or None,
        "from": each.source,
        "system_title": each.system_title.upper() or None,
        "authenticated": each.authenticated,
        "times": each.times,
        "told": words(each.body, each.meter, each.profile),
        "said": each.body,
    }
