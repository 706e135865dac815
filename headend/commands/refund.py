"""Pay credit back to the customer, at most what there is, once."""

import click

from headend.cli import with_context
from headend.commands._amounts import amount_of
from headend.commands._corrections import check_same_reason, reason_of, report
from headend.commands._known import amount_known
from headend.context import Context
from headend.corrections import TOPUP, payment, refund
from headend.errors import UsageError
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.planning import check_id, new_id
from headend.repeats import repeated
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Order, Transaction
from obis.values import replace
from prepay.ledger import Reason

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
    asked = None if amount is None else amount_known(context, amount)
    why, now = reason_of(reason), context.now()
    identity = None if identity is None else check_id(identity, now)
    paid = None if topup is None else check_id(topup, now)
    before = foreseen(context, identity, Order.REFUND, asked)
    if before is not None:
        _check_same(before, paid)
        check_same_reason(before, why)
    with open_line(context) as line:
        planned = _repeated(line, identity, amount, paid)
        if planned is None:
            minor = _minor(line, amount, paid)
            planned = refund(line, identity or new_id(line), minor, why, paid)
        check_same_reason(planned, why)
        known = not planned.is_open and context.first
        ended = carry_out(line, planned) if planned.is_open else planned
        said = f"{line.money(ended.amount)} go back to the customer of {line.meter.name}"
        return _with_cost(line, ended, report(line, ended, said, known=known))


def _with_cost(line: Line, ended: Transaction, told: Report) -> Report:
    """Return a report that says as well what was used, and priced before the refund."""
    if not line.central:
        return told
    with line.context.store.read() as db:
        cost = ledger.under(db, line.meter.id, ended.id, Reason.CONSUMPTION)
    data = {**told.data, "energy_cost": line.decimal(cost)}
    lines = list(told.lines)
    if cost:
        lines.insert(-1, f"energy since the last reading, priced first: {line.money(cost)}")
    return replace(told, data=data, lines=lines)


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
    if planned is not None:
        _check_same(planned, paid)
    return planned


def _check_same(planned: Transaction, paid: str | None) -> None:
    """Refuse an id that was given for something else.

    Raises:
        UsageError: it was.
    """
    if planned.parameters.get(TOPUP) != paid:
        raise UsageError(f"transaction {planned.id} gave something else back; take a new id")
