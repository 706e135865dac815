"""Short names with others: their clients at our meter, and our head-end at their simulator.

The clients do by READ and WRITE what the matrix has them do by GET, SET and ACTION, and come to the
same. gurux-dlms ciphers nothing by short names (KNOWN_FAULTS.md, 39), so that the management client
is pydlms-client alone.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from obis.values import replace
from tests.interop.driving import (
    AUTHENTICATION_KEY,
    BLOCK_KEY,
    LLS_PASSWORD,
    MANAGEMENT,
    MANAGEMENT_DEDICATED,
    PUBLIC,
    READER,
    Access,
    Line,
    Report,
)
from tests.interop.environments import GURUX, HERE, PYDLMS, Peer
from tests.interop.processes import environment, free_port, running, script
from tests.interop.reports import OPERATIONS, Reports
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

GURUX_SN = replace(GURUX, script="gurux_short_names.py")
PYDLMS_SN = replace(PYDLMS, script="pydlms_short_names.py")
SELECTED = ("object_list", "by_entry", "by_range", "set_long", "release")
DENIED = "read-write-denied"
#: ConfirmedServiceError: WRITE, service, service-unsupported; each peer in its own words.
NOT_NEGOTIATED = {
    GURUX.name: "confirmed-service-error: ServiceError Write exception. Service 2",
    PYDLMS.name: "confirmed service error: service 6 SERVICE 2",
}
NOT_LISTED = "is not in the SN object list"
CLIENTS = [
    (GURUX_SN, "tcp", PUBLIC),
    (GURUX_SN, "hdlc+tcp", READER),
    (PYDLMS_SN, "tcp", PUBLIC),
    (PYDLMS_SN, "tcp", READER),
    (PYDLMS_SN, "tcp", MANAGEMENT),
]
IDS = [f"{peer.name}-{transport}-{access.name}" for peer, transport, access in CLIENTS]
each_client = pytest.mark.parametrize(("peer", "transport", "access"), CLIENTS, ids=IDS)


def done(report: Report, operation: str) -> Any:
    """Return what an operation that has to succeed came to."""
    outcome = report.operation(operation)
    assert outcome.ok, outcome
    return outcome.value


def refusal(peer: Peer, access: Access, operation: str) -> str | None:
    """Return how the meter refuses an operation, None for one that it does not refuse."""
    if operation not in ("relay_off", "relay_on", "set_accepted") or access is MANAGEMENT:
        return None
    if access is READER:
        return DENIED
    if operation == "set_accepted":
        return NOT_NEGOTIATED[peer.name]
    return "not in the object list" if peer is GURUX_SN else NOT_LISTED


@pytest.mark.parametrize("operation", OPERATIONS)
@each_client
def test_a_client_can_do_by_short_names_what_it_can_by_logical_names(
    reports: Reports,
    record_property: Any,
    peer: Peer,
    transport: str,
    access: Access,
    operation: str,
) -> None:
    """Every operation of every client ends as the meter's policy says."""
    report = reports.of(peer, transport, access)
    outcome = report.operation(operation)
    row = f"{report.peer}, {transport}, {access.name}, short names"
    record_property(CELL, {"row": row, "column": operation, "found": outcome.verdict})
    expected = refusal(peer, access, operation)
    if expected is None:
        assert outcome.ok, outcome
    else:
        assert outcome.refused is not None, outcome
        assert expected in outcome.refused


@pytest.mark.parametrize(
    ("by_name", "by_logical_name", "access"),
    [(GURUX_SN, GURUX, READER), (PYDLMS_SN, PYDLMS, READER), (PYDLMS_SN, PYDLMS, MANAGEMENT)],
    ids=["gurux-reader", "pydlms-reader", "pydlms-management"],
)
def test_both_ways_lead_to_the_same_objects_rights_and_types(
    reports: Reports, by_name: Peer, by_logical_name: Peer, access: Access
) -> None:
    """But for the association itself, which is class 12 here and class 15 there."""
    transport = "hdlc+tcp" if by_name is GURUX_SN else "tcp"
    short = reports.of(by_name, transport, access)
    long = reports.of(by_logical_name, "tcp", access)
    listed = [
        {
            (one["class"], one["version"], one["obis"]): (one["attributes"], one["methods"])
            for one in done(report, "object_list")
            if one["class"] not in (12, 15)
        }
        for report in (short, long)
    ]
    assert listed[0] == listed[1]
    assert len(listed[0]) > 25
    types = [
        {
            (row["class"], row["obis"], row["index"]): row["type"]
            for row in done(report, "read_all")
            if row["class"] not in (12, 15)
        }
        for report in (short, long)
    ]
    assert types[0] == types[1]


@each_client
def test_base_names_are_the_same_for_everybody(
    reports: Reports, peer: Peer, transport: str, access: Access
) -> None:
    """Whatever else is listed; three of them are the book's."""
    bases = {
        one["obis"]: one["base"] for one in done(reports.of(peer, transport, access), "object_list")
    }
    assert bases["0.0.40.0.0.255"] == 0xFA00
    assert bases["0.0.42.0.0.255"] == 0xFD00
    assert bases["0.0.1.0.0.255"] == 0x0100
    assert len(set(bases.values())) == len(bases)


@pytest.mark.parametrize(
    ("peer", "access", "extra"),
    [
        (GURUX_SN, READER, ()),
        (PYDLMS_SN, READER, ("--max-pdu", "128")),
        (PYDLMS_SN, MANAGEMENT, ("--max-pdu", "256")),
    ],
    ids=["gurux-reader", "pydlms-reader-128", "pydlms-management-256"],
)
def test_parameterized_access_and_blocks(
    reports: Reports, peer: Peer, access: Access, extra: tuple[str, ...]
) -> None:
    """Rows by entry and by range; what does not fit into an APDU comes and goes in blocks.

    gurux-dlms proposes no blocks by short names, and takes APDUs of any length instead.
    """
    report = reports.now(peer, "tcp", access, SELECTED, extra)
    assert len(done(report, "object_list")) > 25
    by_entry, by_range = done(report, "by_entry"), done(report, "by_range")
    assert by_entry["first"] == by_entry["buffer"][:1]
    assert by_entry["beyond"] == []
    assert by_range["found"] == by_range["within"]
    assert by_range["within"]
    assert by_range["before"] == []
    refused = done(report, "set_long")["refused"]
    if peer is GURUX_SN:  # it sends blocks although none were agreed upon
        assert refused == NOT_NEGOTIATED[peer.name]
    else:
        assert refused == (DENIED if access is READER else "type-unmatched")
    assert report.operation("release").ok


def test_gurux_reads_several_variables_at_once(reports: Reports) -> None:
    """One READ, three values in their order."""
    report = reports.now(GURUX_SN, "tcp", READER, ("several", "release"))
    clock, name, energy = done(report, "several")
    assert len(clock["octets"]) == 24
    assert bytes.fromhex(name["octets"]).startswith(b"OPP")
    assert isinstance(energy, int)


def test_a_dedicated_key_ciphers_short_names_as_well(reports: Reports) -> None:
    """Read, order and write under it; the release is verified under the global key."""
    operations = ("clock", "relay_off", "relay_on", "set_accepted", "release")
    report = reports.now(PYDLMS_SN, "tcp", MANAGEMENT_DEDICATED, operations)
    assert [report.operation(name).verdict for name in operations] == ["done"] * len(operations)
    octets = "".join(sent for way, sent in report.operation("clock").octets if way == "sent")
    assert octets[16:18] == "45"  # ded-ReadRequest, behind a wrapper header of 8 octets


STRANGERS = {
    "wrong password": replace(READER, options=("--password", "87654321")),
    "wrong authentication key": replace(
        MANAGEMENT, options=(*MANAGEMENT.options, "--auth-key", "F" * 32)
    ),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_gets_no_association_by_short_names_either(reports: Reports, who: str) -> None:
    """It is answered at once, and the port serves the next client."""
    report = reports.now(PYDLMS_SN, "tcp", STRANGERS[who], ("clock",))
    assert not report.connect.ok
    assert not report.document["deadline_exceeded"]
    assert reports.now(PYDLMS_SN, "tcp", PUBLIC, ("clock", "release")).operation("release").ok


# --- our head-end --------------------------------------------------------------------------------


@contextmanager
def simulator(interpreter: Path, directory: Path, *words: str) -> Iterator[Line]:
    """Run the simulator of pydlms-client with the services of short names on a free port."""
    port = free_port()
    peer = HERE / "peers" / "pydlms_short_name_simulator.py"
    command = [str(interpreter), "-B", str(peer), "--port", str(port), *words]
    with running(command, directory, f"pydlms-sn-{port}") as process:
        process.listens(port)
        yield Line("tcp", f"127.0.0.1:{port}")


KEYS = ("--key", BLOCK_KEY, "--auth-key", AUTHENTICATION_KEY)
PLACES = {"reader": ("--client", f"2:1:{LLS_PASSWORD}"), "management": ("--client", "1:5", *KEYS)}
MECHANISMS = {"reader": "lls", "management": "gmac"}


def prepay(line: Line, who: str, directory: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run our command line by short names, and return its exit code and what it said."""
    command = [*script("prepay", "headend.cli"), "--json", "--short-names"]
    command += ["--port", f"{line.transport}:{line.address}", "--mechanism", MECHANISMS[who]]
    command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}", *words]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=directory,
        timeout=60,
        check=False,
    )
    said = (ran.stderr if ran.returncode else ran.stdout).strip().splitlines()
    return ran.returncode, json.loads(said[-1])


@pytest.mark.parametrize("who", PLACES)
def test_our_head_end_speaks_short_names_with_their_simulator(
    interpreters: dict[str, Path], tmp_path: Path, who: str
) -> None:
    """Objects, a register, 96 rows in blocks, a method, and what is not there."""
    with simulator(interpreters[PYDLMS.name], tmp_path, *PLACES[who]) as line:
        code, told = prepay(line, who, tmp_path, "objects")
        assert code == 0, told
        found = {(one["class"], one["code"]) for one in told["objects"]}
        assert {(8, "0-0:1.0.0*255"), (7, "1-0:99.1.0*255"), (70, "0-0:96.3.10*255")} <= found
        code, told = prepay(line, who, tmp_path, "read", "1-0:32.7.0.255", "--class", "3")
        assert (code, told.get("value"), told.get("unit")) == (0, "230.1", "V")
        code, told = prepay(line, who, tmp_path, "read", "1-0:99.1.0.255", "--class", "7")
        assert len(told["raw"]) == 96
        relay = ("0-0:96.3.10.255", "--class", "70")
        assert prepay(line, who, tmp_path, "action", *relay, "--method", "1")[0] == 0
        assert prepay(line, who, tmp_path, "read", *relay)[1]["raw"] is False
        code, told = prepay(line, who, tmp_path, "read", "0-0:9.9.9.255", "--class", "1")
        assert code == 1
        assert "does not see 0-0:9.9.9*255" in told["error"]


def test_our_head_end_writes_by_short_names(interpreters: dict[str, Path], tmp_path: Path) -> None:
    """The zone of their clock, and reads it back."""
    with simulator(interpreters[PYDLMS.name], tmp_path, *PLACES["reader"]) as line:
        zone = ("0-0:1.0.0.255", "--class", "8", "--attribute", "3")
        assert prepay(line, "reader", tmp_path, "set", zone[0], "long:-120", *zone[1:])[0] == 0
        assert prepay(line, "reader", tmp_path, "read", *zone)[1]["raw"] == -120


# --- their faults --------------------------------------------------------------------------------

#: As the driver shows them, by what it was asked for.
FAULTS = {
    "ciphered_read": "AssertionError",
    "offset_of_the_clock": 0x38,
    "offset_of_a_profile": 0x28,
    "offset_of_a_register": 0,
    "method_of_class_115": "ValueError",
    "hls_pass_3": "060102fa5801091110",
    "long_write": "060107010001010904098209c4",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_gurux_has_these_faults_by_short_names(interpreters: dict[str, Path], fault: str) -> None:
    """Shown without our code; see KNOWN_FAULTS.md, 39 to 42."""
    peer = HERE / "peers" / "gurux_short_name_faults.py"
    command = [str(interpreters[GURUX.name]), "-B", str(peer), fault]
    shown = subprocess.run(command, capture_output=True, timeout=30, check=True)
    found = json.loads(shown.stdout)
    if fault in ("hls_pass_3", "long_write"):
        assert found.startswith(FAULTS[fault])
    else:
        assert found == FAULTS[fault]
