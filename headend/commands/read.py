"""Read one attribute of an object by its OBIS code."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import VALUE, Device
from headend.objects import Wanted, name_of, profile_of
from headend.reach import reached
from headend.report import Report
from headend.values import format_value, to_json
from obis.code import ObisCode
from obis.units import Unit, format_scaled, symbol
from protocol.axdr import Data, Tag
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, ProtocolError
from protocol.events import AttributeRef

#: Where a class keeps the scaler and unit of an attribute: class, attribute -> attribute.
_SCALER_UNIT = {(3, 2): 3, (4, 2): 3, (5, 2): 4, (5, 3): 4}
_DATE_TIME_OCTETS = 12


@click.command("read")
@click.argument("code")
@click.option("--class", "class_id", type=click.IntRange(0, 0xFFFF), help="Interface class.")
@click.option("--attribute", type=click.IntRange(1, 127), default=VALUE, show_default=True)
@with_context
def command(context: Context, code: str, class_id: int | None, attribute: int) -> Report:
    """Read one attribute of the object CODE.

    CODE is an OBIS code in full (1-0:1.8.0*255, 1.0.1.8.0.255), reduced (1.8.0, "94.32.2 1",
    94.32.2.1), or a name of the catalogue ("clock"). The class is looked up unless given.
    Registers are scaled and have their unit.

    Example: prepay --port serial:./meter0 read "94.32.2 1"
    """
    return read(context, code, class_id, attribute)


def read(
    context: Context, code: str, class_id: int | None = None, attribute: int = VALUE
) -> Report:
    """Read an attribute.

    Raises:
        UsageError: no OBIS code.
        Refused: the meter has no such object, or does not let it be read.
        NoAnswer: see there.
    """
    wanted = Wanted.parse(code, class_id)
    with reached(context) as device:
        found, of_class = wanted.find(device)
        value = device.get(found, of_class, attribute)
        shown, unit = _readable(device, found, of_class, attribute, value)
    data: dict[str, Any] = {
        "code": str(found),
        "name": name_of(found),
        "class": of_class,
        "attribute": attribute,
        "type": value.tag.type_name,
        "value": to_json(value) if shown is None else shown,
        "unit": unit,
        "raw": to_json(value),
    }
    return Report(data, (f"{shown} {unit}".rstrip() if shown else format_value(value),))


def _readable(
    device: Device, code: ObisCode, class_id: int, attribute: int, value: Data
) -> tuple[str | None, str]:
    """Return the value as people write it, if there is such a way, and its unit."""
    scaled_by = _SCALER_UNIT.get((class_id, attribute))
    if scaled_by is not None and isinstance(value.value, int):
        return _scaled(device, code, class_id, scaled_by, value.value)
    if isinstance(value.value, bytes) and len(value.value) == _DATE_TIME_OCTETS:
        return _moment(value.value), ""
    if value.tag is Tag.OCTET_STRING and value.value and value.value.isascii():
        text = value.value.decode("ascii")
        return (text if text.isprintable() else None), ""
    if isinstance(value.value, str) and value.tag is not Tag.BIT_STRING:
        return value.value, ""
    return None, ""


def _scaled(
    device: Device, code: ObisCode, class_id: int, attribute: int, value: int
) -> tuple[str | None, str]:
    try:
        answer = device.session.get(AttributeRef(class_id, code, attribute))
    except AccessRefused:
        return None, ""
    members = answer.value if answer.tag is Tag.STRUCTURE else ()
    if len(members) != 2 or not all(isinstance(member.value, int) for member in members):
        return None, ""
    scaler, unit = (member.value for member in members)
    if unit == Unit.CURRENCY:
        profile = profile_of(device)
        if profile is not None:
            return format_scaled(value, scaler), profile.currency.code
    return format_scaled(value, scaler), symbol(unit)


def _moment(octets: bytes) -> str | None:
    try:
        moment = CosemDateTime.from_bytes(octets)
    except ProtocolError:
        return None  # twelve octets of something else
    return str(moment)
