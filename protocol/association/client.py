"""The client's half: one question at a time, and no patience for a server that cheats.

What the server may do by the book comes as an event, refusals and exceptions included. What it
may not do is raised as a ``RemoteProtocolError``, after which there is no association any more:
open a new one, or hang up. That covers a false authentication tag, a used invocation counter, an
answer less protected than the request, a false proof of identity, and an answer to something
that was not asked. Notifications are events too, at any time that the association is open; one
that is less protected than the association is read over, for a stranger may have said it.

The one thing that runs out is the patience of a general block transfer: see ``general_blocks``.
"""

from collections.abc import Callable

from protocol.apdu import (
    ENVELOPES,
    NOTIFICATIONS,
    Aare,
    AccessResponseApdu,
    ApduTag,
    ConfirmedServiceError,
    DataNotificationApdu,
    DataNotificationConfirmApdu,
    EventNotificationApdu,
    ExceptionResponse,
    GeneralBlock,
    InformationReportApdu,
    NotificationApdu,
    ReadResponseApdu,
    RequestApdu,
    ResponseApdu,
    Rlre,
    ShortNameRequestApdu,
    ShortNameResponseApdu,
    WriteResponseApdu,
    decode_action_response,
    decode_get_response,
    decode_set_response,
)
from protocol.apdu.general_block_transfer import MAX_WINDOW
from protocol.association.channel import Envelope
from protocol.association.client_opening import ClientOpening
from protocol.association.client_transfers import ClientTransfers
from protocol.association.general_blocks import GeneralBlocks
from protocol.association.short_names import exception_of
from protocol.association.short_names_client import ShortNameClientTransfers
from protocol.association.states import State, Step
from protocol.errors import (
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    SecurityError,
    ServiceNotSupported,
)
from protocol.events import (
    AssociationEvent,
    DataNotificationConfirm,
    ExceptionRaised,
    ListRequest,
    ListResponse,
    OpenRequest,
    ReleaseRequest,
    Request,
    Response,
    ShortNameRequest,
    ShortNameResponse,
)
from protocol.timing import Instant, later

#: What a client takes once the association stands.
_IncomingApdu = ResponseApdu | ShortNameResponseApdu | NotificationApdu | ConfirmedServiceError

_READERS: dict[int, Callable[[bytes], _IncomingApdu]] = {
    ApduTag.GET_RESPONSE: decode_get_response,
    ApduTag.SET_RESPONSE: decode_set_response,
    ApduTag.ACTION_RESPONSE: decode_action_response,
    ApduTag.ACCESS_RESPONSE: AccessResponseApdu.decode,
    ApduTag.DATA_NOTIFICATION: DataNotificationApdu.decode,
    ApduTag.EVENT_NOTIFICATION: EventNotificationApdu.decode,
    ApduTag.READ_RESPONSE: ReadResponseApdu.decode,
    ApduTag.WRITE_RESPONSE: WriteResponseApdu.decode,
    ApduTag.INFORMATION_REPORT_REQUEST: InformationReportApdu.decode,
    ApduTag.CONFIRMED_SERVICE_ERROR: ConfirmedServiceError.decode,
}
_RESPONSES = frozenset(_READERS)
#: The state in which each of what opens and ends an association is due.
_DUE: dict[int, State] = {ApduTag.AARE: State.ASKED, ApduTag.RLRE: State.LEAVING}


class ClientHalf(ClientOpening):
    """A client's end of an association; see ``Association.client`` for the arguments."""

    _wake: Instant | None = None
    _stretch: int = MAX_WINDOW

    # --- out -------------------------------------------------------------------------------

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Open, ask, confirm a notification, or release.

        Raises:
            LocalProtocolError: the state does not allow it, or a response is outstanding.
            CountersExhausted: no invocation counter is left.
            EncodeError: a value does not fit its type.
        """
        if isinstance(event, Request | ListRequest | ShortNameRequest):
            self._request(event)
            self._rearm(now)
            return
        match event:
            case OpenRequest():
                self._ask()
            case ReleaseRequest():
                self._leave()
            case DataNotificationConfirm():
                self._confirm(event)
            case _:
                raise LocalProtocolError(f"a client does not send {type(event).__name__}")

    def _request(self, event: Request | ListRequest | ShortNameRequest) -> None:
        transfers = self._transfers
        if transfers is None or not self._machine.allows(Step.SERVE):
            raise LocalProtocolError(f"no request now: {self.state.value}")
        if isinstance(transfers, ShortNameClientTransfers):
            if not isinstance(event, ShortNameRequest):
                raise LocalProtocolError("logical names in an association by short names")
            self._carry(transfers.start(event), transfers.envelope)
        elif isinstance(event, ShortNameRequest):
            raise LocalProtocolError("short names in an association by logical names")
        else:
            self._carry(transfers.start(event), transfers.envelope_of(event))

    @property
    def _general(self) -> GeneralBlocks | None:
        transfers = self._transfers
        return transfers.general if isinstance(transfers, ClientTransfers) else None

    def at_a_stretch(self, blocks: int) -> None:
        """Send at most so many general blocks before an acknowledgement, 1 at least."""
        self._stretch = max(1, blocks)

    def _carry(self, apdu: bytes, envelope: Envelope | None) -> None:
        """Send a request, in general blocks if it is longer than the server takes."""
        self._post(apdu, envelope)
        if self._general is not None:
            self._general.begin()
            self._general.stretch = self._stretch
            self._outbox.extend(self._general.fit(self._outbox.pop()))

    def _rearm(self, now: Instant) -> None:
        """Set the time at which a silence in a general block transfer is too long."""
        general = self._general
        owed = general is not None and (general.is_sending or general.is_receiving)
        self._wake = later(now, self._settings.block_silence) if owed else None

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)``: a block is due, and may be lost."""
        return self._wake

    def _confirm(self, event: DataNotificationConfirm) -> None:
        if self.state != State.OPEN:
            raise LocalProtocolError(f"no confirmation now: {self.state.value}")
        settings = self._settings
        envelope = Envelope(settings.protection, True) if settings.is_ciphered else None
        self._post(DataNotificationConfirmApdu(event).encode(), envelope)

    # --- in --------------------------------------------------------------------------------

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take an APDU.

        Raises:
            RemoteProtocolError: the server did what it may not; the association is over.
            CountersExhausted: no invocation counter is left for what has to go out now.
        """
        self._now = now
        if apdu and self._is_late(apdu[0]):
            return []
        try:
            if not apdu and self._wake is not None and now >= self._wake:
                events = self._recover()
            else:
                events = self._receive(apdu)
        except RemoteProtocolError as error:
            if isinstance(error, ReplayError) and self._settings.datagrams:
                return []  # overtaken by what was said after it
            self.reset()
            self._wake = None
            raise
        self._rearm(now)
        return events

    def _is_late(self, tag: int) -> bool:
        """Whether a line of datagrams has brought a copy of what opened or ended something."""
        due = _DUE.get(tag)
        return self._settings.datagrams and due is not None and self.state != due

    def _recover(self) -> list[AssociationEvent]:
        if self._general is not None:
            self._outbox.extend(self._general.recover())
        return []

    def _receive(self, apdu: bytes) -> list[AssociationEvent]:
        tag = apdu[0] if apdu else -1
        if tag in NOTIFICATIONS and (self.state != State.OPEN or self._is_too_plain(tag)):
            return []
        if tag == ApduTag.EXCEPTION_RESPONSE:
            exception = ExceptionResponse.decode(apdu)
            return self._excepted(
                ExceptionRaised(
                    exception.state_error,
                    exception.service_error,
                    exception.invocation_counter,
                )
            )
        if tag == ApduTag.CONFIRMED_SERVICE_ERROR:
            error = ConfirmedServiceError.decode(apdu)
            return self._excepted(ExceptionRaised(*exception_of(error)))
        if tag == ApduTag.AARE and self.state == State.ASKED:
            return self._answered(Aare.decode(apdu))
        if tag == ApduTag.RLRE and self.state == State.LEAVING:
            return self._parted(Rlre.decode(apdu))
        if self.state == State.CHALLENGED:
            return self._proved(self._unseal(apdu))
        if tag == ApduTag.GENERAL_BLOCK_TRANSFER and self.state == State.OPEN:
            return self._take_block(apdu)
        if self.state == State.OPEN and self._transfers is not None:
            return self._served(self._transfers, self._unseal(apdu))
        if self.state == State.LEAVING:
            self._unseal(apdu)
            return []  # an answer that crossed our RLRQ
        raise RemoteProtocolError(f"APDU {tag} was not asked for: {self.state.value}")

    def _take_block(self, apdu: bytes) -> list[AssociationEvent]:
        """Take a general block, and what it completes."""
        block = GeneralBlock.decode(apdu)
        transfers, general = self._transfers, self._general
        if isinstance(transfers, ClientTransfers) and not block.window:
            general = transfers.pushed
        if general is None:
            raise RemoteProtocolError("general block transfer was not negotiated")
        received = general.receive(block)
        self._outbox.extend(received.send)
        if received.apdu is None:
            return []
        if received.apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            raise DecodeError("a general block in general blocks")
        return self._receive(received.apdu)

    def _is_too_plain(self, tag: int) -> bool:
        """Whether a notification is plain and may not be, or of a ciphering not in use."""
        return (tag in ENVELOPES) != self._settings.is_ciphered

    def _unseal(self, apdu: bytes) -> _IncomingApdu:
        if apdu and apdu[0] in ENVELOPES:
            if self._channel is None or not self._settings.is_ciphered:
                raise SecurityError(f"APDU {apdu[0]} is ciphered by a key not in use")
            return self._channel.open(apdu, _RESPONSES, _read_response)[0]
        if self._settings.is_ciphered:
            raise SecurityError("a plain response in a ciphered association")
        return _read_response(apdu)

    def _served(
        self, transfers: ClientTransfers | ShortNameClientTransfers, response: _IncomingApdu
    ) -> list[AssociationEvent]:
        if isinstance(response, NotificationApdu):
            return [response.notification]
        if isinstance(response, ConfirmedServiceError):
            return self._excepted(ExceptionRaised(*exception_of(response)))
        answer: AssociationEvent | RequestApdu | ShortNameRequestApdu | None
        if isinstance(transfers, ShortNameClientTransfers):
            answer = transfers.response(response)
        elif isinstance(response, ReadResponseApdu | WriteResponseApdu):
            raise RemoteProtocolError("short names in an association by logical names")
        else:
            answer = transfers.response(response)
        if answer is None:
            return []
        if isinstance(answer, Response | ListResponse | ShortNameResponse):
            return [answer]
        self._carry(answer.encode(), transfers.envelope)
        return []

    def _excepted(self, event: ExceptionRaised) -> list[AssociationEvent]:
        if self.state == State.OPEN and self._transfers is not None:
            self._transfers.forget()
        else:
            self.reset()  # what was to be opened or released will not be
        return [event]


def _read_response(plain: bytes) -> _IncomingApdu:
    reader = _READERS.get(plain[0]) if plain else None
    if reader is None:
        raise ServiceNotSupported(f"no response: {plain[:1].hex()}")
    return reader(plain)
