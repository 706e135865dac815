"""Read attributes of objects by their OBIS codes, or a part of a profile."""

from collections.abc import Sequence
from typing import Any, Final

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import VALUE, Device
from headend.errors import ExitCode, Refused, UsageError
from headend.reach import reached
from headend.reading.objects import Wanted, name_of, refusal
from headend.reading.readable import readable
from headend.reading.rows import PROFILE_GENERIC, Part, rows
from headend.reading.values import format_value, to_json
from headend.report import Report
from protocol.errors import AccessRefused
from protocol.events import AttributeRef

#: Codes of one command.
MOST: Final = 200


@click.command("read")
@click.argument("codes", metavar="CODE...", nargs=-1, required=True)
@click.option("--class", "class_id", type=click.IntRange(0, 0xFFFF), help="Interface class.")
@click.option("--attribute", type=click.IntRange(1, 127), default=VALUE, show_default=True)
@click.option("--from", "since", metavar="TIME", help="Of a profile: rows from this moment on.")
@click.option("--to", "until", metavar="TIME", help="Of a profile: rows up to this moment.")
@click.option("--last", type=click.IntRange(1, 100_000), metavar="N", help="Its N newest rows.")
@with_context
def command(
    context: Context,
    codes: tuple[str, ...],
    class_id: int | None,
    attribute: int,
    since: str | None,
    until: str | None,
    last: int | None,
) -> Report:
    """Read one attribute of the object CODE, or of several in one session.

    CODE is an OBIS code in full (1-0:1.8.0*255, 1.0.1.8.0.255), reduced (1.8.0, "94.32.2 1",
    94.32.2.1), or a name of the catalogue ("clock"). The class is looked up unless given.
    Registers are scaled and have their unit, amounts their currency, and enumerations are words.
    Of a profile, such as "daily profile", a part is read by --from and --to, or by --last.

    Example: prepay --port serial:./meter0 read "94.32.2 1"

    Example: prepay --port serial:./meter0 read 1.8.0 2.8.0 clock

    Example: prepay --port serial:./meter0 read "daily profile" --from 2026-11-01 --to 2026-12-01

    Exit code 1: the meter refused one of them, which is said in its row.
    """
    part = Part.of(since, until, last)
    if part is not None:
        if len(codes) != 1 or attribute != VALUE:
            raise UsageError("--from, --to and --last: of one profile, and of its buffer")
        return read_rows(context, codes[0], part)
    if len(codes) == 1:
        return read(context, codes[0], class_id, attribute)
    return read_several(context, codes, class_id, attribute)


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
        data = _read(device, wanted, attribute)
    return Report(data, (data["text"],))


def read_several(
    context: Context, codes: Sequence[str], class_id: int | None = None, attribute: int = VALUE
) -> Report:
    """Read the attribute of several objects in one session; a refusal stops none of the others.

    Raises:
        UsageError: one of them is no OBIS code, or there are more than ``MOST``.
        NoAnswer: see there.
    """
    if len(codes) > MOST:
        raise UsageError(f"{len(codes)} codes: at most {MOST} at once")
    wanted = [Wanted.parse(code, class_id) for code in codes]
    found: list[dict[str, Any]] = []
    with reached(context) as device:
        for code, each in zip(codes, wanted, strict=True):
            try:
                found.append(_read(device, each, attribute))
            except Refused as error:
                found.append({"code": code, "refused": str(error)})
    refused = any("refused" in each for each in found)
    rows = [
        (str(each["code"]), str(each.get("name", "")), str(each.get("text") or each["refused"]))
        for each in found
    ]
    exit_code = int(ExitCode.REFUSED if refused else ExitCode.DONE)
    return Report({"values": found}, (), ("code", "name", "value"), rows, exit_code=exit_code)


def read_rows(context: Context, code: str, part: Part) -> Report:
    """Read a part of a profile's rows.

    Raises:
        UsageError: no OBIS code.
        Refused: the meter has no such profile, or does not give it by part.
        NoAnswer: see there.
    """
    wanted = Wanted.parse(code, PROFILE_GENERIC)
    with reached(context) as device:
        found, _ = wanted.find(device)
        columns, cells = rows(device, found, part)
    headings = [column.heading for column in columns]
    data = {"code": str(found), "name": name_of(found), "columns": headings, "rows": cells}
    return Report(data, (f"{found}: {len(cells)} rows", ""), headings, cells)


def _read(device: Device, wanted: Wanted, attribute: int) -> dict[str, Any]:
    found, of_class = wanted.find(device)
    ref = AttributeRef(of_class, found, attribute)
    try:
        value = device.session.get(ref)
    except AccessRefused as error:
        raise refusal(device, ref, error, "read") from error
    shown = readable(device, found, of_class, attribute, value)
    return {
        "code": str(found),
        "name": name_of(found),
        "class": of_class,
        "attribute": attribute,
        "type": value.tag.type_name,
        "value": to_json(value) if shown.value is None else shown.value,
        "unit": shown.unit,
        "text": format_value(value) if shown.text is None else shown.text,
        "raw": to_json(value),
    }
