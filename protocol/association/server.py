"""The server's half: every APDU that comes in gets its answer, and nothing makes it raise.

A request becomes one event, however many datablocks it came in, and takes one response, however
many it goes out in. While the response is owed, and between the blocks of a transfer, one value
of bounded length is all that is kept of a client.

| what comes | what goes out |
|---|---|
| AARQ | AARE, as ``negotiation`` decides |
| RLRQ | RLRE, also without an association |
| GET, SET, ACTION while open | an event now, the response when it is sent; none if unconfirmed |
| the same while challenged | exception (1, 1), except for reply_to_HLS_authentication |
| the same without an association, or while a response is owed | exception (1, 1) |
| what was not negotiated, has a list, uses short names, or an unknown tag | exception (2, 2) |
| undecodable octets | exception (2, 3) |
| an APDU longer than agreed | exception (1, 4) |
| plain in a ciphered association, ciphered in a plain one, too weak, false | exception (1, 5) |
| a counter used before | exception (1, 6) and the counter that would do |

The numbers are those of ``StateError`` and ``ServiceError``. Exceptions go out plain: the
service-specific ciphering has no tag for them, and a client whose keys are wrong should read
them. None of them changes the state.
"""

from collections import deque

from protocol.apdu import (
    DEDICATED,
    PLAIN_BY_GLO,
    Aare,
    Aarq,
    ActionRequestNormal,
    ActionResponseNormal,
    ApduTag,
    ExceptionResponse,
    InitiateRequest,
    InitiateResponse,
    RequestApdu,
    Rlre,
    Rlrq,
)
from protocol.association.channel import Entropy, Envelope, Guard, SecureChannel
from protocol.association.negotiation import (
    INITIATE_REQUEST,
    AarqRefusedError,
    check_identity,
    check_initiate,
    read_initiate,
)
from protocol.association.requests import (
    NOT_NOW,
    REQUESTS,
    NotNowError,
    PduTooLongError,
    UnansweredError,
    read_request,
)
from protocol.association.server_transfers import ServerTransfers
from protocol.association.settings import GREATEST_PDU, REPLY_TO_HLS, ServerPolicy
from protocol.association.states import State, StateMachine, Step
from protocol.axdr import Tag, octet_string
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Mechanism,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.errors import (
    CountersExhausted,
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    SecurityError,
    ServiceNotSupported,
)
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    Opened,
    OpenRefused,
    Released,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterSource, Protection, gmac_reply, verify_gmac_reply
from protocol.timing import Instant

_CIPHERED = frozenset(PLAIN_BY_GLO) | {ApduTag.GENERAL_GLO_CIPHERING} | DEDICATED
#: What the largest envelope adds to an APDU.
_ENVELOPE = Envelope(Protection.AUTHENTICATED_ENCRYPTED, is_general=True).length(GREATEST_PDU) - (
    GREATEST_PDU
)


class ServerHalf:
    """A server's end of an association; see ``Association.server`` for the arguments."""

    def __init__(
        self, policy: ServerPolicy, entropy: Entropy, counters: CounterSource, guard: Guard
    ) -> None:
        self._policy = policy
        self._entropy = entropy
        self._counters = counters
        self._guard = guard
        self._machine = StateMachine()
        self._outbox: deque[bytes] = deque()
        self._channel: SecureChannel | None = None
        self._transfers: ServerTransfers | None = None
        self._opened: Opened | None = None
        self._client_challenge = b""
        self._challenge = b""
        self._counter_floor = -1

    @property
    def state(self) -> State:
        """Where the association is."""
        return self._machine.state

    def outgoing(self) -> bytes:
        """Return the next APDU that has to go out."""
        return self._outbox.popleft() if self._outbox else b""

    def reset(self) -> None:
        """Forget the association and whatever was still to go out."""
        self._machine.drop()
        self._outbox.clear()
        self._forget()

    # --- in --------------------------------------------------------------------------------

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take an APDU; whatever is wrong with it is answered, never raised."""
        del now  # nothing in an association of the server's runs out
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
        slack = _ENVELOPE if apdu[0] in _CIPHERED else 0
        if len(apdu) > self._policy.max_pdu_receive + slack:
            raise PduTooLongError(len(apdu))
        request, envelope = self._unseal(apdu)
        handle = self._prove if self._machine.state == State.CHALLENGED else self._serve
        try:
            return handle(request, envelope)
        except RemoteProtocolError as error:
            if request.invoke.confirmed:
                raise
            raise UnansweredError(str(error)) from error

    def _unseal(self, apdu: bytes) -> tuple[RequestApdu, Envelope | None]:
        if apdu[0] in _CIPHERED:
            if self._channel is None or not self._policy.is_ciphered or apdu[0] in DEDICATED:
                raise SecurityError(f"APDU {apdu[0]} is ciphered by a key not in use")
            return self._channel.open(apdu, REQUESTS, read_request)
        if apdu[0] not in REQUESTS:
            raise ServiceNotSupported(f"APDU tag {apdu[0]}")
        if self._policy.is_ciphered:
            raise SecurityError("a plain request in a ciphered association")
        return read_request(apdu), None

    def _serve(self, request: RequestApdu, envelope: Envelope | None) -> list[AssociationEvent]:
        transfers = self._transfers
        if transfers is None or transfers.owed is not None:
            raise NotNowError("a response is owed")
        if isinstance(request, ActionRequestNormal) and request.method == REPLY_TO_HLS:
            raise NotNowError("there is no challenge to reply to")
        answer = transfers.request(request, envelope)
        if isinstance(answer, GetRequest | SetRequest | ActionRequest):
            return [answer]
        if request.invoke.confirmed:
            self._post(answer.encode(), envelope)
        return []

    # --- out -------------------------------------------------------------------------------

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Answer the request that is waiting.

        Args:
            event: a GetResponse, SetResponse or ActionResponse, whose invoke id does not matter
                because that of the request is echoed; or an ExceptionRaised.
            now: the time; an association of the server's does not need it.

        Raises:
            LocalProtocolError: no such response is owed.
            EncodeError: a value does not fit its type; the response is still owed.
        """
        del now
        owed = None if self._transfers is None else self._transfers.owed
        if self._transfers is None or owed is None:
            raise LocalProtocolError("no response is owed")
        if isinstance(event, ExceptionRaised):
            self._transfers.owed = None
            apdu = ExceptionResponse(
                event.state_error, event.service_error, event.invocation_counter
            ).encode()
            if owed.invoke.confirmed:
                self._outbox.append(apdu)
            return
        if not isinstance(event, GetResponse | SetResponse | ActionResponse):
            raise LocalProtocolError(f"a server does not send {type(event).__name__}")
        apdu = self._transfers.response(event)
        if not owed.invoke.confirmed:
            return
        try:
            self._post(apdu, owed.envelope)
        except CountersExhausted:
            # What was asked has been done. All that is left is to say that this key is worn out.
            self._except(*NOT_NOW)

    def _post(self, apdu: bytes, envelope: Envelope | None) -> None:
        if envelope is not None and self._channel is not None:
            apdu = self._channel.seal(apdu, envelope)
        self._outbox.append(apdu)

    def _except(
        self, state_error: StateError, service_error: ServiceError, counter: int | None = None
    ) -> list[AssociationEvent]:
        self._outbox.append(ExceptionResponse(state_error, service_error, counter).encode())
        return [ExceptionRaised(state_error, service_error, counter)]

    # --- opening ---------------------------------------------------------------------------

    def _asked(self, apdu: bytes) -> list[AssociationEvent]:
        aarq = Aarq.decode(apdu)
        self._machine.take(Step.ASK)
        try:
            return self._judge(aarq)
        except AarqRefusedError as refusal:
            self._forget()
            self._machine.take(Step.REFUSE)
            result = AssociationResult.REJECTED_PERMANENT
            aare = Aare(
                self._policy.context if aarq.context is None else aarq.context,
                result,
                refusal.diagnostic,
                self._policy.system_title if self._policy.is_secure else b"",
                user_information=refusal.user_information,
            )
            self._outbox.append(aare.encode())
            return [OpenRefused(result, refusal.diagnostic, str(refusal))]
        except (ReplayError, CountersExhausted):
            self._forget()
            self._machine.take(Step.REFUSE)
            raise

    def _judge(self, aarq: Aarq) -> list[AssociationEvent]:
        policy = self._policy
        check_identity(policy, aarq)
        self._counter_floor = self._guard.last
        if policy.is_secure and policy.keys is not None:
            self._channel = SecureChannel(
                policy.keys,
                policy.system_title,
                aarq.calling_ap_title,
                self._counters,
                self._guard,
                policy.protection,
            )
        initiate, envelope = read_initiate(aarq, self._channel if policy.is_ciphered else None)
        check_initiate(policy, initiate)
        conformance = policy.conformance & initiate.conformance
        self._opened = Opened(
            policy.mechanism,
            conformance,
            initiate.max_pdu,
            aarq.calling_ap_title,
            policy.system_title if policy.is_secure else b"",
        )
        self._transfers = ServerTransfers(
            conformance, initiate.max_pdu or GREATEST_PDU, policy.max_assembly
        )
        return self._accept(aarq, envelope, self._opened)

    def _accept(
        self, aarq: Aarq, envelope: Envelope | None, opened: Opened
    ) -> list[AssociationEvent]:
        policy = self._policy
        response = InitiateResponse(opened.conformance, policy.max_pdu_receive).encode()
        if envelope is not None and self._channel is not None:
            response = self._channel.seal(response, envelope)
        challenged = policy.mechanism == Mechanism.HLS_GMAC
        if challenged:
            self._client_challenge = aarq.authentication_value or b""
            self._challenge = self._entropy(policy.challenge_length)
        aare = Aare(
            policy.context,
            AssociationResult.ACCEPTED,
            UserDiagnostic.AUTHENTICATION_REQUIRED if challenged else UserDiagnostic.NULL,
            opened.server_system_title,
            policy.mechanism if challenged else None,
            self._challenge if challenged else None,
            response,
        )
        self._outbox.append(aare.encode())
        self._machine.take(Step.CHALLENGE if challenged else Step.ACCEPT)
        return [] if challenged else [opened]

    def _prove(self, request: RequestApdu, envelope: Envelope | None) -> list[AssociationEvent]:
        """Judge pass 3 and give pass 4.

        The invocation counter in f(StoC) has to be above every one accepted before this AARQ.
        It may be the AARQ's own, that of the envelope around it (``dlms-cosem`` uses it twice)
        or one of its own between them (``gurux-dlms``, ``pydlms-client``): what makes the answer
        fresh is StoC. Later counters have to be above it.
        """
        if not isinstance(request, ActionRequestNormal) or request.method != REPLY_TO_HLS:
            raise NotNowError("HLS pass 3 comes first")
        opened, channel = self._opened, self._channel
        if opened is None or channel is None or not request.invoke.confirmed:
            raise NotNowError("HLS pass 3 has to be confirmed")
        try:
            self._check_proof(channel, request)
        except SecurityError as error:
            self._post(
                ActionResponseNormal(request.invoke, ActionResult.OTHER_REASON).encode(), envelope
            )
            self._machine.take(Step.FAIL)
            self._forget()
            return [
                OpenRefused(
                    AssociationResult.REJECTED_PERMANENT,
                    UserDiagnostic.AUTHENTICATION_FAILURE,
                    str(error),
                )
            ]
        proof = gmac_reply(
            channel.keys, channel.own_title, self._counters.next(), self._client_challenge
        )
        answer = ActionResponseNormal(request.invoke, ActionResult.SUCCESS, octet_string(proof))
        self._post(answer.encode(), envelope)
        self._machine.take(Step.PROVE)
        return [opened]

    def _check_proof(self, channel: SecureChannel, request: ActionRequestNormal) -> None:
        proof = request.parameter
        if proof is None or proof.tag != Tag.OCTET_STRING:
            raise SecurityError("HLS pass 3 carries no octet-string")
        counter = verify_gmac_reply(channel.keys, channel.peer_title, self._challenge, proof.value)
        if counter <= self._counter_floor:
            raise SecurityError(f"HLS pass 3 uses counter {counter} again")
        if counter > self._guard.last:
            self._guard.accept(counter)

    # --- closing ---------------------------------------------------------------------------

    def _left(self, apdu: bytes) -> list[AssociationEvent]:
        """Answer an RLRQ.

        One whose user-information is ciphered has to be genuine, and is answered likewise. One
        without is taken at its word, because ``gurux-dlms`` sends it so and whoever could forge
        it could cut the line as well.
        """
        rlrq = Rlrq.decode(apdu)
        if self._machine.state == State.IDLE:
            self._outbox.append(Rlre().encode())
            return []
        information = b""
        ciphered = rlrq.user_information[:1] == bytes((ApduTag.GLO_INITIATE_REQUEST,))
        if ciphered and self._policy.is_ciphered and self._channel is not None:
            _, envelope = self._channel.open(
                rlrq.user_information, INITIATE_REQUEST, InitiateRequest.decode
            )
            information = self._initiate_response(envelope)
        self._outbox.append(Rlre(user_information=information).encode())
        self._machine.take(Step.LEAVE)
        self._machine.take(Step.PART)
        self._forget()
        return [Released()]

    def _initiate_response(self, envelope: Envelope) -> bytes:
        if self._channel is None or self._opened is None:
            return b""
        response = InitiateResponse(self._opened.conformance, self._policy.max_pdu_receive)
        try:
            return self._channel.seal(response.encode(), envelope)
        except CountersExhausted:
            return b""  # an unproved farewell is better than none

    def _forget(self) -> None:
        self._channel = None
        self._transfers = None
        self._opened = None
        self._client_challenge = b""
        self._challenge = b""
