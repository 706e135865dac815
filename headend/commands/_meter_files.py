"""``prepay meters import`` and ``export``."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headend.cli import with_context
from headend.commands._selection import names_in, selection_options
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.report import Report, show

if TYPE_CHECKING:  # with it comes the database
    from headend.registry.importing import Imported

_FORMAT = click.option(
    "--format", "kind", type=click.Choice(["csv", "json"]), help="Else by the file's ending."
)
#: Rows that people are shown; machines get all of them.
_SHOWN = 200


def join(group: click.Group) -> None:
    """Put the two commands into the group."""
    group.add_command(import_)
    group.add_command(export)


@click.command("import")
@click.argument("file")
@_FORMAT
@click.option("--dry-run", is_flag=True, help="Check every row, and write nothing.")
@with_context
def import_(context: Context, file: str, kind: str | None, dry_run: bool) -> Report:
    """Register and change meters from a CSV or JSON file: all of its rows, or none.

    The first line of CSV names the columns: name, and any of serial, ean, profile, port, line,
    life, tags, client, logical, physical, address_size, mechanism, envelope, protection, sign and
    short_names. What has no column stays as it is. FILE - is stdin.

    Example: prepay meters import meters.csv --dry-run

    Exit code 2: rows are wrong; each is told with its line, and nothing was written.
    """
    from headend.registry.importing import RowsRefused

    try:
        return import_file(context, file, kind, dry=dry_run)
    except RowsRefused as error:
        told = _rows(error.rows, error.unit, only_wrong=True)
        show(Report({"imported": 0, **told.data}, (), told.columns, told.rows),
             as_json=context.chosen.json)  # fmt: skip # it is one call
        raise


def import_file(
    context: Context, file: str, kind: str | None = None, *, dry: bool = False
) -> Report:
    """Import a file.

    Args:
        context: the run of the command.
        file: path; "-" is stdin.
        kind: "csv" or "json"; None is by the ending.
        dry: check only.

    Raises:
        UsageError: the file cannot be read.
        RowsRefused: rows are wrong; nothing was written.
    """
    from headend.registry import tables
    from headend.registry.importing import import_meters

    kind = tables.format_of(Path(file), kind)
    try:
        if file == "-":
            content = tables.load(sys.stdin.buffer, kind, "stdin")
        else:
            with Path(file).open("rb") as stream:
                content = tables.load(stream, kind, file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    rows = import_meters(context.store, content, file, context.now(), context.caller, dry=dry)
    told = _rows(rows, content.unit)
    counts = {word: sum(row.done == word for row in rows) for word in ("added", "changed")}
    counts["unchanged"] = len(rows) - sum(counts.values())
    said = ", ".join(f"{number} {word}" for word, number in counts.items())
    dry_words = "; nothing is written, for it was --dry-run" if dry else ""
    data = {"imported": 0 if dry else len(rows), "dry_run": dry, **counts, **told.data}
    return Report(data, (f"{said}{dry_words}",), told.columns, told.rows)


def _rows(rows: "list[Imported]", unit: str, *, only_wrong: bool = False) -> Report:
    told = [
        {
            unit: row.line,
            "name": row.name,
            "done": row.done or "wrong",
            "changes": list(row.changes),
            "error": row.wrong or None,
        }
        for row in rows
    ]
    shown = [row for row in rows if row.wrong or not only_wrong]
    shown = [row for row in shown if row.wrong or row.changes or row.done != "unchanged"]
    table = [
        (str(row.line), row.name, row.wrong or " ".join([row.done, *row.changes]))
        for row in shown[:_SHOWN]
    ]
    if len(shown) > _SHOWN:
        table.append(("", "", f"and {len(shown) - _SHOWN} more: --json has them all"))
    first = unit if unit == "line" else "row"
    return Report({"rows": told}, (), (first, "meter", "result") if table else (), table)


@click.command("export")
@click.argument("file", default="-")
@_FORMAT
@click.option("--overwrite", is_flag=True, help="Write over a file that is there.")
@selection_options
@with_context
def export(
    context: Context, /, file: str, kind: str | None, overwrite: bool, **chosen: Any
) -> Report:
    """Write the registry to a CSV or JSON file, or to stdout.

    What was exported can be imported again, here or elsewhere. Keys and passwords are not in it.

    Example: prepay meters export meters.csv

    Example: prepay meters export --format json --query life=in-service
    """
    return export_file(context, file, kind, overwrite=overwrite, **chosen)


def export_file(
    context: Context,
    file: str = "-",
    kind: str | None = None,
    *,
    overwrite: bool = False,
    tags: tuple[str, ...] = (),
    listed: str | None = None,
    query: str | None = None,
) -> Report:
    """Write all meters, or those that are chosen, to a file or into the report.

    Raises:
        UsageError: neither CSV nor JSON, or a choice that cannot be understood.
        Refused: the file cannot be written; what was there before is as it was.
    """
    from headend.registry import tables
    from headend.registry.meters import Selection, select
    from headend.store import registry

    names = names_in(listed)
    with context.store.read() as db:
        if tags or names is not None or query is not None:
            entries = registry.by_ids(db, select(db, Selection.parse(tags, names, query)))
        else:
            entries = registry.every(db)
        lines = registry.lines(db)
    data = tables.dump_json(entries, lines)
    if file == "-" and (kind == "json" or context.chosen.json):
        return Report(data, json.dumps(data, ensure_ascii=False, indent=1).split("\n"))
    if file == "-":
        return Report(data, tables.dump_csv(entries).split("\n")[:-1])
    json_wanted = tables.format_of(Path(file), kind) == "json"
    if not overwrite and Path(file).exists():
        raise Refused(f"{file} is there already: --overwrite writes over it")
    as_json = f"{json.dumps(data, ensure_ascii=False, indent=1)}\n"
    _replace(Path(file), as_json if json_wanted else tables.dump_csv(entries))
    count = "1 meter" if len(entries) == 1 else f"{len(entries)} meters"
    return Report({"file": file, "meters": len(entries)}, (f"{count} written to {file}",))


def _replace(path: Path, text: str) -> None:
    """Write a file whole, or leave the one that is there."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            made.write_text(text, encoding="utf-8", newline="")
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
