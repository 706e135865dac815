"""The meter's face: a framed LCD with seven-segment digits, as text that fits 80 columns.

Everything on it comes from ``Lcd``, which the firmware draws; only the frame, the name plate and
the relay's symbol are the case around it. ``compose`` lays the lines out once, for transcripts
(``render_text``) and for a terminal (``sim.screen``) alike, with or without Unicode.
"""

from datetime import datetime

from msgspec import Struct

from meter_fw.board import Lcd, Sign

#: Columns between the frame's sides.
WIDTH = 76
_MARGIN = 2

#: The words of the signs, in the order in which they stand on the glass.
SIGNS: dict[Sign, tuple[str, str]] = {
    Sign.EURO_ARROW: ("arrow", ""),  # drawn, not written
    Sign.LOW_CREDIT: ("low-credit", "LOW CREDIT"),
    Sign.EMERGENCY: ("emergency", "EMERGENCY CREDIT"),
    Sign.FRIENDLY: ("friendly", "FRIENDLY HOURS"),
    Sign.RELAY_OPEN: ("relay-open", "RELAY OPEN"),
    Sign.CLOCK_UNKNOWN: ("clock-unknown", "CLOCK ?"),
    Sign.LIMITED: ("limited", "LIMITED SUPPLY"),
    Sign.NEVER_CUT: ("never-cut", "NEVER CUT"),
    Sign.RELAY_FAULT: ("relay-fault", "RELAY ?"),
    Sign.CALENDAR_ENDS: ("calendar-ends", "CALENDAR ENDS"),
}

#: The glass has two rows of them: above the digits, and below.
_LOWER = Sign.LIMITED | Sign.NEVER_CUT | Sign.RELAY_FAULT | Sign.CALENDAR_ENDS
_UPPER = ~_LOWER

# Seven segments a character, in three rows of three columns, as the glass has them:
#  _      top
# |_|     upper left, middle, upper right
# |_|     lower left, bottom, lower right
_GLYPHS = {
    "0": (" _ ", "| |", "|_|"),
    "1": ("   ", "  |", "  |"),
    "2": (" _ ", " _|", "|_ "),
    "3": (" _ ", " _|", " _|"),
    "4": ("   ", "|_|", "  |"),
    "5": (" _ ", "|_ ", " _|"),
    "6": (" _ ", "|_ ", "|_|"),
    "7": (" _ ", "  |", "  |"),
    "8": (" _ ", "|_|", "|_|"),
    "9": (" _ ", "|_|", " _|"),
    "-": ("   ", " _ ", "   "),
    " ": ("  ", "  ", "  "),
    ".": (" ", " ", "."),
    ":": (" ", ".", "."),
}


class Case(Struct, frozen=True):
    """What is printed on the meter's case.

    Args:
        name: logical device name.
        profile: name of the profile.
        currency: ISO code; the euro sign stands on the glass of a meter that counts euros.
    """

    name: str
    profile: str
    currency: str = ""


class Face(Struct, frozen=True):
    """One look at a meter.

    Args:
        case: what never changes.
        lcd: what the display shows.
        clock: local time of the meter.
        pulse: the metering LED is lit.
    """

    case: Case
    lcd: Lcd
    clock: datetime
    pulse: bool = False


def segments(value: str) -> tuple[str, str, str]:
    """Return a value as three rows of seven-segment digits.

    A character without segments stands as itself in the middle row.
    """
    glyphs = [_GLYPHS.get(character, (" ", character, " ")) for character in value]
    top, middle, bottom = (" ".join(glyph[row] for glyph in glyphs) for row in range(3))
    return top, middle, bottom


def words_of(signs: Sign) -> list[str]:
    """Return the written names of the signs that are lit, for logs and JSON."""
    return [name for sign, (name, _) in SIGNS.items() if sign in signs]


def compose(face: Face, *, unicode: bool = True) -> list[str]:
    """Return the lines inside the frame, each ``WIDTH`` columns or less.

    Args:
        face: what to draw.
        unicode: arrows, currency signs and rounded lines may be used.
    """
    lcd = face.lcd
    arrow = ("▲" if unicode else "^") if Sign.EURO_ARROW in lcd.signs else " "
    euro = {"EUR": "€" if unicode else "E"}.get(face.case.currency, " ")
    upper, lower = (_lit(lcd.signs, row) for row in (_UPPER, _LOWER))
    rows = segments(lcd.value[:16])
    units = ("", "", lcd.unit)
    room = WIDTH - 2 * _MARGIN - 5
    digits = [f"{row:>{room}} {unit:<4}" for row, unit in zip(rows, units, strict=True)]
    relay = _relay(lcd, unicode)
    pulse = ("●" if unicode else "*") if face.pulse else " "
    clock = f"{pulse} {face.clock:%Y-%m-%d %H:%M:%S}"
    inner = WIDTH - 2 * _MARGIN
    lines = [
        f"{arrow}   {upper}",
        f"{euro}   {lcd.code:>{inner - 4}}",
        *digits,
        f"    {lower}",
        f"{relay}{clock:>{inner - len(relay)}}",
    ]
    return [f"{'':{_MARGIN}}{line}".rstrip() for line in lines]


def render_text(face: Face, *, unicode: bool = True) -> str:
    """Return the framed face as plain lines, for transcripts and files.

    Args:
        face: what to draw.
        unicode: False keeps to ASCII.
    """
    corners = "╭╮╰╯" if unicode else "++++"
    side, line = ("│", "─") if unicode else ("|", "-")
    name, profile = f" {face.case.name} ", f" {face.case.profile} "
    top = f"{line}{name}{line * (WIDTH - 2 - len(name) - len(profile))}{profile}{line}"
    body = [f"{side}{text:<{WIDTH}}{side}" for text in compose(face, unicode=unicode)]
    return "\n".join(
        [
            f"{corners[0]}{top}{corners[1]}",
            *body,
            f"{corners[2]}{line * WIDTH}{corners[3]}",
        ]
    )


def event_line(face: Face) -> str:
    """Return the display in one line, in a form that stays the same for ``grep``.

    ``[2026-11-24 08:00:00] 94.32.2 2  -3.20 EUR  relay disconnected  signs arrow,low-credit``
    """
    lcd = face.lcd
    signs = ",".join(words_of(lcd.signs)) or "-"
    value = f"{lcd.value} {lcd.unit}".strip()
    return f"[{face.clock:%Y-%m-%d %H:%M:%S}] {lcd.code}  {value}  relay {lcd.relay}  signs {signs}"


def _lit(signs: Sign, row: Sign) -> str:
    return "   ".join(text for sign, (_, text) in SIGNS.items() if text and sign in signs & row)


def _relay(lcd: Lcd, unicode: bool) -> str:
    dash = "─" if unicode else "-"
    blade = f"o{dash}{dash}o" if lcd.relay == "connected" else "o/ o"
    return f"{dash * 2}{blade}{dash * 2} relay {lcd.relay.replace('_', ' ')}"
