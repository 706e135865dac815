"""HDLC frames of format type 3: the control field, and a whole frame to and from octets.

A frame is ``flag, format (2), destination, source, control, [HCS (2), information,] FCS (2),
flag``. The format field carries the length, so nothing is stuffed and a flag octet inside a frame
is legal. Layouts as gurux-dlms, pydlms-client and the frames published with the DLMS UA's
information exchange examples agree on them.
"""

from enum import Enum

import crcmod.predefined
from msgspec import Struct

from protocol.errors import DecodeError, EncodeError
from protocol.hdlc.address import HdlcAddress, decode_address

FLAG = 0x7E
#: Format type 3 is the upper nibble 0xA of the format field, then one segmentation bit.
FORMAT_TYPE = 0xA000
FORMAT_TYPE_MASK = 0xF000
SEGMENTED = 0x0800
#: Eleven bits of length: everything between the flags.
MAX_LENGTH = 0x07FF
#: Format field, two 1-octet addresses, control field and FCS.
MIN_LENGTH = 7
_CHECK_OCTETS = 2

#: The frame check of HDLC, CRC-16/X.25. It goes out low octet first.
frame_check = crcmod.predefined.mkPredefinedCrcFun("x-25")


class FrameKind(Enum):
    """What the control field says a frame is."""

    I = "information"  # noqa: E741 - the field's name for it
    RR = "receive ready"
    RNR = "receive not ready"
    SNRM = "set normal response mode"
    UA = "unnumbered acknowledge"
    DISC = "disconnect"
    DM = "disconnected mode"
    FRMR = "frame reject"
    UI = "unnumbered information"
    UNKNOWN = "not a control field of this profile"


_POLL = 0x10
_UNNUMBERED = {
    FrameKind.SNRM: 0x83,
    FrameKind.UA: 0x63,
    FrameKind.DISC: 0x43,
    FrameKind.DM: 0x0F,
    FrameKind.FRMR: 0x87,
    FrameKind.UI: 0x03,
}
_SUPERVISORY = {FrameKind.RR: 0x01, FrameKind.RNR: 0x05}
_KIND_OF_UNNUMBERED = {octet: kind for kind, octet in _UNNUMBERED.items()}
_KIND_OF_SUPERVISORY = {octet: kind for kind, octet in _SUPERVISORY.items()}


class Control(Struct, frozen=True):
    """The control field.

    Args:
        kind: what the frame is.
        poll: the poll bit of a command, the final bit of a response: it passes the turn.
        send: N(S), 0..7, of an information frame.
        receive: N(R), 0..7, of I, RR and RNR.
        octet: the octet as received, for frames of unknown kind.
    """

    kind: FrameKind
    poll: bool = True
    send: int = 0
    receive: int = 0
    octet: int | None = None

    def to_int(self) -> int:
        """Return the octet.

        Raises:
            EncodeError: the kind is unknown and no octet is given.
        """
        poll = _POLL if self.poll else 0
        if self.kind is FrameKind.I:
            return self.receive << 5 | poll | self.send << 1
        if self.kind in _SUPERVISORY:
            return self.receive << 5 | poll | _SUPERVISORY[self.kind]
        if self.kind in _UNNUMBERED:
            return _UNNUMBERED[self.kind] | poll
        if self.octet is None:
            raise EncodeError("a control field of unknown kind has no octet")
        return self.octet

    @classmethod
    def from_int(cls, octet: int) -> "Control":
        """Read the octet; what this profile does not know becomes ``FrameKind.UNKNOWN``."""
        poll, receive = bool(octet & _POLL), octet >> 5
        if not octet & 0x01:
            return cls(FrameKind.I, poll, octet >> 1 & 7, receive)
        if kind := _KIND_OF_SUPERVISORY.get(octet & 0x0F):
            return cls(kind, poll, receive=receive)
        if kind := _KIND_OF_UNNUMBERED.get(octet & ~_POLL):
            return cls(kind, poll)
        return cls(FrameKind.UNKNOWN, poll, octet=octet)


class Frame(Struct, frozen=True):
    """One frame, without its flags and checks.

    Args:
        destination: a server's address in a command, the client's in a response.
        source: the other one.
        control: the control field.
        information: at most about 2030 octets; empty is no information field.
        segmented: more segments of the same PDU follow.
    """

    destination: HdlcAddress
    source: HdlcAddress
    control: Control
    information: bytes = b""
    segmented: bool = False

    def to_bytes(self) -> bytes:
        """Return the frame with both flags.

        Raises:
            EncodeError: the information does not fit the 11-bit length.
        """
        addresses = self.destination.to_bytes() + self.source.to_bytes()
        length = 2 + len(addresses) + 1 + _CHECK_OCTETS
        if self.information:
            length += _CHECK_OCTETS + len(self.information)
        if length > MAX_LENGTH:
            raise EncodeError(f"an HDLC frame of {length} octets is longer than {MAX_LENGTH}")
        frame_format = FORMAT_TYPE | (SEGMENTED if self.segmented else 0) | length
        body = frame_format.to_bytes(2, "big") + addresses + bytes((self.control.to_int(),))
        if self.information:
            body += _check_octets(body) + self.information
        return b"%c%b%b%c" % (FLAG, body, _check_octets(body), FLAG)


class Incomplete(Struct, frozen=True):
    """A candidate that is not refuted yet.

    Args:
        needed: look again once so many octets are there, counted from the opening flag.
    """

    needed: int


def decode_frame(octets: bytes | bytearray, start: int = 0) -> tuple[Frame, int] | Incomplete:
    """Try the octets at ``start``, an opening flag, as a frame.

    Everything is refuted as early as can be: a header whose check is false never makes the line
    wait for the length that it claims.

    Returns:
        The frame and the offset of its closing flag, or how many octets are wanted.

    Raises:
        DecodeError: these octets are no frame, whatever follows.
    """
    begin, available = start + 1, len(octets) - start
    if available >= 2 and octets[begin] & 0xF0 != FORMAT_TYPE >> 8:
        raise DecodeError("not frame format type 3")
    if available < 1 + MIN_LENGTH:
        return Incomplete(2 if available < 2 else 1 + MIN_LENGTH)
    frame_format = octets[begin] << 8 | octets[begin + 1]
    length = frame_format & MAX_LENGTH
    if length < MIN_LENGTH:
        raise DecodeError(f"an HDLC frame of {length} octets")
    destination = decode_address(octets, begin + 2)
    source = decode_address(octets, destination[1]) if destination else None
    if destination is None or source is None or source[1] >= len(octets):
        return Incomplete(available + 1)
    control_at = source[1]
    information = _information_range(octets, begin, control_at + 1, length)
    needed = length + 2
    if isinstance(information, Incomplete):
        return information
    if available < needed:
        return Incomplete(needed)
    end = begin + length
    _verify(octets, begin, end - _CHECK_OCTETS)
    if octets[end] != FLAG:
        raise DecodeError("no flag behind the frame check sequence")
    frame = Frame(
        destination[0],
        source[0],
        Control.from_int(octets[control_at]),
        bytes(octets[information]),
        bool(frame_format & SEGMENTED),
    )
    return frame, end


def _information_range(
    octets: bytes | bytearray, begin: int, header_end: int, length: int
) -> slice | Incomplete:
    """Return where the information field lies, after its header check; empty where there is none.

    Raises:
        DecodeError: the length contradicts the header, or the header check is false.
    """
    rest = length - (header_end - begin) - _CHECK_OCTETS
    if rest == 0:
        return slice(header_end, header_end)
    if rest <= _CHECK_OCTETS:
        raise DecodeError(f"{rest} octets cannot be a header check and an information field")
    if len(octets) < header_end + _CHECK_OCTETS:
        return Incomplete(header_end + _CHECK_OCTETS - begin + 1)
    _verify(octets, begin, header_end)
    first = header_end + _CHECK_OCTETS
    return slice(first, first + rest - _CHECK_OCTETS)


def _verify(octets: bytes | bytearray, begin: int, end: int) -> None:
    expected = octets[end] | octets[end + 1] << 8
    if frame_check(bytes(octets[begin:end])) != expected:
        raise DecodeError("a check sequence is false")


def _check_octets(body: bytes) -> bytes:
    check: int = frame_check(body)
    return check.to_bytes(2, "little")
