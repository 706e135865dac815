"""Withdraw what the meter has planned for a moment to come."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.identities import foreseen
from headend.line import open_line
from headend.orders import carry_out, settle_open
from headend.plans.operating import cancellation
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, check_done, repeated, summary
from headend.report import Report
from headend.store.transactions import Order


@click.command("cancel")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, identity: str | None) -> Report:
    """Withdraw what the meter has planned for a moment to come.

    What was booked for it is reversed.

    Example: prepay --port serial:./meter0 cancel

    Next: prepay transactions shows the plan as refused: withdrawn.
    """
    return cancel(context, identity)


def cancel(context: Context, identity: str | None = None) -> Report:
    """Withdraw the plan of the meter at the context's port.

    Raises:
        Refused: there is no plan.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    foreseen(context, identity, Order.CANCEL)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.CANCEL)
        if planned is None:
            planned = cancellation(line, identity or new_id(line))
        ended = carry_out(line, planned) if planned.is_open else planned
        check_done(ended)
        settle_open(line)  # the plan's own transaction ends with it
        said = f"the plan of {line.meter.name} is withdrawn"
        report = Report(summary(line, ended), (said, f"transaction {ended.id}"))
        return as_before(line, found, report)
