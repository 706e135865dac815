from dataclasses import dataclass
from selectors import DefaultSelector

import pytest

from meter_fw.board import Button
from sim.keyboard import HINT, LEGEND, MIN_SPEED, Fingers
from sim.ports.base import News
from sim.realtime import MAX_SPEED, RealTime
from sim.world import World
from tests.sim.standin import MONDAY, board


@dataclass
class Hands:
    """The keys of one meter, on a timer that is set by hand."""

    speed: float = 1.0
    offered: bool = False
    now: float = 100.0

    def __post_init__(self) -> None:
        self.board = board()
        with DefaultSelector() as selector:
            self.loop = RealTime(World(MONDAY), selector, self.speed)
        self.fingers = Fingers(self.loop, self.board, lambda: self.offered, lambda: self.now)

    def press(self, key: str) -> str:
        """Press a key and return the hint that stands in the border then."""
        self.fingers.press(key)
        return self.fingers.footer().removesuffix(LEGEND).removesuffix(": ")


@pytest.mark.parametrize(
    ("key", "offered", "hint"),
    [
        (" ", False, ""),
        ("s", True, ""),
        ("s", False, "nothing to select"),
        ("x", True, "that key does nothing"),
        ("S", True, "that key does nothing"),
        ("\ufffd", True, "that key does nothing"),
    ],
)
def test_a_key_that_does_nothing_says_so(key: str, offered: bool, hint: str) -> None:
    """The hint stands before the keys that do something."""
    assert Hands(offered=offered).press(key) == hint


@pytest.mark.parametrize(("key", "button"), [(" ", Button.DISPLAY), ("s", Button.SELECT)])
def test_the_buttons_are_pressed(key: str, button: Button) -> None:
    """The firmware sees them, wanted or not."""
    hands = Hands()
    hands.press(key)
    assert hands.board.measure(MONDAY, News()).buttons == {button}


def test_a_hint_goes_away() -> None:
    """After a while, or with the next key."""
    hands = Hands()
    hands.press("x")
    assert hands.press(" ") == ""
    hands.press("x")
    hands.now += HINT
    assert hands.fingers.footer() == LEGEND


@pytest.mark.parametrize(
    ("key", "before", "after", "hint"),
    [
        ("+", 1.0, 2.0, ""),
        ("-", 1.0, 0.5, ""),
        ("+", MAX_SPEED - 1.0, MAX_SPEED, ""),
        ("+", float(MAX_SPEED), MAX_SPEED, "no faster"),
        ("-", 2 * MIN_SPEED, MIN_SPEED, ""),
        ("-", MIN_SPEED, MIN_SPEED, "no slower"),
        ("-", MIN_SPEED / 3, MIN_SPEED / 3, "no slower"),
    ],
)
def test_the_speed_has_its_bounds(key: str, before: float, after: float, hint: str) -> None:
    """However long a key is held down, the meter's time goes on."""
    hands = Hands(speed=before)
    assert hands.press(key) == hint
    assert hands.loop.speed == after
