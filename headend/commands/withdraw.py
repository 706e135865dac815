"""End a customer's minimum supply; the meter refuses that in winter."""

import click

from headend.cli import with_context
from headend.commands._customer import check, report
from headend.context import Context
from headend.identities import foreseen
from headend.line import open_line
from headend.orders import carry_out
from headend.plans.operating import withdrawal
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, repeated
from headend.report import Report
from headend.store.transactions import Order


@click.command("withdraw")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, identity: str | None) -> Report:
    """End a customer's minimum supply; the meter refuses that in winter.

    Where credit is used up, a cut takes its place at once.

    Example: prepay --port serial:./meter0 withdraw

    Next: prepay status shows the relay.
    """
    return withdraw(context, identity)


def withdraw(context: Context, identity: str | None = None) -> Report:
    """End minimum supply on the meter at the context's port.

    Raises:
        Refused: the meter refused: it is winter, or it does not know the date.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    foreseen(context, identity, Order.WITHDRAW)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.WITHDRAW)
        if planned is None:
            planned = withdrawal(line, identity or new_id(line))
        ended = carry_out(line, planned) if planned.is_open else planned
        check(line, ended)
        return as_before(line, found, report(line, ended))
