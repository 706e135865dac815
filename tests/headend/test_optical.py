"""The head-end at a meter's local port: sign-on, readout, registers, options."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner

from headend.cli import Invocation, main
from headend.clock import system_clock
from headend.commands.readout import readout
from headend.context import Context, Settings
from headend.errors import NoAnswer, PortUnusable, Refused, UsageError
from headend.transports import PortSpec, Transport, open_transport
from headend.transports.optical import OpticalOptions, OpticalTransport
from protocol.iec21 import DataSet, Identification, Parity, ReaderTimes, TariffDevice
from protocol.iec21.events import DataWanted, Octets
from protocol.timing import Instant, earliest

SAID = Identification("OPP", "5", "OpenPrepay", "2")
SETS = (DataSet.of("1-0:1.8.0", "000123.456", "kWh"), DataSet.of("X.1", "mine"))
#: Nobody really waits.
TIMES = ReaderTimes()


@dataclass
class Bench:
    """A device at the other end of a line, on one clock that only waiting moves."""

    device: TariffDevice = field(
        default_factory=lambda: TariffDevice(SAID, address="77", password=b"12345678")
    )
    now: Instant = Instant(1_700_000_000_000)
    bauds: list[int] = field(default_factory=list)
    hdlc: bytes = b""
    closed: bool = False
    back: bytes = b""

    def clock(self) -> Instant:
        """Return the time."""
        return self.now

    def read(self, deadline: Instant) -> bytes:
        """Wait for octets of the device, as a transport does."""
        while True:
            self._run(b"")
            if self.back:
                octets, self.back = self.back, b""
                return octets
            wake = earliest(self.device.wake_at(), deadline)
            assert wake is not None
            if self.now >= deadline:
                return b""
            self.now = max(self.now, wake)

    def write(self, octets: bytes) -> None:
        """Give the device octets."""
        self._run(octets)

    def close(self) -> None:
        """Remember that."""
        self.closed = True

    def _run(self, octets: bytes) -> None:
        for event in self.device.receive(octets, self.now):
            if isinstance(event, DataWanted):
                known = {each.address: each for each in SETS}
                one = (known[event.address],) if event.address in known else ()
                self.device.give(event, SETS if event.address is None else one, self.now)
            elif isinstance(event, Octets):
                self.hdlc += event.octets
        self.back += self.device.outgoing()

    def transport(self, **options: str) -> OpticalTransport:
        """Return our end of the line."""
        known = OpticalOptions.of(options, Parity.EVEN)
        return OpticalTransport(self, self.bauds.append, self.clock, known, TIMES)

    def context(self, port: str = "optical+tcp:meter:1", **settings: str) -> Context:
        """Return a run of a command at this line."""

        def opened(spec: PortSpec, now: object) -> Transport:
            assert dict(spec.options)["sign-on"] == "no"  # the command does it its own way
            return self.transport(**dict(spec.options))

        given = Settings(port=port, **settings)  # type: ignore[arg-type] # texts only, here
        return Context(given, now=self.clock, transports=opened)


def test_a_sign_on_leaves_the_line_to_hdlc() -> None:
    """At the rate that was chosen; octets pass both ways from then on."""
    bench = Bench()
    transport = bench.transport()
    transport.sign_on()
    assert bench.bauds == [9600]
    transport.write(b"\x7e\xa0")
    assert bench.hdlc == b"\x7e\xa0"
    bench.back = b"\x7e\xff"
    assert transport.read(bench.now) == b"\x7e\xff"
    transport.close()
    assert bench.closed


def test_the_highest_rate_is_the_users() -> None:
    """By an option of the port."""
    bench = Bench()
    bench.transport(baud="2400").sign_on()
    assert bench.bauds == [2400]


def test_nobody_at_an_address_is_no_answer() -> None:
    """Another device address is not ours to answer."""
    Bench().transport(address="0077").sign_on()
    with pytest.raises(NoAnswer, match="stays silent"):
        Bench().transport(address="78").sign_on()


@pytest.mark.parametrize(
    "options",
    [
        {"speed": "9600"},
        {"baud": "9601"},
        {"baud": "x"},
        {"parity": "odd"},
        {"sign-on": "maybe"},
    ],
)
def test_options_that_there_are_not(options: dict[str, str]) -> None:
    """They are wrong usage, and say what there is."""
    with pytest.raises(PortUnusable, match=r"options|none of"):
        OpticalOptions.of(options, Parity.EVEN)


def test_an_address_that_cannot_be_written_is_wrong_usage() -> None:
    """Before the line is used."""
    with pytest.raises(PortUnusable, match="device address"):
        Bench().transport(address="a/b").sign_on()


def test_a_readout_is_a_table_with_names() -> None:
    """Of registers that the catalogue knows; others are shown as they are."""
    bench = Bench()
    report = readout(bench.context())
    assert report.data["identification"] == "OpenPrepay"
    assert (report.data["baud"], report.data["mode"]) == (9600, "E")
    energy, own = report.data["registers"]
    assert energy == {
        "address": "1-0:1.8.0",
        "value": "000123.456",
        "unit": "kWh",
        "name": "active energy import",
    }
    assert own["name"] == ""
    assert report.rows[1] == ("X.1", "mine", "", "")
    assert bench.closed


def test_a_readout_that_comes_unasked_is_waited_for() -> None:
    """As long as the user says."""
    bench = Bench()
    bench.device.push(SETS, bench.now)
    assert readout(bench.context(), listen=10).data["mode"] == "D"
    start = bench.now
    with pytest.raises(NoAnswer):
        readout(bench.context(), listen=10)
    assert bench.now == start + 10_000


def test_registers_are_read_with_the_password() -> None:
    """What is refused stands in its row, and the session ends with a break."""
    bench = Bench()
    report = readout(bench.context(), ("X.1", "F.F", "1-0:1.8.0"))
    assert [row.get("value") for row in report.data["registers"]] == ["mine", None, "000123.456"]
    assert "ERR01" in report.rows[1][3]
    assert bench.device.wake_at() is None


@pytest.mark.parametrize(("asked", "code"), [(["X.1"], 0), (["X.1", "F.F"], 1)])
def test_a_refused_register_is_exit_code_1(asked: list[str], code: int) -> None:
    """What was read is shown all the same."""
    context = Bench().context()
    edge = {"now": context.now, "transports": context.transports}
    words = ["--port", "optical+tcp:meter:1", "--json", "readout"]
    words += [word for register in asked for word in ("--register", register)]
    done = CliRunner().invoke(main, words, obj=Invocation(**edge), env={"PREPAY_KEYS": ""})
    assert done.exit_code == code
    assert [row["address"] for row in json.loads(done.stdout)["registers"]] == asked


@pytest.mark.parametrize(("password", "error"), [("hushhush", Refused), ("é", UsageError)])
def test_a_wrong_password_is_refused_and_not_shown(password: str, error: type[Exception]) -> None:
    """By the meter, or because it cannot be written."""
    with pytest.raises(error) as raised:
        readout(Bench().context(password=password), ("X.1",))
    assert password not in str(raised.value)


def test_an_address_of_a_register_that_cannot_be_written_is_refused() -> None:
    """And the meter is left by a break."""
    bench = Bench()
    with pytest.raises(Refused, match="no address"):
        readout(bench.context(), ("a/b",))
    assert bench.device.wake_at() is None


def test_a_readout_wants_a_local_port() -> None:
    """Any other is wrong usage."""
    with pytest.raises(UsageError, match="optical"):
        readout(Bench().context(port="tcp:meter:1"))


# --- over a real socket ------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Something that listens on this host."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(20)
        yield made


def test_a_port_that_is_no_local_port_fails_by_name_and_is_closed(
    listener: socket.socket,
) -> None:
    """Whoever listens there says something else, and sees the end of the connection."""
    host, number = listener.getsockname()
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(100))
            connection.sendall(b"/OPP5only mode C\r\n")
            while octets := connection.recv(100):
                seen.append(octets)

    server = threading.Thread(target=serve)
    server.start()
    spec = PortSpec.parse(f"optical+tcp:{host}:{number}?parity=even")
    with pytest.raises(NoAnswer, match="does not offer HDLC"):
        open_transport(spec, system_clock())
    server.join(20)
    assert not server.is_alive()
    assert seen == [b"\xaf?!\x8d\n"]
