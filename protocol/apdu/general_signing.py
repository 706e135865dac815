"""general-signing: an APDU, plain or ciphered, with the originator's signature.

    223, header, length, content, length, signature

The signature is over the header and the content. Whether the content's length is signed with it
is disputed: ``pydlms-client`` leaves it out, and says so of Gurux.DLMS.Net too; a third reading
has it in. Nothing published settles it. We leave it out.
"""

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.general_header import GeneralHeader
from protocol.apdu.tags import ApduTag
from protocol.errors import DecodeError

_SIGNATURE_LENGTHS = (64, 96)


class GeneralSigning(Struct, frozen=True):
    """A signed APDU.

    Args:
        header: who, to whom, when.
        content: the APDU that is signed.
        signature: r || s, 64 or 96 octets.
    """

    header: GeneralHeader
    content: bytes
    signature: bytes

    __repr__ = hiding("content", "signature")

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return self.header.encode() + self.content

    def encode(self) -> bytes:
        """Return the APDU."""
        head = bytes((ApduTag.GENERAL_SIGNING,)) + self.header.encode()
        return head + fields.octet_string(self.content) + fields.octet_string(self.signature)

    @classmethod
    def decode(cls, apdu: bytes) -> "GeneralSigning":
        """Read the APDU.

        Raises:
            DecodeError: cut short, malformed, too long, or not signed at all.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.GENERAL_SIGNING)
        header = GeneralHeader.read(reader)
        content, signature = reader.octet_string(), reader.octet_string()
        reader.end()
        if len(signature) not in _SIGNATURE_LENGTHS:
            raise DecodeError(f"a signature of {len(signature)} octets")
        return cls(header, content, signature)
