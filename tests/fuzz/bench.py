"""A meter on a bench where everything said to it are octets on a port, and clients that speak them.

The meter is the real kernel on flash of software. Its chance comes from a counter, so that the
same octets always meet the same meter; a copy of it at any moment costs less than a millisecond.
"""

import copy
import copyreg
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final

from meter_fw.board import PortId, PortKind
from meter_fw.catalogue import Model
from meter_fw.factory import Factory
from meter_fw.kernel import Kernel
from meter_fw.nvram import CellKey
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from meter_fw.server import CosemObject
from meter_fw.state import MeterState
from meter_fw.view import Caller
from obis import catalogue
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.keys import LAB_KEYS
from prepay.schedule import Schedule
from prepay.transactions import Kind
from protocol import axdr
from protocol.association import Association, ClientSettings, ServerPolicy
from protocol.axdr import Data
from protocol.codes import ActionResult, ApplicationContext, DataAccessResult, Mechanism
from protocol.cosem.communication_port_protection import ProtectionMode
from protocol.events import (
    AssociationEvent,
    AttributeRef,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkConnected,
    LinkData,
    Opened,
    OpenRequest,
    Peer,
    Request,
)
from protocol.hdlc import HdlcClient, HdlcParameters
from protocol.hdlc.address import HdlcAddress
from protocol.link import Link
from protocol.security import CounterLease, KeySet, ReplayGuard
from protocol.timing import Instant, later
from protocol.wrapper import WrapperLink
from sim.flash import MemoryFlash
from tests.meter_fw.rig import NAME, Rig

for _frozen in (
    *(Factory, MeterState, CosemObject, KeySet, Schedule, CellKey, Model),
    *(Peer, Caller, HdlcParameters, HdlcAddress, ServerPolicy, Opened),
):
    # they never change, so a copy of a meter may share them: to copyreg a name says just that
    copyreg.pickle(_frozen, lambda _: "shared")

KEYS: Final = KeySet(LAB_KEYS.block_cipher_key, LAB_KEYS.authentication_key)
CLIENT_TITLE: Final = b"HEAD\0\0\0\1"
LOGICAL_DEVICE: Final = 1
#: How often a meter may ask to be woken without time passing on before we call it a hang.
MOST_WAKE_UPS: Final = 64
#: Exchanges of octets in one conversation.
MOST_EXCHANGES: Final = 4000


class Dice:
    """Octets that look random and are the same in each run.

    Args:
        whose: two dice of different owners never show the same.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose.encode()
        self._rolled = 0

    def __call__(self, length: int) -> bytes:
        """Return ``length`` octets."""
        self._rolled += 1
        return hashlib.shake_128(b"%b %d" % (self._whose, self._rolled)).digest(length)


#: What the campaigns speak.
KINDS: Final = (PortKind.HDLC, PortKind.WRAPPER)


@dataclass
class Bench(Rig):
    """A meter with prepayment active, a balance, some history, and ports to speak to it."""

    flash: MemoryFlash = field(default_factory=lambda: MemoryFlash(2, 16 * 1024))
    dice: Dice = field(default_factory=lambda: Dice("meter"))
    challenges: Dice = field(default_factory=lambda: Dice("clients"))
    #: the invocation counters of the one management client
    lease: CounterLease = field(default_factory=lambda: CounterLease(1))
    ports: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def boot(self) -> None:
        """Switch it on, with what its flash holds: no port is open, no association stands."""
        self.kernel = Kernel(self.flash, self.factory, self.dice, self.now)
        self.tick()

    def activate(self) -> None:
        """Bring prepayment into force and let a household live on it for a while."""
        local = self.profile == "il"
        for port in (catalogue.LOCAL_PORT_PROTECTION, catalogue.NETWORK_PORT_PROTECTION):
            unlocked = axdr.enum(ProtectionMode.UNLOCKED)  # a campaign guesses without end
            assert self.set(port, 124, unlocked) is DataAccessResult.SUCCESS
        self.order(1, Kind.ACTIVATE, self.snapshot(0 if local else 1, 0 if local else 2000))
        if local:
            assert self.enter(self.token(2, 10_000)) is ActionResult.SUCCESS
        self.use(1_234)
        self.until("2026-11-25T13:07", 5_678)

    def open(self, kind: PortKind) -> PortId:
        """Open a port that nobody has spoken on."""
        port = PortId(f"port {next(self.ports)}")
        self.tick(opened={port: kind})
        return port

    def hang_up(self) -> None:
        """Close every port."""
        self.tick(closed=frozenset(self.kernel._ports.lines))

    def feed(self, port: PortId, octets: bytes) -> bytes:
        """Give octets to a port and return what the meter says there."""
        return self.tick(rx={port: octets}).tx.get(port, b"")

    def wait(self, milliseconds: int) -> None:
        """Let time pass, stopping at each wake-up that the meter asks for.

        Raises:
            AssertionError: it asks for more of them than time passing on can explain.
        """
        end, spins = later(self.now, milliseconds), 0
        while self.now < end:
            due = self.last.line_wake_at
            wake = min(end, self.last.wake_at, end if due is None else due)
            self.now = Instant(max(self.now, wake))
            self.tick()
            spins += 1
            assert spins <= MOST_WAKE_UPS, "the meter asks to be woken for ever"

    def copy(self) -> "Bench":
        """Return the same meter at the same moment; what happens to one leaves the other."""
        twin = copy.copy(self)
        shared = {id(self.kernel._objects): self.kernel._objects}
        twin.kernel, twin.flash = copy.deepcopy((self.kernel, self.flash), shared)
        twin.coils = []
        return twin

    @property
    def durable(self) -> dict[str, Any]:
        """What no stranger may change: the state without energy and what counts his attempts.

        Nor the event logs, which say of the latter that they happened, and of each restart.
        """
        state = self.kernel.state
        kept = {each.name: getattr(state, each.name) for each in fields(state)}
        counted = ("energy", "counters", "protections", "events", "relay_events")
        return {name: kept[name] for name in kept if name not in counted}

    def check_ledger(self) -> None:
        """Say that what is shown as the balance is what the posts add up to."""
        totals, shown = self.kernel.state.totals, self.balance
        if self.kernel.view.mode is BalanceMode.LOCAL:
            posts = totals.started + totals.paid + totals.adjusted
            kept = posts - totals.charged - totals.settled
            assert shown == max(-(1 << 31), min(kept, (1 << 31) - 1))
        else:
            assert shown == self.kernel.state.snapshot.balance


@dataclass(frozen=True, slots=True)
class Who:
    """A client: his SAP and how he opens."""

    name: str
    sap: int
    settings: ClientSettings


def _who(name: str, sap: int, **settings: Any) -> Who:
    return Who(name, sap, ClientSettings(**settings))


PUBLIC: Final = _who("public", PUBLIC_SAP)
READER: Final = _who("reader", READER_SAP, mechanism=Mechanism.LLS, secret=LAB_KEYS.password)
LIAR: Final = _who("liar", READER_SAP, mechanism=Mechanism.LLS, secret=b"87654321")
MANAGER: Final = _who(
    "management",
    MANAGEMENT_SAP,
    mechanism=Mechanism.HLS_GMAC,
    context=ApplicationContext.LN_CIPHERED,
    keys=KEYS,
    system_title=CLIENT_TITLE,
)


def small(who: Who, max_pdu: int = 128) -> Who:
    """Return the same client, who takes so short APDUs that long values come in blocks."""
    return replace(who, settings=replace(who.settings, max_pdu_receive=max_pdu))


class Dialogue:
    """One client on one port: both halves of ours, pumped by hand.

    Args:
        bench: the meter's.
        kind: what is spoken on the port.
        who: the client.
        port: an open port; a new one by default.
        information: octets of an HDLC information field, either way.

    Attributes:
        heard: every event of the association.
        sent: every run of octets that went to the meter.
        received: what came back for each.
        apdus: every APDU that went to the meter, as it did.
    """

    def __init__(
        self,
        bench: Bench,
        kind: PortKind,
        who: Who,
        port: PortId | None = None,
        information: int = 512,
    ) -> None:
        self.bench, self.kind, self.who = bench, kind, who
        self.port = bench.open(kind) if port is None else port
        self.link: Link
        if kind is PortKind.HDLC:
            self.peer = Peer(who.sap, LOGICAL_DEVICE, bench.factory.physical)
            parameters = HdlcParameters(information, information)
            self.link = HdlcClient(self.peer, 4, parameters)
        else:
            self.peer = Peer(who.sap, LOGICAL_DEVICE)
            self.link = WrapperLink.client(self.peer)
        guard = ReplayGuard()
        self.association = Association.client(who.settings, bench.challenges, bench.lease, guard)
        self.heard: list[AssociationEvent] = []
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.apdus: list[bytes] = []
        self.connected = False

    def say(self, event: AssociationEvent) -> None:
        """Queue what the association is to do; nothing goes out yet."""
        self.association.send(event, self.bench.now)
        self._pass_on()

    def connect(self) -> None:
        """Ask for a link; an HDLC client waits for UA."""
        self.link.send(LinkConnect(self.peer), self.bench.now)

    def pending(self) -> bytes:
        """Return, once, the octets that would go out next."""
        return self.link.outgoing()

    def exchange(self, octets: bytes | None = None) -> bool:
        """Let our octets go out and take the answer; say whether there were any."""
        octets = self.pending() if octets is None else octets
        if not octets:
            return False
        self.sent.append(octets)
        answer = self.bench.feed(self.port, octets)
        self.received.append(answer)
        for event in self.link.receive(answer, self.bench.now):
            if isinstance(event, LinkConnected):
                self.connected = True
            if isinstance(event, LinkData):
                self.heard += self.association.receive(event.apdu, self.bench.now)
        self._pass_on()
        return True

    def run(self) -> None:
        """Exchange octets until there is nothing more to say."""
        for _ in range(MOST_EXCHANGES):
            if not self.exchange():
                return
        raise AssertionError("a conversation without an end")

    def open(self) -> "Dialogue":
        """Connect and open the association.

        Raises:
            AssertionError: the meter does not let us in.
        """
        self.connect()
        self.run()
        self.say(OpenRequest())
        self.run()
        assert isinstance(self.heard[-1], Opened), self.heard
        return self

    def ask(self, request: Request) -> AssociationEvent:
        """Send a request and return what it came to."""
        self.say(request)
        before = len(self.heard)
        self.run()
        assert len(self.heard) == before + 1, f"{request} had no answer"
        return self.heard[-1]

    def _pass_on(self) -> None:
        while apdu := self.association.outgoing():
            self.apdus.append(apdu)
            self.link.send(LinkData(self.peer, apdu), self.bench.now)


NAME_OF_DEVICE: Final = GetRequest(AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2))


class NextClient:
    """A public client who knows nothing of the past, and reads the logical device name.

    He says the same each time and, as nothing in his association is ciphered or drawn, hears the
    same each time; so he is recorded once, from our own client halves.

    Args:
        bench: a meter, whichever; all have one name.
        kind: what he speaks.
    """

    def __init__(self, bench: Bench, kind: PortKind) -> None:
        self.kind = kind
        dialogue = Dialogue(bench.copy(), kind, PUBLIC).open()
        answer = dialogue.ask(NAME_OF_DEVICE)
        assert isinstance(answer, GetResponse)
        assert isinstance(answer.result, Data)
        assert answer.result.value == NAME.encode()
        self._said = tuple(zip(dialogue.sent, dialogue.received, strict=True))

    def is_served(self, bench: Bench, port: PortId | None = None) -> bool:
        """Say whether he gets the answers that are due, on a new port by default."""
        port = bench.open(self.kind) if port is None else port
        return all(bench.feed(port, octets) == answer for octets, answer in self._said)
