"""The board's faults by order: a cover that is opened, a contact that sticks."""

from datetime import datetime
from selectors import DefaultSelector
from zoneinfo import ZoneInfo

import pytest

from meter_fw.board import Coil, Inputs, Lcd, Outputs, Sign
from protocol.timing import Instant
from sim.board import Contact, SoftwareBoard
from sim.control import Control
from sim.face import WIDTH, Case, Face, compose, words_of
from sim.flash import MemoryFlash
from sim.load import Consumption, Household
from sim.ports.base import News
from sim.realtime import RealTime
from sim.world import World

ZONE = ZoneInfo("Europe/Brussels")


class Bench:
    """A board that takes orders, and their answers."""

    def __init__(self) -> None:
        world = World(Instant(0), 1)
        load = Consumption(Household(1, ZONE))
        self.board = SoftwareBoard(MemoryFlash(2, 4096), load, Instant(0))
        self.answers: list[tuple[str, str]] = []
        loop = RealTime(world, DefaultSelector(), 1.0)
        self.control = Control(loop, self.board, ZONE, lambda: 0, self._said)

    def _said(self, order: str, refusal: str) -> None:
        self.answers.append((order, refusal))

    def order(self, line: str) -> str:
        """Give an order; return why it was refused, or nothing."""
        self.control.order(line)
        assert self.answers[-1][0] == line
        return self.answers[-1][1]

    def inputs(self) -> Inputs:
        """Return what the firmware is told next."""
        return self.board.measure(Instant(self.board.now + 1), News())


def test_a_cover_is_opened_and_closed_by_order() -> None:
    """The firmware has to look at once, and is told as long as it is open."""
    bench = Bench()
    assert not bench.inputs().tamper
    assert bench.order("cover open") == ""
    assert bench.board.touched
    assert bench.inputs().tamper
    assert not bench.board.touched
    assert bench.inputs().tamper
    assert bench.order("cover close") == ""
    assert bench.board.touched
    assert not bench.inputs().tamper


def test_a_contact_sticks_by_order_until_it_is_freed_and_pulsed() -> None:
    """What the coil wants is one thing; what the contact says is where it is."""
    bench = Bench()
    opening = Outputs(lambda: Lcd("", "", "", Sign.NONE, ""), Instant(1), coil=Coil.OPEN)
    assert bench.order("contact stuck") == ""
    assert not bench.board.drive(opening)
    assert bench.inputs().contact_closed is True
    assert bench.order("contact free") == ""
    assert bench.inputs().contact_closed is True
    assert bench.board.drive(opening)
    assert bench.board.contact is Contact.OPEN
    assert bench.inputs().contact_closed is False


@pytest.mark.parametrize("line", ["cover", "cover off", "contact", "contact on", "cover open x"])
def test_what_is_no_order_is_answered_with_the_words_that_are(line: str) -> None:
    """And nothing is turned."""
    bench = Bench()
    assert " or " in bench.order(line)
    assert (bench.board.opened, bench.board.stuck) == (False, False)


def test_all_signs_together_fit_the_glass() -> None:
    """In two rows, each within the frame."""
    lcd = Lcd("94.32.2 2", "-3.20", "EUR", ~Sign.NONE, "ready_for_reconnection")
    lines = compose(Face(Case("OPP1", "be-wal", "EUR"), lcd, datetime(2026, 11, 24, tzinfo=ZONE)))
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for words in ("LIMITED SUPPLY", "NEVER CUT", "RELAY ?", "CLOCK ?", "LOW CREDIT"):
        assert words in text
    assert {"limited", "never-cut", "relay-fault"} <= set(words_of(~Sign.NONE))


def test_a_token_is_typed_by_order_and_reaches_the_firmware_once() -> None:
    """As it was typed; none at all is no order."""
    bench = Bench()
    assert bench.order("token 0100-2345 67") == ""
    assert bench.board.touched
    assert bench.inputs().keyed == ("0100-2345 67",)
    assert not bench.board.touched
    assert bench.inputs().keyed == ()
    assert "digits" in bench.order("token")
