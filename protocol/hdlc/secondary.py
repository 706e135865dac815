"""One connection of a server: the secondary half of the state table, for one client."""

from collections.abc import Callable

from msgspec import Struct

from protocol.errors import DecodeError, LocalProtocolError
from protocol.events import LinkConnected, LinkData, LinkDisconnected, LinkEvent, Peer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.reassembly import LLC_COMMAND, LLC_RESPONSE
from protocol.hdlc.rejection import reject_information, reject_reason
from protocol.hdlc.state import Answer, Role, State, Step, Trigger, step, trigger_of
from protocol.hdlc.transfer import Transfer
from protocol.timing import Instant, earliest, later


class SecondarySettings(Struct, frozen=True):
    """What all connections of a server have in common.

    Args:
        parameters: the lengths of an information field and the windows that we offer.
        inactivity_timeout: milliseconds without a frame after which a connection ends silently.
        answer_within: milliseconds that the layer above has for an answer before the turn is
            given back with RR; the client then polls for it.
        max_apdu: octets of the longest APDU.
    """

    parameters: HdlcParameters
    inactivity_timeout: int
    answer_within: int
    max_apdu: int


class Secondary:
    """The server's half of one connection.

    Args:
        peer: the two ends.
        settings: what it shares with the server's other connections.
        transmit: takes the frames to send, at most a window for each poll.
    """

    def __init__(
        self, peer: Peer, settings: SecondarySettings, transmit: Callable[[Frame], None]
    ) -> None:
        self.state = State.DISCONNECTED
        #: The layer above takes no more for now.
        self.held = False
        self._peer = peer
        self._settings = settings
        self._transmit = transmit
        self._transfer = self._new_transfer(settings.parameters)
        self._rejection = b""
        # Where answers go, in the address form that the client used last.
        self._client = self._server = HdlcAddress(0)
        self._answer_at: Instant | None = None
        self._inactive_at: Instant | None = None

    def receive(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        """Take a frame that is addressed to this connection."""
        trigger = trigger_of(frame.control.kind)
        polled = frame.control.poll
        if trigger is None or (trigger in (Trigger.SNRM, Trigger.DISC) and not polled):
            return []
        agreed = self._transfer.agreed
        if trigger is Trigger.SNRM:
            try:
                proposed = HdlcParameters.from_information(frame.information)
            except DecodeError:
                return []
            agreed = self._settings.parameters.agree(proposed)
        self._client, self._server = frame.source, frame.destination
        if self.state is State.CONNECTED and (reason := reject_reason(frame, self._transfer)):
            self._rejection = reject_information(frame.control, self._transfer, reason)
            trigger = Trigger.REJECTABLE
        taken = step(Role.SECONDARY, self.state, trigger)
        if taken is None:
            return []
        self._inactive_at = later(now, self._settings.inactivity_timeout)
        events = self._take(taken, agreed)
        if taken.answer is Answer.TRANSFER:
            events += self._numbered(frame, now)
        elif polled:
            self._reply(taken.answer)
        return events

    def send(self, apdu: bytes) -> None:
        """Queue an APDU; it goes with the turn that is ours, else with the client's next poll.

        Raises:
            LocalProtocolError: there is no connection, or too much is waiting.
        """
        if self.state is not State.CONNECTED:
            raise LocalProtocolError(f"no HDLC connection with client {self._peer.client}")
        self._transfer.enqueue(apdu)

    def flush(self) -> None:
        """Send what has been queued since the client waits for it, as far as a window goes."""
        if self._answer_at is not None and self._transfer.has_data:
            self._use_turn()

    def at_a_stretch(self, octets: int) -> int:
        """Return how many APDUs of so many octets go out with one turn: 1 at least."""
        agreed = self._transfer.agreed
        frames = -(-(len(LLC_RESPONSE) + octets) // agreed.transmit)
        return max(1, agreed.window_transmit // frames)

    @property
    def awaited(self) -> bool:
        """Whether the turn is ours: the client waits for the layer above to answer."""
        return self._answer_at is not None

    @property
    def address(self) -> HdlcAddress:
        """Our address, in the form that the client used last."""
        return self._server

    def heard(self, now: Instant) -> None:
        """The client is there: it has sent something beside the connection."""
        if self._inactive_at is not None:
            self._inactive_at = later(now, self._settings.inactivity_timeout)

    def disconnect(self) -> list[LinkEvent]:
        """End the connection without a word: the client's next poll is answered with DM."""
        return self._step_alone(Trigger.DISCONNECT)

    def expire(self, now: Instant) -> list[LinkEvent]:
        """Do what the clock says is due."""
        if self._inactive_at is not None and now >= self._inactive_at:
            return self._step_alone(Trigger.EXPIRED)
        if self._answer_at is not None and now >= self._answer_at:
            self._use_turn()
        return []

    def wake_at(self) -> Instant | None:
        """When ``expire`` has something to do."""
        return earliest(self._answer_at, self._inactive_at)

    def _step_alone(self, trigger: Trigger) -> list[LinkEvent]:
        taken = step(Role.SECONDARY, self.state, trigger)
        return [] if taken is None else self._take(taken, self._transfer.agreed)

    def _take(self, taken: Step, agreed: HdlcParameters) -> list[LinkEvent]:
        """Go to the next state and report what ended and began."""
        events: list[LinkEvent] = []
        self.state = taken.state
        if taken.ended is not None:
            events.append(LinkDisconnected(self._peer, taken.ended))
        if taken.began:
            self._transfer = self._new_transfer(agreed)
            self.held = False
            events.append(LinkConnected(self._peer))
        if taken.answer is not Answer.TRANSFER:
            self._answer_at = None
        if taken.state is State.DISCONNECTED:
            self._inactive_at = None
        return events

    def _numbered(self, frame: Frame, now: Instant) -> list[LinkEvent]:
        """Take I, RR or RNR in NRM, and use the turn that its poll bit gives."""
        control, transfer = frame.control, self._transfer
        transfer.acknowledge(control.receive)
        apdu, refused = None, False
        if control.kind is FrameKind.I:
            if not transfer.is_new(control.send):
                if self.awaited:
                    return []  # repeated while the layer above works: its answer is on the way
            elif self._busy:
                refused = True
            else:
                apdu = transfer.accept(frame.information, frame.segmented)
        events: list[LinkEvent] = [] if apdu is None else [LinkData(self._peer, apdu)]
        if not control.poll:
            return events
        if apdu is not None and not transfer.has_data:
            self._answer_at = later(now, self._settings.answer_within)
        else:
            self._use_turn(silent=refused or control.kind is FrameKind.RNR)
        return events

    @property
    def _busy(self) -> bool:
        """Whether we can take no more: told so, or nobody fetches what waits here already."""
        return self.held or self._transfer.full

    def _use_turn(self, *, silent: bool = False) -> None:
        """Send the window that is due, or say that there is none.

        Args:
            silent: no information now: the client cannot take it, or has to hear that we are busy.
        """
        self._answer_at = None
        transfer = self._transfer
        window = [] if silent else transfer.window()
        for place, segment in enumerate(window, 1):
            control = Control(
                FrameKind.I, place == len(window), segment.number, transfer.receive_number
            )
            self._send(control, segment.information, segment.more)
        if not window:
            kind = FrameKind.RNR if self._busy else FrameKind.RR
            self._send(Control(kind, receive=transfer.receive_number))

    def _reply(self, answer: Answer) -> None:
        match answer:
            case Answer.UA if self.state is State.CONNECTED:
                self._send(Control(FrameKind.UA), self._transfer.agreed.to_information())
            case Answer.UA:
                self._send(Control(FrameKind.UA))
            case Answer.DM:
                self._send(Control(FrameKind.DM))
            case Answer.FRMR:
                self._send(Control(FrameKind.FRMR), self._rejection)

    def _send(self, control: Control, information: bytes = b"", more: bool = False) -> None:
        self._transmit(Frame(self._client, self._server, control, information, more))

    def _new_transfer(self, agreed: HdlcParameters) -> Transfer:
        most = self._settings.max_apdu
        return Transfer(agreed, LLC_RESPONSE, LLC_COMMAND, most, joining=True)
