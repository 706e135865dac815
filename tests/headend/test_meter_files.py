"""Importing and exporting meters: what was written is read, and hostile files harm nobody."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from headend.context import ENVELOPES, MECHANISMS, PROTECTIONS
from headend.errors import Refused
from headend.registry import tables
from headend.registry.ean import check_digit
from headend.registry.entries import FieldError, entry
from headend.registry.importing import Imported, RowsRefused, import_meters
from headend.registry.life import Life
from headend.registry.tables import FileError
from headend.store import Store, meters, registry, schema
from headend.store.connection import Connection
from headend.store.registry import Entry
from obis.values import replace
from protocol.timing import Instant

NOW = Instant(1_700_000_000_000)
EAN, OTHER_EAN = "376104250021234569", "541448800000000000"


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty database in memory."""
    opened = Store("sqlite://")
    yield opened
    opened.close()


def imported(store: Store, text: str | bytes, kind: str = "csv", **more: bool) -> list[Imported]:
    """Import a file, given as what is in it."""
    octets = text.encode() if isinstance(text, str) else text
    content = tables.load(io.BytesIO(octets), kind, "meters.csv")
    return import_meters(store, content, "meters.csv", NOW, "tester", **more)


def every(store: Store) -> list[Entry]:
    """Return all meters."""
    with store.read() as db:
        return registry.every(db)


# --- export, import, and back ------------------------------------------------------------------

# Whatever can be printed, with all that CSV and spreadsheets take for their own.
_TRICKY = st.sampled_from("=+-@',;\"#\\|é€ \u202f中")
_TEXT = (
    st.text(_TRICKY | st.characters(codec="utf-8"), min_size=1, max_size=64)
    .map(lambda text: "".join(each for each in text if each.isprintable()).strip())
    .filter(lambda text: bool(text) and text[0] != "'")
)
_TAG = st.from_regex(r"\w[\w.:/+-]{0,20}", fullmatch=True)
_PORTS = st.sampled_from(
    ["serial:/dev/ttyUSB0?baud=2400&window=7", "tcp:[2001:db8::1]:4059", "hdlc+tcp:h:1", "udp:h:9"]
)
_ACCESS = st.fixed_dictionaries(
    {},
    optional={
        "client": st.integers(1, 127),
        "logical": st.integers(0, 0x3FFF),
        "physical": st.integers(0, 0x3FFF),
        "address_size": st.sampled_from([1, 2, 4]),
        "mechanism": st.sampled_from(MECHANISMS),
        "envelope": st.sampled_from(ENVELOPES),
        "protection": st.sampled_from(PROTECTIONS),
        "sign": st.booleans(),
        "short_names": st.booleans(),
    },
)


def _ean(digits: int) -> str:
    body = f"{digits:017}"
    return f"{body}{check_digit(body)}"


def entries() -> SearchStrategy[Entry]:
    """Meters with anything in them that the registry takes."""
    return st.builds(
        Entry,
        _TEXT,
        st.just("") | _TEXT,
        st.none() | st.integers(0, 10**17 - 1).map(_ean),
        st.sampled_from(["", "be-wal", "il"]),
        st.none() | _PORTS,
        _ACCESS,
        st.none() | _TEXT,
        st.sampled_from(list(Life)).map(str),
        st.frozensets(_TAG, max_size=4).map(lambda tags: tuple(sorted(tags))),
    )


def parks() -> SearchStrategy[list[Entry]]:
    """Some meters, no two of a name or at a point of delivery."""
    named = st.lists(entries(), max_size=6, unique_by=lambda each: each.name)

    def apart(park: list[Entry]) -> bool:
        points = [each.ean for each in park if each.ean is not None]
        return len(points) == len(set(points))

    return named.filter(apart)


@pytest.fixture(scope="module")
def two_stores() -> Iterator[tuple[Store, Store]]:
    """Two databases in memory, for many examples: a new one takes a while."""
    made = Store("sqlite://"), Store("sqlite://")
    yield made
    for each in made:
        each.close()


@settings(max_examples=60)
@given(parks(), st.sampled_from(tables.FORMATS))
def test_what_was_exported_is_imported_as_it_was(
    two_stores: tuple[Store, Store], park: list[Entry], kind: str
) -> None:
    """Into an empty registry it makes the same, into the same it changes nothing."""
    store, other = two_stores
    for each in two_stores:
        with each.begin() as db:
            for table in (schema.tags, schema.meters, schema.lines):
                db.execute(table.delete())
    with store.begin() as db:
        registry.add(db, park, NOW)
        lines = registry.lines(db)
    dumped = tables.dump_csv(park) if kind == "csv" else json.dumps(tables.dump_json(park, lines))
    assert {row.done for row in imported(store, dumped, kind)} <= {"unchanged"}
    assert {row.done for row in imported(other, dumped, kind)} <= {"added"}
    assert every(other) == every(store) == sorted(park, key=lambda each: each.name)


def test_json_brings_the_permits_of_lines_along(store: Store) -> None:
    """CSV has no place for them: there a new line has one."""
    text = '{"lines": {"K7": 8}, "meters": [{"name": "A", "line": "K7"}, {"name": "B"}]}'
    imported(store, text, "json")
    imported(store, "name,line\nC,K8\n")
    with store.read() as db:
        assert [(line.name, line.permits) for line in registry.lines(db)] == [("K7", 8), ("K8", 1)]


# --- a row is the truth about what it names ----------------------------------------------------


def test_what_has_no_column_stays_as_it_is(store: Store) -> None:
    """And an empty cell empties; only a life is never empty."""
    imported(store, "name,serial,ean,tags,physical,life\nA,7,,old,3,in-service\nB,8,,,,\n")
    (a, b) = imported(store, f"ean;name;tags;life\n{EAN};A;;\n;B;new;\n")
    assert (a.done, a.changes, b.done, b.changes) == (
        "changed",
        ("ean", "tags"),
        "changed",
        ("tags",),
    )
    assert every(store) == [
        Entry("A", "7", EAN, access={"physical": 3}, life="in-service"),
        Entry("B", "8", tags=("new",)),
    ]


def test_points_of_delivery_may_change_hands_in_one_file(store: Store) -> None:
    """Two meters swap theirs: no order of rows could do it one by one."""
    imported(store, f"name,ean\nA,{EAN}\nB,{OTHER_EAN}\n")
    imported(store, f"name,ean\nA,{OTHER_EAN}\nB,{EAN}\n")
    assert [each.ean for each in every(store)] == [OTHER_EAN, EAN]


def test_a_meter_that_was_met_is_registered_by_its_row(store: Store) -> None:
    """Its row number, on which its books hang, stays."""
    with store.begin() as db:
        known = meters.meet(db, "A", "tcp:h:1", NOW)
    (row,) = imported(store, "name,life,port\nA,registered,tcp:h:1\n")
    assert (row.done, row.changes) == ("changed", ("port", "life"))
    with store.read() as db:
        assert registry.id_of(db, "A") == known.id


def test_what_somebody_changes_meanwhile_is_not_overwritten(store: Store) -> None:
    """Between the check of the rows and the writing of them: nothing is written."""
    imported(store, "name,serial\nA,1\nB,1\n")

    class Interrupted:
        """The store, and somebody else who is quicker."""

        read = store.read

        def begin(self) -> AbstractContextManager[Connection]:
            with store.begin() as db:
                known = registry.by_name(db, "A")
                assert known is not None
                registry.put(db, known.id, replace(known, serial="theirs"))
            return store.begin()

    content = tables.load(io.BytesIO(b"name,serial\nB,2\nA,2\nC,2\n"), "csv", "x")
    with pytest.raises(Refused, match="A was changed meanwhile"):
        import_meters(Interrupted(), content, "x", NOW, "tester")  # type: ignore[arg-type] # enough
    assert {each.name: each.serial for each in every(store)} == {"A": "theirs", "B": "1"}


def test_a_dry_run_tells_the_same_and_writes_nothing(store: Store) -> None:
    """Not even the lines."""
    text = "name,line\nA,K7\n"
    assert imported(store, text, dry=True) == [Imported(2, "A", "added")]
    assert every(store) == []
    assert imported(store, text) == [Imported(2, "A", "added")]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("separator", [b",", b";", b"\t"], ids=["comma", "semicolon", "tab"])
def test_csv_as_spreadsheets_write_it(
    store: Store, mark: bytes, end: bytes, separator: bytes
) -> None:
    """Their marks, line ends, separators, quotes and blank last lines."""
    lines = [b"Name,tags", b'A,"x y"', b",", b"B,z", b""]
    octets = mark + end.join(line.replace(b",", separator) for line in lines) + end
    assert [(row.line, row.name) for row in imported(store, octets)] == [(2, "A"), (4, "B")]
    assert [each.tags for each in every(store)] == [("x", "y"), ("z",)]


# --- rows that are wrong -----------------------------------------------------------------------

HEAD = "name,ean,profile,port,life,tags,client,address_size,mechanism,sign"
#: What is wrong, by the row that says it.
WRONG = {
    "an EAN whose check digit is wrong": ("A,376104250021234568", "last digit does not check, 9"),
    "an EAN of 13 digits": ("A,6291041500213", "it has 18 digits"),
    "an EAN that a spreadsheet rounded": ("A,3.76104E+17", "it has 18 digits"),
    "an unknown profile": ("A,,xx", "no profile, only be-wal, il"),
    "no port": ("A,,,somewhere", "is no port"),
    "a transport that there is not": ("A,,,pigeon:x", "is no transport"),
    "a port without a number": ("A,,,tcp:h", "is no address"),
    "a port of 65536": ("A,,,tcp:h:65536", "is no address"),
    "the meter's own side": ("A,,,pty:./x", "is reached as serial"),
    "a window that HDLC does not have": ("A,,,serial:/x?window=9", "port serial"),
    "no life": ("A,,,,alive", "is no life: those are"),
    "a tag with a comma": ('A,,,,,"a,b"', "tag"),
    "65 tags": ("A,,,,," + " ".join(f"t{n}" for n in range(65)), "64 at most"),
    "client 0": ("A,,,,,,0", "client: 0 is not in 1 to 127"),
    "client ten": ("A,,,,,,ten", "is no number"),
    "an address of three octets": ("A,,,,,,,3", "3 is none of 1, 2, 4"),
    "a mechanism that there is not": ("A,,,,,,,,magic", "is none of"),
    "a flag that is neither": ("A,,,,,,,,,perhaps", "neither yes nor no"),
    "no name": (",,be-wal", "no name"),
    "a name of 65 characters": ("A" * 65, "64 at most"),
    "a name with a control character": ("A\x1b[2J", "control character"),
    "a name with a blank at its end": ('"A "', "blank at an end"),
    "a formula": ('=cmd|" /C calc"!A0', "begins as a formula does"),
    "a formula in a tag": ("A,,,,,@SUM(1+1)", "begins as a formula does"),
    "a row with a cell too many": ("A" + "," * 10, "11 cells under 10 columns"),
}


@pytest.mark.parametrize(("row", "why"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_row_is_told_with_its_line_and_nothing_is_written(
    store: Store, row: str, why: str
) -> None:
    """Whatever is right around it."""
    missing = HEAD.count(",") + 1 - len(next(csv.reader([row])))
    cells = row + "," * missing
    with pytest.raises(RowsRefused) as refused:
        imported(store, f"{HEAD}\nGOOD{',' * 9}\n{cells}\nBETTER{',' * 9}\n")
    good, wrong, better = refused.value.rows
    assert (good.line, wrong.line, better.line) == (2, 3, 4)
    assert not good.wrong
    assert not better.wrong
    assert why in wrong.wrong
    assert "1 of 3 rows are wrong, so nothing was imported; line 3: " in str(refused.value)
    assert str(refused.value).isprintable()
    assert every(store) == []


def test_rows_that_contradict_each_other_are_wrong(store: Store) -> None:
    """A name twice, a point of delivery twice, in the file or beside it; all are told at once."""
    imported(store, f"name,ean\nOLD,{EAN}\n")
    rows = f"name,ean\nA,{OTHER_EAN}\nB,\nB,\nC,{OTHER_EAN}\nD,{EAN}\n"
    with pytest.raises(RowsRefused, match="3 of 5 rows are wrong") as refused:
        imported(store, rows)
    assert [row.wrong for row in refused.value.rows] == [
        "",
        "",
        "B is there already, at line 3",
        f"EAN {OTHER_EAN} is that of A",
        f"EAN {EAN} is that of OLD",
    ]


def test_a_life_takes_only_steps_that_there_are(store: Store) -> None:
    """A file does not bring a retired meter back into service, nor retires one in use."""
    with store.begin() as db:
        meter = meters.meet(db, "USED", "", NOW)
        meters.set_prepayment(db, meter, True)
    imported(store, "name,life\nGONE,retired\n")
    with pytest.raises(RowsRefused) as refused:
        imported(store, "name,life\nGONE,in-service\nUSED,retired\nNEW,retired\n")
    gone, used, new = (row.wrong for row in refused.value.rows)
    assert "GONE is retired, from where it does not become in-service" in gone
    assert "USED has prepayment active" in used
    assert not new


# --- files that are none -----------------------------------------------------------------------

HOSTILE: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "csv", "empty"),
    "UTF-16": ("name\nA\n".encode("utf-16"), "csv", "UTF-16"),
    "Latin-1": ("name,serial\nA,é\n".encode("latin-1"), "csv", "line 2: octet 0xE9 is not UTF-8"),
    "zero octets": (b"name\nA\0\n", "csv", "line 2: a zero octet"),
    "no name column": (b"serial\n1\n", "csv", "no column name"),
    "a column that is none": (b"name,serail\n", "csv", "did you mean serial"),
    "a column twice": (b"name,ean,name\n", "csv", "twice"),
    "a password column": (b"name,password\n", "csv", "'password' is no column"),
    "a quote that never ends": (b'name\n"A\nB\n', "csv", "line 3"),
    "a cell of 200,000 characters": (b"name\n" + b"A" * 200_000, "csv", "field limit"),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(64), "csv", "zero octet"),
    "no JSON": (b"name\n", "json", "line 1"),
    "JSON cut off": (b'{"meters": [', "json", "line 1"),
    "JSON of something else": (b"17", "json", "no list of meters"),
    "another's JSON": (b'{"format": "x", "meters": []}', "json", "not openprepay-registry"),
    "JSON 100,000 deep": (b"[" * 100_000, "json", "nested too deeply"),
    "a number of 10,000 digits": (b"[" + b"1" * 10_000 + b"]", "json", "digits"),
    "an object with a name twice": (b'[{"name": "A", "name": "B"}]', "json", "twice"),
    "lines that are none": (b'{"lines": 1, "meters": []}', "json", "lines are no object"),
    "no permits": (b'{"lines": {"K": 0}, "meters": []}', "json", "permits"),
    "permits that are none": (b'{"lines": {"K": true}, "meters": []}', "json", "permits"),
}


@pytest.mark.parametrize(("octets", "kind", "why"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_file_is_one_clear_error(
    store: Store, octets: bytes, kind: str, why: str
) -> None:
    """Never a traceback, and nothing is written."""
    with pytest.raises(FileError, match=why):
        imported(store, octets, kind)
    assert every(store) == []


def test_a_huge_file_is_not_read_to_its_end() -> None:
    """Nobody's memory is filled before it is refused."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0, "asked for all of it"
            self.given += size
            return bytes(size)

    with pytest.raises(FileError, match="more than 64 MiB"):
        tables.load(Endless(), "csv", "x")  # type: ignore[arg-type]  # it can be read


OBJECTS: dict[str, tuple[Any, str]] = {
    "no object": ([["name"]], "is no object"),
    "a field that is none": ([{"name": "A", "tag": []}], "did you mean tags"),
    "access that is none": ([{"name": "A", "access": 1}], "access is no object"),
    "a password": ([{"name": "A", "access": {"password": "x"}}], "'password' is no field"),
    "a number for a name": ([{"name": 17}], "17 is no text"),
    "a list for a name": ([{"name": ["A"]}], "a list is no text"),
    "a list in a list": ([{"name": "A", "tags": [["x"]]}], "tag a list"),
    "an object for tags": ([{"name": "A", "tags": {"x": 1}}], "tags: an object"),
    "true for a number": ([{"name": "A", "access": {"client": True}}], "is no number"),
    "a fraction for a number": ([{"name": "A", "access": {"client": 1.5}}], "is no number"),
    "a number for an EAN": ([{"name": "A", "ean": 376104250021234569}], "it has 18 digits"),
    "a lone surrogate": ([{"name": "A\ud800"}], "control character"),
}


@pytest.mark.parametrize(("rows", "why"), OBJECTS.values(), ids=list(OBJECTS))
def test_a_wrong_object_is_told_with_its_number(store: Store, rows: Any, why: str) -> None:
    """As a wrong row is."""
    with pytest.raises(RowsRefused, match="meter 1: ") as refused:
        imported(store, json.dumps(rows), "json")
    assert why in refused.value.rows[0].wrong


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=200)
def test_no_octets_at_all_bring_it_down(octets: bytes) -> None:
    """Whatever comes is a table or one of the two errors."""
    for kind, head in (("csv", b"name,tags,client\n"), ("json", b"")):
        try:
            content = tables.load(io.BytesIO(head + octets), kind, "x")
        except FileError:
            continue
        for row in content.rows:
            with suppress(FieldError):
                entry(row.fields)


def test_the_format_is_that_of_the_ending(tmp_path: Path) -> None:
    """Or what was chosen."""
    assert tables.format_of(tmp_path / "A.CSV", None) == "csv"
    assert tables.format_of(tmp_path / "a.csv", "json") == "json"
    with pytest.raises(Exception, match="Give --format"):
        tables.format_of(tmp_path / "a.xlsx", None)
