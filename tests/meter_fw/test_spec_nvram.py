"""What docs/SPEC-nvram.md says of the cells, held against their declarations."""

import re
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from construct import Struct

from meter_fw import cells
from meter_fw.calendar_tables import packed_entries, packed_special_days
from meter_fw.line_state import PART, PARTS
from meter_fw.money_state import CARRIED_OUT_KEPT, DEBTS, TOKENS_KEPT, pack_debts
from meter_fw.nvram import Cell
from meter_fw.nvram.layout import compiled
from meter_fw.state import DAYS_KEPT, EVENTS_KEPT, RELAY_EVENTS_KEPT
from prepay.account_rules import MAX_CHARGES
from prepay.schedule import DatePattern, ScheduleEntry, SpecialDay

SPEC = (Path(__file__).parents[2] / "docs" / "SPEC-nvram.md").read_text(encoding="utf-8")
#: The document's name of a field's form, by that of ``struct``.
FORMS = {
    **{"B": "u8", "H": "u16", "L": "u32", "Q": "u64"},
    **{"b": "i8", "h": "i16", "l": "i32", "q": "i64"},
    "?": "flag",
}
_ROW = re.compile(r"^\| (\d+) \| (\w+) \| (\d+) \| (\d+) \| ([^|]+) \| (?:([^|]*) )?\|$", re.M)

Row = tuple[int, int, int, str]


def documented() -> dict[str, Row]:
    """Return kind, version, octets and fields of each cell, as the document has them."""
    return {
        name: (int(kind), int(version), int(octets), fields)
        for kind, name, version, octets, fields, _ in _ROW.findall(SPEC)
    }


def meaning(name: str) -> str:
    """Return what the document says behind the fields of a cell."""
    return next(str(row[5]) for row in _ROW.findall(SPEC) if row[1] == name)


def declared(cell: Cell[Any]) -> Row:
    """Return the same of a cell, as it is declared."""
    return (cell.kind, cell.version, cell.size, ", ".join(map(_field, cell.layout.subcons)))


def _field(field: Any) -> str:
    form = compiled(Struct(field)).format[1:]
    return f"{FORMS.get(form) or 'o' + form[:-1]} {field.name}"


def test_the_document_has_every_cell_octet_by_octet() -> None:
    """No cell is missing, none too many, each with its kind, version, length and fields."""
    named = {**cells.SINGLES, **cells.RINGS}
    assert documented() == {name: declared(cell) for name, cell in named.items()}


def test_no_two_cells_share_a_kind() -> None:
    """A kind never changes its meaning, so it has one; what is free the document says."""
    kinds = [cell.kind for cell in (*cells.SINGLES.values(), *cells.RINGS.values())]
    assert len(set(kinds)) == len(kinds)
    free = {0, *range(21, 28), 31, 39, *range(58, 256)}
    assert free == set(range(256)) - set(kinds)
    assert "Kinds 0, 21 to 27, 31, 39 and from 58 on are free." in SPEC


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("days", DAYS_KEPT),
        ("events", EVENTS_KEPT),
        ("relay_events", RELAY_EVENTS_KEPT),
        ("tokens", TOKENS_KEPT),
        ("carried_out", CARRIED_OUT_KEPT),
    ],
)
def test_rings_that_turn_by_number(name: str, kept: int) -> None:
    """The index is the number modulo what the ring keeps."""
    assert meaning(name).startswith(f"index: number modulo {kept}.")


def test_every_ring_says_its_index() -> None:
    """The document names it for each ring and for no single value."""
    said = {name for name in documented() if meaning(name).startswith("index: ")}
    assert said == set(cells.RINGS)


def test_the_numbers_of_what_is_packed() -> None:
    """Parts of tables and of certificates, places of debts, and the octets of each."""
    special = SpecialDay(1, DatePattern.from_bytes(bytes.fromhex("07ea0101ff")), 2)
    assert f"cut into parts of {PART} (" in SPEC
    assert f"index: {PARTS} x certificate + part" in SPEC
    assert f"are {MAX_CHARGES} places of {DEBTS // MAX_CHARGES} octets" in SPEC
    assert pack_debts([(3, 0x0102)])[:6] == bytes.fromhex("03 00000102 ff")
    assert packed_special_days([special]).hex() == "00010207ea0101ff"


def test_rows_of_the_schedule_octet_by_octet() -> None:
    """One with every field that may be left out, one without any."""
    first, last = (DatePattern.from_bytes(bytes.fromhex(d)) for d in ("07ef0501ff", "07ef051fff"))
    full = ScheduleEntry(900, True, time(13, 30, 5), "0000100", "01", first, last, True, 7)
    assert packed_entries([full]) == bytes.fromhex(
        "0384 f3 0d1e 05 0007 08 02 40 07ef0501ff 07ef051fff"
    )
    bare = ScheduleEntry(1, False, time(8), "1111100", enabled=False)
    assert packed_entries([bare]) == bytes.fromhex("0001 00 0800 f8 00")
