"""What the rules of prepayment make of a state: emergency credit, low credit, and the relay."""

from datetime import UTC, datetime, timedelta
from functools import cache

from meter_fw import limiter, money
from meter_fw.calendar import runs_out
from meter_fw.calendar_tables import Calendar, bounds
from meter_fw.factory import Factory
from meter_fw.relay import Cause, arbitrate
from meter_fw.state import Account, Condition, MeterState, Relay
from meter_fw.transactions import balance
from meter_fw.view import View, milliseconds
from obis.values import replace
from prepay.credit import Standing, standing
from prepay.cut import CREDIT_LEFT, Arm, Verdict, judge
from prepay.profile import Commodity
from prepay.protection import recurrent_on
from protocol.cosem.disconnect_control import ControlState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Windows:
    """Friendly windows by the meter's clock; remembers the two edges around the last answer."""

    def __init__(self, factory: Factory) -> None:
        self._tables = Calendar(factory)
        self._calendar = factory.calendar
        self._asked: int | None = None
        self._of: MeterState | None = None
        self._last = 0  # the clock that was asked for last
        self._until: int | None = None
        self._covered = False

    def cover(self, clock: int, state: MeterState) -> bool:
        """Say whether a window is in force at ``clock``, ms since 1970, by a state's tables."""
        if clock == self._last and state is self._of:  # at each tick it is asked twice
            return self._covered
        self._last, self._of = clock, state
        calendar, until = self._tables.of(state), self._until
        if calendar is not self._calendar:
            self._calendar, self._asked = calendar, None
        past = until is not None and clock >= until
        if past or self._asked is None or clock < self._asked:
            moment = _EPOCH + timedelta(milliseconds=clock)
            edge = self._calendar.next_edge(moment)
            self._covered = self._calendar.covers(moment)
            self._asked, self._until = clock, None if edge is None else milliseconds(edge)
        return self._covered

    def next_edge(self, clock: int, state: MeterState) -> int | None:
        """Return when the answer may change next, ms since 1970; None for never."""
        self.cover(clock, state)
        return self._until


def stand(view: View) -> Standing:
    """Return what the balance amounts to under the profile's rules."""
    selected = view.state.account.emergency_selected
    rules, held = view.rules.credit, balance(view)
    lasts = money.lasts(view, held) if rules.low_days else None
    return standing(rules, held, selected, lasts, view.state.advance.owed)


def arm(view: View) -> Arm:
    """Return what the head-end's leave to cut is worth at this moment."""
    armed = view.state.armed
    if not armed.armed:
        return Arm.NONE
    if armed.sequence != view.state.snapshot.sequence:
        return Arm.ANOTHER_SEQUENCE
    return Arm.ARMED if view.clock < armed.expiry else Arm.EXPIRED


def off_the_calendar(view: View) -> bool:
    """Say whether the meter's clock is outside the dates for which its calendar is complete.

    It may be a holiday then and the tables would not say, which is as good as not knowing the
    time: a cut may wait, a family in the dark may not.
    """
    since, until = bounds(view.state, view.factory)
    return view.clock < since or (until is not None and view.clock >= until)


def verdict(view: View, now: Standing | None = None) -> Verdict:
    """Return what credit says about the supply, and why; ``now`` is what ``stand`` says."""
    state = view.state
    now = now or stand(view)
    if state.account.active and not now.out_of_credit:
        return CREDIT_LEFT
    return judge(
        view.mode,
        state.account.active,
        now,
        friendly=view.friendly,
        armed=arm(view),
        clock_known=state.clock.known and not off_the_calendar(view),
        already_cut=state.condition.limited or Cause.CREDIT in state.relay.causes,
        protected=state.customer.protected,
        never_cut=never_cut(view),
    )


def never_cut(view: View) -> bool:
    """Say whether this supply is never cut for want of credit; a protected customer's gas is not.

    Gas has no minimum supply: a flame that goes out is a danger when the gas comes back.
    """
    customer = view.state.customer
    if not customer.protected:
        return customer.never_cut
    return customer.never_cut or view.factory.profile.commodity is Commodity.GAS


def recurrent_defaulter(view: View) -> bool:
    """Say whether the months of protection have run, by the local date."""
    state, rules = view.state, view.factory.profile.protection
    if rules is None or state.customer.since < 0 or not state.clock.known:
        return False
    since = view.at(state.customer.since).date()
    return view.local.date() >= recurrent_on(since, rules.months)


def apply(view: View) -> MeterState:
    """Return the state after its own rules: the very same object where they change nothing.

    So does each cell that stays as it was: the kernel sees at a glance what changed.
    """
    state = view.state
    now = stand(view)
    judged = verdict(view, now)
    account = _note(state.account, now)
    condition = _condition(view, now, limited=judged.limited)
    if condition is not state.condition:
        state = state.but(condition=condition)
    if condition.tripped >= 0 and not limiter.threshold(view.with_state(state)):
        condition = replace(condition, tripped=-1)  # what it held the relay open for has ended
    relay = _move(view, cut=not judged.supply, tripped=condition.tripped >= 0)
    if account is state.account and relay is state.relay and condition is state.condition:
        return state
    return state.but(account=account, relay=relay, condition=condition)


def _condition(view: View, now: Standing, *, limited: bool) -> Condition:
    """Return what supply lives under: the very same object where nothing has changed."""
    held, active = view.state.condition, view.state.account.active
    used_up = active and now.out_of_credit
    emergency = int(now.emergency_status or 0) if active else 0
    recurrent = view.state.customer.protected and (held.recurrent or recurrent_defaulter(view))
    ending = active and runs_out(view)
    if (
        limited is held.limited
        and used_up is held.used_up
        and emergency == held.emergency
        and recurrent is held.recurrent
        and ending is held.ending
    ):
        return held
    return replace(
        held,
        limited=limited,
        used_up=used_up,
        emergency=emergency,
        recurrent=recurrent,
        ending=ending,
    )


def _note(account: Account, now: Standing) -> Account:
    """Keep with the account what the next standing depends on, and what has been said of it."""
    selected = account.active and now.emergency_selected
    low = account.active and now.low
    if selected is account.emergency_selected and low is account.low_announced:
        return account
    return replace(account, emergency_selected=selected, low_announced=low)


def _move(view: View, *, cut: bool, tripped: bool) -> Relay:
    """Set or clear what credit and limiter say, and bring the relay to where its causes want it."""
    relay, mode = view.state.relay, view.factory.profile.relay_control_mode
    control, causes = _moved(mode, relay.control, relay.causes, cut, tripped)
    if control == relay.control and causes == relay.causes:
        return relay
    return replace(relay, control=control, causes=causes)


@cache  # of some thousand answers at most, one of which is asked for at each tick
def _moved(
    mode: int, control: ControlState, causes: Cause, cut: bool, tripped: bool
) -> tuple[ControlState, Cause]:
    """Return control state and causes with what credit and limiter say now."""
    if cut is not (Cause.CREDIT in causes):
        causes ^= Cause.CREDIT
    if tripped is not (Cause.LIMITER in causes):
        causes ^= Cause.LIMITER
    return arbitrate(mode, control, causes), causes
