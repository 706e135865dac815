"""What supply comes to is worth a push, and the event objects can go along."""

import pytest

from meter_fw.catalogue import model
from meter_fw.push import Cause, causes, message
from meter_fw.sap import MANAGEMENT_DEVICE
from meter_fw.state import MAX_PUSHED, PUSHED_OBJECT, Condition, PushList
from obis import catalogue
from prepay.credit import CreditStatus
from protocol.axdr import integer, structure, unsigned
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
    said = message(objects, view.with_state(view.state.but(push_list=listed)))
    assert said.body == structure(unsigned(2), unsigned(62))
