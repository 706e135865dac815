"""Where a conversation can stand when hostile octets arrive, and how to bring a meter there.

Our own client halves drive it, so each state is reached the way a client reaches it. Behind each
stand the octets that this client would say next: they are what mutations of this state start from.
The names before the dot say who got so far: a stranger needs no key for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meter_fw.board import PortId, PortKind
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol import association, axdr
from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestPblock,
    ApduTag,
    Ciphered,
    SetRequestDatablock,
    SetRequestFirstDatablock,
)
from protocol.apdu.tags import GLO_BY_PLAIN
from protocol.cosem.vendor import Order
from protocol.events import (
    AttributeRef,
    GetRequest,
    InvokeId,
    MethodRef,
    OpenRequest,
    ReleaseRequest,
)
from protocol.hdlc import HdlcServer, state
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind, Incomplete, decode_frame
from protocol.hdlc.reassembly import LLC_COMMAND
from protocol.security import CounterLease, Protection, protect
from protocol.wrapper import WrapperLink, build_header
from tests.fuzz.bench import (
    CLIENT_TITLE,
    KEYS,
    LIAR,
    LOGICAL_DEVICE,
    MANAGER,
    PUBLIC,
    READER,
    Bench,
    Dialogue,
    Who,
    small,
)
from tests.meter_fw.rig import number

HDLC, WRAPPER = PortKind.HDLC, PortKind.WRAPPER
OBJECT_LIST: Final = GetRequest(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2))
TRANSACTION: Final = AttributeRef(1, catalogue.TRANSACTION, 2)
DISCONNECT: Final = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
ENTER: Final = MethodRef(115, catalogue.TOKEN_GATEWAY, 1)
#: Information fields so short that an AARQ and every longer answer come in segments.
SEGMENTS: Final = 48
_INVOKE: Final = InvokeId()


@dataclass
class Standing:
    """A meter in a state, and what the next octets would be.

    Args:
        bench: the meter.
        dialogue: the client that brought it there.
        pending: what he would say next.
        cut: how much of it the meter has already, where it was cut within a frame.
        begun: the octets of a value that the meter holds already, in a transfer in blocks.
        order: the APDU that would complete this transfer and be obeyed; empty where none would.
    """

    bench: Bench
    dialogue: Dialogue
    pending: bytes
    cut: bytes = b""
    begun: bytes = b""
    order: bytes = b""

    @property
    def port(self) -> PortId:
        """Where all this is."""
        return self.dialogue.port

    @property
    def who(self) -> Who:
        """The client, as far as the meter knows him."""
        return self.dialogue.who

    def envelope(self, apdu: bytes) -> bytes:
        """Return the octets that carry an APDU to the meter as the next one of this client."""
        if self.dialogue.kind is WRAPPER:
            return build_header(self.who.sap, LOGICAL_DEVICE, len(apdu)) + apdu
        control = Control(FrameKind.I)
        due = _whole_frame(self.cut + self.pending).control
        if due.kind is not FrameKind.SNRM:
            control = Control(FrameKind.I, send=due.send, receive=due.receive)
        server = HdlcAddress(LOGICAL_DEVICE, self.bench.factory.physical, 4)
        return Frame(server, HdlcAddress(self.who.sap), control, LLC_COMMAND + apdu).to_bytes()

    def association_state(self) -> association.State | None:
        """Return where the meter believes its association with this client to be."""
        line = self.bench.kernel._ports.lines.get(self.port)
        session = None if line is None else line._sessions.get(self.dialogue.peer)
        return None if session is None else session.association.state

    def link_state(self) -> state.State:
        """Return where the meter believes its link with this client to be; a stream always is."""
        link = self.bench.kernel._ports.lines[self.port]._link
        if isinstance(link, WrapperLink):
            return state.State.CONNECTED
        assert isinstance(link, HdlcServer)
        connection = link._connections.get(self.dialogue.peer)
        return state.State.DISCONNECTED if connection is None else connection.state


def _whole_frame(octets: bytes) -> Frame:
    found = decode_frame(octets)
    assert not isinstance(found, Incomplete)
    return found[0]


def seal(plain: bytes, counters: CounterLease, tag: int | None = None) -> bytes:
    """Cipher anything at all with the right keys and the next invocation counter.

    Args:
        plain: any octets.
        counters: the management client's.
        tag: the ciphering tag; by default the one that belongs to the first octet of ``plain``.
    """
    if tag is None:
        named = plain[0] if plain else -1
        tag = GLO_BY_PLAIN.get(named, ApduTag.GENERAL_GLO_CIPHERING)
    counter, protection = counters.next(), Protection.AUTHENTICATED_ENCRYPTED
    octets = protect(KEYS, CLIENT_TITLE, counter, protection, plain)
    return Ciphered(tag, protection, counter, octets, CLIENT_TITLE).encode()


# --- ways there --------------------------------------------------------------------------------

Way = Callable[[Bench, PortKind], Standing]


def _fresh(bench: Bench, kind: PortKind) -> Standing:
    dialogue = Dialogue(bench, kind, READER)
    dialogue.connect()
    if kind is WRAPPER:
        dialogue.say(OpenRequest())
    return Standing(bench, dialogue, dialogue.pending())


def _connected(bench: Bench, kind: PortKind) -> Standing:
    dialogue = Dialogue(bench, kind, MANAGER)
    dialogue.connect()
    dialogue.run()
    dialogue.say(OpenRequest())
    return Standing(bench, dialogue, dialogue.pending())


def _rejecting(bench: Bench, kind: PortKind) -> Standing:
    standing = _connected(bench, kind)
    frame = _whole_frame(standing.pending)
    bench.feed(
        standing.port, replace(frame, control=Control(FrameKind.UNKNOWN, octet=0xFF)).to_bytes()
    )
    return standing


def _refused(bench: Bench, kind: PortKind) -> Standing:
    dialogue = Dialogue(bench, kind, LIAR)
    dialogue.connect()
    dialogue.run()
    dialogue.say(OpenRequest())
    dialogue.run()
    dialogue.say(OpenRequest())
    return Standing(bench, dialogue, dialogue.pending())


def _challenged(bench: Bench, kind: PortKind) -> Standing:
    standing = _connected(bench, kind)
    standing.dialogue.exchange(standing.pending)
    return replace(standing, pending=standing.dialogue.pending())


def _open(who: Who) -> Way:
    def way(bench: Bench, kind: PortKind) -> Standing:
        dialogue = Dialogue(bench, kind, who).open()
        dialogue.say(OBJECT_LIST)
        return Standing(bench, dialogue, dialogue.pending())

    return way


def _released(bench: Bench, kind: PortKind) -> Standing:
    dialogue = Dialogue(bench, kind, MANAGER).open()
    dialogue.say(ReleaseRequest())
    dialogue.run()
    dialogue.say(OpenRequest())
    return Standing(bench, dialogue, dialogue.pending())


def _getting(who: Who) -> Way:
    def way(bench: Bench, kind: PortKind) -> Standing:
        dialogue = Dialogue(bench, kind, small(who)).open()
        dialogue.say(OBJECT_LIST)
        dialogue.exchange()
        return Standing(bench, dialogue, dialogue.pending())

    return way


def _block(who: Who, value: Callable[[Bench], bytes], first: bytes, rest: type) -> Way:
    """Give the meter the first half of a value that would move money or the relay."""

    def way(bench: Bench, kind: PortKind) -> Standing:
        standing = _open(who)(bench, kind)
        octets = value(bench)
        begun = octets[: len(octets) // 2]
        apdus = (
            first + axdr.encode_length(len(begun)) + begun,
            rest(_INVOKE, True, 2, octets[len(begun) :]).encode(),
        )
        sealed = [seal(a, bench.lease) if who is MANAGER else a for a in apdus]
        bench.feed(standing.port, standing.envelope(sealed[0]))
        if kind is HDLC:  # that was one frame each way
            frame = _whole_frame(standing.pending)
            due = frame.control
            control = replace(due, send=(due.send + 1) % 8, receive=(due.receive + 1) % 8)
            standing.pending = replace(frame, control=control).to_bytes()
        standing.pending = standing.envelope(sealed[1])
        standing.begun = begun
        standing.order = sealed[1] if who is MANAGER else b""
        return standing

    return way


def _order(bench: Bench) -> bytes:
    kind = Kind.ADJUST if bench.profile == "il" else Kind.SNAPSHOT
    what = 999_999 if bench.profile == "il" else bench.snapshot(7, 999_999)
    return axdr.encode(Order(number(9), kind, what).to_data())


def _setting(who: Who) -> Way:
    first = SetRequestFirstDatablock(_INVOKE, TRANSACTION, None, False, 1, b"").encode()[:-1]
    return _block(who, _order, first, SetRequestDatablock)


def _acting(who: Who) -> Way:
    def way(bench: Bench, kind: PortKind) -> Standing:
        method = ENTER if bench.profile == "il" else DISCONNECT
        first = ActionRequestFirstPblock(_INVOKE, method, False, 1, b"").encode()[:-1]
        return _block(who, _parameter, first, ActionRequestPblock)(bench, kind)

    return way


def _parameter(bench: Bench) -> bytes:
    if bench.profile == "il":
        return axdr.encode(axdr.octet_string(bench.token(9, 5_000)))
    return axdr.encode(axdr.integer(0))


def _cut(way: Way, where: float) -> Way:
    """Stop within the octets of the next frame."""

    def cut(bench: Bench, kind: PortKind) -> Standing:
        standing = way(bench, kind)
        end = max(int(len(standing.pending) * where), 1)
        bench.feed(standing.port, standing.pending[:end])
        return replace(standing, pending=standing.pending[end:], cut=standing.pending[:end])

    return cut


def _segment(bench: Bench, kind: PortKind) -> Standing:
    """Stop between two HDLC segments of an AARQ."""
    dialogue = Dialogue(bench, kind, MANAGER, information=SEGMENTS)
    dialogue.connect()
    dialogue.run()
    dialogue.say(OpenRequest())
    dialogue.exchange()
    return Standing(bench, dialogue, dialogue.pending())


def _answer_segment(bench: Bench, kind: PortKind) -> Standing:
    """Stop between two HDLC segments of an answer."""
    dialogue = Dialogue(bench, kind, MANAGER, information=SEGMENTS).open()
    dialogue.say(OBJECT_LIST)
    dialogue.exchange()
    return Standing(bench, dialogue, dialogue.pending())


@dataclass(frozen=True, slots=True)
class State:
    """One state of the list.

    Args:
        kind: what the port speaks.
        name: who stands where.
        way: how to get there.
        expected: where the association is then; None where there is none.
    """

    kind: PortKind
    name: str
    way: Way
    expected: association.State | None

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.name}"

    def reach(self, bench: Bench) -> Standing:
        """Bring a meter there.

        Raises:
            AssertionError: that is not where it got.
        """
        standing = self.way(bench, self.kind)
        assert standing.pending
        assert standing.association_state() is self.expected, standing.association_state()
        return standing


_NONE, _IDLE = None, association.State.IDLE
_CHALLENGED, _OPEN = association.State.CHALLENGED, association.State.OPEN

_BOTH: Final[tuple[tuple[str, Way, association.State | None], ...]] = (
    ("stranger. nothing said yet", _fresh, _NONE),
    ("stranger. password refused", _refused, _IDLE),
    ("stranger. HLS challenged, pass 3 pending", _challenged, _CHALLENGED),
    ("stranger. public open", _open(PUBLIC), _OPEN),
    ("stranger. public in a GET in blocks", _getting(PUBLIC), _OPEN),
    ("stranger. within a frame", _cut(_fresh, 0.7), _NONE),
    ("stranger. within a header", _cut(_fresh, 0.05), _NONE),
    ("reader. open", _open(READER), _OPEN),
    ("reader. in a SET in blocks", _setting(READER), _OPEN),
    ("reader. in an ACTION in blocks", _acting(READER), _OPEN),
    ("management. open", _open(MANAGER), _OPEN),
    ("management. released", _released, _IDLE),
    ("management. in a GET in blocks", _getting(MANAGER), _OPEN),
    ("management. in a SET in blocks", _setting(MANAGER), _OPEN),
    ("management. in an ACTION in blocks", _acting(MANAGER), _OPEN),
    ("management. within a frame", _cut(_open(MANAGER), 0.7), _OPEN),
)
_HDLC_ONLY: Final[tuple[tuple[str, Way, association.State | None], ...]] = (
    ("stranger. connected", _connected, _IDLE),
    ("stranger. frame rejected", _rejecting, _IDLE),
    ("stranger. between segments of an AARQ", _segment, _IDLE),
    ("management. between segments of an answer", _answer_segment, _OPEN),
)
STATES: Final = tuple(
    State(kind, *row)
    for kind, rows in ((HDLC, _BOTH + _HDLC_ONLY), (WRAPPER, _BOTH))
    for row in rows
)
