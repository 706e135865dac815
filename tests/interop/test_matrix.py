"""Other people's clients at our meter: client x transport x mechanism x operation.

What each client may do is the meter's policy: the public client sees the clock, the logical device
name, the invocation counter and its own association, and only reads; the reader reads all; the
management client may do everything. A refusal where one is due is as good as a success elsewhere.
"""

from collections.abc import Callable
from typing import Any

import pytest

from obis.values import replace
from tests.interop.driving import (
    MANAGEMENT,
    MANAGEMENT_DEDICATED,
    PUBLIC,
    READER,
    Access,
    Outcome,
    Report,
)
from tests.interop.environments import DLMS_COSEM, GURUX, PYDLMS, Peer
from tests.interop.reports import OPERATIONS, Reports
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

TRANSPORTS = ("tcp", "hdlc+tcp", "serial")
ACCESSES = (PUBLIC, READER, MANAGEMENT)
MANAGEMENT_ONLY = frozenset({"relay_off", "relay_on", "set_accepted"})
DENIED = "read-write-denied"
#: The public client's conformance block has neither SET nor ACTION in it.
NOT_NEGOTIATED = "exception-response service-unknown service-not-supported"

CLIENTS = [
    (peer, transport, access)
    for peer in (GURUX, PYDLMS, DLMS_COSEM)
    for transport in TRANSPORTS
    for access in ACCESSES
    if peer is not DLMS_COSEM or transport == "tcp"
]
CLIENT_IDS = [f"{peer.name}-{transport}-{access.name}" for peer, transport, access in CLIENTS]
SIZES = [
    (peer, transport, size)
    for peer in (GURUX, PYDLMS)
    for transport in ("hdlc+tcp", "serial")
    for size in (1, 2, 4)
]

PUBLIC_VIEW = {
    (1, "0.0.42.0.0.255"),
    (1, "0.0.43.1.0.255"),
    (8, "0.0.1.0.0.255"),
    (15, "0.0.40.0.0.255"),
    (17, "0.0.41.0.0.255"),
}
REGISTER = "read:3:1.0.1.8.0.255:2"

Recorder = Callable[[str, Any], None]


def row(report: Report, transport: str, access: Access) -> str:
    """A row's name in the table."""
    return f"{report.peer}, {transport}, {access.name}"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("peer", "transport", "access"), CLIENTS, ids=CLIENT_IDS)
def test_a_client_can_do_what_it_may_and_is_refused_the_rest(
    reports: Reports,
    record_property: Recorder,
    peer: Peer,
    transport: str,
    access: Access,
    operation: str,
) -> None:
    """Every operation of every client ends as the meter's policy says."""
    report = reports.of(peer, transport, access)
    outcome = report.operation(operation)
    cell = {"row": row(report, transport, access), "column": operation, "found": outcome.verdict}
    record_property(CELL, cell)
    if operation in MANAGEMENT_ONLY and access is not MANAGEMENT:
        assert outcome.refused == (NOT_NEGOTIATED if access is PUBLIC else DENIED), outcome
    else:
        assert outcome.ok, outcome


@pytest.mark.parametrize(("peer", "transport", "access"), CLIENTS, ids=CLIENT_IDS)
def test_a_client_sees_the_objects_of_its_association_only(
    reports: Reports, peer: Peer, transport: str, access: Access
) -> None:
    """The public client's object list has five objects; the others' have the whole meter."""
    objects = succeeded(reports.of(peer, transport, access).operation("object_list"))
    seen = {(entry["class"], entry["obis"]) for entry in objects}
    assert len(seen) == len(objects), "an object is listed twice"
    if access is PUBLIC:
        assert seen == PUBLIC_VIEW
    else:
        assert seen > PUBLIC_VIEW | {(70, "0.0.96.3.10.255"), (111, "0.0.19.0.0.255")}


@pytest.mark.parametrize("peer", [GURUX, PYDLMS, DLMS_COSEM], ids=lambda peer: peer.name)
def test_what_is_not_in_the_view_cannot_be_read_either(reports: Reports, peer: Peer) -> None:
    """The public client asks for the energy register by name and is refused."""
    report = reports.now(peer, "tcp", PUBLIC, (REGISTER, "clock", "release"))
    assert report.operation(REGISTER).refused == "object-undefined", report.operation(REGISTER)
    assert report.operation("clock").ok, "the association survives a refusal"


@pytest.mark.parametrize("access", ACCESSES, ids=lambda access: access.name)
def test_all_clients_read_the_same_types(reports: Reports, access: Access) -> None:
    """Three decoders agree on the type of every attribute, so none was merely lucky."""
    found: dict[tuple[int, str, int], set[str]] = {}
    for peer, transport, who in CLIENTS:
        if who is access:
            for entry in succeeded(reports.of(peer, transport, access).operation("read_all")):
                key = (entry["class"], entry["obis"], entry["index"])
                found.setdefault(key, set()).add(entry["type"])
    assert found
    assert {key: types for key, types in found.items() if len(types) > 1} == {}


@pytest.mark.parametrize(
    ("peer", "transport"),
    [case[:2] for case in CLIENTS if case[2] is MANAGEMENT],
    ids=[name for name in CLIENT_IDS if name.endswith(MANAGEMENT.name)],
)
def test_the_relay_follows_and_reads_back(reports: Reports, peer: Peer, transport: str) -> None:
    """remote_disconnect opens it; remote_reconnect leaves "disconnected", as its mode says."""
    report = reports.of(peer, transport, MANAGEMENT)
    off = succeeded(report.operation("relay_off"))
    on = succeeded(report.operation("relay_on"))
    assert off == {"output_state": False, "control_state": 0}
    assert on["control_state"] in (1, 2)
    assert on["output_state"] is (on["control_state"] == 1)


@pytest.mark.parametrize(("peer", "transport", "access"), CLIENTS, ids=CLIENT_IDS)
def test_a_read_only_attribute_is_denied(
    reports: Reports, peer: Peer, transport: str, access: Access
) -> None:
    """The logical device name is in everybody's view and in nobody's power."""
    found = succeeded(reports.of(peer, transport, access).operation("set_refused"))
    assert found == {"refused": NOT_NEGOTIATED if access is PUBLIC else DENIED}


@pytest.mark.parametrize(("peer", "transport", "size"), SIZES)
def test_a_server_address_of_any_size_reaches_the_meter(
    reports: Reports, record_property: Recorder, peer: Peer, transport: str, size: int
) -> None:
    """Addresses of 1, 2 and 4 octets name the same station; segments of the list come whole."""
    operations = ("object_list", "clock", "release")
    extra = ("--server-address-size", str(size))
    report = reports.now(peer, transport, READER, operations, extra)
    found = [report.operation(name) for name in operations]
    verdict = "done" if all(outcome.ok for outcome in found) else "failed"
    name = f"{report.peer}, {transport}, server address of {size} octets"
    for operation, outcome in zip(operations, found, strict=True):
        record_property(CELL, {"row": name, "column": operation, "found": outcome.verdict})
    assert verdict == "done", "\n".join(str(outcome) for outcome in found)


@pytest.mark.parametrize("peer", [GURUX, PYDLMS], ids=lambda peer: peer.name)
def test_a_dedicated_key_serves_as_the_global_one_does(reports: Reports, peer: Peer) -> None:
    """HLS pass 3 may come under either of them: the peers do not agree on that."""
    operations = ("clock", "relay_off", "set_refused", "release")
    report = reports.now(peer, "tcp", MANAGEMENT_DEDICATED, operations)
    for operation in operations:
        assert report.operation(operation).ok, report.operation(operation)


WRONG_KEY = replace(
    MANAGEMENT, options=(*MANAGEMENT.options, "--block-key", "F" * 32, "--invocation-counter", "1")
)
WRONG_TAG_KEY = replace(MANAGEMENT, options=(*MANAGEMENT.options, "--auth-key", "F" * 32))
STRANGERS = {
    "wrong password": replace(READER, options=("--password", "87654321")),
    "wrong authentication key": WRONG_TAG_KEY,
    "wrong block cipher key": WRONG_KEY,
    "no password": replace(READER, options=("--password", "")),
    "management without authentication": replace(MANAGEMENT, mechanism="none"),
    "reader without authentication": replace(READER, mechanism="none"),
    "unknown client": replace(PUBLIC, client=99),
}
#: The first two with every peer, the rest with the one that says most about a refusal.
STRANGE_CASES = [
    pytest.param(peer, access, id=f"{peer.name}-{name}")
    for peer in (GURUX, PYDLMS, DLMS_COSEM)
    for name, access in list(STRANGERS.items())[: None if peer is PYDLMS else 2]
]


@pytest.mark.parametrize(("peer", "access"), STRANGE_CASES)
def test_a_stranger_gets_no_association_but_an_answer(
    reports: Reports, peer: Peer, access: Access
) -> None:
    """A false password, key or client is answered at once, and the port serves the next client."""
    report = reports.now(peer, "tcp", access, ("clock",))
    assert not report.connect.ok
    assert not report.document["deadline_exceeded"]
    assert report.connect.octets[-1][0] == "received", report.connect
    assert reports.now(peer, "tcp", PUBLIC, ("clock", "release")).operation("release").ok


@pytest.mark.parametrize("peer", [GURUX, PYDLMS, DLMS_COSEM], ids=lambda peer: peer.name)
def test_a_spent_invocation_counter_is_refused(reports: Reports, peer: Peer) -> None:
    """A counter that has been accepted before is answered and gets nobody in."""
    assert reports.of(peer, "tcp", MANAGEMENT).connect.ok
    again = ("--invocation-counter", "1")
    report = reports.now(peer, "tcp", MANAGEMENT, ("clock",), again)
    assert not report.connect.ok
    assert report.connect.octets[-1][0] == "received", report.connect


def succeeded(outcome: Outcome) -> Any:
    """The value of an operation that must have gone well."""
    assert outcome.ok, outcome
    return outcome.value
