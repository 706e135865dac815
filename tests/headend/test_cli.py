"""The command line: usage, exit codes, one line an error, quick help."""

import errno
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from headend.cli import Invocation, main
from headend.session import Patience
from headend.transports import LinkKind
from tests.headend.bench import SPECS, Bench
from tests.headend.unplugged import Unplugged


def prepay(*words: str, bench: Bench | None = None, db: str = "", port: str = "") -> Result:
    """Run a command; with a bench its meter is behind every port.

    ``db`` and ``port`` are what the environment says.
    """
    edge: dict[str, Any] = {"patience": Patience(silence=50, whole=100, farewell=10)}
    if bench is not None:
        edge = bench.edge()
    clean = {"PREPAY_PORT": port, "PREPAY_DB": db, "PREPAY_KEYS": ""}
    return CliRunner().invoke(main, list(words), obj=Invocation(**edge), env=clean)


def test_every_command_has_help_with_an_example() -> None:
    """And the list of commands is the folder of their files, each with a sentence."""
    names = main.list_commands(click.Context(main))
    listed = prepay("--help").output
    for name in names:
        shown = prepay(name, "--help")
        assert shown.exit_code == 0
        assert "Example: prepay" in shown.output, name
        assert "--json" in shown.output
        assert f"\n  {name} " in listed
        assert "...\n" not in shown.output.partition("Commands:")[2], f"{name}: cut off"
    assert {
        "topup", "activate", "deactivate", "connect", "disconnect", "status", "morning", "read",
        "set", "action", "objects", "clock", "settle", "meters", "ledger", "transactions",
    } <= set(names)  # fmt: skip # a table


@pytest.mark.parametrize(
    "words",
    [
        ("--meter", "\udcff", "status"),
        ("--port", "tcp:\udcff:1", "status"),
        ("meters", "list", "--tag", "\udcff"),
        ("commands", "show", "\udcff"),
        ("campaign", "start", "--label", "\udcff", "read", "1.8.0"),
        ("trace", "\udcff"),
        ("--meter", "x", "topup", "5", "--queue", "--idempotency-key", "\udcff"),
    ],
    ids=" ".join,
)
def test_octets_that_are_no_text_are_wrong_usage(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the option, whatever command it is."""
    monkeypatch.chdir(tmp_path)
    said = prepay(*words, db=str(tmp_path / "h.db"))
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no UTF-8" in said.stderr
    assert not list(tmp_path.iterdir())


def test_octets_that_are_no_text_may_be_a_path(tmp_path: Path) -> None:
    """The system's names of files are octets."""
    named = tmp_path / "\udcff.csv"
    named.write_text("name,profile\n")
    db = str(tmp_path / "\udcff.db")
    assert prepay("meters", "import", str(named), db=db).exit_code == 0
    assert prepay("--db", db, "meters", "list").exit_code == 0
    said = prepay("--keys", str(tmp_path / "\udcff"), "--port", "tcp:127.0.0.1:1", "status")
    assert "No such file" in said.stderr


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    """Not the database, not the protocol, not the terminal's decoration."""
    program = (
        "import sys\n"
        "from headend.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'rich', 'pydantic', 'cryptography', 'serial', "
        "'protocol.axdr', 'prepay'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_ends_does_not_look_for_garbage() -> None:
    """The system takes all of its memory; looking through it took a fifth of a command's time."""
    program = (
        "import atexit, gc, os\n"
        "atexit.register(lambda: os._exit(7 if gc.get_freeze_count() else 0))\n"
        "from headend.cli import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 7


def test_a_plain_read_does_not_import_the_database() -> None:
    """The store costs time, and only ciphered sessions and money need it."""
    program = (
        "import sys\n"
        "from headend.cli import main\n"
        "try: main(['--port', 'tcp:127.0.0.1:1', '--client', '16', 'read', '1.8.0'])\n"
        "except SystemExit as end: code = end.code\n"
        "sys.exit(3 if 'sqlalchemy' in sys.modules else int(code) - 3)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0


USAGE = {
    "no port": ["topup", "25.00"],
    "no command": ["--port", "tcp:x:1", "nosuch"],
    "no amount": ["--port", "tcp:x:1", "topup"],
    "an amount of 0": ["--port", "tcp:x:1", "topup", "0"],
    "an amount of -5": ["--port", "tcp:x:1", "topup", "-5"],
    "an amount of 25.005": ["--port", "tcp:x:1", "topup", "25.005"],
    "an amount of 1e9": ["--port", "tcp:x:1", "topup", "1e9"],
    "an amount of abc": ["--port", "tcp:x:1", "topup", "abc"],
    "no such option": ["--nosuch", "status"],
    "no such transport": ["--port", "pigeon:x", "status"],
    "the meter's own side of a port": ["--port", "pty:./meter0", "status"],
    "no serial port": ["--port", "serial:/dev/null", "status"],
    "not a tcp address": ["--port", "tcp:nowhere", "status"],
    "not an OBIS code": ["--port", "tcp:x:1", "read", "hello"],
    "an OBIS group of 256": ["--port", "tcp:x:1", "read", "1.8.256"],
    "not a value": ["--port", "tcp:x:1", "set", "1.0.0", "5"],
    "not a time": ["--port", "tcp:x:1", "clock", "--set", "noon"],
    "not an id": ["--port", "tcp:x:1", "topup", "25", "--id", "12"],
    "no such key file": ["--port", "tcp:127.0.0.1:1", "--keys", "/nosuch", "status"],
    "not a database": ["--db", "nosuch://x", "meters"],
    "no such meter": ["ledger", "--meter", "nobody"],
    "not the management client": ["--port", "tcp:x:1", "--client", "2", "topup", "25"],
}


@pytest.mark.parametrize("words", USAGE.values(), ids=list(USAGE))
def test_wrong_usage_is_one_line_and_exit_code_2(words: list[str], tmp_path: Path) -> None:
    """On stderr, beginning with the program's name; with --json an object."""
    done = prepay(*words, db=str(tmp_path / "x.db"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("prepay: ")
    assert done.stderr.count("\n") == 1
    fault = prepay("--json", *words, db=str(tmp_path / "x.db"))
    assert fault.exit_code == 2
    told = json.loads(fault.stderr)
    assert (told["exit_code"], f"prepay: {told['error']}\n") == (2, done.stderr)


def test_nobody_there_is_exit_code_3(tmp_path: Path) -> None:
    """Nobody listens on that port."""
    done = prepay("--port", "tcp:127.0.0.1:1", "--db", str(tmp_path / "x.db"), "status")
    assert done.exit_code == 3
    assert done.stderr == (
        "prepay: no answer from 127.0.0.1:1: connection refused; is the meter running? "
        "prepay-sim meter --port tcp:127.0.0.1:1\n"
    )


def test_how_a_meter_is_started_is_said_to_who_gave_its_port_alone(tmp_path: Path) -> None:
    """By name it may stand anywhere, and what is kept of a command is no place for advice."""
    database = str(tmp_path / "x.db")
    for scheme in ("tcp", "udp"):
        port = f"{scheme}:127.0.0.1:1"
        direct = prepay("--port", port, "--db", database, "status")
        assert direct.stderr.endswith(f"; is the meter running? prepay-sim meter --port {port}\n")
        assert prepay("--db", database, "meters", "add", scheme, "--port", port).exit_code == 0
        named = prepay("--db", database, "--meter", scheme, "status")
        assert (direct.exit_code, named.exit_code) == (3, 3)
        assert "running" not in named.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("commands list", "--meter NAME"),
        ("campaign start", "default a day after"),
        ("cases close", "--reason TEXT"),
        ("meters export", "--overwrite"),
    ],
)
def test_the_help_tells_what_a_newcomer_looks_for(words: str, told: str) -> None:
    """Options that are there are listed."""
    assert told in " ".join(prepay(*words.split(), "--help").output.split())


def test_an_option_that_is_none_is_likened_to_those_of_the_help() -> None:
    """What the help leaves out is not suggested; what it has is."""
    assert "--trace" not in prepay("cases", "close", "17", "--trac").stderr
    assert "'--kind'" in prepay("cases", "list", "--kin", "x").stderr


def test_a_key_file_that_is_wrong_names_the_entry_and_no_key(tmp_path: Path) -> None:
    """Keys never show in a message."""
    keys = tmp_path / "keys.toml"
    keys.write_text('[management]\nblock_cipher_key = "0011"\n')
    done = prepay("--port", "tcp:x:1", "--keys", str(keys), "--db", str(tmp_path / "x"), "status")
    assert done.exit_code in (2, 3)
    assert "0011" not in done.stderr


# --- with a meter --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench() -> Bench:
    """A meter with prepayment, which the tests below do not change."""
    made = Bench("be-wal", LinkKind.HDLC)
    assert prepay("--port", SPECS[LinkKind.HDLC], "activate", bench=made).exit_code == 0
    return made


def test_options_may_stand_before_the_command_or_after_it(bench: Bench) -> None:
    """Or in the environment; the one on the command wins."""
    spec = SPECS[LinkKind.HDLC]
    outputs = {
        prepay("--port", spec, "--json", "status", bench=bench).exit_code,
        prepay("status", "--port", spec, "--json", bench=bench).exit_code,
        prepay("status", "--json", bench=bench, port=spec).exit_code,
        prepay("status", "--port", spec, bench=bench, port="pigeon:x").exit_code,
    }
    assert outputs == {0}


def run(bench: Bench, *words: str) -> Result:
    """Run a command on the bench's meter."""
    return prepay("--port", SPECS[LinkKind.HDLC], *words, bench=bench)


def test_status_is_one_json_object(bench: Bench) -> None:
    """And a frame for people."""
    assert json.loads(run(bench, "status", "--json").stdout)["balance"] == "20.00"
    assert "EUR 20.00" in run(bench, "status").stdout


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["94.32.2 2"], "20.00 EUR\n"),
        (["94.32.2.2"], "20.00 EUR\n"),
        (["0-0:94.32.2*3"], "12.00 EUR\n"),
        (["1.8.0"], "0 Wh\n"),
        (["1-0:1.8.0*255", "--class", "3", "--attribute", "2"], "0 Wh\n"),
        (["1.0.1.8.0.255", "--attribute", "1"], "octet-string:0100010800FF\n"),
        (["0-0:96.3.10", "--attribute", "3"], "connected\n"),
        (["profile name"], "be-wal\n"),
        (["94.32.2 1"], "2026-11-24T12:00:00+01:00\n"),
    ],
)
def test_a_code_is_read_in_every_form(bench: Bench, words: list[str], shown: str) -> None:
    """Reduced, dotted, full, by name; registers scaled and with their unit."""
    done = run(bench, "read", *words)
    assert done.stdout.startswith(shown), done.stderr


@pytest.mark.parametrize("code", ["9.9.9", "1-0:99.99.99*255", "1.99"])
def test_an_unknown_code_is_refused_in_one_line(bench: Bench, code: str) -> None:
    """Exit code 1: the code is one, the meter has no such object."""
    done = run(bench, "read", code)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("prepay: unknown OBIS code")


def test_objects_are_listed_with_class_version_code_and_name(bench: Bench) -> None:
    """As the association lists them."""
    listed = json.loads(run(bench, "objects", "--json").stdout)["objects"]
    register = {"code": "1-0:1.8.0*255", "class": 3, "version": 0}
    assert [register] == [
        {name: each[name] for name in register} for each in listed if each["code"][4:9] == "1.8.0"
    ]
    assert "active energy import" in run(bench, "objects").stdout


def test_an_attribute_and_a_method_can_be_refused(bench: Bench) -> None:
    """One line each, exit code 1."""
    assert run(bench, "set", "1.8.0", "double-long-unsigned:5").exit_code == 1
    assert run(bench, "action", "0-0:19.40.0", "octet-string:00").exit_code == 1
    missing = run(bench, "action", "0-0:96.3.10", "--method", "9")
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)


def test_the_clock_is_read_and_set() -> None:
    """To a time in the meter's zone, or to now."""
    own = Bench("be-wal", LinkKind.HDLC)
    assert run(own, "clock").stdout == "2026-11-24T12:00:00+01:00\n"
    done = run(own, "clock", "--set", "2026-11-23T06:00:00")
    assert done.stdout.startswith("2026-11-23T06:00:0"), done.stderr
    assert run(own, "clock", "--set", "2026-11-23T06:00:00Z").stdout.startswith("2026-11-23T07:00")
    assert run(own, "clock", "--set").stdout.startswith("2026-11-24T12:00:0")
    own.close()


def test_the_trace_shows_octets_on_stderr(bench: Bench) -> None:
    """In both directions; stdout stays as it is."""
    done = run(bench, "--trace", "read", "1.8.0")
    assert done.stdout == "0 Wh\n"
    assert {line[0] for line in done.stderr.splitlines()} == {">", "<"}
    assert "> 7E A0" in done.stderr


def test_a_lost_outcome_is_exit_code_4_and_names_the_transaction() -> None:
    """And settle finds it out."""
    own = Bench("be-wal", LinkKind.WRAPPER)
    spec = SPECS[LinkKind.WRAPPER]
    prepay("--port", spec, "activate", bench=own)
    codes = {}
    for writes in range(2, 20):
        unplugged = Unplugged(own, writes).context()
        edge = {"now": own.clock, "entropy": own.entropy, "store": own.store,
                "transports": unplugged.transports, "patience": unplugged.patience}  # fmt: skip
        done = CliRunner().invoke(
            main, ["--json", "--port", spec, "topup", "25"], obj=Invocation(**edge)
        )
        codes[done.exit_code] = done
        if done.exit_code == 4:
            break
    told = json.loads(codes[4].stderr)
    assert set(codes) <= {3, 4}
    assert len(bytes.fromhex(told["transaction"])) == 16
    settled = json.loads(prepay("--port", spec, "settle", "--json", bench=own).stdout)["settled"]
    assert [each["transaction"] for each in settled] == [told["transaction"]]
    own.close()


# --- an output that nobody takes -----------------------------------------------------------------

FULL = OSError(errno.ENOSPC, "No space left on device")


def fail_with(error: OSError) -> Callable[..., None]:
    """Return what raises an error in place of writing."""

    def write(*_: object, **__: object) -> None:
        raise error

    return write


@pytest.mark.parametrize(
    ("error", "words", "code", "said"),
    [
        (BrokenPipeError(), ["topup", "25"], 0, ""),
        (FULL, ["topup", "25"], 4, "done, but it cannot be written: No space left on device"),
        (BrokenPipeError(), ["status"], 0, ""),
        (FULL, ["status"], 1, "the output cannot be written: No space left on device"),
    ],
)
def test_an_order_counts_although_its_report_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, error: OSError, words: list[str], code: int, said: str
) -> None:
    """Exit code 1 would say that the meter refused, and whoever believed it would pay again."""
    own = Bench("be-wal", LinkKind.HDLC)
    run(own, "activate")
    with monkeypatch.context() as broken:
        broken.setattr("headend.cli.show", fail_with(error))
        done = run(own, *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(f"prepay: {said}" if said else "")
    assert done.stderr.count("\n") == bool(said)
    balance = "EUR 45.00" if "topup" in words else "EUR 20.00"
    assert balance in run(own, "status").stdout
    own.close()


def test_a_trace_that_nobody_takes_stops_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does an error that nobody can read change its exit code."""
    own = Bench("be-wal", LinkKind.HDLC)
    run(own, "activate")
    echo = click.echo

    def deaf(*said: Any, err: bool = False, **more: Any) -> None:
        if err:
            raise BrokenPipeError
        echo(*said, **more)

    monkeypatch.setattr("headend.report.click.echo", deaf)
    assert "EUR 45.00" in run(own, "--trace", "topup", "25").stdout
    assert run(own, "topup", "nothing").exit_code == 2
    own.close()


@pytest.mark.parametrize(("into", "code"), [("| true", 0), ("> /dev/full", 1)])
def test_no_traceback_tells_of_a_broken_pipe_or_a_full_disk(into: str, code: int) -> None:
    """The program itself, at a shell."""
    program = "from headend.cli import main; main(['decode', 'C001C100030100010800FF0200'])"
    shell = f"set -o pipefail; {shlex.quote(sys.executable)} -c {shlex.quote(program)} {into}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") == code
    assert "Traceback" not in done.stderr
