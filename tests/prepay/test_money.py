"""Money: text at the edge, whole minor units inside."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.money import (
    EUR,
    ILS,
    MAX_AMOUNT,
    MIN_AMOUNT,
    AmountError,
    Currency,
    format_amount,
    parse_amount,
)

YEN = Currency("JPY", 0, "¥")
DINAR = Currency("KWD", -3, "KD")


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("25.00", 2500),
        ("25", 2500),
        ("25.5", 2550),
        ("+25.05", 2505),
        ("0.01", 1),
        ("007.10", 710),
        ("0", 0),
        ("-0.00", 0),
        ("21474836.47", MAX_AMOUNT),
    ],
)
def test_a_plain_amount_is_read_in_minor_units(text: str, minor: int) -> None:
    """Up to the currency's decimals, and up to the last cent of a double-long."""
    assert parse_amount(text, EUR) == minor


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "missing"),
        ("abc", "not a plain amount"),
        ("25,00", "not a comma"),
        ("1,000.00", "not a comma"),
        ("25.005", "more than the 2 decimals of EUR"),
        ("25.000", "more than the 2 decimals of EUR"),
        ("1e9", "not a plain amount"),
        ("NaN", "not a plain amount"),
        ("inf", "not a plain amount"),
        ("-Infinity", "not a plain amount"),
        ("25.", "not a plain amount"),
        (".5", "not a plain amount"),
        ("2_5", "not a plain amount"),
        (" 25", "not a plain amount"),
        ("25\n", "not a plain amount"),
        ("--5", "not a plain amount"),
        ("0x10", "not a plain amount"),
        ("٢٥", "not a plain amount"),
        ("２５", "not a plain amount"),
        ("€25", "not a plain amount"),
        ("21474836.48", "between -21474836.48 and 21474836.47"),
        ("9" * 100_000, "between"),
        ("1." + "0" * 100_000, "decimals"),
        ("x" * 100_000, "not a plain amount"),
    ],
)
def test_everything_else_is_refused_in_one_short_line(text: str, hint: str) -> None:
    """The message says what to write instead, and stays short whatever was sent."""
    with pytest.raises(AmountError) as refused:
        parse_amount(text, EUR)
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 160
    assert "\n" not in str(refused.value)


def test_sign_and_zero_are_allowed_by_whoever_asks() -> None:
    """A top-up is above zero, an adjustment may be below it."""
    assert parse_amount("-3.20", EUR, allow_negative=True) == -320
    assert parse_amount("-21474836.48", EUR, allow_negative=True) == MIN_AMOUNT
    with pytest.raises(AmountError, match="negative"):
        parse_amount("-0.01", EUR)
    with pytest.raises(AmountError, match="zero"):
        parse_amount("0.00", EUR, allow_zero=False)
    with pytest.raises(AmountError, match="between"):
        parse_amount("-21474836.49", EUR, allow_negative=True)


@pytest.mark.parametrize(
    ("number", "minor"),
    [("25.000", 2500), ("2.5E+1", 2500), ("0E+999999", 0), ("-0.0000000000", 0), ("1E-2", 1)],
)
def test_a_decimal_is_taken_by_its_value(number: str, minor: int) -> None:
    """Unlike a text, a Decimal has no notation that could be misread."""
    assert parse_amount(Decimal(number), EUR) == minor


@pytest.mark.parametrize(
    "number",
    [
        "25.005",
        "0.001",
        "1E+25",
        "1E+999999999",
        "1E-999999999",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1E+9",
    ],
)
def test_a_decimal_that_is_no_amount_is_refused(number: str) -> None:
    """Also where writing it out would take gigabytes."""
    with pytest.raises(AmountError) as refused:
        parse_amount(Decimal(number), EUR)
    assert len(str(refused.value)) < 160


def test_a_decimal_of_many_digits_is_looked_at_without_a_limit() -> None:
    """Python refuses to make an int of more than 4300 digits; zeros at the end are none."""
    with pytest.raises(AmountError, match="decimals"):
        parse_amount(Decimal("0." + "1" * 100_000), EUR)
    with pytest.raises(AmountError, match="between"):
        parse_amount(Decimal("1" * 100_000), EUR)
    assert parse_amount(Decimal("25." + "0" * 100_000), EUR) == 2500


def test_a_float_is_a_mistake_of_the_caller() -> None:
    """Binary fractions have no place in money, so they are not even refused politely."""
    with pytest.raises(TypeError, match="float"):
        parse_amount(0.1, EUR)  # type: ignore[arg-type]  # the mistake itself


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (2500, EUR, "25.00"),
        (-320, EUR, "-3.20"),
        (-5, ILS, "-0.05"),
        (0, EUR, "0.00"),
        (250, YEN, "250"),
        (-1, YEN, "-1"),
        (1001, DINAR, "1.001"),
        (MIN_AMOUNT, EUR, "-21474836.48"),
    ],
)
def test_an_amount_is_written_with_every_decimal(minor: int, currency: Currency, text: str) -> None:
    """As many decimals as the currency has, and the sign of amounts below one unit too."""
    assert format_amount(minor, currency) == text


@given(st.integers(MIN_AMOUNT, MAX_AMOUNT), st.sampled_from([EUR, ILS, YEN, DINAR]))
def test_reading_and_writing_are_inverses(minor: int, currency: Currency) -> None:
    """Each amount of a double-long survives the round trip, as text and as Decimal."""
    text = format_amount(minor, currency)
    assert parse_amount(text, currency, allow_negative=True) == minor
    assert parse_amount(Decimal(text), currency, allow_negative=True) == minor


@given(st.text(alphabet=st.sampled_from("0123456789.,-+eE_ xNaif٣٫\x00\n"), max_size=40))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    """What is taken, is what Decimal makes of it."""
    try:
        minor = parse_amount(text, EUR, allow_negative=True)
    except AmountError:
        return
    assert Decimal(minor) == Decimal(text) * 100


def test_a_currency_has_a_sane_minor_unit() -> None:
    """An exponent of +2 for cents is the usual slip."""
    with pytest.raises(ValueError, match="exponent"):
        Currency("EUR", 2, "€")
