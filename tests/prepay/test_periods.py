"""Charges for time: ahead, by the rule of three, once for each period."""

from datetime import date
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.charge import Charge, ChargeType, When
from prepay.periods import rule_of_three
from prepay.purse import (
    NEVER,
    Opening,
    Situation,
    clock_set,
    close_account,
    collect_time,
    set_remaining,
)
from tests.prepay.accounts import (
    INSTALMENT,
    NOTHING_USED,
    NOW,
    STANDING,
    TODAY,
    USUAL,
    assert_sound,
    day_of,
    every_kind,
    moment_of,
    only,
    opened,
)

RENT = only(Charge("rent", ChargeType.TIME, amount=3000, period_days=30))
LOST = Situation(clock_known=False)


def day(text: str) -> int:
    """Return the ordinal of a date such as "2026-03-29"."""
    return date.fromisoformat(text).toordinal()


@pytest.mark.parametrize(
    ("amount", "days", "period", "share"),
    [
        (3000, 30, 30, 3000),
        (3000, 10, 30, 1000),
        (1000, 1, 3, 333),  # 333.33
        (1000, 2, 3, 667),  # 666.67
        (1, 1, 2, 1),  # a half goes up
        (3, 1, 2, 2),
        (1, 1, 3, 0),
        (999, 0, 30, 0),
        (2**31 - 1, 3659, 3660, 2146896903),
    ],
)
def test_the_rule_of_three(amount: int, days: int, period: int, share: int) -> None:
    """To the nearest minor unit, halves up."""
    assert rule_of_three(amount, days, period) == share


@pytest.mark.parametrize(
    ("anchor", "today", "collected", "next_day", "why"),
    [
        ("2026-03-01", "2026-03-01", 3000, "2026-03-31", "the first day of a period: all of it"),
        ("2026-03-01", "2026-03-02", 2900, "2026-03-31", "29 days, today counts"),
        ("2026-03-01", "2026-03-30", 100, "2026-03-31", "the last day of it"),
        ("2026-03-01", "2026-03-31", 3000, "2026-04-30", "the next period; it is no month"),
        ("2026-02-14", "2026-03-01", 1500, "2026-03-16", "brought from the old meter"),
        ("2026-03-11", "2026-03-01", 1000, "2026-03-11", "an anchor that is still to come"),
        ("2024-02-29", "2024-03-29", 100, "2024-03-30", "a leap day is a day"),
        (
            None,
            "2026-03-29",
            3000,
            "2026-04-28",
            "no anchor: today; a day of 23 hours counts as one",
        ),
    ],
)
def test_activation_pays_for_the_rest_of_the_period(
    anchor: str | None, today: str, collected: int, next_day: str, why: str
) -> None:
    """EUR 30 for 30 days, ahead, from the date of activation, which counts."""
    opening = Opening(anchor=day(anchor) if anchor else None)
    purse = opened(RENT, opening, day(today))
    state = purse.charges[1]
    assert (state.paid, state.next_day) == (collected, day(next_day)), why
    assert (purse.balance, state.last_time, state.last_amount) == (-collected, NOW, collected), why


@pytest.mark.parametrize(
    ("days", "collections"),
    [(0, 0), (29, 0), (30, 1), (59, 1), (60, 2), (365, 12), (36500, 1216)],
)
def test_each_period_that_has_begun_is_collected_once(days: int, collections: int) -> None:
    """After a power cut of so many days at the first tick; then not again that day."""
    purse = opened(RENT)
    after = collect_time(RENT, purse, TODAY + days, NOW + 1, USUAL)
    assert after.totals.charged == 3000 * (1 + collections)
    assert after.charges[1].last_amount == 3000
    assert collect_time(RENT, after, TODAY + days, NOW + 2, USUAL) is after
    by_day = purse
    for past in range(days + 1 if days <= 365 else 0):
        by_day = collect_time(RENT, by_day, TODAY + past, NOW + 1, USUAL)
    assert days > 365 or by_day == after


@pytest.mark.parametrize(
    ("remaining", "days", "paid", "last", "why"),
    [
        (2500, 6, 0, 0, "never at activation, never pro rata"),
        (2500, 7, 1000, 1000, "the first instalment"),
        (2500, 14, 2000, 1000, "two"),
        (2500, 21, 2500, 500, "the rest of it is the last"),
        (2500, 700, 2500, 500, "and then no more"),
        (2000, 700, 2000, 1000, "a last one in full"),
        (0, 7, 0, 0, "nothing is owed"),
    ],
)
def test_a_debt_by_instalments(remaining: int, days: int, paid: int, last: int, why: str) -> None:
    """EUR 10 at the beginning of each week, until it is paid."""
    rules = every_kind(standing=0)
    purse = opened(rules, Opening(debts=((INSTALMENT, remaining),), start_credit=False))
    state = collect_time(rules, purse, TODAY + days, NOW + 1, USUAL).charges[INSTALMENT]
    assert (state.paid, state.remaining, state.last_amount) == (paid, remaining - paid, last), why


def test_what_is_not_collected_while_disconnected() -> None:
    """The standing charge of that period is let go, the instalment stays owed."""
    rules = every_kind(when=When(disconnected=False))
    purse = opened(rules, Opening(debts=((INSTALMENT, 1500),), start_credit=False))
    cut = collect_time(rules, purse, TODAY + 30, NOW, Situation(disconnected=True))
    assert cut.totals == purse.totals
    assert cut.charges[STANDING].next_day == TODAY + 60
    assert cut.charges[INSTALMENT].remaining == 1500
    back = collect_time(rules, cut, TODAY + 35, NOW, USUAL)
    assert back.totals.charged - purse.totals.charged == 1000  # one instalment, no standing charge
    closed = close_account(rules, back, NOTHING_USED, TODAY + 36, NOW, USUAL)
    assert closed.returned == 0  # nothing was paid for that period


# --- the clock -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "collections", "next_day", "why"),
    [
        (10, 11, 0, 30, "within a period"),
        (10, 30, 1, 60, "over the beginning of one"),
        (10, 35, 1, 60, "into one"),
        (10, 95, 1, 120, "over three: two of them nobody lived"),
        (10, 0, 0, 30, "back within a period"),
        (10, -95, 0, -60, "back over three: the next to begin is taken as collected, no other"),
    ],
)
def test_a_clock_that_is_set_collects_one_period_at_most(
    before: int, after: int, collections: int, next_day: int, why: str
) -> None:
    """Days from activation, on which a period of 30 began."""
    purse = opened(RENT)
    purse = clock_set(RENT, purse, TODAY + before, TODAY + after, True, day_of)
    purse = collect_time(RENT, purse, TODAY + after, moment_of(TODAY + after), USUAL)
    assert purse.totals.charged == 3000 * (1 + collections), why
    assert purse.charges[1].next_day == TODAY + next_day, why


def test_a_clock_wrong_by_three_hours_over_a_period_costs_nothing_twice() -> None:
    """Forward over midnight, back again, and midnight comes once more."""
    purse = opened(RENT)
    for before, after in ((29, 30), (30, 29)):
        purse = clock_set(RENT, purse, TODAY + before, TODAY + after, True, day_of)
        purse = collect_time(RENT, purse, TODAY + after, moment_of(TODAY + after), USUAL)
    purse = collect_time(RENT, purse, TODAY + 30, moment_of(TODAY + 30), USUAL)
    assert purse.totals.charged == 6000


def test_a_clock_set_back_by_mistake_and_put_right_costs_nothing() -> None:
    """The running period was collected at opening; the clock comes back to it a minute later."""
    purse = opened(RENT, Opening(anchor=TODAY - 5), TODAY)
    charged = purse.totals.charged
    for before, after in ((0, -45), (-45, 0)):
        purse = clock_set(RENT, purse, TODAY + before, TODAY + after, True, day_of)
        purse = collect_time(RENT, purse, TODAY + after, moment_of(TODAY + after), USUAL)
    assert purse.totals.charged == charged
    assert purse.charges[1].next_day == TODAY + 25


@pytest.mark.parametrize(
    ("after", "collections", "next_day"),
    [(10, 0, 30), (-400, 0, -360), (30, 1, 60), (100, 1, 120)],
)
def test_a_clock_that_was_lost_goes_on_from_the_period_of_the_day(
    after: int, collections: int, next_day: int
) -> None:
    """Nothing is collected without a clock, and not what was missed in the meantime."""
    purse = opened(RENT)
    assert collect_time(RENT, purse, TODAY + 500, NOW, LOST) is purse
    purse = clock_set(RENT, purse, TODAY + 500, TODAY + after, False, day_of)
    purse = collect_time(RENT, purse, TODAY + after, moment_of(TODAY + after), USUAL)
    assert purse.totals.charged == 3000 * (1 + collections)
    assert purse.charges[1].next_day == TODAY + next_day


def test_opened_without_a_clock_periods_begin_when_it_is_set() -> None:
    """That day is the first of a period, or the anchor says otherwise; instalments begin later."""
    rules = every_kind()
    opening = Opening(debts=((INSTALMENT, 5000),), start_credit=False)
    purse = opened(rules, opening, NEVER)
    assert purse.totals.charged == 0
    assert collect_time(rules, purse, TODAY, NOW, USUAL) is purse
    purse = clock_set(rules, purse, NEVER, TODAY + 9, False, day_of)
    purse = collect_time(rules, purse, TODAY + 9, NOW, USUAL)
    assert purse.totals.charged == 3000
    assert purse.charges[STANDING].next_day == TODAY + 39
    assert purse.charges[INSTALMENT].next_day == TODAY + 16
    anchored = opened(RENT, Opening(anchor=TODAY), NEVER)
    anchored = clock_set(RENT, anchored, NEVER, TODAY + 40, False, day_of)
    assert collect_time(RENT, anchored, TODAY + 40, NOW, USUAL).charges[1].next_day == TODAY + 60


@given(st.lists(st.integers(-60, 60), max_size=12))
def test_no_setting_of_the_clock_collects_more_than_one_period(settings: list[int]) -> None:
    """And the next period never begins in the past."""
    purse, today = opened(RENT), TODAY
    for moved in settings:
        before = purse.totals.charged
        purse = clock_set(RENT, purse, today, today + moved, True, day_of)
        today += moved
        purse = collect_time(RENT, purse, today, moment_of(today), USUAL)
        assert purse.totals.charged - before in (0, 3000)
        assert purse.charges[1].next_day > today
        assert (purse.charges[1].next_day - TODAY) % 30 == 0


# --- both ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "returned", "why"),
    [
        (0, 0, 2900, "29 of 30 days unused: the day of closing counts as used"),
        (0, 29, 0, "the last day"),
        (0, 30, 2900, "a new period was collected that day"),
        (10, 10, 1900, "20 days were paid for, one is used"),
        (10, 29, 0, "to the end"),
        (10, 44, 1500, "15 days of the second period"),
    ],
)
def test_unused_days_come_back(first: int, last: int, returned: int, why: str) -> None:
    """By the rule of three, from the day after closing."""
    purse = opened(RENT, Opening(anchor=TODAY), TODAY + first)
    closed = close_account(RENT, purse, NOTHING_USED, TODAY + last, NOW, USUAL)
    assert closed.returned == returned, why
    assert closed.purse.charges[1].paid == -closed.closing_balance
    assert closed.purse.charges[1].next_day == NEVER


@given(
    st.integers(0, 10**6),
    st.integers(1, 400),
    st.integers(-1000, 1000),
    st.integers(0, 1500),
)
def test_pro_rata_plus_full_less_returned_is_the_days_used(
    amount: int, period: int, anchor: int, days: int
) -> None:
    """First, full and returned periods together, to within the rounding at both ends."""
    amount -= amount % 100 if amount > 32767 else 0
    rules = only(Charge("rent", ChargeType.TIME, amount=amount, period_days=period))
    purse = opened(rules, Opening(anchor=TODAY + anchor))
    for past in (days // 2, days):
        purse = collect_time(rules, purse, TODAY + past, NOW, USUAL)
    closed = close_account(rules, purse, NOTHING_USED, TODAY + days, NOW, USUAL)
    exact = Fraction(amount * (days + 1), period)
    assert abs(closed.purse.charges[1].paid - exact) <= 1
    assert closed.purse.charges[1].paid >= 0
    assert_sound(closed.purse)


def test_unused_days_come_back_at_the_price_they_were_paid_at() -> None:
    """EUR 30 were paid; that the next period costs EUR 60 is of no account."""
    purse = opened(RENT)
    dearer = RENT.with_charge(1, replace(RENT.charges[1], amount=6000))
    assert close_account(dearer, purse, NOTHING_USED, TODAY + 14, NOW, USUAL).returned == 1500


def test_without_a_clock_nothing_comes_back() -> None:
    """Nobody can say what is unused."""
    closed = close_account(RENT, opened(RENT), NOTHING_USED, TODAY, NOW, LOST)
    assert (closed.returned, closed.closing_balance) == (0, -3000)


def test_after_a_clock_set_back_no_more_than_the_running_period_comes_back() -> None:
    """The period after it is paid for, too; it stays so."""
    purse = collect_time(RENT, opened(RENT), TODAY + 30, NOW, USUAL)
    purse = clock_set(RENT, purse, TODAY + 30, TODAY + 14, True, day_of)
    assert close_account(RENT, purse, NOTHING_USED, TODAY + 14, NOW, USUAL).returned == 1500


def test_an_instalment_never_comes_back() -> None:
    """It paid a debt."""
    rules = every_kind(standing=0)
    purse = opened(rules, Opening(debts=((INSTALMENT, 5000),), start_credit=False))
    purse = collect_time(rules, purse, TODAY + 7, NOW, USUAL)
    closed = close_account(rules, purse, NOTHING_USED, TODAY + 7, NOW, USUAL)
    assert (closed.returned, closed.debts) == (0, ((INSTALMENT, 4000),))


@given(st.integers(0, 20000), st.lists(st.integers(0, 40), max_size=20))
def test_instalments_end_with_the_debt(owed: int, steps: list[int]) -> None:
    """Never below 0, never more than one a week."""
    rules = every_kind(standing=0)
    purse = set_remaining(opened(rules), INSTALMENT, owed)
    today = TODAY
    for step in steps:
        today += step
        purse = collect_time(rules, purse, today, NOW, USUAL)
        assert_sound(purse)
    state = purse.charges[INSTALMENT]
    assert state.paid == min(owed, 1000 * floor(Fraction(today - TODAY, 7)))
    assert state.paid + state.remaining == owed
