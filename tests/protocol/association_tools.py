"""What the association tests share: two ends with keys, and a lossless pipe between them."""

from collections.abc import Callable
from typing import Any

from obis.code import ObisCode
from protocol.apdu import (
    Aare,
    Aarq,
    ActionRequestNormal,
    ActionResponseNormal,
    Apdu,
    Ciphered,
    InitiateRequest,
    decode,
)
from protocol.association import (
    REPLY_TO_HLS,
    SUPPORTED,
    Association,
    ClientSettings,
    ServerPolicy,
)
from protocol.association.channel import Envelope, SecureChannel
from protocol.association.short_names import usable
from protocol.axdr import octet_string
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    Conformance,
    DataAccessResult,
    Mechanism,
)
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    GetRequest,
    GetResponse,
    InvokeId,
    MethodRef,
    Opened,
    OpenRequest,
    Request,
    Response,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard, gmac_reply
from protocol.timing import Instant

T0 = Instant(1_700_000_000_000)
KEYS = KeySet(bytes(range(16)), bytes(range(0xD0, 0xE0)))
CLIENT_TITLE = b"CLI\x00\x00\x00\x00\x01"
SERVER_TITLE = b"MTR\x00\x00\x00\x00\x02"
PASSWORD = b"12345678"
CLIENT_CHALLENGE = b"client challenge"
SERVER_CHALLENGE = b"server challenge"
CLOCK = AttributeRef(8, ObisCode(0, 0, 1, 0, 0, 255), 2)
RELAY = MethodRef(70, ObisCode(0, 0, 96, 3, 10, 255), 1)
BOTH = Protection.AUTHENTICATED_ENCRYPTED

#: What two ends that can do everything agree upon by logical names.
GRANTED = usable(SUPPORTED, by_short_names=False)

LN = ApplicationContext.LN
LN_CIPHERED = ApplicationContext.LN_CIPHERED

#: Every way to open an association: mechanism and context.
WAYS = [
    (mechanism, context)
    for mechanism in (Mechanism.NONE, Mechanism.LLS, Mechanism.HLS_GMAC)
    for context in (LN, LN_CIPHERED)
]


def policy(**changes: Any) -> ServerPolicy:
    """Return a server's policy; no security unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {"keys": KEYS, "system_title": SERVER_TITLE, "secret": PASSWORD}
    return ServerPolicy(**(fields | changes))


def client_settings(**changes: Any) -> ClientSettings:
    """Return a client's settings; no security unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {"keys": KEYS, "system_title": CLIENT_TITLE, "secret": PASSWORD}
    return ClientSettings(**(fields | changes))


def make_server(
    *, counters: CounterLease | None = None, guard: ReplayGuard | None = None, **changes: Any
) -> Association:
    """Return a server; its challenge is always the same."""
    return Association.server(
        policy(**changes),
        lambda length: SERVER_CHALLENGE[:length].ljust(length, b"."),
        counters or CounterLease(1),
        guard or ReplayGuard(),
    )


def make_client(
    *, counters: CounterLease | None = None, guard: ReplayGuard | None = None, **changes: Any
) -> Association:
    """Return a client; its challenge is always the same."""
    return Association.client(
        client_settings(**changes),
        lambda length: CLIENT_CHALLENGE[:length].ljust(length, b"."),
        counters or CounterLease(1),
        guard or ReplayGuard(),
    )


def answer(server: Association, apdu: bytes) -> bytes:
    """Give an APDU to a server and return its one answer, or nothing."""
    server.receive(apdu, T0)
    return only(server)


def only(end: Association) -> bytes:
    """Return the one APDU that an end has to send, or nothing."""
    apdu = end.outgoing()
    assert end.outgoing() == b""
    return apdu


def initiate(
    conformance: Conformance = SUPPORTED, max_pdu: int = 1024, **changes: Any
) -> InitiateRequest:
    """Return what a client proposes."""
    return InitiateRequest(conformance, max_pdu, **changes)


def aarq(**changes: Any) -> bytes:
    """Return an AARQ without security, but for ``changes``."""
    fields: dict[str, Any] = {"context": 1, "user_information": initiate().encode()}
    return Aarq(**(fields | changes)).encode()


def accepted(server: Association, apdu: bytes) -> Aare:
    """Give an AARQ to a server and return its AARE."""
    aare = decode(answer(server, apdu))
    assert isinstance(aare, Aare)
    return aare


class HandClient:
    """A client by hand: what tests of a server need to send just what they mean.

    Args:
        server: who is spoken to.
        protection: what seals everything.
        counter: the first invocation counter.
        general: whether services go by general-glo-ciphering.
    """

    def __init__(
        self,
        server: Association,
        protection: Protection = BOTH,
        counter: int = 1,
        *,
        general: bool = False,
        keys: KeySet = KEYS,
    ) -> None:
        self.server = server
        self.envelope = Envelope(protection, general)
        self.counters = CounterLease(counter)
        self.channel = SecureChannel(
            keys,
            CLIENT_TITLE,
            SERVER_TITLE,
            self.counters,
            ReplayGuard(),
            Protection.NONE,
        )

    def aarq(self, mechanism: Mechanism = Mechanism.NONE, **changes: Any) -> bytes:
        """Return a ciphered AARQ."""
        information = initiate(**changes).encode()
        value = {Mechanism.LLS: PASSWORD, Mechanism.HLS_GMAC: CLIENT_CHALLENGE}.get(mechanism)
        return Aarq(
            LN_CIPHERED,
            CLIENT_TITLE,
            mechanism or None,
            value,
            self.channel.seal(information, Envelope(self.envelope.protection)),
        ).encode()

    def seal(self, apdu: Apdu | bytes) -> bytes:
        """Return an APDU in our envelope."""
        plain = apdu if isinstance(apdu, bytes) else apdu.encode()
        return self.channel.seal(plain, self.envelope)

    def ask(self, apdu: Apdu | bytes) -> Apdu:
        """Seal a request, and return what is inside the answer."""
        return self.unseal(answer(self.server, self.seal(apdu)))

    def unseal(self, octets: bytes) -> Apdu:
        """Return what is inside an answer, a plain exception as it is."""
        outside = decode(octets)
        if not isinstance(outside, Ciphered):
            return outside
        assert outside.is_general == self.envelope.is_general
        assert outside.protection == self.envelope.protection
        assert outside.title == (SERVER_TITLE if outside.is_general else b"")
        return self.channel.open(octets, frozenset((196, 197, 199)), decode)[0]

    def open(self, mechanism: Mechanism = Mechanism.NONE, **changes: Any) -> None:
        """Open a ciphered association, HLS passes included."""
        answer(self.server, self.aarq(mechanism, **changes))
        if mechanism == Mechanism.HLS_GMAC:
            proof = gmac_reply(KEYS, CLIENT_TITLE, self.counters.next(), SERVER_CHALLENGE)
            reply = self.ask(pass_3(proof))
            assert isinstance(reply, ActionResponseNormal)
        assert self.server.is_open


def pass_3(proof: bytes, invoke: InvokeId | None = None) -> ActionRequestNormal:
    """Return HLS pass 3."""
    return ActionRequestNormal(invoke or InvokeId(), REPLY_TO_HLS, octet_string(proof))


def open_plain(server: Association, **changes: Any) -> None:
    """Open an association without security."""
    answer(server, aarq(user_information=initiate(**changes).encode()))
    assert server.is_open


Application = Callable[[Request], Response]


def echo(request: Request) -> Response:
    """Be a meter that succeeds at everything and returns what it is given."""
    match request:
        case GetRequest():
            return GetResponse(octet_string(b"value"))
        case SetRequest():
            return SetResponse(DataAccessResult.SUCCESS)
        case ActionRequest():
            return ActionResponse(ActionResult.SUCCESS, request.parameter)


class Pipe:
    """A client and a server that hear each other's every APDU.

    Args:
        client: whose events come back.
        server: whose requests ``application`` answers.
        application: the meter behind the server.
    """

    def __init__(
        self, client: Association, server: Association, application: Application = echo
    ) -> None:
        self.client = client
        self.server = server
        self.application = application
        self.requests: list[AssociationEvent] = []
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []

    def send(self, event: AssociationEvent) -> list[AssociationEvent]:
        """Let the client send an event; return the events that come of it."""
        self.client.send(event, T0)
        events: list[AssociationEvent] = []
        while apdu := self.client.outgoing():
            self.to_server.append(apdu)
            for request in self.server.receive(apdu, T0):
                self.requests.append(request)
                if isinstance(request, GetRequest | SetRequest | ActionRequest):
                    self.server.send(self.application(request), T0)
            while reply := self.server.outgoing():
                self.to_client.append(reply)
                events += self.client.receive(reply, T0)
        return events

    def open(self) -> Opened:
        """Open the association."""
        (opened,) = self.send(OpenRequest())
        assert isinstance(opened, Opened), opened
        return opened
