"""Whatever is done to a meter, in whatever order: the real kernel, its journal, coil and display.

The machine keeps the ledger by what was ordered and what was answered, and asks a timetable of its
own whether a window is open. What it reads of the charges is what they say they have collected.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meter_fw.board import Button, Sign
from meter_fw.relay import Cause
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.profile import load_profile
from prepay.transactions import Kind, Outcome
from protocol.axdr import Data, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor, vendor_shown
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem_time import CosemDateTime
from protocol.timing import later
from tests.meter_fw.lives import QUARTER, Lived
from tests.prepay.coursed import Life, moment
from tests.prepay.housebook import Terms
from tests.prepay.two_lives import ISRAEL, START, WALLONIA

DONE = DataAccessResult.SUCCESS
_MINUTE = 60_000
#: From Monday 09:00 UTC on: the edges of both timetables are among the likelier ones.
hours = st.integers(0, 24 * 9) | st.sampled_from((4, 7, 8, 100, 103, 104, 105, 127, 128, 129))


class Watched(Lived):
    """A meter of which each tick is looked at."""

    def __init__(self, terms: Terms) -> None:
        self.was_cut = False
        super().__init__(Life(terms, START, QUARTER, [(0, 0)], 0, ()))

    def __post_init__(self) -> None:
        super().__post_init__()
        protection = load_profile("be-wal").protection
        profile = replace(self.factory.profile, protection=protection)
        self.factory = replace(self.factory, profile=profile)
        self.boot()

    def tick(self, **inputs: Any) -> Any:
        """No cut for credit, nor minimum supply in its place, begins in a window."""
        super().tick(**inputs)
        cut = self.is_cut()
        if cut and not self.was_cut:
            assert self.kernel.state.clock.known
            assert not self.window(), "a cut has begun in a window"
        self.was_cut = cut
        return self.last

    def is_cut(self) -> bool:
        """Say whether credit keeps supply off, or limited."""
        state = self.kernel.state
        return state.condition.limited or Cause.CREDIT in state.relay.causes

    def window(self) -> bool:
        """Say whether a window is in force that is not void."""
        terms, state = self.life.terms, self.kernel.state
        used = self.balance <= terms.limit
        void = terms.window_void_in_emergency and state.account.emergency_selected and used
        return terms.windows.open_at(moment(self.kernel.view.clock)) and not void


class Meter(RuleBasedStateMachine):
    """One meter and the people around it."""

    terms: Terms
    debts: tuple[int, ...]

    def __init__(self) -> None:
        super().__init__()
        self.rig = Watched(self.terms)
        self.ids = self.sequence = 0
        self.local, self.active = True, False
        self.put = 0  # opened with, paid and adjusted, less what was settled: of the meter's own
        self.pushed = 0  # the balance that the head-end said last
        self.operator = self.cover = False
        self.tokens: list[bytes] = []

    # --- facts and orders ----------------------------------------------------------------------

    @property
    def collected(self) -> int:
        """What all charges say that they have collected."""
        return sum(charge.paid for charge in self.rig.kernel.state.charges)

    @property
    def known(self) -> int:
        """The balance as whoever keeps it has it."""
        return self.put - self.collected if self.local else self.pushed

    def order(self, kind: Kind, parameters: Any = None) -> bool:
        """Order something under a new id; say whether it was done at once."""
        self.ids += 1
        answer = self.rig.order(self.ids, kind, parameters)
        done = self.rig.last_outcome().outcome == Outcome.DONE
        assert done == (answer is DataAccessResult.SUCCESS) or kind is Kind.DEACTIVATE
        return done

    def read(self, name: ObisCode, class_id: int, index: int = 2) -> Any:
        """Return an attribute, plain."""
        found = self.rig.get(name, class_id, index)
        assert isinstance(found, Data)
        return found.value

    # --- what happens --------------------------------------------------------------------------

    @initialize(brought=st.integers(-500, 6000))
    def it_is_opened(self, brought: int) -> None:
        """With debts brought along."""
        self.sequence += not self.local
        opening = vendor.Opening(
            self.rig.snapshot(self.sequence, brought),
            CosemDateTime(),
            tuple(vendor.Debt(slot, 1500) for slot in self.debts),
            CosemDateTime(),
        )
        assert self.order(Kind.ACTIVATE, opening) is not self.active
        if self.active or not self.local:
            self.sequence -= self.active and not self.local
            self.pushed = self.pushed if self.active else brought
        else:
            self.put += brought
        self.active = True

    @rule(brought=st.integers(-500, 6000))
    def it_is_opened_again(self, brought: int) -> None:
        """Refused where it is open."""
        self.it_is_opened(brought)

    @rule(minutes=st.integers(0, 3000))
    def it_is_closed(self, minutes: int) -> None:
        """At once or by plan: what is settled is what was put in, less all that was collected."""
        when = None if minutes < 1500 else self.rig.stamp(self.at(minutes))
        done = self.order(Kind.DEACTIVATE, when)
        assert self.active or not done
        if self.active and not done:
            self.time_passes(60)
        self.rig.tick()
        if self.active and not self.rig.kernel.state.account.active:
            self._settle()

    def at(self, minutes: int) -> str:
        """Return a local moment so many minutes ahead."""
        view = self.rig.kernel.view
        return view.at(view.clock + minutes * _MINUTE).replace(tzinfo=None).isoformat()

    def _settle(self) -> None:
        record = vendor_shown.Settlement.from_data(self.rig.get(catalogue.SETTLEMENT, 1))  # type: ignore[arg-type]  # there is one
        assert record.balance == self.known
        self.active = False
        self.put = self.collected  # also what the head-end has settled is not the meter's any more

    @rule(watt_hours=st.integers(0, 60_000))
    def energy_flows(self, watt_hours: int) -> None:
        """Where the contact is closed."""
        self.rig.use(watt_hours if self.rig.contact else 0)

    @rule(hours=hours)
    def time_passes(self, hours: int) -> None:
        """From wake-up to wake-up."""
        end = later(self.rig.now, hours * 60 * _MINUTE)
        while self.rig.now < end:
            self.rig.now = min(end, max(self.rig.last.wake_at, later(self.rig.now, 1)))
            self.rig.tick()

    @rule(amount=st.integers(1, 9000))
    def a_token_is_entered(self, amount: int) -> None:
        """All of it is on the ledger, whoever gets a share; a second time nothing."""
        self.ids += 1
        token = self.rig.token(self.ids, amount)
        taken = self.rig.enter(token) is ActionResult.SUCCESS
        assert taken == (self.local and self.active)
        self.put += amount if taken else 0
        if taken:
            assert self.rig.enter(token) is not ActionResult.SUCCESS

    @rule(amount=st.integers(-6000, 9000))
    def it_is_adjusted(self, amount: int) -> None:
        """Up or down, where the balance is the meter's."""
        done = self.order(Kind.ADJUST, amount)
        assert done == (self.local and self.active)
        self.put += amount if done else 0

    @rule()
    def credit_runs_out(self) -> None:
        """To the very floor: the story that windows are for."""
        taken = self.rig.kernel.state.account.emergency_selected
        floor = self.terms.limit - (self.terms.emergency if taken else 0)
        if not self.local:
            self.a_snapshot_is_pushed(floor, 5000)
        elif self.active:
            self.it_is_adjusted(floor - self.known)

    @rule(data=st.data(), amount=st.integers(-3000, 3000))
    def a_debt_is_changed(self, data: st.DataObject, amount: int) -> None:
        """It touches no balance."""
        self.order(Kind.DEBT, vendor.Debt(data.draw(st.sampled_from(self.debts)), amount))

    @rule(price=st.integers(1, 90))
    def the_price_changes(self, price: int) -> None:
        """Through the passive one, at once."""
        self.rig.do_price("energy", (Fraction(price, 1000),), 0, START)

    @rule(balance=st.integers(-3000, 3000), minutes=st.integers(-100, 9000))
    def a_snapshot_is_pushed(self, balance: int, minutes: int) -> None:
        """And perhaps the cut armed for it; both are for central meters only."""
        news = self.rig.snapshot(self.sequence + 1, balance)
        done = self.order(Kind.SNAPSHOT, news)
        assert done == (self.active and not self.local)
        if done:
            self.sequence, self.pushed = self.sequence + 1, balance
            if minutes > 0:
                expiry = CosemDateTime.from_datetime(
                    self.rig.kernel.view.at(self.rig.kernel.view.clock + minutes * _MINUTE)
                )
                assert self.order(Kind.ARM, vendor.Arm(self.sequence, expiry))
            else:
                self.order(Kind.DISARM)

    @rule(balance=st.integers(-3000, 3000))
    def the_balance_changes_hands(self, balance: int) -> None:
        """To the head-end to the cent; to the meter as the head-end says."""
        to = BalanceMode.CENTRAL if self.local else BalanceMode.LOCAL
        register = self.rig.kernel.state.energy.imported
        change = vendor.ModeChange(to, self.sequence + 1, balance, register, self.rig.stamp())
        done = self.order(Kind.MODE, change)
        if not done:
            return
        if self.active:
            self.sequence += 1
            if self.local:
                self.pushed = self.known
            else:
                self.pushed, self.put = balance, balance + self.collected
        self.local = not self.local

    @rule(protected=st.booleans(), never=st.booleans())
    def the_customer_is_flagged(self, protected: bool, never: bool) -> None:
        """Protected, or never to be cut."""
        self.order(Kind.CUSTOMER, vendor.Customer(protected, never))

    @rule()
    def the_button_is_pressed(self) -> None:
        """Emergency credit, where it is on offer."""
        self.rig.press(Button.SELECT)

    @rule(opens=st.booleans())
    def the_operator_disconnects_or_reconnects(self, opens: bool) -> None:
        """Reconnecting ends what the cover did, too."""
        self.rig.do_operator(opens)
        self.operator = opens

    @rule()
    def the_clock_is_set(self) -> None:
        """Beside an edge of a window, as often as not."""
        self.the_clock_is_set_by(0)

    @rule(minutes=st.integers(-20_000, 20_000))
    def the_clock_is_set_by(self, minutes: int) -> None:
        """Either way."""
        octets = self.rig.stamp(self.at(minutes)).to_bytes()
        assert self.rig.set(catalogue.CLOCK, 8, octet_string(octets)) is DataAccessResult.SUCCESS

    @rule(seconds=st.integers(0, 100_000))
    def the_power_is_cut(self, seconds: int) -> None:
        """What was not in flash is lost: energy, and what was charged for it."""
        self.rig.now = later(self.rig.now, seconds * 1000)
        self.rig.boot()

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def the_ledger_balances(self) -> None:
        """What was put in less what was collected; and ``charged`` is the sum over the charges."""
        totals = self.rig.kernel.state.totals
        assert totals.charged == self.collected
        assert totals.balance == self.put - self.collected
        assert self.read(catalogue.TOKEN_CREDIT, 112) == self.known
        assert self.rig.kernel.state.account.active == self.active
        assert self.active or not self.local or not self.known

    @invariant()
    def the_relay_is_open_for_a_cause_only(self) -> None:
        """With automatic reclosing none stays open once its causes are gone."""
        state = self.rig.kernel.state
        taken = state.account.emergency_selected
        floor = self.terms.limit - (self.terms.emergency if taken else 0)
        assert not self.rig.is_cut() or (self.active and self.known <= floor)
        causes = state.relay.causes
        assert (Cause.OPERATOR in causes) == self.operator
        assert not causes & ~(Cause.OPERATOR | Cause.CREDIT)
        connected = state.relay.control is ControlState.CONNECTED
        assert connected == (not causes) == self.rig.contact
        assert self.read(catalogue.DISCONNECT_CONTROL, 70) is connected

    @invariant()
    def the_display_agrees_with_the_registers(self) -> None:
        """Pages and signs are projections of the same state."""
        shown = {page.code: page.value for page in self.rig.kernel.display()}
        assert Decimal(shown["19.10.0"]) * 100 == self.read(catalogue.TOKEN_CREDIT, 112)
        assert Decimal(shown["1.8.0"]) * 1000 == self.read(catalogue.ACTIVE_ENERGY_IMPORT, 3)
        lit = self.rig.kernel.display()[0].signs
        assert (Sign.LOW_CREDIT in lit) == self.read(catalogue.LOW_CREDIT, 1)
        assert (Sign.RELAY_OPEN in lit) != self.read(catalogue.DISCONNECT_CONTROL, 70)
        assert (Sign.LIMITED in lit) == self.rig.kernel.state.condition.limited


class Israel(Meter):
    """An overdraft, Sabbaths, fee, VAT, and debts that take their share."""

    terms = ISRAEL
    debts = (4, 5, 6)


class Wallonia(Meter):
    """An advance by button, a window that may be void, instalments."""

    terms = WALLONIA
    debts = (2,)


TestIsrael = Israel.TestCase
TestWallonia = Wallonia.TestCase
TestIsrael.settings = TestWallonia.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None
)


def test_what_the_head_end_has_settled_is_not_there_a_second_time() -> None:
    """EUR 2.67 go over to the head-end, which closes; the meter's next account begins at 0."""
    rig = Watched(WALLONIA)
    wild = CosemDateTime()
    assert rig.order(1, Kind.ACTIVATE, vendor.Opening(rig.snapshot(0, 692), wild, (), wild)) is DONE
    assert rig.balance == 267  # less the standing charge of 28 days
    assert rig.order(2, Kind.MODE, vendor.ModeChange(0, 1, as_of=rig.stamp())) is DONE
    assert rig.order(3, Kind.DEACTIVATE) is DONE
    assert vendor_shown.Settlement.from_data(rig.get(catalogue.SETTLEMENT, 1)).balance == 267  # type: ignore[arg-type]  # there is one
    assert rig.order(4, Kind.MODE, vendor.ModeChange(1, 2, as_of=rig.stamp())) is DONE
    assert rig.balance == 0
