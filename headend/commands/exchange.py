"""Exchange a meter: close it, and open the new one with what it leaves."""

from typing import Any

import click

from headend import exchanges
from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused
from headend.exchanges import Exchange
from headend.orders import debts_of
from headend.plans.planning import check_id
from headend.repeats import again
from headend.report import Report
from headend.store import meters
from headend.store.transactions import Transaction

#: It is about two meters, and a queued command is one meter's.
DURABLE = False


@click.command("exchange")
@click.argument("new", metavar="NEW-PORT")
@click.option("--new-physical", type=click.IntRange(0, 0x3FFF), help="Its HDLC physical address.")
@click.option("--new-keys", metavar="FILE", help="Its key file; default: that of the old one.")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id acts once.")
@with_context
def command(
    context: Context,
    new: str,
    new_physical: int | None,
    new_keys: str | None,
    identity: str | None,
) -> Report:
    """Close the meter at --port, and open the one at NEW-PORT with what it leaves.

    Balance, debts, billing periods and what is due to the customer go over; a payment that did not
    get to the old meter is sent to the new one. Both have to be of one profile, and in one mode.

    Stopped half-way it says who has the balance (exit code 4); the same command again goes on
    from there, and pays nothing twice.

    Example: prepay --port serial:./meter0 exchange serial:./meter1

    Next: prepay --port serial:./meter1 status.
    """
    return exchange(context, new, identity, physical=new_physical, keys=new_keys)


def exchange(
    context: Context,
    port: str,
    identity: str | None = None,
    *,
    physical: int | None = None,
    keys: str | None = None,
) -> Report:
    """Exchange the meter at the context's port for the one at another.

    Raises:
        Refused: the meters do not fit, or the new one refused a payment.
        Unfinished, Unknowable, NoAnswer, UsageError: see ``headend.exchanges``.
    """
    identity = None if identity is None else check_id(identity, context.now())
    elsewhere = context.elsewhere(port, physical=physical, keys=keys)
    _ = context.place, elsewhere.place  # what is no port is said before anybody is called
    return _report(context, exchanges.run(context, elsewhere, identity))


def _report(context: Context, ended: Exchange) -> Report:
    closing, opening, line = ended.closing, ended.opening, ended.new
    assert closing is not None  # else it would not have ended
    assert opening is not None
    with context.store.read() as db:
        old = meters.by_id(db, closing.meter_id)
    refused = [each for each in ended.carried if not each.succeeded]
    if refused:
        told = ", ".join(f"{line.money(e.amount)} ({e.outcome}, {e.id})" for e in refused)
        raise Refused(
            f"{old.name} is exchanged for {line.meter.name}, which refused payments that had not "
            f"got to the old one: {told}; give them back"
        )
    names = line.profile.account.charges
    owed = debts_of(str(opening.parameters["debts"]))
    debts = {names[debt.slot].name: line.decimal(debt.amount) for debt in owed}
    lines = [
        f"{old.name} is exchanged for {line.meter.name}: balance {line.money(opening.amount)}",
        *(f"debt brought along, {name}: {amount}" for name, amount in debts.items()),
        *(f"payment brought along: {line.money(each.amount)}" for each in ended.carried),
        f"transaction {closing.id}; at the new meter {opening.id}",
    ]
    if ended.again:
        lines.insert(0, again(closing))
    return Report(
        {
            "meter": line.meter.name,
            "old_meter": old.name,
            "transaction": closing.id,
            "opening": opening.id,
            "state": opening.state.value,
            "balance": line.decimal(opening.amount),
            "currency": line.profile.currency.code,
            "debts": debts,
            "payments": [_payment(line.decimal(each.amount), each) for each in ended.carried],
            **({"again": True} if ended.again else {}),
        },
        lines,
    )


def _payment(amount: str, carried: Transaction) -> dict[str, Any]:
    return {
        "transaction": carried.id,
        "of": carried.parameters[exchanges.CARRIED],
        "amount": amount,
        "state": carried.state.value,
    }
