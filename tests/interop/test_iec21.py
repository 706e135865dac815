"""Other people's readers at our meter's local port (IEC 62056-21), and our head-end.

iec62056-21 reads out and programs (mode C, over TCP); pydlms-client reads out (mode C) and goes
over to HDLC (mode E), over TCP and on a pseudo-terminal. gurux-dlms leaves the sign-on to its user.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import HERE, IEC_62056_21, PYDLMS
from tests.interop.processes import environment, running, script

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
REFUSED = 1
WRONG = "87654321"


@dataclass(frozen=True, slots=True)
class LocalPorts:
    """A meter's local ports: over TCP and on a pseudo-terminal."""

    name: str
    tcp: str
    path: str

    @property
    def url(self) -> str:
        """The TCP port as pyserial names it."""
        return f"socket://{self.tcp}"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LocalPorts]]:
    """A meter of each profile with local ports."""
    with ExitStack() as stack:
        found = {}
        for profile in ("be-wal", "il"):
            folder = tmp_path_factory.mktemp(profile)
            command = [*script("prepay-sim", "sim.cli"), "meter", "--profile", profile, "--json"]
            command += ["--port", "optical+tcp:127.0.0.1:0", "--port", "optical:./head"]
            process = stack.enter_context(running(command, folder, "meter"))
            told = json.loads(process.first_line())
            tcp = told["ports"][0]["spec"].removeprefix("optical+tcp:")
            found[profile] = LocalPorts(told["meter"], tcp, str(folder / "head"))
        yield found


Ask = Callable[..., Any]


@pytest.fixture
def reader(interpreters: dict[str, Path]) -> Ask:
    """Have iec62056-21 do something in its own process."""
    return asking(interpreters[IEC_62056_21.name], IEC_62056_21.script)


@pytest.fixture
def pydlms(interpreters: dict[str, Path]) -> Ask:
    """Have pydlms-client do something in its own process."""
    return asking(interpreters[PYDLMS.name], "pydlms_optical.py")


def asking(python: Path, name: str) -> Ask:
    """Return what runs a function of a peer's script and reads its JSON."""

    def ask(*words: str) -> Any:
        command = [str(python), "-B", str(HERE / "peers" / name), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def prepay(folder: Path, port: str, *words: str) -> tuple[int, dict[str, Any]]:
    """Run our head-end's command line; return its exit code and what it said."""
    command = [*script("prepay", "headend.cli"), "--json", "--port", port]
    command += ["--db", f"sqlite:///{folder / 'headend.sqlite'}", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=environment(),
        check=False,
    )
    told: dict[str, Any] = json.loads(done.stdout or done.stderr)
    return done.returncode, told


def by_address(sets: list[list[Any]]) -> dict[str, tuple[str, str]]:
    """Data sets by their address, but for those that time changes."""
    moving = ("0-0:1.0.0", "1-0:1.8.0", "1-0:1.7.0")
    return {address: (text, unit or "") for address, text, unit in sets if address not in moving}


# --- mode C ------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_iec62056_21_reads_out_what_our_head_end_reads_out(
    reader: Ask, ports: dict[str, LocalPorts], profile: str, tmp_path: Path
) -> None:
    """The same addresses, values and units."""
    port = ports[profile]
    found = reader("readout", port.tcp)
    assert (found["manufacturer"], found["baud"]) == ("OPP", 9600)
    code, ours = prepay(tmp_path, f"optical+tcp:{port.tcp}", "readout")
    assert code == 0
    assert [each[0] for each in found["sets"]] == [each["address"] for each in ours["registers"]]
    theirs = by_address(found["sets"])
    assert theirs["0-0:42.0.0"] == (port.name, "")
    assert len(theirs) >= 5
    rows = [[each["address"], each["value"], each["unit"]] for each in ours["registers"]]
    assert theirs == by_address(rows)


def test_iec62056_21_has_a_readout_repeated(reader: Ask, ports: dict[str, LocalPorts]) -> None:
    """By NAK: octet by octet the same, the time included."""
    found = reader("repeated", ports["be-wal"].tcp)
    assert found["first"] == found["second"]


def test_iec62056_21_reads_out_by_device_address(reader: Ask, ports: dict[str, LocalPorts]) -> None:
    """The serial number, which it has read before; zeros before it do not matter."""
    port = ports["be-wal"]
    serial = by_address(reader("readout", port.tcp)["sets"])["0-0:96.1.0"][0]
    found = reader("readout", port.tcp, f"000{serial}")
    assert by_address(found["sets"])["0-0:42.0.0"] == (port.name, "")


def test_pydlms_reads_out_mode_c(pydlms: Ask, ports: dict[str, LocalPorts]) -> None:
    """Over TCP; of the profile without "*" in its addresses (fault 32)."""
    port = ports["il"]
    found = pydlms("readout", port.url)
    assert (found["manufacturer"], found["identification"]) == ("OPP", "OpenPrepay")
    assert (found["baud"], found["mode_e"]) == (9600, True)
    assert by_address(found["sets"])["0-0:42.0.0"] == (port.name, "")
    units = {each[0]: each[2] for each in found["sets"]}
    assert (units["1-0:1.8.0"], units["0-0:19.10.0"]) == ("kWh", "ILS")


# --- programming mode --------------------------------------------------------------------------


def test_iec62056_21_reads_registers_and_may_not_write(
    reader: Ask, ports: dict[str, LocalPorts]
) -> None:
    """Refusals are error messages, and the session goes on behind them."""
    port = ports["be-wal"]
    found = reader("programming", port.tcp)
    assert found["challenge"] == ["P", 0, ""]
    assert found["acknowledged"]
    assert found["energy"][0] == "1.8.0"
    assert found["energy"][2] == "kWh"
    assert found["name"] == ["0-0:42.0.0*255", port.name, None]
    assert found["missing"] == [None, "ERR01", None]
    assert found["written"] == [None, "ERR02", None]


def test_a_wrong_password_gets_a_break_and_the_port_serves_the_next(
    reader: Ask, ports: dict[str, LocalPorts], tmp_path: Path
) -> None:
    """The peer finds its block check right; our head-end says what happened."""
    port = ports["be-wal"]
    assert reader("wrong_password", port.tcp) == {"answer": "0142300371", "valid": True}
    spec, words = f"optical:{port.path}", ("readout", "--register", "1.8.0")
    code, told = prepay(tmp_path, spec, *words, "--password", WRONG)
    assert (code, WRONG in str(told)) == (REFUSED, False)
    assert prepay(tmp_path, spec, *words)[0] == 0
    code, told = prepay(tmp_path, spec, *words, "--register", "9.9.9")
    assert code == REFUSED
    assert told["registers"][0]["unit"] == "kWh"
    assert "ERR01" in told["registers"][1]["refused"]


# --- mode E ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["url", "path"])
def test_pydlms_goes_over_to_hdlc(pydlms: Ask, ports: dict[str, LocalPorts], where: str) -> None:
    """It checks the confirmation, and reads as the reader; twice, for its sign-on has to be heard
    again behind its own DISC.
    """
    port = ports["be-wal"]
    place: str = getattr(port, where)
    for _ in range(2):
        found = pydlms("hdlc", place)
        assert bytes.fromhex(found["name"]).decode() == port.name
        assert found["mode_e"]


@pytest.mark.parametrize(
    ("scheme", "option"),
    [
        ("optical", ""),
        ("optical", "?parity=none"),
        ("optical+tcp", "?parity=even"),
        ("optical+tcp", "?baud=300"),
    ],
)
def test_our_head_end_works_through_mode_e(
    ports: dict[str, LocalPorts], scheme: str, option: str, tmp_path: Path
) -> None:
    """Ciphered, over TCP and on a pseudo-terminal, with the parity in software or none."""
    port = ports["be-wal"]
    place = port.path if scheme == "optical" else port.tcp
    code, told = prepay(tmp_path, f"{scheme}:{place}{option}", "status")
    assert (code, told.get("meter")) == (0, port.name)


# --- their faults ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("send_password", {"raised": "TypeError"}),
        ("identification", {"identification": "2OpenPrepay"}),
        ("read_break", {"raised": "Unable to find address and data in "}),
    ],
)
def test_faults_of_iec62056_21(reader: Ask, fault: str, said: dict[str, str]) -> None:
    """As KNOWN_FAULTS.md has them; one that is mended is to be struck from there."""
    assert reader(fault, "") == said


def test_pydlms_takes_no_asterisk_in_an_address(pydlms: Ask) -> None:
    """As KNOWN_FAULTS.md has it."""
    assert "malformed data line" in pydlms("asterisk", "")["raised"]
