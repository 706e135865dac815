"""Requests of several members: order, failures, what is left out, and how much a reply holds."""

import pytest

from meter_fw.lists import MAX_VALUES, execute
from obis import catalogue
from protocol.axdr import Data, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.events import (
    AccessRequest,
    AccessResponse,
    ActionListRequest,
    ActionListResponse,
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    LongInvokeId,
    MethodRef,
    Request,
    Response,
    SetRequest,
    SetResponse,
)

CLOCK = AttributeRef(8, catalogue.CLOCK, 2)
RELAY = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
DENIED = DataAccessResult.READ_WRITE_DENIED


class Meter:
    """Answers GETs with a value, refuses SETs, and remembers what it was asked."""

    def __init__(self, value: Data) -> None:
        self.value = value
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        match request:
            case GetRequest():
                return GetResponse(self.value)
            case SetRequest():
                return SetResponse(DENIED)
            case ActionRequest():
                return ActionResponse(ActionResult.SUCCESS, self.value)


MIXED = (GetRequest(CLOCK), SetRequest(CLOCK, octet_string(b"")), ActionRequest(RELAY))


@pytest.mark.parametrize("break_on_error", [False, True])
def test_members_are_executed_in_order_until_one_fails_if_so_asked(break_on_error: bool) -> None:
    """Only ACCESS can ask for it; what is left out says other-reason."""
    meter = Meter(octet_string(b"value"))
    invoke = LongInvokeId(break_on_error=break_on_error)
    reply = execute(AccessRequest(MIXED, invoke), meter)
    assert isinstance(reply, AccessResponse)
    assert tuple(meter.asked) == MIXED[: 2 if break_on_error else 3]
    last = ActionResult.OTHER_REASON if break_on_error else ActionResult.SUCCESS
    assert [one.result for one in reply.responses] == [meter.value, DENIED, last]


def test_a_reply_holds_no_more_than_its_bound() -> None:
    """A GET beyond it is aborted, a method is executed all the same; a short value still fits."""
    meter = Meter(octet_string(bytes(MAX_VALUES // 2)))
    reply = execute(GetListRequest((GetRequest(CLOCK),) * 3), meter)
    assert isinstance(reply, GetListResponse)
    aborted = DataAccessResult.LONG_GET_ABORTED
    assert reply.results == (meter.value, aborted, aborted)
    done = execute(ActionListRequest((ActionRequest(RELAY),) * 2), meter)
    assert isinstance(done, ActionListResponse)
    assert [one.result for one in done.responses] == [ActionResult.SUCCESS] * 2
    assert [one.value for one in done.responses] == [meter.value, DataAccessResult.OTHER_REASON]
    assert len(meter.asked) == 5
