"""What passes between the layers: values, the same for client and server.

A link (HDLC or the TCP wrapper) speaks in ``Link*`` events, an association in COSEM service
primitives. On the client a request is sent and its response received; on the server the other
way round. The names are the Green Book's services; the APDUs that carry them, with their block
transfers, stay inside the association.
"""

from protocol.events.links import (
    DisconnectReason,
    LinkBusy,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    LinkEvent,
    LinkWanted,
    Peer,
)
from protocol.events.lists import (
    AccessRequest,
    AccessResponse,
    ActionListRequest,
    ActionListResponse,
    GetListRequest,
    GetListResponse,
    SetListRequest,
    SetListResponse,
)
from protocol.events.notifications import (
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
)
from protocol.events.references import (
    AttributeRef,
    InvokeId,
    LongInvokeId,
    MethodRef,
    SelectiveAccess,
)
from protocol.events.services import (
    ActionRequest,
    ActionResponse,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    Opened,
    OpenRefused,
    OpenRequest,
    Released,
    ReleaseRequest,
    SetRequest,
    SetResponse,
)
from protocol.events.short_names import (
    InformationReport,
    ReadRequest,
    ReadResponse,
    ShortName,
    WriteRequest,
    WriteResponse,
)

Request = GetRequest | SetRequest | ActionRequest
Response = GetResponse | SetResponse | ActionResponse
ListRequest = GetListRequest | SetListRequest | ActionListRequest | AccessRequest
ListResponse = GetListResponse | SetListResponse | ActionListResponse | AccessResponse
ShortNameRequest = ReadRequest | WriteRequest
ShortNameResponse = ReadResponse | WriteResponse
Notification = EventNotification | DataNotification | InformationReport
AssociationEvent = (
    OpenRequest
    | Opened
    | OpenRefused
    | ReleaseRequest
    | Released
    | GetRequest
    | GetResponse
    | SetRequest
    | SetResponse
    | ActionRequest
    | ActionResponse
    | ListRequest
    | ListResponse
    | ShortNameRequest
    | ShortNameResponse
    | Notification
    | DataNotificationConfirm
    | ExceptionRaised
)

__all__ = [
    "AccessRequest",
    "AccessResponse",
    "ActionListRequest",
    "ActionListResponse",
    "ActionRequest",
    "ActionResponse",
    "AssociationEvent",
    "AttributeRef",
    "DataNotification",
    "DataNotificationConfirm",
    "DisconnectReason",
    "EventNotification",
    "ExceptionRaised",
    "GetListRequest",
    "GetListResponse",
    "GetRequest",
    "GetResponse",
    "InformationReport",
    "InvokeId",
    "LinkBusy",
    "LinkConnect",
    "LinkConnected",
    "LinkData",
    "LinkDisconnect",
    "LinkDisconnected",
    "LinkEvent",
    "LinkWanted",
    "ListRequest",
    "ListResponse",
    "LongInvokeId",
    "MethodRef",
    "Notification",
    "OpenRefused",
    "OpenRequest",
    "Opened",
    "Peer",
    "ReadRequest",
    "ReadResponse",
    "ReleaseRequest",
    "Released",
    "Request",
    "Response",
    "SelectiveAccess",
    "SetListRequest",
    "SetListResponse",
    "SetRequest",
    "SetResponse",
    "ShortName",
    "ShortNameRequest",
    "ShortNameResponse",
    "WriteRequest",
    "WriteResponse",
]
