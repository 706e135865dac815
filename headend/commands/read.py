"""Read one attribute of an object by its OBIS code."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import VALUE
from headend.objects import Wanted, name_of, refusal
from headend.reach import reached
from headend.readable import readable
from headend.report import Report
from headend.values import format_value, to_json
from protocol.errors import AccessRefused
from protocol.events import AttributeRef


@click.command("read")
@click.argument("code")
@click.option("--class", "class_id", type=click.IntRange(0, 0xFFFF), help="Interface class.")
@click.option("--attribute", type=click.IntRange(1, 127), default=VALUE, show_default=True)
@with_context
def command(context: Context, code: str, class_id: int | None, attribute: int) -> Report:
    """Read one attribute of the object CODE.

    CODE is an OBIS code in full (1-0:1.8.0*255, 1.0.1.8.0.255), reduced (1.8.0, "94.32.2 1",
    94.32.2.1), or a name of the catalogue ("clock"). The class is looked up unless given.
    Registers are scaled and have their unit, amounts their currency, and enumerations are words.

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
        ref = AttributeRef(of_class, found, attribute)
        try:
            value = device.session.get(ref)
        except AccessRefused as error:
            raise refusal(device, ref, error, "read") from error
        shown = readable(device, found, of_class, attribute, value)
    text = format_value(value) if shown.text is None else shown.text
    data: dict[str, Any] = {
        "code": str(found),
        "name": name_of(found),
        "class": of_class,
        "attribute": attribute,
        "type": value.tag.type_name,
        "value": to_json(value) if shown.value is None else shown.value,
        "unit": shown.unit,
        "text": text,
        "raw": to_json(value),
    }
    return Report(data, (text,))
