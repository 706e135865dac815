"""List the objects that the meter shows this client."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.reach import reached
from headend.reading.objects import class_name, name_of, object_list
from headend.report import Report


@click.command("objects")
@click.option("--xml", "as_xml", is_flag=True, help="Dump the meter whole as XML.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path),
              metavar="FILE", help="Write the dump to a file; XML unless --json.")  # fmt: skip
@with_context
def command(context: Context, as_xml: bool, out: Path | None) -> Report:
    """List the objects that the meter shows this client: class, version, OBIS code, name.

    With --json or --xml the meter is dumped whole: every attribute with its right and its value
    or why there is none, and every method with its right.

    Example: prepay --port serial:./meter0 objects

    Example: prepay --port serial:./meter0 objects --xml --out meter0.xml
    """
    if as_xml and context.settings.json:
        raise UsageError("--xml or --json: one of them")
    if not as_xml and not context.settings.json and out is None:
        return list_objects(context)
    return dump_objects(context, as_xml=not context.settings.json, out=out)


def list_objects(context: Context) -> Report:
    """Return the association's object list.

    Raises:
        Refused, NoAnswer: see there.
    """
    with reached(context) as device:
        listed = sorted(object_list(device), key=lambda each: (each.code, each.class_id))
    data = [
        {
            "code": str(each.code),
            "class": each.class_id,
            "version": each.version,
            "class_name": class_name(each.class_id),
            "name": name_of(each.code),
        }
        for each in listed
    ]
    rows = [
        (str(d["class"]), str(d["version"]), str(d["code"]), str(d["class_name"]), str(d["name"]))
        for d in data
    ]
    columns = ("class", "version", "OBIS code", "kind", "name")
    return Report({"objects": data}, (), columns, rows)


def dump_objects(context: Context, *, as_xml: bool, out: Path | None = None) -> Report:
    """Read the meter whole.

    Args:
        context: the run of the command.
        as_xml: as XML in the report's lines; else the report's data are it.
        out: where to write it instead.

    Raises:
        Refused, NoAnswer: see there; also a file that cannot be written.
    """
    from headend.reading.dump import dump, entries, meter_name
    from headend.reading.dump_xml import to_xml

    with reached(context) as device:
        listed = entries(device)
        with _progress(len(listed)) as advance:
            objects = dump(device, listed, advance)
        client = device.session.client
    meter = meter_name(objects)
    data = {"meter": meter, "client": client, "objects": [each.to_json() for each in objects]}
    xml = to_xml(meter, client, objects) if as_xml else ""
    if out is None:
        return Report(data, (xml.rstrip("\n"),) if as_xml else ())
    text = xml or json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{out}: {error.strerror}") from error
    said = f"{len(objects)} objects written to {out}"
    return Report({"file": str(out), "objects_written": len(objects)}, (said,))


@contextmanager
def _progress(objects: int) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr, where somebody is looking at it."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # 50 ms that only people have to pay
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=objects)
        yield lambda: progress.advance(task)
