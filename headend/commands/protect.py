"""Say what is due to a customer: minimum supply in place of a cut, or no cut at all."""

from datetime import date, datetime

import click

from headend.cli import with_context
from headend.commands._customer import check, report
from headend.context import Context
from headend.errors import UsageError
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.operating import customer
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, repeated
from headend.report import Report
from headend.store.transactions import Order, Transaction
from protocol.cosem_time import CosemDateTime


@click.command("protect")
@click.option("--on/--off", "protected", default=None, help="Minimum supply in place of a cut.")
@click.option(
    "--never-cut/--may-cut",
    "never_cut",
    default=None,
    help="No cut at all for want of credit: a landlord's house, a medical need.",
)
@click.option(
    "--since", metavar="DATE", help="When the customer was placed under protection; else now."
)
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(
    context: Context,
    protected: bool | None,
    never_cut: bool | None,
    since: str | None,
    identity: str | None,
) -> Report:
    """Say what is due to a customer: minimum supply in place of a cut, or no cut at all.

    What is not said stays as the meter has it. In winter a protection is not taken away.

    Example: prepay --port serial:./meter0 protect --on --since 2026-11-02

    Next: prepay withdraw ends minimum supply.
    """
    return protect(context, protected, never_cut, since, identity)


def protect(
    context: Context,
    protected: bool | None = None,
    never_cut: bool | None = None,
    since: str | None = None,
    identity: str | None = None,
) -> Report:
    """Change what is due to the customer of the meter at the context's port.

    Args:
        context: the run of the command.
        protected: minimum supply in place of a cut; None: as it is.
        never_cut: no cut at all; None: as it is.
        since: date from which the months of protection run; None: now, or as it is.
        identity: transaction id; None for a new one.

    Raises:
        Refused: the meter refused, in winter for one.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    if protected is None and never_cut is None and since is None:
        raise UsageError("say what is due: --on, --off, --never-cut, --may-cut or --since DATE")
    day = None if since is None else _date(since)
    before = foreseen(context, identity, Order.CUSTOMER)
    if before is not None:
        _check_same(before, protected, never_cut)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.CUSTOMER)
        if planned is None:
            planned = _plan(line, identity or new_id(line), protected, never_cut, day)
        else:
            _check_same(planned, protected, never_cut)
        ended = carry_out(line, planned) if planned.is_open else planned
        check(line, ended)
        return as_before(line, found, report(line, ended))


def _plan(
    line: Line, identity: str, protected: bool | None, never_cut: bool | None, day: date | None
) -> Transaction:
    held = line.device.customer()
    moment = CosemDateTime()
    if day is not None:
        midnight = datetime(day.year, day.month, day.day, tzinfo=line.profile.zone)
        moment = CosemDateTime.from_datetime(midnight)
    return customer(
        line,
        identity,
        protected=held.protected if protected is None else protected,
        never_cut=held.never_cut if never_cut is None else never_cut,
        since=moment,
    )


def _check_same(planned: Transaction, protected: bool | None, never_cut: bool | None) -> None:
    """Refuse an id that was given for other flags.

    Raises:
        UsageError: it was.
    """
    for name, asked in (("protected", protected), ("never_cut", never_cut)):
        if asked is not None and bool(planned.parameters[name]) is not asked:
            raise UsageError(f"transaction {planned.id} said something else; take a new id")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no date such as 2026-11-02") from None
