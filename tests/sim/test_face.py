import json
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from meter_fw.board import Lcd, Outputs, Sign
from protocol.timing import Instant, later
from sim.face import SIGNS, Case, Face, event_line, render_text, segments, words_of
from sim.outlet import Outlet
from sim.screen import VALUE_PAUSE, Lines, json_line, panel
from sim.world import Site
from tests.sim.standin import BRUSSELS, MONDAY, Echo, board

BELGIAN = Case("OPP0000000000001", "be-wal", "EUR")
ISRAELI = Case("OPP0000000000002", "il", "ILS")
AT = datetime(2026, 11, 24, 8, 0, tzinfo=BRUSSELS)
ALL = Sign.EURO_ARROW | Sign.LOW_CREDIT | Sign.EMERGENCY | Sign.FRIENDLY | Sign.RELAY_OPEN


def face(lcd: Lcd, case: Case = BELGIAN, *, pulse: bool = False) -> Face:
    """Return a look at a meter on a Tuesday morning."""
    return Face(case, lcd, AT, pulse)


def balance(signs: Sign = Sign.NONE, relay: str = "connected", value: str = "-3.20") -> Lcd:
    """Return the balance's page."""
    return Lcd("94.32.2 2", value, "EUR", signs, relay)


CUT = """\
╭─ OPP0000000000001 ──────────────────────────────────────────────── be-wal ─╮
│  ▲   LOW CREDIT   RELAY OPEN                                               │
│  €                                                              94.32.2 2  │
│                                                         _     _   _        │
│                                                     _   _|    _| | |       │
│                                                         _| . |_  |_| EUR   │
│                                                                            │
│  ──o/ o── relay disconnected                          2026-11-24 08:00:00  │
╰────────────────────────────────────────────────────────────────────────────╯"""

CUT_IN_ASCII = """\
+- OPP0000000000001 ------------------------------------------------ be-wal -+
|  ^   LOW CREDIT   RELAY OPEN                                               |
|  E                                                              94.32.2 2  |
|                                                         _     _   _        |
|                                                     _   _|    _| | |       |
|                                                         _| . |_  |_| EUR   |
|                                                                            |
|  --o/ o-- relay disconnected                          2026-11-24 08:00:00  |
+----------------------------------------------------------------------------+"""

UPDATED = """\
╭─ OPP0000000000002 ──────────────────────────────────────────────────── il ─╮
│      FRIENDLY HOURS                                                        │
│                                                                 94.32.2 1  │
│          _   _   _   _                   _   _      _   _     _   _        │
│          _| | |  _| |_   _    |   |  _   _|  _|    | | |_  . | | | |       │
│         |_  |_| |_  |_|       |   |     |_   _|    |_| |_| . |_| |_|       │
│                                                                            │
│  ──o──o── relay connected                           ● 2026-11-24 08:00:00  │
╰────────────────────────────────────────────────────────────────────────────╯"""


def test_the_face_of_a_meter_that_was_cut() -> None:
    """Arrow above the euro sign, code, value, unit, relay and clock are where one looks."""
    lcd = balance(Sign.EURO_ARROW | Sign.LOW_CREDIT | Sign.RELAY_OPEN, "disconnected")
    assert render_text(face(lcd)) == CUT
    assert render_text(face(lcd), unicode=False) == CUT_IN_ASCII


def test_the_face_of_a_meter_that_counts_no_euros() -> None:
    """No euro sign, no arrow; the metering LED is lit beside the clock."""
    lcd = Lcd("94.32.2 1", "2026-11-23 06:00", "", Sign.FRIENDLY, "connected")
    assert render_text(face(lcd, ISRAELI, pulse=True)) == UPDATED


@pytest.mark.parametrize("sign", [sign for sign in SIGNS if sign is not Sign.EURO_ARROW])
def test_each_sign_is_on_the_glass_only_while_it_is_lit(sign: Sign) -> None:
    """A sign that is not lit cannot be read."""
    text = SIGNS[sign][1]
    assert text in render_text(face(balance(sign)))
    assert text not in render_text(face(balance(~sign)))


def test_the_arrow_stands_above_the_euro_sign() -> None:
    """Only while prepayment is active; the euro sign is always printed."""
    for signs, arrow in ((Sign.EURO_ARROW, "▲"), (Sign.NONE, " ")):
        _, upper, lower, *_ = render_text(face(balance(signs))).splitlines()
        assert upper[lower.index("€")] == arrow


def test_every_sign_has_a_name_of_its_own() -> None:
    """A sign that the firmware gets is not forgotten here."""
    assert set(SIGNS) == set(Sign)
    assert len(set(words_of(~Sign.NONE))) == len(Sign)


@pytest.mark.parametrize(
    "value", ["8" * 16, "-" * 16, "A" * 16, ":" * 16, "", "too long for a glass"]
)
def test_the_face_fits_eighty_columns(value: str) -> None:
    """Whatever is shown and lit, each line is as wide as the frame."""
    lcd = Lcd("1-0:94.32.2*255", value, "kvarh", ~Sign.NONE, "ready_for_reconnection")
    for unicode in (True, False):
        lines = render_text(face(lcd, pulse=True), unicode=unicode).splitlines()
        assert {len(line) for line in lines} == {78}


def test_without_unicode_the_face_is_ascii() -> None:
    """A terminal or file that has no UTF-8 gets all of it too."""
    text = render_text(face(balance(ALL), pulse=True), unicode=False)
    assert text.isascii()


def test_digits_are_told_apart_by_their_segments() -> None:
    """No two digits look alike, and a letter stands as itself."""
    assert len({segments(digit) for digit in "0123456789-"}) == 11
    assert segments("A")[1].strip() == "A"


@pytest.mark.parametrize(("encoding", "ascii_only"), [("utf-8", False), ("ascii", True)])
@pytest.mark.parametrize("color", [True, False])
def test_a_terminal_shows_the_same_lines(encoding: str, ascii_only: bool, color: bool) -> None:
    """Colour is decoration: without it, or without UTF-8, the text is the transcript's."""

    class Out(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]  # io has a plain attribute
            return encoding

    out = Out()
    console = Console(
        file=out, width=80, force_terminal=color, no_color=not color, legacy_windows=False
    )
    lcd = balance(ALL, "disconnected")
    console.print(panel(face(lcd), encoding))
    drawn = out.getvalue()
    lines = Text.from_ansi(drawn).plain.splitlines()
    expected = render_text(face(lcd), unicode=not ascii_only).splitlines()
    assert [line[1:-1].rstrip() for line in lines[1:-1]] == [
        line[1:-1].rstrip() for line in expected[1:-1]
    ]
    assert all(len(line) <= 80 for line in lines)
    assert "".join(lines).isascii() is ascii_only


def test_an_event_line_can_be_relied_on() -> None:
    """Its form is part of the interface."""
    lcd = balance(Sign.EURO_ARROW | Sign.RELAY_OPEN, "disconnected")
    assert event_line(face(lcd)) == (
        "[2026-11-24 08:00:00] 94.32.2 2  -3.20 EUR  relay disconnected  signs arrow,relay-open"
    )
    quiet = Lcd("94.32.2 1", "2026-11-23 06:00", "", Sign.NONE, "connected")
    assert event_line(face(quiet)) == (
        "[2026-11-24 08:00:00] 94.32.2 1  2026-11-23 06:00  relay connected  signs -"
    )


def test_a_json_event_carries_the_same() -> None:
    """One object, its time with the offset."""
    lcd = balance(Sign.LOW_CREDIT)
    assert json.loads(json_line(face(lcd))) == {
        "time": "2026-11-24T08:00:00+01:00",
        "code": "94.32.2 2",
        "value": "-3.20",
        "unit": "EUR",
        "relay": "connected",
        "signs": ["low-credit"],
    }


@dataclass
class Log:
    """A screen of lines under a timer that stands still until it is moved."""

    pages: list[Lcd] = field(default_factory=list)
    timer: float = 0.0
    now: Instant = MONDAY

    def __post_init__(self) -> None:
        self.out = StringIO()
        self.screen = Lines(
            BELGIAN,
            lambda: AT,
            lambda: self.pages,
            Outlet(self.out, str),
            timer=lambda: self.timer,
        )
        self.site = Site("one", Echo(), board())

    def tick(self, *pages: Lcd) -> list[str]:
        self.pages = list(pages)
        self.site.board.now = self.now = later(self.now, 1000)
        self.screen.ticked(self.site, Outputs(lambda: pages[0], later(self.now, 1)))
        return self.written()

    def turn(self, seconds: float) -> list[str]:
        self.timer += seconds
        self.screen.turn()
        return self.written()

    def written(self) -> list[str]:
        lines = self.out.getvalue().splitlines()
        self.out.seek(0)
        self.out.truncate()
        return [line.partition("] ")[2] for line in lines]


def energy(value: str) -> Lcd:
    """Return the register's page."""
    return Lcd("1.8.0", value, "kWh", Sign.NONE, "connected")


def test_the_first_look_shows_every_page() -> None:
    """Who begins to read knows where everything stands."""
    assert Log().tick(energy("1.000"), balance()) == [
        "1.8.0  1.000 kWh  relay connected  signs -",
        "94.32.2 2  -3.20 EUR  relay connected  signs -",
    ]


def test_what_does_not_change_is_not_written_again() -> None:
    """However often the meter is ticked."""
    log = Log()
    log.tick(energy("1.000"), balance())
    assert log.tick(energy("1.000"), balance()) == []
    assert log.turn(10) == []


def test_a_change_of_sign_or_relay_is_written_at_once() -> None:
    """With the values as they are at that moment."""
    log = Log()
    log.tick(energy("1.000"))
    opened = Lcd("1.8.0", "1.000", "kWh", Sign.RELAY_OPEN, "disconnected")
    assert log.tick(opened) == ["1.8.0  1.000 kWh  relay disconnected  signs relay-open"]


def test_a_value_that_keeps_changing_is_written_now_and_then() -> None:
    """Its last state is never withheld for long, and is the one that is written."""
    log = Log()
    log.tick(energy("1.000"))
    assert log.tick(energy("1.001")) == []
    assert log.turn(VALUE_PAUSE / 2) == []
    log.tick(energy("1.002"))
    assert log.turn(VALUE_PAUSE) == ["1.8.0  1.002 kWh  relay connected  signs -"]
    log.tick(energy("1.003"))
    log.screen.close()
    assert log.written() == ["1.8.0  1.003 kWh  relay connected  signs -"]


def test_a_value_that_went_and_came_back_is_no_change() -> None:
    """Nothing is written for what could not be seen."""
    log = Log()
    log.tick(energy("1.000"))
    log.tick(energy("2.000"))
    log.tick(energy("1.000"))
    assert log.turn(10) == []
