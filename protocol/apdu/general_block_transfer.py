"""General block transfer: a piece of any APDU, a ciphered one included.

224, block control, block number (2), block number acknowledged (2), length, octets
block control: bit 7 last block, bit 6 streaming, bits 0..5 window

As ``pydlms-client`` and ``gurux-dlms`` have it.
"""

from typing import Final

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.errors import EncodeError

#: The greatest window in blocks.
MAX_WINDOW: Final = 0x3F
#: The greatest number of a block.
MAX_BLOCK_NUMBER: Final = 0xFFFF
#: Octets before the length of the octets carried.
GENERAL_BLOCK_HEAD: Final = 6

_LAST, _STREAMING = 0x80, 0x40


class GeneralBlock(Struct, frozen=True):
    """One block.

    Args:
        last: whether its sender has no further block.
        streaming: whether its sender goes on without waiting for an acknowledgement.
        window: how many blocks its sender takes at a stretch; 0 for a stream that nobody
            acknowledges.
        number: of this block, from 1.
        acknowledged: the last block of the other side that has come, none missing before it.
        octets: a piece of the APDU; none in a block that only acknowledges.
    """

    last: bool
    streaming: bool
    window: int
    number: int
    acknowledged: int
    octets: bytes = b""

    __repr__ = hiding("octets")

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: window or a number do not fit.
        """
        if not 0 <= self.window <= MAX_WINDOW:
            raise EncodeError(f"window {self.window} is not within 0..{MAX_WINDOW}")
        control = (_LAST if self.last else 0) | (_STREAMING if self.streaming else 0) | self.window
        return (
            bytes((ApduTag.GENERAL_BLOCK_TRANSFER, control))
            + fields.number(self.number, 2)
            + fields.number(self.acknowledged, 2)
            + fields.octet_string(self.octets)
        )

    @classmethod
    def decode(cls, apdu: bytes) -> "GeneralBlock":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.GENERAL_BLOCK_TRANSFER)
        control = reader.number()
        block = cls(
            bool(control & _LAST),
            bool(control & _STREAMING),
            control & MAX_WINDOW,
            reader.number(2),
            reader.number(2),
            reader.octet_string(),
        )
        reader.end()
        return block
