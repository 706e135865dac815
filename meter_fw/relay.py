"""The relay: why it is open, and how disconnect control (class 70) moves between its states.

The theory
    A cause is a reason to be open (credit, operator, limiter, tamper, gas safety). Each has one
    owner that sets and clears it; the relay is open while any cause stands. That is decided
    here and nowhere else, by ``arbitrate``.

    How it gets there is class 70's affair. Its control state is *disconnected*, *connected* or
    *ready for reconnection*, and eight transitions lead between them:

        a  remote_reconnect    disconnected -> connected
        b  remote_disconnect   connected    -> disconnected
        c  remote_disconnect   ready        -> disconnected
        d  remote_reconnect    disconnected -> ready
        e  manual_reconnect    ready        -> connected
        f  manual_disconnect   connected    -> ready
        g  local_disconnect    connected    -> ready
        h  local_reconnect     ready        -> connected

    The control mode, an attribute that comes from the profile, says which of them exist on this
    meter. Mode 7's transition i is not spelled out publicly and so is not offered.

    The meter's own rules use g and h (local), a head-end a to d (remote), a hand e and f
    (manual). A transition to *connected* while a cause stands is not made: there a leads only
    to *ready*, and e and h do nothing.

    A cover that was opened (tamper) is the operator's affair too: the relay opens by g, and his
    remote_reconnect is what clears the cause. From *ready*, where a and d have no business, that
    moves nothing by itself: the causes that are left decide, and then h or e.
"""

from collections.abc import Mapping
from enum import Enum, IntFlag
from types import MappingProxyType
from typing import Final

from protocol.cosem.disconnect_control import ControlState


class Cause(IntFlag):
    """Why the relay is open. Bit n is n-th from the left in the bit string on the wire."""

    NONE = 0
    CREDIT = 1
    OPERATOR = 2
    LIMITER = 4
    TAMPER = 8
    GAS_SAFETY = 16


#: The causes that stand until an operator clears them.
OPERATORS: Final = Cause.OPERATOR | Cause.TAMPER


def bits(causes: Cause) -> str:
    """Return causes as the bit string that goes over the line."""
    return "".join("1" if cause in causes else "0" for cause in Cause).ljust(8, "0")


class Request(Enum):
    """Who asks for what."""

    REMOTE_DISCONNECT = "remote_disconnect"
    REMOTE_RECONNECT = "remote_reconnect"
    MANUAL_DISCONNECT = "manual_disconnect"
    MANUAL_RECONNECT = "manual_reconnect"
    LOCAL_DISCONNECT = "local_disconnect"
    LOCAL_RECONNECT = "local_reconnect"


_D, _C, _R = ControlState

TRANSITIONS: Mapping[str, tuple[Request, ControlState, ControlState]] = MappingProxyType(
    {
        "a": (Request.REMOTE_RECONNECT, _D, _C),
        "b": (Request.REMOTE_DISCONNECT, _C, _D),
        "c": (Request.REMOTE_DISCONNECT, _R, _D),
        "d": (Request.REMOTE_RECONNECT, _D, _R),
        "e": (Request.MANUAL_RECONNECT, _R, _C),
        "f": (Request.MANUAL_DISCONNECT, _C, _R),
        "g": (Request.LOCAL_DISCONNECT, _C, _R),
        "h": (Request.LOCAL_RECONNECT, _R, _C),
    }
)

#: The transitions of each control mode.
MODES: Mapping[int, str] = MappingProxyType(
    {
        0: "",
        1: "bcfgde",
        2: "bcfgae",
        3: "bcgde",
        4: "bcgae",
        5: "bcfgdeh",
        6: "bcgdeh",
    }
)


def step(mode: int, state: ControlState, request: Request) -> ControlState | None:
    """Return the state that ``request`` leads to in this mode, None where there is no transition.

    Args:
        mode: control mode, a key of ``MODES``.
        state: the present control state.
        request: who asks for what.
    """
    for letter in MODES[mode]:
        asked, source, target = TRANSITIONS[letter]
        if asked is request and source is state:
            return target
    return None


def arbitrate(mode: int, state: ControlState, causes: Cause) -> ControlState:
    """Return the state that the meter's own rules bring about while ``causes`` stand."""
    if causes and state is ControlState.CONNECTED:
        return step(mode, state, Request.LOCAL_DISCONNECT) or state
    if not causes and state is ControlState.READY_FOR_RECONNECTION:
        return step(mode, state, Request.LOCAL_RECONNECT) or state
    return state


def remote_disconnect(
    mode: int, state: ControlState, causes: Cause
) -> tuple[ControlState, Cause] | None:
    """Open for the operator; None where the mode has no such transition.

    A relay that the operator has opened already stays as it is: the command may be repeated.
    """
    if state is ControlState.DISCONNECTED and Cause.OPERATOR in causes:
        return state, causes
    target = step(mode, state, Request.REMOTE_DISCONNECT)
    return None if target is None else (target, causes | Cause.OPERATOR)


def remote_reconnect(
    mode: int, state: ControlState, causes: Cause
) -> tuple[ControlState, Cause] | None:
    """Withdraw the causes that are the operator's; None where there is nothing to withdraw.

    Other causes go on standing, so that this alone does not close the relay for a household
    whose credit is used up.
    """
    left = causes & ~OPERATORS
    if state is ControlState.CONNECTED:
        return state, left
    target = step(mode, state, Request.REMOTE_RECONNECT)
    if target is None:
        here = state is ControlState.READY_FOR_RECONNECTION and left != causes
        return (arbitrate(mode, state, left), left) if here else None
    if target is ControlState.CONNECTED and left:
        target = ControlState.READY_FOR_RECONNECTION
    return arbitrate(mode, target, left), left


def manual_reconnect(mode: int, state: ControlState, causes: Cause) -> ControlState:
    """Return the state after a hand on the button: closed only where no cause stands."""
    if causes:
        return state
    return step(mode, state, Request.MANUAL_RECONNECT) or state
