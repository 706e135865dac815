"""List the transactions with meters, and what became of them."""

from dataclasses import asdict

import click

from headend.cli import with_context
from headend.commands._books import currency_of, iso, known_meters
from headend.context import Context
from headend.report import Report
from headend.store import transactions
from prepay.money import format_amount


@click.command("transactions")
@click.option("--meter", metavar="NAME", help="Only this meter's.")
@click.option("--open", "only_open", is_flag=True, help="Only those whose outcome is not known.")
@with_context
def command(context: Context, meter: str | None, only_open: bool) -> Report:
    """List the transactions with meters, and what became of them.

    Example: prepay transactions --open
    """
    return list_transactions(context, meter, only_open=only_open)


def list_transactions(
    context: Context, meter: str | None = None, *, only_open: bool = False
) -> Report:
    """Return the transactions of one meter or of all.

    Raises:
        UsageError: no such meter.
    """
    data, rows = [], []
    with context.store.begin() as db:
        for known in known_meters(db, meter):
            currency = currency_of(known)
            for each in transactions.of_meter(db, known.id, only_open=only_open):
                amount = str(each.amount)
                if currency is not None:
                    amount = format_amount(each.amount, currency)
                moments = {name: iso(getattr(each, name)) for name in _MOMENTS}
                told = asdict(each) | moments | {"meter": known.name, "amount": amount}
                del told["meter_id"]
                data.append(told)
                rows.append(
                    (iso(each.created) or "", known.name, each.kind.value, amount,
                     each.state.value, each.outcome or "", each.id)
                )  # fmt: skip # a row
    columns = ("created", "meter", "kind", "amount", "state", "outcome", "id")
    lines = () if rows else ("no transactions",)
    return Report({"transactions": data}, lines, columns if rows else (), rows)


_MOMENTS = ("created", "sent", "settled", "not_after")
