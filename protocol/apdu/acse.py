"""What AARQ, AARE, RLRQ and RLRE have in common: their object identifiers and small fields."""

from protocol.apdu import ber
from protocol.errors import DecodeError

# 2.16.756.5.8.1.x names the application contexts, 2.16.756.5.8.2.x the mechanisms.
_CONTEXT_PREFIX = bytes.fromhex("608574050801")
_MECHANISM_PREFIX = bytes.fromhex("608574050802")

APPLICATION_CONTEXT_NAME = 0xA1
USER_INFORMATION = 0xBE
# An authentication value is a CHOICE; meters and clients use the first, charstring, for anything.
CHARSTRING = 0x80
_BITSTRING = 0x81
#: The bit string with bit 0, authentication, set.
AUTHENTICATION_UNIT = bytes.fromhex("0780")


def encode_context(arc: int) -> bytes:
    """Return the application-context-name field of context ``arc``."""
    name = _CONTEXT_PREFIX + bytes((arc,))
    return ber.encode_nested(APPLICATION_CONTEXT_NAME, ber.OBJECT_IDENTIFIER, name)


def decode_context(content: bytes) -> int | None:
    """Return the last arc of an application context name, None for a name of another family."""
    name = ber.decode_field(content, ber.OBJECT_IDENTIFIER, "application-context-name")
    return _last_arc(name, _CONTEXT_PREFIX)


def encode_mechanism(arc: int) -> bytes:
    """Return the content of a mechanism-name field."""
    return _MECHANISM_PREFIX + bytes((arc,))


def decode_mechanism(content: bytes) -> int:
    """Return the last arc of a mechanism name; 255, which is none, for one of another family."""
    arc = _last_arc(content, _MECHANISM_PREFIX)
    return 255 if arc is None else arc


def decode_authentication_value(content: bytes, what: str) -> bytes:
    """Return the octets of a charstring or bitstring authentication value.

    Raises:
        DecodeError: another choice, or not one field.
    """
    fields = ber.decode_fields(content)
    if len(fields) != 1 or fields[0][0] not in (CHARSTRING, _BITSTRING):
        raise DecodeError(f"{what} is neither charstring nor bitstring")
    return fields[0][1]


def decode_octets(content: bytes | None, what: str) -> bytes:
    """Return the octets of a title or a qualifier; none for a field that was not sent.

    Raises:
        DecodeError: the field holds something else than one octet-string.
    """
    return b"" if content is None else ber.decode_field(content, ber.OCTET_STRING, what)


def encode_user_information(octets: bytes) -> bytes:
    """Return the user-information field that carries ``octets``; nothing for no octets."""
    if not octets:
        return b""
    return ber.encode_nested(USER_INFORMATION, ber.OCTET_STRING, octets)


def decode_user_information(content: bytes) -> bytes:
    """Return the xDLMS APDU in a user-information field."""
    return ber.decode_field(content, ber.OCTET_STRING, "user-information")


def _last_arc(name: bytes, prefix: bytes) -> int | None:
    if len(name) != len(prefix) + 1 or not name.startswith(prefix):
        return None
    return name[-1]
