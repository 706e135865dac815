"""A command that is repeated with its transaction id, and how transactions are told of."""

from typing import Any, Final

from headend.errors import Refused
from headend.identities import check_meter, check_order
from headend.line import Line
from headend.registry.life import MOVES_NOTHING
from headend.report import Report
from headend.store import transactions
from headend.store.transactions import Order, Transaction
from headend.times import meter_iso, utc
from obis.values import replace

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
        Refused: what it is of was taken over from the meter.
    """
    if identity is None:
        return None
    with line.context.store.look() as db:
        known = transactions.get(db, identity)
        if known is None:
            return None
        check_meter(db, known, line.meter.id)
    check_order(known, kind, amount, line.profile.currency)
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
    what = "done again" if ended.kind.value in MOVES_NOTHING else "booked"
    return f"already done{at} (transaction {ended.id}); nothing was {what}"


def as_before(line: Line, found: Transaction | None, report: Report) -> Report:
    """Return a report; of what was done, or planned, before under its id, one that says so.

    Args:
        line: to the meter.
        found: what ``repeated`` has found.
        report: of what became of it.
    """
    if found is None or not line.context.first:
        return report
    if not found.is_open:
        said = again(found)
    elif found.sent is not None and report.data["state"] == found.state.value:
        said = f"already planned (transaction {found.id}); nothing was planned anew"
    else:
        return report  # it has come to its end in this run
    lines = [each for each in report.lines if each != f"transaction {found.id}"]
    return replace(report, data={**report.data, "again": True}, lines=(said, *lines))


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
