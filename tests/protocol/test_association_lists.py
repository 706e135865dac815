"""Lists, ACCESS and general blocks between a client and a server that hear each other's APDUs."""

from typing import Any

import pytest

from obis.code import ObisCode
from obis.values import replace
from protocol.apdu import (
    AccessRequestApdu,
    AccessResponseApdu,
    AccessSpecification,
    GeneralBlock,
    GetRequestWithList,
    decode,
)
from protocol.apdu.access import AccessKind
from protocol.association import SUPPORTED, Association
from protocol.association.lists import MAX_MEMBERS
from protocol.axdr import null, octet_string
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    Conformance,
    DataAccessResult,
    ServiceError,
    StateError,
)
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.events import (
    AccessRequest,
    AccessResponse,
    ActionListRequest,
    ActionListResponse,
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    ExceptionRaised,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    ListRequest,
    ListResponse,
    LongInvokeId,
    OpenRequest,
    Request,
    Response,
    SelectiveAccess,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
)
from protocol.timing import Instant, later
from tests.protocol.association_tools import CLOCK, RELAY, T0, answer, make_client, make_server
from tests.protocol.association_tools import open_plain as open_server

GENERAL = Conformance.GENERAL_BLOCK_TRANSFER
BLOCKS = (
    Conformance.BLOCK_TRANSFER_GET
    | Conformance.BLOCK_TRANSFER_SET
    | Conformance.BLOCK_TRANSFER_ACTION
)
CIPHERED = {"context": ApplicationContext.LN_CIPHERED}
NOWHERE = replace(CLOCK, logical_name=ObisCode(9, 9, 9, 9, 9, 255))
LONG = octet_string(bytes(range(250)) * 2)
SHORT = octet_string(b"value")


def one(request: Request, value: Any = SHORT) -> Response:
    """Be a meter that knows the clock and the relay."""
    match request:
        case GetRequest():
            found = request.attribute == CLOCK
            return GetResponse(value if found else DataAccessResult.OBJECT_UNDEFINED)
        case SetRequest():
            found = request.attribute == CLOCK
            return SetResponse(
                DataAccessResult.SUCCESS if found else DataAccessResult.OBJECT_UNDEFINED
            )
        case ActionRequest():
            return ActionResponse(ActionResult.SUCCESS, request.parameter)


def all_of(request: ListRequest | Request, value: Any = SHORT) -> ListResponse | Response:
    """Execute the members one by one."""
    if isinstance(request, Request):
        return one(request, value)
    done: list[Any] = [one(member, value) for member in request.requests]
    match request:
        case GetListRequest():
            return GetListResponse(tuple(found.result for found in done))
        case SetListRequest():
            return SetListResponse(tuple(found.result for found in done))
        case ActionListRequest():
            return ActionListResponse(tuple(done))
        case AccessRequest():
            return AccessResponse(tuple(done))


class Line:
    """Both ends and the line between them, which loses the general blocks it is told to."""

    def __init__(self, value: Any = SHORT, lost: tuple[int, ...] = (), **changes: Any) -> None:
        sizes = {"max_pdu_receive": 128, "block_window": 4} | changes
        general = {"general_blocks": sizes.pop("general_blocks", False)}
        self.client = make_client(**sizes, **general)
        self.server = make_server(**sizes)
        self.value = value
        self.requests: list[AssociationEvent] = []
        self.tags: list[int] = []
        self._lost = list(lost)
        self._blocks = 0
        self._now = T0
        self.ask(OpenRequest())

    def ask(self, event: AssociationEvent) -> list[AssociationEvent]:
        """Send an event and return what comes of it, however long it takes."""
        self.client.send(event, self._now)
        events = self._run()
        while not events and (wake := self.client.wake_at()) is not None:
            self._now = wake
            events += self.client.receive(b"", wake)
            events += self._run()
        return events

    def _run(self) -> list[AssociationEvent]:
        events: list[AssociationEvent] = []
        up, down = self._take(self.client), list[bytes]()
        while up or down:
            for apdu in up:
                for request in self.server.receive(apdu, self._now):
                    self.requests.append(request)
                    if isinstance(request, Request | ListRequest):
                        self.server.send(all_of(request, self.value), self._now)
            down = self._take(self.server)
            for apdu in down:
                events += self.client.receive(apdu, self._now)
            up, down = self._take(self.client), []
        return events

    def _take(self, end: Association) -> list[bytes]:
        """Return what an end sends and the line does not lose."""
        kept = []
        while apdu := end.outgoing():
            self.tags.append(apdu[0])
            assert len(apdu) <= 128 or self.tags[0] == 0x60
            if apdu[0] == 0xE0:
                self._blocks += 1
                if self._blocks in self._lost:
                    continue
            kept.append(apdu)
        return kept


GETS = GetListRequest((GetRequest(CLOCK), GetRequest(NOWHERE), GetRequest(CLOCK)))
SETS = SetListRequest(
    (SetRequest(CLOCK, LONG), SetRequest(NOWHERE, LONG), SetRequest(CLOCK, SHORT))
)
ACTIONS = ActionListRequest((ActionRequest(RELAY), ActionRequest(RELAY, LONG)))
MIXED = AccessRequest(
    (
        GetRequest(CLOCK),
        GetRequest(NOWHERE),
        GetRequest(CLOCK, SelectiveAccess(2, null())),
        SetRequest(CLOCK, SHORT),
        SetRequest(NOWHERE, SHORT, SelectiveAccess(1, null())),
        ActionRequest(RELAY),
        ActionRequest(RELAY, SHORT),
    ),
    LongInvokeId(0xABCDEF),
)


def results(event: AssociationEvent) -> list[Any]:
    """Return what each member came to."""
    if isinstance(event, GetListResponse | SetListResponse):
        return list(event.results)
    assert isinstance(event, ActionListResponse | AccessResponse)
    return [
        (found.result, found.value) if isinstance(found, ActionResponse) else found.result
        for found in event.responses
    ]


UNDEFINED, DONE = DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.SUCCESS
ACTED = ActionResult.SUCCESS
EXPECTED = [
    (GETS, lambda value: [value, UNDEFINED, value]),
    (SETS, lambda value: [DONE, UNDEFINED, DONE]),
    (ACTIONS, lambda value: [(ACTED, None), (ACTED, LONG)]),
    (
        MIXED,
        lambda value: [value, UNDEFINED, value, DONE, UNDEFINED, (ACTED, None), (ACTED, SHORT)],
    ),
]
IDS = ["GET", "SET", "ACTION", "ACCESS"]


@pytest.mark.parametrize("changes", [{}, CIPHERED], ids=["plain", "ciphered"])
@pytest.mark.parametrize("value", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("general", [False, True], ids=["own blocks", "general blocks"])
@pytest.mark.parametrize(("request_", "expected"), EXPECTED, ids=IDS)
def test_a_list_is_one_question_and_one_answer(
    request_: ListRequest, expected: Any, general: bool, value: Any, changes: Any
) -> None:
    """In one APDU or in blocks of either kind, each way; one failure is one failure."""
    line = Line(value, general_blocks=general, **changes)
    (event,) = line.ask(request_)
    assert results(event) == expected(value)
    assert len([found for found in line.requests if isinstance(found, ListRequest)]) == 1
    if general and request_ in (SETS, ACTIONS):
        assert 0xE0 in line.tags


@pytest.mark.parametrize("lost", [(1,), (2, 3), (4,), (5, 6, 7), (2, 9, 11, 12)])
@pytest.mark.parametrize(
    ("request_", "expected"), [EXPECTED[1], EXPECTED[2]], ids=["SET", "ACTION"]
)
def test_lost_general_blocks_come_again(
    request_: ListRequest, expected: Any, lost: tuple[int, ...]
) -> None:
    """The client wakes up by itself; the request is executed once."""
    line = Line(LONG, lost, general_blocks=True)
    (event,) = line.ask(request_)
    assert results(event) == expected(LONG)
    assert len([found for found in line.requests if isinstance(found, ListRequest)]) == 1


def test_without_blocks_of_its_own_a_service_takes_general_ones() -> None:
    """A long GET, SET and ACTION of one object each."""
    line = Line(LONG, conformance=SUPPORTED & ~BLOCKS)
    for request in (GetRequest(CLOCK), SetRequest(CLOCK, LONG), ActionRequest(RELAY, LONG)):
        (event,) = line.ask(request)
        assert isinstance(event, GetResponse | SetResponse | ActionResponse)
    assert 0xE0 in line.tags


def test_a_dead_line_is_given_up() -> None:
    """After a few repetitions without progress the association is over."""
    with pytest.raises(RemoteProtocolError, match="given up"):
        Line(LONG, tuple(range(2, 99)), general_blocks=True).ask(SETS)


def test_nothing_runs_out_without_blocks() -> None:
    """A request in one APDU wakes nobody."""
    client = Line().client
    client.send(GetRequest(CLOCK), T0)
    assert client.wake_at() is None


def test_the_time_to_wake_moves_with_each_block() -> None:
    """And an empty APDU before it is still none."""
    client = Line(general_blocks=True).client
    client.send(SETS, T0)
    wake = client.wake_at()
    assert wake == later(T0, 3000)
    client.receive(GeneralBlock(True, False, 1, 1, 1).encode(), Instant(T0 + 5))
    assert client.wake_at() == later(T0, 3005)
    with pytest.raises(RemoteProtocolError):
        client.receive(b"", Instant(T0 + 6))


def opened(**changes: Any) -> Association:
    """Return a server with a plain association."""
    server = make_server(**changes)
    open_server(server)
    return server


def refusal(server: Association, apdu: bytes) -> tuple[int, int]:
    """Return the exception that answers an APDU."""
    octets = answer(server, apdu)
    assert octets[0] == 0xD8
    return octets[1], octets[2]


def test_too_many_members_are_refused() -> None:
    """One more than is executed: exception (1, 4), and nothing is executed."""
    server = opened(max_pdu_receive=0xFFFF)
    many = GetRequestWithList(InvokeId(), ((CLOCK, None),) * (MAX_MEMBERS + 1))
    assert refusal(server, many.encode()) == (1, 4)
    assert server.receive(replace(many, attributes=many.attributes[1:]).encode(), T0)


@pytest.mark.parametrize(
    ("missing", "apdu"),
    [
        (Conformance.MULTIPLE_REFERENCES, "C003C1 01 00080000010000FF0200"),
        (Conformance.SELECTIVE_ACCESS, "C003C1 01 00080000010000FF0201 02 00"),
        (Conformance.MULTIPLE_REFERENCES, "C105C1 01 00080000010000FF0200 01 00000001 02 0100"),
        (Conformance.BLOCK_TRANSFER_SET, "C105C1 01 00080000010000FF0200 01 00000001 02 0100"),
        (Conformance.MULTIPLE_REFERENCES, "C303C1 01 00460000 60030AFF 01 01 00"),
        (Conformance.BLOCK_TRANSFER_ACTION, "C305C1 01 00460000 60030AFF 01 01 00000001 02 0100"),
        (Conformance.ACCESS, "D9 40000001 00 00 00"),
        (GENERAL, "E0 81 0001 0000 01 C0"),
    ],
)
def test_what_was_not_negotiated(missing: Conformance, apdu: str) -> None:
    """Exception (2, 2); with it the same octets are served."""
    octets = bytes.fromhex(apdu)
    assert refusal(opened(conformance=SUPPORTED & ~missing), octets) == (2, 2)
    server = opened()
    server.receive(octets, T0)
    assert server.outgoing()[:2] != b"\xd8\x02" or missing == GENERAL


def test_a_block_of_a_list_that_is_none() -> None:
    """One value for two attributes, in blocks: other-reason, and no such event."""
    server = opened()
    apdu = "C105C1 02 00080000010000FF0200 00080000010000FF0300 01 00000001 02 0100"
    assert answer(server, bytes.fromhex(apdu)).hex() == "c503c1fa00000001"


@pytest.mark.parametrize("inner", ["60 00", "62 00", "E0 81 0001 0000 01 C0"])
def test_what_does_not_come_in_general_blocks(inner: str) -> None:
    """Opening and release are never long, and blocks in blocks are a way to exhaust somebody."""
    server = opened()
    block = GeneralBlock(True, False, 1, 1, 0, bytes.fromhex(inner))
    assert refusal(server, block.encode()) == (2, 3)
    assert server.is_open


def test_an_unconfirmed_access_is_not_answered() -> None:
    """It is executed; one that is malformed is not answered either."""
    server = opened()
    request = AccessRequestApdu(
        LongInvokeId(1, confirmed=False),
        b"",
        (AccessSpecification(AccessKind.GET, CLOCK),),
        (null(),),
    ).encode()
    (event,) = server.receive(request, T0)
    server.send(all_of(event), T0)  # type: ignore[arg-type]  # it is an AccessRequest
    assert server.outgoing() == b""
    assert server.receive(request[:-1], T0) == []
    assert server.outgoing() == b""


def test_a_self_descriptive_access_repeats_what_was_asked() -> None:
    """With the specifications the answer explains itself."""
    server = opened()
    invoke = LongInvokeId(1, self_descriptive=True)
    asked = (AccessSpecification(AccessKind.GET, CLOCK),)
    request = AccessRequestApdu(invoke, b"", asked, (null(),)).encode()
    (event,) = server.receive(request, T0)
    server.send(all_of(event), T0)  # type: ignore[arg-type]  # it is an AccessRequest
    apdu = decode(server.outgoing())
    assert isinstance(apdu, AccessResponseApdu)
    assert (apdu.invoke, apdu.specifications) == (invoke, asked)


def test_an_answer_of_another_length_is_not_sent() -> None:
    """Whoever executes a list answers all of it; the answer is still owed."""
    server = opened()
    server.receive(GetRequestWithList(InvokeId(), ((CLOCK, None),)).encode(), T0)
    with pytest.raises(LocalProtocolError):
        server.send(GetListResponse((SHORT, SHORT)), T0)
    server.send(GetListResponse((SHORT,)), T0)


def test_a_long_answer_without_any_blocks() -> None:
    """Values make way for reasons: what was executed is still told."""
    line = Line(LONG, conformance=SUPPORTED & ~BLOCKS & ~GENERAL)
    (event,) = line.ask(GETS)
    aborted = DataAccessResult.LONG_GET_ABORTED
    assert results(event) == [aborted, UNDEFINED, aborted]
    (event,) = line.ask(MIXED)
    too_long = ExceptionRaised(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)
    assert event == too_long


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param("C403C1 02 0100 0100", id="one result too few"),
        pytest.param("C503C1 00 00000001", id="success of a block that is none of a list"),
        pytest.param("E0 81 0001 0009 00", id="an acknowledgement of nothing"),
    ],
)
def test_a_server_that_answers_something_else(octets: str) -> None:
    """The association is over."""
    client = Line().client
    client.send(GETS, T0)
    client.outgoing()
    with pytest.raises(RemoteProtocolError):
        client.receive(bytes.fromhex(octets), T0)
