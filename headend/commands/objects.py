"""List the objects that the meter shows this client."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.objects import class_name, name_of, object_list
from headend.reach import reached
from headend.report import Report


@click.command("objects")
@with_context
def command(context: Context) -> Report:
    """List the objects that the meter shows this client: class, version, OBIS code, name.

    Example: prepay --port serial:./meter0 objects
    """
    return list_objects(context)


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
