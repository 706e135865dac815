"""Show the ledger: every post, and the balance of each account."""

import click

from headend.cli import with_context
from headend.commands._books import WHOSE_TIMES, currency_of, iso, known_meters
from headend.context import Context
from headend.report import Report, plural
from headend.store import ledger
from prepay.ledger import Account, Post, fold
from prepay.money import format_amount

#: No meter is asked.
OFFLINE = True
NAMED = True


@click.command("ledger")
@with_context
def command(context: Context) -> Report:
    """Show every post of the ledger, and what each account comes to; of --meter, or of all.

    A balance is what was credited less what was debited, so the sum of all is zero. In local
    mode the meter keeps the balance, and CREDIT here is what was paid.

    Example: prepay ledger
    """
    return show_ledger(context, context.chosen.meter)


def show_ledger(context: Context, meter: str | None = None) -> Report:
    """Return the posts and balances of one meter or of all.

    Raises:
        UsageError: no such meter.
    """
    data, lines = [], []
    rows: list[tuple[str, ...]] = []
    with context.store.read() as db:
        books = [(known, ledger.of_meter(db, known.id)) for known in known_meters(db, meter)]
    for known, posts in books:
        currency = currency_of(known)
        if currency is None:
            continue  # a meter that is not ours has no books
        totals = {
            account.name.lower(): format_amount(balance, currency)
            for account, balance in fold(posts).as_mapping().items()
        }
        told = [_told(post, format_amount(post.amount, currency)) for post in posts]
        data.append(
            {"meter": known.name, "currency": currency.code, "balances": totals, "posts": told}
        )
        if len(books) > 1 and told:
            rows.append((known.name, "", "", "", ""))
        rows += [tuple(str(each[column]) for column in _COLUMNS) for each in told]
        lines.append(
            f"{known.name}: balance {currency.code} "
            f"{totals[Account.CREDIT.name.lower()]} in {plural(len(posts), 'post')}"
        )
    if not rows:
        return Report({"ledgers": data}, lines or ("no posts",))
    return Report({"ledgers": data}, [*lines, WHOSE_TIMES], _COLUMNS, rows)


#: For people: the reason is as good as told by the accounts.
_COLUMNS = ("moment", "debit", "credit", "amount", "transaction")


def _told(post: Post, amount: str) -> dict[str, str | int | None]:
    return {
        "moment": iso(post.moment),
        "reason": post.reason.name.lower(),
        "debit": post.debit.name.lower(),
        "credit": post.credit.name.lower(),
        "amount": amount,
        "transaction": str(post.transaction),
        "line": post.leg,
    }
