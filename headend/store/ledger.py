"""The ledger: immutable posts of ``prepay.ledger``, each with the transaction that ordered it."""

from collections.abc import Iterable

from headend.store.connection import Connection
from headend.store.prepared import Prepared, Row
from prepay.ledger import Account, Post, Reason
from protocol.timing import Instant


def book(db: Connection, meter_id: int, posts: Iterable[Post]) -> None:
    """Book posts of one transaction.

    Raises:
        sqlalchemy.exc.IntegrityError: one of them is booked already.
    """
    for post in posts:
        _BOOK.run(db, **parameters(meter_id, post))


def parameters(meter_id: int, post: Post) -> dict[str, object]:
    """Return the parameters of the statement that books a post."""
    return {
        "post_transaction_id": post.transaction,
        "post_line": post.leg,
        "post_meter_id": meter_id,
        "post_debit": post.debit.value,
        "post_credit": post.credit.value,
        "post_amount": post.amount,
        "post_reason": post.reason.value,
        "post_moment": post.moment,
    }


def of_meter(db: Connection, meter_id: int) -> list[Post]:
    """Return a meter's posts in the order in which their transactions were planned."""
    return [_post(row) for row in _OF_METER.all(db, meter=meter_id)]


def of_transaction(db: Connection, transaction_id: str) -> list[Post]:
    """Return what has been booked under a transaction, in order."""
    return [_post(row) for row in _OF_TRANSACTION.all(db, transaction=transaction_id)]


def balance(db: Connection, meter_id: int, account: Account = Account.CREDIT) -> int:
    """Return the balance of an account, the customer's credit unless told, in minor units.

    Kept by the database itself, with each post; ``prepay db check`` adds the posts up.
    """
    kept: int | None = _BALANCE.scalar(db, meter=meter_id, account=account.value)
    return kept or 0


def under(db: Connection, meter_id: int, transaction_id: str, reason: Reason) -> int:
    """Return what posts of a reason under a transaction took from a customer's credit."""
    return sum(
        post.amount if post.debit is Account.CREDIT else -post.amount
        for post in of_transaction(db, transaction_id)
        if post.reason is reason
    )


def reversal(
    db: Connection,
    meter_id: int,
    transaction_id: str,
    now: Instant,
    but: Reason | None = None,
) -> list[Post]:
    """Return the posts that undo what a transaction has booked; to be booked under its id.

    They are posts of their own: what was booked stays readable. Those of the reason ``but`` stay.
    """
    booked = of_transaction(db, transaction_id)
    undo: list[Post] = []
    for post in booked:
        if post.reason is but:
            continue
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


def _post(row: Row) -> Post:
    identity, line, _meter, debit, credit, amount, reason, moment = row  # as the table has them
    return Post(
        transaction=identity,
        debit=Account(debit),
        credit=Account(credit),
        amount=amount,
        moment=moment,
        reason=Reason(reason),
        leg=line,
    )


_BALANCE = Prepared("ledger.BALANCE")
_BOOK = Prepared("ledger.BOOK")
_OF_TRANSACTION = Prepared("ledger.OF_TRANSACTION")
_OF_METER = Prepared("ledger.OF_METER")
