"""A payment: booked, and brought to the meter, once; what ``prepay topup`` does."""

from headend.commands._corrections import balance_now
from headend.commands._due import debt_words, debts
from headend.commands._known import payment_known, payment_of
from headend.context import Context
from headend.errors import HeadendError
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.central import central_topup
from headend.plans.local import local_topup
from headend.plans.planning import TOPUP_ASKS, check_id, new_id
from headend.repeats import again, check_done, repeated, summary
from headend.report import Report
from headend.store import transactions
from headend.store.transactions import Order, Transaction


def pay(context: Context, amount: str, identity: str | None) -> Report:
    """Top up the meter at the context's port, as ``headend.commands.topup.top_up`` says."""
    identity = None if identity is None else check_id(identity, context.now())
    foreseen(context, identity, Order.TOPUP, payment_known(context, amount))
    context.foreseen = TOPUP_ASKS
    with open_line(context) as line:
        minor = payment_of(amount, line.profile)
        planned = repeated(line, identity, Order.TOPUP, minor)
        if planned is None:
            plan = central_topup if line.central else local_topup
            planned = plan(line, identity or new_id(line), minor)
        known = not planned.is_open and context.first
        ended = carry_out(line, planned) if planned.is_open else planned
        return _report(line, ended, known=known)


def _report(line: Line, ended: Transaction, *, known: bool) -> Report:
    check_done(ended)
    balance = balance_now(line)
    now = "" if balance is None else f", balance {line.money(balance)}"
    data = {**summary(line, ended), "balance": None if balance is None else line.decimal(balance)}
    lines = [
        f"topped up {line.meter.name} by {line.money(ended.amount)}{now}",
        f"transaction {ended.id}",
    ]
    if known:
        data["again"] = True
        lines = [again(ended), f"{line.meter.name} had {line.money(ended.amount)} by it{now}"]
    owed = None if known else _owed(line)
    if owed is not None:
        data["debts"] = owed
        left = debt_words(owed, line.profile.currency.code)
        lines.insert(1, f"debts that were paid from it first, left: {left or 'none'}")
    return Report(data, lines)


def _owed(line: Line) -> dict[str, str] | None:
    """Return what is left of debts that were brought along; None where none were, or of silence.

    Only a meter that keeps its balance takes them from a payment, and only one that has any is
    asked.
    """
    if line.central:
        return None
    with line.context.store.look() as db:
        opened = transactions.of_meter(db, line.meter.id, kinds=(Order.ACTIVATE,))
    if not any(each.parameters.get("debts") for each in opened):
        return None
    try:
        return debts(line.device, line.profile)
    except HeadendError:
        return None
