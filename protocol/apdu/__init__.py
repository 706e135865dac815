"""The APDUs, one file a service, as values with ``encode`` and ``decode``.

``decode`` here looks a decoder up by the first octet. It knows nothing of keys: a ciphered APDU
comes back as an unopened envelope.
"""

from collections.abc import Callable

from protocol.apdu.aare import Aare
from protocol.apdu.aarq import Aarq
from protocol.apdu.access import (
    AccessKind,
    AccessRequestApdu,
    AccessResponseApdu,
    AccessResult,
    AccessSpecification,
)
from protocol.apdu.action import (
    ActionOutcome,
    ActionRequestApdu,
    ActionRequestFirstPblock,
    ActionRequestListFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionRequestWithList,
    ActionResponseApdu,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    ActionResponseWithList,
    decode_action_request,
    decode_action_response,
)
from protocol.apdu.ciphered import Ciphered
from protocol.apdu.errors import ConfirmedServiceError, ExceptionResponse
from protocol.apdu.general_block_transfer import (
    GENERAL_BLOCK_HEAD,
    MAX_BLOCK_NUMBER,
    MAX_WINDOW,
    GeneralBlock,
)
from protocol.apdu.general_ciphering import (
    AgreedKey,
    GeneralCiphering,
    IdentifiedKey,
    KeyInfo,
    WrappedKey,
)
from protocol.apdu.general_header import GeneralHeader
from protocol.apdu.general_signing import GeneralSigning
from protocol.apdu.get import (
    GetRequestApdu,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseApdu,
    GetResponseDatablock,
    GetResponseNormal,
    GetResponseWithList,
    decode_get_request,
    decode_get_response,
)
from protocol.apdu.information_report import InformationReportApdu
from protocol.apdu.initiate import DLMS_VERSION, VAA_NAME_LN, InitiateRequest, InitiateResponse
from protocol.apdu.notification import (
    DataNotificationApdu,
    DataNotificationConfirmApdu,
    EventNotificationApdu,
    NotificationApdu,
)
from protocol.apdu.read import ReadBlock, ReadBlockNumber, ReadRequestApdu, ReadResponseApdu
from protocol.apdu.release import Rlre, Rlrq
from protocol.apdu.set import (
    SetRequestApdu,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestListFirstDatablock,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseApdu,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
    decode_set_request,
    decode_set_response,
)
from protocol.apdu.tags import (
    DED_BY_PLAIN,
    DEDICATED,
    ENVELOPES,
    GLO_BY_PLAIN,
    NOTIFICATIONS,
    PLAIN_BY_DED,
    PLAIN_BY_GLO,
    ApduTag,
)
from protocol.apdu.variables import (
    BlockNumberAccess,
    ReadDataBlockAccess,
    Variable,
    WriteDataBlockAccess,
)
from protocol.apdu.write import WriteBlockNumber, WriteRequestApdu, WriteResponseApdu
from protocol.errors import DecodeError, ServiceNotSupported

RequestApdu = GetRequestApdu | SetRequestApdu | ActionRequestApdu | AccessRequestApdu
ResponseApdu = GetResponseApdu | SetResponseApdu | ActionResponseApdu | AccessResponseApdu
ShortNameRequestApdu = ReadRequestApdu | WriteRequestApdu
ShortNameResponseApdu = ReadResponseApdu | WriteResponseApdu
AcseApdu = Aarq | Aare | Rlrq | Rlre
Apdu = (
    AcseApdu
    | InitiateRequest
    | InitiateResponse
    | ConfirmedServiceError
    | ExceptionResponse
    | RequestApdu
    | ResponseApdu
    | ShortNameRequestApdu
    | ShortNameResponseApdu
    | InformationReportApdu
    | GeneralBlock
    | NotificationApdu
    | DataNotificationConfirmApdu
    | Ciphered
    | GeneralCiphering
    | GeneralSigning
)

#: Who reads an APDU, by its tag.
DECODERS: dict[int, Callable[[bytes], Apdu]] = {
    ApduTag.INITIATE_REQUEST: InitiateRequest.decode,
    ApduTag.INITIATE_RESPONSE: InitiateResponse.decode,
    ApduTag.CONFIRMED_SERVICE_ERROR: ConfirmedServiceError.decode,
    ApduTag.READ_REQUEST: ReadRequestApdu.decode,
    ApduTag.READ_RESPONSE: ReadResponseApdu.decode,
    ApduTag.WRITE_REQUEST: WriteRequestApdu.decode,
    ApduTag.WRITE_RESPONSE: WriteResponseApdu.decode,
    ApduTag.UNCONFIRMED_WRITE_REQUEST: WriteRequestApdu.decode,
    ApduTag.INFORMATION_REPORT_REQUEST: InformationReportApdu.decode,
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
    ApduTag.ACCESS_REQUEST: AccessRequestApdu.decode,
    ApduTag.ACCESS_RESPONSE: AccessResponseApdu.decode,
    ApduTag.GENERAL_BLOCK_TRANSFER: GeneralBlock.decode,
    ApduTag.DATA_NOTIFICATION: DataNotificationApdu.decode,
    ApduTag.DATA_NOTIFICATION_CONFIRM: DataNotificationConfirmApdu.decode,
    ApduTag.EVENT_NOTIFICATION: EventNotificationApdu.decode,
    ApduTag.GENERAL_GLO_CIPHERING: Ciphered.decode,
    ApduTag.GENERAL_DED_CIPHERING: Ciphered.decode,
    ApduTag.GENERAL_CIPHERING: GeneralCiphering.decode,
    ApduTag.GENERAL_SIGNING: GeneralSigning.decode,
    **dict.fromkeys(PLAIN_BY_GLO, Ciphered.decode),
    **dict.fromkeys(PLAIN_BY_DED, Ciphered.decode),
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
    "DED_BY_PLAIN",
    "DLMS_VERSION",
    "ENVELOPES",
    "GENERAL_BLOCK_HEAD",
    "GLO_BY_PLAIN",
    "MAX_BLOCK_NUMBER",
    "MAX_WINDOW",
    "NOTIFICATIONS",
    "PLAIN_BY_DED",
    "PLAIN_BY_GLO",
    "VAA_NAME_LN",
    "Aare",
    "Aarq",
    "AccessKind",
    "AccessRequestApdu",
    "AccessResponseApdu",
    "AccessResult",
    "AccessSpecification",
    "AcseApdu",
    "ActionOutcome",
    "ActionRequestApdu",
    "ActionRequestFirstPblock",
    "ActionRequestListFirstPblock",
    "ActionRequestNextPblock",
    "ActionRequestNormal",
    "ActionRequestPblock",
    "ActionRequestWithList",
    "ActionResponseApdu",
    "ActionResponseNextPblock",
    "ActionResponseNormal",
    "ActionResponsePblock",
    "ActionResponseWithList",
    "AgreedKey",
    "Apdu",
    "ApduTag",
    "BlockNumberAccess",
    "Ciphered",
    "ConfirmedServiceError",
    "DataNotificationApdu",
    "DataNotificationConfirmApdu",
    "EventNotificationApdu",
    "ExceptionResponse",
    "GeneralBlock",
    "GeneralCiphering",
    "GeneralHeader",
    "GeneralSigning",
    "GetRequestApdu",
    "GetRequestNext",
    "GetRequestNormal",
    "GetRequestWithList",
    "GetResponseApdu",
    "GetResponseDatablock",
    "GetResponseNormal",
    "GetResponseWithList",
    "IdentifiedKey",
    "InformationReportApdu",
    "InitiateRequest",
    "InitiateResponse",
    "KeyInfo",
    "NotificationApdu",
    "ReadBlock",
    "ReadBlockNumber",
    "ReadDataBlockAccess",
    "ReadRequestApdu",
    "ReadResponseApdu",
    "RequestApdu",
    "ResponseApdu",
    "Rlre",
    "Rlrq",
    "SetRequestApdu",
    "SetRequestDatablock",
    "SetRequestFirstDatablock",
    "SetRequestListFirstDatablock",
    "SetRequestNormal",
    "SetRequestWithList",
    "SetResponseApdu",
    "SetResponseDatablock",
    "SetResponseLastDatablock",
    "SetResponseLastDatablockWithList",
    "SetResponseNormal",
    "SetResponseWithList",
    "ShortNameRequestApdu",
    "ShortNameResponseApdu",
    "Variable",
    "WrappedKey",
    "WriteBlockNumber",
    "WriteDataBlockAccess",
    "WriteRequestApdu",
    "WriteResponseApdu",
    "decode",
    "decode_action_request",
    "decode_action_response",
    "decode_get_request",
    "decode_get_response",
    "decode_set_request",
    "decode_set_response",
]
