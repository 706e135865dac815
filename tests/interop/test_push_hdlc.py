"""Pushes in UI frames: our meter's heard by others, others' heard by our head-end on a line.

And what else our server can say unasked: events, and reports by short names.
"""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from obis.code import ObisCode
from protocol.association import Association, ClientSettings, ServerPolicy
from protocol.axdr import unsigned
from protocol.codes import ApplicationContext
from protocol.events import (
    AttributeRef,
    EventNotification,
    InformationReport,
    LinkConnect,
    LinkData,
    Notification,
    OpenRequest,
    ShortName,
)
from protocol.events import Peer as Ends
from protocol.hdlc import HdlcServer
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from protocol.timing import Instant
from protocol.udp import DatagramLink
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import environment, free_port, running, script
from tests.interop.test_push import BITS, PATIENCE_SECONDS, Task, prepay, task

__all__ = ["task"]  # a fixture

pytestmark = pytest.mark.interop

KEYS = KeySet(bytes(range(16)), bytes(range(0xD0, 0xE0)))
T0 = Instant(1_700_000_000_000)
FLAG = b"\x7e"
TITLE = b"OPP\0\0\0\0\1"


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    """A meter that pushes at its HDLC ports: that port, one for orders, and where it runs."""
    directory = tmp_path_factory.mktemp("pushed")
    hdlc, orders = free_port(), free_port()
    command = [*script("prepay-sim", "sim.cli"), "meter", "--json", "--push-to", "hdlc"]
    command += ["--port", f"hdlc+tcp:127.0.0.1:{hdlc}", "--port", f"tcp:127.0.0.1:{orders}"]
    with running(command, directory, "meter") as process:
        process.first_line()
        yield hdlc, orders, directory


@pytest.fixture(scope="module")
def pushed(meter: tuple[int, int, Path]) -> str:
    """The frames of a push: the meter's relay has just been opened."""
    hdlc, orders, directory = meter
    with socket.create_connection(("127.0.0.1", hdlc)) as ear:
        ear.settimeout(PATIENCE_SECONDS)
        prepay(directory, "--port", f"tcp:127.0.0.1:{orders}", "disconnect")
        octets = ear.recv(65_535)
        while octets.count(FLAG) < 2 or not octets.endswith(FLAG):
            octets += ear.recv(65_535)
        # That is pushed too, and somebody has to be there: else it is tried again before the next.
        prepay(directory, "--port", f"tcp:127.0.0.1:{orders}", "connect")
        ear.recv(1)
    return octets.hex()


@pytest.mark.parametrize(
    ("peer", "name"),
    [(PYDLMS, "pydlms_hears"), (GURUX, "gurux_hears")],
    ids=lambda value: value.name if isinstance(value, Peer) else "",
)
def test_our_push_in_ui_frames_is_heard(task: Task, pushed: str, peer: Peer, name: str) -> None:
    """Deciphered, with the values in their places: push setup, name, clock, and the relay."""
    heard = task(peer, name, pushed, "hdlc")
    setup, _name, clock, state, causes, account, low, *events = heard["body"]
    assert setup == "0000190900FF"
    assert len(clock) == 24
    assert (state, account, bool(low)) == (0, [1, 1], False)
    assert causes in BITS
    assert events == [2, 1, 62, 1]  # power up and opened by order, each the first of its log
    assert heard.get("authenticated", True)


def test_our_head_end_hears_our_meter_on_its_line(
    meter: tuple[int, int, Path], tmp_path: Path
) -> None:
    """`prepay listen` on the meter's own port, while orders come by another."""
    hdlc, orders, directory = meter
    command = [*script("prepay", "headend.cli"), "--json", "--port", f"hdlc+tcp:127.0.0.1:{hdlc}"]
    command += ["--db", str(tmp_path / "db.sqlite"), "listen", "--count", "1"]
    command += ["--seconds", str(PATIENCE_SECONDS)]
    with running(command, tmp_path, "listen") as process:
        process.first_line()
        prepay(directory, "--port", f"tcp:127.0.0.1:{orders}", "disconnect")
        assert process.process.wait(PATIENCE_SECONDS) == 0, process.stderr.read_text()
        heard = json.loads(process.stdout.read_text().splitlines()[1])
    assert heard["service"] == "data-notification"
    assert (heard["logical"], heard["client"]) == (1, 102)
    assert heard["system_title"]
    assert heard["body"][3] == 0


SAYINGS: list[tuple[Peer, str, str, Any]] = [
    (GURUX, "gurux_says", "data", [5, "AABB", 0]),
    (GURUX, "gurux_says", "event", 5),
    (PYDLMS, "pydlms_says", "data", 5),
    (PYDLMS, "pydlms_says", "event", 5),
]


def test_others_ui_frames_are_heard_by_our_listener(task: Task, tmp_path: Path) -> None:
    """Data and events of two peers on one line; what wants a confirmation gets it in UI frames."""
    said = [task(peer, name, what, "hdlc") for peer, name, what, _ in SAYINGS]
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
        command = [*script("prepay", "headend.cli"), "--json"]
        command += ["--port", f"hdlc+tcp:127.0.0.1:{port}", "--db", str(tmp_path / "db.sqlite")]
        command += ["listen", "--count", str(len(SAYINGS)), "--seconds", str(PATIENCE_SECONDS)]
        line.settimeout(PATIENCE_SECONDS)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment(), text=True
        ) as listener:
            mouth, _ = line.accept()
            with mouth:
                mouth.settimeout(PATIENCE_SECONDS)
                for frames in said:
                    for octets in frames:
                        mouth.sendall(bytes.fromhex(octets))
                confirmed = b""
                while octets := mouth.recv(4096):
                    confirmed += octets
            printed, _ = listener.communicate(timeout=PATIENCE_SECONDS)
    assert listener.returncode == 0
    heard = [json.loads(text) for text in printed.splitlines()[1:-1]]
    assert [each.get("body", each.get("value")) for each in heard] == [one[3] for one in SAYINGS]
    assert [each.get("confirmed", False) for each in heard] == [True, False, True, False]
    # the meters' own addresses: gurux has one of 1 octet, pydlms one of 2
    assert bytes.fromhex("03 CD 03") in confirmed
    assert bytes.fromhex("02 23 CD 03") in confirmed
    assert bytes.fromhex("E6E600 10 C0000001 00") in confirmed
    assert bytes.fromhex("E6E600 10 40000007 00") in confirmed


# --- events and reports ------------------------------------------------------------------------

RELAY = AttributeRef(70, ObisCode(0, 0, 96, 3, 10, 255), 3)
EVENT = EventNotification(RELAY, unsigned(5), bytes.fromhex("07EA0B160701360261FFC400"))
REPORT = InformationReport((ShortName(0xFA58), ShortName(0xFA60)), (unsigned(5), unsigned(6)))


def server_of(what: Notification, *, ciphered: bool) -> Association:
    """Return a server that may say it: opened by short names for a report, else pre-established."""
    if isinstance(what, InformationReport):
        policy = ServerPolicy(client_sap=102, short_names=True)
        server = Association.server(policy, bytes, CounterLease(1), ReplayGuard())
        settings = ClientSettings(context=ApplicationContext.SN)
        client = Association.client(settings, bytes, CounterLease(1), ReplayGuard())
        client.send(OpenRequest(), T0)
        server.receive(client.outgoing(), T0)
        assert server.outgoing()
        return server
    fields: dict[str, Any] = {"client_sap": 102, "pre_established": True}
    if ciphered:
        fields |= {"context": ApplicationContext.LN_CIPHERED, "keys": KEYS, "system_title": TITLE}
        fields |= {"protection": Protection.AUTHENTICATED_ENCRYPTED}
    return Association.server(ServerPolicy(**fields), bytes, CounterLease(1), ReplayGuard())


def said(what: Notification, framing: str, *, ciphered: bool) -> str:
    """Return what our server says, as octets of a line."""
    server = server_of(what, ciphered=ciphered)
    server.send(what, T0)
    ends = Ends(102, 1)
    link: Any = HdlcServer(1, {1}) if framing == "hdlc" else DatagramLink.server({1})
    if framing != "hdlc":
        link.send(LinkConnect(ends), T0)
    for apdu in iter(server.outgoing, b""):
        link.send(LinkData(ends, apdu, unnumbered=framing == "hdlc"), T0)
    octets: bytes = link.outgoing()
    return octets.hex()


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize(
    ("what", "ciphered", "service", "values"),
    [
        (EVENT, False, "EventNotificationRequest", [5]),
        (EVENT, True, "EventNotificationRequest", [5]),
        (REPORT, False, "InformationReportRequest", [5, 6]),
    ],
)
def test_pydlms_hears_events_and_reports(
    task: Task, what: Notification, ciphered: bool, service: str, values: list[int], framing: str
) -> None:
    """In clear and in glo-event-notification, in the wrapper and in UI frames."""
    heard = task(
        PYDLMS, "pydlms_hears", said(what, framing, ciphered=ciphered), framing, TITLE.hex()
    )
    assert heard["service"] == service
    assert heard["values"] == values
    assert heard["authenticated"] is ciphered
