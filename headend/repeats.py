"""A command that is repeated with its transaction id, and how transactions are told of."""

from typing import Any, Final

from headend.errors import Refused, UsageError
from headend.line import Line
from headend.report import Report
from headend.store import transactions
from headend.store.transactions import Order, Transaction
from headend.times import meter_iso, utc

#: What to do about a refusal that the meter's own words leave open.
_HINTS: Final = {
    "plan exists": " (prepay status shows it, prepay cancel withdraws it)",
}


def repeated(
    line: Line, identity: str | None, kind: Order, amount: int | None = None
) -> Transaction | None:
    """Return the transaction that is there under an id; None when there is none.

    Raises:
        UsageError: the id is of another command, amount or meter.
    """
    if identity is None:
        return None
    with line.context.store.look() as db:
        known = transactions.get(db, identity)
    if known is None:
        return None
    if known.kind is Order.ADOPT and known.meter_id == line.meter.id:
        raise Refused(
            f"transaction {identity} was carried out before this database was restored, and was "
            f"taken over from the meter: {line.decimal(known.amount)}; nothing was done again"
        )
    same_amount = amount is None or known.amount == amount
    if known.meter_id != line.meter.id or known.kind is not kind or not same_amount:
        raise UsageError(
            f"transaction {identity} is another: {known.kind.value} of "
            f"{line.decimal(known.amount)}; take a new id"
        )
    return known


def check_done(ended: Transaction) -> None:
    """Say so when a transaction has been refused.

    Raises:
        Refused: by the meter.
    """
    if not ended.succeeded:
        hint = _HINTS.get(ended.outcome or "", "")
        raise Refused(f"{ended.kind.value} refused: {ended.outcome}{hint}; transaction {ended.id}")


def again(ended: Transaction) -> str:
    """Return what is said in the place of "done" where it was done before, under the same id."""
    at = "" if ended.settled is None else f" at {utc(ended.settled)}"
    return f"already done{at} (transaction {ended.id}); nothing was booked"


def waiting(line: Line, planned: Transaction) -> Report:
    """Return the report of what the meter will do at its moment."""
    found = line.device.plan()
    at = meter_iso(found.at, line.profile.zone)
    return Report(
        {**summary(line, planned), "planned_for": at},
        (
            f"{planned.kind.value} of {line.meter.name} is planned for {at}",
            f"transaction {planned.id}; prepay settle asks for its outcome, prepay cancel "
            "withdraws it",
        ),
    )


def summary(line: Line, ended: Transaction) -> dict[str, Any]:
    """Return what every report of a transaction has."""
    return {
        "meter": line.meter.name,
        "transaction": ended.id,
        "state": ended.state.value,
        "amount": line.decimal(ended.amount),
        "currency": line.profile.currency.code,
    }
