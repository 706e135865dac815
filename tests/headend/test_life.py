"""A meter's life, and the number of its point of delivery: rules without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.errors import Refused
from headend.registry.ean import LENGTH, check_digit, check_ean
from headend.registry.life import NO_MONEY, STEPS, Life, check_order, check_reachable, check_step
from headend.store.transactions import Order

#: The table of ``headend.registry.life``, written down a second time: rows from, columns to.
ALLOWED = """
                 met registered commissioned in-service out-of-service retired
met               x      x           x           x            -           x
registered        -      x           x           x            -           x
commissioned      -      x           x           x            x           x
in-service        -      -           -           x            x           x
out-of-service    -      -           -           x            x           x
retired           -      x           -           -            -           x
"""


def steps() -> list[tuple[str, str, bool]]:
    """Return each step of the table, and whether it is taken."""
    heading, *rows = [line.split() for line in ALLOWED.strip().splitlines()]
    return [
        (row[0], after, mark == "x")
        for row in rows
        for after, mark in zip(heading, row[1:], strict=True)
    ]


@pytest.mark.parametrize(("before", "after", "allowed"), steps())
def test_a_life_takes_the_steps_of_its_table(before: str, after: str, allowed: bool) -> None:
    """And no other; a refusal names those there are."""
    if allowed:
        check_step("OPP1", before, after)
        return
    with pytest.raises(Refused, match=f"OPP1 is {before}") as refused:
        check_step("OPP1", before, after)
    assert all(each.value in str(refused.value) for each in STEPS[Life(before)])


def test_the_table_has_every_life() -> None:
    """Nothing can be added to the lives without a row."""
    assert set(STEPS) == set(Life) == {Life(before) for before, _, _ in steps()}


MONEY = {"topup", "activate", "deactivate", "morning", "mode"}


@pytest.mark.parametrize("life", Life)
@pytest.mark.parametrize("kind", Order)
def test_money_moves_in_some_lives_only(life: Life, kind: Order) -> None:
    """Registered, out of service, retired: none; what moves none is ordered in every life."""
    if life in ("registered", "out-of-service", "retired") and kind in MONEY:
        with pytest.raises(Refused, match=f"OPP1 is {life}, so no money moves"):
            check_order("OPP1", life, kind)
    elif kind in MONEY or kind in ("arm", "customer", "withdraw", "cancel"):
        check_order("OPP1", life, kind)


def test_an_order_that_nobody_has_heard_of_is_taken_to_move_money() -> None:
    """A new kind of order is refused too much rather than too little."""
    for life in NO_MONEY:
        with pytest.raises(Refused):
            check_order("OPP1", life, "nosuch")


def test_only_a_retired_meter_is_not_spoken_to() -> None:
    """Its books can still be read, and that is said."""
    for life in Life:
        if life is not Life.RETIRED:
            check_reachable("OPP1", life)
    with pytest.raises(Refused, match="prepay ledger --meter OPP1"):
        check_reachable("OPP1", Life.RETIRED)


# --- EAN-18 ------------------------------------------------------------------------------------

#: Numbers whose last digit is their check digit, and who publishes them.
PUBLISHED = {
    "376104250021234569": "the example of 18 digits in GS1's General Specifications, as the test "
    "suites of zint, of the Ruby gem gtin and of other public barcode libraries carry it",
    "6291041500213": "gs1hk.org/CheckDigitCalculator_en.htm",
    "8904000210037": "gs1india.org/SERV/checkdgt.htm",
    "7300011000017": "gs1.se, Så beräknas kontrollsiffran",
    "036000241457": "the box of tissues of Wikipedia's Universal Product Code",
}


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_numbers_check(number: str) -> None:
    """One calculation for all lengths, weighed from the right."""
    assert check_digit(number[:-1]) == int(number[-1])


@given(st.text("0123456789", min_size=LENGTH - 1, max_size=LENGTH - 1), st.data())
def test_every_wrong_digit_is_noticed(digits: str, data: st.DataObject) -> None:
    """Both weights are prime to ten, so no digit can be another."""
    ean = f"{digits}{check_digit(digits)}"
    assert check_ean(ean) == ean
    place = data.draw(st.integers(0, LENGTH - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != ean[place]))
    with pytest.raises(ValueError, match="does not check"):
        check_ean(ean[:place] + other + ean[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "37610425002123456",
        "3761042500212345690",
        "37610425002123456X",
        "３７６１０４２５００２１２３４５６９",
    ],
)
def test_what_is_not_eighteen_digits_is_no_ean(text: str) -> None:
    """Too short, too long, a letter, and digits of another script."""
    with pytest.raises(ValueError, match="it has 18 digits"):
        check_ean(text)
