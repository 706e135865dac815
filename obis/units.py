"""The units of COSEM registers (the book's enumeration "unit") and their scalers.

A register holds an integer; times 10 to the power of its scaler it counts units. Numbers and
units as ``gurux-dlms`` and ``pydlms-client`` agree on them. The non-SI units (128 to 174) are not
named here: ``symbol`` shows them by number.
"""

from decimal import Decimal
from enum import IntEnum
from typing import Final

#: A scaler is an 8-bit integer.
SCALERS: Final = range(-128, 128)


class ScaleError(ValueError):
    """A value that no integer stands for at this scaler; the message says why."""


class Unit(IntEnum):
    """A unit, by the number it has on the wire."""

    YEAR = 1
    MONTH = 2
    WEEK = 3
    DAY = 4
    HOUR = 5
    MINUTE = 6
    SECOND = 7
    DEGREE = 8  # phase angle
    DEGREE_CELSIUS = 9
    CURRENCY = 10  # the local one: which, the account says
    METRE = 11
    METRE_PER_SECOND = 12
    CUBIC_METRE = 13
    CUBIC_METRE_CORRECTED = 14
    CUBIC_METRE_PER_HOUR = 15
    CUBIC_METRE_PER_HOUR_CORRECTED = 16
    CUBIC_METRE_PER_DAY = 17
    CUBIC_METRE_PER_DAY_CORRECTED = 18
    LITRE = 19
    KILOGRAM = 20
    NEWTON = 21
    NEWTON_METRE = 22
    PASCAL = 23
    BAR = 24
    JOULE = 25
    JOULE_PER_HOUR = 26
    WATT = 27
    VOLT_AMPERE = 28
    VAR = 29
    WATT_HOUR = 30
    VOLT_AMPERE_HOUR = 31
    VAR_HOUR = 32
    AMPERE = 33
    COULOMB = 34
    VOLT = 35
    VOLT_PER_METRE = 36
    FARAD = 37
    OHM = 38
    OHM_METRE = 39
    WEBER = 40
    TESLA = 41
    AMPERE_PER_METRE = 42
    HENRY = 43
    HERTZ = 44
    PER_WATT_HOUR = 45  # a meter constant, as the next two
    PER_VAR_HOUR = 46
    PER_VOLT_AMPERE_HOUR = 47
    VOLT_SQUARED_HOUR = 48
    AMPERE_SQUARED_HOUR = 49
    KILOGRAM_PER_SECOND = 50
    SIEMENS = 51
    KELVIN = 52
    PER_VOLT_SQUARED_HOUR = 53
    PER_AMPERE_SQUARED_HOUR = 54
    PER_CUBIC_METRE = 55
    PERCENT = 56
    AMPERE_HOUR = 57
    WATT_HOUR_PER_CUBIC_METRE = 60
    JOULE_PER_CUBIC_METRE = 61
    MOLE_PERCENT = 62
    GRAM_PER_CUBIC_METRE = 63
    PASCAL_SECOND = 64
    JOULE_PER_KILOGRAM = 65
    GRAM_PER_SQUARE_CENTIMETRE = 66
    ATMOSPHERE = 67
    DECIBEL_MILLIWATT = 70
    DECIBEL_MICROVOLT = 71
    DECIBEL = 72
    OTHER = 254
    COUNT = 255  # no unit: a plain number

    @property
    def symbol(self) -> str:
        """How the unit is written; empty for a plain number."""
        return _SYMBOLS[self]


_SYMBOLS: Final[dict[Unit, str]] = {
    Unit.YEAR: "a",
    Unit.MONTH: "mo",
    Unit.WEEK: "wk",
    Unit.DAY: "d",
    Unit.HOUR: "h",
    Unit.MINUTE: "min",
    Unit.SECOND: "s",
    Unit.DEGREE: "°",
    Unit.DEGREE_CELSIUS: "°C",
    Unit.CURRENCY: "currency",
    Unit.METRE: "m",
    Unit.METRE_PER_SECOND: "m/s",
    Unit.CUBIC_METRE: "m³",
    Unit.CUBIC_METRE_CORRECTED: "m³",
    Unit.CUBIC_METRE_PER_HOUR: "m³/h",
    Unit.CUBIC_METRE_PER_HOUR_CORRECTED: "m³/h",
    Unit.CUBIC_METRE_PER_DAY: "m³/d",
    Unit.CUBIC_METRE_PER_DAY_CORRECTED: "m³/d",
    Unit.LITRE: "l",
    Unit.KILOGRAM: "kg",
    Unit.NEWTON: "N",
    Unit.NEWTON_METRE: "Nm",
    Unit.PASCAL: "Pa",
    Unit.BAR: "bar",
    Unit.JOULE: "J",
    Unit.JOULE_PER_HOUR: "J/h",
    Unit.WATT: "W",
    Unit.VOLT_AMPERE: "VA",
    Unit.VAR: "var",
    Unit.WATT_HOUR: "Wh",
    Unit.VOLT_AMPERE_HOUR: "VAh",
    Unit.VAR_HOUR: "varh",
    Unit.AMPERE: "A",
    Unit.COULOMB: "C",
    Unit.VOLT: "V",
    Unit.VOLT_PER_METRE: "V/m",
    Unit.FARAD: "F",
    Unit.OHM: "Ω",
    Unit.OHM_METRE: "Ωm²/m",
    Unit.WEBER: "Wb",
    Unit.TESLA: "T",
    Unit.AMPERE_PER_METRE: "A/m",
    Unit.HENRY: "H",
    Unit.HERTZ: "Hz",
    Unit.PER_WATT_HOUR: "1/Wh",
    Unit.PER_VAR_HOUR: "1/varh",
    Unit.PER_VOLT_AMPERE_HOUR: "1/VAh",
    Unit.VOLT_SQUARED_HOUR: "V²h",
    Unit.AMPERE_SQUARED_HOUR: "A²h",
    Unit.KILOGRAM_PER_SECOND: "kg/s",
    Unit.SIEMENS: "S",
    Unit.KELVIN: "K",
    Unit.PER_VOLT_SQUARED_HOUR: "1/V²h",
    Unit.PER_AMPERE_SQUARED_HOUR: "1/A²h",
    Unit.PER_CUBIC_METRE: "1/m³",
    Unit.PERCENT: "%",
    Unit.AMPERE_HOUR: "Ah",
    Unit.WATT_HOUR_PER_CUBIC_METRE: "Wh/m³",
    Unit.JOULE_PER_CUBIC_METRE: "J/m³",
    Unit.MOLE_PERCENT: "Mol %",
    Unit.GRAM_PER_CUBIC_METRE: "g/m³",
    Unit.PASCAL_SECOND: "Pa s",
    Unit.JOULE_PER_KILOGRAM: "J/kg",
    Unit.GRAM_PER_SQUARE_CENTIMETRE: "g/cm²",
    Unit.ATMOSPHERE: "atm",
    Unit.DECIBEL_MILLIWATT: "dBm",
    Unit.DECIBEL_MICROVOLT: "dBµV",
    Unit.DECIBEL: "dB",
    Unit.OTHER: "other",
    Unit.COUNT: "",
}


def symbol(number: int) -> str:
    """Return how the unit of this number is written; "unit 137" for one that has no name here."""
    try:
        return Unit(number).symbol
    except ValueError:
        return f"unit {number}"


def scaled(value: int, scaler: int) -> Decimal:
    """Return what ``value`` stands for at ``scaler``, exactly, whatever the decimal context.

    Raises:
        ScaleError: the scaler is not within -128..127.
    """
    _check_scaler(scaler)
    digits = tuple(int(digit) for digit in str(abs(value)))
    return Decimal((int(value < 0), digits, scaler))


def unscaled(amount: Decimal, scaler: int) -> int:
    """Return the integer that stands for ``amount`` at ``scaler``.

    Raises:
        ScaleError: the amount is finer than the scaler, no number, or absurdly large.
    """
    _check_scaler(scaler)
    sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        raise ScaleError(f"{amount} is no number: give a finite one")
    if not amount:
        return 0
    shift = exponent - scaler
    # Bounded before 10 to that power is made of it: "1E+999999" is a short text.
    if len(digits) + shift > 2 * len(SCALERS):
        raise ScaleError(f"{amount:.3E} is too large for a register")
    magnitude = int("".join(map(str, digits)))
    if shift >= 0:
        magnitude *= int(10**shift)
    else:
        magnitude, rest = divmod(magnitude, int(10 ** min(-shift, len(digits))))
        if rest:
            raise ScaleError(f"{amount} is finer than 10^{scaler}: give fewer decimals")
    return -magnitude if sign else magnitude


def format_scaled(value: int, scaler: int, unit: Unit | None = None) -> str:
    """Return a register's value for people: "12.50 kg", "-3.20"; never in exponent form.

    Raises:
        ScaleError: the scaler is not within -128..127.
    """
    number = f"{scaled(value, scaler):f}"
    return f"{number} {unit.symbol}" if unit is not None and unit.symbol else number


def _check_scaler(scaler: int) -> None:
    if scaler not in SCALERS:
        raise ScaleError(f"a scaler of {scaler} is out of range: give -128..127")
