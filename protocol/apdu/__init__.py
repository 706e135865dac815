"""The APDUs, one file a service, as frozen dataclasses with ``encode`` and ``decode``.

``decode`` here looks a decoder up by the first octet. It knows nothing of keys: a ciphered APDU
comes back as an unopened envelope.
"""

from collections.abc import Callable

from protocol.apdu.aare import Aare
from protocol.apdu.aarq import Aarq
from protocol.apdu.action import (
    ActionRequestApdu,
    ActionRequestFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionResponseApdu,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    decode_action_request,
    decode_action_response,
)
from protocol.apdu.ciphered import Ciphered
from protocol.apdu.errors import ConfirmedServiceError, ExceptionResponse
from protocol.apdu.get import (
    GetRequestApdu,
    GetRequestNext,
    GetRequestNormal,
    GetResponseApdu,
    GetResponseDatablock,
    GetResponseNormal,
    decode_get_request,
    decode_get_response,
)
from protocol.apdu.initiate import DLMS_VERSION, VAA_NAME_LN, InitiateRequest, InitiateResponse
from protocol.apdu.release import Rlre, Rlrq
from protocol.apdu.set import (
    SetRequestApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
    SetResponseApdu,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseNormal,
    decode_set_request,
    decode_set_response,
)
from protocol.apdu.tags import (
    DEDICATED,
    GLO_BY_PLAIN,
    NOTIFICATIONS,
    PLAIN_BY_GLO,
    ApduTag,
)
from protocol.errors import DecodeError, ServiceNotSupported

RequestApdu = GetRequestApdu | SetRequestApdu | ActionRequestApdu
ResponseApdu = GetResponseApdu | SetResponseApdu | ActionResponseApdu
AcseApdu = Aarq | Aare | Rlrq | Rlre
Apdu = (
    AcseApdu
    | InitiateRequest
    | InitiateResponse
    | ConfirmedServiceError
    | ExceptionResponse
    | RequestApdu
    | ResponseApdu
    | Ciphered
)

#: Who reads an APDU, by its tag.
DECODERS: dict[int, Callable[[bytes], Apdu]] = {
    ApduTag.INITIATE_REQUEST: InitiateRequest.decode,
    ApduTag.INITIATE_RESPONSE: InitiateResponse.decode,
    ApduTag.CONFIRMED_SERVICE_ERROR: ConfirmedServiceError.decode,
    ApduTag.AARQ: Aarq.decode,
    ApduTag.AARE: Aare.decode,
    ApduTag.RLRQ: Rlrq.decode,
    ApduTag.RLRE: Rlre.decode,
    ApduTag.GET_REQUEST: decode_get_request,
    ApduTag.SET_REQUEST: decode_set_request,
    ApduTag.ACTION_REQUEST: decode_action_request,
    ApduTag.GET_RESPONSE: decode_get_response,
    ApduTag.SET_RESPONSE: decode_set_response,
    ApduTag.ACTION_RESPONSE: decode_action_response,
    ApduTag.EXCEPTION_RESPONSE: ExceptionResponse.decode,
    ApduTag.GENERAL_GLO_CIPHERING: Ciphered.decode,
    **dict.fromkeys(PLAIN_BY_GLO, Ciphered.decode),
}


def decode(apdu: bytes) -> Apdu:
    """Read an APDU of any kind that is known here.

    Raises:
        ServiceNotSupported: no APDU of this tag, or this form of it, is known here.
        SecurityError: a ciphered APDU whose security control octet is not in use here.
        DecodeError: cut short, malformed or too long.
    """
    if not apdu:
        raise DecodeError("an APDU of no octets")
    decoder = DECODERS.get(apdu[0])
    if decoder is None:
        raise ServiceNotSupported(f"APDU tag {apdu[0]}")
    return decoder(apdu)


__all__ = [
    "DECODERS",
    "DEDICATED",
    "DLMS_VERSION",
    "GLO_BY_PLAIN",
    "NOTIFICATIONS",
    "PLAIN_BY_GLO",
    "VAA_NAME_LN",
    "Aare",
    "Aarq",
    "AcseApdu",
    "ActionRequestApdu",
    "ActionRequestFirstPblock",
    "ActionRequestNextPblock",
    "ActionRequestNormal",
    "ActionRequestPblock",
    "ActionResponseApdu",
    "ActionResponseNextPblock",
    "ActionResponseNormal",
    "ActionResponsePblock",
    "Apdu",
    "ApduTag",
    "Ciphered",
    "ConfirmedServiceError",
    "ExceptionResponse",
    "GetRequestApdu",
    "GetRequestNext",
    "GetRequestNormal",
    "GetResponseApdu",
    "GetResponseDatablock",
    "GetResponseNormal",
    "InitiateRequest",
    "InitiateResponse",
    "RequestApdu",
    "ResponseApdu",
    "Rlre",
    "Rlrq",
    "SetRequestApdu",
    "SetRequestDatablock",
    "SetRequestFirstDatablock",
    "SetRequestNormal",
    "SetResponseApdu",
    "SetResponseDatablock",
    "SetResponseLastDatablock",
    "SetResponseNormal",
    "decode",
    "decode_action_request",
    "decode_action_response",
    "decode_get_request",
    "decode_get_response",
    "decode_set_request",
    "decode_set_response",
]
