"""AARQ: a client asks for an association.

Fields that we have no use for (the protocol version, called titles, invocation identifiers,
implementation information) are read over. ``tests/vectors/acse.json`` pins the encoding.
"""

from dataclasses import dataclass, field

from protocol.apdu import acse, ber
from protocol.apdu.tags import ApduTag
from protocol.errors import DecodeError

_CALLING_AP_TITLE = 0xA6
_SENDER_ACSE_REQUIREMENTS = 0x8A
_MECHANISM_NAME = 0x8B
_CALLING_AUTHENTICATION_VALUE = 0xAC


@dataclass(frozen=True, slots=True)
class Aarq:
    """An A-associate request.

    Args:
        context: the last arc of the application context name; None for a name of another family.
        calling_ap_title: the client's system title, empty when it was not sent.
        mechanism: the last arc of the mechanism name; None when it was not sent.
        authentication_value: an LLS password or the challenge CtoS, None when it was not sent.
        user_information: an InitiateRequest, plain or ciphered; empty when it was not sent.
    """

    context: int | None
    calling_ap_title: bytes = b""
    mechanism: int | None = None
    authentication_value: bytes | None = field(default=None, repr=False)
    user_information: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Return the APDU."""
        parts = [acse.encode_context(self.context or 0)]
        if self.calling_ap_title:
            parts.append(
                ber.encode_nested(_CALLING_AP_TITLE, ber.OCTET_STRING, self.calling_ap_title)
            )
        if self.mechanism is not None:
            mechanism = acse.encode_mechanism(self.mechanism)
            parts.append(ber.encode_field(_SENDER_ACSE_REQUIREMENTS, acse.AUTHENTICATION_UNIT))
            parts.append(ber.encode_field(_MECHANISM_NAME, mechanism))
        if self.authentication_value is not None:
            parts.append(
                ber.encode_nested(
                    _CALLING_AUTHENTICATION_VALUE, acse.CHARSTRING, self.authentication_value
                )
            )
        parts.append(acse.encode_user_information(self.user_information))
        return ber.encode_field(ApduTag.AARQ, b"".join(parts))

    @classmethod
    def decode(cls, apdu: bytes) -> "Aarq":
        """Read an AARQ; the order of its fields does not matter.

        Raises:
            DecodeError: a field is cut short, malformed or comes twice, or there is no
                application context name.
        """
        fields: dict[int, bytes] = {}
        for tag, content in ber.decode_fields(ber.decode_field(apdu, ApduTag.AARQ, "AARQ")):
            if tag in fields:
                raise DecodeError(f"AARQ field 0x{tag:02X} comes twice")
            fields[tag] = content
        if acse.APPLICATION_CONTEXT_NAME not in fields:
            raise DecodeError("AARQ without an application context name")
        title = fields.get(_CALLING_AP_TITLE)
        mechanism = fields.get(_MECHANISM_NAME)
        value = fields.get(_CALLING_AUTHENTICATION_VALUE)
        information = fields.get(acse.USER_INFORMATION)
        return cls(
            acse.decode_context(fields[acse.APPLICATION_CONTEXT_NAME]),
            b"" if title is None else ber.decode_field(title, ber.OCTET_STRING, "calling-AP-title"),
            None if mechanism is None else acse.decode_mechanism(mechanism),
            None
            if value is None
            else acse.decode_authentication_value(value, "calling-authentication-value"),
            b"" if information is None else acse.decode_user_information(information),
        )
