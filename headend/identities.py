"""Whose a transaction id is that somebody gives: said in the same words wherever it is found out.

An id is of one order to one meter for ever, so what is known of it when a command is queued, or
tried out, is true as well when it is carried out.
"""

from headend.context import Context
from headend.errors import Refused, UsageError
from headend.store import meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Transaction
from prepay.money import CURRENCIES, Currency, format_amount


def check_meter(db: Connection, known: Transaction, meter_id: int) -> None:
    """Refuse an id that is of another meter.

    Raises:
        UsageError: of which.
    """
    if known.meter_id != meter_id:
        other = meters.by_id(db, known.meter_id).name
        raise UsageError(f"transaction {known.id} is of another meter: {other}; take a new id")


def check_order(known: Transaction, kind: Order, amount: int | None, currency: Currency) -> None:
    """Refuse an id that is of another order to the same meter.

    Args:
        known: what is there under it.
        kind: of the order that is asked for.
        amount: of it, in minor units; None where any will do.
        currency: of the meter.

    Raises:
        UsageError: of another command, or amount.
        Refused: it was taken over from the meter, and stands in its books.
    """
    told = format_amount(known.amount, currency)
    if known.kind is Order.ADOPT:
        raise Refused(
            f"transaction {known.id} was carried out before this database was restored, and was "
            f"taken over from the meter: {told}; nothing was done again"
        )
    if known.kind is not kind or amount not in (None, known.amount):
        raise UsageError(
            f"transaction {known.id} is another: {known.kind.value} of {told}; take a new id"
        )


def foreseen(
    context: Context, identity: str | None, kind: Order, amount: int | None = None
) -> Transaction | None:
    """Return what is there under an id, before the meter is called; None where nothing is.

    A durable command was judged when it was queued.

    Args:
        context: the run of the command.
        identity: as the database has it; None: none was given.
        kind, amount: as ``check_order``.

    Raises:
        UsageError, Refused: it is another's, as far as that is known.
    """
    if identity is None or context.queued_as is not None:
        return None
    entry = context.registered
    with context.store.look() as db:
        known = transactions.get(db, identity)
        if known is None:
            return None
        of = meters.by_id(db, known.meter_id)
        if entry is not None:
            check_meter(db, known, entry.id)
    if entry is not None or known.kind is not Order.ADOPT:  # of a meter by its port: it will say
        check_order(known, kind, amount, _currency(of.profile))
    return known


def _currency(profile: str) -> Currency:
    from prepay.profile import ProfileError, load_profile  # only for who gives an id

    try:
        return load_profile(profile).currency
    except ProfileError:  # there are no transactions with such a meter
        return next(iter(CURRENCIES.values()))
