"""Credits: what a balance amounts to, by hand and by law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.credit import (
    CreditRules,
    CreditStatus,
    EmergencySelection,
    Standing,
    days_left,
    standing,
)
from prepay.money import MIN_AMOUNT

ENABLED, SELECTABLE, SELECTED, IN_USE, EXHAUSTED = CreditStatus

WALLONIA = CreditRules(
    low_threshold=500,
    emergency_amount=1200,
    emergency_selection=EmergencySelection.BUTTON,
    window_void_in_emergency=True,
)
FLANDERS = CreditRules(
    low_threshold=500,
    emergency_amount=5000,
    emergency_selection=EmergencySelection.AUTOMATIC,
    emergency_threshold=100,
)
ISRAEL = CreditRules(limit=-5000, low_threshold=2000)
EARLY_OFFER = CreditRules(
    emergency_amount=1000, emergency_selection=EmergencySelection.BUTTON, emergency_threshold=500
)
BOTH = CreditRules(limit=-1000, emergency_amount=500, emergency_selection=EmergencySelection.BUTTON)


@pytest.mark.parametrize(
    ("balance", "taken", "token", "emergency", "available", "left", "bits", "why"),
    [
        (2000, False, IN_USE, ENABLED, 2000, 1200, "10100000", "the start credit"),
        (500, False, IN_USE, ENABLED, 500, 1200, "10100000", "low is under EUR 5, not at it"),
        (499, False, IN_USE, ENABLED, 499, 1200, "11100000", "low"),
        (1, False, IN_USE, ENABLED, 1, 1200, "11100000", "the last cent still counts"),
        (0, False, EXHAUSTED, SELECTABLE, 0, 1200, "01010010", "used up: the button would help"),
        (-300, False, EXHAUSTED, SELECTABLE, 0, 900, "01010010", "a friendly night ate EUR 3"),
        (0, True, EXHAUSTED, IN_USE, 1200, 1200, "11000100", "taken, nothing used of it yet"),
        (-300, True, EXHAUSTED, IN_USE, 900, 900, "11000100", "EUR 3 of it used"),
        (-1199, True, EXHAUSTED, IN_USE, 1, 1, "11000100", "the last cent of it"),
        (-1200, True, EXHAUSTED, EXHAUSTED, 0, 0, "01000010", "all of it used"),
        (-1200, False, EXHAUSTED, EXHAUSTED, 0, 0, "01000010", "debt ate it before it was taken"),
        (-9000, False, EXHAUSTED, EXHAUSTED, 0, 0, "01000010", "and more than that"),
        (2000, True, IN_USE, ENABLED, 2000, 1200, "10100000", "a top-up gives it back"),
    ],
)
def test_wallonia(
    balance: int,
    taken: bool,
    token: CreditStatus,
    emergency: CreditStatus,
    available: int,
    left: int,
    bits: str,
    why: str,
) -> None:
    """EUR 12 of emergency credit by button; the token credit is used up at zero."""
    judged = standing(WALLONIA, balance, taken)
    assert (judged.token_status, judged.emergency_status) == (token, emergency), why
    assert (judged.available, judged.emergency_available) == (available, left), why
    assert judged.status_bits == bits, why


@pytest.mark.parametrize(
    ("balance", "token", "available", "to_clear", "bits", "why"),
    [
        (2000, IN_USE, 2000, 0, "10000000", "not low at ILS 20"),
        (1999, IN_USE, 1999, 0, "11000000", "low"),
        (0, IN_USE, 0, 0, "11000000", "the overdraft carries on"),
        (-4999, IN_USE, 0, 4999, "11000000", "its last agora"),
        (-5000, EXHAUSTED, 0, 5000, "01000010", "used up at ILS -50"),
        (-7000, EXHAUSTED, 0, 7000, "01000010", "after a Sabbath"),
    ],
)
def test_israel(
    balance: int, token: CreditStatus, available: int, to_clear: int, bits: str, why: str
) -> None:
    """An overdraft is the token credit's own limit; there is no emergency credit."""
    judged = standing(ISRAEL, balance, emergency_selected=True)
    assert judged.token_status is token, why
    assert (judged.available, judged.amount_to_clear) == (available, to_clear), why
    assert judged.status_bits == bits, why
    assert judged.emergency_status is None
    assert judged.emergency_available == 0
    assert not judged.emergency_selected


@pytest.mark.parametrize(
    ("balance", "emergency", "in_use"),
    [
        (101, ENABLED, 0),
        (100, SELECTED, 0),
        (1, SELECTED, 0),
        (0, IN_USE, 1),
        (-5000, EXHAUSTED, None),
    ],
)
def test_an_automatic_emergency_credit_takes_itself(
    balance: int, emergency: CreditStatus, in_use: int | None
) -> None:
    """Selected at its threshold, in use when the token credit is used up."""
    judged = standing(FLANDERS, balance, emergency_selected=False)
    assert (judged.emergency_status, judged.in_use) == (emergency, in_use)
    assert judged.emergency_selected is (emergency is not ENABLED)


def test_an_early_offer_that_is_taken_waits_until_it_is_needed() -> None:
    """Selected, and available on top of what is left; given back above the threshold only."""
    waiting = standing(EARLY_OFFER, 300, emergency_selected=True)
    assert (waiting.emergency_status, waiting.in_use) == (SELECTED, 0)
    assert waiting.available == 1300
    assert standing(EARLY_OFFER, 500, True).emergency_selected
    assert not standing(EARLY_OFFER, 501, True).emergency_selected
    assert standing(EARLY_OFFER, 500, False).can_select
    assert not standing(EARLY_OFFER, 501, False).can_select


def test_an_overdraft_comes_before_the_emergency_credit() -> None:
    """The advance is eaten by debt below the limit, not below zero."""
    assert standing(BOTH, -1000, True).emergency_available == 500
    assert standing(BOTH, -1200, True).emergency_available == 300
    assert standing(BOTH, -999, True).in_use == 0
    assert standing(BOTH, -1000, True).in_use == 1
    assert standing(BOTH, -1500, True).in_use is None


@pytest.mark.parametrize(
    ("rules", "balance", "taken", "void"),
    [
        (WALLONIA, -300, True, True),
        (WALLONIA, -1200, True, True),
        (WALLONIA, -300, False, False),
        (WALLONIA, -5000, False, False),
        (WALLONIA, 2000, True, False),
        (FLANDERS, -300, True, False),
        (replace(EARLY_OFFER, window_void_in_emergency=True), 300, True, False),
    ],
)
def test_windows_are_void_once_the_advance_is_in_use(
    rules: CreditRules, balance: int, taken: bool, void: bool
) -> None:
    """Only where the profile says so, and only for who has taken it."""
    assert standing(rules, balance, taken).window_void is void


@st.composite
def any_rules(draw: st.DrawFn) -> CreditRules:
    """Rules without contradictions."""
    selection = draw(st.sampled_from(EmergencySelection))
    limit = draw(st.integers(-3000, 0))
    has = selection is not EmergencySelection.NONE
    return CreditRules(
        limit=limit,
        low_threshold=draw(st.integers(-100, 1000)),
        emergency_amount=draw(st.integers(1, 3000)) if has else 0,
        emergency_selection=selection,
        emergency_threshold=draw(st.integers(limit, 1000)) if has else 0,
        window_void_in_emergency=draw(st.booleans()),
    )


balances = st.integers(-8000, 8000)


@given(any_rules(), balances, st.booleans())
def test_the_laws_of_a_standing(rules: CreditRules, balance: int, taken: bool) -> None:
    """What holds for any rules and any balance."""
    judged = standing(rules, balance, taken)
    assert judged.out_of_credit is (judged.in_use is None)
    assert 0 <= judged.emergency_available <= rules.emergency_amount
    assert judged.available >= 0
    assert balance + judged.amount_to_clear >= 0
    floor = rules.floor if judged.emergency_selected else rules.limit
    assert judged.out_of_credit is (balance <= floor)
    assert judged.status_bits[0] != judged.status_bits[6]
    assert sum(map(int, judged.status_bits[2:6])) <= 1
    assert judged.status_bits[7] == "0"


@given(any_rules(), st.lists(balances, max_size=8), st.booleans())
def test_judging_twice_changes_nothing(rules: CreditRules, history: list[int], taken: bool) -> None:
    """The selection that comes out is the state to keep: no rattling at a standing balance."""
    for balance in history:
        first = standing(rules, balance, taken)
        taken = first.emergency_selected
        assert standing(rules, balance, taken) == first


@given(any_rules(), balances, st.integers(1, 5000), st.booleans())
def test_less_money_is_never_a_better_standing(
    rules: CreditRules, balance: int, spent: int, taken: bool
) -> None:
    """Once the advance is taken, spending only lowers what is available."""
    before = standing(rules, balance, taken)
    after = standing(rules, balance - spent, before.emergency_selected)
    if not (after.emergency_selected and not before.emergency_selected):
        assert after.available <= before.available
        assert after.out_of_credit >= before.out_of_credit
    assert after.emergency_available <= before.emergency_available


@pytest.mark.parametrize(
    ("figures", "key"),
    [
        ({"limit": 1}, "limit"),
        ({"emergency_amount": -1}, "emergency_amount"),
        ({"emergency_amount": 100}, "emergency_selection"),
        ({"emergency_selection": EmergencySelection.BUTTON}, "emergency_selection"),
        ({"limit": MIN_AMOUNT - 1}, "limit"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(figures: dict[str, int], key: str) -> None:
    """The message begins with the key."""
    with pytest.raises(ValueError, match=f"^{key}: "):
        CreditRules(**figures)  # type: ignore[arg-type]  # an enum among the ints


def test_an_offer_below_the_limit_would_come_too_late() -> None:
    """Supply would be cut before the customer could press the button."""
    with pytest.raises(ValueError, match=r"^emergency_threshold: "):
        CreditRules(
            emergency_amount=1,
            emergency_selection=EmergencySelection.BUTTON,
            emergency_threshold=-1,
        )


def test_a_standing_is_a_value() -> None:
    """Equal when everything in it is."""
    assert isinstance(standing(ISRAEL, 0, False), Standing)
    assert standing(ISRAEL, 0, False) == standing(ISRAEL, 0, True)


@pytest.mark.parametrize(
    ("balance", "kwh", "days", "lasts", "why"),
    [
        (1000, 21, 7, 9, "3 kWh a day at 35 cents are 105 cents: 9.5 days"),
        (945, 21, 7, 9, "exactly nine"),
        (944, 21, 7, 8, "a cent less"),
        (1000, 3, 1, 9, "one day on record is enough"),
        (0, 21, 7, 0, "none"),
        (-1, 21, 7, 0, "nor with debts"),
        (1000, 0, 7, None, "nobody at home: it lasts for ever"),
        (1000, 21, 0, None, "no day on record"),
    ],
)
def test_how_long_a_balance_lasts(
    balance: int, kwh: int, days: int, lasts: int | None, why: str
) -> None:
    """The average of the days on record at 35 cents, which is 35,000,000 parts a Wh."""
    assert days_left(balance, kwh * 1000 * 35_000_000, days) == lasts, why


def test_recent_use_is_averaged_exactly() -> None:
    """10 Wh in 7 days at 35 cents are 0.05 cents a day: a cent lasts for 20 days, not 21."""
    assert days_left(1, 10 * 35_000_000, 7) == 20


@pytest.mark.parametrize(
    ("balance", "lasts", "low"),
    [
        (500, 3, False),
        (500, 2, True),  # for fewer than three days
        (499, 3, True),  # under the threshold
        (99999, 2, True),
        (500, None, False),
        (500, 0, True),
    ],
)
def test_low_by_amount_or_by_days(balance: int, lasts: int | None, low: bool) -> None:
    """Either is enough; days count only where the profile says how many."""
    rules = replace(WALLONIA, low_days=3)
    assert standing(rules, balance, False, lasts).low is low
    assert standing(WALLONIA, balance, False, lasts).low is (balance < 500)


@pytest.mark.parametrize("days", [-1, 367])
def test_a_warning_of_no_days_or_too_many_is_refused(days: int) -> None:
    """At most a year ahead."""
    with pytest.raises(ValueError, match="low_days"):
        CreditRules(low_days=days)
