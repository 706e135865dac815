"""What passes between the layers: frozen dataclasses, the same for client and server.

A link (HDLC or the TCP wrapper) speaks in ``Link*`` events, an association in COSEM service
primitives. On the client a request is sent and its response received; on the server the other
way round. The names are the Green Book's services; the APDUs that carry them, with their block
transfers, stay inside the association.
"""

from dataclasses import dataclass, field
from enum import Enum

from obis.code import ObisCode
from protocol.axdr import Data
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Conformance,
    DataAccessResult,
    Mechanism,
    ProviderDiagnostic,
    ServiceError,
    StateError,
    UserDiagnostic,
)

# --- links -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer:
    """The two ends of a conversation on a link.

    Args:
        client: client SAP (HDLC client address, wrapper wPort of the client).
        server: logical device (HDLC upper server address, wrapper wPort of the server).
        physical: HDLC lower server address; 0 where there is none (wrapper, 1-octet addresses).
    """

    client: int
    server: int
    physical: int = 0


@dataclass(frozen=True, slots=True)
class LinkConnect:
    """Ask for a connection (client: send SNRM). A wrapper link has none and ignores it."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class LinkConnected:
    """The connection stands. A wrapper link reports it at once."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class LinkData:
    """One whole APDU, to send or received; segmentation and LLC stay in the link.

    Args:
        peer: the two ends; of a broadcast that was received, the logical device that hears it.
        apdu: its octets. A client that sends none, unnumbered, lets the server send its own.
        unnumbered: in UI frames: without a connection or beside it, never acknowledged or
            repeated, and not to be answered. What a server pushes, what a client broadcasts.
    """

    peer: Peer
    apdu: bytes
    unnumbered: bool = False


@dataclass(frozen=True, slots=True)
class LinkBusy:
    """Take no more data of this connection for a while (RNR), or take it again; only HDLC can."""

    peer: Peer
    busy: bool = True


@dataclass(frozen=True, slots=True)
class LinkWanted:
    """More is wanted of the server: an APDU came that is not, or not all of, the answer.

    On HDLC it may speak with its turn only, so the client polls; other links ignore it.
    """

    peer: Peer


@dataclass(frozen=True, slots=True)
class LinkDisconnect:
    """Ask for the end of the connection (client: send DISC)."""

    peer: Peer


class DisconnectReason(Enum):
    """Why a link connection ended."""

    LOCAL = "we asked for it"
    REMOTE = "the other side asked for it"
    REJECTED = "the other side is in disconnected mode or refused (DM)"
    FRAME_REJECTED = "the other side rejected a frame (FRMR)"
    TIMEOUT = "nothing came in time"
    REPLACED = "the other side connected anew"
    CROWDED_OUT = "too many others came after it"
    PORT_CLOSED = "the port was closed"
    STREAM_BROKEN = "the octet stream cannot be followed any more: hang up"


@dataclass(frozen=True, slots=True)
class LinkDisconnected:
    """The connection has ended."""

    peer: Peer
    reason: DisconnectReason


LinkEvent = (
    LinkConnect
    | LinkConnected
    | LinkData
    | LinkBusy
    | LinkWanted
    | LinkDisconnect
    | LinkDisconnected
)

# --- references --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttributeRef:
    """A COSEM attribute descriptor: class id, logical name, attribute index (1-based)."""

    class_id: int
    logical_name: ObisCode
    index: int


@dataclass(frozen=True, slots=True)
class MethodRef:
    """A COSEM method descriptor: class id, logical name, method index (1-based)."""

    class_id: int
    logical_name: ObisCode
    index: int


@dataclass(frozen=True, slots=True)
class SelectiveAccess:
    """An access selector (1 by range, 2 by entry, ...) and its parameters."""

    selector: int
    parameters: Data


@dataclass(frozen=True, slots=True)
class InvokeId:
    """Invoke-id-and-priority: a number 0..15, whether a reply is wanted, whether it is urgent."""

    number: int = 1
    confirmed: bool = True
    high_priority: bool = True


# --- associations ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """COSEM-OPEN.request: the client sends it; its parameters are the association's own."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The association stands, the HLS passes included.

    Args:
        mechanism: how the client was authenticated.
        conformance: what both sides can do.
        max_pdu: the largest APDU in octets that the other side takes; 0 is no limit.
        server_system_title: the responding AP title, empty where none was sent.
        by_short_names: READ and WRITE pass, in place of GET, SET and ACTION.
    """

    mechanism: Mechanism
    conformance: Conformance
    max_pdu: int
    client_system_title: bytes = b""
    server_system_title: bytes = b""
    by_short_names: bool = False


@dataclass(frozen=True, slots=True)
class OpenRefused:
    """The association was refused; on the client with what the AARE said."""

    result: AssociationResult
    diagnostic: UserDiagnostic | ProviderDiagnostic
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """COSEM-RELEASE.request: the client sends it (RLRQ)."""


@dataclass(frozen=True, slots=True)
class Released:
    """The association has been released (RLRE sent or received)."""


@dataclass(frozen=True, slots=True)
class GetRequest:
    """GET of one attribute."""

    attribute: AttributeRef
    access: SelectiveAccess | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class GetResponse:
    """The answer to a GET: the value, or why there is none."""

    result: Data | DataAccessResult
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class SetRequest:
    """SET of one attribute."""

    attribute: AttributeRef
    value: Data
    access: SelectiveAccess | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class SetResponse:
    """The answer to a SET."""

    result: DataAccessResult
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """ACTION on one method, with its parameter if it takes one."""

    method: MethodRef
    parameter: Data | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class ActionResponse:
    """The answer to an ACTION: its result and, if there are any, the return parameters."""

    result: ActionResult
    value: Data | DataAccessResult | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


# --- several at once ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetListRequest:
    """GET with-list of the attributes in ``requests``, whose own invoke ids do not count."""

    requests: tuple[GetRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class GetListResponse:
    """The answer to a GET with-list, one result an attribute, in their order."""

    results: tuple[Data | DataAccessResult, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class SetListRequest:
    """SET with-list; each attribute is written by itself, and one that fails stops no other."""

    requests: tuple[SetRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class SetListResponse:
    """The answer to a SET with-list, one result an attribute, in their order."""

    results: tuple[DataAccessResult, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class ActionListRequest:
    """ACTION with-list; each method is executed by itself, and one that fails stops no other."""

    requests: tuple[ActionRequest, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class ActionListResponse:
    """The answer to an ACTION with-list, one result and optional value a method, in their order."""

    responses: tuple[ActionResponse, ...]
    invoke: InvokeId = field(default_factory=InvokeId)


@dataclass(frozen=True, slots=True)
class LongInvokeId:
    """Long-invoke-id-and-priority, of ACCESS and DataNotification.

    Args:
        number: 0..0xFFFFFF.
        self_descriptive: the answer repeats the access specification.
        break_on_error: the list ends with the first request that fails.
        confirmed: whether an answer is wanted.
        high_priority: whether it is urgent.
    """

    number: int = 1
    self_descriptive: bool = False
    break_on_error: bool = False
    confirmed: bool = True
    high_priority: bool = False


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """ACCESS: GETs, SETs and ACTIONs in one APDU.

    Args:
        requests: in their order; their own invoke ids do not count.
        invoke: number, whether the list ends at the first failure, and the like.
        date_time: COSEM date-time of 12 octets, empty for none.
    """

    requests: tuple[GetRequest | SetRequest | ActionRequest, ...]
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """The answer to ACCESS: one response a request, of the kind of the request."""

    responses: tuple[GetResponse | SetResponse | ActionResponse, ...]
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


# --- by short names ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShortName:
    """A named variable: the object's base name plus the offset of the attribute or method.

    Args:
        address: 0..0xFFFF; the Green Book's ObjectName is a signed 16-bit integer of these octets.
        access: parameterised access, None for none.
    """

    address: int
    access: SelectiveAccess | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """READ of named variables; a method with return parameters is read with parameters."""

    variables: tuple[ShortName, ...]


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """The answer to a READ, one result a variable, in their order."""

    results: tuple[Data | DataAccessResult, ...]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """WRITE of named variables; unconfirmed (UnconfirmedWrite) nobody answers it."""

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class WriteResponse:
    """The answer to a WRITE, one result a variable, in their order."""

    results: tuple[DataAccessResult, ...]


@dataclass(frozen=True, slots=True)
class InformationReport:
    """What a server reports by short names, unasked.

    Args:
        variables: what is reported.
        values: one each.
        time: ASN.1 GeneralizedTime, e.g. ``20261122001500+0100``; empty for none.
    """

    variables: tuple[ShortName, ...]
    values: tuple[Data, ...]
    time: str = ""


# --- unasked -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One attribute, sent by the server when something happened.

    Args:
        attribute: what is reported.
        value: its value.
        time: COSEM date-time of 12 octets, empty for none.
    """

    attribute: AttributeRef
    value: Data
    time: bytes = b""


@dataclass(frozen=True, slots=True)
class DataNotification:
    """What a server pushes.

    Args:
        body: usually a structure of the values of a push object list.
        invoke: its number and priority; ``confirmed`` asks for a DataNotificationConfirm.
        date_time: COSEM date-time of 12 octets, empty for none.
    """

    body: Data
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


@dataclass(frozen=True, slots=True)
class DataNotificationConfirm:
    """The client has the DataNotification of that number."""

    invoke: LongInvokeId
    date_time: bytes = b""


@dataclass(frozen=True, slots=True)
class ExceptionRaised:
    """An exception response was received (client) or sent (server)."""

    state_error: StateError
    service_error: ServiceError
    invocation_counter: int | None = None


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
