"""InitiateRequest and InitiateResponse: what an association is negotiated with.

They travel in the user-information of AARQ and AARE (and of RLRQ and RLRE), plain or ciphered.
"""

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.codes import Conformance
from protocol.errors import DecodeError

DLMS_VERSION = 6
#: The VAA name of a server that is spoken to by logical names.
VAA_NAME_LN = 0x0007

# [APPLICATION 31] IMPLICIT BIT STRING of 24 bits in BER: tag, length, no unused bits.
_CONFORMANCE_HEAD = bytes.fromhex("5F1F0400")
# The tag in one octet: a client of the HDLC profile may have it so, and those for the old meters
# with short names do (captures of them are in the tests).
_SHORT_HEAD = bytes.fromhex("5F0400")
_NAMED_BITS = sum(Conformance)  # each has a name for one bit


def encode_conformance(conformance: Conformance) -> bytes:
    """Return the conformance block, its BER head first."""
    return _CONFORMANCE_HEAD + int(conformance).to_bytes(3, "big")


def decode_conformance(reader: Reader) -> Conformance:
    """Read a conformance block; bits without a name are dropped.

    Raises:
        DecodeError: another head, or cut short.
    """
    head = reader.take(len(_SHORT_HEAD))
    if head != _SHORT_HEAD and head + reader.take(1) != _CONFORMANCE_HEAD:
        raise DecodeError("not a conformance block of 24 bits")
    return Conformance(reader.number(3) & _NAMED_BITS)


class InitiateRequest(Struct, frozen=True):
    """What a client proposes.

    Args:
        conformance: what the client can do.
        max_pdu: the largest APDU in octets that the client takes; 0 is no limit.
        dlms_version: the version number proposed.
        dedicated_key: a key for this association alone, empty when there is none.
        response_allowed: whether the server may answer.
        quality_of_service: carried for those who use it; None when it was not sent.
    """

    conformance: Conformance
    max_pdu: int
    dlms_version: int = DLMS_VERSION
    dedicated_key: bytes = b""
    response_allowed: bool = True
    quality_of_service: int | None = None

    __repr__ = hiding("dedicated_key")

    def encode(self) -> bytes:
        """Return the APDU."""
        key = b"\x01" + fields.octet_string(self.dedicated_key) if self.dedicated_key else b"\x00"
        # BOOLEAN DEFAULT TRUE: only FALSE is written out.
        allowed = b"\x00" if self.response_allowed else b"\x01\x00"
        quality = (
            b"\x00"
            if self.quality_of_service is None
            else b"\x01" + fields.number(self.quality_of_service)
        )
        return (
            bytes((ApduTag.INITIATE_REQUEST,))
            + key
            + allowed
            + quality
            + fields.number(self.dlms_version)
            + encode_conformance(self.conformance)
            + fields.number(self.max_pdu, 2)
        )

    @classmethod
    def decode(cls, apdu: bytes) -> "InitiateRequest":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.INITIATE_REQUEST)
        dedicated_key = reader.octet_string() if reader.choice(0, 1) else b""
        response_allowed = reader.flag() if reader.choice(0, 1) else True
        quality = reader.number() if reader.choice(0, 1) else None
        version = reader.number()
        conformance = decode_conformance(reader)
        max_pdu = reader.number(2)
        reader.end()
        return cls(conformance, max_pdu, version, dedicated_key, response_allowed, quality)


class InitiateResponse(Struct, frozen=True):
    """What a server agrees to.

    Args:
        conformance: what both sides can do.
        max_pdu: the largest APDU in octets that the server takes; 0 is no limit.
        dlms_version: the version number agreed.
        vaa_name: 0x0007 for logical names.
        quality_of_service: None when it was not sent.
    """

    conformance: Conformance
    max_pdu: int
    dlms_version: int = DLMS_VERSION
    vaa_name: int = VAA_NAME_LN
    quality_of_service: int | None = None

    def encode(self) -> bytes:
        """Return the APDU."""
        quality = (
            b"\x00"
            if self.quality_of_service is None
            else b"\x01" + fields.number(self.quality_of_service)
        )
        return (
            bytes((ApduTag.INITIATE_RESPONSE,))
            + quality
            + fields.number(self.dlms_version)
            + encode_conformance(self.conformance)
            + fields.number(self.max_pdu, 2)
            + fields.number(self.vaa_name, 2)
        )

    @classmethod
    def decode(cls, apdu: bytes) -> "InitiateResponse":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.INITIATE_RESPONSE)
        quality = reader.number() if reader.choice(0, 1) else None
        version = reader.number()
        conformance = decode_conformance(reader)
        max_pdu = reader.number(2)
        vaa_name = reader.number(2)
        reader.end()
        return cls(conformance, max_pdu, version, vaa_name, quality)
