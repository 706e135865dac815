"""Associations, and the services that refer to one attribute or method by its logical name."""

from msgspec import Struct, field

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
from protocol.events.references import AttributeRef, InvokeId, MethodRef, SelectiveAccess


class OpenRequest(Struct, frozen=True):
    """COSEM-OPEN.request: the client sends it; its parameters are the association's own."""


class Opened(Struct, frozen=True):
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


class OpenRefused(Struct, frozen=True):
    """The association was refused; on the client with what the AARE said."""

    result: AssociationResult
    diagnostic: UserDiagnostic | ProviderDiagnostic
    detail: str = ""


class ReleaseRequest(Struct, frozen=True):
    """COSEM-RELEASE.request: the client sends it (RLRQ)."""


class Released(Struct, frozen=True):
    """The association has been released (RLRE sent or received)."""


class GetRequest(Struct, frozen=True):
    """GET of one attribute."""

    attribute: AttributeRef
    access: SelectiveAccess | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


class GetResponse(Struct, frozen=True):
    """The answer to a GET: the value, or why there is none."""

    result: Data | DataAccessResult
    invoke: InvokeId = field(default_factory=InvokeId)


class SetRequest(Struct, frozen=True):
    """SET of one attribute."""

    attribute: AttributeRef
    value: Data
    access: SelectiveAccess | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


class SetResponse(Struct, frozen=True):
    """The answer to a SET."""

    result: DataAccessResult
    invoke: InvokeId = field(default_factory=InvokeId)


class ActionRequest(Struct, frozen=True):
    """ACTION on one method, with its parameter if it takes one."""

    method: MethodRef
    parameter: Data | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


class ActionResponse(Struct, frozen=True):
    """The answer to an ACTION: its result and, if there are any, the return parameters."""

    result: ActionResult
    value: Data | DataAccessResult | None = None
    invoke: InvokeId = field(default_factory=InvokeId)


class ExceptionRaised(Struct, frozen=True):
    """An exception response was received (client) or sent (server)."""

    state_error: StateError
    service_error: ServiceError
    invocation_counter: int | None = None
