"""Registry files: meters as CSV and as JSON, read with the line of each row, and written.

| | CSV | JSON |
|---|---|---|
| a row | a line under a heading that names the columns, in any order | an object of ``meters`` |
| its number in a report | of the line it begins on | of the object, from 1 |
| separators | comma, semicolon or tab, as the heading has them | |
| tags | with blanks between | a list |
| how it is spoken to | a column for each of ``registry.ACCESS`` | the object ``access`` |
| permits of lines | not carried | ``lines``, by name |

Text is UTF-8, with or without a byte order mark. A cell that a spreadsheet would take for a formula
(it begins with ``= + - @`` or a tab) is written with ``'`` before it, and is only read so: CSV
injection is described by OWASP, which gives these characters. What a file may hold is bounded
before any of it is believed: its octets here, a cell and the depth of JSON by Python's readers.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from headend.errors import UsageError
from headend.registry.entries import shown
from headend.registry.meters import ACCESS
from headend.store.registry import Entry, Line

#: Of a file: more than 400,000 meters fit; a larger park comes in several.
MOST_OCTETS = 64 << 20
FIELDS = ("name", "serial", "ean", "profile", "port", "line", "life", "tags")
COLUMNS = (*FIELDS, *sorted(ACCESS))
#: What our own JSON says of itself, so that nobody takes another's for it.
FORMAT = "openprepay-registry"
VERSION = 1
FORMATS = ("csv", "json")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SEPARATORS = ",;\t"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileError(UsageError):
    """A file that cannot be read as a table of meters at all; the message says where it breaks."""


class Raw(Struct, frozen=True):
    """A row as it stands in the file.

    Args:
        line: where it stands, from 1.
        fields: text or JSON by name; every name is one of ``COLUMNS``.
        wrong: what is wrong with the row as such; empty where nothing is.
    """

    line: int
    fields: Mapping[str, Any]
    wrong: str = ""


class Content(Struct, frozen=True):
    """What a file says.

    Args:
        rows: one a meter, in their order.
        lines: permits by line.
        unit: what the number of a row counts.
    """

    rows: Sequence[Raw]
    lines: Mapping[str, int]
    unit: str


def format_of(path: Path, chosen: str | None) -> str:
    """Return the format of a file: as chosen, or by the ending of its name.

    Raises:
        UsageError: neither says which.
    """
    found = chosen or path.suffix.lower().lstrip(".")
    if found not in FORMATS:
        raise UsageError(f"{path}: CSV or JSON? Give --format")
    return found


def load(stream: BinaryIO, kind: str, source: str) -> Content:
    """Return what a file says.

    Args:
        stream: open for reading.
        kind: one of ``FORMATS``.
        source: how the file is called in an error.

    Raises:
        FileError: it is too large, no text, or no table of meters.
    """
    octets = stream.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        raise FileError(f"{source}: more than {MOST_OCTETS >> 20} MiB: give it in several files")
    read: Callable[[str, str], Content] = _load_csv if kind == "csv" else _load_json
    return read(_text(octets, source), source)


def _text(octets: bytes, source: str) -> str:
    if octets[:2] in _WIDE_MARKS:
        raise FileError(f"{source}: UTF-16: write it as UTF-8")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        wrong = octets[error.start]
        raise FileError(
            f"{source}, line {line}: octet 0x{wrong:02X} is not UTF-8: write the file as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileError(f"{source}, line {line}: a zero octet: this is no text")
    return text


# --- CSV ---------------------------------------------------------------------------------------


def _load_csv(text: str, source: str) -> Content:
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        heading = next(reader, None)
        if heading is None:
            raise FileError(f"{source}: empty: the first line names the columns")
        names = _heading(heading, source)
        return Content(list(_rows(reader, names)), {}, "line")
    except csv.Error as error:
        raise FileError(f"{source}, line {reader.line_num}: {error}") from error


def _heading(heading: Sequence[str], source: str) -> list[str]:
    names = [name.strip().lower() for name in heading]
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; those are {', '.join(COLUMNS)}"
            raise FileError(f"{source}, line 1: {name[:40]!a} is no column{hint}")
        if names.count(name) > 1:
            raise FileError(f"{source}, line 1: the column {name} is there twice")
    if "name" not in names:
        raise FileError(f"{source}, line 1: no column name")
    return names


def _rows(reader: Iterator[list[str]], names: Sequence[str]) -> Iterator[Raw]:
    line = 2
    for cells in reader:
        if any(cells):  # a line with nothing in it is no row
            yield _row(line, cells, names)
        line = reader.line_num + 1  # type: ignore[attr-defined]  # the reader of csv has it


def _row(line: int, cells: Sequence[str], names: Sequence[str]) -> Raw:
    fields: dict[str, Any] = {}
    wrong = ""
    if len(cells) != len(names):
        wrong = f"{len(cells)} cells under {len(names)} columns"
    for name, cell in zip(names, cells, strict=False):
        if cell.startswith(_FORMULA):
            wrong = wrong or f"{name}: {cell[:40]!a} begins as a formula does: write ' before it"
        elif cell.startswith("'") and cell[1:].startswith(_FORMULA):
            cell = cell[1:]
        fields[name] = cell
    return Raw(line, fields, wrong)


def dump_csv(entries: Sequence[Entry]) -> str:
    """Return meters as CSV, heading included; lines end in a line feed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in entries:
        told = _told(each)
        told |= {"tags": " ".join(each.tags)} | {name: _word(v) for name, v in each.access.items()}
        writer.writerow([_cell(str(told.get(name) or "")) for name in COLUMNS])
    return out.getvalue()


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _told(entry: Entry) -> dict[str, Any]:
    told = {name: getattr(entry, name) for name in FIELDS if name != "port"}
    return told | {"port": entry.transport, "tags": list(entry.tags)}


# --- JSON --------------------------------------------------------------------------------------


def _load_json(text: str, source: str) -> Content:
    try:
        whole = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise FileError(f"{source}, line {error.lineno}: {error.msg}") from error
    except _Twice as error:
        raise FileError(f"{source}: {error}") from error
    except RecursionError as error:
        raise FileError(f"{source}: nested too deeply") from error
    except ValueError as error:  # a number of more digits than Python likes to convert
        raise FileError(f"{source}: {error}") from error
    if isinstance(whole, list):
        whole = {"meters": whole}
    rows = whole.get("meters") if isinstance(whole, dict) else None
    if not isinstance(rows, list):
        raise FileError(f"{source}: no list of meters, nor an object with one")
    if whole.get("format", FORMAT) != FORMAT or whole.get("version", VERSION) != VERSION:
        raise FileError(f"{source}: not {FORMAT} of version {VERSION}")
    found = [_object(number, row) for number, row in enumerate(rows, 1)]
    return Content(found, _permits(whole, source), "meter")


class _Twice(ValueError):
    """A JSON object with a name that it has already."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"an object has {twice[:40]!a} twice")
    return made


def _object(number: int, row: object) -> Raw:
    if not isinstance(row, dict):
        return Raw(number, {}, f"{shown(row)} is no object")
    access = row.get("access", {})
    if not isinstance(access, dict):
        return Raw(number, _named(row), "access is no object")
    for name, known in ((row, (*FIELDS, "access")), (access, tuple(sorted(ACCESS)))):
        for key in name:
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; those are {', '.join(known)}"
                return Raw(number, _named(row), f"{key[:40]!a} is no field{hint}")
    told: dict[str, Any] = {name: row[name] for name in FIELDS if name in row}
    if "access" in row:  # then it is the whole of it
        told |= {name: access.get(name) for name in sorted(ACCESS)}
    return Raw(number, told)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row["name"]} if "name" in row else {}


def _permits(whole: Mapping[str, Any], source: str) -> dict[str, int]:
    lines = whole.get("lines", {})
    if not isinstance(lines, dict):
        raise FileError(f"{source}: lines are no object")
    for name, permits in lines.items():
        if not isinstance(permits, int) or isinstance(permits, bool) or permits < 1:
            raise FileError(f"{source}: line {name[:40]!a} has a number of permits, from 1 on")
    return lines


def dump_json(entries: Sequence[Entry], lines: Sequence[Line]) -> dict[str, Any]:
    """Return meters and lines as JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "lines": {each.name: each.permits for each in lines},
        "meters": [_told(each) | {"access": dict(each.access)} for each in entries],
    }
