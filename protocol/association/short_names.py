"""What both sides of an association by short names share, and where it differs from logical names.

* The application context is SN or SN_CIPHERED, the VAA name in the InitiateResponse 0xFA00: the
  short name of the current association, class 12.
* The services are READ, WRITE, UnconfirmedWrite and InformationReport. Blocks, their conformance
  bits and several references at once are the same bits as with logical names.
* HLS pass 3 is a READ of method 8 of the association, with the proof as its parameter and
  selector 0; pass 4 the value read. jDLMS and ``pydlms-client`` agree on that; ``gurux-dlms``
  writes the method instead, and a WRITE has no way to bring pass 4.
* What LN answers by an exception response SN answers by a ConfirmedServiceError, which names the
  service and has an enumeration of errors for each kind of them:

| exception response (state, service) | kind, error |
|---|---|
| service-not-allowed, operation-not-possible | vde-state-error, no-dlms-context |
| service-unknown, service-not-supported | service, service-unsupported |
| service-not-allowed, pdu-too-long | service, pdu-size |
| service-not-allowed, deciphering-error | application-reference, deciphering-error |
| service-not-allowed, invocation-counter-error | application-reference, deciphering-error |
| anything else | service, other |
"""

from typing import Final

from protocol.apdu import (
    ActionRequestNormal,
    ActionResponseNormal,
    ApduTag,
    ConfirmedServiceError,
    ReadRequestApdu,
    ReadResponseApdu,
)
from protocol.association.settings import REPLY_TO_HLS, SHORT_NAMES
from protocol.axdr import Data
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    ServiceError,
    StateError,
)
from protocol.cosem.short_names import CURRENT_ASSOCIATION, REPLY_TO_HLS_NAME
from protocol.events import InvokeId, SelectiveAccess, ShortName

#: The VAA name of a server that is spoken to by short names.
VAA_NAME_SN: Final = CURRENT_ASSOCIATION

#: The services that only short names have, and with them their features.
_SN_ONLY: Final = (
    Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
    | Conformance.INFORMATION_REPORT
    | Conformance.PARAMETERIZED_ACCESS
)
_SN: Final = (
    _SN_ONLY
    | Conformance.GENERAL_PROTECTION
    | Conformance.BLOCK_TRANSFER_GET
    | Conformance.BLOCK_TRANSFER_SET
    | Conformance.MULTIPLE_REFERENCES
)

_READ, _WRITE = 5, 6  # ConfirmedServiceError: the service that failed
_WRITES: Final = frozenset(
    (ApduTag.WRITE_REQUEST, ApduTag.GLO_WRITE_REQUEST, ApduTag.DED_WRITE_REQUEST)
)
#: The tags of the requests by short names, in every wrapping that names them.
SHORT_NAME_REQUESTS: Final = _WRITES | {
    ApduTag.READ_REQUEST,
    ApduTag.GLO_READ_REQUEST,
    ApduTag.DED_READ_REQUEST,
    ApduTag.UNCONFIRMED_WRITE_REQUEST,
    ApduTag.GLO_UNCONFIRMED_WRITE_REQUEST,
    ApduTag.DED_UNCONFIRMED_WRITE_REQUEST,
}
_OTHER: Final = (3, 0)
_ERRORS: Final = {
    (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE): (2, 1),
    (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED): (3, 2),
    (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG): (3, 1),
    (StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR): (0, 6),
    (StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR): (0, 6),
}
_EXCEPTIONS: Final = {error: exception for exception, error in reversed(_ERRORS.items())}


def is_by_short_names(context: int | None) -> bool:
    """Whether short names are spoken in an application context."""
    return context in SHORT_NAMES.values()


def usable(conformance: Conformance, *, by_short_names: bool) -> Conformance:
    """Return those bits of a conformance block that mean something in the context."""
    return conformance & _SN if by_short_names else conformance & ~_SN_ONLY


def confirmed_service_error(
    tag: int, state_error: StateError, service_error: ServiceError
) -> ConfirmedServiceError:
    """Return what answers an APDU of ``tag`` where LN would raise an exception."""
    kind, code = _ERRORS.get((state_error, service_error), _OTHER)
    return ConfirmedServiceError(_WRITE if tag in _WRITES else _READ, kind, code)


def exception_of(error: ConfirmedServiceError) -> tuple[StateError, ServiceError]:
    """Return the exception that a ConfirmedServiceError stands for."""
    other = (StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON)
    return _EXCEPTIONS.get((error.kind, error.code), other)


def pass_3(request: ActionRequestNormal) -> ReadRequestApdu:
    """Return HLS pass 3 as a READ."""
    proof = request.parameter
    access = None if proof is None else SelectiveAccess(0, proof)
    return ReadRequestApdu((ShortName(REPLY_TO_HLS_NAME, access),))


def as_pass_3(request: object) -> ActionRequestNormal | None:
    """Return a READ that is HLS pass 3 as the ACTION that it stands for."""
    match request:
        case ReadRequestApdu((ShortName(address, SelectiveAccess(_, proof)),)):
            if address == REPLY_TO_HLS_NAME:
                return ActionRequestNormal(InvokeId(), REPLY_TO_HLS, proof)
    return None


def pass_4(response: ActionResponseNormal) -> ReadResponseApdu:
    """Return HLS pass 4 as the answer to a READ."""
    if isinstance(response.value, Data):
        return ReadResponseApdu((response.value,))
    return ReadResponseApdu((DataAccessResult(response.result),))


def as_pass_4(response: object) -> ActionResponseNormal | None:
    """Return the answer to a READ that is HLS pass 4 as that to the ACTION."""
    match response:
        case ReadResponseApdu((Data() as proof,)):
            return ActionResponseNormal(InvokeId(), ActionResult.SUCCESS, proof)
        case ReadResponseApdu((DataAccessResult(),)):
            return ActionResponseNormal(InvokeId(), ActionResult.OTHER_REASON)
    return None
