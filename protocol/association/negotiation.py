"""What a server makes of an AARQ: checks in their order, one named refusal each.

| what is wrong | result, diagnostic | user-information of the AARE |
|---|---|---|
| another application context | rejected-permanent, application-context-name-not-supported | none |
| a system title is due and is missing, not 8 octets long, or our own | rejected-permanent, calling-AP-title-not-recognized | none |
| a mechanism is due and none is named | rejected-permanent, authentication-mechanism-name-required | none |
| another mechanism | rejected-permanent, authentication-mechanism-name-not-recognised | none |
| password missing or wrong, challenge missing, shorter than 8 or longer than 64 octets | rejected-permanent, authentication-failure | none |
| user-information not ciphered where it has to be, too weakly, or falsely | rejected-permanent, authentication-failure | none |
| its invocation counter was used before | no AARE: exception response invocation-counter-error, which tells the counter that would do | |
| user-information missing or garbled | rejected-permanent, no-reason-given | initiate error other |
| DLMS version other than 6 | rejected-permanent, no-reason-given | initiate error dlms-version-too-low |
| a dedicated key, or no answer wanted: neither is served | rejected-permanent, no-reason-given | initiate error refused-by-the-VDE-handler |
| no conformance bit in common | rejected-permanent, no-reason-given | initiate error incompatible-conformance |
| the client takes too short APDUs | rejected-permanent, no-reason-given | initiate error pdu-size-too-short |

Numbers as ``gurux-dlms`` and ``pydlms-client`` read them. A refusal is never ciphered: a client
whose keys are wrong could not read it.
"""  # noqa: E501 - the rows of a table do not wrap

from protocol.apdu import DLMS_VERSION, Aarq, ApduTag, ConfirmedServiceError, InitiateRequest
from protocol.association.channel import Envelope, SecureChannel
from protocol.association.settings import LEAST_PDU, LEAST_SECURE_PDU, ServerPolicy
from protocol.codes import InitiateError, Mechanism, UserDiagnostic
from protocol.errors import DecodeError, RemoteProtocolError, ReplayError, SecurityError
from protocol.security import CHALLENGE_LENGTHS, TITLE_LENGTH, password_matches

INITIATE_REQUEST = frozenset((ApduTag.INITIATE_REQUEST,))


class AarqRefusedError(RemoteProtocolError):
    """An AARQ that is answered by a rejecting AARE.

    Args:
        message: why, for a human.
        diagnostic: why, for the client.
        initiate_error: why, where it was the InitiateRequest.
    """

    def __init__(
        self,
        message: str,
        diagnostic: UserDiagnostic,
        initiate_error: InitiateError | None = None,
    ) -> None:
        super().__init__(message)
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
    if aarq.context != policy.context:
        raise AarqRefusedError(
            "another application context",
            UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
        )
    if policy.is_secure:
        _check_title(policy, aarq.calling_ap_title)
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
    if policy.mechanism == Mechanism.HLS_GMAC and len(value) not in CHALLENGE_LENGTHS:
        raise AarqRefusedError(
            "a challenge has 8..64 octets", UserDiagnostic.AUTHENTICATION_FAILURE
        )


def read_initiate(
    aarq: Aarq, channel: SecureChannel | None
) -> tuple[InitiateRequest, Envelope | None]:
    """Read the user-information.

    Args:
        aarq: where it is.
        channel: deciphers it; None where the context is not ciphered.

    Returns:
        The request, and the envelope for the InitiateResponse.

    Raises:
        AarqRefusedError: it is missing, garbled or not properly protected.
        ReplayError: its invocation counter was used before.
    """
    try:
        if channel is None:
            return InitiateRequest.decode(aarq.user_information), None
        if aarq.user_information[:1] != bytes((ApduTag.GLO_INITIATE_REQUEST,)):
            raise SecurityError("the InitiateRequest is not ciphered")
        return channel.open(aarq.user_information, INITIATE_REQUEST, InitiateRequest.decode)
    except ReplayError:
        raise
    except SecurityError as error:
        raise AarqRefusedError(str(error), UserDiagnostic.AUTHENTICATION_FAILURE) from error
    except DecodeError as error:
        raise _initiate_refused(str(error), InitiateError.OTHER) from error


def check_initiate(policy: ServerPolicy, initiate: InitiateRequest) -> None:
    """Check what the client proposes.

    Raises:
        AarqRefusedError: by the first of the rules above that is broken.
    """
    if initiate.dlms_version != DLMS_VERSION:
        raise _initiate_refused(
            f"DLMS version {initiate.dlms_version}", InitiateError.DLMS_VERSION_TOO_LOW
        )
    if initiate.dedicated_key or not initiate.response_allowed:
        raise _initiate_refused(
            "a dedicated key, or no answer wanted", InitiateError.REFUSED_BY_THE_VDE_HANDLER
        )
    if not initiate.conformance & policy.conformance:
        raise _initiate_refused(
            "no conformance bit in common", InitiateError.INCOMPATIBLE_CONFORMANCE
        )
    least = LEAST_SECURE_PDU if policy.is_secure else LEAST_PDU
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
