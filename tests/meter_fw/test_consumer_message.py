"""The message to the customer (0-0:96.13.1): what is taken, how it is shown, and for how long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_fw.board import Button
from meter_fw.consumer_message import SHOWN, TURN, WIDTH
from meter_fw.state import MAX_MESSAGE
from obis import catalogue
from protocol.axdr import Data, octet_string, visible_string
from protocol.codes import DataAccessResult
from protocol.timing import later
from tests.meter_fw.rig import PUBLIC, READER, Rig

DONE = DataAccessResult.SUCCESS
SCOPE = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
CODE = "96.13.1"
TEXT = b"Power is off on 3 December from 09:00 to 12:00"
LINES = ["Power is off on", "3 December from", "09:00 to 12:00"]


def write(rig: Rig, text: bytes) -> DataAccessResult:
    """Write the message."""
    return rig.set(catalogue.MESSAGE, 1, octet_string(text))


def read(rig: Rig) -> bytes:
    """Read it."""
    found = rig.get(catalogue.MESSAGE, 1)
    assert isinstance(found, Data)
    return bytes(found.value)


def wait(rig: Rig, milliseconds: int) -> str:
    """Let time pass and return what the display shows, as the code and the value."""
    rig.now = later(rig.now, milliseconds)
    shown = rig.tick().lcd
    return f"{shown.code} {shown.value}"


def test_a_message_takes_turns_with_the_page_line_by_line() -> None:
    """Broken at spaces, four seconds each; the meter wakes up for each turn by itself."""
    rig = Rig()
    own = wait(rig, 0)
    assert write(rig, TEXT) is DONE
    assert read(rig) == TEXT
    shown = [wait(rig, 0)]
    for _ in range(7):
        assert rig.last.wake_at == later(rig.now, TURN)
        shown.append(wait(rig, TURN))
    turns = [f"{CODE} {line}" for line in LINES]
    assert shown == [*turns, own, *turns, own]


def test_after_an_hour_it_waits_behind_the_pages_for_the_button() -> None:
    """The page of before stands there; pressed through, the lines come last, and then it begins."""
    rig = Rig()
    pages = len(rig.kernel.display())
    own = wait(rig, 0)
    write(rig, TEXT)
    assert wait(rig, SHOWN - 1) in [own, *(f"{CODE} {line}" for line in LINES)]
    assert wait(rig, 1) == own
    for _ in range(pages):
        rig.press(Button.DISPLAY)
    seen = []
    for _ in LINES:
        seen.append(rig.last.lcd.value)
        rig.press(Button.DISPLAY)
    assert seen == LINES
    assert wait(rig, 0) == own
    assert [page.value for page in rig.kernel.display()][pages:] == LINES


def test_a_power_cut_keeps_it_and_what_is_left_of_its_hour() -> None:
    """By the board's clock, so that no clock set wrong shows it for ever or not at all."""
    rig = Rig()
    own = wait(rig, 0)
    write(rig, TEXT)
    rig.now = later(rig.now, SHOWN // 2)
    rig.boot()
    assert wait(rig, SHOWN // 2 // TURN * TURN % (4 * TURN)) != ""
    assert read(rig) == TEXT
    assert wait(rig, SHOWN // 2) == own


def test_the_same_text_again_begins_nothing_anew_while_it_is_shown() -> None:
    """Its answer may have got lost; an hour later it is a new message."""
    rig = Rig()
    write(rig, TEXT)
    since = rig.kernel.state.message.since
    wait(rig, 60_000)
    assert write(rig, TEXT) is DONE
    assert rig.kernel.state.message.since == since
    wait(rig, SHOWN)
    write(rig, TEXT)
    assert rig.kernel.state.message.since == rig.now


def test_an_empty_one_takes_it_away() -> None:
    """Twice is as good as once, and as at a meter that never had one."""
    rig = Rig()
    pages, fresh = rig.kernel.display(), rig.kernel.state.message
    write(rig, TEXT)
    for _ in range(2):
        assert write(rig, b"") is DONE
        assert read(rig) == b""
        assert rig.kernel.display() == pages
        assert rig.kernel.state.message == fresh


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"x" * MAX_MESSAGE, DONE),
        (b"x" * (MAX_MESSAGE + 1), SCOPE),
        (b"x" * 5_000, SCOPE),
        (b" ~", DONE),
        (b"\x1f", SCOPE),
        (b"\x7f", SCOPE),
        (b"two\nlines", SCOPE),
        ("\u05e9\u05d1\u05ea".encode(), SCOPE),
        (b"\x00", SCOPE),
    ],
    ids=repr,
)
def test_what_the_display_cannot_show_is_refused(text: bytes, answer: DataAccessResult) -> None:
    """Too long, or of other characters than printable ASCII; what was there stays."""
    rig = Rig()
    write(rig, b"before")
    assert write(rig, text) is answer
    assert read(rig) == (text if answer is DONE else b"before")


def test_another_type_and_other_clients_are_refused() -> None:
    """A reader reads it, and nobody but management writes; a stranger does not see it."""
    rig = Rig()
    value = octet_string(TEXT)
    text = visible_string("x")
    assert rig.set(catalogue.MESSAGE, 1, text) is DataAccessResult.TYPE_UNMATCHED
    denied = DataAccessResult.READ_WRITE_DENIED
    assert rig.set(catalogue.MESSAGE, 1, value, caller=READER) is denied
    write(rig, TEXT)
    assert rig.get(catalogue.MESSAGE, 1, caller=READER) == value
    assert rig.get(catalogue.MESSAGE, 1, caller=PUBLIC) is DataAccessResult.OBJECT_UNDEFINED


@settings(max_examples=20)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=MAX_MESSAGE))
def test_every_line_fits_and_no_word_is_lost(text: str) -> None:
    """Whatever the text; one of spaces alone has nothing to show."""
    rig = Rig()
    pages = len(rig.kernel.display())
    assert write(rig, text.encode()) is DONE
    lines = [page.value for page in rig.kernel.display()][pages:]
    assert all(0 < len(line) <= WIDTH for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert wait(rig, 0)
