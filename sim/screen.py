"""Where a meter's face is shown: redrawn on a terminal, or line by line for files and programs.

All of them follow the world's ticks and write from the loop; none has a thread.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from meter_fw.board import Button, Lcd, Outputs, Sign
from obis.values import replace
from sim.board import SoftwareBoard
from sim.face import Case, Face, compose, event_line, words_of
from sim.outlet import Outlet, takes_more
from sim.world import Site

if TYPE_CHECKING:
    from rich.panel import Panel

#: Seconds that a terminal shows a page before the next one's turn.
PAGE = 4.0
#: Seconds between two redraws of a terminal, and between two lines for one changing value.
REDRAW = 0.1
VALUE_PAUSE = 0.2

_LCD_STYLE = "bold #10240c on #a9b99a"
_CASE_STYLE = "bright_white"


class Screen(Protocol):
    """Something that shows a meter."""

    def ticked(self, site: Site, outputs: Outputs) -> None:
        """Take note of what the display shows now."""
        ...

    def turn(self) -> None:
        """Write or redraw what is due; called once a turn of the loop."""
        ...

    def flush(self) -> None:
        """Write or redraw what waits, due or not."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Blind:
    """Shows nothing."""

    def ticked(self, site: Site, outputs: Outputs) -> None:
        """Do nothing."""

    def turn(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """One line for each change of a display page.

    A change of signs or relay is written at once, with every page that changed with it. A value
    that changes all the time is written a few times a second, or as fast as the reader takes it,
    its last state always.

    Args:
        case: of the meter.
        clock: the meter's own, as local time.
        pages: every page of its display, as it would show at this moment.
        outlet: where the lines go.
        render: makes one.
        timer: seconds of real time.
    """

    def __init__(
        self,
        case: Case,
        clock: Callable[[], datetime],
        pages: Callable[[], Iterable[Lcd]],
        outlet: Outlet,
        render: Callable[[Face], str] = event_line,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._case = case
        self._clock = clock
        self._pages = pages
        self._render = render
        self._outlet = outlet
        self._timer = timer
        self._shown: dict[str, tuple[Lcd, float]] = {}  # code -> last written, and when
        self._pending: dict[str, Face] = {}
        self._state: tuple[Sign, str] | None = None

    def ticked(self, site: Site, outputs: Outputs) -> None:
        """Write the pages that have changed, now or soon."""
        clock = self._clock()
        state = outputs.lcd.signs, outputs.lcd.relay
        urgent = state != self._state
        self._state = state
        for lcd in self._pages():
            before = self._shown.get(lcd.code)
            if before is not None and (before[0].value, before[0].unit) == (lcd.value, lcd.unit):
                self._pending.pop(lcd.code, None)
            else:
                self._pending[lcd.code] = Face(self._case, lcd, clock)
        if urgent:
            self._pending.setdefault(outputs.lcd.code, Face(self._case, outputs.lcd, clock))
            self.flush()

    def turn(self) -> None:
        """Write the values that have waited long enough, for a reader who keeps up."""
        if self._outlet.behind:
            return
        now = self._timer()
        for code, face in list(self._pending.items()):
            before = self._shown.get(code)
            if before is None or now - before[1] >= VALUE_PAUSE:
                self._write(face)

    def flush(self) -> None:
        """Write what still waits."""
        for face in list(self._pending.values()):
            self._write(face)

    def close(self) -> None:
        """Write what still waits."""
        self.flush()

    def _write(self, face: Face) -> None:
        self._pending.pop(face.lcd.code, None)
        self._shown[face.lcd.code] = face.lcd, self._timer()
        self._outlet.say(self._render(face))


class Terminal:
    """The face in its place on a terminal, redrawn as it changes.

    Args:
        case: of the meter.
        clock: the meter's own, as local time.
        footer: makes the line below the face.
    """

    def __init__(
        self, case: Case, clock: Callable[[], datetime], footer: Callable[[], str]
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._case = case
        self._clock = clock
        self._footer = footer
        self._face: Face | None = None
        self._pulses = 0
        self._drawn_at = 0.0
        self._turned_at = time.monotonic()
        self._board: SoftwareBoard | None = None
        self._console = Console(highlight=False)
        self._live: Live = Live(console=self._console, auto_refresh=False, transient=False)
        self._live.start()

    def ticked(self, site: Site, outputs: Outputs) -> None:
        """Take the face; it is drawn in its turn."""
        self._board = site.board
        pulsed = site.board.pulses != self._pulses
        self._pulses = site.board.pulses
        self._face = Face(self._case, outputs.lcd, self._clock(), pulsed)

    def turn(self) -> None:
        """Redraw, a few times a second, and turn the pages as a finger on the button would."""
        now = time.monotonic()
        if self._board is not None and now - self._turned_at >= PAGE:
            self._turned_at = now
            self._board.press(Button.DISPLAY)
        due = self._face is not None and now - self._drawn_at >= REDRAW
        if due and takes_more(sys.stdout):  # not one that Ctrl-S has stopped
            self._drawn_at = now
            self._draw()

    def flush(self) -> None:
        """Redraw now."""
        self._drawn_at = 0.0
        self.turn()

    def _draw(self) -> None:
        assert self._face is not None
        face = replace(self._face, clock=self._clock())  # it goes on between two ticks
        self._live.update(panel(face, self._console.encoding, self._footer()), refresh=True)

    def close(self) -> None:
        """Leave the last face standing."""
        self.flush()
        self._live.stop()


def panel(face: Face, encoding: str, footer: str = "") -> "Panel":
    """Return the face for ``rich``; colours and box lines are its console's affair."""
    from rich import box
    from rich.panel import Panel
    from rich.text import Text

    lines = compose(face, unicode=encoding.lower().startswith("utf"))
    return Panel(
        Text("\n".join(f"{line:<76}" for line in lines), style=_LCD_STYLE, no_wrap=True),
        box=box.ROUNDED,
        title=Text(face.case.name),
        title_align="left",
        subtitle=Text(footer or face.case.profile),
        subtitle_align="right",
        border_style=_CASE_STYLE,
        padding=0,
        expand=False,
    )


def json_line(face: Face) -> str:
    """Return the display as one JSON object: time, code, value, unit, relay, signs."""
    return json.dumps(
        {
            "time": face.clock.isoformat(),
            "code": face.lcd.code,
            "value": face.lcd.value,
            "unit": face.lcd.unit,
            "relay": face.lcd.relay,
            "signs": words_of(face.lcd.signs),
        }
    )
