"""Open the relay now, or as soon as friendly hours allow."""

from datetime import timedelta
from typing import Final

import click

from headend.cli import with_context
from headend.commands._opening import moment, written
from headend.commands._relay import identified, move, ordered
from headend.context import Context
from headend.errors import UsageError
from headend.line import open_line
from headend.plans.operating import switching
from headend.plans.planning import meter_time, new_id
from headend.repeats import as_before, repeated
from headend.report import Report
from headend.store.transactions import Order

#: How long a disconnect may wait unless told: longer than a feast that runs into a Sabbath.
_WAITS: Final = timedelta(days=5)


@click.command("disconnect")
@click.option(
    "--respect-windows",
    is_flag=True,
    help="Not in friendly hours: the meter then waits for their end.",
)
@click.option(
    "--until",
    metavar="TIME",
    help="With --respect-windows: not after this, by the meter's clock (2026-12-01T08:00); "
    "default 5 days.",
)
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(
    context: Context, respect_windows: bool, until: str | None, identity: str | None
) -> Report:
    """Open the relay, by the operator's order: now, whatever the credit and the hour.

    With --respect-windows the meter opens it now only outside friendly hours, and else in the
    second in which they end; it also waits while it does not know the time, or its calendar does
    not reach so far. Until then prepay connect, or prepay cancel, withdraws it.

    Example: prepay --port serial:./meter0 disconnect

    Example: prepay --port serial:./meter0 disconnect --respect-windows

    Next: prepay connect lets it close again; after exit code 4, prepay settle.
    """
    if until is not None and not respect_windows:
        raise UsageError("--until: only with --respect-windows")
    if respect_windows:
        return disconnect_after_windows(context, until, identity)
    return disconnect(context, identity)


def disconnect(context: Context, identity: str | None = None) -> Report:
    """Open the relay at once; see ``move`` for what it raises."""
    return move(context, Order.DISCONNECT, identity)


def disconnect_after_windows(
    context: Context, until: str | None = None, identity: str | None = None
) -> Report:
    """Open the relay as soon as no friendly window is in force.

    Args:
        context: the run of the command.
        until: not after this moment, ISO 8601 by the meter's clock; None is five days.
        identity: transaction id; a new one unless given.

    Raises:
        UsageError: no moment, or one that is over.
        Refused: another plan waits at the meter, it does not know the time, or as ``move``.
        NoAnswer, OutcomeUnknown: as ``move``.
    """
    identity = identified(context, identity, Order.DISCONNECT)
    written(until)  # what is no moment, before the meter is called for it
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.DISCONNECT)
        if planned is None:
            latest = moment(line, until) or meter_time(line) + _WAITS
            planned = switching(line, identity or new_id(line), Order.DISCONNECT, latest)
        return as_before(line, found, ordered(line, planned))
