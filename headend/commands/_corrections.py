"""What top-up, adjust and refund share: reasons as people write them; balances."""

from typing import Final

from headend.errors import HeadendError, UsageError
from headend.line import Line
from headend.repeats import again, check_done, summary
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Transaction

#: Characters of a reason.
LONGEST_REASON: Final = 200


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
        if line.balance is not None:
            return line.balance
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


def report(line: Line, ended: Transaction, said: str, *, known: bool = False) -> Report:
    """Return what became of a correction, with the balance after it.

    Args:
        line: to its meter.
        ended: the transaction.
        said: what it has done, for people.
        known: that was done before this command.

    Raises:
        Refused: by the meter.
    """
    check_done(ended)
    balance = balance_now(line)
    now = "" if balance is None else f", balance {line.money(balance)}"
    reason = str(ended.parameters["reason"])
    shown = None if balance is None else line.decimal(balance)
    data = {**summary(line, ended), "reason": reason, "balance": shown}
    if known:
        lines = (again(ended), f"{said}{now}", f"reason: {reason}")
        return Report({**data, "again": True}, lines)
    return Report(data, (f"{said}{now}", f"reason: {reason}", f"transaction {ended.id}"))
