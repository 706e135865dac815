"""The state table, walked row by row."""

import itertools

import pytest

from protocol.events import DisconnectReason
from protocol.hdlc.frame import FrameKind
from protocol.hdlc.state import TRANSITIONS, Answer, Role, State, Step, Trigger, step, trigger_of

ROWS = [
    pytest.param(role, state, trigger, taken, id=f"{role.name}-{state.name}-{trigger.name}")
    for role, table in TRANSITIONS.items()
    for state, row in table.items()
    for trigger, taken in row.items()
]


@pytest.mark.parametrize(("role", "state", "trigger", "taken"), ROWS)
def test_every_row_makes_sense(role: Role, state: State, trigger: Trigger, taken: Step) -> None:
    """Each row leads to a state of its role, and reports exactly what changes."""
    stood = state in (State.CONNECTED, State.REJECTING)
    stands = taken.state in (State.CONNECTED, State.REJECTING)
    assert taken.state in TRANSITIONS[role]
    assert taken.began == (stands and (not stood or taken.ended is not None))
    if role is Role.SECONDARY:
        assert (taken.ended is not None) == (stood and (not stands or taken.began))
    else:
        assert (taken.ended is not None) == (
            taken.state is State.DISCONNECTED and state is not State.DISCONNECTED
        )
    assert taken.answer is not Answer.TRANSFER or (trigger is Trigger.NUMBERED and stands)


def test_each_state_can_be_left_for_disconnected() -> None:
    """There is no trap in either table."""
    for table in TRANSITIONS.values():
        leading = {State.DISCONNECTED}
        for _ in table:
            leading |= {
                state
                for state, row in table.items()
                if any(taken.state in leading for taken in row.values())
            }
        assert leading == set(table)


def test_each_state_is_reached() -> None:
    """There is no row without use."""
    for table in TRANSITIONS.values():
        reached = {State.DISCONNECTED}
        for _ in table:
            reached |= {taken.state for state in reached for taken in table[state].values()}
        assert reached == set(table)


@pytest.mark.parametrize("state", list(State))
def test_a_connection_answers_snrm_anew_in_every_state(state: State) -> None:
    """A client that lost its half can always begin again."""
    if state in TRANSITIONS[Role.SECONDARY]:
        taken = step(Role.SECONDARY, state, Trigger.SNRM)
        assert taken is not None
        assert (taken.state, taken.answer, taken.began) == (State.CONNECTED, Answer.UA, True)


def test_a_role_ignores_what_only_the_other_may_send() -> None:
    """A secondary takes no responses, a primary no commands."""
    for state, trigger in itertools.product(
        TRANSITIONS[Role.SECONDARY], (Trigger.UA, Trigger.DM, Trigger.FRMR, Trigger.CONNECT)
    ):
        assert step(Role.SECONDARY, state, trigger) is None
    for state, trigger in itertools.product(
        TRANSITIONS[Role.PRIMARY], (Trigger.SNRM, Trigger.DISC, Trigger.REJECTABLE)
    ):
        assert step(Role.PRIMARY, state, trigger) is None


def test_every_kind_of_frame_has_a_trigger_but_ui() -> None:
    """UI belongs to no connection."""
    assert [kind for kind in FrameKind if trigger_of(kind) is None] == [FrameKind.UI]


def test_time_outs_end_silently() -> None:
    """No frame is sent when the clock ends a connection."""
    for table in TRANSITIONS.values():
        for row in table.values():
            if taken := row.get(Trigger.EXPIRED):
                assert taken.answer is Answer.NOTHING
                assert taken.ended in (DisconnectReason.TIMEOUT, DisconnectReason.LOCAL)
