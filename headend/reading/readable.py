"""An attribute's value as people write it: scaled, in words, with its unit or currency.

| class and attribute | written |
|---|---|
| registers, by their scaler and unit | 20.00 EUR |
| the amounts of account, credit and charge, by the account's currency | 20.00 EUR |
| enumerations that ``protocol.cosem`` declares | connected |
| bit-strings that it declares | in credit, low credit |
| scaler and unit | 10^0 Wh |
| date and time | 2026-11-21T23:41:01+01:00 |
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from msgspec import Struct

from headend.device import Device
from headend.errors import Refused
from headend.reading.objects import profile_of
from headend.times import meter_text
from obis import catalogue
from obis.code import ObisCode
from obis.units import SCALERS, Unit, format_scaled, symbol
from protocol.axdr import Data, Tag
from protocol.cosem import account, charge, credit, disconnect_control, token_gateway, vendor_shown
from protocol.cosem.types import TypeMismatch
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, ProtocolError
from protocol.events import AttributeRef

#: Where a class keeps the scaler and unit of an attribute: class, attribute -> attribute.
_SCALER_UNIT: Final = {(3, 2): 3, (4, 2): 3, (5, 2): 4, (5, 3): 4}
_SCALERS_THEMSELVES: Final = frozenset({(3, 3), (4, 3), (5, 4)})
_MODE_AND_STATUS, _CURRENCY, _THRESHOLD = (111, 2), (111, 15), (111, 17)
#: Amounts in the account's currency: class, attributes.
_MONEY: Final = frozenset(
    (class_id, index)
    for class_id, indices in (
        (111, (5, 6, 7, 8, 16, 17)),
        (112, (2, 5, 6, 9, 10)),
        (113, (2, 11, 12)),
    )
    for index in indices
)
_ENUMERATIONS: Final[Mapping[tuple[int, int], type[IntEnum]]] = {
    (70, 3): disconnect_control.ControlState,
    (112, 3): credit.CreditType,
    (112, 8): credit.CreditStatus,
    (113, 3): charge.ChargeType,
    (115, 5): token_gateway.DeliveryMethod,
}
_BITS: Final[Mapping[tuple[int, int], type[IntEnum]]] = {
    (111, 4): account.CreditStatusBit,
    (112, 7): credit.CreditConfigurationBit,
    (113, 9): charge.ChargeConfigurationBit,
}
#: Of Data, the object says what the value means.
_OWN_BITS: Final = {catalogue.RELAY_CAUSES: vendor_shown.RelayCauseBit}
_OWN_WORDS: Final = {catalogue.BALANCE_MODE: ("central", "local")}
_DATE_TIME_OCTETS: Final = 12


class Readable(Struct, frozen=True):
    """A value for people.

    Args:
        value: in digits or words; None where the raw one says as much.
        unit: its unit or currency; empty without one.
    """

    value: str | None
    unit: str = ""

    @property
    def text(self) -> str | None:
        """Value and unit together."""
        return None if self.value is None else f"{self.value} {self.unit}".rstrip()


def readable(device: Device, code: ObisCode, class_id: int, index: int, data: Data) -> Readable:
    """Return an attribute's value as people write it; what that takes is asked of the meter."""
    attribute, value = (class_id, index), data.value
    if isinstance(value, int) and not isinstance(value, bool):
        if attribute in _SCALER_UNIT:
            return _scaled(device, AttributeRef(class_id, code, _SCALER_UNIT[attribute]), value)
        if attribute in _MONEY:
            return _money(device, attribute, value)
    if attribute in _SCALERS_THEMSELVES:
        found = _scaler_and_unit(data)
        return Readable(None) if found is None else _power_of_ten(device, *found)
    return Readable(_words(code, attribute, data) or _plain(data))


def _words(code: ObisCode, attribute: tuple[int, int], data: Data) -> str | None:
    """Return a value of a declared meaning in words."""
    members = _members(data)
    if attribute == _MODE_AND_STATUS and len(members) == 2:
        mode, status = members
        shown = _word(account.PaymentMode, mode), _word(account.AccountStatus, status)
        return f"{shown[0]}, {shown[1]}"
    if attribute == _CURRENCY and len(members) == 3:
        name, scale, unit = members
        return f"{ascii(name)[1:-1]}, 10^{scale}, {_word(account.CurrencyUnit, unit)}"
    if attribute in _ENUMERATIONS:
        return _word(_ENUMERATIONS[attribute], data.value)
    if data.tag is Tag.BIT_STRING:
        bits = _BITS.get(attribute) or _OWN_BITS.get(code)
        return None if bits is None else _bits(bits, data.value)
    if data.tag is Tag.ENUM and code in _OWN_WORDS and data.value < len(_OWN_WORDS[code]):
        return _OWN_WORDS[code][data.value]
    return None


def _plain(data: Data) -> str | None:
    """Return a time or a text; None where the raw value says as much."""
    value = data.value
    if isinstance(value, bytes) and len(value) == _DATE_TIME_OCTETS:
        try:
            return meter_text(CosemDateTime.from_bytes(value))
        except ProtocolError:
            return None  # twelve octets of something else
    if data.tag is Tag.OCTET_STRING and value and value.isascii():
        text: str = value.decode("ascii")
        return text if text.isprintable() else None
    if data.tag in (Tag.VISIBLE_STRING, Tag.UTF8_STRING):
        return str(value)
    return None


# --- numbers -------------------------------------------------------------------------------------


def _scaled(device: Device, scaler_unit: AttributeRef, value: int) -> Readable:
    try:
        found = _scaler_and_unit(device.session.get(scaler_unit))
    except AccessRefused:
        return Readable(None)
    if found is None:
        return Readable(None)
    scaler, unit = found
    return Readable(format_scaled(value, scaler), _unit(device, unit))


def _power_of_ten(device: Device, scaler: int, unit: int) -> Readable:
    return Readable(f"10^{scaler}", _unit(device, unit))


def _unit(device: Device, unit: int) -> str:
    money = _currency(device) if unit == Unit.CURRENCY else None
    return symbol(unit) if money is None else money[0]


def _scaler_and_unit(data: Data) -> tuple[int, int] | None:
    members = _members(data)
    if len(members) != 2:
        return None
    scaler, unit = members
    if not isinstance(scaler, int) or not isinstance(unit, int) or scaler not in SCALERS:
        return None
    return scaler, unit


def _money(device: Device, attribute: tuple[int, int], value: int) -> Readable:
    if attribute == _THRESHOLD and value == account.NO_THRESHOLD:
        return Readable("no next credit")
    money = _currency(device)
    if money is None:
        return Readable(None)
    name, scale = money
    return Readable(format_scaled(value, scale), name)


def _currency(device: Device) -> tuple[str, int] | None:
    """Return name and scale of the account's currency, or of the profile's where none is told."""
    ref = AttributeRef(account.ACCOUNT.class_id, catalogue.ACCOUNT, _CURRENCY[1])
    try:
        name, scale, _unit = account.CURRENCY.from_data(device.session.get(ref))
    except (AccessRefused, TypeMismatch):
        name, scale = "", 0
    if name and name.isprintable() and scale in SCALERS:
        return name, scale
    try:
        profile = profile_of(device)
    except Refused:  # what it answered is no name
        return None
    return None if profile is None else (profile.currency.code, profile.currency.exponent)


def _members(data: Data) -> tuple[object, ...]:
    return tuple(each.value for each in data.value) if data.tag is Tag.STRUCTURE else ()


def _word(names: type[IntEnum], number: object) -> str:
    """Return the name of a number; the number itself where it has none."""
    try:
        return names(number).name.lower().replace("_", " ")  # type: ignore[arg-type] # perhaps
    except ValueError:
        return str(number)


def _bits(names: type[IntEnum], bits: str) -> str:
    known = {int(each): each.name.lower().replace("_", " ") for each in names}
    standing = [known.get(i, f"bit {i}") for i, bit in enumerate(bits) if bit == "1"]
    return ", ".join(standing) or "none"
