"""Set one attribute of an object to a typed value."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import VALUE
from headend.reach import reached
from headend.reading.objects import Wanted, refusal
from headend.reading.values import format_value, parse_value, to_json
from headend.report import Report
from protocol.errors import AccessRefused
from protocol.events import AttributeRef


@click.command("set")
@click.argument("code")
@click.argument("value")
@click.option("--class", "class_id", type=click.IntRange(0, 0xFFFF), help="Interface class.")
@click.option("--attribute", type=click.IntRange(1, 127), default=VALUE, show_default=True)
@with_context
def command(
    context: Context, code: str, value: str, class_id: int | None, attribute: int
) -> Report:
    """Set one attribute of the object CODE to VALUE, written as type:value.

    \b
    null-data                       boolean:true
    integer:-5  unsigned:5          long:-300  long-unsigned:300
    double-long:-5                  double-long-unsigned:5
    long64:5  long64-unsigned:5     enum:2
    octet-string:07EA0B17           visible-string:ABC  utf8-string:ABC
    bit-string:10100000             (the first is bit 0)
    structure{unsigned:1,enum:2}    array{unsigned:1,unsigned:2}

    Example: prepay --port serial:./meter0 set 0-0:1.0.0 --class 8 --attribute 3 long:-60
    """
    return set_attribute(context, code, value, class_id, attribute)


def set_attribute(
    context: Context, code: str, value: str, class_id: int | None = None, attribute: int = VALUE
) -> Report:
    """Write an attribute.

    Raises:
        UsageError: no OBIS code, or no value.
        Refused: the meter has no such object, or does not take the value.
        NoAnswer: the value may have been written.
    """
    wanted, data = Wanted.parse(code, class_id), parse_value(value)
    with reached(context) as device:
        found, of_class = wanted.find(device)
        ref = AttributeRef(of_class, found, attribute)
        try:
            device.session.set(ref, data)
        except AccessRefused as error:
            raise refusal(device, ref, error, "write") from error
    told = {
        "code": str(found),
        "class": of_class,
        "attribute": attribute,
        "type": data.tag.type_name,
        "value": to_json(data),
    }
    return Report(told, (f"{found} attribute {attribute} set to {format_value(data)}",))
