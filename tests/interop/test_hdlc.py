"""HDLC windows, lengths, losses, UI frames and shared lines, with other people's clients.

At our meter: every window with every length, over TCP and on a pseudo-terminal. At a bare server
of ours whose line loses frames: the HDLC client of pydlms-client, which finds its own way back. And
our head-end at the simulator of pydlms-client, which takes windows and sends none.
"""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocol.events import LinkBusy, LinkData, Peer
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Frame, FrameKind
from sim.realtime import line_clock
from tests.interop.driving import (
    LLS_PASSWORD,
    MANAGEMENT,
    READER,
    Access,
    Line,
    Outcome,
    drive,
)
from tests.interop.environments import CHECKOUT, GURUX, PYDLMS
from tests.interop.environments import Peer as Implementation
from tests.interop.processes import environment, free_port, running, script
from tests.interop.reports import Reports
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
#: The logical device name.
NAME = "0.0.42.0.0.255"
OPERATIONS = ("object_list", "set_long", "clock", "release")
REFUSED = {"refused": "type-unmatched"}
#: What a gurux-dlms can be asked for: of windows none but 1 (fault 23), of lengths none that its
#: frame format carries over (fault 18).
GURUX_LENGTHS = (128, 480, 2030)


@dataclass(frozen=True, slots=True)
class Case:
    """A client with a window and a length."""

    peer: Implementation
    transport: str
    window: int
    length: int

    def __str__(self) -> str:
        return f"{self.peer.name}, {self.transport}, window {self.window}, fields of {self.length}"

    def outcome(self, reports: Reports, operation: str) -> Outcome:
        """What came of it; run once."""
        extra = ("--hdlc-information", str(self.length), "--hdlc-window", str(self.window))
        report = reports.of(self.peer, self.transport, MANAGEMENT, OPERATIONS, extra)
        return report.operation(operation)


CASES = [
    *(
        Case(PYDLMS, transport, window, length)
        for transport in ("hdlc+tcp", "serial")
        for window in (1, 3, 7)
        for length in (128, 512, 2030)
    ),
    *(
        Case(GURUX, transport, 1, length)
        for transport in ("hdlc+tcp", "serial")
        for length in GURUX_LENGTHS
    ),
]


def frames(outcome: Outcome, way: str) -> list[list[Frame]]:
    """The frames that went one way, turn by turn."""
    finder = FrameFinder(500)
    turns: list[list[Frame]] = [[]]
    for direction, octets in outcome.octets:
        if direction != way:
            turns.append([])
            continue
        turns[-1] += finder.receive(bytes.fromhex(octets), line_clock())
    return [turn for turn in turns if turn]


def information(turns: list[list[Frame]]) -> list[list[Frame]]:
    """The information frames among them."""
    found = [[one for one in turn if one.control.kind is FrameKind.I] for turn in turns]
    return [turn for turn in found if turn]


@pytest.mark.parametrize(
    ("case", "operation"),
    [(case, operation) for case in CASES for operation in OPERATIONS],
    ids=str,
)
def test_every_window_and_length_carries_every_operation(
    reports: Reports, record_property: Callable[[str, Any], None], case: Case, operation: str
) -> None:
    """The object list out, 2500 octets in, and it ends as it does with the defaults."""
    outcome = case.outcome(reports, operation)
    cell = {"row": str(case), "column": operation, "found": outcome.verdict}
    record_property(CELL, cell)
    assert outcome.ok, outcome
    if operation == "set_long":
        assert outcome.value == REFUSED
    if operation == "object_list":
        whole = reports.of(case.peer, "tcp", MANAGEMENT).operation("object_list")
        assert outcome.value == whole.value


@pytest.mark.parametrize("case", [case for case in CASES if case.window > 1], ids=str)
def test_the_window_is_used_and_kept(reports: Reports, case: Case) -> None:
    """Long answers and long requests come in rows as long as agreed, and no longer."""
    for operation, way in (("object_list", "received"), ("set_long", "sent")):
        turns = information(frames(case.outcome(reports, operation), way))
        segments = [frame.segmented for turn in turns for frame in turn]
        whole = "".join("s" if more else "e" for more in segments).split("e")
        longest = max(len(run) + 1 for run in whole[:-1])
        assert max(len(turn) for turn in turns) == min(case.window, longest)
        for turn in turns:
            polls = [frame.control.poll for frame in turn]
            assert polls == [False] * (len(turn) - 1) + [True]


# --- a bare server on a bad line -----------------------------------------------------------------


@dataclass
class BareServer:
    """Our HDLC server behind a TCP port, which answers octets with their reverse.

    Args:
        lost: places of received I frames that never arrive, counted from 0 over the conversation.
        unsent: the same of those that it sends.
        busy_for: how many I frames it is busy for before it takes the first.
        heard: what it was told.
    """

    lost: frozenset[int] = frozenset()
    unsent: frozenset[int] = frozenset()
    busy_for: int = 0
    heard: list[LinkData] = field(default_factory=list)
    _counts: list[int] = field(default_factory=lambda: [0, 0])

    def serve(self, listener: socket.socket) -> None:
        """Serve one connection to its end."""
        link = HdlcServer(17, {1}, HdlcParameters(2030, 2030, 7, 7), shared=True)
        finders = FrameFinder(500), FrameFinder(500)
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(4096):
                # One by one: else all that comes in one piece is read before any is answered.
                for arrived in self._survivors(finders[0], data, 0, self.lost):
                    for event in link.receive(arrived, line_clock()):
                        if isinstance(event, LinkData):
                            self._answer(link, event)
                        elif self.busy_for and link.connected:
                            link.send(LinkBusy(event.peer), line_clock())
                    sent = self._survivors(finders[1], link.outgoing(), 1, self.unsent)
                    connection.sendall(b"".join(sent))
                if self.busy_for and link.connected:
                    self.busy_for -= 1
                    if not self.busy_for:
                        link.send(LinkBusy(Peer(16, 1, 17), busy=False), line_clock())

    def _answer(self, link: HdlcServer, event: LinkData) -> None:
        self.heard.append(event)
        now = line_clock()
        if event.unnumbered:
            for apdu in (b"first", b"second"):
                link.send(LinkData(event.peer, apdu, unnumbered=True), now)
            return
        if event.apdu == b"push me":
            link.send(LinkData(event.peer, b"push", unnumbered=True), now)
        link.send(LinkData(event.peer, event.apdu[::-1]), now)

    def _survivors(
        self, finder: FrameFinder, octets: bytes, way: int, lost: frozenset[int]
    ) -> list[bytes]:
        kept = []
        for frame in finder.receive(octets, line_clock()):
            place = self._counts[way]
            self._counts[way] += frame.control.kind is FrameKind.I
            if frame.control.kind is not FrameKind.I or place not in lost:
                kept.append(frame.to_bytes())
        return kept


@contextmanager
def serving(server: BareServer) -> Iterator[int]:
    """Serve one connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def pydlms_link(interpreters: dict[str, Path], port: int, *words: str) -> dict[str, Any]:
    """Run the HDLC client of pydlms-client through its steps."""
    driver = CHECKOUT / "tests" / "interop" / "peers" / "pydlms_hdlc_link.py"
    command = [str(interpreters[PYDLMS.name]), "-B", str(driver), "--port", str(port), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("window", "lost", "unsent"),
    [
        *(
            (window, lost, ())
            for window in (1, 3, 7)
            for lost in ((), (0,), (1,), (2, 6), (1, 3, 9))
        ),
        *((1, lost, unsent) for lost in ((), (1, 3, 9)) for unsent in ((0,), (1,), (0, 4, 5, 11))),
    ],
)
def test_pydlms_recovers_what_the_line_lost(
    interpreters: dict[str, Path], window: int, lost: tuple[int, ...], unsent: tuple[int, ...]
) -> None:
    """Each APDU arrives once and whole, whatever its frames met with, and so does its answer.

    What the server sends in rows is lost in the tests of our own client only: fault 24.
    """
    server = BareServer(frozenset(lost), frozenset(unsent))
    with serving(server) as port:
        options = ("--window", str(window), str(window), "--length", "50")
        found = pydlms_link(interpreters, port, *options, "echo:400", "echo:30", "echo:700")
    assert found["negotiated"] == [50, 50, window, window]
    assert found["steps"] == [True, True, True]
    assert [len(event.apdu) for event in server.heard] == [400, 30, 700]


@pytest.mark.parametrize("window", [(1, 7), (7, 1), (2, 5)])
def test_pydlms_negotiates_each_direction_by_itself(
    interpreters: dict[str, Path], window: tuple[int, int]
) -> None:
    """And goes on with user data behind the parameters."""
    with serving(BareServer()) as port:
        words = ("--window", *map(str, window), "--user-data", "FF0102", "echo:2000")
        found = pydlms_link(interpreters, port, *words)
    assert (found["negotiated"], found["steps"]) == ([128, 128, *window], [True])


def test_pydlms_waits_for_a_busy_server(interpreters: dict[str, Path]) -> None:
    """RNR holds it up; nothing is lost."""
    server = BareServer(busy_for=4)
    with serving(server) as port:
        options = ("--window", "3", "3", "--length", "50")
        found = pydlms_link(interpreters, port, *options, "echo:400")
    assert found["steps"] == [True]
    assert len(server.heard) == 1


def test_pydlms_and_ui_frames(interpreters: dict[str, Path]) -> None:
    """What it sends is heard as unnumbered; it takes pushes before an answer, and on trigger."""
    server = BareServer()
    with serving(server) as port:
        words = ("ui", "trigger", "broadcast", "trigger", "push", "trigger", "echo:30")
        found = pydlms_link(interpreters, port, *words)
    both = [b"first".hex(), b"second".hex()]
    push = [b"push me"[::-1].hex(), b"push".hex()]
    assert found["steps"] == [True, both, True, both, push, [], True]
    assert [event.unnumbered for event in server.heard] == [True, True, False, False]


# --- several meters on one line ------------------------------------------------------------------


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Three meters on a pseudo-terminal and on TCP."""
    directory = tmp_path_factory.mktemp("bus")
    command = [*script("prepay-sim", "sim.cli"), "bus", "--meters", "3", "--json"]
    command += ["--port", "pty:./bus", "--port", f"hdlc+tcp:127.0.0.1:{free_port()}"]
    with running(command, directory, "bus") as process:
        yield json.loads(process.first_line()) | {"directory": directory}


@pytest.mark.parametrize(
    ("peer", "transport", "size"),
    [
        (PYDLMS, "serial", 2),
        (PYDLMS, "hdlc+tcp", 4),
        (GURUX, "serial", 4),
        (GURUX, "hdlc+tcp", 2),
    ],
    ids=str,
)
def test_each_meter_of_a_line_answers_to_its_own_address(
    interpreters: dict[str, Path],
    bus: dict[str, Any],
    peer: Implementation,
    transport: str,
    size: int,
) -> None:
    """The peer reads another logical device name at each physical address."""
    spec = next(p["spec"] for p in bus["ports"] if p["spec"].startswith(f"{transport}:"))
    address = spec.removeprefix(f"{transport}:")
    if transport == "serial":
        address = str(bus["directory"] / address)
    line = Line(transport, address)
    for meter in bus["meters"]:
        extra = ["--server-address-size", str(size), "--physical", str(meter["physical"])]
        report = drive(interpreters[peer.name], peer, line, READER, ("read_all", "release"), extra)
        read = report.operation("read_all").value
        (name,) = (row["value"] for row in read if row["obis"] == NAME and row["index"] == 2)
        assert meter["meter"].encode().hex() in str(name).lower() or meter["meter"] in str(name)


# --- our head-end at somebody else's server ------------------------------------------------------


@pytest.mark.parametrize("window", [1, 3, 7])
@pytest.mark.parametrize("length", [128, 2030])
def test_the_head_end_sends_windows(
    interpreters: dict[str, Path], tmp_path: Path, window: int, length: int
) -> None:
    """The simulator of pydlms-client takes as many as it offers, and answers one at a time."""
    port = free_port()
    command = [str(interpreters[PYDLMS.name].with_name("pydlms")), "simulate", "--hdlc"]
    command += ["--port", str(port), "--hdlc-window", str(window)]
    command += ["--client", f"{READER.client}:1:{LLS_PASSWORD}"]
    with running(command, tmp_path, "pydlms") as process:
        process.listens(port)
        told = prepay(tmp_path, READER, f"hdlc+tcp:127.0.0.1:{port}?window=7&length={length}")
    assert len(told["raw"]) == 96


def prepay(directory: Path, access: Access, port: str) -> dict[str, Any]:
    """Read the simulator's profile by our head-end's command line."""
    command = [*script("prepay", "headend.cli"), "--json", "--port", port]
    command += ["--mechanism", access.mechanism, "--db", f"sqlite:///{directory / 'db.sqlite'}"]
    command += ["read", "1-0:99.1.0.255", "--class", "7"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=directory,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told
