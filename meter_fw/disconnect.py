"""Disconnect control (class 70) bound to the relay's tables."""

from typing import Any

from meter_fw import relay, switching
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MeterState
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.values import replace
from protocol.codes import DataAccessResult
from protocol.cosem.disconnect_control import DISCONNECT_CONTROL, ControlState
from protocol.errors import AccessRefused


def _ask(view: View, ask: Any) -> Change:
    """Let an operator ask; what the control mode does not have is refused for now.

    A disconnect that waits for the end of a window is withdrawn: this is a later word.
    """
    state = switching.withdrawn(view)
    stood = state.relay
    answer = ask(view.factory.profile.relay_control_mode, stood.control, stood.causes)
    if answer is None:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "not from this control state")
    control, causes = answer
    return Change(state.but(relay=replace(stood, control=control, causes=causes)))


def cover(view: View, *, opened: bool) -> MeterState:
    """Return the state after the cover has been opened, which is tamper, or closed.

    What was opened is not undone by closing it: only an operator clears the cause. Nor does a
    cover that is still open set it again, so he may clear it with a fitter at work.
    """
    state = view.state
    condition = replace(state.condition, opened=opened)
    if not opened:
        return state.but(condition=condition)
    causes = state.relay.causes | relay.Cause.TAMPER
    control = relay.arbitrate(view.factory.profile.relay_control_mode, state.relay.control, causes)
    stands = replace(state.relay, control=control, causes=causes)
    return state.but(condition=condition, relay=stands)


def _output(view: View) -> bool:
    """Whether supply is on: what the contact says, and where it says nothing, the state."""
    if view.contact is not None:
        return view.contact
    return view.state.relay.control is ControlState.CONNECTED


def press_select(view: View) -> MeterState:
    """Return the state after a hand on the button: closed, where the control mode wants one."""
    stood = view.state.relay
    mode = view.factory.profile.relay_control_mode
    control = relay.manual_reconnect(mode, stood.control, stood.causes)
    if control is stood.control:
        return view.state
    return replace(view.state, relay=replace(stood, control=control))


def objects() -> tuple[CosemObject, ...]:
    """Return the disconnect control."""
    return (
        CosemObject(
            DISCONNECT_CONTROL,
            catalogue.DISCONNECT_CONTROL,
            {
                2: Attribute(_output, READERS),
                3: Attribute(lambda view: view.state.relay.control, READERS),
                4: Attribute(lambda view: view.factory.profile.relay_control_mode, READERS),
            },
            {
                1: Method(
                    lambda view, parameter: _ask(view, relay.remote_disconnect), Role.MANAGEMENT
                ),
                2: Method(
                    lambda view, parameter: _ask(view, relay.remote_reconnect), Role.MANAGEMENT
                ),
            },
        ),
    )
