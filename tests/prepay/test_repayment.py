"""A share of the top-ups repays the emergency credit: token_proportion of class 111."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.billing import Opening, close_account
from prepay.credit import CreditRules, CreditStatus, EmergencySelection, Standing, standing
from prepay.holdings import Advance, Purse, Readings, Situation
from prepay.purse import adjust, top_up
from tests.prepay.accounts import NOW, assert_sound, every_kind, only, opened

#: An advance of 12.00 by button, offered at a balance of 3.00.
BUTTON = CreditRules(
    emergency_amount=1200,
    emergency_selection=EmergencySelection.BUTTON,
    emergency_threshold=300,
)
ENABLED, SELECTABLE, SELECTED, IN_USE, EXHAUSTED = CreditStatus


def rules(share: int | None, limit: int = 0, like: AccountRules | None = None) -> AccountRules:
    """Return rules that give this percentage of what comes to the credits to the advance."""
    return replace(like or only(), credit=replace(BUTTON, limit=limit, repayment=share))


def account(balance: int, owed: int = 0, like: AccountRules | None = None) -> Purse:
    """Return an account with a balance, and what is owed beside it."""
    purse = opened(like or only(), Opening(balance - owed, start_credit=False))
    return replace(purse, advance=Advance(owed))


def stands(of: AccountRules, purse: Purse, taken: bool) -> Standing:
    """Judge an account."""
    return standing(of.credit, purse.balance, taken, None, purse.advance.owed)


@pytest.mark.parametrize(
    ("share", "balance", "owed", "taken", "payment", "after", "why"),
    [
        (None, -1200, 0, True, 1000, (-200, 0, 1000), "not named: the balance repays it first"),
        (50, -1200, 0, True, 1000, (500, 700, 500), "12.00 used: 5.00 repay, 5.00 are credit"),
        (100, -1200, 0, True, 1000, (0, 200, 1000), "all of it repays: as if not named, less 2.00"),
        (0, -1200, 0, True, 1000, (1000, 1200, 0), "nothing repays: all is credit"),
        (30, -1200, 0, True, 1, (1, 1200, 0), "30 % of a cent, rounded down"),
        (30, -1200, 0, True, 4, (3, 1199, 1), "30 % of 4 cents, rounded down"),
        (50, -400, 0, True, 1000, (600, 0, 1200), "half would be 5.00, but only 4.00 are used"),
        (50, 200, 0, True, 1000, (1200, 0, 1200), "taken, and nothing used of it yet"),
        (50, 0, 0, True, 1000, (1000, 0, 1200), "exactly at the limit nothing is used"),
        (50, -1, 0, True, 1000, (999, 0, 1200), "the last cent"),
        (50, -400, 0, False, 1000, (600, 0, 1200), "not taken: the debt is the balance's own"),
        (50, -1500, 0, True, 1000, (200, 700, 500), "3.00 beyond the advance come off the credit"),
        (50, 500, 700, False, 1000, (1000, 200, 1000), "given back, and still owed"),
        (50, 500, 700, False, 2000, (1800, 0, 1200), "not more than is owed"),
        (50, 0, 700, True, 1000, (500, 200, 1000), "used up again, nothing more used"),
        (50, -300, 700, True, 1000, (500, 500, 700), "3.00 more used: 10.00 owed, 5.00 repaid"),
        (50, -800, 700, True, 1000, (200, 700, 500), "5.00 were left of it, 3.00 are beyond"),
        (None, 500, 700, False, 1000, (800, 0, 1200), "not named any more: first, and whole"),
        (None, 500, 700, False, 300, (500, 400, 800), "as far as it goes"),
    ],
)  # fmt: skip
def test_a_top_up_is_split_between_the_credits(
    share: int | None,
    balance: int,
    owed: int,
    taken: bool,
    payment: int,
    after: tuple[int, int, int],
    why: str,
) -> None:
    """An advance of 12.00: the balance after a payment, what is owed beside it, what is left."""
    terms = rules(share)
    done = top_up(terms, account(balance, owed), payment, NOW, advanced=taken)
    left = stands(terms, done.purse, taken).emergency_available
    assert (done.purse.balance, done.purse.advance.owed, left) == after, why
    assert done.credited == payment, why
    assert done.purse.totals.balance == balance - owed + payment, why


def test_an_overdraft_is_the_balances_and_the_advance_begins_below_it() -> None:
    """-60.00 with an overdraft of 50.00 have used 10.00 of the advance; half of 8.00 repays."""
    done = top_up(rules(50, limit=-5000), account(-6000), 800, NOW, advanced=True)
    assert (done.purse.balance, done.purse.advance.owed) == (-5000 + 400, 600)


def test_fees_and_debts_take_theirs_before_the_credits_share() -> None:
    """Of 50.00 the fee takes 2.00 and VAT 5.00; 10 % of the 43.00 are 4.30 of the 10.00 used."""
    usual = every_kind(standing=0)
    done = top_up(rules(10, like=usual), account(-1000, like=usual), 5000, NOW, advanced=True)
    assert done.credited == 4300
    assert " ".join(f"{one.name} {one.amount}" for one in done.shares) == (
        "balance 1000 fee 200 vat 500 credit 3300"
    )
    assert (done.purse.balance, done.purse.advance.owed) == (4300 - 430, 1000 - 430)
    assert_sound(done.purse)


@pytest.mark.parametrize(
    ("balance", "owed", "taken", "token", "emergency", "used_up", "why"),
    [
        (500, 700, False, IN_USE, ENABLED, False, "5.00 are left of it"),
        (500, 1200, False, IN_USE, EXHAUSTED, False, "nothing is left of it"),
        (300, 700, False, IN_USE, SELECTABLE, False, "on offer, as far as it is left"),
        (300, 700, True, IN_USE, SELECTED, False, "taken again"),
        (300, 1200, True, IN_USE, EXHAUSTED, False, "taken, and nothing left"),
        (300, 1200, False, IN_USE, EXHAUSTED, False, "nothing to offer"),
        (0, 700, False, EXHAUSTED, SELECTABLE, True, "exactly the limit"),
        (0, 700, True, EXHAUSTED, IN_USE, False, "the 5.00 carry on"),
        (-499, 700, True, EXHAUSTED, IN_USE, False, "the last cent of them"),
        (-500, 700, True, EXHAUSTED, EXHAUSTED, True, "exactly the floor"),
        (0, 1200, True, EXHAUSTED, EXHAUSTED, True, "nothing left"),
    ],
)
def test_what_is_owed_beside_the_balance_is_not_left_of_the_advance(
    balance: int,
    owed: int,
    taken: bool,
    token: CreditStatus,
    emergency: CreditStatus,
    used_up: bool,
    why: str,
) -> None:
    """12.00, offered at 3.00: the table of credits once more."""
    found = stands(rules(50), account(balance, owed), taken)
    said = (found.token_status, found.emergency_status, found.out_of_credit)
    assert said == (token, emergency, used_up), why
    left = max(0, 1200 - owed - max(0, -balance))
    assert found.emergency_available == left, why
    assert found.available == max(balance, 0) + (left if found.emergency_selected else 0), why
    assert found.amount_to_clear == max(0, owed - balance), why


def test_closing_settles_what_is_owed_with_the_balance() -> None:
    """5.00 of credit and 7.00 owed are 2.00 to pay."""
    terms = rules(50)
    settled = close_account(terms, account(500, 700), Readings((0,)), 1, NOW, Situation())
    assert settled.closing_balance == -200
    assert (settled.purse.balance, settled.purse.advance.owed) == (0, 0)


def test_a_correction_moves_the_balance_and_not_what_is_owed() -> None:
    """Only a top-up repays."""
    after = adjust(account(500, 700), 1000)
    assert (after.balance, after.advance.owed) == (1500, 700)


cents = st.integers(1, 3000)


@given(st.integers(0, 100), st.integers(-2000, 900), st.booleans(), st.lists(cents, max_size=9))
@example(100, -1200, True, [1, 1199])
def test_shares_lose_nothing_and_repay_no_more_than_was_used(
    share: int, balance: int, taken: bool, payments: list[int]
) -> None:
    """Balance less what is owed is what it would be in one number; the floor stays where it is."""
    terms, purse = rules(share), account(balance)
    for paid, payment in enumerate(payments, start=1):
        before = purse
        purse = top_up(terms, purse, payment, NOW, advanced=taken).purse
        assert purse.totals.balance == balance + sum(payments[:paid])
        assert 0 <= purse.advance.owed <= 1200
        assert purse.balance >= before.balance
        found = stands(terms, purse, taken)
        if taken and found.emergency_selected:
            assert found.out_of_credit == (purse.totals.balance <= terms.credit.floor)


@given(st.integers(-2000, 900), st.booleans(), st.lists(cents, min_size=1, max_size=9))
def test_a_share_of_all_decides_as_an_advance_that_is_not_named(
    balance: int, taken: bool, payments: list[int]
) -> None:
    """The same credit carries the supply, and as much is left of the advance."""
    named, plain = rules(100), rules(None)
    one = two = account(balance)
    for payment in payments:
        one = top_up(named, one, payment, NOW, advanced=taken).purse
        two = top_up(plain, two, payment, NOW, advanced=taken).purse
        mine, theirs = stands(named, one, taken), stands(plain, two, taken)
        assert (mine.token_status, mine.emergency_status, mine.emergency_available) == (
            theirs.token_status, theirs.emergency_status, theirs.emergency_available,
        )  # fmt: skip
        taken = mine.emergency_selected
