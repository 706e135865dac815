"""What the rules of prepayment make of a state: emergency credit, low credit, and the relay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from meter_fw.relay import Cause, arbitrate
from meter_fw.state import MeterState
from meter_fw.transactions import balance
from meter_fw.view import View, milliseconds
from prepay.credit import Standing, standing
from prepay.cut import Arm, Verdict, judge
from prepay.friendly import FriendlyCalendar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Windows:
    """Friendly windows by the meter's clock; remembers the two edges around the last answer."""

    def __init__(self, calendar: FriendlyCalendar) -> None:
        self._calendar = calendar
        self._asked: int | None = None
        self._until: int | None = None
        self._covered = False

    def cover(self, clock: int) -> bool:
        """Say whether a window is in force at ``clock``, ms since 1970."""
        if self._asked is None or clock < self._asked or self._past(clock):
            moment = _EPOCH + timedelta(milliseconds=clock)
            edge = self._calendar.next_edge(moment)
            self._covered = self._calendar.covers(moment)
            self._asked, self._until = clock, None if edge is None else milliseconds(edge)
        return self._covered

    def next_edge(self, clock: int) -> int | None:
        """Return when the answer changes next, ms since 1970; None for never."""
        self.cover(clock)
        return self._until

    def _past(self, clock: int) -> bool:
        return self._until is not None and clock >= self._until


def stand(view: View) -> Standing:
    """Return what the balance amounts to under the profile's rules."""
    selected = view.state.account.emergency_selected
    return standing(view.factory.profile.credit, balance(view), selected)


def arm(view: View) -> Arm:
    """Return what the head-end's leave to cut is worth at this moment."""
    armed = view.state.armed
    if not armed.armed:
        return Arm.NONE
    if armed.sequence != view.state.snapshot.sequence:
        return Arm.ANOTHER_SEQUENCE
    return Arm.ARMED if view.clock < armed.expiry else Arm.EXPIRED


def off_the_calendar(view: View) -> bool:
    """Say whether the meter's clock is outside its table of dated windows.

    It may be a holiday then and the table would not say, which is as good as not knowing the
    time: a cut may wait, a family in the dark may not.
    """
    factory = view.factory
    if factory.calendar_until is None:  # this profile needs no table
        return False
    began = bool(factory.dated) and view.local >= factory.dated[0].start
    return not began or view.local >= factory.calendar_until


def verdict(view: View) -> Verdict:
    """Return what credit says about the supply, and why."""
    state = view.state
    return judge(
        view.factory.profile.mode,
        state.account.active,
        stand(view),
        friendly=view.friendly,
        armed=arm(view),
        clock_known=state.clock.known and not off_the_calendar(view),
        already_cut=Cause.CREDIT in state.relay.causes,
    )


def apply(view: View) -> MeterState:
    """Return the state after its own rules: the very same object where they change nothing."""
    state = view.state
    standing_now = stand(view)
    account = replace(
        state.account,
        emergency_selected=state.account.active and standing_now.emergency_selected,
        low_announced=state.account.active and standing_now.low,
    )
    credit = Cause.NONE if verdict(view).supply else Cause.CREDIT
    causes = state.relay.causes & ~Cause.CREDIT | credit
    control = arbitrate(view.factory.profile.relay_control_mode, state.relay.control, causes)
    relay = replace(state.relay, control=control, causes=causes)
    if account == state.account and relay == state.relay:
        return state
    # an equal cell stays the same object, so that the kernel sees at a glance what changed
    return replace(
        state,
        account=state.account if account == state.account else account,
        relay=state.relay if relay == state.relay else relay,
    )
