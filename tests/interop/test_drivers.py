"""The drivers against a server that is not ours: a red cell of the matrix is then our meter's."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.driving import MANAGEMENT, PUBLIC, READER, Access, Line, drive
from tests.interop.environments import DLMS_COSEM, GURUX, PYDLMS, Peer
from tests.interop.pydlms_simulator import Simulators

pytestmark = pytest.mark.interop

OPERATIONS = (
    "object_list",
    "read_all",
    "clock",
    "set_accepted",
    "read:1:0.0.9.9.9.255:2",
    "release",
)
CASES = [
    (peer, transport, access)
    for peer in (GURUX, PYDLMS, DLMS_COSEM)
    for transport in ("tcp", "hdlc+tcp")
    for access in (PUBLIC, READER, MANAGEMENT)
    if not (peer is DLMS_COSEM and transport != "tcp")
]


@pytest.mark.parametrize(
    ("peer", "transport", "access"),
    CASES,
    ids=[f"{peer.name}-{transport}-{access.name}" for peer, transport, access in CASES],
)
def test_a_driver_does_every_operation_on_a_known_good_server(
    interpreters: dict[str, Path],
    simulators: Simulators,
    peer: Peer,
    transport: str,
    access: Access,
) -> None:
    """Each peer associates, ciphered from the counter it first asked for, and does its work."""
    line = simulators[transport, access is MANAGEMENT]
    report = drive(interpreters[peer.name], peer, line, access, OPERATIONS)
    assert report.connect.ok, report.connect
    found = {name: report.operation(name) for name in OPERATIONS}
    missing = found.pop("read:1:0.0.9.9.9.255:2")
    assert missing.refused == "object-undefined", missing
    for name, outcome in found.items():
        assert outcome.ok, f"{name}: {outcome}"
    assert len(found["read_all"].value) > 30


@pytest.mark.parametrize("peer", [GURUX, PYDLMS], ids=lambda peer: peer.name)
@pytest.mark.parametrize("size", [2, 4])
def test_a_driver_uses_the_server_address_size_it_is_given(
    interpreters: dict[str, Path], simulators: Simulators, peer: Peer, size: int
) -> None:
    """SNRM goes to logical 1, physical 1 in as many octets as asked for."""
    address = {2: "0203", 4: "00020003"}[size]
    line = simulators["hdlc+tcp", False]
    extra = ("--server-address-size", str(size))
    report = drive(interpreters[peer.name], peer, line, PUBLIC, ("clock", "release"), extra)
    assert report.operation("release").ok, report.operation("release")
    way, octets = report.connect.octets[0]
    assert way == "sent"
    assert octets[6 : 6 + len(address)] == address


@pytest.mark.parametrize("peer", [GURUX, PYDLMS, DLMS_COSEM], ids=lambda peer: peer.name)
def test_a_driver_reports_a_server_that_refuses_the_association(
    interpreters: dict[str, Path], simulators: Simulators, peer: Peer
) -> None:
    """A wrong password ends in a report that says so, with the octets, and exit status 0."""
    wrong = Access("reader", 2, "lls", ("--password", "87654321"))
    line = simulators["tcp", False]
    report = drive(interpreters[peer.name], peer, line, wrong, ("clock",))
    assert not report.connect.ok
    assert [way for way, _ in report.connect.octets] == ["sent", "received"]
    assert report.operation("clock").verdict != "done"


@pytest.mark.parametrize("peer", [GURUX, PYDLMS, DLMS_COSEM], ids=lambda peer: peer.name)
def test_a_driver_ends_by_itself_when_the_server_never_answers(
    interpreters: dict[str, Path], silence: Line, peer: Peer
) -> None:
    """The deadline ends it, and the report says that it did or that the peer gave up before."""
    report = drive(interpreters[peer.name], peer, silence, PUBLIC, ("clock",), ("--deadline", "2"))
    assert not report.connect.ok
    assert report.document["deadline_exceeded"], report.document


@pytest.fixture
def silence() -> Iterator[Line]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Line("tcp", f"127.0.0.1:{server.getsockname()[1]}")
