"""HDLC addresses of one, two and four octets.

The lowest bit of an octet says whether the address ends there, so seven bits an octet remain. A
client address is one octet. A server address names a logical device (upper part) and, in its
longer forms, the physical device on the line (lower part): ``upper``, ``upper lower``, or two
octets of each. Layouts as gurux-dlms, pydlms-client and jDLMS agree on them.

Some values name no one station: 0 is nobody, the greatest of a part everybody (0x7F, 0x3FFF), and
the one below that, as a physical address, the device that has called us up (0x7E, 0x3FFE), whose
own address nobody need know.
"""

from msgspec import Struct

from protocol.errors import DecodeError, EncodeError

#: How many octets an address can have, and the greatest value of each of its parts.
PART_LIMITS = {1: 0x7F, 2: 0x7F, 4: 0x3FFF}
MAX_ADDRESS_OCTETS = 4
_LAST = 0x01


class HdlcAddress(Struct, frozen=True):
    """One address field, with the form it has on the wire.

    Args:
        upper: the client, or the logical device of a server.
        lower: the physical device; 0 in the 1-octet form, which cannot name one.
        octets: 1, 2 or 4.

    Raises:
        EncodeError: there is no such form, or a part does not fit it.
    """

    upper: int
    lower: int = 0
    octets: int = 1

    def __post_init__(self) -> None:
        limit = PART_LIMITS.get(self.octets)
        if limit is None:
            raise EncodeError(f"an HDLC address has 1, 2 or 4 octets, not {self.octets}")
        lower_limit = 0 if self.octets == 1 else limit
        if not 0 <= self.upper <= limit or not 0 <= self.lower <= lower_limit:
            raise EncodeError(
                f"HDLC address {self.upper}:{self.lower} does not fit {self.octets} octets"
            )

    @property
    def is_station(self) -> bool:
        """Whether each part names one station: neither no-station nor all-station."""
        everyone = PART_LIMITS[self.octets]
        parts = (self.upper,) if self.octets == 1 else (self.upper, self.lower)
        return all(0 < part < everyone for part in parts)

    @property
    def everybody(self) -> int:
        """The value of a part that is all stations."""
        return PART_LIMITS[self.octets]

    @property
    def is_broadcast(self) -> bool:
        """Whether a part is all stations."""
        return self.everybody in (self.upper, self.lower)

    @property
    def calling(self) -> int:
        """The value of the lower part that is the station which made the call."""
        return PART_LIMITS[self.octets] - 1

    def to_bytes(self) -> bytes:
        """Return the address field."""
        if self.octets == 4:
            groups = [*divmod(self.upper, 0x80), *divmod(self.lower, 0x80)]
        else:
            groups = [self.upper, self.lower][: self.octets]
        octets = bytearray(group << 1 for group in groups)
        octets[-1] |= _LAST
        return bytes(octets)


def decode_address(octets: bytes | bytearray, offset: int) -> tuple[HdlcAddress, int] | None:
    """Read the address field at ``offset``.

    Returns:
        The address and the offset behind it, or None when the buffer ends within it.

    Raises:
        DecodeError: the field has three octets, or does not end after four.
    """
    field = octets[offset : offset + MAX_ADDRESS_OCTETS]
    for index, octet in enumerate(field):
        if octet & _LAST:
            return _from_field(field[: index + 1]), offset + index + 1
    if len(field) < MAX_ADDRESS_OCTETS:
        return None
    raise DecodeError("an HDLC address does not end after four octets")


def _from_field(field: bytes | bytearray) -> HdlcAddress:
    values = [octet >> 1 for octet in field]
    match values:
        case [upper]:
            return HdlcAddress(upper)
        case [upper, lower]:
            return HdlcAddress(upper, lower, 2)
        case [first, second, third, fourth]:
            return HdlcAddress(first << 7 | second, third << 7 | fourth, 4)
    raise DecodeError("an HDLC address has 1, 2 or 4 octets, not 3")
