"""List what meters said unasked, as far as it was kept."""

import json
from typing import TYPE_CHECKING, Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.report import Report

if TYPE_CHECKING:  # with it comes the database
    from headend.store.notifications import Notification

#: No meter is asked.
OFFLINE = True
DURABLE = False
NAMED = True
#: Characters of a body in a table.
_SHOWN = 60


@click.command("notifications")
@click.option("--unknown", is_flag=True, help="Only those that are of no meter known here.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@with_context
def command(context: Context, unknown: bool, limit: int) -> Report:
    """List what meters said unasked, newest first; with --meter NAME of one meter.

    prepay listen --store and prepay serve --listen keep it. What is in clear, or of nobody known
    here, is kept apart; of that, and of each meter, the newest thousand are kept.

    Example: prepay notifications --meter OPP0000000001

    Next: prepay cases list
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
            str(row["number"]), row["received"], row["meter"] or f"unknown, {row['from']}",
            "key" if row["authenticated"] else "in clear", str(row["times"]), _short(row["said"]),
        )
        for row in told
    ]  # fmt: skip # a table: one row a notification
    columns = ("number", "received", "meter", "vouched by", "times", "said")
    return Report({"notifications": told}, (), columns, rows)


def _told(each: "Notification") -> dict[str, Any]:
    from headend.times import utc

    return {
        "number": each.number,
        "received": utc(each.received),
        "meter": each.meter or None,
        "from": each.source,
        "system_title": each.system_title.upper() or None,
        "authenticated": each.authenticated,
        "times": each.times,
        "said": each.body,
    }


def _short(said: Any) -> str:
    what = said.get("body", said.get("value", said.get("values", said.get("cut"))))
    of = f"{said['code']}: " if "code" in said else ""
    whole = of + json.dumps(what)  # escapes what would move the cursor
    return whole if len(whole) <= _SHOWN else whole[: _SHOWN - 3] + "..."
