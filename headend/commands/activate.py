"""Activate prepayment, with the profile's start credit."""

import click

from headend.cli import with_context
from headend.commands._known import profile_known
from headend.commands._opening import check_form
from headend.commands._opening import opening as as_told
from headend.context import Context
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.central import central_activation
from headend.plans.local import local_activation
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, check_done, repeated, summary, waiting
from headend.report import Report
from headend.store.transactions import Order, Transaction


@click.command("activate")
@click.option(
    "--opening",
    metavar="AMOUNT",
    help="What the customer brings from before, such as 3.50 or -7.00.",
)
@click.option(
    "--debt",
    multiple=True,
    metavar="NAME=AMOUNT",
    help="A debt brought along; may be given more than once.",
)
@click.option(
    "--anchor",
    metavar="DATE",
    help="A day on which a billing period begins, as 2026-12-01; else today.",
)
@click.option(
    "--at", metavar="TIME", help="Let the meter do it then, by its own clock: 2026-12-01T08:00."
)
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(
    context: Context,
    opening: str | None,
    debt: tuple[str, ...],
    anchor: str | None,
    at: str | None,
    identity: str | None,
) -> Report:
    """Activate prepayment, with the profile's start credit.

    With --at the meter waits for its moment. In central mode pricing begins at the register
    reading of now, or at that of the moment, which the meter keeps until it is next reached.
    The names of debts are those of the profile's charges.

    Example: prepay --port serial:./meter0 activate

    Example: prepay --port serial:./meter0 activate --opening 3.50 --debt costs=20.00

    Next: prepay topup 25.00.
    """
    return activate(context, identity, balance=opening, debts=debt, anchor=anchor, at=at)


def activate(
    context: Context,
    identity: str | None = None,
    *,
    balance: str | None = None,
    debts: tuple[str, ...] = (),
    anchor: str | None = None,
    at: str | None = None,
) -> Report:
    """Activate prepayment on the meter at the context's port.

    Raises:
        Refused: it is active already, or the meter refused.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    profile = profile_known(context)
    check_form(profile, balance=balance, debts=debts, anchor=anchor, at=at)
    foreseen(context, identity, Order.ACTIVATE)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.ACTIVATE)
        if planned is None:
            plan = central_activation if line.central else local_activation
            told = as_told(line, balance=balance, debts=debts, anchor=anchor, at=at)
            planned = plan(line, identity or new_id(line), told)
        ended = carry_out(line, planned) if planned.is_open else planned
        return as_before(line, found, _report(line, ended))


def _report(line: Line, ended: Transaction) -> Report:
    if ended.is_open:
        return waiting(line, ended)
    check_done(ended)
    first = int(ended.parameters["balance"])
    return Report(
        {**summary(line, ended), "prepayment": True, "start_balance": line.decimal(first)},
        (
            f"prepayment active on {line.meter.name}, "
            f"start credit {line.money(ended.amount)}, balance {line.money(first)}",
            f"transaction {ended.id}",
        ),
    )
