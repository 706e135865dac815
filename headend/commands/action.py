"""Execute one method of an object."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.reach import reached
from headend.reading.objects import Wanted, refusal
from headend.reading.values import format_value, parse_value, to_json
from headend.report import Report
from protocol.errors import ActionRefused
from protocol.events import MethodRef

#: Nobody knows what a method does when it is executed twice.
REPEATABLE = False


@click.command("action")
@click.argument("code")
@click.argument("value", required=False)
@click.option("--class", "class_id", type=click.IntRange(0, 0xFFFF), help="Interface class.")
@click.option("--method", type=click.IntRange(1, 127), default=1, show_default=True)
@with_context
def command(
    context: Context, code: str, value: str | None, class_id: int | None, method: int
) -> Report:
    """Execute one method of the object CODE, with VALUE as its parameter.

    VALUE is written as type:value, as for `prepay set`; without it integer:0 is sent, which is
    what methods without a parameter take.

    Example: prepay --port serial:./meter0 action 0-0:96.3.10 --method 2
    """
    return execute(context, code, value, class_id, method)


def execute(
    context: Context,
    code: str,
    value: str | None = None,
    class_id: int | None = None,
    method: int = 1,
) -> Report:
    """Execute a method.

    Raises:
        UsageError: no OBIS code, or no value.
        Refused: the meter has no such object, or does not execute the method.
        NoAnswer: the method may have been executed.
    """
    wanted, parameter = Wanted.parse(code, class_id), parse_value(value or "integer:0")
    with reached(context) as device:
        found, of_class = wanted.find(device)
        ref = MethodRef(of_class, found, method)
        try:
            answer = device.session.action(ref, parameter)
        except ActionRefused as error:
            raise refusal(device, ref, error, "execute") from error
    told = {
        "code": str(found),
        "class": of_class,
        "method": method,
        "value": None if answer is None else to_json(answer),
    }
    returned = "" if answer is None else f", returned {format_value(answer)}"
    return Report(told, (f"{found} method {method} executed{returned}",))
