"""Book a payment and bring it to the meter, once."""

import click

from headend.cli import with_context
from headend.commands._known import payment_known
from headend.context import Context
from headend.report import Report


@click.command("topup", context_settings={"ignore_unknown_options": True})  # "-5" is an amount
@click.argument("amount")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id pays once.")
@with_context
def command(context: Context, amount: str, identity: str | None) -> Report:
    """Book a payment of AMOUNT and bring it to the meter, once.

    In central mode the new balance is pushed to the meter, in local mode a token is vended and
    entered. When the outcome stays unknown (exit code 4), `prepay settle` finds it out; the same
    command with --id does too, and never pays twice.

    Example: prepay --port serial:./meter0 topup 25.00

    Next: prepay status; after exit code 4, prepay settle.
    """
    return top_up(context, amount, identity)


def top_up(context: Context, amount: str, identity: str | None = None) -> Report:
    """Top up the meter at the context's port.

    Args:
        context: the run of the command.
        amount: decimal, in the currency of the meter's profile.
        identity: transaction id; a new one unless given.

    Raises:
        UsageError: no amount, or no id.
        Refused: by the profile's limits or by the meter; nothing is booked.
        NoAnswer: the meter was not reached; nothing is booked.
        OutcomeUnknown: booked and sent, and the answer got lost.
    """
    payment_known(context, amount)
    if identity is None:  # who only queues needs no sessions
        context.set_out()
    from headend.commands._payment import pay

    return pay(context, amount, identity)
