"""Pay credit back to the customer, at most what there is, once."""

import click

from headend.cli import with_context
from headend.commands._amounts import amount_of
from headend.commands._corrections import check_same_reason, reason_of, report
from headend.context import Context
from headend.corrections import TOPUP, payment, refund
from headend.errors import UsageError
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans import check_id, new_id
from headend.repeats import repeated
from headend.report import Report
from headend.store.transactions import Order, Transaction

PRIORITY = 15


@click.command("refund", context_settings={"ignore_unknown_options": True})  # "-5" is refused
@click.argument("amount", required=False)
@click.option("--topup", metavar="HEX", help="Give the top-up of this transaction id back, whole.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the books.")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id pays once.")
@with_context
def command(
    context: Context, amount: str | None, topup: str | None, reason: str, identity: str | None
) -> Report:
    """Take AMOUNT, or one top-up, off the balance, because the customer gets it back.

    It never takes more than the balance: in central mode what has been used until now is priced
    first; in local mode the meter decides. What fees and debts have had of a top-up stays there,
    so that there may be less than all of it to give back.

    Example: prepay --port serial:./meter0 refund 12.00 --reason "moving out"

    Next: prepay ledger shows it; after exit code 4, prepay settle.
    """
    return give_back(context, amount, reason, topup, identity)


def give_back(
    context: Context,
    amount: str | None,
    reason: str,
    topup: str | None = None,
    identity: str | None = None,
) -> Report:
    """Refund the customer of the meter at the context's port.

    Args:
        context: the run of the command.
        amount: decimal, in the currency of the meter's profile; None with a top-up.
        reason: for people.
        topup: transaction id of the payment that goes back; None without one.
        identity: transaction id; a new one unless given.

    Raises:
        UsageError: neither an amount nor a top-up, or both; no such top-up; no reason, or no id.
        Refused: more than the balance, the top-up has gone back already, prepayment is not
            active, or the meter refused; nothing stays booked.
        NoAnswer: the meter was not reached; nothing is booked.
        OutcomeUnknown: booked and sent, and the answer got lost.
    """
    if (amount is None) is (topup is None):
        raise UsageError("refund what? An AMOUNT, or --topup with the id of a payment")
    if amount is not None:
        amount_of(amount)  # what is one in no currency, before the meter is called for it
    why, now = reason_of(reason), context.now()
    identity = None if identity is None else check_id(identity, now)
    paid = None if topup is None else check_id(topup, now)
    with open_line(context) as line:
        planned = _repeated(line, identity, amount, paid)
        if planned is None:
            minor = _minor(line, amount, paid)
            planned = refund(line, identity or new_id(line), minor, why, paid)
        check_same_reason(planned, why)
        known = not planned.is_open and context.first
        ended = carry_out(line, planned) if planned.is_open else planned
        said = f"{line.money(ended.amount)} of {line.meter.name} go back"
        return report(line, ended, said, known=known)


def _minor(line: Line, amount: str | None, paid: str | None) -> int:
    if paid is not None:
        return payment(line, paid).amount
    assert amount is not None  # one of them was given
    return amount_of(amount, line.profile.currency)


def _repeated(
    line: Line, identity: str | None, amount: str | None, paid: str | None
) -> Transaction | None:
    minor = None if amount is None else amount_of(amount, line.profile.currency)
    planned = repeated(line, identity, Order.REFUND, minor)
    if planned is not None and planned.parameters.get(TOPUP) != paid:
        raise UsageError(f"transaction {planned.id} gave something else back; take a new id")
    return planned
