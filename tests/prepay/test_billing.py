"""Opening, closing, and the exchange of a meter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.account_rules import DebtRules
from prepay.charge import When
from prepay.money import MAX_AMOUNT, MIN_AMOUNT
from prepay.purse import (
    BalanceOutOfRange,
    DebtOutOfRange,
    NoSuchCharge,
    Opening,
    Provision,
    Readings,
    Situation,
    Totals,
    adjust,
    blank,
    close_account,
    collect_consumption,
    collect_time,
    open_account,
    top_up,
)
from prepay.topup import StartCredit, StartRule
from tests.prepay.accounts import (
    COSTS,
    ENERGY,
    FEE,
    INSTALMENT,
    INTEREST,
    NOTHING_USED,
    NOW,
    PRINCIPAL,
    STANDING,
    TODAY,
    USUAL,
    assert_sound,
    brought,
    energy,
    every_kind,
    only,
    opened,
)


@pytest.mark.parametrize(
    ("rule", "brings", "given", "balance", "why"),
    [
        (StartRule.RAISE_TO, 0, True, 2000, "the start credit"),
        (StartRule.RAISE_TO, 350, True, 2000, "raised to it"),
        (StartRule.RAISE_TO, 2000, True, 2000, "as much as it"),
        (StartRule.RAISE_TO, 2500, True, 2500, "more than it is kept"),
        (StartRule.RAISE_TO, -700, True, 2000, "also from below zero"),
        (StartRule.ADD, 350, True, 2350, "on top"),
        (StartRule.ADD, -700, True, 1300, "on top of what is owed"),
        (StartRule.RAISE_TO, 350, False, 350, "an exchange of meters gives none"),
        (StartRule.ADD, -700, False, -700, "and takes a debt over"),
    ],
)
def test_the_first_balance(
    rule: StartRule, brings: int, given: bool, balance: int, why: str
) -> None:
    """EUR 20 at the start, by either rule."""
    rules = replace(every_kind(standing=0), start_credit=StartCredit(2000, rule))
    purse = opened(rules, Opening(brings, start_credit=given))
    assert (purse.balance, purse.totals.started) == (balance, balance), why


def test_an_opening_brings_debts_registers_and_the_standing_charge() -> None:
    """EUR 20 less EUR 20 for 20 of 30 days; energy counts from the register of now."""
    rules = every_kind()
    opening = Opening(debts=((COSTS, 100), (INSTALMENT, 5000)), anchor=TODAY - 10)
    purse = open_account(rules, blank(rules), opening, Readings((7000,), (900,)), TODAY, NOW)
    assert (purse.balance, purse.charges[STANDING].paid) == (0, 2000)
    assert (purse.charges[COSTS].remaining, purse.aggregated_debt) == (100, 5100)
    assert collect_consumption(rules, purse, Readings((7000,), (900,)), NOW, USUAL) is purse
    assert purse.charges[INSTALMENT].next_day == TODAY + 4  # periods of 7 days from the anchor
    assert_sound(purse)


@pytest.mark.parametrize(
    ("opening", "refused"),
    [
        (Opening(MAX_AMOUNT, start_credit=False), None),
        (Opening(MAX_AMOUNT + 1, start_credit=False), BalanceOutOfRange),
        (Opening(MIN_AMOUNT, start_credit=False), None),
        (Opening(MIN_AMOUNT - 1, start_credit=False), BalanceOutOfRange),
        (Opening(debts=((COSTS, MAX_AMOUNT),)), None),
        (Opening(debts=((COSTS, MAX_AMOUNT + 1),)), DebtOutOfRange),
        (Opening(debts=((COSTS, -1),)), DebtOutOfRange),
        (Opening(debts=((FEE, 1),)), NoSuchCharge),
        (Opening(debts=((99, 1),)), NoSuchCharge),
        (Opening(debts=((-1, 1),)), NoSuchCharge),
        (Opening(debts=((COSTS, 1), (COSTS, 2))), NoSuchCharge),
    ],
)
def test_an_opening_that_no_meter_can_keep_is_refused(
    opening: Opening, refused: type[Exception] | None
) -> None:
    """Before anything is changed."""
    rules = every_kind(standing=0)
    if refused is None:
        assert_sound(opened(rules, opening))
        return
    with pytest.raises(refused):
        opened(rules, opening)


def test_a_closing_settles_everything() -> None:
    """EUR 20, 10 kWh for EUR 3.50, EUR 30 ahead of which 15 of 30 days come back; debts stay."""
    rules = every_kind()
    purse = opened(rules, Opening(debts=((PRINCIPAL, 700), (INTEREST, 0))))
    closed = close_account(rules, purse, Readings((10_000,), (0,)), TODAY + 14, NOW + 1, USUAL)
    # Two instalments would have been due, but none is owed.
    assert closed.returned == 1500
    assert closed.closing_balance == 2000 - 3000 - 350 + 1500
    assert closed.debts == ((PRINCIPAL, 700),)
    assert (closed.purse.balance, closed.purse.aggregated_debt) == (0, 0)
    assert closed.purse.totals == Totals(started=2000, charged=1850, settled=150)
    assert_sound(closed.purse)


def test_a_closing_balance_may_be_negative() -> None:
    """Settled by invoice."""
    rules, purse = only(), opened(only())
    closed = close_account(rules, purse, Readings((1000,)), TODAY, NOW, USUAL)
    assert (closed.closing_balance, closed.purse.totals.settled) == (-35, -35)
    assert closed.purse.balance == 0


def test_a_closing_collects_the_energy_that_waits() -> None:
    """Nothing is left for a collection that never comes."""
    rules = only(energy("0.35", when=When(friendly=False)))
    closed = close_account(
        rules, opened(rules), Readings((1000,)), TODAY, NOW, Situation(friendly=True)
    )
    assert closed.closing_balance == -35


def test_an_account_that_is_opened_again_begins_anew() -> None:
    """No energy used in between, no remainder, no debt, no provision; totals count on."""
    rules = every_kind(debts=DebtRules(5000, max_provision=3000, provision_period=86400))
    purse = opened(rules, Opening(debts=((COSTS, 700),)))
    purse = top_up(rules, purse, 5000, NOW).purse
    assert purse.provision.taken == 700
    closed = close_account(rules, purse, Readings((10,), (0,)), TODAY, NOW, USUAL).purse
    again = open_account(rules, closed, Opening(500), Readings((90_000,), (0,)), TODAY + 60, NOW)
    assert again.balance == 2000 - 3000
    assert (again.charges[ENERGY].remainder, again.provision) == (0, Provision())
    assert again.charges[ENERGY].bases == (90_000, 0, 0, 0)
    assert again.totals.started == closed.totals.started + 2000
    assert again.charges[STANDING].paid == closed.charges[STANDING].paid + 3000
    assert again.aggregated_debt == 0
    assert_sound(again)


@pytest.mark.parametrize(("left", "brings", "balance"), [(300, 500, 2000), (1800, 500, 2300)])
def test_what_a_closed_account_was_given_since_is_brought_along(
    left: int, brings: int, balance: int
) -> None:
    """A correction after the settlement: it counts like what the order brings."""
    rules = every_kind(standing=0)
    closed = close_account(rules, opened(rules), NOTHING_USED, TODAY, NOW, USUAL).purse
    again = open_account(rules, adjust(closed, left), Opening(brings), NOTHING_USED, TODAY, NOW)
    assert (again.balance, again.totals.adjusted) == (balance, left)


@given(
    st.integers(-5000, 20000), brought, st.integers(0, 200), st.integers(0, 10**6), st.booleans()
)
def test_an_exchange_loses_nothing(
    balance: int, debts: tuple[tuple[int, int], ...], days: int, used: int, first_day_paid: bool
) -> None:
    """Old meter closed, new one opened with its closing balance, debts and anchor, that day.

    Unused days come back from the old meter and are paid to the new one. The day of the exchange
    was paid to the old one; a new one that is not told so takes it again.
    """
    rules = every_kind()
    opening = Opening(balance, debts, start_credit=False)
    old = opened(rules, opening)
    today = TODAY + days
    alone = collect_consumption(rules, old, Readings((used,), (0,)), NOW, USUAL)
    alone = collect_time(rules, alone, today, NOW, USUAL)
    closed = close_account(rules, old, Readings((used,), (0,)), today, NOW, USUAL)
    taken_over = Opening(
        closed.closing_balance,
        closed.debts,
        TODAY,
        start_credit=False,
        first_day_paid=first_day_paid,
    )
    new = open_account(rules, blank(rules), taken_over, NOTHING_USED, today, NOW)
    assert new.aggregated_debt == alone.aggregated_debt
    assert [state.remaining for state in new.charges] == [s.remaining for s in alone.charges]
    assert [new.charges[slot].next_day for slot in (STANDING, INSTALMENT)] == [
        alone.charges[slot].next_day for slot in (STANDING, INSTALMENT)
    ]
    # A day of EUR 30 in 30 days.
    assert alone.balance - new.balance == (0 if first_day_paid else 100)


@pytest.mark.parametrize(
    ("day", "paid", "alike", "why"),
    [
        (0, 2900, 3000, "the first of a period of EUR 30 in 30 days: 29 days of it are left"),
        (16, 1300, 1400, "the seventeenth: 13 days are left, and 14 with today"),
        (28, 100, 200, "the last but one"),
        (29, 0, 100, "the last: nothing is left, and the next period is not paid either"),
        (30, 2900, 3000, "the first of the next"),
    ],
)
def test_of_a_first_day_that_is_paid_already_nothing_is_collected(
    day: int, paid: int, alike: int, why: str
) -> None:
    """The day of an exchange: the rest of the period is counted from the day after."""
    rules = every_kind()
    for first_day_paid, amount in ((True, paid), (False, alike)):
        opening = Opening(anchor=TODAY, start_credit=False, first_day_paid=first_day_paid)
        purse = opened(rules, opening, TODAY + day)
        assert purse.charges[STANDING].paid == amount, why
        assert purse.charges[STANDING].next_day == TODAY + 30 * (day // 30 + 1)


@pytest.mark.parametrize("day", [0, 16, 29])
def test_a_meter_exchanged_twice_in_a_day_costs_what_one_would(day: int) -> None:
    """What the second takes for the days to come, it gives back to the third."""
    rules = every_kind()
    opening = Opening(5000, anchor=TODAY, start_credit=False, first_day_paid=True)
    purse = opened(rules, opening, TODAY + day)
    closed = close_account(rules, purse, NOTHING_USED, TODAY + day, NOW, USUAL)
    assert (closed.closing_balance, closed.returned) == (5000, purse.charges[STANDING].paid)


@given(st.integers(-5000, 5000), st.integers(0, 10**6), st.integers(0, 300), brought)
def test_what_an_account_is_closed_with_is_what_it_was_opened_with_and_all_that_moved(
    first: int, used: int, days: int, debts: tuple[tuple[int, int], ...]
) -> None:
    """Opening balance, less what was charged net of what came back."""
    rules = every_kind()
    purse = opened(rules, Opening(first, debts, start_credit=False))
    closed = close_account(rules, purse, Readings((used,), (0,)), TODAY + days, NOW, USUAL)
    assert closed.closing_balance == first - closed.purse.totals.charged
    owed = dict(debts)
    for slot, remaining in closed.debts:
        paid = closed.purse.charges[slot].paid
        assert remaining == owed[slot] - paid
    assert closed.purse.balance == 0
    assert_sound(closed.purse)
