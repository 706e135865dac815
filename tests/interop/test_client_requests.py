"""What our client can ask at once or in parts, understood by the simulator of pydlms-client.

Lists and long values by SET and ACTION, selections of columns, ACCESS with selections and without
an answer. What the simulator was asked is told by itself, so that a long value did go in blocks.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from headend.context import Context, Settings
from headend.reach import open_session
from headend.session import Session
from obis.code import ObisCode
from obis.values import replace
from protocol import axdr
from protocol.association import ClientSettings
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult, Mechanism
from protocol.cosem.profile_generic import ENTRY_DESCRIPTOR, RANGE_DESCRIPTOR
from protocol.events import (
    AccessRequest,
    ActionListRequest,
    ActionListResponse,
    ActionRequest,
    AttributeRef,
    GetRequest,
    LongInvokeId,
    MethodRef,
    SelectiveAccess,
    SetListRequest,
    SetListResponse,
    SetRequest,
)
from protocol.security import CounterLease
from tests.interop.driving import LLS_PASSWORD, READER
from tests.interop.environments import PYDLMS
from tests.interop.secured import PeerProcess

pytestmark = pytest.mark.interop

FIRST = AttributeRef(1, ObisCode(0, 0, 96, 1, 1, 255), 2)
SECOND = replace(FIRST, logical_name=ObisCode(0, 0, 96, 1, 2, 255))
MISSING = replace(FIRST, logical_name=ObisCode(0, 0, 99, 99, 99, 255))
NAME = replace(FIRST, index=1)
ECHO = MethodRef(1, ObisCode(0, 0, 96, 1, 3, 255), 1)
REFUSE, NO_METHOD = replace(ECHO, index=2), replace(ECHO, index=9)
SHORT = axdr.octet_string(b"short")
#: As many octets as go into no APDU of 256.
LONG = axdr.octet_string(bytes(range(250)) * 10)
SET, SET_FIRST, SET_BLOCK, SET_LIST, SET_LIST_FIRST = "c101", "c102", "c103", "c104", "c105"
ACTION, ACTION_NEXT, ACTION_LIST = "c301", "c302", "c303"
ACTION_FIRST, ACTION_LIST_FIRST, ACTION_BLOCK = "c304", "c305", "c306"

_E = TypeVar("_E")
Asked = Callable[[], list[str]]


@pytest.fixture(scope="module")
def peer(interpreters: dict[str, Path]) -> Iterator[PeerProcess]:
    """The process in which the meter is."""
    with PeerProcess(interpreters[PYDLMS.name], "pydlms_requests_meter.py") as found:
        yield found


@pytest.fixture(scope="module")
def port(peer: PeerProcess) -> int:
    """The meter's."""
    found: int = peer.ask("start", {"password": LLS_PASSWORD})["returned"]
    return found


@pytest.fixture
def session(port: int) -> Iterator[Session]:
    """Our client as the reader."""
    settings = ClientSettings(
        mechanism=Mechanism.LLS, secret=LLS_PASSWORD.encode("ascii"), max_pdu_receive=256
    )
    context = Context(Settings(port=f"tcp:127.0.0.1:{port}"))
    opened = open_session(context, READER.client, settings, CounterLease(0, 0))
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def asked(peer: PeerProcess, session: Session) -> Asked:
    """What kinds of services the meter was asked since, by tag and choice."""

    def kinds() -> list[str]:
        found: list[str] = peer.ask("asked", {})["returned"]
        return found

    kinds()  # the association
    return kinds


def ask(session: Session, request: Any, wanted: type[_E]) -> _E:
    """Send a request for which a session has no name; its answer."""
    answer: _E = session._exchange(request, wanted)
    return answer


@pytest.mark.parametrize(("value", "kinds"), [(SHORT, [SET]), (LONG, [SET_FIRST, SET_BLOCK])])
def test_our_client_writes_a_value_of_any_length(
    session: Session, asked: Asked, value: Data, kinds: list[str]
) -> None:
    """A long one in datablocks."""
    session.set(FIRST, value)
    assert asked() == kinds
    assert session.get(FIRST) == value


@pytest.mark.parametrize(
    ("value", "kinds"), [(SHORT, [SET_LIST]), (LONG, [SET_LIST_FIRST, SET_BLOCK])]
)
def test_our_client_writes_a_list(
    session: Session, asked: Asked, value: Data, kinds: list[str]
) -> None:
    """Two are written; one that is not there and a name that may not be written are refused."""
    other = axdr.octet_string(bytes(reversed(value.value)))
    requests = zip((FIRST, MISSING, SECOND, NAME), (value, value, other, value), strict=True)
    listed = SetListRequest(tuple(SetRequest(*each) for each in requests))
    results = ask(session, listed, SetListResponse).results
    assert asked() == kinds
    assert results == (
        DataAccessResult.SUCCESS,
        DataAccessResult.OBJECT_UNDEFINED,
        DataAccessResult.SUCCESS,
        DataAccessResult.READ_WRITE_DENIED,
    )
    assert [session.get(FIRST), session.get(SECOND)] == [value, other]


@pytest.mark.parametrize(
    ("value", "kinds"),
    [(SHORT, [ACTION]), (LONG, [ACTION_FIRST, ACTION_BLOCK, ACTION_NEXT])],
)
def test_our_client_executes_a_method_with_a_value_of_any_length(
    session: Session, asked: Asked, value: Data, kinds: list[str]
) -> None:
    """What is given back is long as well, and comes in blocks that are asked for."""
    assert session.action(ECHO, value) == value
    assert asked() == kinds


@pytest.mark.parametrize(
    ("value", "kinds"), [(SHORT, [ACTION_LIST]), (LONG, [ACTION_LIST_FIRST, ACTION_BLOCK])]
)
def test_our_client_executes_a_list(
    session: Session, asked: Asked, value: Data, kinds: list[str]
) -> None:
    """One gives back what it was given, one refuses, one is not there."""
    methods = ((ECHO, SHORT), (REFUSE, value), (NO_METHOD, SHORT))
    listed = ActionListRequest(tuple(ActionRequest(*each) for each in methods))
    responses = ask(session, listed, ActionListResponse).responses
    assert asked() == kinds
    assert [(each.result, each.value) for each in responses] == [
        (ActionResult.SUCCESS, SHORT),
        (ActionResult.TEMPORARY_FAILURE, None),
        (ActionResult.OBJECT_UNAVAILABLE, None),
    ]


# --- selections ----------------------------------------------------------------------------------

PROFILE = AttributeRef(7, ObisCode(1, 0, 99, 1, 0, 255), 2)
#: The columns of the simulator's profile: its clock, and a register in Wh.
CLOCK_COLUMN = (8, ObisCode(0, 0, 1, 0, 0, 255).to_bytes(), 2, 0)
REGISTER_COLUMN = (3, ObisCode(1, 0, 1, 8, 0, 255).to_bytes(), 2, 0)
#: Rows 5 to 7 of one each quarter of an hour of 2024-05-01.
TIMES = ("07E8050103010000000000FF", "07E8050103010F00000000FF", "07E8050103011E00000000FF")
VALUES = (1028, 1035, 1042)


def by_range(*columns: tuple[int, bytes, int, int]) -> SelectiveAccess:
    """These rows by their time, and of them these columns; none are all."""
    since, until = (axdr.octet_string(bytes.fromhex(TIMES[index])) for index in (0, -1))
    return SelectiveAccess(1, RANGE_DESCRIPTOR.to_data((CLOCK_COLUMN, since, until, list(columns))))


def by_entry(first: int, last: int) -> SelectiveAccess:
    """These rows by their number, and of them these columns; 0 is the last."""
    return SelectiveAccess(2, ENTRY_DESCRIPTOR.to_data((5, 7, first, last)))


BOTH = [[time, value] for time, value in zip(TIMES, VALUES, strict=True)]
SELECTIONS = {
    "by range": (by_range(), BOTH),
    "by range, one column": (by_range(REGISTER_COLUMN), [[value] for value in VALUES]),
    "by range, turned": (
        by_range(REGISTER_COLUMN, CLOCK_COLUMN),
        [[value, time] for time, value in BOTH],
    ),
    "by entry": (by_entry(1, 0), BOTH),
    "by entry, first column": (by_entry(1, 1), [[time] for time in TIMES]),
    "by entry, second column": (by_entry(2, 2), [[value] for value in VALUES]),
}


def shown(buffer: object) -> list[list[Any]]:
    """Return the rows of a buffer, octets in hexadecimal."""
    assert isinstance(buffer, Data), buffer
    cells = [[cell.value for cell in row.value] for row in buffer.value]
    return [
        [cell.hex().upper() if isinstance(cell, bytes) else cell for cell in row] for row in cells
    ]


@pytest.mark.parametrize("name", SELECTIONS)
def test_our_client_selects_rows_and_columns(session: Session, name: str) -> None:
    """By GET, and by ACCESS in one request with another selection."""
    selection, rows = SELECTIONS[name]
    assert shown(session.get(PROFILE, selection)) == rows
    listed = (GetRequest(PROFILE, selection), GetRequest(PROFILE, by_entry(2, 2)))
    answers = [each.result for each in session.access(listed)]
    assert shown(answers[0]) == rows
    assert shown(answers[1]) == [[value] for value in VALUES]


def test_our_client_asks_without_wanting_an_answer(session: Session, asked: Asked) -> None:
    """An unconfirmed ACCESS writes; the next answer is that of the GET behind it."""
    value = axdr.octet_string(b"unconfirmed")
    writes = (SetRequest(FIRST, value), SetRequest(MISSING, value), SetRequest(SECOND, value))
    session._send(AccessRequest(writes, LongInvokeId(number=9, confirmed=False)))
    assert [session.get(FIRST), session.get(SECOND)] == [value, value]
    assert [kind[:2] for kind in asked()] == ["d9", "c0"]
