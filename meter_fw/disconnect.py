"""Disconnect control (class 70) bound to the relay's tables."""

from dataclasses import replace
from typing import Any

from meter_fw import relay
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MeterState
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from protocol.codes import DataAccessResult
from protocol.cosem.disconnect_control import DISCONNECT_CONTROL, ControlState
from protocol.errors import AccessRefused


def _ask(view: View, ask: Any) -> Change:
    """Let an operator ask; what the control mode does not have is refused for now."""
    stood = view.state.relay
    answer = ask(view.factory.profile.relay_control_mode, stood.control, stood.causes)
    if answer is None:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "not from this control state")
    control, causes = answer
    return Change(replace(view.state, relay=replace(stood, control=control, causes=causes)))


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
                2: Attribute(
                    lambda view: view.state.relay.control is ControlState.CONNECTED, READERS
                ),
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
