"""Let the balance go over to the meter, or back to this head-end."""

from typing import Final

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.planning import check_id, new_id
from headend.plans.turning import to_head_end, to_meter
from headend.repeats import as_before, check_done, repeated, summary
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Order, Transaction
from prepay.cut import BalanceMode

_WHO: Final = {"central": "this head-end", "local": "the meter"}


@click.command("mode")
@click.argument("mode", type=click.Choice(list(_WHO)))
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(context: Context, mode: str, identity: str | None) -> Report:
    """Let the balance of an active meter go over: "local" to the meter, "central" to here.

    It keeps its balance to the cent. Towards the meter, what has been used is priced first, and
    the meter charges from that reading on; towards here the meter says what is left.

    Example: prepay --port serial:./meter0 mode local

    Next: prepay status.
    """
    return change(context, mode, identity)


def change(context: Context, mode: str, identity: str | None = None) -> Report:
    """Hand the balance of the meter at the context's port over.

    Raises:
        Refused: it is there already, prepayment is not active, or the meter refused.
        NoAnswer, OutcomeUnknown, UsageError: see there.
    """
    identity = None if identity is None else check_id(identity, context.now())
    before = foreseen(context, identity, Order.MODE)
    if before is not None:
        _check_way(before, mode)
    with open_line(context) as line:
        found = planned = repeated(line, identity, Order.MODE)
        if planned is None:
            if line.meter.mode == mode:
                raise Refused(f"{_WHO[mode]} keeps the balance of {line.meter.name} already")
            plan = to_meter if mode == "local" else to_head_end
            planned = plan(line, identity or new_id(line))
        _check_way(planned, mode)
        ended = carry_out(line, planned) if planned.is_open else planned
        check_done(ended)
        report = _report(line, ended.id, {**summary(line, ended), "mode": line.meter.mode})
        return as_before(line, found, report)


def _check_way(planned: Transaction, mode: str) -> None:
    """Refuse an id by which the balance has gone the other way.

    Raises:
        UsageError: it has.
    """
    if planned.parameters["mode"] != BalanceMode[mode.upper()]:
        raise UsageError(f"transaction {planned.id} went the other way; take a new id")


def _report(line: Line, identity: str, data: dict[str, object]) -> Report:
    with line.context.store.read() as db:
        balance = ledger.balance(db, line.meter.id)
    if not line.central:
        balance = line.device.local_balance()
    who = _WHO[line.meter.mode]
    return Report(
        {**data, "balance": line.decimal(balance)},
        (
            f"{who} keeps the balance of {line.meter.name} now: {line.money(balance)}",
            f"transaction {identity}",
        ),
    )
