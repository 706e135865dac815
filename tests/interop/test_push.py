"""Pushes: our meter's heard by others, and others' heard by our head-end."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headend.reading.values import to_json
from protocol import axdr
from tests.interop.environments import DLMS_COSEM, GURUX, HERE, PYDLMS, Peer
from tests.interop.processes import environment, free_port, running, script

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 30
#: Octets of a confirmation in the wrapper.
CONFIRMATION = 14
#: As gurux-dlms and pydlms-client say the same bits.
BITS = ("01000000", "40", [False, True, False, False, False, False, False, False])

Task = Callable[..., Any]


@pytest.fixture
def task(interpreters: dict[str, Path]) -> Task:
    """Have a peer do something in its own process."""

    def ask(peer: Peer, name: str, *words: str) -> Any:
        pushes = HERE / "peers" / "pushes.py"
        command = [str(interpreters[peer.name]), "-B", str(pushes), name, *words]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return ask


def prepay(directory: Path, *words: str) -> None:
    """Run our head-end."""
    command = [*script("prepay", "headend.cli"), "--db", str(directory / "db.sqlite"), *words]
    subprocess.run(
        command, env=environment(), timeout=PATIENCE_SECONDS, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The datagram of a push: the meter's relay has just been opened."""
    directory = tmp_path_factory.mktemp("pushed")
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(PATIENCE_SECONDS)
        command = [*script("prepay-sim", "sim.cli"), "meter", "--json"]
        command += ["--port", f"udp:127.0.0.1:{port}"]
        command += ["--push-to", f"udp:127.0.0.1:{ear.getsockname()[1]}"]
        with running(command, directory, "meter") as meter:
            meter.first_line()
            prepay(directory, "--port", f"udp:127.0.0.1:{port}", "disconnect")
            yield ear.recv(65_535).hex()


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (PYDLMS, "pydlms_hears"),
        (GURUX, "gurux_hears"),
        (DLMS_COSEM, "dlms_cosem_hears"),
    ],
    ids=lambda value: value.name if isinstance(value, Peer) else "",
)
def test_our_push_is_heard(task: Task, pushed: str, peer: Peer, name: str) -> None:
    """Deciphered, with the values in their places: push setup, name, clock, and the relay."""
    heard = task(peer, name, pushed)
    if "octets" in heard:
        body = axdr.decode(bytes.fromhex(heard["octets"]))
        heard["body"] = to_json(body)
    setup, _name, clock, state, causes, account, low, *events = heard["body"]
    assert setup == "0000190900FF"
    assert len(clock) == 24
    assert (state, account, bool(low)) == (0, [1, 1], False)
    assert causes in BITS
    assert events == [2, 1, 62, 1]  # power up and opened by order, each the first of its log
    assert heard.get("number", 1) == 1
    assert not heard.get("confirmed", False)
    assert heard.get("authenticated", True)
    assert heard.get("wports", [1, 102]) == [1, 102]


@contextmanager
def listening(directory: Path, scheme: str, count: int) -> Iterator[tuple[int, list[Any]]]:
    """Run our listener; what it heard is in the list when the block is left."""
    port, heard = free_port(), list[Any]()
    command = [*script("prepay", "headend.cli"), "--json", "--port", f"{scheme}:127.0.0.1:{port}"]
    command += ["--db", str(directory / "db.sqlite"), "listen"]
    command += ["--count", str(count), "--seconds", str(PATIENCE_SECONDS)]
    with running(command, directory, "listen") as process:
        process.first_line()
        yield port, heard
        assert process.process.wait(PATIENCE_SECONDS) == 0, process.stderr.read_text()
        heard += [json.loads(line) for line in process.stdout.read_text().splitlines()[1:-1]]


SAYINGS = [
    (GURUX, "gurux_says", "data", [5, "AABB", 0]),
    (GURUX, "gurux_says", "event", 5),
    (PYDLMS, "pydlms_says", "data", 5),
    (PYDLMS, "pydlms_says", "event", 5),
    (DLMS_COSEM, "dlms_cosem_says", "data", 5),
]


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_others_notifications_are_heard_by_our_listener(
    task: Task, tmp_path: Path, scheme: str
) -> None:
    """Data and events of three peers, one after the other at the same port."""
    said = [task(peer, name, what)[0] for peer, name, what, _ in SAYINGS]
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    with (
        listening(tmp_path, scheme, len(SAYINGS)) as (port, heard),
        socket.socket(socket.AF_INET, kind) as mouth,
    ):
        mouth.connect(("127.0.0.1", port))
        for octets in said:
            mouth.send(bytes.fromhex(octets))
        mouth.settimeout(PATIENCE_SECONDS)
        confirmations = b""
        while len(confirmations) < 2 * CONFIRMATION:
            confirmations += mouth.recv(100)
    values = [each.get("body", each.get("value")) for each in heard]
    assert values == [value for *_, value in SAYINGS]
    services = [f"{what}-notification" for _, _, what, _ in SAYINGS]
    assert [each["service"] for each in heard] == services
    # gurux asked for a confirmation of its number 1, pydlms of its number 7
    assert [each.get("confirmed", False) for each in heard] == [True, False, True, False, False]
    head = "0066 0001".join(("0001 ", " 0006 10"))
    assert confirmations == bytes.fromhex(f"{head} C0000001 00 {head} 40000007 00")


def test_dlms_cosem_flags_the_time_where_it_should_count_its_octets(task: Task) -> None:
    """01 and twelve octets; ``pydlms-client`` and ``gurux-dlms`` write and read 0C."""
    (octets,) = task(DLMS_COSEM, "dlms_cosem_says", "data")
    assert octets[16:].startswith("0F000000070107EA0B16")
    (right,) = task(PYDLMS, "pydlms_says", "data")
    assert right[16:].startswith("0F400000070C07EA0B16")
