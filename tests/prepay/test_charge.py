"""The consumption charge: exact, whatever the steps in which it is collected."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.charge import MAX_PRICE, REMAINDER_PER_MINOR, Tariff, TariffError, collect
from prepay.money import EUR, Currency

tariffs = st.builds(Tariff, st.integers(0, MAX_PRICE), st.integers(-6, 0))
currencies = st.sampled_from([EUR, Currency("JPY", 0, "¥"), Currency("KWD", -3, "KD")])
energies = st.lists(st.integers(0, 10**7), max_size=30)


@given(tariffs, currencies, energies)
def test_any_partition_of_the_energy_costs_the_same(
    tariff: Tariff, currency: Currency, parts: list[int]
) -> None:
    """In one collection or in thirty, and equal to the fraction that paper gives."""
    total, remainder = 0, 0
    for part in parts:
        amount, remainder = collect(tariff, part, remainder, currency)
        total += amount
    assert (total, remainder) == collect(tariff, sum(parts), 0, currency)
    exact = Fraction(sum(parts), 1000) * tariff.price * Fraction(10) ** tariff.exponent
    exact *= currency.minor_per_unit
    assert total + Fraction(remainder, REMAINDER_PER_MINOR) == exact


@given(tariffs, tariffs, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_change_of_tariff_keeps_the_remainder(
    old: Tariff, new: Tariff, before: int, after: int
) -> None:
    """It is counted in the same parts under every tariff."""
    first, remainder = collect(old, before, 0, EUR)
    second, remainder = collect(new, after, remainder, EUR)
    exact = sum(
        Fraction(energy, 1000) * Fraction(tariff.price_per_kwh) * 100
        for energy, tariff in ((before, old), (after, new))
    )
    assert first + second + Fraction(remainder, REMAINDER_PER_MINOR) == exact


@pytest.mark.parametrize(
    ("watt_hours", "amount", "remainder"),
    [
        (0, 0, 0),
        (1, 0, 35_000_000),  # 0.035 cents
        (28, 0, 980_000_000),
        (29, 1, 15_000_000),
        (1000, 35, 0),
        (57_142, 1999, 970_000_000),
        (57_143, 2000, 5_000_000),  # the 20 euros of a start credit at 35 cents
    ],
)
def test_at_35_cents_a_cent_lasts_29_watt_hours(
    watt_hours: int, amount: int, remainder: int
) -> None:
    """Figures done by hand."""
    assert collect(Tariff.per_kwh("0.35"), watt_hours, 0, EUR) == (amount, remainder)


def test_a_collection_refuses_what_no_meter_has() -> None:
    """Energy does not run backwards, and a remainder is below one minor unit."""
    tariff = Tariff(35, -2)
    with pytest.raises(ValueError, match="forwards"):
        collect(tariff, -1, 0, EUR)
    for remainder in (-1, REMAINDER_PER_MINOR):
        with pytest.raises(ValueError, match="remainder"):
            collect(tariff, 1, remainder, EUR)


@pytest.mark.parametrize(
    ("price", "tariff"),
    [
        ("0", Tariff(0, 0)),
        ("0.35", Tariff(35, -2)),
        ("0.3500", Tariff(35, -2)),
        ("0.32767", Tariff(32767, -5)),
        ("0.3277", Tariff(3277, -4)),
        ("3.2767", Tariff(32767, -4)),
        ("0.032767", Tariff(32767, -6)),
        ("0.0327670", Tariff(32767, -6)),
        ("0.000001", Tariff(1, -6)),
        ("32767", Tariff(32767, 0)),
        ("1200", Tariff(1200, 0)),
        (Decimal("0.35"), Tariff(35, -2)),
        (Decimal("1.2E+3"), Tariff(1200, 0)),
    ],
)
def test_a_price_takes_the_coarsest_scale_that_is_exact(
    price: str | Decimal, tariff: Tariff
) -> None:
    """charge_per_unit is 16 bits wide on the wire, so the scale is chosen per tariff."""
    assert Tariff.per_kwh(price) == tariff
    assert tariff.price_per_kwh == Decimal(price)


@pytest.mark.parametrize(
    ("price", "why"),
    [
        ("0.32768", "16-bit"),
        ("0.40001", "16-bit"),
        ("32768", "16-bit"),
        ("0.0000001", "16-bit"),
        ("9999999999", "16-bit"),
        ("-0.01", "negative"),
        ("", "not a price"),
        ("abc", "not a price"),
        ("NaN", "not a price"),
        ("1e3", "not a price"),
        ("1_0", "not a price"),
        ("٠.٣", "not a price"),
        ("0." + "1" * 50, "not a price"),
        ("1" * 100_000, "not a price"),
        (Decimal("NaN"), "not a price"),
        (Decimal("1E+999999999"), "not a price"),
        (Decimal("1E-999999999"), "not a price"),
        (Decimal("Infinity"), "not a price"),
    ],
)
def test_a_price_that_class_113_cannot_carry_is_refused(price: str | Decimal, why: str) -> None:
    """Rather than rounded."""
    with pytest.raises(TariffError, match=why) as refused:
        Tariff.per_kwh(price)
    assert len(str(refused.value)) < 160


@given(tariffs)
def test_a_tariff_survives_its_price(tariff: Tariff) -> None:
    """The scale may come out coarser, the price the same."""
    again = Tariff.per_kwh(tariff.price_per_kwh)
    assert again.price_per_kwh == tariff.price_per_kwh
    assert again.exponent >= tariff.exponent


@pytest.mark.parametrize(("price", "exponent"), [(-1, 0), (32768, 0), (1, 1), (1, -7)])
def test_a_tariff_outside_the_wire_is_refused(price: int, exponent: int) -> None:
    """Also when it was read from somewhere as two numbers."""
    with pytest.raises(TariffError):
        Tariff(price, exponent)
