"""A household against a small model: orders, tokens, energy, time, buttons, in any sequence.

The model keeps its own facts (what was ordered and used) and judges windows by weekday and hour,
apart from ``prepay``, so that one mistake cannot agree with itself.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meter_fw.board import Button, Sign
from meter_fw.relay import Cause
from obis import catalogue
from obis.code import ObisCode
from prepay.transactions import Kind
from protocol.axdr import Data, integer, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from protocol.timing import later
from tests.meter_fw.rig import Rig

DONE = DataAccessResult.SUCCESS
WEEK = datetime(2026, 11, 23)  # noqa: DTZ001 - a Monday, local time
amounts = st.integers(-8_000, 8_000)
#: Where windows begin and end, in quarter-hours since Monday 00:00.
EDGES = [32, 64, 4 * 96 + 62, 4 * 96 + 64, 5 * 96 + 84]
quarters = st.integers(0, 7 * 96 - 1) | st.sampled_from([e + d for e in EDGES for d in (-1, 0, 1)])


class Household(RuleBasedStateMachine):
    """What both modes have alike; the model's facts are the attributes without underscore."""

    profile = ""
    weekly: tuple[str, str] | None = None  # in the place of the profile's windows
    limit = 0  # minor units

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(self.profile, "2026-11-23T12:00", weekly=self.weekly)
        self.active = False
        self.used = 0  # Wh since manufacture
        self.operator = False
        self.cut = False
        self._ids = 0

    # --- the model -------------------------------------------------------------------------

    @property
    def balance(self) -> int:
        """What the customer has."""
        raise NotImplementedError

    def window(self, local: datetime) -> bool:
        """Say whether supply is protected at a local time."""
        raise NotImplementedError

    def may_begin(self) -> bool:
        """Say whether a cut may begin, windows apart."""
        return True

    def void(self) -> bool:
        """Say whether windows do not protect this customer now."""
        return False

    def used_up(self) -> bool:
        """Say whether nothing is left."""
        return self.balance <= self.limit

    def judge(self) -> None:
        """Take the model through this moment."""
        if not (self.active and self.used_up()):
            self.cut = False
        elif not self.cut:
            self.cut = not self.window(self.rig.kernel.view.local) and self.may_begin()

    def identity(self) -> int:
        """Return a number for the next transaction."""
        self._ids += 1
        return self._ids

    # --- what happens ----------------------------------------------------------------------

    @rule(watt_hours=st.integers(1, 200_000))
    def energy_is_used(self, watt_hours: int) -> None:
        """All at once."""
        self.used += watt_hours
        self.rig.use(watt_hours)
        self.judge()

    @rule(minutes=st.integers(1, 12 * 60))
    def time_passes(self, minutes: int) -> None:
        """From wake-up to wake-up: between two of them nothing may change."""
        end = later(self.rig.now, minutes * 60_000)
        while self.rig.now < end:
            self.rig.now = min(end, self.rig.last.wake_at)
            self.rig.tick()
            self.judge()

    @rule(quarters=quarters)
    def the_clock_is_set(self, quarters: int) -> None:
        """To any quarter-hour of the week, and often to one beside an edge of a window."""
        local = (WEEK + timedelta(minutes=15 * quarters)).replace(tzinfo=self.rig.factory.zone)
        octets = CosemDateTime.from_datetime(local).to_bytes()
        assert self.rig.set(catalogue.CLOCK, 8, octet_string(octets)) is DONE
        self.judge()

    @precondition(lambda self: self.active)
    @rule(moment=quarters)
    def credit_is_paid_and_runs_out_at_some_time_of_the_week(self, moment: int) -> None:
        """The story that windows are for, so that it is told often."""
        self.pay()
        self.the_clock_is_set(moment)
        self.run_out()

    def pay(self) -> None:
        """Bring the balance above the limit."""
        raise NotImplementedError

    def run_out(self) -> None:
        """Bring it down to the limit again, or below."""
        raise NotImplementedError

    @rule()
    def the_meter_is_switched_off_and_on(self) -> None:
        """At a quarter of an hour, when all energy is in flash."""
        self.rig.now = later(self.rig.now, 15 * 60_000)
        self.rig.tick()
        self.judge()
        before = self.rig.lasting
        self.rig.boot()
        assert self.rig.lasting == before
        self.judge()

    @rule()
    def the_operator_disconnects(self) -> None:
        """Always possible."""
        result = self.rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
        assert result is ActionResult.SUCCESS
        self.operator = True

    @rule()
    def the_operator_reconnects(self) -> None:
        """Refused where credit alone keeps the relay open."""
        result = self.rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
        assert (result is ActionResult.SUCCESS) == (self.operator or not self.cut)
        self.operator = False

    @rule()
    def the_button_is_pressed(self) -> None:
        """Emergency credit, where it is on offer."""
        self.rig.press(Button.SELECT)
        self.judge()

    # --- what always holds -----------------------------------------------------------------

    def read(self, name: ObisCode, class_id: int, index: int = 2) -> Any:
        """Return an attribute, plain."""
        found = self.rig.get(name, class_id, index)
        assert isinstance(found, Data)
        return found.value

    @invariant()
    def the_ledger_adds_up(self) -> None:
        """The balance is what was paid and adjusted less what was used."""
        assert self.read(catalogue.TOKEN_CREDIT, 112) == self.balance
        assert self.read(catalogue.ACTIVE_ENERGY_IMPORT, 3) == self.used

    @invariant()
    def the_cut_is_the_models_cut(self) -> None:
        """So none begins in a valid window, none is missed, and each ends with its reason."""
        assert (Cause.CREDIT in self.rig.kernel.state.relay.causes) == self.cut

    @invariant()
    def the_relay_is_closed_exactly_when_no_cause_stands(self) -> None:
        """With automatic return it never stays open once its causes are gone."""
        closed = not (self.cut or self.operator)
        assert (self.rig.relay == "connected") == closed
        assert (self.rig.coils[-1].name == "CLOSE") == closed
        assert self.read(catalogue.DISCONNECT_CONTROL, 70) is closed

    @invariant()
    def the_display_agrees_with_the_registers(self) -> None:
        """Pages and signs are projections of the same state."""
        shown = {page.code: page.value for page in self.rig.kernel.display()}
        money = self.read(catalogue.TOKEN_CREDIT, 112)
        balance = shown.get("94.32.2 2", shown.get("19.10.0", ""))
        assert Decimal(balance) * 100 == money
        assert Decimal(shown["1.8.0"]) * 1000 == self.read(catalogue.ACTIVE_ENERGY_IMPORT, 3)
        lit = self.rig.kernel.display()[0].signs
        in_use = self.read(catalogue.ACCOUNT, 111, 3)
        assert (Sign.LOW_CREDIT in lit) == self.read(catalogue.LOW_CREDIT, 1)
        assert (Sign.EMERGENCY in lit) == (self.active and in_use == 1 and self.profile != "il")
        assert (Sign.RELAY_OPEN in lit) != self.read(catalogue.DISCONNECT_CONTROL, 70)
        friendly = self.read(catalogue.FRIENDLY_WINDOW, 1)
        assert (Sign.FRIENDLY in lit) == (self.active and friendly and not self.void())


class Israel(Household):
    """The meter keeps the balance: tokens, adjustments, a charge of 0.60 per kWh.

    Its Sabbath is the same all the year here; that by season is judged where calendars are.
    """

    profile = "il"
    weekly = ("Fri 15:30", "Sat 21:00")
    limit = -5_000

    def __init__(self) -> None:
        super().__init__()
        self.posted = 0  # minor units since the last activation
        self.since = 0  # Wh at the last activation
        self.tokens: list[bytes] = []

    @property
    def balance(self) -> int:
        return self.posted - (self.used - self.since) * 60 // 1000 if self.active else 0

    def window(self, local: datetime) -> bool:
        clock = (local.hour, local.minute)
        return (local.weekday() == 4 and clock >= (15, 30)) or (
            local.weekday() == 5 and clock < (21, 0)
        )

    def pay(self) -> None:
        self.a_token_is_entered(max(1 - self.balance, 1))

    def run_out(self) -> None:
        self.energy_is_used((self.balance - self.limit) * 1000 // 60 + 17)

    @initialize(started=st.integers(0, 5_000))
    def prepayment_begins(self, started: int) -> None:
        """With a start credit."""
        self._activate(started)

    def _activate(self, started: int) -> None:
        assert self.rig.order(self.identity(), Kind.ACTIVATE, self.rig.snapshot(0, started)) is DONE
        self.active, self.posted, self.since = True, started, self.used
        self.judge()

    @precondition(lambda self: self.active)
    @rule(amount=st.integers(1, 10_000))
    def a_token_is_entered(self, amount: int) -> None:
        """A new one."""
        self.tokens.append(self.rig.token(self.identity(), amount))
        assert self.rig.enter(self.tokens[-1]) is ActionResult.SUCCESS
        self.posted += amount
        self.judge()

    @precondition(lambda self: self.tokens)
    @rule(choice=st.randoms(use_true_random=False))
    def a_token_is_entered_again(self, choice: Any) -> None:
        """It counts once."""
        assert self.rig.enter(choice.choice(self.tokens)) is ActionResult.OTHER_REASON

    @precondition(lambda self: self.active)
    @rule(amount=amounts)
    def the_balance_is_adjusted(self, amount: int) -> None:
        """And the same order again changes nothing."""
        number = self.identity()
        for _ in range(2):
            assert self.rig.order(number, Kind.ADJUST, amount) is DONE
        self.posted += amount
        self.judge()

    @rule(started=st.integers(0, 5_000))
    def prepayment_ends_or_begins_again(self, started: int) -> None:
        """Its closing balance is paid out."""
        if not self.active:
            self._activate(started)
            return
        closing = self.balance
        assert self.rig.order(self.identity(), Kind.DEACTIVATE) is DONE
        assert self.rig.last_outcome().amount == closing
        self.active = False
        self.judge()


class Wallonia(Household):
    """The head-end keeps the balance: snapshots, arms, an advance of EUR 12."""

    profile = "be-wal"

    def __init__(self) -> None:
        super().__init__()
        self.sequence = 0
        self.snapshot = 0
        self.arm: tuple[int, int] | None = None  # sequence, expiry by the meter's clock
        self.taken = False

    @property
    def balance(self) -> int:
        return self.snapshot

    def window(self, local: datetime) -> bool:
        if self.taken:  # once emergency credit is in use the window no longer protects
            return False
        return local.weekday() >= 5 or not 8 <= local.hour < 16

    def void(self) -> bool:
        return self.taken

    def may_begin(self) -> bool:
        clock = self.rig.kernel.view.clock
        return self.arm is not None and self.arm[0] == self.sequence and clock < self.arm[1]

    def used_up(self) -> bool:
        if self.arm is None:  # without an arm nothing is ever used up
            return False
        return self.balance <= (-1200 if self.taken else 0)

    def judge(self) -> None:
        self.taken = self.taken and self.active and self.balance <= 0
        super().judge()

    def pay(self) -> None:
        self.a_snapshot_is_pushed(1)

    def run_out(self) -> None:
        self.a_morning_run_arms_a_debtor(-300, 24 * 60)

    @initialize()
    def prepayment_begins(self) -> None:
        """With EUR 20."""
        self._snapshot(Kind.ACTIVATE, 2000)

    def _snapshot(self, kind: Kind, balance: int) -> None:
        news = self.rig.snapshot(self.sequence + 1, balance, max(0, 1200 + min(balance, 0)))
        assert self.rig.order(self.identity(), kind, news) is DONE
        if kind is Kind.ACTIVATE:
            self.active, self.arm = True, None
        self.sequence, self.snapshot = self.sequence + 1, balance
        self.judge()

    @precondition(lambda self: self.active)
    @rule(balance=st.integers(-3_000, 3_000))
    def a_snapshot_is_pushed(self, balance: int) -> None:
        """Any balance."""
        self._snapshot(Kind.SNAPSHOT, balance)

    @precondition(lambda self: self.active)
    @rule(balance=st.integers(-3_000, 0), minutes=st.integers(1, 2_000))
    def a_morning_run_arms_a_debtor(self, balance: int, minutes: int) -> None:
        """A snapshot and leave to cut for it."""
        self._snapshot(Kind.SNAPSHOT, balance)
        self.the_cut_is_armed(minutes)

    @precondition(lambda self: self.active)
    @rule(minutes=st.integers(1, 2_000))
    def the_cut_is_armed(self, minutes: int) -> None:
        """For the snapshot that the meter holds, until then."""
        clock = self.rig.kernel.view.clock + minutes * 60_000
        expiry = CosemDateTime.from_datetime(self.rig.kernel.view.at(clock))
        order = vendor.Arm(self.sequence, expiry)
        assert self.rig.order(self.identity(), Kind.ARM, order) is DONE
        self.arm = (self.sequence, clock)
        self.judge()

    @rule()
    def the_cut_is_disarmed(self) -> None:
        """Whether it was armed or not."""
        assert self.rig.order(self.identity(), Kind.DISARM) is DONE
        self.arm = None
        self.judge()

    @rule()
    def an_older_snapshot_comes_late(self) -> None:
        """It changes nothing."""
        late = self.rig.snapshot(max(self.sequence - 1, 0), 9_999)
        assert self.rig.order(self.identity(), Kind.SNAPSHOT, late) is not DONE

    @rule()
    def the_button_is_pressed(self) -> None:
        """An advance of EUR 12, while a part of it is left."""
        self.rig.press(Button.SELECT)
        if self.active and -1200 < self.balance <= 0:
            self.taken = True
        self.judge()

    @rule(balance=st.integers(0, 3_000))
    def prepayment_ends_or_begins_again(self, balance: int) -> None:
        """What the head-end said last stays in its register."""
        if not self.active:
            self._snapshot(Kind.ACTIVATE, balance)
            return
        assert self.rig.order(self.identity(), Kind.DEACTIVATE) is DONE
        self.active, self.arm = False, None
        self.judge()

    @invariant()
    def the_customers_registers_are_the_snapshot(self) -> None:
        """94.32.2 2 is what was pushed."""
        assert self.read(catalogue.DISPLAY_BALANCE.complete(0, 0), 3) == self.snapshot


TestIsrael = Israel.TestCase
TestWallonia = Wallonia.TestCase
TestIsrael.settings = TestWallonia.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None
)
