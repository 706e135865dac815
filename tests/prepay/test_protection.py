"""Protected customers: months and winters in local dates, worked out by hand."""

from datetime import date, timedelta
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.profile import ProfileError, load_profile
from prepay.profile_schema import parse_profile
from prepay.protection import ProtectionRules, Winter, recurrent_on

WALLONIA = Winter.parse("11-01", "03-15")


@pytest.mark.parametrize(
    ("day", "covered"),
    [
        ("2026-10-31", False),
        ("2026-11-01", True),
        ("2026-12-31", True),
        ("2027-01-01", True),
        ("2027-03-15", True),
        ("2027-03-16", False),
        ("2028-02-29", True),
        ("2027-07-01", False),
    ],
)
def test_a_walloon_winter_is_from_1_november_to_15_march(day: str, covered: bool) -> None:
    """Both days included, over the turn of the year."""
    assert WALLONIA.covers(date.fromisoformat(day)) is covered


def test_a_winter_within_one_year_does_not_go_over_its_turn() -> None:
    """As south of the equator."""
    winter = Winter.parse("06-01", "08-31")
    assert winter.covers(date(2027, 6, 1))
    assert winter.covers(date(2027, 8, 31))
    assert not winter.covers(date(2027, 1, 1))
    assert not winter.covers(date(2027, 12, 31))


@given(st.dates(date(2000, 1, 1), date(2099, 12, 30)))
def test_winter_begins_once_and_ends_once_a_year(day: date) -> None:
    """Two neighbouring days differ at its edges only."""
    after = day + timedelta(days=1)
    edge = (after.month, after.day) in ((11, 1), (3, 16))
    assert (WALLONIA.covers(day) is not WALLONIA.covers(after)) is edge


@pytest.mark.parametrize(
    "text", ["", "11", "1-11", "13-01", "02-30", "11/01", "-1-01", "11-1 ", "½1-01"]
)
def test_what_is_no_day_is_no_end_of_a_winter(text: str) -> None:
    """It is told of as what it is."""
    with pytest.raises(ValueError, match=r"11-01|month|day"):
        Winter.parse(text, "03-15")


@pytest.mark.parametrize(
    ("since", "months", "expected"),
    [
        ("2026-11-02", 6, "2027-05-02"),
        ("2026-08-31", 6, "2027-02-28"),  # no 31 February
        ("2027-08-31", 6, "2028-02-29"),  # a leap year
        ("2026-12-31", 6, "2027-06-30"),
        ("2026-01-15", 12, "2027-01-15"),
        ("2026-06-30", 6, "2026-12-30"),
        ("2026-07-01", 6, "2027-01-01"),
    ],
)
def test_months_are_counted_to_the_same_day_or_the_last(
    since: str, months: int, expected: str
) -> None:
    """Calendar months, not blocks of thirty days."""
    assert recurrent_on(date.fromisoformat(since), months) == date.fromisoformat(expected)


def test_the_walloon_profile_has_minimum_supply_and_the_israeli_has_none() -> None:
    """1300 W and six months are documented; the limiter's seconds are not."""
    rules = load_profile("be-wal").protection
    assert rules == ProtectionRules(1300, 60, 60, 6, WALLONIA)
    assert load_profile("il").protection is None


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("threshold_w", "0", "some power"),
        ("over", "-1", "at most a day"),
        ("rest", "0", "at most a day"),
        ("months", "0", "1 to 120"),
        ("winter_from", '"31 October"', "no month and day"),
        ("winter_to", '"02-30"', "day"),
    ],
)
def test_a_bad_figure_is_refused_with_its_line(key: str, value: str, told: str) -> None:
    """The profile says where."""
    text = (resources.files("prepay") / "profiles" / "be-wal.toml").read_text("utf-8")
    lines = [
        f"{key} = {value}" if each.startswith(f"{key} ") else each for each in text.split("\n")
    ]
    with pytest.raises(ProfileError, match=told) as refused:
        parse_profile("\n".join(lines), "be-wal.toml")
    assert refused.value.key.startswith("protection")
    assert refused.value.line is not None
