"""The parameters of an HDLC link, and their negotiation in the information field of SNRM and UA.

The field is ``81 80 length`` and then groups of ``identifier, length, value``. Each side states
its own ability: what a client can transmit, its server need not receive more of. An absent field
or group means the default. Values come in as few octets as their sender likes. As gurux-dlms,
pydlms-client and the frames published with the DLMS UA's examples agree.
"""

from enum import IntEnum

from msgspec import Struct

from protocol.errors import DecodeError, EncodeError

DEFAULT_INFORMATION = 128
#: The most that HDLC setup (class 23) can offer.
MAX_INFORMATION = 2030
DEFAULT_WINDOW = 1
#: Numbers are modulo 8, and one of them has to tell a window from its repetition.
MAX_WINDOW = 7

_FORMAT_IDENTIFIER = 0x81
_GROUP_IDENTIFIER = 0x80
_VALUE_LENGTHS = (1, 2, 4)
#: Begins a user data subfield, which runs to the end of the field; it means nothing here.
_USER_DATA = b"\xff"


class _Group(IntEnum):
    MAX_INFORMATION_TRANSMIT = 0x05
    MAX_INFORMATION_RECEIVE = 0x06
    WINDOW_TRANSMIT = 0x07
    WINDOW_RECEIVE = 0x08


class HdlcParameters(Struct, frozen=True):
    """What one side of a link can do; its two directions are independent.

    Args:
        transmit: octets in an information field that it sends, 1..2030.
        receive: octets in an information field that it takes, 1..2030.
        window_transmit: information frames that it sends before it gives the turn away, 1..7.
        window_receive: information frames that it takes in a row, 1..7.

    Raises:
        EncodeError: a value is out of range.
    """

    transmit: int = DEFAULT_INFORMATION
    receive: int = DEFAULT_INFORMATION
    window_transmit: int = DEFAULT_WINDOW
    window_receive: int = DEFAULT_WINDOW

    def __post_init__(self) -> None:
        for value in (self.transmit, self.receive):
            if not 1 <= value <= MAX_INFORMATION:
                raise EncodeError(f"an information field of 1 to {MAX_INFORMATION}, not {value}")
        for value in (self.window_transmit, self.window_receive):
            if not 1 <= value <= MAX_WINDOW:
                raise EncodeError(f"a window of 1 to {MAX_WINDOW}, not {value}")

    def agree(self, other: "HdlcParameters") -> "HdlcParameters":
        """Return what is left of ours when the other side states ``other`` of itself."""
        return HdlcParameters(
            transmit=min(self.transmit, other.receive),
            receive=min(self.receive, other.transmit),
            window_transmit=min(self.window_transmit, other.window_receive),
            window_receive=min(self.window_receive, other.window_transmit),
        )

    def to_information(self) -> bytes:
        """Return the information field that states these parameters."""
        groups = b"".join(
            bytes((group, size)) + value.to_bytes(size, "big")
            for group, size, value in (
                (_Group.MAX_INFORMATION_TRANSMIT, 2, self.transmit),
                (_Group.MAX_INFORMATION_RECEIVE, 2, self.receive),
                (_Group.WINDOW_TRANSMIT, 4, self.window_transmit),
                (_Group.WINDOW_RECEIVE, 4, self.window_receive),
            )
        )
        return bytes((_FORMAT_IDENTIFIER, _GROUP_IDENTIFIER, len(groups))) + groups

    @classmethod
    def from_information(cls, information: bytes) -> "HdlcParameters":
        """Read what the other side states of itself; what is beyond 2030 or 7 is taken as that.

        Raises:
            DecodeError: the field is malformed, or a value is 0.
        """
        if not information:
            return cls()
        if information[:2] != bytes((_FORMAT_IDENTIFIER, _GROUP_IDENTIFIER)):
            raise DecodeError("not a field of HDLC parameters")
        values = _read_groups(information)
        if 0 in values.values():
            raise DecodeError("an HDLC parameter of 0")
        return cls(*(min(values.get(group, default), limit) for group, default, limit in _FIELDS))


#: Identifier, default and limit of each field of ``HdlcParameters``, in their order.
_FIELDS = (
    (_Group.MAX_INFORMATION_TRANSMIT, DEFAULT_INFORMATION, MAX_INFORMATION),
    (_Group.MAX_INFORMATION_RECEIVE, DEFAULT_INFORMATION, MAX_INFORMATION),
    (_Group.WINDOW_TRANSMIT, DEFAULT_WINDOW, MAX_WINDOW),
    (_Group.WINDOW_RECEIVE, DEFAULT_WINDOW, MAX_WINDOW),
)


def _read_groups(information: bytes) -> dict[_Group, int]:
    """Return the value of each group that this profile knows; others are skipped.

    Raises:
        DecodeError: a length leads out of the field, or is not one that a value has.
    """
    end = 3 + information[2] if len(information) > 2 else len(information) + 1
    if end > len(information) or information[end : end + 1] not in (b"", _USER_DATA):
        raise DecodeError("HDLC parameters end too early or too late")
    values: dict[_Group, int] = {}
    offset = 3
    while offset < end:
        header, offset = information[offset : offset + 2], offset + 2
        if offset > end or offset + header[1] > end:
            raise DecodeError("an HDLC parameter ends too early")
        value, offset = information[offset : offset + header[1]], offset + header[1]
        if header[0] not in _Group.__members__.values():
            continue
        if len(value) not in _VALUE_LENGTHS:
            raise DecodeError(f"an HDLC parameter of {len(value)} octets")
        values[_Group(header[0])] = int.from_bytes(value, "big")
    return values
