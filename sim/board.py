"""A board made of software: flash, a latching relay with feedback, a meter head and an LCD."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from meter_fw.board import Button, Coil, Flash, Inputs, Lcd, Outputs
from protocol.timing import Instant
from sim.load import UNITS_PER_WH, Consumption
from sim.ports.base import News
from sim.ports.bell import nobody


class Contact(Enum):
    """Where the latching relay stands; without current it stays there."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(slots=True)
class SoftwareBoard:
    """One meter's hardware and the household behind it.

    Energy flows only while the contact is closed. What is less than a pulse stays here until
    it is one.

    Args:
        flash: the firmware's.
        consumption: the household.
        now: the board's true time, up to which energy has been measured.
        contact: where the relay stands.
        remainder: energy measured that is not a pulse yet, in units of 1 Wh / ``UNITS_PER_WH``.
        failing: its supply is about to fail; the firmware is told.
        stuck: the contact does not follow its coil any more; a fault to play with.
        show: makes what the display shows; None before the first tick.
        pulses: blinks of the metering LED, one a Wh, since the board was switched on.
        ring: called when somebody has touched it.
    """

    flash: Flash
    consumption: Consumption
    now: Instant
    contact: Contact = Contact.CLOSED
    remainder: int = 0
    failing: bool = False
    stuck: bool = False
    show: Callable[[], Lcd] | None = None
    pulses: int = 0
    ring: Callable[[], None] = nobody
    _pressed: set[Button] = field(default_factory=set)
    _keyed: list[str] = field(default_factory=list)
    _opened: bool = False
    _seen_open: bool = False

    @property
    def opened(self) -> bool:
        """Whether the cover is open."""
        return self._opened

    @opened.setter
    def opened(self, opened: bool) -> None:
        self._opened = opened
        self.ring()

    @property
    def touched(self) -> bool:
        """Whether somebody has been at it, which the firmware has not seen yet."""
        return bool(self._pressed or self._keyed) or self._opened is not self._seen_open

    @property
    def lcd(self) -> Lcd | None:
        """What the display shows; None before the first tick."""
        return None if self.show is None else self.show()

    def press(self, button: Button) -> None:
        """Press a button; the firmware sees it at its next tick."""
        self._pressed.add(button)
        self.ring()

    def key_in(self, text: str) -> None:
        """Type a token; the firmware sees it at its next tick."""
        self._keyed.append(text)
        self.ring()

    def measure(self, now: Instant, news: News, line_now: Instant | None = None) -> Inputs:
        """Let time pass until ``now`` and return what the firmware is told.

        Args:
            now: not before the board's time.
            news: what the ports brought.
            line_now: the line timer; None is ``now``.
        """
        closed = self.contact is Contact.CLOSED
        energy = self.consumption.energy_between(self.now, now) if closed else 0
        pulses, self.remainder = divmod(self.remainder + energy, UNITS_PER_WH)
        self.now = now
        self.pulses += pulses
        buttons = frozenset(self._pressed)
        self._pressed.clear()
        keyed = tuple(self._keyed)
        self._keyed.clear()
        self._seen_open = self._opened
        return Inputs(
            rx=news.rx,
            opened=news.opened,
            closed=frozenset(news.closed),
            pulses=pulses,
            power=self.consumption.power_at(now) if closed else 0,
            buttons=buttons,
            contact_closed=closed,
            tamper=self._opened,
            line_now=line_now,
            failing=self.failing,
            keyed=keyed,
        )

    def drive(self, outputs: Outputs) -> bool:
        """Do what the firmware wants; return whether the contact moved."""
        self.show = outputs.show
        if outputs.coil is None or self.stuck:
            return False
        wanted = Contact.OPEN if outputs.coil is Coil.OPEN else Contact.CLOSED
        moved = wanted is not self.contact
        self.contact = wanted
        return moved
