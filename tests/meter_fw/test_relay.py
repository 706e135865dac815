"""Disconnect control: the transitions of class 70, and the causes above them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.relay import (
    MODES,
    TRANSITIONS,
    Cause,
    Request,
    arbitrate,
    manual_reconnect,
    remote_disconnect,
    remote_reconnect,
    step,
)
from protocol.cosem.disconnect_control import ControlState

D, C, R = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION

# The Blue Book's table as two public implementations give it, written apart from the code's:
# mode -> (state, request) -> state.
BOOK = {
    0: {},
    1: {(C, "rd"): D, (R, "rd"): D, (C, "md"): R, (C, "ld"): R, (D, "rr"): R, (R, "mr"): C},
    2: {(C, "rd"): D, (R, "rd"): D, (C, "md"): R, (C, "ld"): R, (D, "rr"): C, (R, "mr"): C},
    3: {(C, "rd"): D, (R, "rd"): D, (C, "ld"): R, (D, "rr"): R, (R, "mr"): C},
    4: {(C, "rd"): D, (R, "rd"): D, (C, "ld"): R, (D, "rr"): C, (R, "mr"): C},
    5: {
        (C, "rd"): D, (R, "rd"): D, (C, "md"): R, (C, "ld"): R, (D, "rr"): R, (R, "mr"): C,
        (R, "lr"): C,
    },
    6: {(C, "rd"): D, (R, "rd"): D, (C, "ld"): R, (D, "rr"): R, (R, "mr"): C, (R, "lr"): C},
}  # fmt: skip
SHORT = {
    "rd": Request.REMOTE_DISCONNECT,
    "rr": Request.REMOTE_RECONNECT,
    "md": Request.MANUAL_DISCONNECT,
    "mr": Request.MANUAL_RECONNECT,
    "ld": Request.LOCAL_DISCONNECT,
    "lr": Request.LOCAL_RECONNECT,
}


@pytest.mark.parametrize("mode", sorted(BOOK))
@pytest.mark.parametrize("state", ControlState)
@pytest.mark.parametrize("request_name", sorted(SHORT))
def test_each_mode_has_the_transitions_of_the_book_and_no_other(
    mode: int, state: ControlState, request_name: str
) -> None:
    """Every cell of mode x state x request."""
    assert step(mode, state, SHORT[request_name]) == BOOK[mode].get((state, request_name))


def test_the_transition_table_names_no_transition_twice() -> None:
    """Two letters never describe the same request from the same state to the same state."""
    assert len(set(TRANSITIONS.values())) == len(TRANSITIONS)
    assert all(set(letters) <= set(TRANSITIONS) for letters in MODES.values())


@pytest.mark.parametrize(
    ("mode", "state", "causes", "expected"),
    [
        (6, C, Cause.CREDIT, R),
        (6, R, Cause.NONE, C),
        (6, R, Cause.CREDIT, R),
        (6, D, Cause.NONE, D),  # a local rule never leads out of disconnected
        (4, R, Cause.NONE, R),  # no automatic return in mode 4
        (0, C, Cause.CREDIT, C),  # always on
    ],
)
def test_the_meters_own_rules_move_the_relay_by_g_and_h_only(
    mode: int, state: ControlState, causes: Cause, expected: ControlState
) -> None:
    """A standing cause opens, its end closes, as far as the mode has the transition."""
    assert arbitrate(mode, state, causes) is expected


@pytest.mark.parametrize(
    ("mode", "state", "causes", "expected"),
    [
        (6, D, Cause.OPERATOR, (C, Cause.NONE)),  # d, then h
        (5, D, Cause.OPERATOR, (C, Cause.NONE)),
        (4, D, Cause.OPERATOR, (C, Cause.NONE)),  # a
        (3, D, Cause.OPERATOR, (R, Cause.NONE)),  # d; a hand has to close it
        (6, D, Cause.OPERATOR | Cause.CREDIT, (R, Cause.CREDIT)),
        (4, D, Cause.OPERATOR | Cause.CREDIT, (R, Cause.CREDIT)),  # a may not close it
        (6, C, Cause.NONE, (C, Cause.NONE)),  # repeated after a lost reply
        (6, R, Cause.CREDIT, None),  # nothing of the operator's to withdraw
        (0, D, Cause.OPERATOR, None),
    ],
)
def test_remote_reconnect_withdraws_the_operators_cause_and_no_other(
    mode: int,
    state: ControlState,
    causes: Cause,
    expected: tuple[ControlState, Cause] | None,
) -> None:
    """Reconnection does not give supply to a household whose credit is used up."""
    assert remote_reconnect(mode, state, causes) == expected


@pytest.mark.parametrize(
    ("mode", "state", "causes", "expected"),
    [
        (6, C, Cause.NONE, (D, Cause.OPERATOR)),
        (6, R, Cause.CREDIT, (D, Cause.OPERATOR | Cause.CREDIT)),
        (6, D, Cause.OPERATOR, (D, Cause.OPERATOR)),  # repeated after a lost reply
        (0, C, Cause.NONE, None),
    ],
)
def test_remote_disconnect_adds_the_operators_cause(
    mode: int,
    state: ControlState,
    causes: Cause,
    expected: tuple[ControlState, Cause] | None,
) -> None:
    """Opening twice is opening once."""
    assert remote_disconnect(mode, state, causes) == expected


def test_a_hand_on_the_button_does_not_close_over_a_standing_cause() -> None:
    """Manual reconnection needs that nothing speaks against supply."""
    assert manual_reconnect(6, R, Cause.CREDIT) is R
    assert manual_reconnect(6, R, Cause.NONE) is C
    assert manual_reconnect(6, D, Cause.NONE) is D


@given(
    mode=st.sampled_from([5, 6]),
    moves=st.lists(
        st.tuples(
            st.sampled_from(["disconnect", "reconnect", "button", "set", "clear"]),
            st.sampled_from([Cause.CREDIT, Cause.LIMITER, Cause.TAMPER, Cause.GAS_SAFETY]),
        ),
        max_size=30,
    ),
)
def test_whatever_happens_the_relay_is_closed_exactly_when_no_cause_stands(
    mode: int, moves: list[tuple[str, Cause]]
) -> None:
    """With automatic reclosing the relay never stays open once its causes are gone."""
    state, causes = C, Cause.NONE
    for move, cause in moves:
        if move == "disconnect":
            state, causes = remote_disconnect(mode, state, causes) or (state, causes)
        elif move == "reconnect":
            state, causes = remote_reconnect(mode, state, causes) or (state, causes)
        elif move == "button":
            state = manual_reconnect(mode, state, causes)
        else:
            causes = causes | cause if move == "set" else causes & ~cause
            state = arbitrate(mode, state, causes)
        assert (state is C) == (not causes)
