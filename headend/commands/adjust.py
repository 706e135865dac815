"""Correct the balance by a signed amount, with a reason, once."""

import click

from headend.cli import with_context
from headend.commands._amounts import amount_of
from headend.commands._corrections import check_same_reason, reason_of, report
from headend.commands._known import amount_known
from headend.context import Context
from headend.corrections import adjustment
from headend.identities import foreseen
from headend.line import open_line
from headend.orders import carry_out
from headend.plans.planning import check_id, new_id
from headend.repeats import repeated
from headend.report import Report
from headend.store.transactions import Order

PRIORITY = 15


@click.command("adjust", context_settings={"ignore_unknown_options": True})  # "-5" is an amount
@click.argument("amount")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the books.")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, amount: str, reason: str, identity: str | None) -> Report:
    """Correct the balance by AMOUNT, such as 3.50 or -3.50, with a reason, once.

    In central mode it is booked here and the new balance is pushed; in local mode the meter puts
    it onto its own. No cash moves: what a customer gets back is prepay refund.

    Example: prepay --port serial:./meter0 adjust -3.50 --reason "meter swap, energy billed twice"

    Next: prepay ledger shows it; after exit code 4, prepay settle.
    """
    return adjust(context, amount, reason, identity)


def adjust(context: Context, amount: str, reason: str, identity: str | None = None) -> Report:
    """Correct the balance of the meter at the context's port.

    Args:
        context: the run of the command.
        amount: decimal and signed, in the currency of the meter's profile.
        reason: for people.
        identity: transaction id; a new one unless given.

    Raises:
        UsageError: no amount, no reason, or no id.
        Refused: prepayment is not active, or the meter refused; nothing stays booked.
        NoAnswer: the meter was not reached; nothing is booked.
        OutcomeUnknown: booked and sent, and the answer got lost.
    """
    asked, why = amount_known(context, amount, signed=True), reason_of(reason)
    identity = None if identity is None else check_id(identity, context.now())
    before = foreseen(context, identity, Order.ADJUST, asked)
    if before is not None:
        check_same_reason(before, why)
    with open_line(context) as line:
        minor = amount_of(amount, line.profile.currency, signed=True)
        planned = repeated(line, identity, Order.ADJUST, minor)
        if planned is None:
            planned = adjustment(line, identity or new_id(line), minor, why)
        check_same_reason(planned, why)
        known = not planned.is_open and context.first
        ended = carry_out(line, planned) if planned.is_open else planned
        said = f"adjusted {line.meter.name} by {line.money(ended.amount)}"
        return report(line, ended, said, known=known)
