"""Hearing what meters say unasked: octets from one address in, notifications and replies out.

Nothing is agreed upon with whoever speaks: the associations are pre-established, one in clear
and one for each system title, under the keys of the key file. What cannot be read is told as such
and harms nobody. No sockets here; ``headend.listening`` has them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from headend.transports import LinkKind
from protocol.apdu import PLAIN_BY_GLO, ApduTag, Ciphered, GeneralBlock
from protocol.association import Association, ClientSettings
from protocol.association.general_blocks import GeneralBlocks
from protocol.codes import ApplicationContext
from protocol.errors import DecodeError, ProtocolError, ServiceNotSupported
from protocol.events import (
    AssociationEvent,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    InformationReport,
    LinkData,
    LinkDisconnected,
    Notification,
    Peer,
)
from protocol.hdlc import HdlcListener
from protocol.security import CounterSource, KeySet, Protection, ReplayGuard
from protocol.timing import Instant
from protocol.udp import DatagramLink
from protocol.wrapper import WrapperLink

#: Client SAPs that are heard; the wPort that a meter sends to is one of them.
CLIENTS = range(1, 128)
#: Meters whose last invocation counter is remembered.
METERS = 4096
#: Octets of the longest notification.
LONGEST = 0xFFFF
_PRE_ESTABLISHED = ClientSettings(pre_established=True, max_pdu_receive=0xFFFF)
_CIPHERED = frozenset(PLAIN_BY_GLO) | {ApduTag.GENERAL_GLO_CIPHERING}


@dataclass(frozen=True, slots=True)
class Heard:
    """A notification, and who said it.

    Args:
        source: the address it came from.
        peer: client SAP and logical device.
        title: the meter's system title; empty where nothing vouches for it.
        notification: what was said; None where it could not be read.
        why: why it could not.
        confirmed: whether it was confirmed.
    """

    source: str
    peer: Peer
    title: bytes = b""
    notification: Notification | None = None
    why: str = ""
    confirmed: bool = False


@dataclass(slots=True)
class Identity:
    """Who listens.

    Args:
        keys: of the meters.
        title: our system title; asked for when something has to be confirmed.
        counters: our invocation counters, for confirmations.
        entropy: random octets; a pre-established association needs none.
    """

    keys: Callable[[], KeySet]
    title: Callable[[], bytes]
    counters: CounterSource
    entropy: Callable[[int], bytes]


class Memory:
    """The last invocation counter of each meter, by system title, of the ``METERS`` last heard."""

    def __init__(self) -> None:
        self._guards: dict[bytes, ReplayGuard] = {}

    def guard(self, title: bytes) -> ReplayGuard:
        """Return what is remembered of a meter, or something new that ``keep`` may keep."""
        return self._guards.get(title) or ReplayGuard()

    def keep(self, title: bytes, guard: ReplayGuard) -> None:
        """Remember a meter that has proved to be genuine."""
        self._guards.pop(title, None)
        self._guards[title] = guard
        if len(self._guards) > METERS:
            del self._guards[next(iter(self._guards))]


class Ear:
    """What comes from one address.

    Args:
        kind: stream, datagrams or a line of HDLC.
        source: the address, for people.
        identity: who listens.
        memory: shared by all ears.
    """

    def __init__(self, kind: LinkKind, source: str, identity: Identity, memory: Memory) -> None:
        self.link: HdlcListener | WrapperLink
        if kind is LinkKind.HDLC:
            self.link = HdlcListener()
        else:
            link = DatagramLink if kind is LinkKind.DATAGRAMS else WrapperLink
            self.link = link.server(CLIENTS)
        self.source = source
        self._identity = identity
        self._memory = memory
        self._blocks: dict[Peer, GeneralBlocks] = {}  # of no more peers than the link has

    def receive(self, octets: bytes, now: Instant) -> list[Heard]:
        """Take octets of a stream, or one datagram; confirmations wait in ``link.outgoing``."""
        heard = []
        for event in self.link.receive(octets, now):
            if isinstance(event, LinkDisconnected):
                self._blocks.pop(event.peer, None)
            if isinstance(event, LinkData):
                # On the wire the meter is the source, which the link calls the client.
                peer = Peer(event.peer.server, event.peer.client, event.peer.physical)
                said = Heard(self.source, peer)
                try:
                    heard += self._read(said, event, now)
                except ProtocolError as error:
                    heard.append(replace(said, why=str(error)))
        return heard

    def _read(self, said: Heard, data: LinkData, now: Instant) -> list[Heard]:
        if data.apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            return self._block(said, data, now)
        if data.apdu[0] in _CIPHERED:
            title = Ciphered.decode(data.apdu).title
            if not title:
                raise DecodeError("ciphered, and no system title with it")
            guard = self._memory.guard(title)
            association = self._ciphered(title, guard)
            events = association.receive(data.apdu, now)
            self._memory.keep(title, guard)
            said = replace(said, title=title)
        else:
            association = Association.client(
                _PRE_ESTABLISHED, self._identity.entropy, self._identity.counters, ReplayGuard()
            )
            events = association.receive(data.apdu, now)
        return [self._take(said, event, association, data.peer, now) for event in events]

    def _block(self, said: Heard, data: LinkData, now: Instant) -> list[Heard]:
        """Collect a general block; those of a push are acknowledged by nobody."""
        blocks = self._blocks.setdefault(data.peer, GeneralBlocks(True, 1, LONGEST, LONGEST))
        apdu = blocks.receive(GeneralBlock.decode(data.apdu)).apdu
        if apdu is None:
            return []
        if not apdu or apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            raise DecodeError("general blocks with nothing in them, or with general blocks")
        return self._read(said, replace(data, apdu=apdu), now)

    def _ciphered(self, title: bytes, guard: ReplayGuard) -> Association:
        settings = replace(
            _PRE_ESTABLISHED,
            context=ApplicationContext.LN_CIPHERED,
            keys=self._identity.keys(),
            system_title=self._identity.title(),
            server_system_title=title,
            protection=Protection.AUTHENTICATED_ENCRYPTED,
        )
        return Association.client(settings, self._identity.entropy, self._identity.counters, guard)

    def _take(
        self,
        said: Heard,
        event: AssociationEvent,
        association: Association,
        peer: Peer,
        now: Instant,
    ) -> Heard:
        if not isinstance(event, DataNotification | EventNotification | InformationReport):
            raise ServiceNotSupported(f"no notification: {type(event).__name__}")
        wanted = isinstance(event, DataNotification) and event.invoke.confirmed
        if isinstance(event, DataNotification) and wanted:
            association.send(DataNotificationConfirm(event.invoke), now)
            for apdu in iter(association.outgoing, b""):
                self.link.send(LinkData(peer, apdu), now)
        return replace(said, notification=event, confirmed=wanted)
