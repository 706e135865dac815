"""Whatever happens to an account, in whatever order: the rules alone, put together as a meter does.

The machine keeps a ledger and a list of debts of its own, asks a timetable of its own whether a
window is open, and works out by itself when there is nothing left to live on.
"""

from datetime import timedelta
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from prepay.cut import Supply
from tests.prepay.housebook import Terms
from tests.prepay.household import MINUTE, Event, Household
from tests.prepay.stepped import Meter
from tests.prepay.two_lives import ISRAEL, START, WALLONIA

#: Minor units.
amounts = st.integers(-6000, 9000)
#: Wall times around which windows open and close are as likely as any other.
hours = st.integers(0, 24 * 9) | st.sampled_from((4, 7, 8, 31, 32, 103, 104, 105, 128, 129))


class Account(RuleBasedStateMachine):
    """A local account; what is only said by the machine is in attributes without underscore."""

    terms: Terms

    def __init__(self) -> None:
        super().__init__()
        self.house = Household(self.terms)  # its registers, and nothing else of it
        self.house.now = self.now = START
        self.meter = Meter(self.terms, self.house)
        self.put = 0  # opened with, paid and adjusted, less what was settled
        self.owed = {fee.name: 0 for fee in self.terms.fees if not fee.continuous}
        self.operator = False

    # --- facts ---------------------------------------------------------------------------------

    @property
    def paid(self) -> dict[str, int]:
        """What each charge has collected."""
        states = self.meter.purse.charges
        return {fee.name: state.paid for fee, state in zip(self.terms.fees, states, strict=True)}

    @property
    def floor(self) -> int:
        """The balance at which nothing is left."""
        return self.terms.limit - (self.terms.emergency if self.meter.taken else 0)

    @property
    def flow(self) -> Supply:
        """What credit lets through."""
        return Supply.FULL if self.meter.verdict is None else self.meter.verdict.flow

    def protected_by_window(self) -> bool:
        """Say whether a window is in force that is not void, or may be."""
        terms, meter = self.terms, self.meter
        used = meter.purse.balance <= terms.limit
        void = terms.window_void_in_emergency and meter.taken and used
        return not meter.known or (terms.windows.open_at(meter.clock) and not void)

    # --- what happens --------------------------------------------------------------------------

    def happens(self, what: str = "", *how: object) -> None:
        """Let something happen at this moment, and see what becomes of supply."""
        flow, paid, closed = self.flow, self.paid, not self.meter.active
        self.meter.step(self.now, [Event(self.now, what, how)] if what else [])
        if flow is Supply.FULL and self.flow is not Supply.FULL:
            assert not self.protected_by_window(), "cut in a window"
        if not closed and what != "close":
            for name in self.owed:
                self.owed[name] -= self.paid[name] - paid[name]

    @initialize(brought=st.integers(-500, 6000))
    def it_is_opened(self, brought: int) -> None:
        """With a start credit, and with what is owed."""
        if self.meter.active or not self.meter.known:
            return
        debts = {name: 1000 * place for place, name in enumerate(self.owed, start=1)}
        before = self.paid
        self.happens("open", brought, tuple(debts.items()))
        self.put += max(brought, self.terms.start_credit)
        self.owed = {name: debts[name] - self.paid[name] + before[name] for name in debts}

    @rule(brought=st.integers(-500, 6000))
    def it_is_opened_again(self, brought: int) -> None:
        """Where it was closed."""
        self.it_is_opened(brought)

    @rule()
    def it_is_closed(self) -> None:
        """The closing balance is what was put in, less what was collected to the last."""
        settled = self.meter.purse.totals.settled
        was = self.meter.active
        self.happens("close")
        closing = self.meter.purse.totals.settled - settled
        assert closing == (self.put - sum(self.paid.values()) if was else 0)
        self.put -= closing
        self.owed = dict.fromkeys(self.owed, 0) if was else self.owed

    @rule(watt_hours=st.integers(0, 90_000), fed_in=st.integers(0, 9_000))
    def energy_flows(self, watt_hours: int, fed_in: int) -> None:
        """Where supply is on."""
        if self.meter.closed:
            self.house.imported[0] += watt_hours
            self.house.exported[0] += fed_in
        self.happens()

    @rule(hours=hours)
    def time_passes(self, hours: int) -> None:
        """By hours; each of them is a moment."""
        for _ in range(hours):
            self.now += timedelta(hours=1)
            self.happens()

    @rule(amount=st.integers(1, 9000), what=st.sampled_from(("top_up", "key_in")))
    def money_is_paid(self, amount: int, what: str) -> None:
        """All of it is on the ledger, whoever gets a share."""
        before, active = self.meter.purse.totals.paid, self.meter.active
        self.happens(what, amount)
        assert self.meter.purse.totals.paid - before == (amount if active else 0)
        self.put += amount if active else 0

    @rule(amount=amounts)
    def it_is_adjusted(self, amount: int) -> None:
        """Up or down."""
        active = self.meter.active
        self.happens("adjust", amount)
        self.put += amount if active else 0

    @rule()
    def it_runs_out(self) -> None:
        """By an adjustment to the very floor: the story that windows are for."""
        if self.meter.active:
            self.it_is_adjusted(self.floor - self.meter.purse.balance)

    @rule(data=st.data(), amount=st.integers(0, 5000))
    def a_debt_is_set(self, data: st.DataObject, amount: int) -> None:
        """To any amount."""
        name = data.draw(st.sampled_from(sorted(self.owed)))
        self.happens("owe", name, amount)
        self.owed[name] = amount

    @rule(price=st.integers(-20, 90))
    def the_price_changes(self, price: int) -> None:
        """What was used before is charged at the old one."""
        self.happens("price", "energy", (Fraction(price, 100),), 0, self.meter.clock)

    @rule(what=st.sampled_from(("press", "protect")))
    def somebody_does_something(self, what: str) -> None:
        """A hand on the button; protection, from then on."""
        self.happens(what)

    @rule(stands=st.booleans())
    def the_operator_disconnects_or_reconnects(self, stands: bool) -> None:
        """Whatever credit says."""
        self.operator = stands
        self.happens("operator", stands)

    @rule(flag=st.booleans())
    def supply_is_never_to_be_cut(self, flag: bool) -> None:
        """Or may be again."""
        self.happens("never_cut", flag)

    @rule(minutes=st.integers(-3000, 3000))
    def the_clock_is_set(self, minutes: int) -> None:
        """Over edges and days, either way."""
        self.happens("set_clock", self.now + minutes * MINUTE)

    @rule()
    def the_clock_is_lost(self) -> None:
        """Until it is set."""
        self.happens("lose_clock")

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def the_ledger_balances(self) -> None:
        """What was put in less what was collected is the balance, and so are the five totals."""
        purse = self.meter.purse
        assert purse.balance == self.put - sum(self.paid.values())
        assert purse.totals.charged == sum(self.paid.values())

    @invariant()
    def a_debt_falls_by_what_it_has_collected(self) -> None:
        """And by nothing else, and never below 0."""
        states = self.meter.purse.charges
        left = {
            fee.name: state.remaining for fee, state in zip(self.terms.fees, states, strict=True)
        }
        assert {name: left[name] for name in self.owed} == self.owed
        assert min(left.values()) >= 0

    @invariant()
    def the_relay_is_open_for_a_cause_only(self) -> None:
        """None stays open once its causes are gone; limited or cut is who has used all up."""
        used_up = self.meter.active and self.meter.purse.balance <= self.floor
        assert self.flow is Supply.FULL or used_up
        assert self.meter.closed == (self.flow is not Supply.NONE and not self.operator)


class Israel(Account):
    """An overdraft, Sabbaths, fee, VAT, and debts that take their share."""

    terms = ISRAEL


class Wallonia(Account):
    """An advance by button, a window that may be void, instalments."""

    terms = WALLONIA


TestIsrael = Israel.TestCase
TestWallonia = Wallonia.TestCase
TestIsrael.settings = TestWallonia.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
