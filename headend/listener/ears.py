"""Hearing what meters say unasked: octets from one address in, notifications and replies out.

Nothing is agreed upon with whoever speaks: the associations are pre-established, one in clear
and one for each system title, under keys that a keeper knows. What cannot be read is told as such
and harms nobody. No sockets here; ``headend.listener.listening`` has them.

What is read is given to the keeper, and only what he keeps is confirmed: ``Memory`` keeps nothing
but invocation counters, ``headend.listener.reception`` has the database.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headend.transports import LinkKind
from obis.values import replace
from protocol.apdu import PLAIN_BY_GLO, ApduTag, Ciphered, GeneralBlock
from protocol.association import Association, ClientSettings
from protocol.association.general_blocks import GeneralBlocks
from protocol.codes import ApplicationContext
from protocol.errors import DecodeError, ProtocolError, SecurityError, ServiceNotSupported
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
#: Meters whose last invocation counter ``Memory`` remembers.
METERS = 4096
#: Octets of the longest notification.
LONGEST = 0xFFFF
#: Notifications of which blocks are missing, of everybody together.
UNFINISHED = 64
_WPDU_HEADER = 8
_PRE_ESTABLISHED = ClientSettings(pre_established=True, max_pdu_receive=0xFFFF)
_CIPHERED = frozenset(PLAIN_BY_GLO) | {ApduTag.GENERAL_GLO_CIPHERING}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a system title may be: a set of keys, and what is known of whoever has them.

    Args:
        title: 8 octets.
        keys: that he speaks under.
        key: fingerprint of them for the database; empty where there is none.
        last: the last invocation counter taken from him under these keys; -1 for none.
        meter_id, meter: whose he is; None and empty where nobody knows.
        counters: ours under these keys, for confirmations; None are those of the identity.
    """

    title: bytes
    keys: KeySet = field(repr=False)
    key: str = ""
    last: int = -1
    meter_id: int | None = None
    meter: str = ""
    counters: CounterSource | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """A notification, and who said it.

    Args:
        source: the address it came from.
        peer: client SAP and logical device.
        title: the meter's system title; empty where nothing vouches for it.
        notification: what was said; None where it could not be read.
        why: why it could not, or why it is not taken.
        confirmed: whether it was confirmed.
        sender: whose key vouches for it; None in clear.
        counter: the invocation counter that came with it; -1 in clear.
        again: it came before, as far as the keeper knows.
        meter: name of the meter that said it, where the keeper knows.
        cases: what the keeper made of it, for people.
        reply: sends the confirmation that is asked for; None where none is.
    """

    source: str
    peer: Peer
    title: bytes = b""
    notification: Notification | None = None
    why: str = ""
    confirmed: bool = False
    sender: Sender | None = None
    counter: int = -1
    again: bool = False
    meter: str = ""
    cases: tuple[str, ...] = ()
    reply: Callable[[Instant], bool] | None = field(default=None, repr=False, compare=False)

    def refused(self, why: str) -> "Heard":
        """Return it as something that is told and not taken."""
        return replace(self, notification=None, why=why, reply=None)


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


class Keeper(Protocol):
    """Knows who may speak, and takes what was said."""

    def senders(self, title: bytes, shared: Callable[[], KeySet]) -> Sequence[Sender]:
        """Return who a system title may be, the likeliest first.

        Raises:
            SecurityError: nobody can say.
        """
        ...

    def keep(self, heard: Sequence[Heard], now: Instant) -> list[Heard]:
        """Take what was read, one for one; what is not taken has no notification any more.

        Raises:
            StoreError: nothing of it could be kept.
        """
        ...


class Memory:
    """The last invocation counter of each meter, by system title, of the ``METERS`` last heard."""

    def __init__(self) -> None:
        self._lasts: dict[bytes, int] = {}

    @property
    def lasts(self) -> dict[bytes, int]:
        """The counters, by system title."""
        return dict(self._lasts)

    def senders(self, title: bytes, shared: Callable[[], KeySet]) -> Sequence[Sender]:
        """Return the one who has the key file's keys."""
        return (Sender(title, shared(), last=self._lasts.get(title, -1)),)

    def keep(self, heard: Sequence[Heard], now: Instant) -> list[Heard]:
        """Remember the counters of those who have proved to be genuine."""
        del now
        return [self._keep(each) for each in heard]

    def _keep(self, heard: Heard) -> Heard:
        if heard.sender is None or heard.notification is None:
            return heard
        last = self._lasts.pop(heard.title, -1)
        self._lasts[heard.title] = max(last, heard.counter)
        if len(self._lasts) > METERS:
            del self._lasts[next(iter(self._lasts))]
        return heard.refused(replayed(heard.counter)) if heard.counter <= last else heard


def replayed(counter: int) -> str:
    """Return what is said of an invocation counter that was used before."""
    return f"invocation counter {counter} was used before: refused"


def _link(kind: LinkKind) -> HdlcListener | WrapperLink:
    if kind is LinkKind.HDLC:
        return HdlcListener()
    link = DatagramLink if kind is LinkKind.DATAGRAMS else WrapperLink
    return link.server(CLIENTS)


class Blocks:
    """Notifications of which blocks are missing; of too many, the oldest is given up."""

    def __init__(self) -> None:
        self._begun: dict[tuple[object, Peer], GeneralBlocks] = {}

    def of(self, ear: object, peer: Peer) -> GeneralBlocks:
        """Return what has come of a peer's, which may be nothing."""
        place = ear, peer
        if place not in self._begun:
            while len(self._begun) >= UNFINISHED:
                del self._begun[next(iter(self._begun))]
            self._begun[place] = GeneralBlocks(True, 1, LONGEST, LONGEST)
        return self._begun[place]

    def drop(self, ear: object, peer: Peer) -> None:
        """Forget what has come of a peer's."""
        self._begun.pop((ear, peer), None)

    def forget(self, ear: object) -> None:
        """Forget what has come of everybody at an address."""
        for place in [each for each in self._begun if each[0] is ear]:
            del self._begun[place]


class Ear:
    """What comes from one address.

    Args:
        kind: stream, datagrams or a line of HDLC.
        source: the address, for people.
        identity: who listens.
        keeper: shared by all ears.
        blocks: the same; its own unless told.
    """

    def __init__(
        self,
        kind: LinkKind,
        source: str,
        identity: Identity,
        keeper: Keeper,
        blocks: Blocks | None = None,
    ) -> None:
        self.link = _link(kind)
        self.source = source
        self._identity = identity
        self._keeper = keeper
        self._blocks = Blocks() if blocks is None else blocks
        #: Octets that may be said to an address that may be forged: no more than came from it.
        self._credit: int | None = 0 if kind is LinkKind.DATAGRAMS else None

    def receive(self, octets: bytes, now: Instant) -> list[Heard]:
        """Take octets of a stream, or one datagram; confirmations wait in ``link.outgoing``."""
        return self.confirm(self._keeper.keep(self.read(octets, now), now), now)

    def read(self, octets: bytes, now: Instant) -> list[Heard]:
        """Take octets, and return what was said, for the keeper."""
        if self._credit is not None:
            due = self.link.wake_at()
            if due is not None and due <= now:  # an address has no end: it was silent, and is back
                self._blocks.forget(self)
                self.link, self._credit = _link(LinkKind.DATAGRAMS), 0
            self._credit += len(octets)
        heard = []
        for event in self.link.receive(octets, now):
            if isinstance(event, LinkDisconnected):
                self._blocks.drop(self, event.peer)
            if isinstance(event, LinkData):
                # On the wire the meter is the source, which the link calls the client.
                peer = Peer(event.peer.server, event.peer.client, event.peer.physical)
                said = Heard(self.source, peer)
                try:
                    heard += self._read(said, event, now)
                except ProtocolError as error:
                    heard.append(said.refused(str(error)))
        return heard

    def confirm(self, kept: Sequence[Heard], now: Instant) -> list[Heard]:
        """Confirm what was kept and wants to be confirmed."""
        return [each if each.reply is None else self._confirm(each, now) for each in kept]

    def _confirm(self, heard: Heard, now: Instant) -> Heard:
        assert heard.reply is not None  # looked at a line ago
        try:
            return replace(heard, confirmed=heard.reply(now), reply=None)
        except (
            ProtocolError
        ):  # no counter is left, or the stream is broken: it is kept all the same
            return replace(heard, reply=None)

    def _read(self, said: Heard, data: LinkData, now: Instant) -> list[Heard]:
        if data.apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            return self._block(said, data, now)
        if data.apdu[0] in _CIPHERED:
            return self._ciphered(said, data, now)
        association = Association.client(
            _PRE_ESTABLISHED, self._identity.entropy, self._identity.counters, ReplayGuard()
        )
        events = association.receive(data.apdu, now)
        return [self._take(said, event, association, data.peer) for event in events]

    def _block(self, said: Heard, data: LinkData, now: Instant) -> list[Heard]:
        """Collect a general block; those of a push are acknowledged by nobody."""
        blocks = self._blocks.of(self, data.peer)
        apdu = blocks.receive(GeneralBlock.decode(data.apdu)).apdu
        if apdu is None:
            return []
        self._blocks.drop(self, data.peer)
        if not apdu or apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            raise DecodeError("general blocks with nothing in them, or with general blocks")
        return self._read(said, replace(data, apdu=apdu), now)

    def _ciphered(self, said: Heard, data: LinkData, now: Instant) -> list[Heard]:
        """Read under the first of the keys that it may be ciphered with."""
        ciphered = Ciphered.decode(data.apdu)
        title, counter = ciphered.title, ciphered.counter
        if not title:
            raise DecodeError("ciphered, and no system title with it")
        wrong = SecurityError(f"no key of system title {title.hex().upper()}")
        for sender in self._keeper.senders(title, self._identity.keys):
            # Said again with the very last counter it may be a repetition: the keeper knows.
            again = counter == sender.last
            association = self._association(sender, ReplayGuard(sender.last - again))
            try:
                events = association.receive(data.apdu, now)
            except SecurityError as error:
                wrong = error
                continue
            own = replace(said, title=title, sender=sender, counter=counter, again=again)
            return [self._take(own, event, association, data.peer) for event in events]
        raise wrong

    def _association(self, sender: Sender, guard: ReplayGuard) -> Association:
        settings = replace(
            _PRE_ESTABLISHED,
            context=ApplicationContext.LN_CIPHERED,
            keys=sender.keys,
            system_title=self._identity.title(),
            server_system_title=sender.title,
            protection=Protection.AUTHENTICATED_ENCRYPTED,
        )
        counters = sender.counters or self._identity.counters
        return Association.client(settings, self._identity.entropy, counters, guard)

    def _take(
        self, said: Heard, event: AssociationEvent, association: Association, peer: Peer
    ) -> Heard:
        if not isinstance(event, DataNotification | EventNotification | InformationReport):
            raise ServiceNotSupported(f"no notification: {type(event).__name__}")
        said = replace(said, notification=event)
        if not isinstance(event, DataNotification) or not event.invoke.confirmed:
            return said
        confirm = DataNotificationConfirm(event.invoke)

        def reply(now: Instant) -> bool:
            association.send(confirm, now)
            apdus = list(iter(association.outgoing, b""))
            if not self._affordable(sum(map(len, apdus)) + _WPDU_HEADER * len(apdus), said):
                return False
            for apdu in apdus:
                self.link.send(LinkData(peer, apdu), now)
            return True

        return replace(said, reply=reply)

    def _affordable(self, octets: int, said: Heard) -> bool:
        """Say whether so much may be answered: nobody's address is flooded by way of us."""
        if self._credit is None or said.sender is not None:
            return True
        if octets > self._credit:
            return False
        self._credit -= octets
        return True
