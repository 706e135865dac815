"""``prepay meters``, ``prepay lines`` and ``--meter``: what a user types, and a real bus."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headend.cli import Invocation, main
from headend.errors import UsageError
from headend.registry.discovery import Address, addresses
from headend.session import Patience
from headend.store import Store
from headend.transports import LinkKind
from tests.headend.bench import SPECS, Bench
from tests.headend.test_bus import SPEC, BusLine
from tests.headend.test_simulator import ENVIRONMENT, command

PORT = SPECS[LinkKind.WRAPPER]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A meter."""
    made = Bench("be-wal", LinkKind.WRAPPER)
    yield made
    made.close()


def prepay(bench: Bench | None, *words: str, stdin: bytes | None = None, **more: Any) -> Result:
    """Run a command; ``port`` and ``meter`` are what the environment says."""
    edge: dict[str, Any] = more.pop("edge", {})
    if bench is not None:
        edge = bench.edge()
    said = {
        f"PREPAY_{name.upper()}": more.get(name, "") for name in ("port", "meter", "keys", "db")
    }
    return CliRunner().invoke(main, list(words), obj=Invocation(**edge), env=said, input=stdin)


def told(bench: Bench, *words: str, **more: Any) -> Any:
    """Run a command that has to succeed and return its JSON."""
    done = prepay(bench, *words, "--json", **more)
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)


# --- by name -----------------------------------------------------------------------------------


def test_a_meter_lives_by_its_name(bench: Bench) -> None:
    """Registered, met, activated, topped up, taken out of service and retired, all by name."""
    name = bench.factory.name
    assert told(bench, "meters", "add", name, "--port", PORT, "--tag", "a")["life"] == "registered"
    assert told(bench, "--meter", name, "status")["meter"] == name
    assert told(bench, "meters", "show", name)["life"] == "commissioned"
    told(bench, "activate", "--meter", name)
    assert told(bench, "meters", "show", name)["life"] == "in-service"
    assert told(bench, "--meter", name, "topup", "25.00")["balance"] == "45.00"
    told(bench, "meters", "set", name, "--life", "out-of-service")
    refused = prepay(bench, "--meter", name, "topup", "5.00")
    assert refused.exit_code == 1
    assert "is out-of-service, so no money moves" in refused.stderr
    assert prepay(bench, "--port", PORT, "topup", "5.00").exit_code == 1  # by its port as well
    assert told(bench, "--meter", name, "read", "1.0.0")
    refused = prepay(bench, "meters", "set", name, "--life", "retired")
    assert refused.exit_code == 1
    assert "prepayment active" in refused.stderr
    told(bench, "meters", "set", name, "--life", "in-service")
    told(bench, "--meter", name, "deactivate")
    told(bench, "meters", "set", name, "--life", "retired")
    for words in (("status",), ("read", "1.0.0"), ("topup", "5")):
        assert "is retired" in prepay(bench, "--meter", name, *words).stderr
    assert "is retired" in prepay(bench, "--port", PORT, "status").stderr
    assert told(bench, "ledger", "--meter", name)["ledgers"][0]["posts"]
    assert [each["meter"] for each in told(bench, "--meter", name, "transactions")["transactions"]]


def test_an_unknown_name_is_wrong_usage_everywhere(bench: Bench) -> None:
    """With what is near, whichever command it is and wherever the option stands."""
    told(bench, "meters", "add", "OPP0000000000017")
    for words in (("status",), ("topup", "5"), ("ledger",), ("read", "1.8.0")):
        for line in (("--meter", "OPP17", *words), (*words, "--meter", "OPP000000000017")):
            done = prepay(bench, *line)
            assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
            assert done.stderr.startswith("prepay: no meter 'OPP")
    assert "did you mean OPP0000000000017?" in done.stderr


def test_what_was_typed_goes_before_the_environment(bench: Bench) -> None:
    """A port that is typed before a name from there, a name that is typed before a port."""
    name = bench.factory.name
    told(bench, "meters", "add", name, "--port", PORT)
    told(bench, "meters", "add", "OTHER", "--port", PORT)
    assert told(bench, "--meter", name, "status", port="tcp:nowhere:1")["meter"] == name
    assert told(bench, "--port", PORT, "status", meter="OTHER")["meter"] == name
    assert told(bench, "status", meter=name, port="tcp:nowhere:1")["meter"] == name
    both = prepay(bench, "--meter", "OTHER", "--port", PORT, "status")
    assert both.exit_code == 3
    assert f"no answer from OTHER: {name} answers in its place" in both.stderr


def test_a_name_in_the_environment_harms_no_command_that_asks_no_meter(bench: Bench) -> None:
    """However unknown it is."""
    assert told(bench, "meters", meter="nosuch") == {"meters": []}
    assert told(bench, "lines", meter="nosuch") == {"lines": []}


# --- the registry ------------------------------------------------------------------------------


def test_the_bare_command_lists_as_it_always_did(bench: Bench) -> None:
    """And, with a choice, fewer."""
    told(bench, "meters", "add", "A1", "--port", "serial:/dev/x", "--physical", "7", "--tag", "t")
    told(bench, "meters", "add", "B1", "--line", "K7")
    shown = prepay(bench, "meters").stdout
    assert " ".join(shown.split()).startswith("meter profile life prepayment line tags port ")
    assert "serial:/dev/x, physical 7" in shown
    listed = told(bench, "meters", "--query", "name=A*")["meters"]
    assert [each["name"] for each in listed] == ["A1"]
    assert listed[0]["access"] == {"physical": 7}
    assert [e["name"] for e in told(bench, "meters", "--file", "-", stdin=b"B1\n")["meters"]] == [
        "B1"
    ]
    assert told(bench, "meters", "--tag", "none")["meters"] == []
    assert told(bench, "meters", "list", "--tag", "t") == told(bench, "meters", "--tag", "t")
    assert told(bench, "lines", "list") == told(bench, "lines")
    assert prepay(bench, "meters", "--tag", "t", "show", "A1").exit_code == 2


def test_the_address_has_one_name_wherever_it_stands(bench: Bench) -> None:
    """In the list, its JSON, show and what is exported: port. Where it was met is apart."""
    told(bench, "meters", "add", "A1", "--port", "tcp:h:1")
    told(bench, "status", port=PORT)
    met, ours = sorted(told(bench, "meters")["meters"], key=lambda each: each["name"] == "A1")
    assert (ours["port"], ours["met_at"]) == ("tcp:h:1", None)
    assert met["port"] == met["met_at"] != None  # noqa: E711 # of a chain
    assert told(bench, "meters", "show", "A1")["port"] == "tcp:h:1"
    assert told(bench, "meters", "export", "--format", "json")["meters"][0]["port"] == "tcp:h:1"


def test_an_empty_registry_says_how_meters_get_there(bench: Bench) -> None:
    """By acquaintance, by discovery, by a file; and lines as well."""
    none = prepay(bench, "meters").stdout
    assert all(word in none for word in ("status", "discover", "import"))
    none = prepay(bench, "lines").stdout
    assert all(word in none for word in ("meters set", "discover", "import"))


def test_a_wrong_key_of_a_known_meter_says_where_its_keys_are_kept(
    bench: Bench, tmp_path: Path
) -> None:
    """Beside the options that are for once."""
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[management]\nblock_cipher_key = "{"5A" * 16}"\n')
    told(bench, "meters", "add", "A1", "--port", PORT)
    done = prepay(bench, "--meter", "A1", "--keys", str(keys), "clock")
    assert done.exit_code == 1
    assert "(wrong key or password? prepay keys import A1 FILE, --keys FILE" in done.stderr


def test_tags_are_not_set_and_the_error_says_how_they_are_given(bench: Bench) -> None:
    """Nothing is changed."""
    told(bench, "meters", "add", "A1")
    done = prepay(bench, "meters", "set", "A1", "--tag", "x", "--ean", "")
    assert done.exit_code == 2
    assert "prepay meters tag x A1" in done.stderr


def test_an_export_writes_over_nothing_unless_it_is_told(bench: Bench, tmp_path: Path) -> None:
    """As a backup does."""
    file = tmp_path / "m.csv"
    for words, code in (((), 0), ((), 1), (("--overwrite",), 0)):
        done = prepay(bench, "meters", "export", str(file), *words)
        assert done.exit_code == code, done.stderr
        assert ("--overwrite" in done.stderr) is bool(code)


def test_an_import_shows_what_it_changes_and_every_error_of_a_row(
    bench: Bench, tmp_path: Path
) -> None:
    """Rows that stay as they are, are counted; a row of JSON has a number."""
    rows = [{"name": "A1"}, {"name": "A2", "line": "K7"}]
    file = tmp_path / "m.json"
    file.write_text(json.dumps(rows[:1]))
    assert prepay(bench, "meters", "import", str(file)).exit_code == 0
    file.write_text(json.dumps(rows))
    shown = prepay(bench, "meters", "import", str(file)).stdout.split("\n")
    assert shown[0] == "1 added, 0 changed, 1 unchanged"
    assert [line.split()[:2] for line in shown[1:-1]] == [["row", "meter"], ["2", "A2"]]
    file.write_text(json.dumps([{"name": "A3", "ean": "5", "port": "x", "tags": ["!"]}]))
    wrong = prepay(bench, "meters", "import", str(file))
    assert wrong.exit_code == 2
    assert wrong.stdout.count(";") == 2
    assert all(word in wrong.stdout for word in ("EAN", "port", "tag"))


def test_how_a_meter_is_reached_is_what_was_typed(bench: Bench) -> None:
    """Nothing that the environment says is remembered; --unset forgets."""
    made = told(bench, "meters", "add", "A1", "--physical", "7", "--mechanism", "sha256",
                port="tcp:h:1")  # fmt: skip # one call
    assert (made["port"], made["access"]) == (None, {"mechanism": "sha256", "physical": 7})
    changed = told(bench, "meters", "set", "A1", "--unset", "physical", "--port", "tcp:h:2")
    assert (changed["port"], changed["access"]) == ("tcp:h:2", {"mechanism": "sha256"})
    assert changed["changed"] == ["port", "access"]
    assert told(bench, "meters", "set", "A1", "--port", "")["port"] is None
    assert told(bench, "meters", "set", "A1")["changed"] == []


REFUSED = {
    "a meter twice": (("meters", "add", "A1"), 2, "is registered already"),
    "a wrong EAN": (("meters", "add", "B", "--ean", "376104250021234560"), 2, "9 would"),
    "an EAN twice": (("meters", "add", "B", "--ean", "376104250021234569"), 2, "that of A1"),
    "a wrong port": (("meters", "set", "A1", "--port", "pigeon:x"), 2, "no transport"),
    "a wrong tag": (("meters", "tag", "a,b", "A1"), 2, "letters"),
    "nobody to tag": (("meters", "tag", "ab"), 2, "which meters"),
    "a step that there is not": (("meters", "set", "C1", "--life", "registered"), 1, "only"),
    "a field that there is not": (("meters", "set", "A1", "--unset", "password"), 2, "takes"),
    "a line with meters": (("lines", "remove", "K7"), 1, "stays"),
    "no such line": (("lines", "remove", "K9"), 2, "no line"),
    "permits of 0": (("lines", "set", "K7", "--permits", "0"), 2, "1 to 10000"),
    "no file": (("meters", "import", "/nosuch.csv"), 2, "No such file"),
    "a folder": (("meters", "import", "/tmp", "--format", "csv"), 2, "directory"),
    "nowhere to write": (("meters", "export", "/nosuch/x.csv"), 1, "No such file"),
    "neither CSV nor JSON": (("meters", "import", "x.xlsx"), 2, "Give --format"),
    "nowhere to look": (("meters", "discover"), 2, "where?"),
}


@pytest.mark.parametrize(("words", "code", "why"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_wrong_is_one_line(
    bench: Bench, words: tuple[str, ...], code: int, why: str
) -> None:
    """With the exit code of its kind, and nothing is changed."""
    told(bench, "meters", "add", "A1", "--ean", "376104250021234569", "--line", "K7")
    told(bench, "meters", "add", "C1")
    told(bench, "meters", "set", "C1", "--life", "in-service")
    before = told(bench, "meters")
    done = prepay(bench, *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("prepay: ")
    assert done.stderr.count("\n") == 1
    assert why in done.stderr
    assert told(bench, "meters") == before


def test_tags_and_lines_by_hand(bench: Bench) -> None:
    """By name and by query; a line shows its permits and meters."""
    for name in ("A1", "A2", "B1"):
        told(bench, "meters", "add", name, "--line", "K7")
    assert told(bench, "meters", "tag", "x", "B1", "--query", "name=A*") == {
        "tag": "x",
        "tagged": 3,
    }
    assert told(bench, "meters", "untag", "x", "A1") == {"tag": "x", "untagged": 1}
    assert [e["name"] for e in told(bench, "meters", "--tag", "x")["meters"]] == ["A2", "B1"]
    told(bench, "lines", "set", "K7", "--permits", "4")
    assert told(bench, "lines") == {"lines": [{"line": "K7", "permits": 4, "meters": 3}]}
    told(bench, "meters", "remove", "A1")
    assert told(bench, "lines")["lines"][0]["meters"] == 2


def test_a_file_goes_out_and_in_again(bench: Bench, tmp_path: Path) -> None:
    """By its ending; a wrong row is told in a table, and on stderr in a line."""
    told(bench, "meters", "add", "A1", "--port", "serial:/dev/x", "--physical", "7", "--tag", "t")
    for name in ("park.csv", "park.json"):
        path = str(tmp_path / name)
        assert told(bench, "meters", "export", path)["meters"] == 1
        again = told(bench, "meters", "import", path)
        assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 1)
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["park.csv", "park.json"]
    csv = prepay(bench, "meters", "export").stdout
    assert csv == (tmp_path / "park.csv").read_text()
    bad = csv.encode() + b"B1" + b"," * 16 + b"\nB1,,1\n"
    done = prepay(bench, "meters", "import", "-", "--format", "csv", stdin=bad)
    assert done.exit_code == 2
    assert "4" in done.stdout
    assert "B1" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "1 of 3 rows are wrong, so nothing was imported; line 4" in done.stderr
    dry = told(bench, "meters", "import", "-", "--format", "csv", "--dry-run", stdin=b"name\nB1\n")
    assert (dry["imported"], dry["added"]) == (0, 1)
    assert len(told(bench, "meters")["meters"]) == 1


# --- discovery ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "physical", "found"),
    [
        ("serial:./bus", "1-3", [Address("serial:./bus", n) for n in (1, 2, 3)]),
        ("serial:./bus", "7", [Address("serial:./bus", 7)]),
        ("serial:./bus-1-3", None, [Address("serial:./bus-1-3")]),
        ("tcp:h:4059-4061", None, [Address(f"tcp:h:{n}") for n in (4059, 4060, 4061)]),
        ("tcp:[::1]:1-2", None, [Address("tcp:[::1]:1"), Address("tcp:[::1]:2")]),
        (
            "hdlc+tcp:h:1-2?window=7",
            "1-2",
            [Address(f"hdlc+tcp:h:{p}?window=7", n) for p in (1, 2) for n in (1, 2)],
        ),
    ],
)
def test_ranges_of_ports_and_of_addresses(
    port: str, physical: str | None, found: list[Address]
) -> None:
    """A path with a range in its name is a path."""
    assert addresses(port, physical) == found


@pytest.mark.parametrize(
    ("port", "physical"),
    [
        ("serial:./bus", "3-1"),
        ("serial:./bus", "0-1"),
        ("serial:./bus", "1-16384"),
        ("serial:./bus", "all"),
        ("serial:./bus", "-5"),
        ("serial:./bus", "1-1025"),
        ("tcp:h:1", "1-3"),
        ("tcp:h:0-3", None),
        ("tcp:h:9-3", None),
        ("tcp:h:1-65536", None),
        ("tcp:h:1-65535", None),
        ("pigeon:h:1-3", None),
    ],
)
def test_a_range_that_is_none_is_wrong_usage(port: str, physical: str | None) -> None:
    """Backwards, out of bounds, more than a run asks, or not on that port."""
    with pytest.raises(UsageError):
        addresses(port, physical)


class OneAtATime(BusLine):
    """A line that notices when it is opened while it is open."""

    is_open = False

    def open(self, _spec: Any, _now: Any) -> "OneAtATime":
        """Open the line."""
        assert not self.is_open
        self.is_open = True
        super().open(_spec, _now)
        return self

    def close(self) -> None:
        """Hang up."""
        self.is_open = False


def test_a_bus_is_found_address_by_address(tmp_path: Path) -> None:
    """Three of five answer, one association after the other, and the silent cost what was said."""
    line, store = OneAtATime(), Store(str(tmp_path / "x.db"))
    edge = {"now": line.now, "transports": line.open, "store": store,
            "patience": Patience(silence=9_000_000)}  # fmt: skip # one value
    words = ("meters", "discover", "--port", SPEC, "--addresses", "1-5", "--seconds", "1")

    def ask(*more: str) -> Any:
        done = prepay(None, *words, "--json", *more, edge=edge)
        assert (done.exit_code, done.stderr) == (0, "")
        return json.loads(done.stdout)

    before = line.now()
    found = ask()
    assert (found["asked"], [each["physical"] for each in found["found"]]) == (5, [1, 2, 3])
    assert {each["result"] for each in found["found"]} == {"new"}
    assert line.now() - before <= 5 * 4 * 1_000
    added = ask("--add", "--line", "bus1", "--tag", "depot")
    assert {each["result"] for each in added["found"]} == {"added"}
    assert {each["result"] for each in ask("--add")["found"]} == {"registered"}
    again = ask("--add", "--line", "bus2", "--tag", "depot", "--tag", "again")
    assert {each["result"] for each in again["found"]} == {"registered; given line bus2, tag again"}
    name = added["found"][1]["meter"]
    status = prepay(None, "--meter", name, "status", "--json", edge=edge)
    assert json.loads(status.stdout)["meter"] == name
    assert [each["result"] for each in ask()["found"]] == [
        "registered",
        "commissioned",
        "registered",
    ]
    listed = json.loads(prepay(None, "meters", "--tag", "depot", "--json", edge=edge).stdout)
    assert [each["access"]["physical"] for each in listed["meters"]].count(2) == 1
    assert {each["line"] for each in listed["meters"]} == {"bus2"}
    assert all(each["tags"] == ["again", "depot"] for each in listed["meters"])
    moved = prepay(None, "meters", "set", name, "--physical", "99", edge=edge)
    assert moved.exit_code == 0
    assert "registered at" in ask("--add")["found"][1]["result"]
    store.close()


def test_nobody_at_all_is_no_answer(tmp_path: Path) -> None:
    """Exit code 3, and where it was looked."""
    line, store = BusLine(), Store(str(tmp_path / "x.db"))
    edge = {"now": line.now, "transports": line.open, "store": store}
    words = ("meters", "discover", "--port", SPEC, "--addresses", "7-9", "--seconds", "0.1")
    done = prepay(None, *words, edge=edge)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "nobody answers at 3 addresses" in done.stderr
    store.close()


@contextmanager
def simulated(folder: Path, *words: str) -> Iterator[Any]:
    """Give what a running simulator says when it is ready."""
    with subprocess.Popen(
        command("sim", *words, "--json"), cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_a_real_bus_is_found_registered_and_paid_for_by_name(tmp_path: Path) -> None:
    """Two meters in a process of their own; a port that is not there is said at once."""
    store = Store(str(tmp_path / "h.db"))

    def run(*words: str) -> tuple[int, Any, str]:
        done = prepay(None, "--json", *words, edge={"store": store})
        return done.exit_code, json.loads(done.stdout or "null"), done.stderr

    here = ("meters", "discover", "--port", f"serial:{tmp_path}/bus", "--addresses", "1-3")
    with simulated(tmp_path, "bus", "--meters", "2", "--port", "pty:./bus", "--seed", "5") as ready:
        code, found, said = run(*here, "--seconds", "0.5", "--add")
        assert (code, said) == (0, "")
        names = [each["meter"] for each in found["found"]]
        assert names == [each["meter"] for each in ready["meters"]]
        assert run("--meter", names[1], "activate")[0] == 0
        assert run("topup", "25.00", "--meter", names[1])[1]["balance"] == "45.00"
    code, _, said = run(*here)
    assert code == 3
    assert "does not exist" in said
    store.close()
