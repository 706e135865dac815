"""Other people's clients that take little at once: datablocks, segments and selective access.

Left to themselves the peers propose APDUs of 65535 octets and information fields of 128, so these
cells have limits of their own. That the limits were kept, and used to the last octet, is read off
the octets on the line.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER, Access, Outcome, Report
from tests.interop.environments import DLMS_COSEM, GURUX, PYDLMS, Peer
from tests.interop.reports import Reports
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

GREATEST_PDU = 65535
WRAPPER_HEADER = 8
#: Flags, format, addresses of an octet each, control, HCS and FCS.
HDLC_FRAME = 2 + 2 + 2 + 1 + 2 + 2
METER_PDU = 1024
#: How much longer than agreed gurux-dlms makes a block: fault 19.
SYSTEM_TITLE = 8
OPERATIONS = ("object_list", "by_entry", "by_range", "action_long", "set_long", "clock", "release")
#: Those of dlms-cosem, which has no entry descriptor and nothing long to send: faults 21, 22.
READING = ("object_list", "by_range", "clock", "release")
#: After its blocks have come together, what becomes of a long token and of a long transaction.
REFUSALS = {
    READER.name: {"action_long": "read-write-denied", "set_long": "read-write-denied"},
    MANAGEMENT.name: {"action_long": "other-reason", "set_long": "type-unmatched"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """A client with limits.

    Args:
        pdu: the largest APDU that it takes, its envelope included.
        information: the length of the information field that it proposes; None without HDLC.
    """

    peer: Peer
    transport: str
    access: Access
    pdu: int
    information: int | None = None

    def __str__(self) -> str:
        field = "" if self.information is None else f", fields of {self.information}"
        return f"{self.transport}, {self.access.name}, APDUs of {self.pdu}{field}"

    @property
    def operations(self) -> tuple[str, ...]:
        """What this peer can be asked."""
        return READING if self.peer is DLMS_COSEM else OPERATIONS

    def report(self, reports: Reports) -> Report:
        """What came of it; run once."""
        extra = ["--max-pdu", str(self.pdu)]
        if self.information is not None:
            extra += ["--hdlc-information", str(self.information)]
        return reports.of(self.peer, self.transport, self.access, self.operations, tuple(extra))


def cases() -> Iterator[Case]:
    """Small and ciphered or not everywhere; long segments where APDUs may be long."""
    for peer in (GURUX, PYDLMS, DLMS_COSEM):
        yield Case(peer, "tcp", READER, 128)
        yield Case(peer, "tcp", MANAGEMENT, 256)
    for peer, long in ((GURUX, 480), (PYDLMS, 512)):  # 480: fault 18
        yield Case(peer, "hdlc+tcp", READER, GREATEST_PDU, long)
        yield Case(peer, "hdlc+tcp", MANAGEMENT, 256, 64)
        yield Case(peer, "serial", READER, 128, 64)
        yield Case(peer, "serial", MANAGEMENT, GREATEST_PDU, long)


CASES = list(cases())
SENDERS = [case for case in CASES if case.peer is not DLMS_COSEM]


def name(value: object) -> str | None:
    """A case's name among the parameters."""
    return f"{value.peer.name}, {value}" if isinstance(value, Case) else None


def longest(outcome: Outcome, way: str) -> int:
    """The longest message or frame that went one way; peers take turns, so one is a piece."""
    return max(len(octets) // 2 for direction, octets in outcome.octets if direction == way)


def succeeded(outcome: Outcome) -> Any:
    """The value of an operation that must have gone well."""
    assert outcome.ok, outcome
    return outcome.value


@pytest.mark.parametrize(
    ("case", "operation"),
    [(case, operation) for case in CASES for operation in case.operations],
    ids=name,
)
def test_a_client_that_takes_little_can_do_all_the_same(
    reports: Reports, record_property: Callable[[str, Any], None], case: Case, operation: str
) -> None:
    """Every operation ends as it does without limits."""
    report = case.report(reports)
    outcome = report.operation(operation)
    cell = {"row": f"{report.peer}, {case}", "column": operation, "found": outcome.verdict}
    record_property(CELL, cell)
    assert outcome.ok, outcome


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_object_list_comes_in_pieces_that_are_full(reports: Reports, case: Case) -> None:
    """It is the list that comes without limits, and no piece is longer than the client takes."""
    outcome = case.report(reports).operation("object_list")
    whole = reports.of(case.peer, case.transport, case.access).operation("object_list")
    assert succeeded(outcome) == succeeded(whole)
    if case.information is None:
        assert longest(outcome, "received") == WRAPPER_HEADER + case.pdu
    else:
        assert longest(outcome, "received") == HDLC_FRAME + case.information


@pytest.mark.parametrize("operation", ["action_long", "set_long"])
@pytest.mark.parametrize("case", SENDERS, ids=name)
def test_long_parameters_come_together_and_are_judged_whole(
    reports: Reports, case: Case, operation: str
) -> None:
    """2500 octets for a meter that takes 1024 are refused for what they say, in the end."""
    outcome = case.report(reports).operation(operation)
    assert succeeded(outcome) == {"refused": REFUSALS[case.access.name][operation]}
    requests = sum(way == "sent" for way, _ in outcome.octets)
    assert requests > 2
    if case.information is None:
        agreed = WRAPPER_HEADER + METER_PDU
        slack = SYSTEM_TITLE if case.peer is GURUX and case.access is MANAGEMENT else 0
        assert agreed - SYSTEM_TITLE <= longest(outcome, "sent") <= agreed + slack
    else:
        assert longest(outcome, "sent") == HDLC_FRAME + case.information


@pytest.mark.parametrize("case", SENDERS, ids=name)
def test_an_entry_is_read_by_its_number(reports: Reports, case: Case) -> None:
    """The first is the buffer's first, and there are none behind the last."""
    found = succeeded(case.report(reports).operation("by_entry"))
    assert len(found["buffer"]) > 1
    assert found["first"] == found["buffer"][:1]
    assert found["beyond"] == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_entries_are_read_by_their_time(reports: Reports, case: Case) -> None:
    """A range has what the peer's own comparison of the whole buffer has, and nothing else."""
    found = succeeded(case.report(reports).operation("by_range"))
    assert 0 < len(found["within"]) < len(found["buffer"])
    assert found["found"] == found["within"]
    assert found["before"] == []
