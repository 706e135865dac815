"""List the transactions with meters, and what became of them."""

import click
from msgspec.structs import asdict

from headend.cli import with_context
from headend.commands._books import WHOSE_TIMES, currency_of, iso, known_meters
from headend.context import Context
from headend.report import Report
from headend.store import transactions
from headend.store.transactions import Order, State, Transaction
from headend.times import utc
from prepay.money import format_amount

#: No meter is asked.
OFFLINE = True
NAMED = True


@click.command("transactions")
@click.option("--open", "only_open", is_flag=True, help="Only those whose outcome is not known.")
@with_context
def command(context: Context, only_open: bool) -> Report:
    """List the transactions with meters, and what became of them; of --meter, or of all.

    Example: prepay transactions --open
    """
    return list_transactions(context, context.chosen.meter, only_open=only_open)


def list_transactions(
    context: Context, meter: str | None = None, *, only_open: bool = False
) -> Report:
    """Return the transactions of one meter or of all.

    Raises:
        UsageError: no such meter.
    """
    data: list[dict[str, object]] = []
    rows: list[tuple[str, ...]] = []
    with context.store.read() as db:
        found = known_meters(db, meter)
        several = len(found) > 1
        for known in found:
            first, currency = len(rows), currency_of(known)
            for each in transactions.of_meter(db, known.id, only_open=only_open):
                amount = str(each.amount)
                if currency is not None:
                    amount = format_amount(each.amount, currency)
                moments = {name: iso(getattr(each, name)) for name in _MOMENTS}
                told = asdict(each) | moments | {"meter": known.name, "amount": amount}
                del told["meter_id"]
                data.append(told)
                shown = amount if each.amount or each.kind in _MOVING else ""
                rows.append((utc(each.created), each.kind.value, shown, _fate(each), each.id))
            if several and len(rows) > first:
                rows.insert(first, (known.name, "", "", "", ""))
    if not rows:
        return Report({"transactions": data}, ("no transactions",))
    columns = ("created", "kind", "amount", "state", "transaction")
    return Report({"transactions": data}, (WHOSE_TIMES,), columns, rows)


def _fate(each: Transaction) -> str:
    """Return state and outcome, where the outcome says more."""
    state = each.state.value
    if each.state is State.SENT and "at" in each.parameters:
        return f"{state}: planned"  # prepay status says for when
    return state if each.outcome in (None, "", state) else f"{state}: {each.outcome}"


#: What moves money even where it is none: a start credit may be 0.
_MOVING = (Order.ACTIVATE, Order.TOPUP, Order.MORNING, Order.MODE)
_MOMENTS = ("created", "sent", "settled", "not_after")
