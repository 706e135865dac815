"""The messages of IEC 62056-21, one class each, read and written.

| message | characters | who sends it |
|---|---|---|
| request | ``/?address!`` CR LF | reader |
| identification | ``/XXXZ\\W ident`` CR LF | device |
| acknowledgement and option | ACK V Z Y CR LF | reader; in mode E the device confirms it |
| acknowledgement, repeat request | ACK, NAK | both |
| command | SOH C D [STX data] ETX BCC | both: P0 is the device's, B0 anybody's |
| data | STX data ETX BCC; EOT in place of ETX where another block follows | device |

Layouts as iec62056-21 and pydlms-client agree on them; where only one of them reads a form, or the
manuals of meters differ, it is said there.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

from msgspec import Struct

from obis.values import hiding, replace
from protocol.errors import DecodeError, EncodeError
from protocol.iec21.characters import (
    ACK,
    BAUDS,
    BAUDS_B,
    EOT,
    ETX,
    NAK,
    PUSH_BAUD,
    SOH,
    STX,
    block_check,
    is_printable,
)
from protocol.iec21.datasets import DataSet, format_block, parse_block

#: Characters of a device address, and of an identification behind the rate.
MAX_ADDRESS, MAX_IDENT = 32, 16
_LINE_END: Final = b"\r\n"
_END_OF_READOUT: Final = "!\r\n"
_IDENTIFICATION: Final = re.compile(
    rb"/([A-Za-z]{2}[A-Za-z0-9])([ -~])((?:\\[0-9A-Z])*)([^/!\\]{0,16})\r\n"
)
_COMMANDS: Final = frozenset("PWREB")
_DIGITS: Final = frozenset("0123456789")
_M = TypeVar("_M")


def _printable(text: str) -> bool:
    return text.isascii() and is_printable(text.encode("ascii"))


def _is_data(text: str) -> bool:
    """Whether it may stand behind STX: "/" may not, it begins a message wherever it comes."""
    return "/" not in text and _printable(text.replace("\r", "").replace("\n", ""))


class Mode(Enum):
    """A protocol mode, as an identification shows it."""

    A = "the data follow, at the same rate"
    B = "the data follow, at another rate"
    C = "the reader chooses"
    E = "the reader chooses, and may choose HDLC"


class SignOn(Struct, frozen=True):
    """The request message; without an address any device is meant."""

    address: str = ""

    def __post_init__(self) -> None:
        known = self.address.isascii() and is_printable(self.address.encode("ascii"))
        if not known or len(self.address) > MAX_ADDRESS or not {*"/!"}.isdisjoint(self.address):
            raise EncodeError(
                f"a device address has at most {MAX_ADDRESS} printable characters, none of /!"
            )

    def is_for(self, own: str) -> bool:
        """Whether a device is meant; leading zeros do not count, and no address means any."""
        return not self.address or self.address.lstrip("0") == own.lstrip("0")

    def to_bytes(self) -> bytes:
        """Return its characters."""
        return b"/?" + self.address.encode("ascii") + b"!\r\n"

    @classmethod
    def from_bytes(cls, octets: bytes) -> "SignOn":
        """Return the message that these characters are."""
        if not octets.startswith(b"/?") or not octets.endswith(b"!\r\n"):
            raise DecodeError("no request message")
        return _decoded(cls, _text(octets[2:-3]))


class Identification(Struct, frozen=True):
    """The identification message.

    Args:
        manufacturer: three letters; the third is small on a device that reacts within 20 ms.
        rate: the letter of the rate that is offered.
        text: at most 16 characters, of the maker's choice.
        enhanced: what stands behind a backslash each; "2" offers HDLC (mode E).
    """

    manufacturer: str
    rate: str
    text: str
    enhanced: str = ""

    def __post_init__(self) -> None:
        written = self.to_bytes() if self._is_ascii() else b""
        match = _IDENTIFICATION.fullmatch(written)
        if match is None or match[4].decode("ascii") != self.text or not _printable(self.text):
            raise EncodeError("an identification is /, three letters, a rate and 16 characters")

    def _is_ascii(self) -> bool:
        whole = self.manufacturer + self.rate + self.text + self.enhanced
        return whole.isascii() and len(self.manufacturer) == 3 and len(self.rate) == 1

    @property
    def mode(self) -> Mode:
        """The protocol mode."""
        if self.rate in BAUDS:
            return Mode.E if "2" in self.enhanced else Mode.C
        return Mode.B if self.rate in BAUDS_B else Mode.A

    @property
    def baud(self) -> int | None:
        """The rate that is offered; None where there is none (mode A)."""
        return BAUDS.get(self.rate) or BAUDS_B.get(self.rate)

    @property
    def quick(self) -> bool:
        """Whether 20 ms are enough between a message and its answer, in place of 200 ms."""
        return self.manufacturer[2].islower()

    def pushed(self) -> "Identification":
        """Return the one that goes before data that nobody asked for (mode D)."""
        rate = next(letter for letter, baud in BAUDS.items() if baud == PUSH_BAUD)
        return replace(self, rate=rate, enhanced="")

    def to_bytes(self) -> bytes:
        """Return its characters."""
        enhanced = "".join(f"\\{each}" for each in self.enhanced)
        return f"/{self.manufacturer}{self.rate}{enhanced}{self.text}\r\n".encode("ascii")

    @classmethod
    def from_bytes(cls, octets: bytes) -> "Identification":
        """Return the message that these characters are."""
        match = _IDENTIFICATION.fullmatch(octets)
        if match is None or not is_printable(match[4]):
            raise DecodeError("no identification message")
        maker, rate, enhanced, text = (part.decode("ascii") for part in match.groups())
        return _decoded(cls, maker, rate, text, enhanced.replace("\\", ""))


class Purpose(Enum):
    """What a reader chooses: protocol and mode control character."""

    READOUT = ("0", "0")
    PROGRAMMING = ("0", "1")
    HDLC = ("2", "2")


class OptionSelect(Struct, frozen=True):
    """The acknowledgement and option select message: protocol V, rate Z, mode Y."""

    protocol: str
    rate: str
    mode: str

    def __post_init__(self) -> None:
        parts = (self.protocol, self.rate, self.mode)
        if not all(len(part) == 1 and part.isascii() and part.isalnum() for part in parts):
            raise EncodeError("an option is three letters or digits")

    @property
    def purpose(self) -> Purpose | None:
        """What is chosen; None for what is not known here."""
        try:
            return Purpose((self.protocol, self.mode))
        except ValueError:
            return None

    def to_bytes(self) -> bytes:
        """Return its characters."""
        return bytes((ACK,)) + f"{self.protocol}{self.rate}{self.mode}\r\n".encode("ascii")

    @classmethod
    def from_bytes(cls, octets: bytes) -> "OptionSelect":
        """Return the message that these characters are."""
        if len(octets) != OPTION_LENGTH or octets[0] != ACK or not octets.endswith(_LINE_END):
            raise DecodeError("no option select message")
        return _decoded(cls, *(_text(octets[place : place + 1]) for place in (1, 2, 3)))


#: Characters of an option select message.
OPTION_LENGTH: Final = 6


class Acknowledge(Struct, frozen=True):
    """ACK by itself."""

    def to_bytes(self) -> bytes:
        """Return its character."""
        return bytes((ACK,))


class Repeat(Struct, frozen=True):
    """NAK: what came was not understood and shall come again."""

    def to_bytes(self) -> bytes:
        """Return its character."""
        return bytes((NAK,))


class Command(Struct, frozen=True):
    """A command of the programming mode.

    Args:
        name: P, W, R, E or B with the digit of its form, such as "R1".
        data: a data set, such as "1.8.0()" or a password in brackets; None without. Not shown
            by ``repr``.
    """

    name: str
    data: str | None = None

    __repr__ = hiding("data")

    def __post_init__(self) -> None:
        known = len(self.name) == 2 and self.name[0] in _COMMANDS and self.name[1] in _DIGITS
        if not known or not _is_data(self.data or ""):
            raise EncodeError(
                'a command is one of PWREB, a digit, and printable characters but "/"'
            )

    def to_bytes(self) -> bytes:
        """Return its characters, the block check with them."""
        body = self.name if self.data is None else f"{self.name}\x02{self.data}"
        return _checked(SOH, body.encode("ascii"), ETX)

    @classmethod
    def from_bytes(cls, octets: bytes) -> "Command":
        """Return the message that these characters are."""
        body, end = _unchecked(octets)
        if octets[0] != SOH or end != ETX:
            raise DecodeError("no command message")
        name, stx, data = body[:2], body[2:3], body[3:]
        if stx not in (b"", bytes((STX,))):
            raise DecodeError("a command without STX before its data")
        return _decoded(cls, _text(name), _text(data) if stx else None)


#: Ends a session, and refuses what is refused for good.
BREAK: Final = Command("B0")


class DataMessage(Struct, frozen=True):
    """A block of data.

    Args:
        text: lines of data sets; of a whole readout with "!" CR LF at its end.
        last: no further block follows.
    """

    text: str
    last: bool = True

    def __post_init__(self) -> None:
        if not _is_data(self.text):
            raise EncodeError('a block of data has printable characters but "/", CR and LF')

    @classmethod
    def readout(cls, sets: tuple[DataSet, ...]) -> "DataMessage":
        """Return a whole readout."""
        return cls(format_block(sets) + _END_OF_READOUT)

    @property
    def sets(self) -> tuple[DataSet, ...]:
        """Its data sets.

        Raises:
            DecodeError: they are none.
        """
        return parse_block(self.text.removesuffix(_END_OF_READOUT))

    def to_bytes(self) -> bytes:
        """Return its characters, the block check with them."""
        return _checked(STX, self.text.encode("ascii"), ETX if self.last else EOT)

    @classmethod
    def from_bytes(cls, octets: bytes) -> "DataMessage":
        """Return the message that these characters are."""
        body, end = _unchecked(octets)
        if octets[0] != STX:
            raise DecodeError("no data message")
        return _decoded(cls, _text(body), end == ETX)


class Telegram(Struct, frozen=True):
    """What mode D sends in one piece: identification, an empty line, data, "!".

    There is no check in it but the parity of its characters. The DSMR's P1 telegrams look alike
    and have a CRC behind the "!", which is read over.
    """

    identification: Identification
    sets: tuple[DataSet, ...]

    def to_bytes(self) -> bytes:
        """Return its characters."""
        block = format_block(self.sets).encode("ascii")
        return self.identification.to_bytes() + _LINE_END + block + _END_OF_READOUT.encode("ascii")

    @classmethod
    def from_bytes(cls, octets: bytes) -> "Telegram":
        """Return the message that these characters are."""
        head, line_end, rest = octets.partition(_LINE_END)
        data, end, _crc = rest.rpartition(b"!")
        if not end:
            raise DecodeError("no telegram")
        sets = parse_block(_text(data.removeprefix(_LINE_END)))
        return cls(Identification.from_bytes(head + line_end), sets)


Message = (
    SignOn | Identification | OptionSelect | Acknowledge | Repeat | Command | DataMessage | Telegram
)


_READERS: Final[dict[int, Callable[[bytes], Message]]] = {
    ACK: OptionSelect.from_bytes,
    SOH: Command.from_bytes,
    STX: DataMessage.from_bytes,
}


def parse_message(characters: bytes) -> Message:
    """Return the message that characters of seven bits are.

    Raises:
        DecodeError: none, or one with a wrong parity or block check.
    """
    if characters == bytes((ACK,)):
        return Acknowledge()
    if characters == bytes((NAK,)):
        return Repeat()
    if characters.startswith(b"/?"):
        return SignOn.from_bytes(characters)
    if characters.startswith(b"/"):
        whole = b"!" in characters
        return (Telegram if whole else Identification).from_bytes(characters)
    read = _READERS.get(characters[0]) if characters else None
    if read is None:
        raise DecodeError("no message of IEC 62056-21")
    return read(characters)


def _checked(first: int, body: bytes, end: int) -> bytes:
    inner = body + bytes((end,))
    return bytes((first,)) + inner + bytes((block_check(inner),))


def _unchecked(octets: bytes) -> tuple[bytes, int]:
    """Return body and end character of a message from SOH or STX to its block check."""
    if len(octets) < 3 or octets[-2] not in (ETX, EOT):
        raise DecodeError("a message without an end")
    if block_check(octets[1:-1]) != octets[-1]:
        raise DecodeError("a wrong block check")
    return octets[1:-2], octets[-2]


def _decoded(make: Callable[..., _M], *arguments: object) -> _M:
    """Make a message of what was read: what may not be written may not be read either."""
    try:
        return make(*arguments)
    except EncodeError as error:
        raise DecodeError(str(error)) from error


def _text(octets: bytes) -> str:
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError as error:
        raise DecodeError("a character with a wrong parity") from error
