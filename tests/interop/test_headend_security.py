"""Our head-end at somebody else's meter, with any key file; and no key in any output of ours.

The meter is the simulator of pydlms-client, which has suites 1 and 2 and every mechanism, though
not on its command line.
"""

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headend.cli import main as headend
from prepay.keys import MeterKeys, parse_keys
from sim.cli import main as sim
from tests.interop.environments import HERE, PYDLMS
from tests.interop.processes import environment, free_port, running, script
from tests.interop.secured import WAYS, key_file, leaked, secrets, simulated
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

Recorder = Callable[[str, Any], None]

PATIENCE_SECONDS = 60
REFUSED, WRONG_USAGE = 1, 2
RELAY = ("0-0:96.3.10.255", "--class", "70")
#: ``--envelope`` and ``--sign``; by way, so that each suite has all that it can.
ENVELOPES = ("general-glo", "ded", "general-ded", "identified", "wrapped")
CELLS = [
    *((0, "hls-gmac", (envelope,)) for envelope in ENVELOPES),
    *((1, "hls-ecdsa", (name, "--sign")) for name in ("glo", *ENVELOPES, "one-pass", "static")),
    *((2, "hls-sha256", (envelope,)) for envelope in (*ENVELOPES, "one-pass", "static")),
    *((2, "hls-ecdsa", (envelope, "--sign")) for envelope in ("glo", "one-pass", "static")),
]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated meter of pydlms-client's.

    Args:
        keys: its keys.
        file: where they are.
        port: of TCP.
    """

    keys: MeterKeys
    file: Path
    port: int


@pytest.fixture(scope="module")
def simulators(
    interpreters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[int, str], Simulated]]:
    """One for each suite and mechanism, all in one process of the peer's."""
    directory = tmp_path_factory.mktemp("simulated")
    texts = [key_file(*way) for way in WAYS]
    files = [directory / f"keys{number}.toml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    command = [str(interpreters[PYDLMS.name]), "-B"]
    command += [str(HERE / "peers" / "pydlms_secured_simulator.py")]
    command += [json.dumps(simulated(parse_keys(text))) for text in texts]
    with running(command, directory, "simulators") as process:
        ports = json.loads(process.first_line())
        made = zip(map(parse_keys, texts), files, ports, strict=True)
        yield {way: Simulated(*meter) for way, meter in zip(WAYS, made, strict=True)}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all, in which one meter moves from port to port."""
    return f"sqlite:///{tmp_path_factory.mktemp('headend') / 'headend.sqlite'}"


Prepay = Callable[..., dict[str, Any]]


@pytest.fixture
def prepay(simulators: dict[tuple[int, str], Simulated], database: str) -> Prepay:
    """Run our command line in this process, with ``--trace``; what it said, which shows no key."""

    def run(way: tuple[int, str], *words: str, code: int = 0) -> dict[str, Any]:
        meter = simulators[way]
        options = ["--json", "--trace", "--db", database, "--keys", str(meter.file)]
        options += ["--port", f"tcp:127.0.0.1:{meter.port}"]
        done = CliRunner().invoke(headend, [*options, *words])
        assert done.exit_code == code, done.output
        assert leaked(done.output, meter.keys) == []
        told: dict[str, Any] = json.loads((done.stdout or done.stderr).strip().splitlines()[-1])
        return told

    return run


@pytest.mark.parametrize(("suite", "mechanism"), WAYS)
def test_the_head_end_reads_and_commands_by_every_mechanism_of_every_suite(
    prepay: Prepay, record_property: Recorder, suite: int, mechanism: str
) -> None:
    """The key file says how: it needs no further option."""
    way = suite, mechanism
    read = prepay(way, "read", "0-0:1.0.0.255", "--class", "8")
    assert read["raw"] == "07E80501030C000000FF88FF"
    prepay(way, "action", *RELAY, "--method", "1")
    assert prepay(way, "read", *RELAY)["raw"] is False
    row = f"our head-end at pydlms-client, suite {suite}, {mechanism}"
    record_property(CELL, {"row": row, "column": "glo", "found": "done"})


@pytest.mark.parametrize(("suite", "mechanism", "envelope"), CELLS)
def test_the_head_end_reads_in_every_envelope(
    prepay: Prepay,
    record_property: Recorder,
    suite: int,
    mechanism: str,
    envelope: tuple[str, ...],
) -> None:
    """A register, scaled, and the relay moves; ciphered, signed, or both."""
    found = prepay(
        (suite, mechanism), "--envelope", *envelope, "read", "1-0:32.7.0.255", "--class", "3"
    )
    assert (found["value"], found["unit"]) == ("230.1", "V")
    column = "signed " + envelope[0] if "--sign" in envelope else envelope[0]
    row = f"our head-end at pydlms-client, suite {suite}, {mechanism}"
    record_property(CELL, {"row": row, "column": column, "found": "done"})


@pytest.mark.parametrize(
    ("suite", "mechanism"), [(0, "hls-gmac"), (1, "hls-md5"), (2, "hls-ecdsa")]
)
def test_a_false_key_file_is_said_by_name_and_without_a_key(
    simulators: dict[tuple[int, str], Simulated],
    prepay: Prepay,
    tmp_path: Path,
    suite: int,
    mechanism: str,
) -> None:
    """The lab's keys at this meter: refused, and then the right ones serve."""
    false = tmp_path / "false.toml"
    false.write_text(f'suite = {suite}\nmechanism = "{mechanism}"\n')
    told = prepay((suite, mechanism), "--keys", str(false), "read", "clock", code=REFUSED)
    assert told["error"].startswith("the meter refused the association")
    assert prepay((suite, mechanism), "read", "clock")


# --- no key in any output ------------------------------------------------------------------------


def forms(secret: bytes) -> list[str]:
    """Return a secret as careless programs show it."""
    return [
        secret.hex(),
        secret.hex(" ").upper(),
        str(secret),
        str(int.from_bytes(secret)),
        b64encode(secret).decode(),
        json.dumps({"error": str(secret)}),
    ]


@pytest.mark.parametrize("suite", [0, 2])
def test_a_key_that_leaks_is_found_in_every_form(suite: int) -> None:
    """So that the tests that find none have looked."""
    keys = parse_keys(key_file(suite))
    for secret in secrets(keys):
        assert all(leaked(f"before {form} behind", keys) for form in forms(secret))
    assert leaked("nothing of the kind: 000102030405060708090A0B0C0D0E0F", keys) == []


def test_neither_program_ever_prints_a_key(tmp_path: Path) -> None:
    """Standard output and error of both, as they start, serve, trace and refuse."""
    file, port = tmp_path / "keys.toml", free_port()
    text = key_file(2, "hls-ecdsa")
    file.write_text(text)
    said = []

    def prepay(*words: str) -> int:
        command = [*script("prepay", "headend.cli"), "--db", f"sqlite:///{tmp_path / 'db'}"]
        command += ["--port", f"tcp:127.0.0.1:{port}", "--keys", str(file), *words]
        done = run(command, tmp_path)
        said.append(done.stdout + done.stderr)
        return done.returncode

    command = [*script("prepay-sim", "sim.cli"), "meter", "--keys", str(file)]
    command += ["--port", f"tcp:127.0.0.1:{port}", "--events", "text"]
    with running(command, tmp_path, "meter") as meter:
        meter.listens(port)
        assert prepay("--trace", "--json", "--envelope", "wrapped", "--sign", "activate") == 0
        assert prepay("--trace", "--mechanism", "sha1", "status") == REFUSED
        assert prepay("--password", "a false one", "--client", "2", "clock") == REFUSED
        said += [meter.stdout.read_text(), meter.stderr.read_text()]
    assert len(said) == 5
    assert all(said[:4])
    assert leaked("\n".join(said), parse_keys(text)) == []
    assert "the reader of" not in "".join(said)


WRONG = {
    "one digit too many": ("block_cipher_key", "{key}0"),
    "two octets too many": ("authentication_key", "{key}0000"),
    "no hexadecimal": ("secret", "{key}zz"),
    "a control character": ("master_key", "{key}\b"),
}
#: Both programs' commands that read a key file, and how they end when they cannot.
READERS = {
    "prepay": (headend, ["--port", "tcp:127.0.0.1:1", "--keys", "FILE", "clock"], WRONG_USAGE),
    "prepay-sim": (sim, ["meter", "--port", "tcp:127.0.0.1:0", "--keys", "FILE"], REFUSED),
}


@pytest.mark.parametrize("program", READERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_key_file_is_refused_without_a_key(
    tmp_path: Path, wrong: str, program: str
) -> None:
    """Both programs name the entry, or the line, and show nothing of it."""
    entry, form = WRONG[wrong]
    text = key_file(0)
    begin, _, rest = text.partition(f'{entry} = "')
    key, _, end = rest.partition('"')
    file = tmp_path / "keys.toml"
    file.write_text(f'{begin}{entry} = "{form.format(key=key)}"{end}')
    command, words, code = READERS[program]
    done = CliRunner().invoke(command, [str(file) if word == "FILE" else word for word in words])
    assert done.exit_code == code, done.output
    assert entry in done.output or "line" in done.output
    assert leaked(done.output, parse_keys(text)) == []


def run(command: list[str], directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run one of our programs to its end."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
