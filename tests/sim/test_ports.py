import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from selectors import BaseSelector, DefaultSelector

import pytest
import serial

from meter_fw.board import PortId, PortKind
from sim.ports import kinds, open_port
from sim.ports.base import News, Port, PortError, PortSpecError
from sim.ports.memory import QUEUE_LIMIT, MemoryPort, QueueFullError
from sim.ports.stream import WRITE_LIMIT
from sim.ports.tcp import CONNECTION_LIMIT


@pytest.fixture
def selector() -> Iterator[BaseSelector]:
    """A selector for one test."""
    with DefaultSelector() as made:
        yield made


class Bench:
    """Turns the loop by hand and collects what a port brings."""

    def __init__(self, selector: BaseSelector, port: Port) -> None:
        self.selector = selector
        self.port = port
        self.opened: dict[PortId, PortKind] = {}
        self.rx: dict[PortId, bytes] = {}
        self.closed: set[PortId] = set()

    def turn(self) -> None:
        for key, mask in self.selector.select(0.01):
            key.data(mask)
        news = self.port.collect()
        self.opened |= news.opened
        self.closed |= news.closed
        for line, data in news.rx.items():
            self.rx[line] = self.rx.get(line, b"") + data

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            self.turn()

    def heard(self) -> bytes:
        return b"".join(self.rx.values())


@pytest.fixture
def bench(selector: BaseSelector) -> Iterator[Callable[[str], Bench]]:
    """Opens ports by spec, and closes them after the test."""
    with ExitStack() as stack:

        def make(spec: str) -> Bench:
            port = open_port(spec, selector)
            stack.callback(port.close)
            return Bench(selector, port)

        yield make


Make = Callable[[str], Bench]


def connect(port: Port) -> socket.socket:
    """Return a client's connection to a TCP port."""
    host, number = port.client_spec.rsplit(":", 2)[-2:]
    return socket.create_connection((host, int(number)), timeout=20)


# --- specs -------------------------------------------------------------------------------------


def test_every_kind_of_port_says_what_it_is() -> None:
    """Each file in the folder is found under its own scheme, with text for the help."""
    assert list(kinds()) == ["hdlc+tcp", "memory", "optical", "optical+tcp", "pty", "tcp", "udp"]
    for scheme, kind in kinds().items():
        assert kind.form.startswith(f"{scheme}:")
        assert kind.summary


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "meter0",
        ":",
        "usb:1",
        "pty:",
        "tcp:",
        "tcp:4059",
        "tcp:127.0.0.1",
        "tcp:127.0.0.1:",
        "tcp::4059",
        "tcp:127.0.0.1:65536",
        "tcp:127.0.0.1:-1",
        "tcp:127.0.0.1:٣",
        "tcp:::1:4059",
        "hdlc+tcp:127.0.0.1:x",
        "memory:",
        "memory:usb",
    ],
)
def test_a_text_that_names_no_port_is_refused(selector: BaseSelector, spec: str) -> None:
    """A spec is wrong usage before anything is opened."""
    with pytest.raises(PortSpecError):
        open_port(spec, selector)


# --- pty ---------------------------------------------------------------------------------------


def test_a_client_talks_over_the_pty_both_ways(bench: Make, tmp_path: Path) -> None:
    """Every octet value passes the terminal unchanged, in both directions."""
    link = tmp_path / "meter0"
    meter = bench(f"pty:{link}")
    assert meter.port.client_spec == f"serial:{link}"
    everything = bytes(range(256))
    with serial.Serial(str(link), timeout=20) as client:
        client.write(everything)
        meter.until(lambda: len(meter.heard()) == 256)
        (line,) = meter.opened
        assert meter.opened == {line: PortKind.HDLC}
        meter.port.send(line, everything)
        assert client.read(256) == everything
    assert meter.heard() == everything


def test_a_client_may_leave_the_pty_and_come_back(bench: Make, tmp_path: Path) -> None:
    """The line outlives its clients and is never reported closed."""
    meter = bench(f"pty:{tmp_path / 'meter0'}")
    for word in (b"first", b"second"):
        with serial.Serial(str(tmp_path / "meter0"), timeout=20) as client:
            client.write(word)
            meter.until(lambda word=word: meter.heard().endswith(word))  # type: ignore[misc]  # bound now
        meter.turn()
    assert meter.heard() == b"firstsecond"
    assert len(meter.opened) == 1
    assert not meter.closed


def test_what_nobody_reads_on_a_pty_is_lost_and_the_line_lives_on(
    bench: Make, tmp_path: Path
) -> None:
    """A megabyte without a listener is neither kept nor fatal."""
    meter = bench(f"pty:{tmp_path / 'meter0'}")
    meter.turn()
    (line,) = meter.opened
    for _ in range(16):
        meter.port.send(line, bytes(WRITE_LIMIT))
    with serial.Serial(str(tmp_path / "meter0"), timeout=0.2) as client:
        client.reset_input_buffer()
        client.write(b"anybody?")
        meter.until(lambda: meter.heard() == b"anybody?")
        meter.port.send(line, b"here")
        meter.turn()
        assert client.read(1 << 17).endswith(b"here")


def test_the_link_of_a_pty_goes_with_it(bench: Make, tmp_path: Path) -> None:
    """Closing removes the link; closing again does no harm."""
    link = tmp_path / "meter0"
    meter = bench(f"pty:{link}")
    assert os.readlink(link).startswith("/dev/pts/")
    meter.port.close()
    assert not link.is_symlink()
    meter.port.close()


def test_a_link_that_was_left_behind_is_taken_over(bench: Make, tmp_path: Path) -> None:
    """A killed simulator's link may dangle, or point at somebody else's terminal by now."""
    link = tmp_path / "meter0"
    link.symlink_to("/dev/pts/999999")
    bench(f"pty:{link}").port.close()
    other, terminal = os.openpty()
    link.symlink_to(os.ttyname(terminal))
    meter = bench(f"pty:{link}")
    assert os.readlink(link) != os.ttyname(terminal)
    meter.port.close()
    os.close(other)
    os.close(terminal)


def test_the_link_of_a_living_simulator_is_not_taken(bench: Make, tmp_path: Path) -> None:
    """Two simulators cannot have one link, however the path is written."""
    meter = bench(f"pty:{tmp_path / 'meter0'}")
    target = os.readlink(tmp_path / "meter0")
    (tmp_path / "there").mkdir()
    with pytest.raises(PortError, match="in use"):
        bench(f"pty:{tmp_path}/there/../meter0")
    assert os.readlink(tmp_path / "meter0") == target
    meter.port.close()
    bench(f"pty:{tmp_path / 'meter0'}")


def test_the_link_of_a_killed_simulator_is_free(bench: Make, tmp_path: Path) -> None:
    """Nothing has to be cleaned up after a kill -9."""
    link = tmp_path / "meter0"
    script = (
        "import selectors, sys, time\nfrom sim.ports import open_port\n"
        f"port = open_port('pty:{link}', selectors.DefaultSelector())\n"
        "print('ready', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(PortError, match="in use"):
            bench(f"pty:{link}")
        process.kill()
    assert link.is_symlink()
    bench(f"pty:{link}")


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file"])
def test_a_path_that_is_no_link_to_a_terminal_is_left_alone(
    bench: Make, tmp_path: Path, kind: str
) -> None:
    """Nobody's file is ever replaced."""
    path = tmp_path / "precious"
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("mine")
    else:
        (tmp_path / "other").write_text("mine")
        path.symlink_to(tmp_path / "other")
    with pytest.raises(PortError, match="precious exists"):
        bench(f"pty:{path}")
    assert path.is_dir() if kind == "folder" else path.read_text() == "mine"


def test_a_link_in_a_folder_that_is_not_there_is_refused(bench: Make, tmp_path: Path) -> None:
    """The reason is said, and nothing is left open."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PortError, match="No such file"):
        bench(f"pty:{tmp_path}/missing/meter0")
    assert len(os.listdir("/proc/self/fd")) == before


# --- TCP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "kind"), [("tcp", PortKind.WRAPPER), ("hdlc+tcp", PortKind.HDLC)]
)
def test_each_connection_is_a_line_of_its_own(bench: Make, scheme: str, kind: PortKind) -> None:
    """Two clients are told apart, and one leaving is reported after its last octets."""
    meter = bench(f"{scheme}:127.0.0.1:0")
    assert meter.port.client_spec.startswith(f"{scheme}:127.0.0.1:")
    with connect(meter.port) as first, connect(meter.port) as second:
        first.sendall(b"one")
        second.sendall(b"two")
        meter.until(lambda: len(meter.rx) == 2)
        assert sorted(meter.rx.values()) == [b"one", b"two"]
        assert set(meter.opened.values()) == {kind}
        for line, data in meter.rx.items():
            meter.port.send(line, data * 2)
        assert first.recv(16) == b"oneone"
        assert second.recv(16) == b"twotwo"
    meter.until(lambda: len(meter.closed) == 2)
    assert meter.closed == set(meter.opened)


def test_last_words_come_before_the_end(bench: Make) -> None:
    """The meter hears what a hasty client said in one turn, and that it has gone in the next."""
    meter = bench("tcp:127.0.0.1:0")
    with connect(meter.port) as client:
        meter.until(lambda: bool(meter.opened))
        client.sendall(b"bye")
        client.shutdown(socket.SHUT_WR)
        for _ in range(3):  # both have come before the port is asked
            for key, mask in meter.selector.select(0.1):
                key.data(mask)
        meter.turn()
        assert meter.heard() == b"bye"
        assert not meter.closed
        meter.until(lambda: meter.closed == set(meter.rx))


def test_too_many_connections_are_refused(bench: Make) -> None:
    """While all of them are served; a place that gets free is given away again."""
    meter = bench("tcp:127.0.0.1:0")
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(meter.port)) for _ in range(CONNECTION_LIMIT)]
        meter.until(lambda: len(meter.opened) == CONNECTION_LIMIT)
        late = stack.enter_context(connect(meter.port))
        meter.turn()
        assert late.recv(1) == b""
        assert len(meter.opened) == CONNECTION_LIMIT
        clients[0].close()
        meter.until(lambda: len(meter.closed) == 1)
        stack.enter_context(connect(meter.port))
        meter.until(lambda: len(meter.opened) == CONNECTION_LIMIT + 1)


def test_a_connection_that_says_nothing_makes_room_for_the_next(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers keep nobody out, nor octet by octet; who was answered last is driven out last."""
    monkeypatch.setattr("sim.ports.tcp.GRACE", 0.0)
    meter = bench("tcp:127.0.0.1:0")
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(meter.port)) for _ in range(CONNECTION_LIMIT)]
        meter.until(lambda: len(meter.opened) == CONNECTION_LIMIT)
        clients[0].sendall(b"a")
        meter.until(lambda: meter.heard() == b"a")
        meter.port.send(next(iter(meter.rx)), b"answer")
        clients[1].sendall(b"slowly")
        meter.until(lambda: sorted(meter.heard()) == sorted(b"aslowly"))
        late = stack.enter_context(connect(meter.port))
        meter.until(lambda: len(meter.opened) == CONNECTION_LIMIT + 1)
        meter.until(lambda: len(meter.closed) == 1)
        assert clients[1].recv(1) == b""
        clients[0].sendall(b"b")
        late.sendall(b"c")
        meter.until(lambda: sorted(meter.heard()) == sorted(b"aslowlybc"))


def test_a_client_that_does_not_read_is_dropped(bench: Make) -> None:
    """What waits for a slow reader is bounded; the meter hears that it has gone."""
    meter = bench("tcp:127.0.0.1:0")
    with connect(meter.port):
        meter.until(lambda: bool(meter.opened))
        (line,) = meter.opened
        for _ in range(1000):
            meter.port.send(line, bytes(WRITE_LIMIT // 2))
            meter.turn()
            if meter.closed:
                break
        assert meter.closed == {line}
    meter.port.send(line, b"into the void")


def test_a_slow_reader_gets_everything_in_the_end(bench: Make) -> None:
    """An answer larger than the socket takes at once is sent piece by piece."""
    meter = bench("tcp:127.0.0.1:0")
    with connect(meter.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        meter.until(lambda: bool(meter.opened))
        (line,) = meter.opened
        sent, got = b"", b""
        for number in range(40):
            piece = bytes([number]) * (WRITE_LIMIT // 8)
            meter.port.send(line, piece)
            sent += piece
            meter.turn()
            got += client.recv(len(piece))
        while len(got) < len(sent):
            meter.turn()
            got += client.recv(65536)
        assert got == sent
        assert not meter.closed


def test_a_flood_is_taken_in_bounded_pieces(bench: Make) -> None:
    """However fast a client writes, one turn brings a bounded number of octets."""
    meter = bench("tcp:127.0.0.1:0")
    with connect(meter.port) as client:
        client.settimeout(0.5)
        meter.until(lambda: bool(meter.opened))
        client.sendall(bytes(50_000))
        for _ in range(200):
            select.select([client], [], [], 0)
            for key, mask in meter.selector.select(0):
                key.data(mask)
                key.data(mask)  # even where the loop is late to collect
            news = meter.port.collect()
            assert all(len(data) <= 4096 for data in news.rx.values())


def test_hanging_up_sends_first_what_waits(bench: Make) -> None:
    """The client reads the last answer and then the end."""
    meter = bench("tcp:127.0.0.1:0")
    with connect(meter.port) as client:
        meter.until(lambda: bool(meter.opened))
        (line,) = meter.opened
        meter.port.send(line, b"farewell")
        meter.port.hang_up(line)
        meter.turn()
        assert client.recv(16) == b"farewell"
        assert client.recv(16) == b""


def test_an_address_in_use_is_a_clear_error(bench: Make) -> None:
    """The second listener at one address is told so."""
    taken = bench("tcp:127.0.0.1:0").port.client_spec
    with pytest.raises(PortError, match=r"cannot listen at 127\.0\.0\.1 port"):
        bench(taken)


def test_a_port_at_every_address_prints_one_that_a_client_can_use(bench: Make) -> None:
    """0.0.0.0 is where to listen, not where to call."""
    assert bench("tcp:0.0.0.0:0").port.client_spec.startswith("tcp:127.0.0.1:")


# --- memory ------------------------------------------------------------------------------------


def test_memory_lines_carry_octets_both_ways_and_end() -> None:
    """A line inside the process behaves like a connection."""
    port = MemoryPort(PortKind.HDLC)
    line = port.connect()
    line.send(b"ping")
    assert port.collect() == News({line.name: PortKind.HDLC}, {line.name: b"ping"}, set())
    port.send(line.name, b"pong")
    assert (line.receive(), line.receive()) == (b"pong", b"")
    line.close()
    assert port.collect() == News({}, {}, {line.name})
    assert not port.collect()


def test_memory_queues_are_bounded_both_ways() -> None:
    """A client that floods is stopped; one that does not read is dropped."""
    port = MemoryPort(PortKind.WRAPPER)
    line = port.connect()
    line.send(bytes(QUEUE_LIMIT))
    with pytest.raises(QueueFullError):
        line.send(b"!")
    port.collect()
    port.send(line.name, bytes(QUEUE_LIMIT))
    assert not line.closed
    port.send(line.name, b"!")
    assert line.closed
    assert port.collect().closed == {line.name}
