"""The server's opening, proving and parting: AARQ, HLS passes 3 and 4, RLRQ.

``ServerHalf`` dispatches; this keeps what an association consists of while it stands.
"""

from collections import deque

from protocol.apdu import (
    VAA_NAME_LN,
    Aare,
    Aarq,
    ActionRequestNormal,
    ActionResponseNormal,
    ExceptionResponse,
    InitiateRequest,
    InitiateResponse,
    Rlre,
    Rlrq,
)
from protocol.association.channel import Entropy, Envelope, Guard, SecureChannel, guard_of
from protocol.association.negotiation import (
    CIPHERED,
    INITIATE_REQUEST,
    AarqRefusedError,
    check_identity,
    check_initiate,
    read_initiate,
)
from protocol.association.proofs import Prover, signing_key_of
from protocol.association.requests import (
    NotNowError,
)
from protocol.association.server_transfers import ServerTransfers
from protocol.association.settings import (
    GREATEST_PDU,
    REPLY_TO_HLS,
    SHORT_NAMES,
    ServerPolicy,
)
from protocol.association.short_names import (
    SHORT_NAME_REQUESTS,
    VAA_NAME_SN,
    as_pass_3,
    confirmed_service_error,
    is_by_short_names,
    pass_4,
    usable,
)
from protocol.association.short_names_server import ShortNameServerTransfers
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
    ReplayError,
    SecurityError,
)
from protocol.events import (
    AssociationEvent,
    ExceptionRaised,
    Opened,
    OpenRefused,
    Released,
)
from protocol.security import CounterSource, KeySet, KeyUse, PublicKey, ReplayBook, SignatureMemory
from protocol.timing import Instant


class ServerOpening:
    """What a server's end keeps of an association; see ``Association.server``."""

    def __init__(
        self,
        policy: ServerPolicy,
        entropy: Entropy,
        counters: CounterSource,
        guard: Guard | ReplayBook,
    ) -> None:
        self._policy = policy
        self._entropy = entropy
        self._counters = counters
        self._guards = guard
        self._guard = guard_of(guard, policy.client_system_title, KeyUse.UNICAST)
        self._signatures = guard.signatures if isinstance(guard, ReplayBook) else SignatureMemory()
        self._now = Instant(0)
        self._silent = False  # in an association whose client wants no answers
        self._prover: Prover | None = None
        self._machine = StateMachine()
        self._outbox: deque[bytes] = deque()
        self._channel: SecureChannel | None = None
        self._transfers: ServerTransfers | ShortNameServerTransfers | None = None
        self._opened: Opened | None = None
        self._tag = 0  # of the APDU that came last
        self._client_challenge = b""
        self._challenge = b""
        self._counter_floor = -1
        self._presume()

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
        self._presume()

    def _presume(self) -> None:
        """Begin a pre-established association."""
        policy = self._policy
        if not policy.pre_established:
            return
        title = policy.client_system_title
        if policy.keys is not None and policy.is_secure:
            self._channel = self._secured(policy.keys, title)
        own = policy.system_title if policy.is_secure else b""
        size = policy.max_pdu_receive
        conformance = usable(policy.conformance, by_short_names=False)
        self._opened = Opened(policy.mechanism, conformance, size, title, own)
        self._transfers = ServerTransfers(
            conformance, size, policy.max_assembly, policy.block_window
        )
        self._machine.take(Step.PRESUME)

    def _secured(self, keys: KeySet, title: bytes) -> SecureChannel:
        policy = self._policy
        return SecureChannel(
            keys,
            policy.system_title,
            title,
            self._counters,
            self._guards,
            policy.protection,
            policy.material.towards(title),
            self._entropy,
            signed=policy.request_signed,
            signatures=self._signatures,
        )

    def _post(self, apdu: bytes, envelope: Envelope | None) -> None:
        if envelope is not None and self._channel is not None:
            apdu = self._channel.seal(apdu, envelope)
        self._outbox.append(apdu)

    def _except(
        self, state_error: StateError, service_error: ServiceError, counter: int | None = None
    ) -> list[AssociationEvent]:
        if not (self._silent and self._machine.state == State.OPEN):
            self._outbox.append(self._exception(state_error, service_error, counter))
        return [ExceptionRaised(state_error, service_error, counter)]

    def _exception(
        self, state_error: StateError, service_error: ServiceError, counter: int | None
    ) -> bytes:
        """Return what tells of an exception: by short names it is a ConfirmedServiceError."""
        if self._by_short_names:
            return confirmed_service_error(self._tag, state_error, service_error).encode()
        return ExceptionResponse(state_error, service_error, counter).encode()

    @property
    def _by_short_names(self) -> bool:
        if self._opened is None:
            return self._policy.short_names and self._tag in SHORT_NAME_REQUESTS
        return self._opened.by_short_names

    def _reply(self, response: ActionResponseNormal, envelope: Envelope | None) -> None:
        """Answer HLS pass 3 as it was asked."""
        reply = pass_4(response) if self._by_short_names else response
        self._post(reply.encode(), envelope)

    # --- opening ---------------------------------------------------------------------------

    def _asked(self, apdu: bytes) -> list[AssociationEvent]:
        aarq = Aarq.decode(apdu)
        self._silent = False
        if self._policy.pre_established:
            standing = "the association stands already, and another is not to be had"
            return self._refuse(aarq, AarqRefusedError(standing, UserDiagnostic.NO_REASON_GIVEN))
        self._machine.take(Step.ASK)
        try:
            return self._judge(aarq)
        except AarqRefusedError as refusal:
            self._forget()
            self._machine.take(Step.REFUSE)
            return self._refuse(aarq, refusal)
        except (ReplayError, CountersExhausted):
            self._forget()
            self._machine.take(Step.REFUSE)
            raise

    def _refuse(self, aarq: Aarq, refusal: AarqRefusedError) -> list[AssociationEvent]:
        result = refusal.result
        aare = Aare(
            self._policy.context if aarq.context is None else aarq.context,
            result,
            refusal.diagnostic,
            self._policy.system_title if self._policy.is_secure else b"",
            user_information=refusal.user_information,
        )
        if not self._silent:
            self._outbox.append(aare.encode())
        return [OpenRefused(result, refusal.diagnostic, str(refusal))]

    def _judge(self, aarq: Aarq) -> list[AssociationEvent]:
        policy = self._policy
        check_identity(policy, aarq)
        self._guard = guard_of(self._guards, aarq.calling_ap_title, KeyUse.UNICAST)
        self._counter_floor = self._guard.last
        peer_key = self._peer_key(aarq)
        if policy.needs_keys and policy.keys is not None:
            self._channel = self._secured(policy.keys, aarq.calling_ap_title)
            self._channel.know_signer(peer_key)
        initiate, envelope = read_initiate(
            policy, aarq, self._channel if policy.is_ciphered else None
        )
        self._silent = not initiate.response_allowed
        by_short_names = is_by_short_names(aarq.context)
        offered = usable(policy.conformance, by_short_names=by_short_names)
        check_initiate(policy, initiate, offered)
        conformance = offered & initiate.conformance
        if initiate.dedicated_key and self._channel is not None:
            self._channel.dedicate(initiate.dedicated_key)
        self._prover = Prover(policy, policy.system_title, aarq.calling_ap_title, peer_key)
        self._opened = Opened(
            policy.mechanism,
            conformance,
            initiate.max_pdu,
            aarq.calling_ap_title,
            policy.system_title if policy.is_secure else b"",
            by_short_names,
        )
        transfers = ShortNameServerTransfers if by_short_names else ServerTransfers
        self._transfers = transfers(
            conformance,
            initiate.max_pdu or GREATEST_PDU,
            policy.max_assembly,
            policy.block_window,
        )
        return self._accept(aarq, envelope, self._opened)

    def _peer_key(self, aarq: Aarq) -> PublicKey | None:
        try:
            return signing_key_of(
                self._policy, aarq.calling_ae_qualifier, aarq.calling_ap_title, self._now
            )
        except SecurityError as error:
            raise AarqRefusedError(
                str(error), UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED
            ) from error

    def _accept(
        self, aarq: Aarq, envelope: Envelope | None, opened: Opened
    ) -> list[AssociationEvent]:
        policy = self._policy
        response = self._agreed(opened).encode()
        if envelope is not None and self._channel is not None:
            response = self._channel.seal(response, envelope)
        challenged = policy.is_challenged
        certificate = None
        if challenged:
            self._client_challenge = aarq.authentication_value or b""
            self._challenge = self._entropy(policy.stoc_length)
        if policy.mechanism == Mechanism.HLS_ECDSA:
            certificate = policy.material.certificate
        aare = Aare(
            SHORT_NAMES[policy.context] if opened.by_short_names else policy.context,
            AssociationResult.ACCEPTED,
            UserDiagnostic.AUTHENTICATION_REQUIRED if challenged else UserDiagnostic.NULL,
            opened.server_system_title,
            policy.mechanism if challenged else None,
            self._challenge if challenged else None,
            response,
            b"" if certificate is None else certificate.octets,
        )
        if not self._silent:
            self._outbox.append(aare.encode())
        self._machine.take(Step.CHALLENGE if challenged else Step.ACCEPT)
        return [] if challenged else [opened]

    def _agreed(self, opened: Opened) -> InitiateResponse:
        vaa_name = VAA_NAME_SN if opened.by_short_names else VAA_NAME_LN
        size = self._policy.max_pdu_receive
        return InitiateResponse(opened.conformance, size, vaa_name=vaa_name)

    def _prove(self, request: object, envelope: Envelope | None) -> list[AssociationEvent]:
        """Judge pass 3 and give pass 4.

        The invocation counter in f(StoC) has to be above every one accepted before this AARQ.
        It may be the AARQ's own, that of the envelope around it (``dlms-cosem`` uses it twice)
        or one of its own between them (``gurux-dlms``, ``pydlms-client``): what makes the answer
        fresh is StoC. Later counters have to be above it.
        """
        if self._by_short_names:
            request = as_pass_3(request)
        if not isinstance(request, ActionRequestNormal) or request.method != REPLY_TO_HLS:
            raise NotNowError("HLS pass 3 comes first")
        opened, prover = self._opened, self._prover
        if opened is None or prover is None or not request.invoke.confirmed:
            raise NotNowError("HLS pass 3 has to be confirmed")
        try:
            self._check_proof(prover, request)
        except SecurityError as error:
            self._reply(ActionResponseNormal(request.invoke, ActionResult.OTHER_REASON), envelope)
            self._machine.take(Step.FAIL)
            self._forget()
            return [
                OpenRefused(
                    AssociationResult.REJECTED_PERMANENT,
                    UserDiagnostic.AUTHENTICATION_FAILURE,
                    str(error),
                )
            ]
        proof = prover.answer(self._client_challenge, self._challenge, self._counters.next)
        answer = ActionResponseNormal(request.invoke, ActionResult.SUCCESS, octet_string(proof))
        self._reply(answer, envelope)
        self._machine.take(Step.PROVE)
        return [opened]

    def _check_proof(self, prover: Prover, request: ActionRequestNormal) -> None:
        proof = request.parameter
        if proof is None or proof.tag != Tag.OCTET_STRING:
            raise SecurityError("HLS pass 3 carries no octet-string")
        counter = prover.check(proof.value, self._challenge, self._client_challenge)
        if counter is None:
            return
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
        if self._policy.pre_established:
            raise NotNowError("a pre-established association has no end")
        if self._machine.state == State.IDLE:
            self._outbox.append(Rlre().encode())
            return []
        information = b""
        ciphered = rlrq.user_information[:1] in CIPHERED
        if ciphered and self._policy.is_ciphered and self._channel is not None:
            _, envelope = self._channel.open(
                rlrq.user_information, INITIATE_REQUEST, InitiateRequest.decode, initiating=True
            )
            envelope = envelope.answering(self._policy.response_protection, signed=False)
            information = self._initiate_response(envelope)
        self._outbox.append(Rlre(user_information=information).encode())
        self._machine.take(Step.LEAVE)
        self._machine.take(Step.PART)
        self._forget()
        return [Released()]

    def _initiate_response(self, envelope: Envelope) -> bytes:
        if self._channel is None or self._opened is None:
            return b""
        try:
            return self._channel.seal(self._agreed(self._opened).encode(), envelope)
        except CountersExhausted:
            return b""  # an unproved farewell is better than none

    def _forget(self) -> None:
        self._channel = None
        self._transfers = None
        self._opened = None
        self._prover = None
        self._client_challenge = b""
        self._challenge = b""
