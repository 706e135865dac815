"""Lists, ACCESS and general block transfer: other people's clients against our meter.

Each asks several attributes, writes and methods at once, one of them refused, in one APDU and in
as many blocks as it takes, and sees the same as one by one.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from headend.context import Context, Settings
from headend.reach import open_session
from headend.session import Session
from obis.code import ObisCode
from obis.values import replace
from protocol.association import SUPPORTED, ClientSettings
from protocol.axdr import octet_string
from protocol.codes import Conformance, DataAccessResult, Mechanism
from protocol.events import AttributeRef, GetRequest, SetRequest
from protocol.security import CounterLease
from tests.interop.driving import (
    LLS_PASSWORD,
    MANAGEMENT,
    READER,
    Access,
    Outcome,
    Report,
    drive,
)
from tests.interop.environments import DLMS_COSEM, GURUX, HERE, PYDLMS, Peer
from tests.interop.processes import OurMeter, free_port, running
from tests.interop.pydlms_simulator import Simulators

pytestmark = pytest.mark.interop

UNDEFINED, DENIED, OTHER_REASON = 4, 3, 250
GENERAL_BLOCK = "e0"
SMALL = ("--max-pdu", "256")


def _services(peer: Peer, script: str) -> Peer:
    return Peer(peer.name, peer.requirements, script)


PYDLMS_SERVICES = _services(PYDLMS, "pydlms_services.py")
GURUX_SERVICES = _services(GURUX, "gurux_services.py")
DLMS_COSEM_SERVICES = _services(DLMS_COSEM, "dlms_cosem_services.py")
ALL = (
    "get_list",
    "get_list_known",
    "get_list_long",
    "set_list",
    "set_list_in_datablocks",
    "set_list_in_general_blocks",
    "action_list",
    "action_list_in_pblocks",
    "access",
    "access_break",
    "access_known",
    "access_long",
    "access_long_request",
    "release",
)
OPERATIONS = {
    PYDLMS_SERVICES.name: ALL,
    GURUX_SERVICES.name: ("get_list_known", "get_list_long", "access_known", "release"),
    DLMS_COSEM_SERVICES.name: ("get_list", "get_list_known", "release"),
}
#: On HDLC: five blocks come in a row, with the final bit at the last.
ROW = ("--hdlc-information", "512", "--hdlc-window", "7")
CELLS = [
    pytest.param((PYDLMS_SERVICES, "tcp", MANAGEMENT), id="pydlms-tcp-management"),
    pytest.param((PYDLMS_SERVICES, "hdlc+tcp", MANAGEMENT), id="pydlms-hdlc-management"),
    pytest.param((PYDLMS_SERVICES, "hdlc+tcp", MANAGEMENT, ROW), id="pydlms-hdlc-row-management"),
    pytest.param((GURUX_SERVICES, "tcp", READER), id="gurux-tcp-reader"),
    pytest.param((GURUX_SERVICES, "tcp", MANAGEMENT), id="gurux-tcp-management"),
    pytest.param((DLMS_COSEM_SERVICES, "tcp", READER), id="dlms-cosem-tcp-reader"),
]
FOUND: dict[tuple[str, str, str, tuple[str, ...]], Report] = {}


@pytest.fixture(params=CELLS)
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], meter: OurMeter
) -> Report:
    """What came of all the operations of a peer, run once."""
    peer, transport, access, options = _cell(request.param)
    key = (peer.name, transport, access.name, options)
    if key not in FOUND:
        line = meter.lines[transport]
        asked = OPERATIONS[peer.name]
        FOUND[key] = drive(interpreters[peer.name], peer, line, access, asked, SMALL + options)
    return FOUND[key]


def _cell(param: Any) -> tuple[Peer, str, Access, tuple[str, ...]]:
    peer, transport, access, *options = param
    return peer, transport, access, options[0] if options else ()


def _of(report: Report, operation: str) -> Outcome:
    """Return what came of an operation, which has to be done, if this peer can do it."""
    asked = report.document["arguments"]["operations"].split(",")
    if operation not in asked:
        pytest.skip(f"{report.peer} is not asked for it")
    found = report.operation(operation)
    assert found.ok, found
    return found


def test_a_get_with_a_list(report: Report) -> None:
    """The values are those that each attribute has by itself, in the order of the list."""
    found = _of(report, "get_list_known").value
    assert found["together"] == found["alone"]


def test_a_get_with_a_list_and_something_that_is_not_there(report: Report) -> None:
    """It says object-undefined, and the others are read."""
    found = _of(report, "get_list").value
    expected = [UNDEFINED if value is None else value for value in found["alone"]]
    assert found["together"] == expected


def test_a_list_whose_results_fit_into_no_apdu(report: Report) -> None:
    """The whole list of results comes in datablocks."""
    found = _of(report, "get_list_long").value
    assert found["together"][1] == found["alone"]


@pytest.mark.parametrize(
    "operation", ["set_list", "set_list_in_datablocks", "set_list_in_general_blocks"]
)
def test_a_set_with_a_list(report: Report, operation: str) -> None:
    """The clock is set, the device's name is not: read-write-denied."""
    assert _of(report, operation).value == [0, DENIED]


def test_an_action_with_a_list(report: Report) -> None:
    """Off, a method that is not there, and on again."""
    assert _of(report, "action_list").value == {"results": [0, UNDEFINED, 0], "relay": True}


def test_an_action_with_a_list_in_pblocks(report: Report) -> None:
    """Off, 2,500 octets that are no token, and on again."""
    found = _of(report, "action_list_in_pblocks").value
    assert found == {"results": [0, OTHER_REASON, 0], "relay": True}


def test_access(report: Report) -> None:
    """A GET, a SET and an ACTION of each kind of end."""
    results = [result for result, _ in _of(report, "access").value]
    assert results == [0, UNDEFINED, 0, DENIED, 0, UNDEFINED, 0]


def test_access_of_attributes(report: Report) -> None:
    """What is not there has null-data for a value."""
    first, second, third = _of(report, "access_known").value
    assert second == [UNDEFINED, None]
    assert first == third
    assert first[0] == 0


def test_access_that_ends_at_the_first_failure(report: Report) -> None:
    """What follows is not executed, and says other-reason."""
    results = [result for result, _ in _of(report, "access_break").value]
    assert results == [0, UNDEFINED, OTHER_REASON, OTHER_REASON]


@pytest.mark.parametrize("operation", ["access_long", "access_long_request"])
def test_general_block_transfer(report: Report, operation: str) -> None:
    """An answer of many blocks in windows of five, to a request in one APDU or in blocks itself."""
    outcome = _of(report, operation)
    values = [value for result, value in outcome.value["together"] if result == 0]
    assert outcome.value["alone"] in values
    # Several blocks of a window may come in one piece; each window is acknowledged, one a piece.
    head = 22 if report.document["arguments"]["transport"] == "hdlc+tcp" else 16
    sent = [octets[head : head + 2] for way, octets in outcome.octets if way == "sent"]
    assert GENERAL_BLOCK in sent


def test_all_of_them_part_in_peace(report: Report) -> None:
    """After all that the association still stands."""
    assert _of(report, "release").ok


# --- our client against the simulator of pydlms-client -------------------------------------------

CLOCK = AttributeRef(8, ObisCode(0, 0, 1, 0, 0, 255), 2)
ZONE = replace(CLOCK, index=3)
MISSING = AttributeRef(1, ObisCode(0, 0, 99, 99, 99, 255), 2)
GENERAL_BLOCKS = HERE / "peers" / "pydlms_general_blocks.py"
ROWS = 96
PROFILE = AttributeRef(7, ObisCode(1, 0, 99, 1, 0, 255), 2)


def _reader(simulators: Simulators, **changes: Any) -> AbstractContextManager[Session]:
    return _session(simulators["tcp", False].address, **changes)


@contextmanager
def _session(address: str, **changes: Any) -> Iterator[Session]:
    """Open a session as the reader, with association settings of our own."""
    settings = ClientSettings(
        mechanism=Mechanism.LLS, secret=LLS_PASSWORD.encode("ascii"), **changes
    )
    context = Context(Settings(port=f"tcp:{address}"))
    session = open_session(context, READER.client, settings, CounterLease(0, 0))
    try:
        yield session
    finally:
        session.close()


def test_our_client_reads_many_at_once(simulators: Simulators) -> None:
    """In one GET with a list, whose results come in datablocks where they are long."""
    with _reader(simulators, max_pdu_receive=256) as session:
        assert session.opened is not None
        assert Conformance.MULTIPLE_REFERENCES in session.opened.conformance
        zone, missing, profile = session.get_many([ZONE, MISSING, PROFILE])
        assert missing is DataAccessResult.OBJECT_UNDEFINED
        assert zone == session.get(ZONE)
        assert profile == session.get(PROFILE)


def test_our_client_reads_writes_and_acts_by_access(simulators: Simulators) -> None:
    """In one request; break-on-error leaves out the rest."""
    with _reader(simulators) as session:
        zone = session.get(ZONE)
        asked = (GetRequest(ZONE), SetRequest(ZONE, zone), GetRequest(MISSING), GetRequest(ZONE))
        undefined, other = DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OTHER_REASON
        success = DataAccessResult.SUCCESS
        assert [one.result for one in session.access(asked)] == [zone, success, undefined, zone]
        broken = session.access(asked, break_on_error=True)
        assert [one.result for one in broken] == [zone, success, undefined, other]


OWN = (
    Conformance.BLOCK_TRANSFER_GET
    | Conformance.BLOCK_TRANSFER_SET
    | Conformance.BLOCK_TRANSFER_ACTION
)


@pytest.mark.parametrize("lost", [(), (2, 5)], ids=["nothing lost", "two blocks lost each way"])
@pytest.mark.parametrize("window", [1, 4])
def test_our_client_sends_and_takes_general_blocks(
    interpreters: dict[str, Path], tmp_path: Path, window: int, lost: tuple[int, ...]
) -> None:
    """What has no datablocks to go in: a profile, and an ACCESS that writes 2,000 octets.

    What is lost comes again: the simulator loses blocks 2 and 5 of each way once.
    """
    port = free_port()
    command = [str(interpreters[PYDLMS.name]), "-B", str(GENERAL_BLOCKS)]
    command += ["--port", str(port), "--client", f"2:1:{LLS_PASSWORD}", "--window", str(window)]
    command += ["--lose", *map(str, lost)]
    changes = {"max_pdu_receive": 256, "block_window": window, "block_silence": 300}
    with running(command, tmp_path, "general-blocks") as process:
        process.listens(port)
        address = f"127.0.0.1:{port}"
        with _session(address, conformance=SUPPORTED & ~OWN, **changes) as session:
            assert session.opened is not None
            assert Conformance.GENERAL_BLOCK_TRANSFER in session.opened.conformance
            rows = session.get(PROFILE)
            assert len(rows.value) == ROWS
            long = octet_string(bytes(2000))
            asked = (SetRequest(MISSING, long), GetRequest(ZONE), SetRequest(MISSING, long))
            results = [one.result for one in session.access(asked)]
            assert results[1] == session.get(ZONE)
            assert results[0] is results[2] is DataAccessResult.OBJECT_UNDEFINED
