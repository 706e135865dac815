"""The operator's orders to the relay, by id: disconnect at once or after friendly hours, connect.

A disconnect that respects the windows is decided here and not by a head-end: between its look at
the clock and the meter's a window may begin. While one is in force, the clock is unknown, or the
date is one for which the calendar is not complete, the order waits as the plan of the meter; doubt
cuts nobody. It is carried out at the first moment at which none of these holds, expires where that
does not come in time, and is withdrawn by a connect.
"""

from collections.abc import Callable

from meter_fw import relay
from meter_fw.calendar_tables import bounds
from meter_fw.money_state import Plan
from meter_fw.ordering import Done, Order, ended
from meter_fw.state import MeterState
from meter_fw.view import View
from obis.values import replace
from prepay.transactions import Kind, Outcome
from protocol.cosem.disconnect_control import ControlState

_Stands = tuple[ControlState, relay.Cause]
_Ask = Callable[[int, ControlState, relay.Cause], _Stands | None]


def disconnect(view: View, order: Order) -> Done:
    """Open the relay for the operator, whatever the hour; one that waits is not needed then."""
    return _asked(view, withdrawn(view), relay.remote_disconnect)


def connect(view: View, order: Order) -> Done:
    """Withdraw what is the operator's: his causes, and a disconnect that waits."""
    return _asked(view, withdrawn(view), relay.remote_reconnect)


def _asked(view: View, state: MeterState, ask: _Ask) -> Done:
    stood = state.relay
    answer = ask(view.factory.profile.relay_control_mode, stood.control, stood.causes)
    if answer is None:
        return Done(view.state, Outcome.RELAY_REFUSES)
    control, causes = answer
    stands = replace(stood, control=control, causes=causes)
    return Done(state.but(relay=stands), Outcome.DONE)


def withdrawn(view: View) -> MeterState:
    """Return the state without a disconnect that waits: the very same where none does."""
    state = view.state
    if state.plan.kind != Kind.DISCONNECT:
        return state
    return ended(view, state, Done(state, Outcome.WITHDRAWN))


def after_windows(view: View, order: Order) -> Done:
    """Open the relay now if no window is in force, else as soon as none is, until ``order.at``."""
    state = view.state
    if state.clock.known and order.at <= view.clock:
        return Done(state, Outcome.EXPIRED)
    if _may_open(view):
        return disconnect(view, order)
    if state.plan.kind:
        return Done(state, Outcome.PLAN_EXISTS)
    trial = disconnect(view, order)
    if trial.outcome is not Outcome.DONE:
        return Done(state, trial.outcome)
    waiting = Plan(kind=order.kind, id=order.id, at=order.at)
    return Done(state.but(plan=waiting), Outcome.PLANNED)


def due(view: View) -> Done | None:
    """Return what has come of the disconnect that waits; None while it goes on waiting."""
    state, waiting = view.state, view.state.plan
    if state.clock.known and view.clock >= waiting.at:
        return Done(state, Outcome.EXPIRED)
    if not _may_open(view):
        return None
    return _asked(view, state, relay.remote_disconnect)


def _may_open(view: View) -> bool:
    """Say whether it is sure that no window is in force."""
    if not view.state.clock.known or view.friendly:
        return False
    since, until = bounds(view.state, view.factory)
    return view.clock >= since and (until is None or view.clock < until)
