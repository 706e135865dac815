"""The kernel: commits before replies, power cuts, wake-ups, and a state that comes back whole."""

from collections.abc import Callable, Iterator

import pytest

from meter_fw.board import Button, Inputs, PortId, PortKind
from meter_fw.cells import changes, restore
from meter_fw.counting import COUNTER_BLOCK
from meter_fw.nvram import Finding, Journal
from meter_fw.state import MeterState
from meter_fw.switchboard import MAX_PORTS
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol.axdr import integer
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from protocol.timing import later
from sim.flash import Cut, MemoryFlash, PowerCut, Tear
from tests.meter_fw.powercut import Remains, run_with_every_cut
from tests.meter_fw.rig import Rig

DONE = DataAccessResult.SUCCESS
BLOCK = 8192  # small, so that a day compacts many times, and room for what it logs


def durable(flash: MemoryFlash) -> MeterState:
    """Return the state that flash holds."""
    return restore(Journal(flash).mount().cells)


# --- a scripted day, cut at every flash operation ---------------------------------------------

Step = Callable[[Rig], object]


def central_day() -> Iterator[tuple[str, Step]]:
    """Yield the steps of a Walloon day; each is one commit or none."""
    yield "2026-11-23T12:00", lambda rig: rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 2000))
    identity, sequence = 10, 2
    for hour in range(12, 36):
        stamp = f"2026-11-{23 + hour // 24}T{hour % 24:02}"
        for minute in (0, 15, 30, 45):
            yield f"{stamp}:{minute:02}", _quarter(f"{stamp}:{minute + 14:02}:59", 250)
        balance = 2000 - 100 * (hour - 11)
        yield f"{stamp}:50", _order(identity, Kind.SNAPSHOT, sequence, balance)
        yield f"{stamp}:51", _order(identity + 1, Kind.ARM, sequence, 0)
        yield f"{stamp}:52", lambda rig: [rig.kernel.next() for _ in range(COUNTER_BLOCK)]
        if hour % 4 == 0:
            yield f"{stamp}:53", lambda rig: rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, ZERO)
            yield f"{stamp}:54", lambda rig: rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, ZERO)
        if hour % 6 == 0:
            yield f"{stamp}:55", lambda rig: rig.press(Button.SELECT)
        identity, sequence = identity + 2, sequence + 1
    yield "2026-11-24T12:00", lambda rig: rig.order(999, Kind.DEACTIVATE)


def local_day() -> Iterator[tuple[str, Step]]:
    """Yield the steps of an Israeli day, tokens and live charges among them."""
    yield "2026-11-26T12:00", lambda rig: rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    for hour in range(12, 36):
        stamp = f"2026-11-{26 + hour // 24}T{hour % 24:02}"
        for minute in (0, 15, 30, 45):
            yield f"{stamp}:{minute:02}", _quarter(f"{stamp}:{minute + 14:02}:59", 6_250)
        if hour % 3 == 0:
            yield f"{stamp}:50", _token(hour, 4_000)
            yield f"{stamp}:51", _token(hour, 4_000)  # and once more
        yield f"{stamp}:52", lambda rig: [rig.kernel.next() for _ in range(COUNTER_BLOCK)]
    yield "2026-11-27T12:00", lambda rig: rig.order(999, Kind.DEACTIVATE)


ZERO = integer(0)


def _order(identity: int, kind: Kind, sequence: int, balance: int) -> Step:
    def step(rig: Rig) -> object:
        if kind is Kind.ARM:
            return rig.order(identity, kind, vendor.Arm(sequence, rig.stamp("2026-11-30T06:00")))
        return rig.order(identity, kind, rig.snapshot(sequence, balance))

    return step


def _quarter(end: str, watt_hours: int) -> Step:
    """Use energy until one second after ``end``, when it is committed."""

    def step(rig: Rig) -> None:
        rig.until(end, watt_hours)
        rig.now = later(rig.now, 1000)
        rig.tick()

    return step


def _token(identity: int, amount: int) -> Step:
    return lambda rig: rig.enter(rig.token(identity, amount))


def consistent(state: MeterState) -> None:
    """Assert what holds in every durable state, whatever was cut."""
    tokens = sum(entry.amount for entry in state.transactions if entry.kind is Kind.TOKEN)
    assert state.totals.paid == tokens, "a payment and its id are one record"
    numbers = [entry.number for entry in state.transactions]
    assert numbers == sorted(set(numbers))
    assert bool(state.relay.causes) == (state.relay.control.name != "CONNECTED")
    if state.totals.charged:
        # the charge is never newer or older than the energy it was taken for (0.60 a kWh)
        charged = state.totals.charged * 10**9 + state.charges[0].remainder
        assert charged == state.energy.imported * 60 * 10**6


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.parametrize(("profile", "day"), [("be-wal", central_day), ("il", local_day)])
def test_power_cut_at_every_flash_operation_of_a_day_leaves_before_or_after(
    profile: str, day: Callable[[], Iterator[tuple[str, Step]]]
) -> None:
    """Not written, torn and written; what comes back is one that stood, never between."""
    image, cuts, commits = MemoryFlash(2, BLOCK).image, 0, 0
    for local, step in day():

        def make(image: bytes = image) -> MemoryFlash:
            flash = MemoryFlash(2, BLOCK)
            flash.fill(image)
            return flash

        def scenario(
            flash: MemoryFlash, local: str = local, step: Step = step
        ) -> Iterator[MeterState]:
            before = durable(flash)
            yield before
            rig = Rig(profile, local, flash=flash)
            if (booted := durable(flash)) != before:
                yield booted
            step(rig)
            if (after := durable(flash)) != booted:
                yield after

        def check(remains: Remains[MeterState]) -> None:
            found = durable(remains.flash)
            assert found in (remains.before, remains.after)
            consistent(found)

        cuts += run_with_every_cut(make, scenario, check, torn_seeds=1)
        flash = make()
        states = list(scenario(flash))
        image, commits = flash.image, commits + len(states) - 1
    assert commits >= 120
    assert cuts >= 3 * commits


def test_a_reply_is_never_given_for_what_is_not_durable() -> None:
    """With the power cut at the commit's first operation there is no reply to send."""
    flash = MemoryFlash(2, BLOCK)
    rig = Rig("il", flash=flash)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    token = rig.token(2, 500)
    flash.cut_at(Cut(flash.operations, Tear.NOT_WRITTEN))
    with pytest.raises(PowerCut):
        rig.enter(token)
    flash.power_on()
    rig.boot()
    assert rig.balance == 0
    assert rig.enter(token).name == "SUCCESS"
    rig.boot()
    assert rig.enter(token).name == "OTHER_REASON"
    assert rig.balance == 500


# --- coming back ------------------------------------------------------------------------------


def test_everything_comes_back_after_a_restart() -> None:
    """Switch it off between two ticks: the relay, the account and the log are as they were."""
    rig = Rig(start="2026-11-24T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300))
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-26T06:00")))
    rig.until("2026-11-24T13:00", watt_hours=777)
    before = rig.lasting
    rig.boot()
    assert rig.lasting == before
    assert rig.kernel.finding is Finding.CLEAN
    assert rig.relay == "ready_for_reconnection"
    assert rig.coils[-1].name == "OPEN"  # the coil is told again


def test_the_clock_that_was_set_goes_on_after_a_restart() -> None:
    """The offset on the board's time is kept."""
    rig = Rig()
    from protocol.axdr import octet_string

    wanted = rig.stamp("2026-11-23T12:34")
    assert rig.set(catalogue.CLOCK, 8, octet_string(wanted.to_bytes())) is DONE
    rig.boot()
    assert rig.stamp() == wanted


def test_energy_and_its_charge_come_back_together_after_an_unclean_end() -> None:
    """What was used since the last quarter-hour is lost to both."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000))
    rig.until("2026-11-23T12:15", watt_hours=1_000)
    rig.use(500)
    rig.boot()
    assert rig.kernel.state.energy.imported == 1_000
    assert rig.balance == 10_000 - 60


def test_nothing_is_lost_when_the_board_sees_its_supply_fail() -> None:
    """An orderly end puts energy and its charge away to the last pulse."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000))
    rig.tick(pulses=500, failing=True)
    rig.boot()
    assert rig.kernel.state.energy.imported == 500
    assert rig.balance == 10_000 - 30


def test_garbage_in_flash_is_a_meter_whose_state_is_lost_and_whose_clock_is_unknown() -> None:
    """It boots, says so, supplies, and cuts nobody off."""
    flash = MemoryFlash(2, BLOCK)
    flash.fill(bytes(range(256)) * (2 * BLOCK // 256))
    rig = Rig(flash=flash)
    assert rig.kernel.finding is Finding.LOST
    assert not rig.kernel.state.clock.known
    assert rig.relay == "connected"


def test_invocation_counters_are_never_used_twice_across_power_cuts() -> None:
    """They are reserved in flash before the first of a block is used."""
    rig = Rig()
    used: list[int] = []
    for _ in range(5):
        used += [rig.kernel.next() for _ in range(3)]
        rig.boot()
    assert len(set(used)) == len(used)
    used += [rig.kernel.next() for _ in range(2 * COUNTER_BLOCK)]
    assert len(set(used)) == len(used)


def test_invocation_counters_are_not_used_again_when_flash_has_lost_them() -> None:
    """A nonce that comes twice under one key gives plaintext and authentication away."""
    flash = MemoryFlash(2, BLOCK)
    rig = Rig(flash=flash)
    used = [rig.kernel.next() for _ in range(COUNTER_BLOCK + 1)]  # the second block was reserved
    damaged = flash.image
    last = max(n for n, octet in enumerate(damaged[:BLOCK]) if octet != 0xFF)
    flash.flip_bit(0, last, 0)  # and that commit has rotted
    rig.boot()
    findings = [rig.kernel.finding]
    assert rig.kernel.next() > max(used)
    flash.fill(bytes(2 * BLOCK))
    rig.boot()
    findings.append(rig.kernel.finding)
    assert rig.kernel.next() > 1_000_000_000
    assert findings == [Finding.INTERRUPTED, Finding.LOST]


def test_a_state_is_what_its_changes_make_of_nothing() -> None:
    """Every cell that differs from a new meter's is written, and read back the same."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    for identity in range(2, 90):
        rig.enter(rig.token(identity, 100))
    rig.until("2026-11-26T12:00")
    state = rig.kernel.state
    cells = {key: value for key, value in changes(MeterState(), state).items() if value}
    assert restore(cells) == state
    assert changes(state, state) == {}
    assert changes(state, replace(state, days=())) != {}


# --- time -------------------------------------------------------------------------------------


def test_it_wakes_for_the_next_quarter_hour_and_for_the_edge_of_a_window() -> None:
    """Whichever comes first; a world may jump there and miss nothing."""
    rig = Rig(start="2026-11-24T07:52")
    edge = rig._instant("2026-11-24T08:00")
    assert rig.last.wake_at == edge
    rig.until("2026-11-24T08:00")
    assert rig.last.wake_at == rig._instant("2026-11-24T08:15")


def test_each_local_day_begins_with_a_captured_register() -> None:
    """The head-end prices from these; both days of a clock change have one."""
    rig = Rig(start="2026-10-24T12:00")
    for day in (25, 26, 27):
        rig.until(f"2026-10-{day}T12:00", watt_hours=1_000)
    stamps = [rig.kernel.view.at(day.time).isoformat() for day in rig.kernel.state.days]
    assert stamps == [
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
        "2026-10-27T00:00:00+01:00",
    ]
    assert [day.imported for day in rig.kernel.state.days] == [1_000, 2_000, 3_000]


def test_the_day_of_the_first_moment_has_no_captured_register_even_at_midnight() -> None:
    """Nobody saw the day before end; the first reading is that of the morrow."""
    rig = Rig(start="2026-11-23T00:00")
    rig.until("2026-11-25T00:00", watt_hours=1_000)
    stamps = [rig.kernel.view.at(day.time).isoformat() for day in rig.kernel.state.days]
    assert stamps == ["2026-11-24T00:00:00+01:00", "2026-11-25T00:00:00+01:00"]


def test_a_clock_set_back_captures_no_day_twice() -> None:
    """Midnight comes twice, the reading once."""
    from protocol.axdr import octet_string

    rig = Rig(start="2026-11-23T23:59")
    rig.until("2026-11-24T00:01")
    rig.set(catalogue.CLOCK, 8, octet_string(rig.stamp("2026-11-23T23:58").to_bytes()))
    rig.now = rig._instant("2026-11-24T00:30")
    rig.tick()
    assert len(rig.kernel.state.days) == 1


# --- ports ------------------------------------------------------------------------------------


def test_more_ports_than_it_can_serve_are_hung_up() -> None:
    """Memory is bounded however many strangers call."""
    rig = Rig()
    opened = {PortId(str(n)): PortKind.WRAPPER for n in range(MAX_PORTS + 3)}
    outputs = rig.kernel.tick(rig.now, Inputs(opened=opened))
    assert len(outputs.close) == 3
    again = rig.kernel.tick(rig.now, Inputs(closed=frozenset(opened)))
    assert not again.close


def test_the_display_agrees_with_the_registers() -> None:
    """Pages are projections of the same state."""
    rig = Rig()
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 2000))
    shown = {page.code: (page.value, page.unit) for page in rig.kernel.display()}
    assert shown == {
        "1.8.0": ("000000.000", "kWh"),
        "94.32.2 1": ("2026-11-23 12:00", ""),
        "94.32.2 2": ("20.00", "EUR"),
        "94.32.2 3": ("12.00", "EUR"),
    }
    rig.press(Button.DISPLAY)
    assert rig.last.lcd.code == "94.32.2 1"
