"""The characters of IEC 62056-21: seven bits with even parity, whoever makes the parity.

On the wire a character has seven bits and an even parity bit (7E1). A UART may make and check it,
and then octets below 0x80 are all that software sees; or a UART with eight bits and no parity is
given octets whose eighth bit is the parity, which is the same on the wire. Over TCP and on pseudo-
terminals both are met. The first character of every session is "/", five bits of which are set:
it comes as 0x2F without and as 0xAF with the parity, and so tells which of the two is in use.

The control characters, the rates and the block check as iec62056-21 and pydlms-client agree.
"""

from enum import Enum
from functools import reduce
from operator import xor
from typing import Final

SOH, STX, ETX, EOT, ACK, NAK = 0x01, 0x02, 0x03, 0x04, 0x06, 0x15
CR, LF, SLASH, END = 0x0D, 0x0A, 0x2F, 0x21
#: Bits of a character on the wire: start, seven, parity, stop.
CHARACTER_BITS: Final = 10
#: A session begins at this rate; what is sent unasked (mode D) has a rate of its own.
INITIAL_BAUD: Final = 300
PUSH_BAUD: Final = 2400
#: The rates by their letter: of modes C and E digits, of mode B letters.
BAUDS: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
BAUDS_B: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
#: Set in a decoded character whose parity was wrong; no message has such a one.
WRONG: Final = 0x80


class Parity(Enum):
    """Who makes the parity bit."""

    NONE = "the UART, or nobody: characters are octets below 0x80"
    EVEN = "we do: the eighth bit of an octet is the parity"


_ADDED: Final = bytes(each & 0x7F | (each & 0x7F).bit_count() % 2 << 7 for each in range(256))
_CHECKED: Final = bytes(
    each | WRONG if each.bit_count() % 2 else each & 0x7F for each in range(256)
)


def encode(characters: bytes, parity: Parity) -> bytes:
    """Return the octets that carry characters of seven bits."""
    return characters.translate(_ADDED) if parity is Parity.EVEN else characters


def decode(octets: bytes, parity: Parity) -> bytes:
    """Return the characters that octets carry; a wrong one has the bit ``WRONG``."""
    return octets.translate(_CHECKED) if parity is Parity.EVEN else octets


def parity_of_slash(octet: int) -> Parity | None:
    """Return the parity that a "/" shows; None for another octet."""
    if octet == SLASH:
        return Parity.NONE
    return Parity.EVEN if octet == SLASH | WRONG else None


def block_check(characters: bytes) -> int:
    """Return the exclusive or of what stands between SOH or STX, without it, and ETX, with it."""
    return reduce(xor, characters, 0)


def is_printable(characters: bytes) -> bool:
    """Whether all of them are printable characters of ISO 646, the space included."""
    return all(0x20 <= each <= 0x7E for each in characters)


def time_on_wire(characters: int, baud: int) -> int:
    """Return how many milliseconds that many characters take, rounded up."""
    return -(-characters * CHARACTER_BITS * 1000 // baud)
