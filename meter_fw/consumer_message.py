"""The message to the customer: what a head-end has written for the display, 0-0:96.13.1.

The code is that of a consumer message via the meter display (gurux-dlms's list of codes says so,
as a Data object with octets or text; 96.13.0 there is one for the consumer port alone). Up to
``MAX_MESSAGE`` printable ASCII characters, for a display has no others; empty is no message.

It is broken into lines of the display. For ``SHOWN`` ms after it was written they take turns with
the page that is chosen, each for ``TURN`` ms; after that, and until another is written, they stand
behind the pages of the profile, for whoever presses the button. Both durations run on the board's
clock, which nobody sets, so a power cut and a wrong time change neither. The same text written
again, while it takes its turns, begins nothing anew: an answer may have got lost.
"""

from textwrap import wrap
from typing import Any, Final

from meter_fw.server import Attribute, CosemObject
from meter_fw.state import MAX_MESSAGE, Message
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from protocol.codes import DataAccessResult
from protocol.cosem.data import DATA
from protocol.cosem.types import OCTET_STRING
from protocol.errors import AccessRefused
from protocol.timing import Instant

#: Characters of a line of the display.
WIDTH: Final = 16
#: For so long it comes by itself: an hour.
SHOWN: Final = 3_600_000
#: For so long each line, and the page between them, is to be read.
TURN: Final = 4_000


def text(view: View) -> str:
    """Return the message, empty where there is none."""
    held = view.state.message
    return held.octets[: held.length].decode("ascii")


def lines(view: View) -> list[str]:
    """Return the message as the display can show it: broken at spaces, and within long words."""
    return wrap(text(view), WIDTH) if view.state.message.length else []


def takes_turns(view: View) -> bool:
    """Say whether the message comes by itself now."""
    held = view.state.message
    return bool(held.length) and view.board < held.since + SHOWN


def line_now(view: View) -> str | None:
    """Return the line of the message whose turn it is; None when it is the page's."""
    if not takes_turns(view):
        return None
    turns = lines(view)
    turn = (view.board - view.state.message.since) // TURN % (len(turns) + 1)
    return turns[turn] if turn < len(turns) else None


def deadline(view: View) -> tuple[Instant, ...]:
    """Return when the display changes next although nothing comes in."""
    if not takes_turns(view):
        return ()
    since = view.state.message.since
    turn = (view.board - since) // TURN + 1
    return (Instant(since + min(turn * TURN, SHOWN)),)


def _get(view: View) -> bytes:
    return text(view).encode("ascii")


def _set(view: View, octets: Any) -> Change:
    if len(octets) > MAX_MESSAGE:
        raise _refused(f"more than {MAX_MESSAGE} characters")
    if not all(0x20 <= octet < 0x7F for octet in octets):
        raise _refused("not printable ASCII")
    if octets == _get(view) and (takes_turns(view) or not octets):
        return Change(view.state)
    held = Message(octets.ljust(MAX_MESSAGE, b"\x00"), len(octets), int(view.board))
    return Change(view.state.but(message=held if octets else Message()))


def _refused(reason: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, reason)


def objects() -> tuple[CosemObject, ...]:
    """Return the object that a head-end writes it to."""
    value = Attribute(_get, READERS, _set, Role.MANAGEMENT)
    return (CosemObject(DATA.typed(value=OCTET_STRING), catalogue.MESSAGE, {2: value}),)
