"""``prepay-sim explain`` and the firmware say the same: for any state, at any moment after it.

A real meter is treated to anything that moves supply, then loses its power. What `explain` finds in
its memory about a later moment has to be what the meter does when its power is back just then.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter_fw.board import Button
from obis import catalogue
from prepay.cut import BalanceMode
from prepay.keys import LAB_KEYS
from prepay.profile import load_profile
from prepay.transactions import Kind
from protocol.axdr import integer
from protocol.cosem import vendor
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem_time import CosemDateTime
from protocol.timing import Instant, later
from sim.board import Contact
from sim.explain import Question, ask
from sim.flash import MemoryFlash
from sim.making import FLASH_BLOCK_SIZE, FLASH_BLOCKS, make_factory
from sim.statedir import BoardRecord, NamePlate, StateDir
from tests.meter_fw.rig import NAME, Rig

HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Treated(Rig):
    """A meter as the simulator makes it, and what is done to it."""

    def __init__(self, profile: str) -> None:
        self.ids = self.sequence = 0
        super().__init__(profile, "2027-04-19T10:00", MemoryFlash(FLASH_BLOCKS, FLASH_BLOCK_SIZE))
        self.factory = make_factory(load_profile(profile), NAME, LAB_KEYS, self.now)
        self.boot()
        self.activate(1)

    def orders(self, kind: Kind, parameters: object = None) -> None:
        """Order something; it may be refused."""
        self.ids += 1
        self.order(self.ids, kind, parameters)

    def activate(self, balance: int) -> None:
        """Open the account."""
        self.sequence += 1
        self.orders(Kind.ACTIVATE, self.snapshot(self.sequence, abs(balance)))

    def close(self, _: int) -> None:
        """Close it."""
        self.orders(Kind.DEACTIVATE)

    def settle_at(self, balance: int) -> None:
        """Bring the balance there, by whoever keeps it."""
        if self.kernel.view.mode is BalanceMode.LOCAL:
            self.orders(Kind.ADJUST, balance - self.balance)
        else:
            self.sequence += 1
            self.orders(Kind.SNAPSHOT, self.snapshot(self.sequence, balance))

    def arm(self, hours: int) -> None:
        """Let the meter cut, until some time ahead."""
        view = self.kernel.view
        expiry = view.at(view.clock + abs(hours) % 300 * HOUR)
        self.orders(Kind.ARM, vendor.Arm(self.sequence, CosemDateTime.from_datetime(expiry)))

    def disarm(self, _: int) -> None:
        """Take that back."""
        self.orders(Kind.DISARM)

    def flag(self, number: int) -> None:
        """Protect the customer, or never cut; or neither."""
        self.orders(Kind.CUSTOMER, vendor.Customer(bool(number & 1), bool(number & 2)))

    def operate(self, number: int) -> None:
        """Disconnect or reconnect."""
        self.act(catalogue.DISCONNECT_CONTROL, 70, 1 + number % 2, integer(0))

    def push(self, _: int) -> None:
        """Press the button."""
        self.press(Button.SELECT)

    def open_the_cover(self, _: int) -> None:
        """Tamper."""
        self.tick(tamper=True)

    def wait(self, number: int) -> None:
        """Let hours pass, from wake-up to wake-up."""
        end = later(self.now, abs(number) % 200 * HOUR)
        while self.now < end:
            self.now = min(end, max(self.last.wake_at, later(self.now, 1)))
            self.tick()

    def keep(self, folder: Path) -> None:
        """Lose power; what is left lies in a directory."""
        self.tick(failing=True)
        kept = StateDir(folder)
        kept.engrave(NamePlate(NAME, self.profile, 1))
        kept.record(BoardRecord(self.now, Contact.CLOSED, 0))
        assert isinstance(self.flash, MemoryFlash)
        kept.flash.write_bytes(self.flash.image)
        kept.close()

    @property
    def supply(self) -> str:
        """What the meter does now."""
        state = self.kernel.state
        if state.relay.control is not ControlState.CONNECTED:
            return "off"
        return "limited" if state.condition.limited else "on"


TREATMENTS = ("settle_at", "settle_at", "arm", "flag", "operate", "push", "wait", "wait", "disarm")
RARELY = ("open_the_cover", "close", "activate")
treatments = st.lists(
    st.tuples(
        st.sampled_from((*TREATMENTS * 3, *RARELY)),
        st.integers(-9000, 3000) | st.sampled_from((0, 1, -1200, -1201, -5000, -4999)),
    ),
    max_size=9,
)


@pytest.mark.parametrize("profile", ["il", "be-wal"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(treatments=treatments, hours=st.integers(0, 200))
def test_what_is_explained_is_what_the_meter_then_does(
    profile: str, treatments: list[tuple[str, int]], hours: int
) -> None:
    """Supply on, limited or off; in and out of windows, armed or not, cut before or not."""
    meter = Treated(profile)
    for what, number in treatments:
        getattr(meter, what)(number)
    with TemporaryDirectory() as folder:
        meter.keep(Path(folder))
        meter.now = Instant(meter.now + hours * HOUR)
        told = ask(Question(at=EPOCH + timedelta(milliseconds=meter.now), state=Path(folder)))
    meter.boot()
    assert told.explanation.supply == meter.supply, told.lines()
