"""The ledger: immutable posts of ``prepay.ledger``, each with the transaction that ordered it."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select

from headend.store import schema
from prepay.ledger import Account, Post, Reason
from protocol.timing import Instant

_TABLE = schema.posts


def book(db: Connection, meter_id: int, posts: Iterable[Post]) -> None:
    """Book posts of one transaction.

    Raises:
        sqlalchemy.exc.IntegrityError: one of them is booked already.
    """
    rows = [
        {
            "transaction_id": post.transaction,
            "line": post.leg,
            "meter_id": meter_id,
            "debit": post.debit.value,
            "credit": post.credit.value,
            "amount": post.amount,
            "reason": post.reason.value,
            "moment": post.moment,
        }
        for post in posts
    ]
    if rows:
        db.execute(insert(_TABLE), rows)


def of_meter(db: Connection, meter_id: int) -> list[Post]:
    """Return a meter's posts in the order in which their transactions were planned."""
    query = (
        select(_TABLE)
        .join(schema.transactions, schema.transactions.c.id == _TABLE.c.transaction_id)
        .where(_TABLE.c.meter_id == meter_id)
        .order_by(schema.transactions.c.number, _TABLE.c.line)
    )
    return [
        Post(
            transaction=row.transaction_id,
            debit=Account(row.debit),
            credit=Account(row.credit),
            amount=row.amount,
            moment=row.moment,
            reason=Reason(row.reason),
            leg=row.line,
        )
        for row in db.execute(query)
    ]


def balance(db: Connection, meter_id: int, account: Account = Account.CREDIT) -> int:
    """Return the balance of an account, the customer's credit unless told, in minor units."""
    amount = func.coalesce(func.sum(_TABLE.c.amount), 0)
    ours = _TABLE.c.meter_id == meter_id
    credited = db.scalar(select(amount).where(ours, _TABLE.c.credit == account.value))
    debited = db.scalar(select(amount).where(ours, _TABLE.c.debit == account.value))
    return int(credited or 0) - int(debited or 0)


def under(db: Connection, meter_id: int, transaction_id: str, reason: Reason) -> int:
    """Return what posts of a reason under a transaction took from the customer's credit."""
    return sum(
        post.amount if post.debit is Account.CREDIT else -post.amount
        for post in of_meter(db, meter_id)
        if post.transaction == transaction_id and post.reason is reason
    )


def reversal(db: Connection, meter_id: int, transaction_id: str, now: Instant) -> list[Post]:
    """Return the posts that undo what a transaction has booked; to be booked under its id.

    They are posts of their own: what was booked stays readable.
    """
    booked = [post for post in of_meter(db, meter_id) if post.transaction == transaction_id]
    undo: list[Post] = []
    for post in booked:
        undo.append(
            Post(
                transaction=transaction_id,
                debit=post.credit,
                credit=post.debit,
                amount=post.amount,
                moment=now,
                reason=post.reason,
                leg=len(booked) + len(undo),
            )
        )
    return undo
