"""The errors of the protocol: one base, two families that say whose fault it is.

A remote error carries the answer that the book has for it, so that the half which catches it
need not know why it arose. None of them ever carries a key or a password.
"""

from protocol.codes import ActionResult, DataAccessResult, ServiceError, StateError


class ProtocolError(Exception):
    """Base of every error that this package raises."""


class LocalProtocolError(ProtocolError):
    """We were asked for something that the protocol, or its present state, does not allow."""


class EncodeError(LocalProtocolError):
    """A value does not fit the type it was to be encoded as."""


class CountersExhausted(LocalProtocolError):
    """No invocation counter is left under this key: it has to be changed."""


class RemoteProtocolError(ProtocolError):
    """The other side sent something that the protocol does not allow.

    Args:
        message: what was wrong, for a human.
        state_error: first octet of the exception response that answers it.
        service_error: second octet of the exception response that answers it.
    """

    def __init__(
        self,
        message: str,
        state_error: StateError = StateError.SERVICE_UNKNOWN,
        service_error: ServiceError = ServiceError.OTHER_REASON,
    ) -> None:
        super().__init__(message)
        self.state_error = state_error
        self.service_error = service_error


class DecodeError(RemoteProtocolError):
    """Octets that are not what their tags and lengths claim, or exceed a bound."""


class ServiceNotSupported(RemoteProtocolError):
    """A service, or a form of one, that exists in the book and not here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)


class SecurityError(RemoteProtocolError):
    """An APDU whose protection is missing, too weak or false."""

    def __init__(
        self,
        message: str,
        service_error: ServiceError = ServiceError.DECIPHERING_ERROR,
    ) -> None:
        super().__init__(message, StateError.SERVICE_NOT_ALLOWED, service_error)


class ReplayError(SecurityError):
    """An invocation counter that is not greater than the last one accepted.

    Args:
        expected: the least counter that would have been accepted.
    """

    def __init__(self, message: str, expected: int) -> None:
        super().__init__(message, ServiceError.INVOCATION_COUNTER_ERROR)
        self.expected = expected


class AccessRefused(ProtocolError):
    """A GET or SET that ends in a result other than success."""

    def __init__(self, result: DataAccessResult, message: str = "") -> None:
        super().__init__(message or result.name.lower().replace("_", "-"))
        self.result = result


class ActionRefused(ProtocolError):
    """An ACTION that ends in a result other than success."""

    def __init__(self, result: ActionResult, message: str = "") -> None:
        super().__init__(message or result.name.lower().replace("_", "-"))
        self.result = result
