"""The lines: a link on a port, and an association for each client that speaks on it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from meter_fw import lists, short_names
from meter_fw.association_secrets import reader_password
from meter_fw.board import PortKind
from meter_fw.factory import Factory
from meter_fw.policies import ROLES, Policies
from meter_fw.port_protection import Port
from meter_fw.push_setup import PLAIN_PUSH_SAP, PUSH_SAP
from meter_fw.readout import OpticalLink
from meter_fw.sap import LOGICAL_DEVICES, MANAGEMENT_DEVICE
from meter_fw.short_names import ShortNames
from meter_fw.state import MeterState
from meter_fw.view import Caller, Role
from obis.values import replace
from protocol.apdu import ApduTag
from protocol.association import Association
from protocol.codes import Mechanism, UserDiagnostic
from protocol.errors import LocalProtocolError
from protocol.events import (
    AccessRequest,
    ActionListRequest,
    ActionRequest,
    DataNotification,
    DataNotificationConfirm,
    GetListRequest,
    GetRequest,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnected,
    Opened,
    OpenRefused,
    Peer,
    ReadRequest,
    Released,
    Request,
    Response,
    SetListRequest,
    SetRequest,
    WriteRequest,
)
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.hdlc.parameters import MAX_INFORMATION, MAX_WINDOW
from protocol.iec21 import DataSet
from protocol.iec21.events import DataWanted, PasswordTried
from protocol.security import CounterSource, ReplayGuard, SharedBook
from protocol.timing import Instant
from protocol.udp import DatagramLink
from protocol.wrapper import WrapperLink

#: The management logical device; it is the one that pushes.
LOGICAL_DEVICE: Final = MANAGEMENT_DEVICE
#: The most that HDLC has. A client gets what it asks for: 128 octets and windows of 1 by default.
HDLC_LIMITS: Final = HdlcParameters(
    transmit=MAX_INFORMATION,
    receive=MAX_INFORMATION,
    window_transmit=MAX_WINDOW,
    window_receive=MAX_WINDOW,
)

#: The mechanisms at which there is nothing to guess: without the key no proof is ever right.
BY_KEY: Final = (Mechanism.HLS_GMAC, Mechanism.HLS_ECDSA)

_AARQ: Final = bytes((ApduTag.AARQ,))

Entropy = Callable[[int], bytes]


class Host(Protocol):
    """What a line needs of the kernel."""

    def counted(self) -> None:
        """Make durable which invocation counters have been accepted."""
        ...

    def readout(self, address: str | None) -> tuple[DataSet, ...]:
        """Return what the local port reads out: all of it, or one register."""
        ...

    def answer(self, caller: Caller, request: Request) -> Response:
        """Execute a request, and make durable what it changed, before it is answered."""
        ...

    def locked(self, port: Port, *, by_key: bool) -> bool:
        """Whether nobody who needs a secret gets in at a port; or, ``by_key``, a key."""
        ...

    def attempted(self, port: Port, *, good: bool) -> None:
        """Count an attempt to get in."""
        ...

    def space(self, logical: int) -> ShortNames:
        """Return what lies where in a logical device that is spoken to by short names."""
        ...

    def confirmed(self, number: int) -> None:
        """Hear that a client has the push of that number."""
        ...


@dataclass(slots=True)
class Security:
    """What all associations of the meter share.

    Args:
        counters: our own invocation counters, the same for every key.
        guard: those accepted from the management client; another one under other keys.
        state: the present state, with the keys in use.
        policies: what is asked of each client.
    """

    counters: CounterSource
    guard: SharedBook
    state: Callable[[], MeterState]
    policies: Policies


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
        self._told: Peer | None = None  # who has been sent a notification here
        self._hung_up = False
        local = kind in (PortKind.HDLC, PortKind.OPTICAL)
        self._port = Port.LOCAL if local else Port.NETWORK
        self._link: HdlcServer | WrapperLink | OpticalLink
        if kind is PortKind.HDLC:
            self._link = self._station()
        elif kind is PortKind.OPTICAL:
            self._link = OpticalLink(factory, self._station)
        elif kind is PortKind.UDP:
            self._link = DatagramLink.server(LOGICAL_DEVICES)
        else:
            self._link = WrapperLink.server(LOGICAL_DEVICES)

    def _station(self) -> HdlcServer:
        shared = self._factory.shared_line
        return HdlcServer(self._factory.physical, set(LOGICAL_DEVICES), HDLC_LIMITS, shared=shared)

    @property
    def hung_up(self) -> bool:
        """Whether the port has to be closed."""
        broken = isinstance(self._link, WrapperLink) and self._link.broken
        return self._hung_up or broken

    @property
    def is_hdlc(self) -> bool:
        """Whether this is a local port on which HDLC is spoken without a sign-on."""
        return isinstance(self._link, HdlcServer)

    def hang_up(self) -> None:
        """Ask for the port to be closed."""
        self._hung_up = True

    def receive(self, octets: bytes, now: Instant, host: Host) -> None:
        """Take octets (none: only look at the timer) and answer what they ask."""
        if self._hung_up:
            return
        if isinstance(self._link, OpticalLink):
            locked = host.locked(self._port, by_key=False)
            password = reader_password(self._factory, self._security.state())
            self._link.admit(b"" if locked else password)
        events = self._link.receive(octets, now)
        left = {e.peer: place for place, e in enumerate(events) if isinstance(e, LinkDisconnected)}
        for place, event in enumerate(events):
            match event:
                case LinkConnected(peer=peer):
                    self._meet(peer)
                case LinkDisconnected(peer=peer):
                    if self._sessions.pop(peer, None):
                        host.counted()
                case LinkData(peer=peer, apdu=apdu, unnumbered=True):
                    if peer in self._sessions:  # and nobody is answered
                        self._apdu(peer, apdu, now, host)
                case PasswordTried(good=good):
                    host.attempted(self._port, good=good)
                case DataWanted() if isinstance(self._link, OpticalLink):
                    self._link.give(event, host.readout(event.address), now)
                case LinkData(peer=peer, apdu=apdu):
                    answers = self._apdu(peer, apdu, now, host)
                    if place > left.get(peer, -1):  # else they would come up in a new connection
                        self._send(peer, answers, now)

    def push(self, sets: tuple[DataSet, ...], now: Instant) -> None:
        """Send a readout that nobody asked for, on a local port where no session is under way."""
        if isinstance(self._link, OpticalLink):
            self._link.push(sets, now)

    def notify(self, client: int, notification: DataNotification, now: Instant) -> None:
        """Send a notification in the pre-established association of a client SAP.

        Raises:
            ProtocolError: it cannot be sent: too long, or no invocation counter is left.
        """
        peer = Peer(client, LOGICAL_DEVICE)
        self._told = peer
        session = self._sessions[peer] = self._session(peer)
        session.association.send(notification, now)
        if not self.is_hdlc:
            self._link.send(LinkConnect(peer), now)
        for apdu in iter(session.association.outgoing, b""):
            self._link.send(LinkData(peer, apdu, unnumbered=self.is_hdlc), now)

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out; datagrams one behind the other."""
        return b"".join(iter(self._link.outgoing, b""))

    def baud(self) -> int | None:
        """Return, once, the rate that the line has to have from now on, where it changes."""
        return self._link.baud() if isinstance(self._link, OpticalLink) else None

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return self._link.wake_at()

    def _meet(self, peer: Peer) -> None:
        """Forget what an earlier connection of a client has left, unless a push has begun it."""
        if _is_standing(self._sessions.get(peer)):
            return
        if isinstance(self._link, WrapperLink):  # his first APDU, which has come with it, makes one
            self._sessions.pop(peer, None)
        else:
            self._sessions[peer] = self._session(peer)

    def _session(self, peer: Peer, host: Host | None = None) -> _Session:
        """Return a new session; with a host, one that a locked port may keep out."""
        asked = self._security.policies.of(self._security.state(), peer.client)
        if host is not None and asked.mechanism is not Mechanism.NONE:
            by_key = asked.mechanism in BY_KEY
            if host.locked(self._port, by_key=by_key):
                asked = replace(asked, locked=True)
        # A confirmation is known by the number of its push: it needs no place among the counters
        # of the management client, who may be speaking somewhere else at this moment.
        guard = ReplayGuard() if asked.pre_established else self._security.guard
        association = Association.server(asked, self._entropy, self._security.counters, guard)
        role = ROLES.get(peer.client, Role.NOBODY)
        return _Session(association, Caller(role, peer.client, logical=peer.server))

    def _apdu(self, peer: Peer, apdu: bytes, now: Instant, host: Host) -> list[bytes]:
        session = self._sessions.get(peer)
        # An AARQ forgets what was before it, whatever becomes of it, and finds the keys of today.
        if session is None or (apdu[:1] == _AARQ and not _is_standing(session)):
            session = self._sessions[peer] = self._session(peer, host)
        for event in session.association.receive(apdu, now):
            match event:
                case Opened():
                    session.caller = _caller(session.caller, event)
                    if isinstance(self._link, HdlcServer | OpticalLink) and event.max_pdu:
                        stretch = self._link.at_a_stretch(peer, event.max_pdu)
                        session.association.at_a_stretch(stretch)
                    host.counted()
                    if event.mechanism is not Mechanism.NONE:
                        host.attempted(self._port, good=True)
                case OpenRefused(diagnostic=UserDiagnostic.AUTHENTICATION_FAILURE):
                    host.attempted(self._port, good=False)
                case Released():
                    host.counted()
                case DataNotificationConfirm(invoke=invoke):
                    if peer == self._told:  # else anybody could say so, in another association
                        host.confirmed(invoke.number)
                case GetRequest() | SetRequest() | ActionRequest():
                    session.association.send(host.answer(session.caller, event), now)
                case GetListRequest() | SetListRequest() | ActionListRequest() | AccessRequest():
                    answer = partial(host.answer, session.caller)
                    session.association.send(lists.execute(event, answer), now)
                case ReadRequest() | WriteRequest():
                    answer = partial(host.answer, session.caller)
                    space = host.space(session.caller.logical)
                    session.association.send(short_names.execute(space, event, answer), now)
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
        caller.logical,
        opened.by_short_names,
    )


def _is_standing(session: _Session | None) -> bool:
    """Whether a push has begun the session already."""
    return session is not None and session.caller.sap in (PUSH_SAP, PLAIN_PUSH_SAP)
