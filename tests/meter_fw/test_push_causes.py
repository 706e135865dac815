"""What supply comes to is worth a push, and the event objects can go along."""

import pytest

from meter_fw.catalogue import model
from meter_fw.events import Code
from meter_fw.line_state import MAX_PUSHED, PUSHED_OBJECT, PushList
from meter_fw.push import Cause, body, causes, happened
from meter_fw.sap import MANAGEMENT_DEVICE
from meter_fw.state import Condition, LoggedEvent, MeterState
from obis import catalogue
from obis.values import replace
from prepay.credit import CreditStatus
from protocol.axdr import integer, structure, unsigned
from protocol.cosem.disconnect_control import ControlState
from protocol.events import AttributeRef
from tests.meter_fw.rig import Rig


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition(limited=True), [Cause.MINIMUM_SUPPLY]),
        (Condition(used_up=True), [Cause.USED_UP]),
        (Condition(used_up=True, emergency=CreditStatus.IN_USE), [Cause.EMERGENCY, Cause.USED_UP]),
        (Condition(emergency=CreditStatus.SELECTABLE), []),
        (Condition(recurrent=True), [Cause.RECURRENT_DEFAULTER]),
        (Condition(ending=True), [Cause.CALENDAR]),
        (Condition(mismatch=True), [Cause.CONTACT]),
        (Condition(opened=True), [Cause.COVER]),
        (Condition(tripped=5), []),  # the relay has moved: that is told
    ],
)
def test_what_supply_has_come_to_is_worth_a_push(
    condition: Condition, expected: list[Cause]
) -> None:
    """Each as it begins; what ends without harm is not told, but for supply and contact."""
    before = Rig().kernel.state
    after = before.but(condition=condition)
    assert causes(before, after) == expected
    ends = {Cause.MINIMUM_SUPPLY, Cause.CONTACT}
    assert causes(after, before) == [cause for cause in expected if cause in ends]


def test_emergency_credit_that_a_payment_ends_is_not_told_as_used_up() -> None:
    """Used up is told, given back is not."""
    rig = Rig()
    used = rig.kernel.state.but(condition=Condition(used_up=False, emergency=CreditStatus.IN_USE))
    paid = used.but(condition=Condition(emergency=CreditStatus.ENABLED))
    gone = used.but(condition=Condition(used_up=True, emergency=CreditStatus.EXHAUSTED))
    assert causes(used, paid) == []
    assert causes(used, gone) == [Cause.EMERGENCY, Cause.USED_UP]


def test_the_event_objects_can_be_pushed() -> None:
    """The list is the head-end's to write; the codes are those of what is pushed for."""
    rig = Rig(start="2026-11-24T12:00")
    refs = [AttributeRef(1, name, 2) for name in (catalogue.EVENT, catalogue.RELAY_EVENT)]
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    rows = b"".join(
        ref.class_id.to_bytes(2, "big") + ref.logical_name.to_bytes() + bytes((ref.index,))
        for ref in refs
    )
    listed = PushList(2, rows.ljust(PUSHED_OBJECT * MAX_PUSHED, b"\0"))
    view = rig.kernel.view
    objects = model(rig.factory).devices[MANAGEMENT_DEVICE]
    said = body(objects, view.with_state(view.state.but(push_list=listed)))
    assert said == structure(unsigned(2), unsigned(62))


def logged(state: MeterState, *codes: Code) -> MeterState:
    """Return a state with events at the end of its log."""
    first = state.events[-1].number + 1
    rows = (LoggedEvent(number, 0, True, code) for number, code in enumerate(codes, first))
    return state.but(events=(*state.events, *rows))


def low_and_used_up(state: MeterState) -> MeterState:
    """Return a state in which the credit is used up, and was announced to be low."""
    account = replace(state.account, low_announced=True)
    relay = replace(state.relay, control=ControlState.READY_FOR_RECONNECTION)
    return state.but(account=account, condition=Condition(used_up=True), relay=relay)


def test_of_what_happens_at_once_each_push_has_its_own_event_in_their_order() -> None:
    """Of a day's charges; what the standard log has no event of comes last, with all of it."""
    before = Rig().kernel.state
    after = logged(low_and_used_up(before), Code.LOW_CREDIT, Code.USED_UP, Code.CUT)
    found = happened(before, after)
    assert [(cause, state.events[-1].code) for cause, state in found] == [
        (Cause.LOW_CREDIT, Code.LOW_CREDIT),
        (Cause.USED_UP, Code.USED_UP),
        (Cause.RELAY, Code.CUT),
    ]
    assert [len(state.events) for _, state in found] == [2, 3, 4]
    assert found[-1][1] is after


def test_an_event_of_an_earlier_day_tells_of_nothing_today() -> None:
    """A cause without an event of its own has the whole log, and no counter goes back."""
    before = logged(Rig().kernel.state, Code.LOW_CREDIT, Code.USED_UP, Code.CUT)
    after = low_and_used_up(before)
    assert all(state is after for _, state in happened(before, after))
    assert [cause for cause, _ in happened(before, after)] == causes(before, after)
    assert happened(after, after) == []


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (Code.CLOCK_INVALID, Cause.CLOCK),
        (Code.MEMORY_ERROR, Cause.MEMORY),
        (Code.PORT_LOCKED, Cause.LOCKED),
        (Code.KEYS_CHANGED, Cause.KEYS),
        (Code.COVER_CLOSED, None),
        (Code.TOKEN_REFUSED, None),
    ],
)
def test_an_event_that_somebody_has_to_look_after_is_worth_a_push(
    code: Code, cause: Cause | None
) -> None:
    """Though nothing else tells of it; as it comes, and not for ever after."""
    before = Rig().kernel.state
    after = logged(before, code, Code.COVER_CLOSED)
    found = [(each, state.events[-1].code) for each, state in happened(before, after)]
    assert found == ([] if cause is None else [(cause, code)])
    assert happened(after, logged(after, Code.COVER_CLOSED)) == []
