"""What becomes of a payment, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.account_rules import DebtRules
from prepay.holdings import Purse
from prepay.purse import NEVER, Opening, Provision, adjust, top_up
from prepay.topup import CreditTooLarge, TopUpTooLarge, TopUpTooSmall
from tests.prepay.accounts import (
    COSTS,
    FEE,
    INSTALMENT,
    INTEREST,
    NOW,
    PRINCIPAL,
    VAT,
    assert_sound,
    brought,
    every_kind,
    opened,
)

Debts = tuple[int, int, int]

#: Costs of 10.00, interest of 5.00, principal of 100.00.
OWED = (1000, 500, 10000)
USUAL = ("balance", "fee", "vat", "debts", "credit")
WEEK = 7 * 24 * 3600


def account(balance: int = 0, debts: Debts = (0, 0, 0)) -> Purse:
    """Return an account of ``every_kind`` without a standing charge."""
    owed = tuple(zip((COSTS, INTEREST, PRINCIPAL), debts, strict=True))
    return opened(every_kind(standing=0), Opening(balance, owed, start_credit=False))


@pytest.mark.parametrize(
    ("order", "balance", "debts", "payment", "shares", "why"),
    [
        (USUAL, 0, (0, 0, 0), 5000, "fee 200 vat 500 credit 4300", "VAT is 10 % of the payment"),
        (USUAL, 700, (0, 0, 0), 5000, "fee 200 vat 500 credit 4300", "a balance owes nothing"),
        (USUAL, -1500, (0, 0, 0), 5000, "balance 1500 fee 200 vat 500 credit 2800", "first"),
        (USUAL, -5000, (0, 0, 0), 5000, "balance 5000", "all of it, and no fee is left to take"),
        (USUAL, -4900, OWED, 5000, "balance 4900 fee 100", "half a fee, no VAT, no debts"),
        (USUAL, -9999, OWED, 5000, "balance 5000", "too small to clear the balance"),
        (
            USUAL, 0, OWED, 5000,
            "fee 200 vat 500 costs 1000 interest 500 principal 1000 credit 1800",
            "half of 50.00 to debts: costs, then interest, then principal",
        ),
        (USUAL, 0, (300, 0, 0), 5000, "fee 200 vat 500 costs 300 credit 4000", "a small debt"),
        (USUAL, 0, (0, 0, 99), 5000, "fee 200 vat 500 principal 99 credit 4201", "the last cent"),
        (USUAL, -3000, OWED, 5000, "balance 3000 fee 200 vat 500 costs 1000 interest 300",
         "half would be 25.00, but only 13.00 are left"),
        (USUAL, 0, OWED, 501, "fee 200 vat 50 costs 250 credit 1", "rounded down: 50.1, 250.5"),
        (USUAL, 0, OWED, 1, "fee 1", "what is left of it"),
        (("fee", "vat", "balance", "debts", "credit"), -4900, OWED, 5000,
         "fee 200 vat 500 balance 4300", "fees before the balance"),
        (("vat", "fee", "debts", "balance", "credit"), -100, OWED, 5000,
         "vat 500 fee 200 costs 1000 interest 500 principal 1000 balance 100 credit 1700",
         "in the order of the profile"),
        (("fee", "vat", "debts", "credit"), -9000, (0, 0, 0), 5000, "fee 200 vat 500 credit 4300",
         "without the step the rest goes to the balance all the same"),
    ],
)  # fmt: skip
def test_the_order_of_a_top_up(
    order: tuple[str, ...], balance: int, debts: Debts, payment: int, shares: str, why: str
) -> None:
    """A fee of 2.00, VAT of 10 % of the payment, at most half of the payment to debts."""
    before = account(balance, debts)
    done = top_up(every_kind(order, standing=0), before, payment, NOW)
    assert " ".join(f"{share.name} {share.amount}" for share in done.shares) == shares, why
    to_balance = sum(one.amount for one in done.shares if one.name in ("balance", "credit"))
    assert done.credited == to_balance == done.purse.balance - before.balance, why
    assert done.purse.totals.paid == payment, why


@pytest.mark.parametrize(
    ("rules", "paid", "why"),
    [
        (DebtRules(proportion=9000), 4300, "45.00, but fee and VAT came first"),
        (DebtRules(proportion=5000, of_rest=True), 2150, "half of what fee and VAT have left"),
        (DebtRules(amount=1234), 1234, "a fixed amount"),
        (DebtRules(amount=99999), 4300, "not more than what is left"),
        (DebtRules(proportion=1), 0, "a hundredth of a percent of 50.00, rounded down"),
        (DebtRules(proportion=2), 1, "exactly one cent"),
        (DebtRules(), 0, "nothing is said, nothing is taken"),
        (DebtRules(5000, max_provision=900, provision_period=WEEK), 900, "no more this week"),
        (DebtRules(5000, max_provision=2500, provision_period=WEEK), 2500, "exactly as much"),
    ],
)
def test_the_share_of_the_debts(rules: DebtRules, paid: int, why: str) -> None:
    """Of a payment of 50.00, with 115.00 owed."""
    done = top_up(every_kind(debts=rules, standing=0), account(0, OWED), 5000, NOW)
    assert sum(done.purse.charges[slot].paid for slot in (COSTS, INTEREST, PRINCIPAL)) == paid, why
    assert done.purse.aggregated_debt == sum(OWED) - paid, why


def test_vat_of_what_the_steps_before_have_left() -> None:
    """10 % of the 48.00 that the fee leaves."""
    rules = every_kind()
    rules = rules.with_charge(VAT, replace(rules.charges[VAT], of_rest=True))
    done = top_up(rules, account(), 5000, NOW)
    assert (done.purse.charges[FEE].paid, done.purse.charges[VAT].paid) == (200, 480)


def test_priority_decides_and_then_the_place() -> None:
    """Principal made first, the other two alike: then costs, because they stand before interest."""
    rules = every_kind(standing=0)
    for slot, priority in ((COSTS, 7), (INTEREST, 7), (PRINCIPAL, 1)):
        rules = rules.with_charge(slot, replace(rules.charges[slot], priority=priority))
    done = top_up(rules, account(0, (1000, 500, 700)), 4000, NOW)
    names = [share.name for share in done.shares]
    assert names == ["fee", "vat", "principal", "costs", "interest", "credit"]
    assert done.purse.charges[INTEREST].paid == 300  # of 20.00, after 7.00 and 10.00


def test_an_instalment_is_no_affair_of_a_top_up() -> None:
    """It is collected by time."""
    rules = every_kind(standing=0)
    purse = opened(rules, Opening(debts=((INSTALMENT, 5000),), start_credit=False))
    assert top_up(rules, purse, 5000, NOW).purse.charges[INSTALMENT].remaining == 5000


def test_each_charge_remembers_its_last_collection() -> None:
    """Moment and amount; one that took nothing keeps those of before."""
    rules = every_kind(standing=0)
    purse = top_up(rules, account(0, (300, 0, 0)), 5000, NOW).purse
    purse = top_up(rules, purse, 6000, NOW + 9).purse
    costs, vat = purse.charges[COSTS], purse.charges[VAT]
    assert (costs.last_time, costs.last_amount, costs.paid) == (NOW, 300, 300)
    assert (vat.last_time, vat.last_amount, vat.paid) == (NOW + 9, 600, 1100)


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "payment", "refused"),
    [
        (0, 25000, None),
        (0, 25001, TopUpTooLarge),
        (0, 0, TopUpTooSmall),
        (0, -1, TopUpTooSmall),
        (75000, 25000, None),
        (78060, 24600, None),  # 2.00 and 24.60 of it do not go to the balance: exactly 1000.00
        (78061, 24600, CreditTooLarge),
        (99999, 5, None),  # all of it is the fee
    ],
)
def test_a_top_up_beyond_a_limit_is_refused(
    balance: int, payment: int, refused: type[Exception] | None
) -> None:
    """At most 250.00 at once, and 1000.00 of balance after fee and VAT."""
    rules, purse = every_kind(standing=0), account(balance)
    if refused is None:
        assert top_up(rules, purse, payment, NOW).purse.balance <= 100_000
        return
    with pytest.raises(refused):
        top_up(rules, purse, payment, NOW)


# --- provision -------------------------------------------------------------------------------

BOUND = DebtRules(5000, max_provision=3000, provision_period=WEEK)


@pytest.mark.parametrize(
    ("later", "taken", "why"),
    [
        (0, 500, "5.00 are left of the week's 30.00"),
        (WEEK * 1000 - 1, 500, "the last millisecond of it"),
        (WEEK * 1000, 2500, "a new week"),
        (WEEK * 5000, 2500, "long after"),
    ],
)
def test_a_provision_period_begins_with_the_first_collection_after_the_last(
    later: int, taken: int, why: str
) -> None:
    """25.00 were taken at NOW, at most 30.00 a week."""
    rules = every_kind(debts=BOUND, standing=0)
    first = top_up(rules, account(0, OWED), 5000, NOW).purse
    assert first.provision == Provision(NOW, 2500)
    second = top_up(rules, first, 5000, NOW + later).purse
    assert first.aggregated_debt - second.aggregated_debt == taken, why


def test_a_top_up_without_debts_begins_no_period() -> None:
    """It is the first *collection* that does."""
    rules = every_kind(debts=BOUND, standing=0)
    assert top_up(rules, account(), 5000, NOW).purse.provision == Provision(NEVER, 0)


def test_a_period_that_a_wrong_clock_has_put_into_the_future_ends_in_time() -> None:
    """A year ahead, then corrected: what was taken counts for a week from the next collection."""
    rules = every_kind(debts=BOUND, standing=0)
    year = 365 * 24 * 3600 * 1000
    purse = top_up(rules, account(0, OWED), 5000, NOW + year).purse
    purse = top_up(rules, purse, 5000, NOW).purse
    assert purse.provision == Provision(NOW, 3000)
    assert top_up(rules, purse, 5000, NOW + WEEK * 1000).purse.provision.taken == 2500


@given(
    st.lists(st.tuples(st.integers(1, 25000), st.integers(0, 4 * 24 * 3600 * 1000)), max_size=15)
)
def test_debts_never_take_more_than_the_provision_in_a_period(
    payments: list[tuple[int, int]],
) -> None:
    """Counted apart: from each collection that opens a period, for a week."""
    rules = every_kind(debts=BOUND, standing=0)
    purse, now, opened_at, taken = account(0, (0, 0, 10**6)), NOW, -(10**18), 0
    for payment, pause in payments:
        now += pause
        owed = purse.aggregated_debt
        purse = top_up(rules, adjust(purse, -purse.balance), payment, now).purse
        collected = owed - purse.aggregated_debt
        if collected and now - opened_at >= WEEK * 1000:
            opened_at, taken = now, 0
        taken += collected
        assert taken <= 3000


# --- what always holds -----------------------------------------------------------------------


@given(
    st.permutations(["balance", "fee", "vat", "debts"]),
    st.builds(DebtRules, st.integers(0, 9000), st.booleans()),
    st.integers(-30000, 30000),
    brought,
    st.integers(1, 25000),
)
def test_a_top_up_is_exactly_shared_out(
    order: list[str],
    debts: DebtRules,
    balance: int,
    owed: tuple[tuple[int, int], ...],
    payment: int,
) -> None:
    """Each share above 0, their sum the payment, and what is not taken on the balance."""
    rules = every_kind((*order, "credit"), debts, standing=0)
    purse = opened(rules, Opening(balance, owed, start_credit=False))
    done = top_up(rules, purse, payment, NOW)
    assert all(share.amount > 0 for share in done.shares)
    assert sum(share.amount for share in done.shares) == payment
    assert done.purse.balance == purse.balance + done.credited
    paid = purse.aggregated_debt - done.purse.aggregated_debt
    assert 0 <= paid <= payment * debts.proportion // 10000
    assert_sound(done.purse)
