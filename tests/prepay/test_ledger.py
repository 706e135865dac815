"""The ledger: double entry, each post once, balances as folds."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.ledger import (
    COUNTER_ACCOUNT,
    Account,
    DuplicatePost,
    Ledger,
    Post,
    PostRefused,
    Reason,
    Totals,
    Unbalanced,
    credit_post,
    fold,
)

accounts = st.sampled_from(Account)


@st.composite
def posts(draw: st.DrawFn) -> list[Post]:
    """Posts of different identities between different accounts."""
    pairs = st.tuples(accounts, accounts).filter(lambda pair: pair[0] != pair[1])
    bodies = draw(st.lists(st.tuples(pairs, st.integers(1, 2**40), st.sampled_from(Reason))))
    return [
        Post(number.to_bytes(16, "big"), debit, credit, amount, number, reason)
        for number, ((debit, credit), amount, reason) in enumerate(bodies, start=1)
    ]


def test_a_top_up_makes_the_customers_credit_grow_and_cash_owe_it() -> None:
    """Credited less debited: what the customer has paid ahead is positive."""
    ledger = Ledger([credit_post("t1", Reason.TOP_UP, 2500, moment=0)])
    assert ledger.balance() == 2500
    assert ledger.balance(Account.CASH) == -2500


def test_a_day_in_the_life_of_an_account() -> None:
    """Opening balance raised to 20 euros, a top-up, energy, a correction, and the end."""
    ledger = Ledger(
        [
            credit_post("activate", Reason.OPENING, 350, 0),
            credit_post("activate", Reason.START_CREDIT, 1650, 0, leg=1),
            credit_post("top-up", Reason.TOP_UP, 1000, 1),
            credit_post("energy", Reason.CONSUMPTION, -740, 2),
            credit_post("wrong reading", Reason.ADJUSTMENT, -60, 3),
            credit_post("deactivate", Reason.SETTLEMENT, -2200, 4),
        ]
    )
    assert ledger.totals.as_mapping() == {
        Account.CASH: -1000,
        Account.CREDIT: 0,
        Account.CONSUMPTION: 740,
        Account.START_CREDIT: -1650,
        Account.ADJUSTMENT: 60,
        Account.SETTLEMENT: 2200,
        Account.OPENING: -350,
    }


@given(posts())
def test_the_sum_over_all_accounts_is_always_zero(booked: list[Post]) -> None:
    """And the totals of a meter, kept post by post, are the fold of a head-end."""
    totals = Totals()
    for post in booked:
        totals = totals.after(post)
        assert sum(totals.balances) == 0
    assert fold(booked) == totals == Ledger(booked).totals
    for account in Account:
        came = sum(post.amount for post in booked if post.credit is account)
        went = sum(post.amount for post in booked if post.debit is account)
        assert totals[account] == came - went


@given(posts(), st.integers(min_value=0))
def test_a_fold_can_start_from_a_checkpoint(booked: list[Post], cut: int) -> None:
    """Totals up to a point and the posts after it are as good as all the posts."""
    cut %= len(booked) + 1
    assert fold(booked[cut:], opening=fold(booked[:cut])) == fold(booked)


def test_the_order_of_posts_does_not_change_the_balances() -> None:
    """Three posts, all six orders."""
    booked = [
        credit_post("a", Reason.TOP_UP, 500, 0),
        credit_post("b", Reason.CONSUMPTION, -20, 0),
        credit_post("c", Reason.ADJUSTMENT, 3, 0),
    ]
    assert len({fold(order).balances for order in permutations(booked)}) == 1


def test_a_transaction_posts_once_whatever_it_says_the_second_time() -> None:
    """The same id with other content is refused as well, and nothing is booked."""
    ledger = Ledger([credit_post(b"1" * 16, Reason.TOP_UP, 2500, 0)])
    for again in (
        credit_post(b"1" * 16, Reason.TOP_UP, 2500, 0),
        credit_post(b"1" * 16, Reason.ADJUSTMENT, 1, 9),
    ):
        with pytest.raises(DuplicatePost) as refused:
            ledger.append(again)
        assert refused.value.post is again
    assert (ledger.balance(), len(ledger)) == (2500, 1)
    with pytest.raises(DuplicatePost):
        fold([again, again])


def test_a_ledger_knows_its_transactions_in_the_order_they_were_booked() -> None:
    """Text and octets are different ids, even where they look the same."""
    first, second = (credit_post(name, Reason.TOP_UP, 1, 0) for name in ("b", b"b"))
    ledger = Ledger([first, second])
    assert list(ledger) == [first, second]
    assert "b" in ledger
    assert b"c" not in ledger


@pytest.mark.parametrize("amount", [0, -1])
def test_a_post_moves_an_amount_above_zero(amount: int) -> None:
    """Its direction is told by the accounts, never by a sign."""
    with pytest.raises(PostRefused, match="above 0"):
        Post("t", Account.CASH, Account.CREDIT, amount, 0, Reason.TOP_UP)


def test_a_post_has_two_accounts_and_an_id() -> None:
    """From an account to itself nothing moves, and without an id nothing is exactly once."""
    with pytest.raises(PostRefused, match="itself"):
        Post("t", Account.CASH, Account.CASH, 1, 0, Reason.TOP_UP)
    with pytest.raises(PostRefused, match="id"):
        Post(b"", Account.CASH, Account.CREDIT, 1, 0, Reason.TOP_UP)
    with pytest.raises(PostRefused, match="above 0"):
        credit_post("t", Reason.ADJUSTMENT, 0, 0)


def test_a_post_cannot_be_changed() -> None:
    """What is booked stays booked."""
    post = credit_post("t", Reason.TOP_UP, 1, 0)
    with pytest.raises(AttributeError):
        post.amount = 2  # type: ignore[misc]  # the attempt itself


@pytest.mark.parametrize("balances", [(1, 0, 0, 0, 0, 0, 0), (0,) * 6, ()])
def test_totals_that_no_posts_could_make_are_refused(balances: tuple[int, ...]) -> None:
    """A meter that reads them back from its memory finds out."""
    with pytest.raises(Unbalanced):
        Totals(balances)


def test_every_reason_has_an_account_on_the_other_side() -> None:
    """Each its own, and never the customer's."""
    assert set(COUNTER_ACCOUNT) == set(Reason)
    assert set(COUNTER_ACCOUNT.values()) == set(Account) - {Account.CREDIT}
