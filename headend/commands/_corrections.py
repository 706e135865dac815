"""What top-up, adjust and refund share: amounts and reasons as people write them; balances."""

from typing import Final

from headend.errors import HeadendError, UsageError
from headend.line import Line
from headend.repeats import check_done, summary
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Transaction
from prepay.money import CURRENCIES, AmountError, Currency, parse_amount

#: Characters of a reason.
LONGEST_REASON: Final = 200


def amount_of(text: str, currency: Currency | None = None, *, signed: bool = False) -> int:
    """Return an amount in minor units, not 0.

    Args:
        text: decimal.
        currency: of the meter; None, before it was asked, is the finest that there is.
        signed: it may be below 0.

    Raises:
        UsageError: no such amount.
    """
    known = currency or min(CURRENCIES.values(), key=lambda each: each.exponent)
    try:
        return parse_amount(text, known, allow_zero=False, allow_negative=signed)
    except AmountError as error:
        raise UsageError(str(error)) from error


def reason_of(text: str) -> str:
    """Return a reason as it is kept in the books: one line, for people.

    Raises:
        UsageError: empty, too long, or not printable.
    """
    reason = text.strip()
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise UsageError(f"--reason takes one line of 1 to {LONGEST_REASON} printable characters")
    return reason


def balance_now(line: Line) -> int | None:
    """Return the balance from who keeps it; None from a meter that has fallen silent since."""
    if line.central:
        with line.context.store.read() as db:
            return ledger.balance(db, line.meter.id)
    try:
        return line.device.local_balance()
    except HeadendError:
        return None


def check_same_reason(planned: Transaction, reason: str) -> None:
    """Refuse an id that was given for another reason.

    Raises:
        UsageError: it was.
    """
    if planned.parameters.get("reason") != reason:
        raise UsageError(f"transaction {planned.id} has another reason; take a new id")


def report(line: Line, ended: Transaction, said: str) -> Report:
    """Return what became of a correction, with the balance after it.

    Raises:
        Refused: by the meter.
    """
    check_done(ended)
    balance = balance_now(line)
    now = "" if balance is None else f", balance {line.money(balance)}"
    reason = str(ended.parameters["reason"])
    shown = None if balance is None else line.decimal(balance)
    data = {**summary(line, ended), "reason": reason, "balance": shown}
    return Report(data, (f"{said}{now}", f"reason: {reason}", f"transaction {ended.id}"))
