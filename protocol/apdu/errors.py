"""ConfirmedServiceError and ExceptionResponse: a request that has no ordinary answer."""

from msgspec import Struct

from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.codes import InitiateError, ServiceError, StateError

_INITIATE = 1  # confirmed service error: initiateError
_SERVICE_INITIATE = 6  # service error: initiate
# The kinds of service error (application-reference, hardware-resource, ... task, other).
_CONFIRMED_SERVICES = range(20)


class ConfirmedServiceError(Struct, frozen=True):
    """Why a service failed; here nearly always why an InitiateRequest was refused.

    Args:
        service: which service, 1 for Initiate.
        kind: the kind of the error, 6 for initiate.
        code: the error of that kind; for Initiate an ``InitiateError`` number.
    """

    service: int
    kind: int
    code: int

    @classmethod
    def initiate(cls, error: InitiateError) -> "ConfirmedServiceError":
        """Return the refusal of an InitiateRequest."""
        return cls(_INITIATE, _SERVICE_INITIATE, error)

    @property
    def initiate_error(self) -> InitiateError | None:
        """The error, where this refuses an InitiateRequest."""
        if (self.service, self.kind) != (_INITIATE, _SERVICE_INITIATE):
            return None
        return next((error for error in InitiateError if error == self.code), None)

    def encode(self) -> bytes:
        """Return the APDU."""
        return bytes((ApduTag.CONFIRMED_SERVICE_ERROR, self.service, self.kind, self.code))

    @classmethod
    def decode(cls, apdu: bytes) -> "ConfirmedServiceError":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.CONFIRMED_SERVICE_ERROR)
        error = cls(
            reader.choice(*_CONFIRMED_SERVICES),
            reader.choice(*_CONFIRMED_SERVICES),
            reader.number(),
        )
        reader.end()
        return error


class ExceptionResponse(Struct, frozen=True):
    """A request that could not even be answered by its own service.

    Args:
        state_error: whether the service is unknown or just not allowed now.
        service_error: what was wrong.
        invocation_counter: with an invocation counter error, the least one that would do.
    """

    state_error: StateError
    service_error: ServiceError
    invocation_counter: int | None = None

    def encode(self) -> bytes:
        """Return the APDU."""
        head = bytes((ApduTag.EXCEPTION_RESPONSE, self.state_error, self.service_error))
        if self.service_error != ServiceError.INVOCATION_COUNTER_ERROR:
            return head
        return head + fields.number(self.invocation_counter or 0, 4)

    @classmethod
    def decode(cls, apdu: bytes) -> "ExceptionResponse":
        """Read the APDU; an invocation counter error may lack its counter.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.EXCEPTION_RESPONSE)
        state_error = reader.code(StateError)
        service_error = reader.code(ServiceError)
        counter = None
        if service_error == ServiceError.INVOCATION_COUNTER_ERROR and len(apdu) > 3:
            counter = reader.number(4)
        reader.end()
        return cls(state_error, service_error, counter)
