"""Which APDUs are requests, how they are read, and why one is not even tried."""

from collections.abc import Callable

from protocol.apdu import (
    ApduTag,
    RequestApdu,
    decode_action_request,
    decode_get_request,
    decode_set_request,
)
from protocol.codes import ServiceError, StateError
from protocol.errors import RemoteProtocolError

_READERS: dict[int, Callable[[bytes], RequestApdu]] = {
    ApduTag.GET_REQUEST: decode_get_request,
    ApduTag.SET_REQUEST: decode_set_request,
    ApduTag.ACTION_REQUEST: decode_action_request,
}
#: The tags of the requests that a server serves.
REQUESTS = frozenset(_READERS)

#: The exception for a service that the present state does not allow.
NOT_NOW = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)

_INVOKE_OFFSET = 2  # tag, choice, invoke-id-and-priority
_CONFIRMED = 0x40


class NotNowError(RemoteProtocolError):
    """A service that the present state does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(message, *NOT_NOW)


class PduTooLongError(RemoteProtocolError):
    """An APDU longer than this side said it takes."""

    def __init__(self, length: int) -> None:
        super().__init__(
            f"an APDU of {length} octets",
            StateError.SERVICE_NOT_ALLOWED,
            ServiceError.PDU_TOO_LONG,
        )


class UnansweredError(RemoteProtocolError):
    """An unconfirmed request that cannot be served: nobody waits to hear of it."""


def read_request(plain: bytes) -> RequestApdu:
    """Read a plain APDU whose tag is one of ``REQUESTS``.

    Raises:
        UnansweredError: it is malformed or unsupported, and unconfirmed.
        ServiceNotSupported: a form of the service that is not served.
        DecodeError: cut short, malformed or too long.
    """
    try:
        return _READERS[plain[0]](plain)
    except RemoteProtocolError as error:
        if len(plain) > _INVOKE_OFFSET and not plain[_INVOKE_OFFSET] & _CONFIRMED:
            raise UnansweredError(str(error)) from error
        raise
