"""Ciphered APDUs as envelopes: what is on the outside of them, and their content unopened.

glo-..., ded-...      tag, length, content
general-glo-ciphering 219, length, originator's system title, length, content
general-ded-ciphering 220, likewise
content               security control octet, invocation counter (4), protected octets
"""

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import DEDICATED, PLAIN_BY_DED, PLAIN_BY_GLO, ApduTag
from protocol.errors import DecodeError
from protocol.security.control import Control, Protection, decode_control, encode_control
from protocol.security.suite import SecuritySuite

_TITLE_LENGTHS = (0, 8)  # some meters and clients leave the title of general-glo out
_CONTROL_AND_COUNTER = 5
_GENERAL = (ApduTag.GENERAL_GLO_CIPHERING, ApduTag.GENERAL_DED_CIPHERING)


class Ciphered(Struct, frozen=True):
    """An APDU ciphered under a global or the dedicated key, service-specific or general.

    Args:
        tag: one of the glo- and ded- tags, general-glo-ciphering or general-ded-ciphering.
        protection: what protects it.
        counter: the invocation counter.
        octets: the protected octets, the authentication tag last where there is one.
        title: the originator's system title; empty in the service-specific form.
        suite: whose cipher it is.
        broadcast: under the broadcast key rather than the unicast key.
    """

    tag: int
    protection: Protection
    counter: int
    octets: bytes
    title: bytes = b""
    suite: SecuritySuite = SecuritySuite.SUITE_0
    broadcast: bool = False

    __repr__ = hiding("octets")

    @property
    def is_general(self) -> bool:
        """Whether this is general-glo-ciphering or general-ded-ciphering."""
        return self.tag in _GENERAL

    @property
    def is_dedicated(self) -> bool:
        """Whether it is under the dedicated key."""
        return self.tag in DEDICATED

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the counter does not fit four octets.
        """
        title = fields.octet_string(self.title) if self.is_general else b""
        control = encode_control(self.protection, self.suite, broadcast=self.broadcast)
        content = encode_content(control, self.counter, self.octets)
        return bytes((self.tag,)) + title + fields.octet_string(content)

    @classmethod
    def decode(cls, apdu: bytes) -> "Ciphered":
        """Read the outside of a ciphered APDU.

        Raises:
            DecodeError: cut short, malformed, too long or not of such a tag.
            SecurityError: a security control octet that is not in use here.
        """
        reader = Reader(apdu)
        tag = reader.number()
        if tag not in PLAIN_BY_GLO and tag not in PLAIN_BY_DED and tag not in _GENERAL:
            raise DecodeError(f"tag {tag} is not one of global or dedicated ciphering")
        title = reader.octet_string() if tag in _GENERAL else b""
        if len(title) not in _TITLE_LENGTHS:
            raise DecodeError(f"a system title of {len(title)} octets")
        content = reader.octet_string()
        reader.end()
        (protection, suite, broadcast), counter, octets = decode_content(content)
        return cls(tag, protection, counter, octets, title, suite, broadcast)


def decode_content(content: bytes) -> tuple[Control, int, bytes]:
    """Return what ``encode_content`` put together.

    Raises:
        DecodeError: cut short.
        SecurityError: a security control octet that is not in use here.
    """
    if len(content) < _CONTROL_AND_COUNTER:
        raise DecodeError(f"a ciphered content of {len(content)} octets is cut short")
    control = decode_control(content[0])
    counter = int.from_bytes(content[1:_CONTROL_AND_COUNTER], "big")
    return control, counter, content[_CONTROL_AND_COUNTER:]


def encode_content(control: int, counter: int, octets: bytes) -> bytes:
    """Return security control octet, invocation counter and protected octets.

    Raises:
        EncodeError: the counter does not fit four octets.
    """
    return bytes((control,)) + fields.number(counter, 4) + octets
