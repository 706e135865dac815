"""What a server makes of an AARQ: checks in their order, one named refusal each.

| what is wrong | result, diagnostic | user-information of the AARE |
|---|---|---|
| version 1 of ACSE is not among those proposed | rejected-permanent, provider: no-common-ACSE-version | none |
| the port is locked | rejected-transient, no-reason-given | none |
| another application context | rejected-permanent, application-context-name-not-supported | none |
| a system title is due and is missing, not 8 octets long, or our own | rejected-permanent, calling-AP-title-not-recognized | none |
| another server is meant than us | rejected-permanent, called-AP-title-not-recognized | none |
| a mechanism is due and none is named | rejected-permanent, authentication-mechanism-name-required | none |
| another mechanism | rejected-permanent, authentication-mechanism-name-not-recognised | none |
| password missing or wrong, challenge missing, shorter than 8 or longer than 64 octets | rejected-permanent, authentication-failure | none |
| a certificate or key for signatures that is not to be trusted | rejected-permanent, calling-AE-qualifier-not-recognized | none |
| user-information not ciphered where it has to be, too weakly, or falsely | rejected-permanent, authentication-failure | none |
| its invocation counter was used before | no AARE: exception response invocation-counter-error, which tells the counter that would do | |
| user-information missing or garbled | rejected-permanent, no-reason-given | initiate error other |
| DLMS version other than 6 | rejected-permanent, no-reason-given | initiate error dlms-version-too-low |
| a dedicated key of another length, or one that is not encrypted; no answer wanted, with HLS | rejected-permanent, no-reason-given | initiate error refused-by-the-VDE-handler |
| no conformance bit in common | rejected-permanent, no-reason-given | initiate error incompatible-conformance |
| the client takes too short APDUs | rejected-permanent, no-reason-given | initiate error pdu-size-too-short |

Numbers as ``gurux-dlms`` and ``pydlms-client`` read them. A refusal is never ciphered: a client
whose keys are wrong could not read it. A client that wants no answer gets none to a refusal
either, once its InitiateRequest has been read.
"""  # noqa: E501 - the rows of a table do not wrap

from protocol.apdu import (
    DLMS_VERSION,
    ENVELOPES,
    Aarq,
    ApduTag,
    ConfirmedServiceError,
    InitiateRequest,
)
from protocol.association.channel import Envelope, SecureChannel
from protocol.association.settings import (
    LEAST_PDU,
    LEAST_SECURE_PDU,
    LEAST_SIGNED_PDU,
    ServerPolicy,
)
from protocol.codes import (
    AssociationResult,
    Conformance,
    InitiateError,
    Mechanism,
    ProviderDiagnostic,
    UserDiagnostic,
)
from protocol.errors import DecodeError, RemoteProtocolError, ReplayError, SecurityError
from protocol.security import CHALLENGE_LENGTHS, TITLE_LENGTH, Protection, password_matches

INITIATE_REQUEST = frozenset((ApduTag.INITIATE_REQUEST,))
#: How an InitiateRequest or InitiateResponse in an envelope begins.
CIPHERED = frozenset(bytes((tag,)) for tag in ENVELOPES)


class AarqRefusedError(RemoteProtocolError):
    """An AARQ that is answered by a rejecting AARE.

    Args:
        message: why, for a human.
        diagnostic: why, for the client.
        initiate_error: why, where it was the InitiateRequest.
        result: whether it is worth trying again.
    """

    def __init__(
        self,
        message: str,
        diagnostic: UserDiagnostic | ProviderDiagnostic,
        initiate_error: InitiateError | None = None,
        result: AssociationResult = AssociationResult.REJECTED_PERMANENT,
    ) -> None:
        super().__init__(message)
        self.result = result
        self.diagnostic = diagnostic
        self.initiate_error = initiate_error

    @property
    def user_information(self) -> bytes:
        """What goes into the AARE."""
        if self.initiate_error is None:
            return b""
        return ConfirmedServiceError.initiate(self.initiate_error).encode()


def check_identity(policy: ServerPolicy, aarq: Aarq) -> None:
    """Check everything outside the user-information.

    Raises:
        AarqRefusedError: by the first of the rules above that is broken.
    """
    if not aarq.protocol_version:
        raise AarqRefusedError("another version of ACSE", ProviderDiagnostic.NO_COMMON_ACSE_VERSION)
    if policy.locked:
        raise AarqRefusedError(
            "the port is locked",
            UserDiagnostic.NO_REASON_GIVEN,
            result=AssociationResult.REJECTED_TRANSIENT,
        )
    if aarq.context not in policy.contexts:
        raise AarqRefusedError(
            "another application context",
            UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
        )
    if policy.is_secure:
        _check_title(policy, aarq.calling_ap_title)
    if aarq.called_ap_title and policy.system_title not in (b"", aarq.called_ap_title):
        raise AarqRefusedError(
            "another server is meant", UserDiagnostic.CALLED_AP_TITLE_NOT_RECOGNIZED
        )
    # A client without authentication either names no mechanism or the lowest, 0.
    offered = aarq.mechanism or Mechanism.NONE
    if offered != policy.mechanism:
        missing = offered == Mechanism.NONE
        raise AarqRefusedError(
            "no mechanism" if missing else "another mechanism",
            UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED
            if missing
            else UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED,
        )
    value = aarq.authentication_value or b""
    if policy.mechanism == Mechanism.LLS and not password_matches(value, policy.secret):
        raise AarqRefusedError("false password", UserDiagnostic.AUTHENTICATION_FAILURE)
    if policy.is_challenged and len(value) not in CHALLENGE_LENGTHS:
        raise AarqRefusedError(
            "a challenge has 8..64 octets", UserDiagnostic.AUTHENTICATION_FAILURE
        )


def read_initiate(
    policy: ServerPolicy, aarq: Aarq, channel: SecureChannel | None
) -> tuple[InitiateRequest, Envelope | None]:
    """Read the user-information.

    Args:
        policy: what is asked of the client.
        aarq: where it is.
        channel: deciphers it; None where the context is not ciphered.

    Returns:
        The request, and the envelope for the InitiateResponse.

    Raises:
        AarqRefusedError: it is missing, garbled or not properly protected.
        ReplayError: its invocation counter was used before.
    """
    try:
        ciphered = aarq.user_information[:1] in CIPHERED
        if channel is None or not (ciphered or policy.protection):
            return _plain_initiate(policy, aarq.user_information)
        if not ciphered:
            raise SecurityError("the InitiateRequest is not ciphered")
        initiate, envelope = channel.open(
            aarq.user_information, INITIATE_REQUEST, InitiateRequest.decode, initiating=True
        )
        _check_dedicated(policy, initiate, envelope.protection)
        return initiate, envelope.answering(policy.response_protection, signed=False)
    except ReplayError:
        raise
    except SecurityError as error:
        raise AarqRefusedError(str(error), UserDiagnostic.AUTHENTICATION_FAILURE) from error
    except DecodeError as error:
        raise _initiate_refused(str(error), InitiateError.OTHER) from error


def _plain_initiate(
    policy: ServerPolicy, information: bytes
) -> tuple[InitiateRequest, Envelope | None]:
    initiate = InitiateRequest.decode(information)
    _check_dedicated(policy, initiate, Protection.NONE)
    envelope = None
    if policy.response_protection:
        envelope = Envelope(policy.response_protection, suite=policy.suite)
    return initiate, envelope


def _check_dedicated(
    policy: ServerPolicy, initiate: InitiateRequest, protection: Protection
) -> None:
    """Refuse a dedicated key that is none, that others may have read, or that is the global one.

    Under the global key, what was ciphered in another association would be believed again.
    """
    key, keys = initiate.dedicated_key, policy.keys
    known = keys is not None and key == keys.block_cipher_key
    wrong = Protection.ENCRYPTED not in protection or len(key) != policy.suite.key_length
    if key and (known or wrong):
        raise _initiate_refused(
            "a dedicated key of another length, not encrypted, or not dedicated",
            InitiateError.REFUSED_BY_THE_VDE_HANDLER,
        )


def check_initiate(policy: ServerPolicy, initiate: InitiateRequest, offered: Conformance) -> None:
    """Check what the client proposes.

    Args:
        policy: what is asked of the client.
        initiate: what it proposes.
        offered: what it can have in its application context.

    Raises:
        AarqRefusedError: by the first of the rules above that is broken.
    """
    if initiate.dlms_version != DLMS_VERSION:
        raise _initiate_refused(
            f"DLMS version {initiate.dlms_version}", InitiateError.DLMS_VERSION_TOO_LOW
        )
    if policy.is_challenged and not initiate.response_allowed:
        raise _initiate_refused(
            "no answer wanted, with HLS", InitiateError.REFUSED_BY_THE_VDE_HANDLER
        )
    if not initiate.conformance & offered:
        raise _initiate_refused(
            "no conformance bit in common", InitiateError.INCOMPATIBLE_CONFORMANCE
        )
    least = LEAST_SECURE_PDU if policy.is_secure or policy.is_challenged else LEAST_PDU
    if policy.mechanism == Mechanism.HLS_ECDSA:
        least = LEAST_SIGNED_PDU
    if 0 < initiate.max_pdu < least:
        raise _initiate_refused(
            f"APDUs of {initiate.max_pdu} octets", InitiateError.PDU_SIZE_TOO_SHORT
        )


def _check_title(policy: ServerPolicy, title: bytes) -> None:
    # Our own title would make both sides use the same nonces under the same key.
    if len(title) != TITLE_LENGTH or title == policy.system_title:
        raise AarqRefusedError(
            "no system title of 8 octets, or ours",
            UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED,
        )


def _initiate_refused(message: str, error: InitiateError) -> AarqRefusedError:
    return AarqRefusedError(message, UserDiagnostic.NO_REASON_GIVEN, error)
