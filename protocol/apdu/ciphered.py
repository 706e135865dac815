"""Ciphered APDUs as envelopes: what is on the outside of them, and their content unopened.

glo-...               tag, length, content
general-glo-ciphering 219, length, originator's system title, length, content
content               security control octet, invocation counter (4), protected octets
"""

from dataclasses import dataclass, field

from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import PLAIN_BY_GLO, ApduTag
from protocol.errors import DecodeError
from protocol.security.control import Protection, decode_control, encode_control

_TITLE_LENGTHS = (0, 8)  # some meters and clients leave the title of general-glo out


@dataclass(frozen=True, slots=True)
class Ciphered:
    """A globally ciphered APDU, service-specific or general.

    Args:
        tag: one of the glo- tags, or general-glo-ciphering.
        protection: what protects it.
        counter: the invocation counter.
        octets: the protected octets, the authentication tag last where there is one.
        title: the originator's system title; empty in the service-specific form.
    """

    tag: int
    protection: Protection
    counter: int
    octets: bytes = field(repr=False)
    title: bytes = b""

    @property
    def is_general(self) -> bool:
        """Whether this is general-glo-ciphering."""
        return self.tag == ApduTag.GENERAL_GLO_CIPHERING

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the counter does not fit four octets.
        """
        title = fields.octet_string(self.title) if self.is_general else b""
        control = bytes((encode_control(self.protection),))
        content = control + fields.number(self.counter, 4) + self.octets
        return bytes((self.tag,)) + title + fields.octet_string(content)

    @classmethod
    def decode(cls, apdu: bytes) -> "Ciphered":
        """Read the outside of a ciphered APDU.

        Raises:
            DecodeError: cut short, malformed, too long or not of a global ciphering tag.
            SecurityError: a security control octet that is not in use here.
        """
        reader = Reader(apdu)
        tag = reader.number()
        if tag not in PLAIN_BY_GLO and tag != ApduTag.GENERAL_GLO_CIPHERING:
            raise DecodeError(f"tag {tag} is not one of global ciphering")
        title = reader.octet_string() if tag == ApduTag.GENERAL_GLO_CIPHERING else b""
        if len(title) not in _TITLE_LENGTHS:
            raise DecodeError(f"a system title of {len(title)} octets")
        content = Reader(reader.octet_string())
        reader.end()
        return cls(tag, decode_control(content.number()), content.number(4), content.rest(), title)
