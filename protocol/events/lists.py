"""Services that refer to several attributes or methods at once."""

from msgspec import Struct, field

from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.events.references import InvokeId, LongInvokeId
from protocol.events.services import (
    ActionRequest,
    ActionResponse,
    GetRequest,
    GetResponse,
    SetRequest,
    SetResponse,
)


class GetListRequest(Struct, frozen=True):
    """GET with-list of the attributes in ``requests``, whose own invoke ids do not count."""

    requests: tuple[GetRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class GetListResponse(Struct, frozen=True):
    """The answer to a GET with-list, one result an attribute, in their order."""

    results: tuple[Data | DataAccessResult, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class SetListRequest(Struct, frozen=True):
    """SET with-list; each attribute is written by itself, and one that fails stops no other."""

    requests: tuple[SetRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class SetListResponse(Struct, frozen=True):
    """The answer to a SET with-list, one result an attribute, in their order."""

    results: tuple[DataAccessResult, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class ActionListRequest(Struct, frozen=True):
    """ACTION with-list; each method is executed by itself, and one that fails stops no other."""

    requests: tuple[ActionRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class ActionListResponse(Struct, frozen=True):
    """The answer to an ACTION with-list, one result and optional value a method, in their order."""

    responses: tuple[ActionResponse, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


class AccessRequest(Struct, frozen=True):
    """ACCESS: GETs, SETs and ACTIONs in one APDU.

    Args:
        requests: in their order; their own invoke ids do not count.
        invoke: number, whether the list ends at the first failure, and the like.
        date_time: COSEM date-time of 12 octets, empty for none.
    """

    requests: tuple[GetRequest | SetRequest | ActionRequest, ...]
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


class AccessResponse(Struct, frozen=True):
    """The answer to ACCESS: one response a request, of the kind of the request."""

    responses: tuple[GetResponse | SetResponse | ActionResponse, ...]
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""
