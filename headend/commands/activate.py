"""Activate prepayment, with the profile's start credit."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.line import open_line
from headend.orders import carry_out
from headend.plans import central_activation, check_id, local_activation, new_id
from headend.repeats import check_done, repeated, summary
from headend.report import Report
from headend.store.transactions import Order


@click.command("activate")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, identity: str | None) -> Report:
    """Activate prepayment, with the profile's start credit.

    In central mode the register reading of now is where pricing begins.

    Example: prepay --port serial:./meter0 activate

    Next: prepay topup 25.00.
    """
    return activate(context, identity)


def activate(context: Context, identity: str | None = None) -> Report:
    """Activate prepayment on the meter at the context's port.

    Raises:
        Refused: it is active already, or the meter refused.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    with open_line(context) as line:
        planned = repeated(line, identity, Order.ACTIVATE)
        if planned is None:
            plan = central_activation if line.central else local_activation
            planned = plan(line, identity or new_id(line))
        ended = carry_out(line, planned) if planned.is_open else planned
        check_done(ended)
        balance = int(ended.parameters["balance"])
        return Report(
            {**summary(line, ended), "prepayment": True, "start_balance": line.decimal(balance)},
            (
                f"prepayment active on {line.meter.name}, "
                f"start credit {line.money(ended.amount)}, balance {line.money(balance)}",
                f"transaction {ended.id}",
            ),
        )
