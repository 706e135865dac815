"""Which APDUs are requests, how they are read, and why one is not even tried."""

from collections.abc import Callable

from protocol.apdu import (
    AccessRequestApdu,
    ApduTag,
    DataNotificationConfirmApdu,
    ReadRequestApdu,
    RequestApdu,
    ShortNameRequestApdu,
    WriteRequestApdu,
    decode_action_request,
    decode_get_request,
    decode_set_request,
)
from protocol.codes import ServiceError, StateError
from protocol.errors import RemoteProtocolError

#: What a server takes: requests, and the word that a client has a notification.
IncomingApdu = RequestApdu | ShortNameRequestApdu | DataNotificationConfirmApdu

_READERS: dict[int, Callable[[bytes], IncomingApdu]] = {
    ApduTag.GET_REQUEST: decode_get_request,
    ApduTag.SET_REQUEST: decode_set_request,
    ApduTag.ACTION_REQUEST: decode_action_request,
    ApduTag.READ_REQUEST: ReadRequestApdu.decode,
    ApduTag.WRITE_REQUEST: WriteRequestApdu.decode,
    ApduTag.UNCONFIRMED_WRITE_REQUEST: WriteRequestApdu.decode,
    ApduTag.ACCESS_REQUEST: AccessRequestApdu.decode,
    ApduTag.DATA_NOTIFICATION_CONFIRM: DataNotificationConfirmApdu.decode,
}
#: The tags of what a server takes.
REQUESTS = frozenset(_READERS)

#: The exception for a service that the present state does not allow.
NOT_NOW = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
#: The exception for what is longer than was agreed.
TOO_LONG = (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)

_INVOKE_OFFSET = 2  # tag, choice, invoke-id-and-priority
_LONG_INVOKE_OFFSET = 1  # tag, long-invoke-id-and-priority
_CONFIRMED = 0x40


class NotNowError(RemoteProtocolError):
    """A service that the present state does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(message, *NOT_NOW)


class PduTooLongError(RemoteProtocolError):
    """An APDU longer than this side said it takes."""

    def __init__(self, length: int) -> None:
        super().__init__(f"an APDU of {length} octets", *TOO_LONG)


class UnansweredError(RemoteProtocolError):
    """An unconfirmed request that cannot be served: nobody waits to hear of it."""


def read_request(plain: bytes) -> IncomingApdu:
    """Read a plain APDU whose tag is one of ``REQUESTS``.

    Raises:
        UnansweredError: it is malformed or unsupported, and nobody waits for an answer.
        ServiceNotSupported: a form of the service that is not served.
        DecodeError: cut short, malformed or too long.
    """
    try:
        return _READERS[plain[0]](plain)
    except RemoteProtocolError as error:
        confirm = plain[0] == ApduTag.DATA_NOTIFICATION_CONFIRM
        is_access = plain[0] == ApduTag.ACCESS_REQUEST
        offset = _LONG_INVOKE_OFFSET if is_access else _INVOKE_OFFSET
        unconfirmed = len(plain) > offset and not plain[offset] & _CONFIRMED
        if confirm or unconfirmed:
            raise UnansweredError(str(error)) from error
        raise
