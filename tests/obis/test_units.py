"""Units and scalers."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.units import SCALERS, ScaleError, Unit, format_scaled, scaled, symbol, unscaled

scalers = st.integers(SCALERS.start, SCALERS.stop - 1)
registers = st.integers(-(1 << 63), (1 << 64) - 1)


@pytest.mark.parametrize(
    ("number", "unit", "written"),
    [
        (10, Unit.CURRENCY, "currency"),
        (13, Unit.CUBIC_METRE, "m³"),
        (27, Unit.WATT, "W"),
        (30, Unit.WATT_HOUR, "Wh"),
        (33, Unit.AMPERE, "A"),
        (35, Unit.VOLT, "V"),
        (44, Unit.HERTZ, "Hz"),
        (56, Unit.PERCENT, "%"),
        (255, Unit.COUNT, ""),
    ],
)
def test_units_have_the_numbers_of_the_book(number: int, unit: Unit, written: str) -> None:
    """The ones that meters of this kind use."""
    assert Unit(number) is unit
    assert unit.symbol == symbol(number) == written


def test_every_unit_has_a_symbol() -> None:
    """No member of the enumeration was left out of the table."""
    assert all(isinstance(unit.symbol, str) for unit in Unit)
    assert [unit for unit in Unit if not unit.symbol] == [Unit.COUNT]


def test_a_unit_without_a_name_is_shown_by_number() -> None:
    """Another maker's meter may use any of the 256."""
    assert symbol(137) == "unit 137"


@pytest.mark.parametrize(
    ("value", "scaler", "unit", "written"),
    [
        (1250, -2, Unit.CURRENCY, "12.50 currency"),
        (-320, -2, None, "-3.20"),
        (5, 3, Unit.WATT_HOUR, "5000 Wh"),
        (7, 0, Unit.COUNT, "7"),
        (0, -3, Unit.CUBIC_METRE, "0.000 m³"),
        (1, -5, None, "0.00001"),
    ],
)
def test_registers_are_written_for_people(
    value: int, scaler: int, unit: Unit | None, written: str
) -> None:
    """With the decimals of the scaler, and never in exponent form."""
    assert format_scaled(value, scaler, unit) == written


@given(registers, scalers)
def test_scaling_and_unscaling_are_inverses(value: int, scaler: int) -> None:
    """No digit is lost, however narrow the decimal context is."""
    with localcontext() as context:
        context.prec = 2
        assert unscaled(scaled(value, scaler), scaler) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), scalers)
def test_unscaling_is_exact_or_refused(amount: Decimal, scaler: int) -> None:
    """An amount becomes an integer that stands for exactly it, or an error."""
    try:
        value = unscaled(amount, scaler)
    except ScaleError:
        return
    assert scaled(value, scaler) == amount


@pytest.mark.parametrize("amount", ["0.001", "1E-400", "-12.345"])
def test_an_amount_finer_than_the_scaler_is_refused(amount: str) -> None:
    """Nothing is rounded away silently."""
    with pytest.raises(ScaleError, match="finer"):
        unscaled(Decimal(amount), -2)


@pytest.mark.parametrize("amount", ["1E+999999", "-9E+600"])
def test_an_absurd_amount_is_refused_before_its_digits_are_made(amount: str) -> None:
    """A short text may stand for a million digits."""
    with pytest.raises(ScaleError, match="too large"):
        unscaled(Decimal(amount), 0)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(amount: str) -> None:
    """``Decimal`` has values that are not numbers."""
    with pytest.raises(ScaleError, match="no number"):
        unscaled(Decimal(amount), 0)


@pytest.mark.parametrize("scaler", [-129, 128])
def test_a_scaler_has_8_bits(scaler: int) -> None:
    """On the wire it is an integer of 8 bits."""
    with pytest.raises(ScaleError, match=r"-128\.\.127"):
        scaled(1, scaler)
    with pytest.raises(ScaleError, match=r"-128\.\.127"):
        unscaled(Decimal(1), scaler)


@pytest.mark.parametrize(("amount", "value"), [("20", 2000), ("20.00", 2000), ("0.0000", 0)])
def test_zeros_after_the_last_decimal_do_not_matter(amount: str, value: int) -> None:
    """20 and 20.00 and 20.000 are one amount."""
    assert unscaled(Decimal(amount), -2) == value
    assert unscaled(Decimal("20.000"), -2) == 2000
