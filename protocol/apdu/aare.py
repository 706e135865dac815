"""AARE: a server accepts or refuses an association."""

from enum import IntEnum
from typing import TypeVar

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import acse, ber
from protocol.apdu.tags import ApduTag
from protocol.codes import AssociationResult, ProviderDiagnostic, UserDiagnostic
from protocol.errors import DecodeError

_RESULT = 0xA2
_DIAGNOSTIC = 0xA3
_SERVICE_USER = 0xA1
_SERVICE_PROVIDER = 0xA2
_RESPONDING_AP_TITLE = 0xA4
_RESPONDING_AE_QUALIFIER = 0xA5
_RESPONDER_ACSE_REQUIREMENTS = 0x88
_MECHANISM_NAME = 0x89
_RESPONDING_AUTHENTICATION_VALUE = 0xAA

_Code = TypeVar("_Code", bound=IntEnum)


class Aare(Struct, frozen=True):
    """An A-associate response.

    Args:
        context: the last arc of the application context name; None for one of another family.
        result: whether the association is accepted.
        diagnostic: why, of the ACSE service user or the ACSE service provider.
        responding_ap_title: the server's system title, empty when it was not sent.
        mechanism: the last arc of the mechanism name; None when it was not sent.
        authentication_value: the challenge StoC, None when it was not sent.
        user_information: an InitiateResponse, plain or ciphered, or a ConfirmedServiceError;
            empty when it was not sent.
        responding_ae_qualifier: the server's certificate or public key for signatures, with HLS
            by ECDSA; empty when it was not sent.
    """

    context: int | None
    result: AssociationResult
    diagnostic: UserDiagnostic | ProviderDiagnostic
    responding_ap_title: bytes = b""
    mechanism: int | None = None
    authentication_value: bytes | None = None
    user_information: bytes = b""
    responding_ae_qualifier: bytes = b""

    __repr__ = hiding("authentication_value", "user_information", "responding_ae_qualifier")

    def encode(self) -> bytes:
        """Return the APDU."""
        by_user = isinstance(self.diagnostic, UserDiagnostic)
        source = _SERVICE_USER if by_user else _SERVICE_PROVIDER
        diagnostic = ber.encode_nested(source, ber.INTEGER, bytes((self.diagnostic,)))
        parts = [
            acse.encode_context(self.context or 0),
            ber.encode_nested(_RESULT, ber.INTEGER, bytes((self.result,))),
            ber.encode_field(_DIAGNOSTIC, diagnostic),
        ]
        if self.responding_ap_title:
            parts.append(
                ber.encode_nested(_RESPONDING_AP_TITLE, ber.OCTET_STRING, self.responding_ap_title)
            )
        if self.responding_ae_qualifier:
            parts.append(
                ber.encode_nested(
                    _RESPONDING_AE_QUALIFIER, ber.OCTET_STRING, self.responding_ae_qualifier
                )
            )
        if self.mechanism is not None:
            mechanism = acse.encode_mechanism(self.mechanism)
            parts.append(ber.encode_field(_RESPONDER_ACSE_REQUIREMENTS, acse.AUTHENTICATION_UNIT))
            parts.append(ber.encode_field(_MECHANISM_NAME, mechanism))
        if self.authentication_value is not None:
            parts.append(
                ber.encode_nested(
                    _RESPONDING_AUTHENTICATION_VALUE, acse.CHARSTRING, self.authentication_value
                )
            )
        parts.append(acse.encode_user_information(self.user_information))
        return ber.encode_field(ApduTag.AARE, b"".join(parts))

    @classmethod
    def decode(cls, apdu: bytes) -> "Aare":
        """Read an AARE; the order of its fields does not matter.

        Raises:
            DecodeError: a field is cut short or malformed, or context, result or diagnostic
                is missing.
        """
        fields = dict(ber.decode_fields(ber.decode_field(apdu, ApduTag.AARE, "AARE")))
        if not fields.keys() >= {acse.APPLICATION_CONTEXT_NAME, _RESULT, _DIAGNOSTIC}:
            raise DecodeError("AARE without context, result or diagnostic")
        mechanism = fields.get(_MECHANISM_NAME)
        value = fields.get(_RESPONDING_AUTHENTICATION_VALUE)
        information = fields.get(acse.USER_INFORMATION)
        return cls(
            acse.decode_context(fields[acse.APPLICATION_CONTEXT_NAME]),
            _code(AssociationResult, ber.decode_integer(fields[_RESULT], "result")),
            _diagnostic(fields[_DIAGNOSTIC]),
            acse.decode_octets(fields.get(_RESPONDING_AP_TITLE), "responding-AP-title"),
            None if mechanism is None else acse.decode_mechanism(mechanism),
            None
            if value is None
            else acse.decode_authentication_value(value, "responding-authentication-value"),
            b"" if information is None else acse.decode_user_information(information),
            acse.decode_octets(fields.get(_RESPONDING_AE_QUALIFIER), "responding-AE-qualifier"),
        )


def _diagnostic(content: bytes) -> UserDiagnostic | ProviderDiagnostic:
    fields = ber.decode_fields(content)
    if len(fields) != 1:
        raise DecodeError("result-source-diagnostic is not one choice")
    source, choice = fields[0]
    number = ber.decode_integer(choice, "result-source-diagnostic")
    if source == _SERVICE_USER:
        return _code(UserDiagnostic, number)
    if source == _SERVICE_PROVIDER:
        return _code(ProviderDiagnostic, number)
    raise DecodeError(f"result-source-diagnostic by 0x{source:02X}")


def _code(codes: type[_Code], number: int) -> _Code:
    try:
        return codes(number)
    except ValueError:
        raise DecodeError(f"{codes.__name__} has no {number}") from None
