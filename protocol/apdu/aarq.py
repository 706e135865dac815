"""AARQ: a client asks for an association.

Fields that we have no use for (called invocation identifiers and qualifier, the calling AP
invocation identifier, implementation information) are read over. ``tests/vectors/acse.json``
pins the encoding.
"""

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import acse, ber
from protocol.apdu.tags import ApduTag
from protocol.errors import DecodeError

_PROTOCOL_VERSION = 0x80
_CALLED_AP_TITLE = 0xA2
_CALLING_AP_TITLE = 0xA6
_CALLING_AE_QUALIFIER = 0xA7
_CALLING_AE_INVOCATION_ID = 0xA9
_SENDER_ACSE_REQUIREMENTS = 0x8A
_MECHANISM_NAME = 0x8B
_CALLING_AUTHENTICATION_VALUE = 0xAC


class Aarq(Struct, frozen=True):
    """An A-associate request.

    Args:
        context: the last arc of the application context name; None for a name of another family.
        calling_ap_title: the client's system title, empty when it was not sent.
        mechanism: the last arc of the mechanism name; None when it was not sent.
        authentication_value: an LLS password or the challenge CtoS, None when it was not sent.
        user_information: an InitiateRequest, plain or ciphered; empty when it was not sent.
        calling_ae_qualifier: the client's certificate or public key for signatures, with HLS by
            ECDSA; empty when it was not sent.
        called_ap_title: the system title of the server that is meant, empty for whoever it is.
        user_id: which user of the client asks (calling-AE-invocation-identifier), None for none.
        protocol_version: whether version 1 of ACSE is among those proposed, as it is where none
            is named.
    """

    context: int | None
    calling_ap_title: bytes = b""
    mechanism: int | None = None
    authentication_value: bytes | None = None
    user_information: bytes = b""
    calling_ae_qualifier: bytes = b""
    called_ap_title: bytes = b""
    user_id: int | None = None
    protocol_version: bool = True

    __repr__ = hiding("authentication_value", "user_information", "calling_ae_qualifier")

    def encode(self) -> bytes:
        """Return the APDU."""
        version = b"" if self.protocol_version else ber.encode_field(_PROTOCOL_VERSION, b"\x07\x00")
        parts = [
            version,
            acse.encode_context(self.context or 0),
            _octets(_CALLED_AP_TITLE, self.called_ap_title),
            _octets(_CALLING_AP_TITLE, self.calling_ap_title),
            _octets(_CALLING_AE_QUALIFIER, self.calling_ae_qualifier),
        ]
        if self.user_id is not None:
            parts.append(
                ber.encode_nested(_CALLING_AE_INVOCATION_ID, ber.INTEGER, bytes((self.user_id,)))
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
        mechanism = fields.get(_MECHANISM_NAME)
        value = fields.get(_CALLING_AUTHENTICATION_VALUE)
        information = fields.get(acse.USER_INFORMATION)
        user = fields.get(_CALLING_AE_INVOCATION_ID)
        return cls(
            acse.decode_context(fields[acse.APPLICATION_CONTEXT_NAME]),
            acse.decode_octets(fields.get(_CALLING_AP_TITLE), "calling-AP-title"),
            None if mechanism is None else acse.decode_mechanism(mechanism),
            None
            if value is None
            else acse.decode_authentication_value(value, "calling-authentication-value"),
            b"" if information is None else acse.decode_user_information(information),
            acse.decode_octets(fields.get(_CALLING_AE_QUALIFIER), "calling-AE-qualifier"),
            _called(fields.get(_CALLED_AP_TITLE)),
            None
            if user is None
            else ber.decode_integer(user, "calling-AE-invocation-identifier", 4),
            _has_version_1(fields.get(_PROTOCOL_VERSION)),
        )


def _octets(tag: int, octets: bytes) -> bytes:
    return ber.encode_nested(tag, ber.OCTET_STRING, octets) if octets else b""


def _called(content: bytes | None) -> bytes:
    """Return a called-AP-title that is an octet-string; one of another form is read over."""
    fields = [] if content is None else ber.decode_fields(content)
    return fields[0][1] if len(fields) == 1 and fields[0][0] == ber.OCTET_STRING else b""


def _has_version_1(content: bytes | None) -> bool:
    """Whether bit 0 of a bit string is set: its first octet counts the bits that are not used."""
    if content is None:
        return True
    if not 1 <= len(content) <= 5 or content[0] > 7:
        raise DecodeError("the protocol version is no bit string")
    return len(content) > 1 and bool(content[1] & 0x80)
