"""Double entry: immutable posts, and balances that are folds over them.

A post moves an amount from the account it debits to the account it credits. A balance is what an
account was credited less what it was debited; so the customer's credit is positive when he has
paid ahead, and the sum over all accounts is always 0. The meter keeps only the ``Totals``, the
head-end keeps every post in a ``Ledger``.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

from msgspec import Struct

TransactionId = bytes | str


class Account(IntEnum):
    """Where money comes from and goes to. The numbers are stored: never reuse one."""

    CASH = 0  # what customers have paid in, as a debit
    CREDIT = 1  # the customer's prepaid balance
    CONSUMPTION = 2  # energy that was sold
    START_CREDIT = 3  # advanced at activation
    ADJUSTMENT = 4  # corrections by hand
    SETTLEMENT = 5  # paid out or invoiced at the end
    OPENING = 6  # what the customer brought from before


class Reason(IntEnum):
    """Why the customer's credit moves. The numbers are stored: never reuse one."""

    TOP_UP = 0
    CONSUMPTION = 1
    START_CREDIT = 2
    ADJUSTMENT = 3
    SETTLEMENT = 4
    OPENING = 5
    REFUND = 6


#: The account on the other side of the customer's credit, for each reason.
COUNTER_ACCOUNT = {
    Reason.TOP_UP: Account.CASH,
    Reason.CONSUMPTION: Account.CONSUMPTION,
    Reason.START_CREDIT: Account.START_CREDIT,
    Reason.ADJUSTMENT: Account.ADJUSTMENT,
    Reason.SETTLEMENT: Account.SETTLEMENT,
    Reason.OPENING: Account.OPENING,
    Reason.REFUND: Account.CASH,
}


class LedgerError(Exception):
    """Base of what a ledger refuses."""


class PostRefused(LedgerError, ValueError):
    """A post that is none: nothing to move, or from an account to itself."""


class DuplicatePost(LedgerError):
    """A post whose identity the ledger already holds."""

    def __init__(self, post: "Post") -> None:
        super().__init__(f"transaction {post.transaction!r}, leg {post.leg} is already posted")
        self.post = post


class Unbalanced(LedgerError, ValueError):
    """Totals whose sum is not 0: they were not made by posts."""


class Post(Struct, frozen=True):
    """One movement of money.

    Args:
        transaction: the id of what ordered it.
        debit: the account the amount comes from.
        credit: the account the amount goes to.
        amount: minor units, above 0.
        moment: milliseconds since 1970-01-01T00:00:00Z.
        reason: why.
        leg: 0, and counting on where one transaction needs several posts.

    Raises:
        PostRefused: the amount is not above 0, or both accounts are the same.
    """

    transaction: TransactionId
    debit: Account
    credit: Account
    amount: int
    moment: int
    reason: Reason
    leg: int = 0

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise PostRefused(f"a post moves an amount above 0, not {self.amount}")
        if self.debit == self.credit:
            raise PostRefused(f"a post from {self.debit.name} to itself moves nothing")
        if not self.transaction:
            raise PostRefused("a post needs the id of its transaction")

    @property
    def identity(self) -> tuple[TransactionId, int]:
        """What no two posts of a ledger share."""
        return self.transaction, self.leg


def credit_post(
    transaction: TransactionId, reason: Reason, amount: int, moment: int, leg: int = 0
) -> Post:
    """Return the post that changes the customer's credit by a signed amount.

    Args:
        transaction: the id of what ordered it.
        reason: why; it decides the account on the other side.
        amount: minor units; below 0 takes from the customer's credit.
        moment: milliseconds since 1970-01-01T00:00:00Z.
        leg: see ``Post``.

    Raises:
        PostRefused: the amount is 0.
    """
    other = COUNTER_ACCOUNT[reason]
    debit, credit = (other, Account.CREDIT) if amount > 0 else (Account.CREDIT, other)
    return Post(transaction, debit, credit, abs(amount), moment, reason, leg)


class Totals(Struct, frozen=True):
    """The balance of every account.

    Args:
        balances: minor units in the order of ``Account``.

    Raises:
        Unbalanced: the sum is not 0, or an account is missing.
    """

    balances: tuple[int, ...] = (0,) * len(Account)

    def __post_init__(self) -> None:
        if len(self.balances) != len(Account):
            raise Unbalanced(f"{len(self.balances)} balances for {len(Account)} accounts")
        if sum(self.balances) != 0:
            raise Unbalanced(f"the balances add up to {sum(self.balances)}, not 0")

    def __getitem__(self, account: Account) -> int:
        return self.balances[account]

    def as_mapping(self) -> Mapping[Account, int]:
        """Return the balances by account."""
        return dict(zip(Account, self.balances, strict=True))

    def after(self, post: Post) -> "Totals":
        """Return the totals once ``post`` is booked. Whether it is new is for others to know."""
        balances = list(self.balances)
        balances[post.debit] -= post.amount
        balances[post.credit] += post.amount
        return Totals(tuple(balances))


def fold(posts: Iterable[Post], opening: Totals | None = None) -> Totals:
    """Return the totals of a run of posts.

    Raises:
        DuplicatePost: two of them have the same identity.
    """
    return Ledger(posts, opening).totals


class Ledger:
    """All posts in the order they were booked, each once.

    Args:
        posts: booked at once, in this order.
        opening: totals from before the first post.

    Raises:
        DuplicatePost: two of the posts have the same identity.
    """

    def __init__(self, posts: Iterable[Post] = (), opening: Totals | None = None) -> None:
        self._posts: dict[tuple[TransactionId, int], Post] = {}
        self._totals = opening or Totals()
        for post in posts:
            self.append(post)

    @property
    def totals(self) -> Totals:
        """The balances after the last post."""
        return self._totals

    def balance(self, account: Account = Account.CREDIT) -> int:
        """Return the balance of an account, in minor units; the customer's unless told."""
        return self._totals[account]

    def append(self, post: Post) -> None:
        """Book a post.

        Raises:
            DuplicatePost: a post of this identity is booked already, whatever it says.
        """
        if post.identity in self._posts:
            raise DuplicatePost(post)
        self._totals = self._totals.after(post)
        self._posts[post.identity] = post

    def __contains__(self, transaction: object) -> bool:
        """Whether a transaction has posted anything (its leg 0)."""
        return (transaction, 0) in self._posts

    def __iter__(self) -> Iterator[Post]:
        return iter(self._posts.values())

    def __len__(self) -> int:
        return len(self._posts)
