from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_fw.board import Button, Coil, Inputs, Lcd, Outputs, PortKind, Sign
from protocol.timing import Instant, later
from sim.board import Contact
from sim.load import UNITS_PER_WH
from sim.ports.memory import MemoryPort
from sim.world import CONTACT_TRAVEL, LONGEST_STEP, Site, World
from tests.sim.standin import MONDAY, Echo, board, times


def world_with(echo: Echo, watt_hours: int = 100, port: MemoryPort | None = None) -> World:
    """Return a world with one meter in it, booted."""
    world = World(MONDAY)
    world.add(Site("one", echo, board(watt_hours), [port] if port else []))
    return world


def test_a_meter_is_ticked_at_each_moment_it_asked_for() -> None:
    """No wake-up is jumped over, however far the world runs, and the first tick is the boot."""
    echo = Echo(period=7_000)
    world = world_with(echo)
    assert world.run_until(later(MONDAY, 30_000))
    assert times(echo.seen) == [0, 7_000, 14_000, 21_000, 28_000]
    assert world.now == later(MONDAY, 30_000)


def test_a_meter_is_not_left_alone_longer_than_a_minute() -> None:
    """A load changes while the firmware sleeps, so it is told at the latest after a minute."""
    echo = Echo(period=86_400_000)
    world_with(echo).run_until(later(MONDAY, 150_000))
    assert times(echo.seen) == [0, LONGEST_STEP, 2 * LONGEST_STEP]


def test_a_firmware_that_asks_for_the_past_cannot_stop_the_clock() -> None:
    """Time goes on by a millisecond at least."""
    echo = Echo(period=-5)
    world_with(echo).run_until(later(MONDAY, 20))
    assert times(echo.seen) == list(range(21))


def test_a_line_timer_wakes_too_where_it_is_the_worlds_clock() -> None:
    """Without real time the lines are timed by the world."""
    echo = Echo(period=60_000, line_period=20_000)
    world_with(echo).run_until(later(MONDAY, 60_000))
    assert times(echo.seen) == [0, 20_000, 40_000, 60_000]
    assert all(inputs.line_now is None for _, inputs in echo.seen)


def test_a_line_timer_of_its_own_wakes_by_its_own_pace() -> None:
    """With real time beside it the world ticks the meter when the line timer runs out."""
    line_now = [Instant(1000)]
    echo = Echo(period=50_000, line_period=300)
    world = World(MONDAY, line_clock=lambda: line_now[0])
    world.add(Site("one", echo, board()))
    assert not world.deliver()
    line_now[0] = Instant(1299)
    assert not world.deliver()
    line_now[0] = Instant(1300)
    assert world.deliver()
    assert times(echo.seen) == [0, 0]
    assert echo.seen[-1][1].line_now == 1300


@settings(deadline=None, max_examples=40)
@given(
    watt_hours=st.integers(0, 5000),
    period=st.integers(1, 200_000),
    length=st.integers(0, 3_600_000),
)
def test_no_energy_is_lost_between_ticks(watt_hours: int, period: int, length: int) -> None:
    """Pulses are whole; what is less than one stays on the board until it is one."""
    period = max(period, length // 500)
    echo = Echo(period=period)
    world = world_with(echo, watt_hours)
    world.run_until(later(MONDAY, length))
    site = world.sites[0]
    measured = watt_hours * (site.board.now - MONDAY)
    assert echo.total * UNITS_PER_WH + site.board.remainder == measured
    assert 0 <= site.board.remainder < UNITS_PER_WH


def test_an_open_relay_stops_the_load() -> None:
    """The coil opens the contact, the feedback follows after its travel, and nothing flows."""
    off, on = later(MONDAY, 900_000), later(MONDAY, 1_800_000)
    echo = Echo(period=60_000, coils={off: Coil.OPEN, on: Coil.CLOSE})
    world = world_with(echo, watt_hours=100)
    world.run_until(later(MONDAY, 2_700_000))
    assert echo.total == 200
    feedback = dict(echo.seen)
    assert feedback[off].contact_closed
    assert feedback[later(off, CONTACT_TRAVEL)].contact_closed is False
    assert feedback[on].power == 0
    assert feedback[later(on, CONTACT_TRAVEL)].power == 400


def test_a_stuck_contact_does_not_follow_its_coil() -> None:
    """The fault is on the board: the firmware sees the feedback and energy flows on."""
    echo = Echo(period=60_000, coils={MONDAY: Coil.OPEN})
    world = World(MONDAY)
    stuck = board(100)
    stuck.stuck = True
    world.add(Site("one", echo, stuck))
    world.run_until(later(MONDAY, 900_000))
    assert stuck.contact is Contact.CLOSED
    assert echo.total == 100


def test_a_button_is_seen_once() -> None:
    """A press waits for the next tick, which comes at once."""
    echo = Echo()
    world = world_with(echo)
    world.sites[0].board.press(Button.SELECT)
    world.settle()
    world.run_until(later(MONDAY, 10_000))
    pressed = [inputs.buttons for _, inputs in echo.seen]
    assert pressed == [frozenset(), {Button.SELECT}, frozenset()]


def test_octets_reach_the_meter_and_come_back_at_one_moment() -> None:
    """An exchange takes no time of the world's."""
    port = MemoryPort(PortKind.HDLC)
    echo = Echo(hang_up_after=b"bye")
    world = world_with(echo, port=port)
    line = port.connect()
    line.send(b"hello")
    world.settle()
    assert line.receive() == b"hello"
    line.send(b"bye")
    world.settle()
    assert line.receive() == b"bye"
    assert line.closed
    assert world.now == MONDAY
    assert [bool(inputs.opened) for _, inputs in echo.seen] == [False, True, False, False]
    assert echo.seen[-1][1].closed == {line.name}


def test_an_endless_conversation_is_an_error() -> None:
    """A meter that talks with itself does not hang its world."""

    class Loop(Echo):
        def tick(self, now: Instant, inputs: Inputs) -> Outputs:
            outputs = super().tick(now, inputs)
            line.send(b"again")
            return outputs

    port = MemoryPort(PortKind.HDLC)
    line = port.connect()
    world = World(MONDAY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.world.SETTLE_LIMIT", 50)
        world.add(Site("one", Loop(), board(), [port]))
        with pytest.raises(RuntimeError, match="does not end"):
            world.settle()


class Chancy:
    """Wakes at moments drawn from its own entropy, and shows what it drew."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy

    def tick(self, now: Instant, inputs: Inputs) -> Outputs:
        drawn = int.from_bytes(self._entropy(2), "big")
        lcd = Lcd("1.8.0", str(drawn), "", Sign.NONE, "connected")
        return Outputs(lambda: lcd, later(now, drawn))


def _trace(seed: int, names: list[str]) -> list[tuple[str, int, str]]:
    world = World(MONDAY, seed)
    trace: list[tuple[str, int, str]] = []
    world.after.append(lambda site, out: trace.append((site.name, world.now, out.lcd.value)))
    for name in names:
        world.add(Site(name, Chancy(world.entropy(name)), board()))
    world.run_until(later(MONDAY, 600_000))
    return trace


def test_one_seed_gives_one_run() -> None:
    """The same seed repeats every tick of every meter; another seed does not."""
    names = ["a", "b", "c"]
    assert _trace(1, names) == _trace(1, names)
    assert _trace(1, names) != _trace(2, names)


def test_a_meters_chance_is_its_own() -> None:
    """What one meter draws does not depend on who else is in the world."""
    alone = _trace(1, ["b"])
    assert [entry for entry in _trace(1, ["a", "b", "c"]) if entry[0] == "b"] == alone


def test_meters_are_ticked_in_the_order_of_their_moments() -> None:
    """Time never goes back from one meter to the next."""
    moments = [moment for _, moment, _ in _trace(5, ["a", "b", "c"])]
    assert moments == sorted(moments)


def test_the_world_can_be_stopped_between_two_ticks() -> None:
    """A loop that has used its turn goes on later where it stopped, and skips nothing."""
    echo = Echo(period=10_000)
    world = world_with(echo)
    assert not world.run_until(later(MONDAY, 35_000), enough=lambda: len(echo.seen) == 3)
    assert world.now == later(MONDAY, 20_000)
    assert world.run_until(later(MONDAY, 35_000))
    assert times(echo.seen) == [0, 10_000, 20_000, 30_000]
