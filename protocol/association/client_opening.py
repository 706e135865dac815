"""The client's opening, proving and parting: AARE, HLS passes 3 and 4, RLRE.

``ClientHalf`` dispatches; this keeps what an association consists of while it stands.
"""

from collections import deque

from obis.values import replace
from protocol.apdu import (
    Aare,
    Aarq,
    ActionRequestNormal,
    ActionResponseNormal,
    ApduTag,
    ConfirmedServiceError,
    InitiateRequest,
    InitiateResponse,
    Rlre,
    Rlrq,
)
from protocol.association.channel import Entropy, Envelope, Guard, SecureChannel
from protocol.association.client_transfers import ClientTransfers
from protocol.association.negotiation import CIPHERED
from protocol.association.proofs import Prover, signing_key_of
from protocol.association.settings import GREATEST_PDU, REPLY_TO_HLS, ClientSettings
from protocol.association.short_names import as_pass_4, pass_3, usable
from protocol.association.short_names_client import ShortNameClientTransfers
from protocol.association.states import State, StateMachine, Step
from protocol.axdr import Data, Tag, octet_string
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Conformance,
    Mechanism,
    ReleaseReason,
    UserDiagnostic,
)
from protocol.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
)
from protocol.events import (
    AssociationEvent,
    InvokeId,
    Opened,
    OpenRefused,
    Released,
)
from protocol.security import (
    TITLE_LENGTH,
    CounterSource,
    KeySet,
    ReplayBook,
)
from protocol.timing import Instant

_INITIATE_RESPONSE = frozenset((ApduTag.INITIATE_RESPONSE,))
_PASS_3 = InvokeId(0)


class ClientOpening:
    """What a client's end keeps of an association; see ``Association.client``."""

    def __init__(
        self,
        settings: ClientSettings,
        entropy: Entropy,
        counters: CounterSource,
        guard: Guard | ReplayBook,
    ) -> None:
        self._settings = settings
        self._entropy = entropy
        self._counters = counters
        self._guard = guard
        self._machine = StateMachine()
        self._outbox: deque[bytes] = deque()
        self._channel: SecureChannel | None = None
        self._transfers: ClientTransfers | ShortNameClientTransfers | None = None
        self._opened: Opened | None = None
        self._challenge = b""
        self._server_challenge = b""
        self._prover: Prover | None = None
        self._now = Instant(0)
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
        self._channel = None
        self._transfers = None
        self._opened = None
        self._challenge = b""
        self._server_challenge = b""
        self._prover = None
        self._presume()

    def _presume(self) -> None:
        """Begin a pre-established association."""
        settings = self._settings
        if not settings.pre_established:
            return
        if settings.needs_keys and settings.keys is not None:
            self._channel = self._secured(settings.keys)
        self._transfers = ClientTransfers(
            settings.conformance,
            settings.max_pdu_receive,
            settings.max_assembly,
            settings.envelope(settings.conformance | Conformance.GENERAL_PROTECTION),
            settings.general_blocks,
            settings.block_window,
            settings.datagrams,
        )
        self._machine.take(Step.PRESUME)

    def _secured(self, keys: KeySet) -> SecureChannel:
        settings = self._settings
        return SecureChannel(
            keys,
            settings.system_title,
            settings.server_system_title,
            self._counters,
            self._guard,
            settings.protection,
            settings.material,
            self._entropy,
            asks=True,
            signed=settings.signing is not None,
        )

    def _ask(self) -> None:
        settings = self._settings
        if settings.pre_established or not self._machine.allows(Step.ASK):
            raise LocalProtocolError(f"no AARQ now: {self.state.value}")
        self.reset()
        if settings.needs_keys and settings.keys is not None:
            self._channel = self._secured(settings.keys)
        value = certificate = None
        if settings.mechanism == Mechanism.LLS:
            value = settings.secret
        elif settings.is_challenged:
            value = self._challenge = self._entropy(settings.ctos_length)
        if settings.mechanism == Mechanism.HLS_ECDSA:
            certificate = settings.material.certificate
        aarq = Aarq(
            settings.context,
            settings.system_title if settings.is_secure else b"",
            settings.mechanism or None,
            value,
            self._initiate_request(),
            b"" if certificate is None else certificate.octets,
            settings.called_ap_title,
            settings.user_id,
        )
        self._outbox.append(aarq.encode())
        self._machine.take(Step.ASK)
        if not settings.response_allowed:
            self._begin(self._offered, settings.max_pdu_receive)
            self._machine.take(Step.ACCEPT)

    def _leave(self) -> None:
        if self._settings.pre_established or not self._machine.allows(Step.LEAVE):
            raise LocalProtocolError(f"no RLRQ now: {self.state.value}")
        # Ciphered user-information proves that it is us who want to leave.
        information = self._initiate_request() if self._settings.is_ciphered else b""
        self._outbox.append(Rlrq(ReleaseReason.NORMAL, information).encode())
        if self._transfers is not None:
            self._transfers.forget()
        self._machine.take(Step.LEAVE)

    @property
    def _offered(self) -> Conformance:
        settings = self._settings
        return usable(settings.conformance, by_short_names=settings.by_short_names)

    def _initiate_request(self) -> bytes:
        settings = self._settings
        channel, envelope, key = self._channel, settings.initiate_envelope, b""
        if channel is not None and settings.dedicated_key:
            key = channel.dedicated_key or self._entropy(settings.suite.key_length)
            channel.dedicate(key)
        request = InitiateRequest(
            self._offered,
            settings.max_pdu_receive,
            dedicated_key=key,
            response_allowed=settings.response_allowed,
        ).encode()
        if channel is None or envelope is None:
            return request
        return channel.seal(request, envelope)

    def _post(self, apdu: bytes, envelope: Envelope | None) -> None:
        if envelope is not None and self._channel is not None:
            apdu = self._channel.seal(apdu, envelope)
        self._outbox.append(apdu)

    # --- opening and closing ---------------------------------------------------------------

    def _answered(self, aare: Aare) -> list[AssociationEvent]:
        if aare.result != AssociationResult.ACCEPTED:
            detail = _initiate_error(aare.user_information)
            self._machine.take(Step.REFUSE)
            self.reset()
            return [OpenRefused(aare.result, aare.diagnostic, detail)]
        settings = self._settings
        if aare.context != settings.context:
            raise RemoteProtocolError(f"the server accepted another context, {aare.context}")
        if settings.is_secure:
            self._check_title(aare.responding_ap_title)
        title = aare.responding_ap_title
        key = signing_key_of(settings, aare.responding_ae_qualifier, title, self._now)
        self._prover = Prover(settings, settings.system_title, title, key)
        if self._channel is not None:
            self._channel.peer_title = title
            self._channel.know_signer(key)
        initiate = self._read_initiate(aare.user_information)
        conformance = initiate.conformance & self._offered
        self._opened = Opened(
            settings.mechanism,
            conformance,
            initiate.max_pdu,
            settings.system_title if settings.is_secure else b"",
            aare.responding_ap_title,
            settings.by_short_names,
        )
        self._begin(conformance, initiate.max_pdu or GREATEST_PDU)
        if not settings.is_challenged:
            self._machine.take(Step.ACCEPT)
            return [self._opened]
        envelope = settings.envelope(conformance)
        self._prove(self._prover, aare.authentication_value or b"", envelope)
        return []

    def _begin(self, conformance: Conformance, max_pdu: int) -> None:
        settings = self._settings
        transfers = ShortNameClientTransfers if settings.by_short_names else ClientTransfers
        self._transfers = transfers(
            conformance,
            max_pdu,
            settings.max_assembly,
            settings.envelope(conformance),
            settings.general_blocks,
            settings.block_window,
            settings.datagrams,
        )

    def _check_title(self, title: bytes) -> None:
        expected = self._settings.server_system_title
        if len(title) != TITLE_LENGTH or title == self._settings.system_title:
            raise SecurityError("the server has no system title of its own")
        if expected and title != expected:
            raise SecurityError("the server has another system title than it should")

    def _read_initiate(self, information: bytes) -> InitiateResponse:
        if self._channel is not None and self._settings.is_ciphered:
            if information[:1] not in CIPHERED:
                raise SecurityError("the InitiateResponse is not ciphered")
            return self._channel.open(
                information, _INITIATE_RESPONSE, InitiateResponse.decode, initiating=True
            )[0]
        return InitiateResponse.decode(information)

    def _prove(self, prover: Prover, server_challenge: bytes, envelope: Envelope | None) -> None:
        if not server_challenge or prover.reflects(server_challenge, self._challenge):
            # A server that returns our challenge would like us to compute its answer for it.
            raise SecurityError("the server sent no challenge of its own")
        self._server_challenge = server_challenge
        proof = prover.answer(server_challenge, self._challenge, self._counters.next)
        request = ActionRequestNormal(_PASS_3, REPLY_TO_HLS, octet_string(proof))
        by_short_names = self._settings.by_short_names
        if envelope is not None and envelope.is_dedicated:
            # Meters that take it under the dedicated key take it under the global one as well;
            # Gurux's expect it so.
            envelope = replace(envelope, is_dedicated=False)
        self._post((pass_3(request) if by_short_names else request).encode(), envelope)
        self._machine.take(Step.CHALLENGE)

    def _proved(self, response: object) -> list[AssociationEvent]:
        """Judge pass 4. Its counter is the server's own affair: CtoS makes the answer fresh."""
        if self._settings.by_short_names:
            response = as_pass_4(response)
        prover, opened = self._prover, self._opened
        if not isinstance(response, ActionResponseNormal) or prover is None or opened is None:
            raise RemoteProtocolError("HLS pass 4 is no ACTION response")
        proof = response.value
        if response.result != ActionResult.SUCCESS:
            self._machine.take(Step.FAIL)
            self.reset()
            return [
                OpenRefused(
                    AssociationResult.REJECTED_PERMANENT,
                    UserDiagnostic.AUTHENTICATION_FAILURE,
                    f"HLS pass 3 refused: {response.result.name.lower()}",
                )
            ]
        if not isinstance(proof, Data) or proof.tag != Tag.OCTET_STRING:
            raise SecurityError("HLS pass 4 carries no octet-string")
        prover.check(proof.value, self._challenge, self._server_challenge)
        self._machine.take(Step.PROVE)
        return [opened]

    def _parted(self, rlre: Rlre) -> list[AssociationEvent]:
        information = rlre.user_information
        if information[:1] in CIPHERED and self._channel is not None:
            self._channel.open(
                information, _INITIATE_RESPONSE, InitiateResponse.decode, initiating=True
            )
        self._machine.take(Step.PART)
        self.reset()
        return [Released()]


def _initiate_error(information: bytes) -> str:
    if information[:1] != bytes((ApduTag.CONFIRMED_SERVICE_ERROR,)):
        return ""
    error = ConfirmedServiceError.decode(information).initiate_error
    return "" if error is None else error.name.lower().replace("_", "-")
