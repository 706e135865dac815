"""The lines: a link on a port, and an association for each client that speaks on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from meter_fw.board import PortKind
from meter_fw.factory import Factory
from meter_fw.view import Caller, Role
from protocol.association import Association, ServerPolicy
from protocol.codes import ApplicationContext, Conformance, Mechanism
from protocol.errors import LocalProtocolError
from protocol.events import (
    ActionRequest,
    GetRequest,
    LinkConnected,
    LinkData,
    LinkDisconnected,
    Opened,
    Peer,
    Released,
    Request,
    Response,
    SetRequest,
)
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.security import CounterSource, KeySet, ReplayGuard
from protocol.timing import Instant
from protocol.wrapper import WrapperLink

#: The management logical device, and the only one so far.
LOGICAL_DEVICE: Final = 1
PUBLIC_SAP: Final = 16
READER_SAP: Final = 2
MANAGEMENT_SAP: Final = 1
#: The longest APDU that the meter takes, in octets.
MAX_PDU: Final = 1024
_INFORMATION: Final = 512

ROLES: Final = {
    PUBLIC_SAP: Role.PUBLIC,
    READER_SAP: Role.READER,
    MANAGEMENT_SAP: Role.MANAGEMENT,
}
_READING: Final = Conformance.GET | Conformance.BLOCK_TRANSFER_GET | Conformance.SELECTIVE_ACCESS

Entropy = Callable[[int], bytes]


class Host(Protocol):
    """What a line needs of the kernel."""

    def counted(self) -> None:
        """Make durable which invocation counters have been accepted."""
        ...

    def answer(self, caller: Caller, request: Request) -> Response:
        """Execute a request, and make durable what it changed, before it is answered."""
        ...


@dataclass(frozen=True, slots=True)
class Security:
    """What all associations of the meter share.

    Args:
        counters: our own invocation counters under the global unicast key.
        guard: those accepted from the management client.
    """

    counters: CounterSource
    guard: ReplayGuard


def policy(factory: Factory, sap: int, entropy: Entropy) -> ServerPolicy:
    """Return what is asked of the client at ``sap``.

    An unknown client gets a policy like another's, but with a password that nobody knows.
    """
    if sap == PUBLIC_SAP:
        return ServerPolicy(client_sap=sap, conformance=_READING, max_pdu_receive=MAX_PDU)
    if sap == MANAGEMENT_SAP:
        keys = KeySet(factory.keys.block_cipher_key, factory.keys.authentication_key)
        return ServerPolicy(
            client_sap=sap,
            mechanism=Mechanism.HLS_GMAC,
            context=ApplicationContext.LN_CIPHERED,
            keys=keys,
            system_title=factory.system_title,
            max_pdu_receive=MAX_PDU,
        )
    secret = factory.keys.password if sap == READER_SAP else entropy(16)
    return ServerPolicy(
        client_sap=sap, mechanism=Mechanism.LLS, secret=secret, max_pdu_receive=MAX_PDU
    )


@dataclass(slots=True)
class _Session:
    association: Association
    caller: Caller


class Line:
    """One port.

    Args:
        kind: what is spoken on it.
        factory: the meter.
        security: what its associations share.
        entropy: for challenges.
    """

    def __init__(
        self, kind: PortKind, factory: Factory, security: Security, entropy: Entropy
    ) -> None:
        self._factory = factory
        self._security = security
        self._entropy = entropy
        self._sessions: dict[Peer, _Session] = {}
        self._hung_up = False
        self._link: HdlcServer | WrapperLink
        if kind is PortKind.HDLC:
            parameters = HdlcParameters(transmit=_INFORMATION, receive=_INFORMATION)
            self._link = HdlcServer(factory.physical, {LOGICAL_DEVICE}, parameters)
        else:
            self._link = WrapperLink.server({LOGICAL_DEVICE})

    @property
    def hung_up(self) -> bool:
        """Whether the port has to be closed."""
        broken = isinstance(self._link, WrapperLink) and self._link.broken
        return self._hung_up or broken

    def hang_up(self) -> None:
        """Ask for the port to be closed."""
        self._hung_up = True

    def receive(self, octets: bytes, now: Instant, host: Host) -> None:
        """Take octets (none: only look at the timer) and answer what they ask."""
        if self._hung_up:
            return
        events = self._link.receive(octets, now)
        left = {e.peer: place for place, e in enumerate(events) if isinstance(e, LinkDisconnected)}
        for place, event in enumerate(events):
            match event:
                case LinkConnected(peer=peer):
                    self._sessions[peer] = self._session(peer)
                case LinkDisconnected(peer=peer):
                    if self._sessions.pop(peer, None):
                        host.counted()
                case LinkData(peer=peer, apdu=apdu):
                    answers = self._apdu(peer, apdu, now, host)
                    if place > left.get(peer, -1):  # else they would come up in a new connection
                        self._send(peer, answers, now)

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        return self._link.outgoing()

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return self._link.wake_at()

    def _session(self, peer: Peer) -> _Session:
        association = Association.server(
            policy(self._factory, peer.client, self._entropy),
            self._entropy,
            self._security.counters,
            self._security.guard,
        )
        role = ROLES.get(peer.client, Role.NOBODY)
        return _Session(association, Caller(role, peer.client))

    def _apdu(self, peer: Peer, apdu: bytes, now: Instant, host: Host) -> list[bytes]:
        session = self._sessions.get(peer) or self._session(peer)
        self._sessions[peer] = session
        for event in session.association.receive(apdu, now):
            match event:
                case Opened():
                    session.caller = _caller(session.caller, event)
                    host.counted()
                case Released():
                    host.counted()
                case GetRequest() | SetRequest() | ActionRequest():
                    session.association.send(host.answer(session.caller, event), now)
        return list(iter(session.association.outgoing, b""))

    def _send(self, peer: Peer, answers: list[bytes], now: Instant) -> None:
        try:
            for answer in answers:
                self._link.send(LinkData(peer, answer), now)
        except LocalProtocolError:
            # Nobody fetches what we say: the client will come again. A serial line cannot be hung
            # up, so on HDLC only his association ends.
            self._sessions.pop(peer, None)
            if isinstance(self._link, WrapperLink):
                self.hang_up()


def _caller(caller: Caller, opened: Opened) -> Caller:
    return Caller(
        caller.role,
        caller.sap,
        opened.mechanism,
        opened.conformance,
        opened.max_pdu,
        opened.client_system_title,
    )
