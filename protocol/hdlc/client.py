"""The client's half of an HDLC line: the primary half of the state table, for one server."""

from msgspec import Struct

from protocol.errors import DecodeError, LocalProtocolError
from protocol.events import (
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
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.reassembly import DEFAULT_MAX_APDU, LLC_COMMAND, LLC_RESPONSE
from protocol.hdlc.state import Answer, Role, State, Trigger, step, trigger_of
from protocol.hdlc.transfer import Transfer
from protocol.hdlc.unnumbered import UnnumberedReceiver, UnnumberedSender
from protocol.timing import Instant, earliest, later


class ClientTimes(Struct, frozen=True):
    """How patient a client is, in milliseconds.

    Args:
        response: how long an answer may take, from the moment its poll was handed out; on a slow
            line add what both frames need on it.
        inter_octet: silence within a frame after which it is given up.
        poll: how long to wait before asking again a server that has nothing yet.
        patience: how long to go on asking; afterwards the line is silent and the layer above
            decides.
    """

    response: int = 3_000
    inter_octet: int = 500
    poll: int = 300
    patience: int = 30_000


class HdlcClient:
    """The client of one server, a ``protocol.link.Link``.

    With an all-station address as its server it can only send unnumbered data, which nobody
    answers.

    Args:
        peer: our client address, the logical device, and the physical device (0 with a 1-octet
            server address).
        address_length: octets of the server address, 1, 2 or 4.
        parameters: the lengths of an information field and the windows that we propose.
        times: how patient we are.
        retries: how often an unanswered frame is repeated before the connection is given up.
        max_apdu: octets of the longest APDU, sent or received.

    Raises:
        EncodeError: the peer does not fit the addresses.
    """

    def __init__(
        self,
        peer: Peer,
        address_length: int = 1,
        parameters: HdlcParameters | None = None,
        times: ClientTimes | None = None,
        retries: int = 3,
        *,
        max_apdu: int = DEFAULT_MAX_APDU,
    ) -> None:
        self.state = State.DISCONNECTED
        self._peer = peer
        self._client = HdlcAddress(peer.client)
        self._server = HdlcAddress(peer.server, peer.physical, address_length)
        self._parameters = parameters or HdlcParameters()
        self._times = times or ClientTimes()
        self._retries = retries
        self._max_apdu = max_apdu
        self._finder = FrameFinder(self._times.inter_octet)
        self._outgoing = bytearray()
        self._transfer = self._new_transfer(self._parameters)
        self._heard = UnnumberedReceiver(LLC_RESPONSE, max_apdu)
        self._unnumbered = UnnumberedSender(LLC_COMMAND, self._parameters.transmit, max_apdu)
        # The layer above takes no more for now.
        self._held = False
        # The poll that is not answered yet, and when it is to be repeated.
        self._waiting: Frame | None = None
        self._repeats_left = 0
        self._repeat_at: Instant | None = None
        self._extended = False
        # Frames of the window under way that could not be taken, since one before them was lost.
        self._skipped = 0
        # When to ask a server that had nothing yet, and until when to go on asking.
        self._poll_at: Instant | None = None
        self._poll_until: Instant | None = None

    # --- the link --------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        events: list[LinkEvent] = []
        for frame in self._finder.receive(data, now):
            events += self._frame(frame, now)
        if self._repeat_at is not None and now >= self._repeat_at:
            events += self._unanswered(now)
        if self._poll_at is not None and now >= self._poll_at:
            self._send_ready(now)
        return events

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Connect, send an APDU, hold the server up (``LinkBusy``), poll, or disconnect.

        Raises:
            LocalProtocolError: another peer, or the state does not allow it.
        """
        if event.peer != self._peer:
            raise LocalProtocolError(f"this HDLC client talks to {self._peer}, not {event.peer}")
        match event:
            case LinkConnect() if not self._server.is_broadcast:
                self._ask(Trigger.CONNECT, now)
            case LinkDisconnect():
                self._ask(Trigger.DISCONNECT, now)
            case LinkData(apdu=apdu, unnumbered=True):
                self._send_unnumbered(apdu, now)
            case LinkData(apdu=apdu) if self.state is State.CONNECTED:
                self._transfer.enqueue(apdu)
                if self._waiting is None:
                    self._speak(now)
            case LinkBusy(busy=busy) if self.state is State.CONNECTED:
                self._hold(busy, now)
            case LinkWanted():
                self._ask_for_more(now)
            case _:
                name = type(event).__name__
                raise LocalProtocolError(f"{name} is not possible, the link is {self.state.name}")

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return earliest(self._finder.wake_at(), self._repeat_at, self._poll_at)

    # --- what comes in ---------------------------------------------------------------------------

    def _frame(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        if not self._is_ours(frame):
            return []
        if frame.control.kind is FrameKind.UI:
            return self._pushed(frame, now)
        trigger = trigger_of(frame.control.kind)
        taken = None if trigger is None else step(Role.PRIMARY, self.state, trigger)
        if taken is None:
            return []
        if taken.answer is Answer.TRANSFER:
            return self._numbered(frame, now)
        if taken.began:
            try:
                stated = HdlcParameters.from_information(frame.information)
            except DecodeError:
                return []
            self._transfer = self._new_transfer(self._parameters.agree(stated))
            self._held = False
        self._be_silent()
        self.state = taken.state
        if taken.ended is not None:
            return [LinkDisconnected(self._peer, taken.ended)]
        return [LinkConnected(self._peer)]

    def _is_ours(self, frame: Frame) -> bool:
        server, client = frame.source, frame.destination
        for_all = frame.control.kind is FrameKind.UI and client == HdlcAddress(client.everybody)
        return (client == self._client or for_all) and (server.upper, server.lower) == (
            self._server.upper,
            self._server.lower,
        )

    def _pushed(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        """Take a UI frame; it gives us the turn only if we had given it away for one."""
        apdu = self._heard.accept(frame)
        if frame.control.poll and self._letting:
            self._be_silent()
            self._go_on(now)
        return [] if apdu is None else [LinkData(self._peer, apdu, unnumbered=True)]

    def _numbered(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        """Take I, RR or RNR in NRM. What is stale or false is dropped: the time-out repeats."""
        control, transfer = frame.control, self._transfer
        if not transfer.can_acknowledge(control.receive):
            return []
        if control.kind is FrameKind.I:
            return self._information(frame, now)
        moved = transfer.acknowledge(control.receive)
        ready = control.kind is FrameKind.RR
        if ready and transfer.has_outstanding and not moved and not self._enquiring:
            # The answer of an earlier poll, seen twice. To repeat our frames now would make every
            # later one go out twice; if they were lost indeed, their time-out finds out.
            return []
        if control.poll:
            self._be_silent()
            if ready and transfer.has_data:
                self._speak(now, moved=moved)
            elif self._poll_until is not None and now < self._poll_until:
                self._poll_at = later(now, self._times.poll)
        return []

    def _information(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        control, transfer = frame.control, self._transfer
        if len(frame.information) > self._parameters.receive:
            return []
        if not transfer.is_new(control.send):
            if transfer.is_ahead(control.send):
                self._gap(control, now)
            return []
        moved = transfer.acknowledge(control.receive)
        if self._held:
            if control.poll:
                self._send_ready(now)
            return []
        apdu = transfer.accept(frame.information, frame.segmented)
        if control.poll:
            self._be_silent()
            self._speak(now, moved=moved)
        elif self._waiting is not None:  # the rest of the window is under way
            self._wait(now)
        if apdu is not None and self._waiting is None:
            self._poll_until = None
        return [] if apdu is None else [LinkData(self._peer, apdu)]

    def _gap(self, control: Control, now: Instant) -> None:
        """A frame before this one was lost: at the end of the window ask for the rest again."""
        if self._waiting is None:
            return
        if not control.poll:
            self._skipped += 1
            if self._skipped < self._transfer.agreed.window_receive:
                self._wait(now)
        elif self._repeats_left > 0:  # else the time-out gives up
            self._repeats_left -= 1
            self._transfer.acknowledge(control.receive)
            self._send_ready(now, again=True)

    # --- what goes out ---------------------------------------------------------------------------

    def _ask(self, trigger: Trigger, now: Instant) -> None:
        """Send SNRM or DISC, where the state has a row for it."""
        taken = step(Role.PRIMARY, self.state, trigger)
        if taken is None:
            raise LocalProtocolError(
                f"{trigger.name} is not possible, the link is {self.state.name}"
            )
        self.state = taken.state
        self._poll_until = None
        self._be_silent()
        self._finder.clear()
        information = b""
        if taken.answer is Answer.SNRM and self._parameters != HdlcParameters():
            information = self._parameters.to_information()
        kind = FrameKind.SNRM if taken.answer is Answer.SNRM else FrameKind.DISC
        self._poll([Frame(self._server, self._client, Control(kind), information)], now)

    def _send_unnumbered(self, apdu: bytes, now: Instant) -> None:
        """Queue an APDU for UI frames, or, with none, let the server send its own."""
        if apdu:
            self._unnumbered.enqueue(self._server, self._client, apdu)
            if self._waiting is None:
                self._write(self._unnumbered.take(self._server))
        elif self._waiting is None and not self._server.is_broadcast:
            self._poll([Frame(self._server, self._client, Control(FrameKind.UI))], now)
        else:
            raise LocalProtocolError("the server cannot be let speak: an answer is due")

    def _hold(self, busy: bool, now: Instant) -> None:
        self._held = busy
        if not busy:
            self._poll_until = later(now, self._times.patience)
            if self._waiting is None:
                self._send_ready(now)

    def _ask_for_more(self, now: Instant) -> None:
        """Poll for what follows an APDU, unless the server has the turn or is asked again soon."""
        if self.state is State.CONNECTED and self._waiting is None and self._poll_at is None:
            self._poll_until = later(now, self._times.patience)
            self._send_ready(now)

    def _speak(self, now: Instant, *, moved: bool = True) -> None:
        """Use our turn: fetch the rest of a begun PDU, else send what is due, else be silent.

        Args:
            now: the time.
            moved: the server has acknowledged something: what is outstanding is no repetition yet.
        """
        transfer = self._transfer
        again = transfer.has_outstanding and not moved
        if not again:
            self._poll_until = later(now, self._times.patience)
        if transfer.reassembling:
            self._send_ready(now)
            return
        window = transfer.window()
        if not window:
            return
        frames = []
        for place, segment in enumerate(window, 1):
            control = Control(
                FrameKind.I, place == len(window), segment.number, transfer.receive_number
            )
            frames.append(
                Frame(self._server, self._client, control, segment.information, segment.more)
            )
        self._poll(frames, now, again=again)

    def _go_on(self, now: Instant) -> None:
        """The turn is ours: send what has been waiting for it."""
        self._write(self._unnumbered.take(self._server))
        if self.state is State.CONNECTED and self._transfer.has_data:
            self._speak(now)

    def _send_ready(self, now: Instant, *, again: bool = False) -> None:
        kind = FrameKind.RNR if self._held else FrameKind.RR
        control = Control(kind, receive=self._transfer.receive_number)
        self._poll([Frame(self._server, self._client, control)], now, again=again)

    def _poll(self, frames: list[Frame], now: Instant, *, again: bool = False) -> None:
        """Hand the turn over with ``frames``; ``again`` counts them as a repetition."""
        self._poll_at = None
        self._waiting = frames[-1]
        if not again:
            self._repeats_left = self._retries
        self._write(self._unnumbered.take(self._server))
        self._write(frames)
        self._skipped = 0
        self._wait(now)

    def _write(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._outgoing += frame.to_bytes()

    def _wait(self, now: Instant) -> None:
        """Wait for the answer, or for more of it."""
        self._repeat_at = later(now, self._times.response)
        self._extended = False

    def _unanswered(self, now: Instant) -> list[LinkEvent]:
        """Repeat the frame that got no answer, or give up."""
        frame = self._waiting
        if frame is None:
            return []
        if self._finder.in_frame and not self._extended:
            # An answer is under way. One extension only: a babbler must not hold us for ever.
            self._extended = True
            self._repeat_at = later(now, self._times.response)
            return []
        if self._letting:  # it had nothing, or both were lost: nobody promised anything
            self._be_silent()
            self._go_on(now)
            return []
        if self._repeats_left > 0:
            self._repeats_left -= 1
            if self.state is State.CONNECTED:
                # Ask before repeating an information frame: not every meter out there drops one
                # that it has taken already.
                self._send_ready(now, again=True)
            else:
                self._poll([frame], now, again=True)
            return []
        taken = step(Role.PRIMARY, self.state, Trigger.EXPIRED)
        self._be_silent()
        if taken is None or taken.ended is None:
            return []
        self.state = taken.state
        return [LinkDisconnected(self._peer, taken.ended)]

    @property
    def _enquiring(self) -> bool:
        """Whether the poll that is not answered yet asks what became of an earlier one."""
        asking = (FrameKind.RR, FrameKind.RNR)
        return self._waiting is not None and self._waiting.control.kind in asking

    @property
    def _letting(self) -> bool:
        """Whether the poll that is not answered yet lets the server send its UI frames."""
        return self._waiting is not None and self._waiting.control.kind is FrameKind.UI

    def _be_silent(self) -> None:
        """The turn is ours: nothing is waited for."""
        self._waiting = self._repeat_at = self._poll_at = None

    def _new_transfer(self, agreed: HdlcParameters) -> Transfer:
        return Transfer(agreed, LLC_COMMAND, LLC_RESPONSE, self._max_apdu)
