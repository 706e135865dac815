"""Deactivate prepayment and report the remaining balance for settlement."""

import click

from headend.cli import with_context
from headend.commands._opening import moment, written
from headend.context import Context
from headend.errors import HeadendError
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.central import central_deactivation
from headend.plans.local import local_deactivation
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, check_done, repeated, summary, waiting
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Order, Transaction
from prepay.ledger import Reason
from protocol.cosem.vendor_shown import Settlement


@click.command("deactivate")
@click.option(
    "--at", metavar="TIME", help="Let the meter do it then, by its own clock: 2026-12-01T08:00."
)
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, at: str | None, identity: str | None) -> Report:
    """Deactivate prepayment and report the remaining balance for settlement.

    In central mode the register is read first and the rest is priced; in local mode the meter
    says what it closes with. A negative balance is a debt. With --at the meter waits for its
    moment; what was used until then is priced and settled when it is next reached after it.

    Example: prepay --port serial:./meter0 deactivate

    Example: prepay --port serial:./meter0 deactivate --at 2026-12-31T12:00

    Next: prepay ledger shows what was settled.
    """
    return deactivate(context, identity, at)


def deactivate(context: Context, identity: str | None = None, at: str | None = None) -> Report:
    """Deactivate prepayment on the meter at the context's port.

    Raises:
        Refused: it is not active, or the meter refused.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    written(at)  # what is no moment, before the meter is called for it
    foreseen(context, identity, Order.DEACTIVATE)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.DEACTIVATE)
        if planned is None:
            plan = central_deactivation if line.central else local_deactivation
            planned = plan(line, identity or new_id(line), moment(line, at))
        ended = carry_out(line, planned) if planned.is_open else planned
        return as_before(line, found, _told(line, ended))


def _told(line: Line, ended: Transaction) -> Report:
    if ended.is_open:
        return waiting(line, ended)
    check_done(ended)
    with line.context.store.read() as db:
        left = ledger.under(db, line.meter.id, ended.id, Reason.SETTLEMENT)
        cost = ledger.under(db, line.meter.id, ended.id, Reason.CONSUMPTION)
    return _report(line, ended, left, cost, _record(line, ended))


def _record(line: Line, ended: Transaction) -> Settlement | None:
    """Return the meter's own record of the closing; None where it has another by now."""
    try:
        found = line.device.settlement()
    except HeadendError:  # the closing is done; what it is told in more words is not vital
        return None
    return found if found.id.hex() == ended.id else None


def _report(
    line: Line, ended: Transaction, left: int, cost: int, record: Settlement | None
) -> Report:
    # Only in central mode energy is the head-end's to price; by plan, when it hears of its end.
    used, later = ended.parameters.get("watt_hours"), "at" in ended.parameters
    priced = used is not None or (line.central and later)
    data = {
        **summary(line, ended),
        "prepayment": False,
        "settlement": line.decimal(left),
        "watt_hours": used,
        "energy_cost": line.decimal(cost) if priced else None,
    }
    lines = [
        f"prepayment deactivated on {line.meter.name}",
        f"remaining balance for settlement: {line.money(left)}",
        f"transaction {ended.id}",
    ]
    if record is not None:
        names = line.profile.account.charges
        debts = {names[debt.slot].name: line.decimal(debt.amount) for debt in record.debts}
        data |= {"returned": line.decimal(record.returned), "debts": debts}
        lines[2:2] = [f"debt left, {name}: {amount}" for name, amount in debts.items()]
        if record.returned:
            lines.insert(2, f"of it standing charges returned: {line.money(record.returned)}")
    if used or (priced and later):
        energy = f"{_kilo(int(used))} kWh, {line.money(cost)}" if used else line.money(cost)
        lines.insert(1, f"energy since the last reading: {energy}")
    return Report(data, lines)


def _kilo(watt_hours: int) -> str:
    """Return Wh as kWh, with one decimal at least."""
    whole, rest = divmod(watt_hours, 1000)
    return f"{whole}.{rest // 100}" + f"{rest % 100:02d}".rstrip("0")
