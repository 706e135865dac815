"""The client's half: one question at a time, and no patience for a server that cheats.

What the server may do by the book comes as an event, refusals and exceptions included. What it
may not do is raised as a ``RemoteProtocolError``, after which there is no association any more:
open a new one, or hang up. That covers a false authentication tag, a used invocation counter, an
answer less protected than the request, a false proof of identity, and an answer to something
that was not asked. Notifications are read over.
"""

from collections import deque
from collections.abc import Callable

from protocol.apdu import (
    DEDICATED,
    NOTIFICATIONS,
    PLAIN_BY_GLO,
    Aare,
    Aarq,
    ActionRequestNormal,
    ActionResponseNormal,
    ApduTag,
    ConfirmedServiceError,
    ExceptionResponse,
    InitiateRequest,
    InitiateResponse,
    ResponseApdu,
    Rlre,
    Rlrq,
    decode_action_response,
    decode_get_response,
    decode_set_response,
)
from protocol.association.channel import Entropy, Envelope, Guard, SecureChannel
from protocol.association.client_transfers import ClientTransfers
from protocol.association.settings import GREATEST_PDU, REPLY_TO_HLS, ClientSettings
from protocol.association.states import State, StateMachine, Step
from protocol.axdr import Data, Tag, octet_string
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Conformance,
    Mechanism,
    ReleaseReason,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.errors import (
    LocalProtocolError,
    RemoteProtocolError,
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
    InvokeId,
    Opened,
    OpenRefused,
    OpenRequest,
    Released,
    ReleaseRequest,
    SetRequest,
    SetResponse,
)
from protocol.security import (
    TITLE_LENGTH,
    CounterSource,
    gmac_reply,
    verify_gmac_reply,
)
from protocol.timing import Instant

_READERS: dict[int, Callable[[bytes], ResponseApdu]] = {
    ApduTag.GET_RESPONSE: decode_get_response,
    ApduTag.SET_RESPONSE: decode_set_response,
    ApduTag.ACTION_RESPONSE: decode_action_response,
}
_RESPONSES = frozenset(_READERS)
_INITIATE_RESPONSE = frozenset((ApduTag.INITIATE_RESPONSE,))
_CIPHERED = frozenset(PLAIN_BY_GLO) | {ApduTag.GENERAL_GLO_CIPHERING} | DEDICATED
_PASS_3 = InvokeId(0)


class ClientHalf:
    """A client's end of an association; see ``Association.client`` for the arguments."""

    def __init__(
        self, settings: ClientSettings, entropy: Entropy, counters: CounterSource, guard: Guard
    ) -> None:
        self._settings = settings
        self._entropy = entropy
        self._counters = counters
        self._guard = guard
        self._machine = StateMachine()
        self._outbox: deque[bytes] = deque()
        self._channel: SecureChannel | None = None
        self._transfers: ClientTransfers | None = None
        self._opened: Opened | None = None
        self._challenge = b""

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

    # --- out -------------------------------------------------------------------------------

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Open, ask or release.

        Raises:
            LocalProtocolError: the state does not allow it, or a response is outstanding.
            CountersExhausted: no invocation counter is left.
            EncodeError: a value does not fit its type.
        """
        del now
        match event:
            case OpenRequest():
                self._ask()
            case ReleaseRequest():
                self._leave()
            case GetRequest() | SetRequest() | ActionRequest():
                transfers = self._transfers
                if transfers is None or not self._machine.allows(Step.SERVE):
                    raise LocalProtocolError(f"no request now: {self.state.value}")
                self._post(transfers.start(event), transfers.envelope)
            case _:
                raise LocalProtocolError(f"a client does not send {type(event).__name__}")

    def _ask(self) -> None:
        settings = self._settings
        if not self._machine.allows(Step.ASK):
            raise LocalProtocolError(f"no AARQ now: {self.state.value}")
        self.reset()
        if settings.is_secure and settings.keys is not None:
            self._channel = SecureChannel(
                settings.keys,
                settings.system_title,
                settings.server_system_title,
                self._counters,
                self._guard,
                settings.protection,
            )
        value = None
        if settings.mechanism == Mechanism.LLS:
            value = settings.secret
        elif settings.mechanism == Mechanism.HLS_GMAC:
            value = self._challenge = self._entropy(settings.challenge_length)
        aarq = Aarq(
            settings.context,
            settings.system_title if settings.is_secure else b"",
            settings.mechanism or None,
            value,
            self._initiate_request(),
        )
        self._outbox.append(aarq.encode())
        self._machine.take(Step.ASK)

    def _leave(self) -> None:
        if not self._machine.allows(Step.LEAVE):
            raise LocalProtocolError(f"no RLRQ now: {self.state.value}")
        # Ciphered user-information proves that it is us who want to leave.
        information = self._initiate_request() if self._settings.is_ciphered else b""
        self._outbox.append(Rlrq(ReleaseReason.NORMAL, information).encode())
        if self._transfers is not None:
            self._transfers.forget()
        self._machine.take(Step.LEAVE)

    def _initiate_request(self) -> bytes:
        settings = self._settings
        request = InitiateRequest(settings.conformance, settings.max_pdu_receive).encode()
        if not settings.is_ciphered or self._channel is None:
            return request
        return self._channel.seal(request, Envelope(settings.protection))

    def _post(self, apdu: bytes, envelope: Envelope | None) -> None:
        if envelope is not None and self._channel is not None:
            apdu = self._channel.seal(apdu, envelope)
        self._outbox.append(apdu)

    # --- in --------------------------------------------------------------------------------

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take an APDU.

        Raises:
            RemoteProtocolError: the server did what it may not; the association is over.
            CountersExhausted: no invocation counter is left for what has to go out now.
        """
        del now
        try:
            return self._receive(apdu)
        except RemoteProtocolError:
            self.reset()
            raise

    def _receive(self, apdu: bytes) -> list[AssociationEvent]:
        tag = apdu[0] if apdu else -1
        if tag in NOTIFICATIONS:
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
            ConfirmedServiceError.decode(apdu)
            return self._excepted(
                ExceptionRaised(StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON)
            )
        if tag == ApduTag.AARE and self.state == State.ASKED:
            return self._answered(Aare.decode(apdu))
        if tag == ApduTag.RLRE and self.state == State.LEAVING:
            return self._parted(Rlre.decode(apdu))
        if self.state == State.CHALLENGED:
            return self._proved(self._unseal(apdu))
        if self.state == State.OPEN and self._transfers is not None:
            return self._served(self._transfers, self._unseal(apdu))
        if self.state == State.LEAVING:
            self._unseal(apdu)
            return []  # an answer that crossed our RLRQ
        raise RemoteProtocolError(f"APDU {tag} was not asked for: {self.state.value}")

    def _unseal(self, apdu: bytes) -> ResponseApdu:
        if apdu and apdu[0] in _CIPHERED:
            if self._channel is None or not self._settings.is_ciphered or apdu[0] in DEDICATED:
                raise SecurityError(f"APDU {apdu[0]} is ciphered by a key not in use")
            return self._channel.open(apdu, _RESPONSES, _read_response)[0]
        if self._settings.is_ciphered:
            raise SecurityError("a plain response in a ciphered association")
        return _read_response(apdu)

    def _served(self, transfers: ClientTransfers, response: ResponseApdu) -> list[AssociationEvent]:
        answer = transfers.response(response)
        if answer is None:
            return []
        if isinstance(answer, GetResponse | SetResponse | ActionResponse):
            return [answer]
        self._post(answer.encode(), transfers.envelope)
        return []

    def _excepted(self, event: ExceptionRaised) -> list[AssociationEvent]:
        if self.state == State.OPEN and self._transfers is not None:
            self._transfers.forget()
        else:
            self.reset()  # what was to be opened or released will not be
        return [event]

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
        if self._channel is not None:
            self._check_title(self._channel, aare.responding_ap_title)
        initiate = self._read_initiate(aare.user_information)
        conformance = initiate.conformance & settings.conformance
        self._opened = Opened(
            settings.mechanism,
            conformance,
            initiate.max_pdu,
            settings.system_title if settings.is_secure else b"",
            aare.responding_ap_title,
        )
        general = settings.general_ciphering and Conformance.GENERAL_PROTECTION in conformance
        self._transfers = ClientTransfers(
            conformance,
            initiate.max_pdu or GREATEST_PDU,
            settings.max_assembly,
            Envelope(settings.protection, general) if settings.is_ciphered else None,
        )
        if settings.mechanism != Mechanism.HLS_GMAC:
            self._machine.take(Step.ACCEPT)
            return [self._opened]
        self._prove(aare.authentication_value or b"", self._transfers.envelope)
        return []

    def _check_title(self, channel: SecureChannel, title: bytes) -> None:
        expected = self._settings.server_system_title
        if len(title) != TITLE_LENGTH or title == self._settings.system_title:
            raise SecurityError("the server has no system title of its own")
        if expected and title != expected:
            raise SecurityError("the server has another system title than it should")
        channel.peer_title = title

    def _read_initiate(self, information: bytes) -> InitiateResponse:
        if self._channel is not None and self._settings.is_ciphered:
            if information[:1] != bytes((ApduTag.GLO_INITIATE_RESPONSE,)):
                raise SecurityError("the InitiateResponse is not ciphered")
            opened = self._channel.open(information, _INITIATE_RESPONSE, InitiateResponse.decode)
            return opened[0]
        return InitiateResponse.decode(information)

    def _prove(self, server_challenge: bytes, envelope: Envelope | None) -> None:
        channel = self._channel
        if channel is None or not server_challenge or server_challenge == self._challenge:
            # A server that returns our challenge would like us to compute its answer for it.
            raise SecurityError("the server sent no challenge of its own")
        proof = gmac_reply(channel.keys, channel.own_title, self._counters.next(), server_challenge)
        request = ActionRequestNormal(_PASS_3, REPLY_TO_HLS, octet_string(proof))
        self._post(request.encode(), envelope)
        self._machine.take(Step.CHALLENGE)

    def _proved(self, response: ResponseApdu) -> list[AssociationEvent]:
        """Judge pass 4. Its counter is the server's own affair: CtoS makes the answer fresh."""
        channel, opened = self._channel, self._opened
        if not isinstance(response, ActionResponseNormal) or channel is None or opened is None:
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
        verify_gmac_reply(channel.keys, channel.peer_title, self._challenge, proof.value)
        self._machine.take(Step.PROVE)
        return [opened]

    def _parted(self, rlre: Rlre) -> list[AssociationEvent]:
        information = rlre.user_information
        ciphered = information[:1] == bytes((ApduTag.GLO_INITIATE_RESPONSE,))
        if ciphered and self._channel is not None:
            self._channel.open(information, _INITIATE_RESPONSE, InitiateResponse.decode)
        self._machine.take(Step.PART)
        self.reset()
        return [Released()]


def _read_response(plain: bytes) -> ResponseApdu:
    reader = _READERS.get(plain[0]) if plain else None
    if reader is None:
        raise ServiceNotSupported(f"no response: {plain[:1].hex()}")
    return reader(plain)


def _initiate_error(information: bytes) -> str:
    if information[:1] != bytes((ApduTag.CONFIRMED_SERVICE_ERROR,)):
        return ""
    error = ConfirmedServiceError.decode(information).initiate_error
    return "" if error is None else error.name.lower().replace("_", "-")
