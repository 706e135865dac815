"""IEC 62056-21 messages as nodes: sign-on, identification, option, readout, programming commands.

| message | octets |
|---|---|
| request | ``/ ? address ! CR LF`` |
| identification | ``/ XXX Z identification CR LF``; Z is the baud rate |
| option select | ``ACK V Z Y CR LF`` |
| readout | ``STX lines ! CR LF ETX BCC`` |
| command | ``SOH C D STX data ETX BCC``, or without data ``SOH C D ETX BCC`` |

BCC is the exclusive or of all octets behind the first SOH or STX up to ETX. Seven data bits: a
parity bit is taken off for the reading. Layouts as public readers of this protocol agree on them.
"""

import re
from functools import reduce
from operator import xor
from typing import Final

from protocol.explain.walker import Walker

_SOH, _STX, _ETX, _ACK, _NAK = b"\x01", b"\x02", b"\x03", b"\x06", b"\x15"
_END: Final = b"\r\n"
_BAUD: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
#: The fields of an option select, and what their letters say.
_OPTIONS: Final = {
    "protocol-control": {"0": "normal", "1": "secondary", "2": "HDLC"},
    "baud-rate": {letter: f"{rate} baud" for letter, rate in _BAUD.items()},
    "mode-control": {"0": "readout", "1": "programming", "2": "binary, mode E"},
}
_COMMANDS: Final = {
    "P": "password", "W": "write", "R": "read", "E": "execute", "B": "break",
}  # fmt: skip # a table
_COMMAND: Final = re.compile(rb"\x01[PWREB][0-9][\x02\x03]")
_OPTION: Final = re.compile(rb"\x06[0-9A-Z][0-9A-I][0-9A-Z]\r\n")
_READOUT: Final = re.compile(rb"\x02[ -~\r\n]*\x03")
_BEGINNING: Final = re.compile(rb"[/\x01\x02\x06\x15]")
_LINE_END: Final = re.compile(rb"\r\n")
_ADDRESS_END: Final = re.compile(rb"[!\r]")
#: One data set, address(value), or what is there up to where one can begin.
_DATA_SET: Final = re.compile(rb"[^()\r\n!\x03]*\([^()\r\n\x03]*\)|[^\r\n!\x03]+")
#: What each octet is without its parity bit.
_SEVEN: Final = bytes(octet & 0x7F for octet in range(256))


def is_telegram(octets: bytes) -> bool:
    """Whether octets begin as a message of this protocol and as no APDU."""
    seven = octets.translate(_SEVEN)
    if seven[:1] == b"/":
        return True
    return any(pattern.match(seven) for pattern in (_COMMAND, _OPTION, _READOUT))


def telegrams(walker: Walker, _name: str) -> None:
    """Explain messages to the end."""
    _Telegrams(walker).all()


class _Telegrams:
    """The walk over messages; ``_seven`` are the octets without their parity bits."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._seven = walker.octets.translate(_SEVEN)

    def all(self) -> None:
        """Explain messages to the end."""
        walker = self._walker
        while walker.left:
            first = self._peek()
            if first == b"/":
                self._sign_on()
            elif first == _ACK:
                self._acknowledgement()
            elif first in (_SOH, _STX):
                self._block(first == _SOH)
            elif first == _NAK:
                self._row(1, "NAK", "repeat")
            else:
                walker.take()
                self._to(_BEGINNING)
                walker.fail("not the beginning of a message")

    # --- reading ---------------------------------------------------------------------------------

    def _peek(self, length: int = 1) -> bytes:
        offset = self._walker.offset
        return self._seven[offset : min(offset + length, self._walker.end)]

    def _to(self, pattern: re.Pattern[bytes], *, behind: bool = False) -> None:
        """Go to where a pattern is found, or behind it; to the end where it is not."""
        walker = self._walker
        found = pattern.search(self._seven, walker.offset, walker.end)
        end = walker.end if found is None else found.end() if behind else found.start()
        walker.offset = end

    def _row(self, length: int, name: str, meaning: str = "") -> str:
        """Explain so many octets as text; what it says, or ``meaning``."""
        start = self._walker.offset
        self._walker.take(length)
        return self._text(start, name, meaning)

    def _text(self, start: int, name: str, meaning: str = "") -> str:
        text = self._seven[start : self._walker.offset].decode("ascii")
        self._walker.leaf(name, meaning or (repr(text) if text.isprintable() else ""), text)
        return text

    def _line_end(self) -> None:
        """Explain CR and LF; their lack is a fault."""
        if self._peek(2) == _END:
            self._row(2, "end of line")
            return
        self._to(_LINE_END, behind=True)
        self._walker.fail("CR LF is due here")

    # --- messages --------------------------------------------------------------------------------

    def _sign_on(self) -> None:
        walker = self._walker
        request = self._peek(2) == b"/?"
        with walker.group("request" if request else "identification"):
            self._row(1, "start", "/")
            if request:
                self._row(1, "command", "who is there")
                start = walker.offset
                self._to(_ADDRESS_END)
                anybody = "" if walker.offset > start else "none, so anybody"
                self._text(start, "device-address", anybody)
                if self._peek() == b"!":
                    self._row(1, "end", "!")
            else:
                self._identification()
            self._line_end()

    def _identification(self) -> None:
        walker = self._walker
        self._row(3, "manufacturer")
        baud = self._peek().decode("ascii")
        rate = _BAUD.get(baud)
        self._row(1, "baud-rate", f"{baud!r}, {rate} baud" if rate else f"{baud!r}, mode A or B")
        start = walker.offset
        self._to(_LINE_END)
        self._text(start, "identification")

    def _acknowledgement(self) -> None:
        if not _OPTION.match(self._peek(6)):
            self._row(1, "ACK", "taken")
            return
        with self._walker.group("option-select"):
            self._row(1, "ACK", "ACK")
            for name, known in _OPTIONS.items():
                letter = self._peek().decode("ascii")
                self._row(1, name, f"{letter!r}, {known.get(letter, 'reserved')}")
            self._line_end()

    def _block(self, command: bool) -> None:
        """Explain what a BCC ends: a command or a readout."""
        walker = self._walker
        begin = walker.offset + 1
        with walker.group("command" if command else "readout") as node:
            self._row(1, "SOH" if command else "STX", "SOH" if command else "STX")
            if command:
                known = _COMMANDS.get(self._peek().decode("ascii"), "")
                node.meaning = known
                self._row(2, "command", f"{self._peek(2).decode('ascii')!r}, {known or 'unknown'}")
                if self._peek() == _STX:
                    self._row(1, "STX", "STX")
            self._lines()
            if not walker.left:
                walker.wrong(node, "ETX and BCC are missing")
                return
            self._row(1, "ETX", "ETX")
            due = reduce(xor, self._seven[begin : walker.offset], 0)
            found = self._peek()
            walker.take()
            check = walker.leaf("BCC", "right" if found == bytes((due,)) else "wrong", found)
            if found != bytes((due,)):
                walker.wrong(check, f"BCC should be {due:02X}")

    def _lines(self) -> None:
        """Explain data sets, one a row, up to ETX."""
        walker = self._walker
        while walker.left and self._peek() != _ETX:
            if self._peek(2) == _END:
                self._row(2, "end of line")
            elif self._peek() == b"!":
                self._row(1, "end of data", "!")
            else:
                start = walker.offset
                found = _DATA_SET.match(self._seven, start, walker.end)
                walker.offset = start + 1 if found is None else found.end()
                self._text(start, "data-set")
