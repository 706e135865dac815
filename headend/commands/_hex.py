"""Octets as people write them down: hexadecimal in any usual notation, a message or a whole trace.

| written | taken for |
|---|---|
| ``7EA0``, ``7E A0``, ``7e:a0``, ``7E-A0``, ``0x7E, 0xA0``, ``\\x7e\\xa0`` | octets |
| ``00000010  7e a0 ..  |~..|``, ``0010: 7ea0 ..  ~..`` | a hexdump: no offset, no text |
| ``> ..``, ``< ..``, ``TX: ..``, ``RX: ..``, with a time stamp before or not | a line of a trace |
| ``# ..`` | a remark to the end of the line |

Where some lines say a direction, those that do not and are no hexadecimal are remarks too.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from headend.errors import UsageError

#: Ways in which traces say that octets were sent, and that they came.
_SENT: Final = ("TX", ">", ">>", "->", "=>", "-->", "SEND", "SENT", "OUT")
_RECEIVED: Final = ("RX", "<", "<<", "<-", "<=", "<--", "RECV", "RECEIVED", "IN")
_WAYS: Final = {**dict.fromkeys(_SENT, ">"), **dict.fromkeys(_RECEIVED, "<")}
_WORDS: Final = "|".join(sorted(map(re.escape, _WAYS), key=len, reverse=True))
_DIRECTION: Final = re.compile(
    rf"^(?:\[?[\dT:. ,/+Z-]*\]?\s*)?(?P<way>{_WORDS})(?:\s*:\s*|\s+)(?=[0-9A-F]|0X|\\X)",
    re.IGNORECASE,
)
_DUMP: Final = re.compile(r"^\s*(?P<offset>[0-9A-Fa-f]{4,16})(?::\s+|\s{2,})(?P<rest>\S.*)$")
_TEXT: Final = re.compile(r"\s*\|.*\|$|\s+\|.*$")
_LAST_OFFSET: Final = re.compile(r"[0-9A-Fa-f]{4,16}")
_COMMENT: Final = re.compile(r"#.*$")
_MARKS: Final = re.compile(r"0[xX]|\\[xX]|[\s,;:{}\[\]()'\"_-]|(?<=\s)h\b")
_NOT_HEX: Final = re.compile(r"[^0-9A-Fa-f]")
_SHOWN = 24


class Line(Struct, frozen=True):
    """A line with octets.

    Args:
        direction: ``>`` sent, ``<`` received, empty where the line does not say.
        octets: at least one.
        after_gap: whether an empty line stands before it.
        continues: whether it goes on with the octets of the line before, as a hexdump says.
    """

    direction: str
    octets: bytes
    after_gap: bool = False
    continues: bool = False


def lines_of(text: str) -> list[Line]:
    """Return the lines that have octets.

    Raises:
        UsageError: something is no hexadecimal; the message says what and where.
    """
    lines = text.splitlines()
    return list(_lines(lines, traced=any(_DIRECTION.match(_bare(line)) for line in lines)))


def _bare(line: str) -> str:
    return _COMMENT.sub("", line).strip()


def _lines(lines: Iterable[str], *, traced: bool) -> Iterator[Line]:
    dumped, gap, in_dump = 0, False, False  # octets since the present hexdump began
    for number, line in enumerate(lines, 1):
        bare = _bare(line)
        if not bare:
            dumped, gap, in_dump = 0, True, False
            continue
        if in_dump and _LAST_OFFSET.fullmatch(bare) and int(bare, 16) == dumped:
            continue  # where the dump ends
        direction = ""
        if found := _DIRECTION.match(bare):
            direction, bare = _WAYS[found["way"].upper()], bare[found.end() :]
            dumped = 0
        continues = in_dump = False
        dump = _DUMP.match(bare)
        if dump and not direction and int(dump["offset"], 16) in (dumped, 0):
            bare = _without_text(dump["rest"])
            continues, in_dump = int(dump["offset"], 16) > 0, True
            dumped = dumped if continues else 0
        try:
            octets = _octets(bare, number)
        except UsageError:
            if direction or not traced:
                raise
            continue  # what a command said beside its trace
        dumped += len(octets)
        if octets:
            yield Line(direction, octets, gap, continues)
            gap = False


def _without_text(dump: str) -> str:
    """Return a hexdump's line without the text at its end."""
    dump = _TEXT.sub("", dump)
    # Two spaces end the octets, unless hexadecimal goes on behind them as in the middle of 16.
    kept: list[str] = []
    for piece in re.split(r"\s{2,}", dump):
        tokens = piece.split()
        regular = all(len(token) in (2, 4) and not _NOT_HEX.search(token) for token in tokens)
        if not regular or len(kept) == 2:
            break
        kept.append(piece)
    return " ".join(kept) if kept else dump


def _octets(text: str, number: int) -> bytes:
    digits = _MARKS.sub("", text)
    wrong = _NOT_HEX.search(digits)
    if wrong:
        start = max(0, wrong.start() - 4)
        shown = ascii(digits[start : start + _SHOWN])
        binary = "" if text.isprintable() else ": are these the octets themselves? Try xxd -p FILE"
        raise UsageError(f"line {number}: {shown} is no hexadecimal{binary}")
    if len(digits) % 2:
        raise UsageError(f"line {number}: {len(digits)} hexadecimal digits are no whole octets")
    return bytes.fromhex(digits)
