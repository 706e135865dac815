"""The purse while energy is used: consumption, corrections, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.charge import Tariff, When
from prepay.money import MAX_AMOUNT, MIN_AMOUNT
from prepay.purse import (
    BalanceOutOfRange,
    DebtOutOfRange,
    NoSuchCharge,
    Opening,
    Purse,
    Readings,
    Situation,
    adjust,
    blank,
    change_prices,
    clock_set,
    collect_consumption,
    collect_time,
    collect_uncollected,
    cost_of,
    open_account,
    set_remaining,
    top_up,
)
from tests.prepay.accounts import (
    COSTS,
    ENERGY,
    FEED_IN,
    NOTHING_USED,
    NOW,
    TODAY,
    USUAL,
    assert_sound,
    brought,
    day_of,
    energy,
    every_kind,
    only,
    opened,
    situations,
    state_of,
)

DAY_AND_NIGHT = only(energy("0.40", "0.20"))


@pytest.mark.parametrize(
    ("before", "after", "charged", "remainder", "why"),
    [
        (0, 0, 0, 0, "nothing used"),
        (0, 28, 0, 980_000_000, "28 Wh at 35 cents are 0.98 cents"),
        (0, 29, 1, 15_000_000, "29 Wh are 1.015 cents"),
        (1000, 3000, 70, 0, "counted from the last collection"),
        (3000, 1000, 0, 0, "reset: nothing is collected for it"),
    ],
)
def test_energy_is_charged_from_the_last_collection(
    before: int, after: int, charged: int, remainder: int, why: str
) -> None:
    """Whole cents are collected, the rest is kept."""
    rules = only()
    purse = open_account(rules, blank(rules), Opening(), Readings((before,)), TODAY, NOW)
    purse = collect_consumption(rules, purse, Readings((after,)), NOW + 1, USUAL)
    state = purse.charges[0]
    assert (purse.totals.charged, state.remainder) == (charged, remainder), why
    assert state.bases == (after, 0, 0, 0), why
    assert (state.last_amount, state.last_time) == ((charged, NOW + 1) if charged else (0, -1))


def test_a_register_that_was_reset_counts_on_from_where_it_stands() -> None:
    """3 kWh, reset to 0, then 1 kWh more: four are paid for."""
    rules, purse = only(), opened(only())
    for register in (3000, 0, 1000):
        purse = collect_consumption(rules, purse, Readings((register,)), NOW, USUAL)
    assert purse.totals.charged == 4 * 35


def test_where_nothing_changes_the_same_purse_comes_back() -> None:
    """So that a tick without energy, day or price writes nothing."""
    rules = every_kind()
    purse = opened(rules)
    assert collect_consumption(rules, purse, NOTHING_USED, NOW + 1, USUAL) is purse
    assert collect_time(rules, purse, TODAY, NOW + 1, USUAL) is purse
    assert clock_set(rules, purse, TODAY, TODAY + 1, True, day_of) is purse
    assert set_remaining(purse, COSTS, 0) is purse


@given(st.lists(st.integers(0, 5000), max_size=20), st.lists(st.integers(0, 5000), max_size=20))
def test_any_partition_of_the_energy_costs_the_same(used: list[int], fed: list[int]) -> None:
    """Imported and fed in, collected at each step or at once."""
    rules = every_kind()
    purse = start = opened(rules)
    for place in range(max(len(used), len(fed))):
        readings = Readings((sum(used[: place + 1]),), (sum(fed[: place + 1]),))
        purse = collect_consumption(rules, purse, readings, NOW, USUAL)
    whole = collect_consumption(rules, start, Readings((sum(used),), (sum(fed),)), NOW, USUAL)
    assert purse.totals == whole.totals
    for slot, price in ((ENERGY, 35), (FEED_IN, -5)):
        energies = used if slot == ENERGY else fed
        one, other = purse.charges[slot], whole.charges[slot]
        assert (one.paid, one.remainder) == (other.paid, other.remainder)
        assert one.paid * 10**9 + one.remainder == sum(energies) * price * 10**6


def test_feed_in_adds_to_the_balance() -> None:
    """20 kWh at 5 cents are EUR 1 for the customer."""
    rules, purse = every_kind(standing=0), opened(every_kind(standing=0))
    after = collect_consumption(rules, purse, Readings((0,), (20_000,)), NOW, USUAL)
    assert (after.balance - purse.balance, after.charges[FEED_IN].paid) == (100, -100)


@pytest.mark.parametrize(
    ("rates", "charged", "why"),
    [
        ((1000, 0), 40, "by day"),
        ((0, 1000), 20, "by night"),
        ((1000, 1000), 60, "both"),
        ((3, 6), 0, "0.12 and 0.12 cents wait together"),
        ((13, 24), 1, "0.52 and 0.48 cents are one, though neither is"),
    ],
)
def test_each_rate_register_has_its_price(rates: tuple[int, int], charged: int, why: str) -> None:
    """Rates 1 and 2 at 40 and 20 cents; the total register is not looked at."""
    purse = opened(DAY_AND_NIGHT, Opening())
    readings = Readings((sum(rates), *rates, 0, 0))
    after = collect_consumption(DAY_AND_NIGHT, purse, readings, NOW, USUAL)
    assert after.totals.charged == charged, why
    assert after.charges[0].bases == (*rates, 0, 0)


def test_one_rate_reset_does_not_hide_the_use_of_another() -> None:
    """Rate 1 runs on by 1 kWh while rate 2 falls to 0."""
    purse = opened(DAY_AND_NIGHT, Opening())
    purse = collect_consumption(DAY_AND_NIGHT, purse, Readings((9, 1000, 5000)), NOW, USUAL)
    after = collect_consumption(DAY_AND_NIGHT, purse, Readings((9, 2000, 0)), NOW, USUAL)
    assert after.totals.charged - purse.totals.charged == 40


@pytest.mark.parametrize(
    ("when", "situation", "collected"),
    [
        (When(disconnected=False), Situation(disconnected=True), False),
        (When(disconnected=False), Situation(limited=True, friendly=True), True),
        (When(limited=False), Situation(limited=True), False),
        (When(limited=False), Situation(disconnected=True, friendly=True), True),
        (When(friendly=False), Situation(friendly=True), False),
        (When(friendly=False), Situation(disconnected=True, limited=True), True),
        (When(friendly=False), Situation(friendly=True, disconnected=True), False),
        (When(False, False, False), Situation(), True),
        (When(), Situation(disconnected=True, limited=True, friendly=True), True),
    ],
)
def test_what_is_not_collected_now_waits(when: When, situation: Situation, collected: bool) -> None:
    """And is collected at the first moment at which it may be, to the same cent."""
    rules, purse = only(energy("0.35", when=when)), opened(only())
    waiting = collect_consumption(rules, purse, Readings((1000,)), NOW, situation)
    assert waiting.totals.charged == (35 if collected else 0)
    after = collect_consumption(rules, waiting, Readings((2000,)), NOW, USUAL)
    assert after.totals.charged == 70


def test_what_waits_is_collected_at_the_old_price_before_a_new_one() -> None:
    """1 kWh waits at 35 cents, then one is used at 40."""
    rules = only(energy("0.35", when=When(friendly=False)))
    dearer = rules.with_charge(0, replace(rules.charges[0], tariffs=(Tariff(40, -2),)))
    purse = collect_consumption(
        rules, opened(rules), Readings((1000,)), NOW, Situation(friendly=True)
    )
    purse = change_prices(rules, dearer, purse, Readings((1000,)), NOW)
    assert purse.totals.charged == 35
    after = collect_consumption(dearer, purse, Readings((2000,)), NOW, USUAL)
    assert after.totals.charged == 75


def test_what_waits_of_another_charge_goes_on_waiting() -> None:
    """The price of energy changes, and that of feed-in does not."""
    feed_in = energy("-0.05", name="feed-in", export=True, when=When(friendly=False))
    rules, dearer = only(energy("0.35"), feed_in), only(energy("0.40"), feed_in)
    used = Readings((1000,), (20_000,))
    purse = change_prices(rules, dearer, opened(rules), used, NOW)
    assert purse.totals.charged == 35
    still = collect_consumption(dearer, purse, used, NOW, Situation(friendly=True))
    assert still is purse
    assert collect_consumption(dearer, purse, used, NOW, USUAL).totals.charged == 35 - 100


def test_where_no_price_changes_nothing_is_collected() -> None:
    """Only a standing charge changes: what was used is left to the next collection."""
    rules, cheaper = every_kind(), every_kind(standing=100)
    purse = opened(rules)
    assert change_prices(rules, cheaper, purse, Readings((10**6,), (0,)), NOW) is purse


def test_a_remainder_goes_over_to_a_new_price() -> None:
    """20 Wh at 35 cents are 0.7 cents, 8 Wh at 40 are 0.32: together one."""
    rules = only()
    dearer = only(energy("0.40"))
    purse = change_prices(rules, dearer, opened(rules), Readings((20,)), NOW)
    assert purse.totals.charged == 0
    after = collect_consumption(dearer, purse, Readings((28,)), NOW, USUAL)
    assert (after.totals.charged, after.charges[0].remainder) == (1, 20_000_000)


def test_a_change_from_one_price_to_rates_counts_from_the_rate_registers() -> None:
    """Nothing that was used before is charged again."""
    rules, readings = only(), Readings((5000, 4000, 1000))
    purse = change_prices(rules, DAY_AND_NIGHT, opened(rules), readings, NOW)
    assert purse.totals.charged == 5 * 35
    later = collect_consumption(DAY_AND_NIGHT, purse, readings, NOW, USUAL)
    assert later is purse
    back = change_prices(DAY_AND_NIGHT, rules, purse, Readings((6000, 5000, 1000)), NOW)
    assert (back.totals.charged, back.charges[0].bases) == (5 * 35 + 40, (6000, 0, 0, 0))


def test_before_an_end_all_is_collected() -> None:
    """Also what would have waited."""
    rules = only(energy("0.35", when=When(False, False, False)))
    assert collect_uncollected(rules, opened(rules), Readings((1000,)), NOW).totals.charged == 35


def test_what_energy_costs_now() -> None:
    """In billionths of a cent, by the rate that is active; feed-in does not count."""
    assert cost_of(every_kind(), 1000) == 35 * 10**9
    assert [cost_of(DAY_AND_NIGHT, 1000, rate) for rate in (0, 1)] == [40 * 10**9, 20 * 10**9]
    assert cost_of(only(), 1000, rate=3) == 35 * 10**9


# --- corrections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "amount", "fits"),
    [
        (0, MAX_AMOUNT, True),
        (1, MAX_AMOUNT, False),
        (0, MIN_AMOUNT, True),
        (-1, MIN_AMOUNT, False),
        (MIN_AMOUNT - 10, -1, False),
        (MIN_AMOUNT - 10, 5, True),  # energy took it out of the range: it may be lifted
    ],
)
def test_a_correction_keeps_the_balance_in_a_double_long(
    balance: int, amount: int, fits: bool
) -> None:
    """Signed, and refused where it would take the balance out of 32 bits."""
    held = opened(only())
    purse = replace(held, totals=replace(held.totals, started=balance))
    if fits:
        after = adjust(purse, amount)
        assert (after.balance, after.totals.adjusted) == (balance + amount, amount)
        return
    with pytest.raises(BalanceOutOfRange):
        adjust(purse, amount)


def test_a_collection_goes_on_below_32_bits() -> None:
    """Energy that was used is charged for, whatever the balance."""
    rules, held = only(), opened(only())
    purse = replace(held, totals=replace(held.totals, started=MIN_AMOUNT))
    assert (
        collect_consumption(rules, purse, Readings((10**6,)), NOW, USUAL).balance
        == MIN_AMOUNT - 35000
    )


@pytest.mark.parametrize(
    ("slot", "amount", "refused"),
    [
        (COSTS, 0, None),
        (COSTS, MAX_AMOUNT, None),
        (COSTS, -1, DebtOutOfRange),
        (COSTS, MAX_AMOUNT + 1, DebtOutOfRange),
        (9, 1, NoSuchCharge),
        (-1, 1, NoSuchCharge),
    ],
)
def test_a_debt_is_set_within_its_range(
    slot: int, amount: int, refused: type[Exception] | None
) -> None:
    """0 clears it; the balance stays."""
    purse = opened(every_kind())
    if refused is None:
        after = set_remaining(purse, slot, amount)
        assert (after.charges[slot].remaining, after.aggregated_debt) == (amount, amount)
        assert after.totals == purse.totals
        return
    with pytest.raises(refused):
        set_remaining(purse, slot, amount)


def test_which_charges_are_debts() -> None:
    """Those that collect until they are paid, and no slot outside."""
    rules = every_kind()
    assert [slot for slot in range(-1, 10) if rules.is_debt(slot)] == [3, 6, 7, 8]


# --- what always holds -----------------------------------------------------------------------

_EVENTS = st.one_of(
    st.tuples(st.just("use"), st.integers(0, 100_000), situations),
    st.tuples(st.just("feed"), st.integers(0, 100_000), situations),
    st.tuples(st.just("days"), st.integers(0, 100), situations),
    st.tuples(st.just("set"), st.integers(-100, 100), situations),
    st.tuples(st.just("pay"), st.integers(1, 25_000), situations),
    st.tuples(st.just("adjust"), st.integers(-5000, 5000), situations),
    st.tuples(st.just("debt"), st.integers(0, 5000), situations),
)


@given(st.lists(_EVENTS, max_size=25), st.integers(-5000, 5000), brought)
def test_opening_and_credits_less_charges_and_corrections_is_closing(
    events: list[tuple[str, int, Situation]], first: int, debts: tuple[tuple[int, int], ...]
) -> None:
    """Whatever the order of events; no debt is below 0, and charged is the sum of the paid."""
    rules = every_kind()
    purse: Purse = opened(rules, Opening(first, debts, start_credit=False))
    used, fed, today = 0, 0, TODAY
    balance = purse.balance
    for what, amount, situation in events:
        before = purse
        if what in ("use", "feed"):
            used, fed = (used + amount, fed) if what == "use" else (used, fed + amount)
            purse = collect_consumption(rules, purse, Readings((used,), (fed,)), NOW, situation)
        elif what == "days":
            today += amount
            purse = collect_time(rules, purse, today, NOW, situation)
        elif what == "set":
            purse = clock_set(rules, purse, today, today + amount, True, day_of)
            today += amount
            purse = collect_time(rules, purse, today, NOW, situation)
        elif what == "pay":
            if purse.balance + amount <= 100_000:
                done = top_up(rules, purse, amount, NOW)
                balance += amount
                purse = done.purse
        elif what == "adjust":
            purse = adjust(purse, amount)
            balance += amount
        else:
            purse = set_remaining(purse, COSTS, amount)
        balance -= purse.totals.charged - before.totals.charged
        assert purse.balance == balance
        assert_sound(purse)
    assert state_of(rules, purse, "energy").paid <= used * 35 // 1000
