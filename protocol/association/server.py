"""The server's half: every APDU that comes in gets its answer, and nothing makes it raise.

A request becomes one event, however many datablocks it came in, and takes one response, however
many it goes out in. While the response is owed, and between the blocks of a transfer, one value
of bounded length is all that is kept of a client.

| what comes | what goes out |
|---|---|
| AARQ | AARE, as ``negotiation`` decides |
| RLRQ | RLRE, also without an association |
| AARQ, RLRQ where the association is pre-established | AARE: rejected; exception (1, 1) |
| DataNotificationConfirm | an event, and nothing |
| a general block | what general block transfer has for it, or what its APDU would get |
| GET, SET, ACTION, ACCESS while open | an event, then the response; none if unconfirmed |
| the same while challenged | exception (1, 1), except for reply_to_HLS_authentication |
| the same without an association, or while a response is owed | exception (1, 1) |
| READ, WRITE, UnconfirmedWrite where short names were agreed upon | as GET, SET, ACTION |
| what was not negotiated, or an unknown tag | exception (2, 2) |
| undecodable octets | exception (2, 3) |
| an APDU longer than agreed, more members than are executed | exception (1, 4) |
| plain in a ciphered association, ciphered in a plain one, too weak, false | exception (1, 5) |
| a counter used before | exception (1, 6) and the counter that would do |

The numbers are those of ``StateError`` and ``ServiceError``. By short names a
ConfirmedServiceError says the same: see ``short_names``. Exceptions go out plain: the
service-specific ciphering has no tag for them, and a client whose keys are wrong should read
them. None of them changes the state.
"""

from protocol.apdu import (
    ENVELOPES,
    ActionRequestNormal,
    ApduTag,
    DataNotificationConfirmApdu,
    GeneralBlock,
    ReadRequestApdu,
    RequestApdu,
    ResponseApdu,
    ShortNameRequestApdu,
    ShortNameResponseApdu,
    WriteRequestApdu,
)
from protocol.association.envelope import Envelope, largest_addition
from protocol.association.general_blocks import GeneralBlocks, unconfirmed
from protocol.association.notifying import notification
from protocol.association.requests import (
    NOT_NOW,
    REQUESTS,
    TOO_LONG,
    IncomingApdu,
    NotNowError,
    PduTooLongError,
    UnansweredError,
    read_request,
)
from protocol.association.server_opening import ServerOpening
from protocol.association.server_transfers import ServerTransfers
from protocol.association.settings import REPLY_TO_HLS
from protocol.association.short_names_server import ShortNameServerTransfers
from protocol.association.states import State
from protocol.errors import (
    CountersExhausted,
    DecodeError,
    EncodeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    SecurityError,
    ServiceNotSupported,
)
from protocol.events import (
    AssociationEvent,
    ExceptionRaised,
    ListRequest,
    ListResponse,
    Notification,
    Request,
    Response,
    ShortNameRequest,
    ShortNameResponse,
)
from protocol.timing import Instant

#: What opens and ends an association is never long, and a block in blocks is nobody's.
_NOT_IN_BLOCKS = frozenset((ApduTag.AARQ, ApduTag.RLRQ, ApduTag.GENERAL_BLOCK_TRANSFER))
_WRAPPED = ENVELOPES | {ApduTag.GENERAL_BLOCK_TRANSFER}


class ServerHalf(ServerOpening):
    """A server's end of an association; see ``Association.server`` for the arguments."""

    # --- in --------------------------------------------------------------------------------

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take an APDU; whatever is wrong with it is answered, never raised."""
        self._now = now
        try:
            return self._receive(apdu)
        except UnansweredError:
            return []
        except ReplayError as error:
            return self._except(error.state_error, error.service_error, error.expected)
        except RemoteProtocolError as error:
            return self._except(error.state_error, error.service_error)
        except CountersExhausted:
            return self._except(*NOT_NOW)

    def _receive(self, apdu: bytes) -> list[AssociationEvent]:
        self._tag = apdu[0] if apdu else 0
        if not apdu:
            raise DecodeError("an APDU of no octets")
        if apdu[0] == ApduTag.AARQ:
            return self._asked(apdu)
        if apdu[0] == ApduTag.RLRQ:
            return self._left(apdu)
        if self._machine.state == State.IDLE:
            raise NotNowError("there is no association")
        # ``gurux-dlms`` leaves the system title of general-glo-ciphering out of its reckoning,
        # so what an envelope adds is not held against a client.
        slack = largest_addition(self._policy.suite) if apdu[0] in _WRAPPED else 0
        if len(apdu) > self._policy.max_pdu_receive + slack:
            raise PduTooLongError(len(apdu))
        if apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER:
            return self._take_block(apdu)
        if self._general is not None:
            self._general.begin()
        return self._take_request(apdu)

    @property
    def _general(self) -> GeneralBlocks | None:
        transfers = self._transfers
        return transfers.general if isinstance(transfers, ServerTransfers) else None

    def at_a_stretch(self, blocks: int) -> None:
        """Send at most so many general blocks before an acknowledgement, 1 at least."""
        if self._general is not None:
            self._general.stretch = max(1, blocks)

    def _take_block(self, apdu: bytes) -> list[AssociationEvent]:
        """Take a general block, and the request that it completes, of whatever length."""
        if self._general is None:
            raise ServiceNotSupported("general block transfer was not negotiated")
        if self._transfers is None or self._transfers.owed is not None:
            raise NotNowError("a response is owed")
        received = self._general.receive(GeneralBlock.decode(apdu))
        self._outbox.extend(received.send)
        if received.apdu is None:
            return []
        if received.apdu[0] in _NOT_IN_BLOCKS:
            raise DecodeError(f"an APDU {received.apdu[0]} in general blocks")
        return self._take_request(received.apdu)

    def _take_request(self, apdu: bytes) -> list[AssociationEvent]:
        request, envelope = self._unseal(apdu)
        if isinstance(request, DataNotificationConfirmApdu):
            return [request.confirm] if self._machine.state == State.OPEN else []
        if self._silent and request.invoke.confirmed:
            raise NotNowError("a confirmed request of a client that wants no answers")
        handle = self._prove if self._machine.state == State.CHALLENGED else self._serve
        try:
            return handle(request, envelope)
        except RemoteProtocolError as error:
            if request.invoke.confirmed:
                raise
            raise UnansweredError(str(error)) from error

    def _unseal(self, apdu: bytes) -> tuple[IncomingApdu, Envelope | None]:
        policy = self._policy
        if apdu[0] in ENVELOPES:
            if self._channel is None or not policy.is_ciphered:
                raise SecurityError(f"APDU {apdu[0]} is ciphered by a key not in use")
            request, envelope = self._channel.open(apdu, REQUESTS, read_request)
            return request, policy.answering(envelope)
        if apdu[0] not in REQUESTS:
            raise ServiceNotSupported(f"APDU tag {apdu[0]}")
        if policy.is_ciphered and (policy.protection or policy.request_signed):
            raise SecurityError("a plain request in a ciphered association")
        return read_request(apdu), policy.answering(None)

    def _serve(
        self, request: RequestApdu | ShortNameRequestApdu, envelope: Envelope | None
    ) -> list[AssociationEvent]:
        transfers = self._transfers
        if transfers is None or transfers.owed is not None:
            raise NotNowError("a response is owed")
        if isinstance(request, ActionRequestNormal) and request.method == REPLY_TO_HLS:
            raise NotNowError("there is no challenge to reply to")
        answer: AssociationEvent | ResponseApdu | ShortNameResponseApdu
        if isinstance(transfers, ShortNameServerTransfers):
            answer = transfers.request(request, envelope)
        elif isinstance(request, ReadRequestApdu | WriteRequestApdu):
            raise ServiceNotSupported("short names in an association by logical names")
        else:
            answer = transfers.request(request, envelope)
        if isinstance(answer, Request | ListRequest | ShortNameRequest):
            return [answer]
        if request.invoke.confirmed:
            self._answer(answer.encode(), envelope)
        return []

    # --- out -------------------------------------------------------------------------------

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Answer the request that is waiting, or notify.

        Args:
            event: a response of the kind of the request, whose invoke id does not matter because
                that of the request is echoed; an ExceptionRaised; or a notification.
            now: the time; an association of the server's does not need it.

        Raises:
            LocalProtocolError: no such response is owed, or no such notification agreed upon.
            CountersExhausted: no invocation counter is left for a notification.
            EncodeError: a value does not fit its type; the response is still owed.
        """
        del now
        if isinstance(event, Notification):
            opened = self._opened if self._machine.state == State.OPEN else None
            said = notification(self._policy, opened, event)
            self._post(said.apdu, said.envelope)
            if said.block:
                self._outbox.extend(unconfirmed(self._outbox.pop(), said.block))
            return
        owed = None if self._transfers is None else self._transfers.owed
        if self._transfers is None or owed is None:
            raise LocalProtocolError("no response is owed")
        if isinstance(event, ExceptionRaised):
            self._transfers.owed = None
            apdu = self._exception(event.state_error, event.service_error, event.invocation_counter)
            if owed.invoke.confirmed:
                self._outbox.append(apdu)
            return
        if not isinstance(event, Response | ListResponse | ShortNameResponse):
            raise LocalProtocolError(f"a server does not send {type(event).__name__}")
        reply: bytes | None
        if isinstance(self._transfers, ShortNameServerTransfers):
            reply = self._transfers.response(event)
        elif isinstance(event, ShortNameResponse):
            raise LocalProtocolError("short names in an association by logical names")
        else:
            reply = self._transfers.response(event)
        if not owed.invoke.confirmed:
            return
        if reply is None:
            self._except(*TOO_LONG)
            return
        try:
            self._answer(reply, owed.envelope)
        except CountersExhausted:
            # What was asked has been done. All that is left is to say that this key is worn out.
            self._except(*NOT_NOW)

    def _answer(self, apdu: bytes, envelope: Envelope | None) -> None:
        """Send an answer, in general blocks if it is longer than the client takes."""
        self._post(apdu, envelope)
        if self._general is None:
            return
        sealed = self._outbox.pop()
        try:
            self._outbox.extend(self._general.fit(sealed))
        except EncodeError:  # more blocks than there are numbers for
            self._except(*TOO_LONG)

    def wake_at(self) -> None:
        """Return None: a server waits for its client however long it takes."""
