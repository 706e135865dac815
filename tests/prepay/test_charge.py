"""The consumption charge: exact, whatever the steps in which it is collected."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.charge import (
    MAX_PRICE,
    MIN_PRICE,
    REMAINDER_PER_MINOR,
    Charge,
    ChargeError,
    ChargeType,
    Tariff,
    TariffError,
    When,
    collect,
)
from prepay.money import EUR, Currency

tariffs = st.builds(Tariff, st.integers(MIN_PRICE, MAX_PRICE), st.integers(-6, 0))
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
        ("-0.05", Tariff(-5, -2)),  # feed-in is worth something
        ("-0.32768", Tariff(-32768, -5)),
        ("-32768", Tariff(-32768, 0)),
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
        ("-0.32769", "16-bit"),
        ("-32769", "16-bit"),
        ("--1", "not a price"),
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


@pytest.mark.parametrize(
    ("watt_hours", "amount", "remainder"),
    [
        (0, 0, 0),
        (1, -1, 995_000_000),  # 0.005 cents for the customer: rounded down, the rest is kept
        (199, -1, 5_000_000),
        (200, -1, 0),
        (201, -2, 995_000_000),
        (20_000, -100, 0),
    ],
)
def test_a_negative_price_is_rounded_down_too(watt_hours: int, amount: int, remainder: int) -> None:
    """Feed-in at 5 cents: what is given too early is taken from the next collection."""
    assert collect(Tariff.per_kwh("-0.05"), watt_hours, 0, EUR) == (amount, remainder)


@pytest.mark.parametrize(
    ("amount", "tariff"),
    [
        (0, Tariff(0, 0)),
        (1250, Tariff(125, -1)),
        (32767, Tariff(32767, -2)),
        (40000, Tariff(400, 0)),
    ],
)
def test_a_fixed_amount_goes_into_class_113_like_a_price(amount: int, tariff: Tariff) -> None:
    """EUR 12.50 is 125 at a scale of -1; EUR 400 fits only at a scale of 0."""
    assert Tariff.of_amount(amount, EUR) == tariff


def test_a_fixed_amount_of_too_many_digits_is_refused() -> None:
    """EUR 400.01 is 40001 at the scale of the cent."""
    with pytest.raises(TariffError, match="16-bit"):
        Tariff.of_amount(40001, EUR)


ENERGY = {"register": "1-0:1.8.0", "tariffs": (Tariff(35, -2),)}


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        (ChargeType.CONSUMPTION, {**ENERGY, "continuous": False}, "until_paid"),
        (ChargeType.CONSUMPTION, {**ENERGY, "register": "1-0:9.9.9"}, "register"),
        (ChargeType.CONSUMPTION, {**ENERGY, "tariffs": ()}, "price"),
        (ChargeType.CONSUMPTION, {**ENERGY, "tariffs": (Tariff(1, 0),) * 5}, "price"),
        (ChargeType.CONSUMPTION, {**ENERGY, "amount": 1}, "amount"),
        (ChargeType.CONSUMPTION, {**ENERGY, "period_days": 1}, "period_days"),
        (ChargeType.CONSUMPTION, {**ENERGY, "proportion": 1}, "proportion"),
        (ChargeType.TIME, {"amount": 1}, "period_days"),
        (ChargeType.TIME, {"amount": 1, "period_days": 3661}, "period_days"),
        (ChargeType.TIME, {"amount": -1, "period_days": 1}, "amount"),
        (ChargeType.TIME, {"period_days": 1, **ENERGY}, "register"),
        (ChargeType.TIME, {"period_days": 1, "of_rest": True}, "proportion"),
        (ChargeType.PAYMENT_EVENT, {"proportion": 10001}, "proportion"),
        (ChargeType.PAYMENT_EVENT, {"proportion": -1}, "proportion"),
        (ChargeType.PAYMENT_EVENT, {"proportion": 1, "amount": 1}, "proportion"),
        (ChargeType.PAYMENT_EVENT, {"amount": 1, "continuous": False}, "until_paid"),
        (ChargeType.PAYMENT_EVENT, {"period_days": 7}, "period_days"),
        (ChargeType.PAYMENT_EVENT, {"priority": 256}, "priority"),
        (ChargeType.PAYMENT_EVENT, {"name": "credit"}, "name"),
        (ChargeType.PAYMENT_EVENT, {"name": "Fee!"}, "name"),
    ],
)
def test_a_charge_that_contradicts_itself_is_refused(
    kind: ChargeType, fields: dict[str, Any], wrong: str
) -> None:
    """With the field at fault."""
    with pytest.raises(ChargeError) as refused:
        Charge(**{"name": "charge", "type": kind, **fields})
    assert refused.value.field == wrong


def test_when_a_charge_is_collected_goes_into_three_bits() -> None:
    """collection_configuration: disconnected, limited, friendly."""
    assert When().bits == "111"
    assert When(disconnected=False).bits == "011"
    assert When(disconnected=False, limited=False).bits == "001"
    assert When(friendly=False).bits == "110"
    assert When().always
    for when in (When(disconnected=False), When(limited=False), When(friendly=False)):
        assert not when.always


@given(tariffs)
def test_a_tariff_survives_its_price(tariff: Tariff) -> None:
    """The scale may come out coarser, the price the same."""
    again = Tariff.per_kwh(tariff.price_per_kwh)
    assert again.price_per_kwh == tariff.price_per_kwh
    assert again.exponent >= tariff.exponent


@pytest.mark.parametrize(("price", "exponent"), [(-32769, 0), (32768, 0), (1, 1), (1, -7)])
def test_a_tariff_outside_the_wire_is_refused(price: int, exponent: int) -> None:
    """Also when it was read from somewhere as two numbers."""
    with pytest.raises(TariffError):
        Tariff(price, exponent)
