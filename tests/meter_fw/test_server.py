"""From a request to its answer: the order of the checks, methods, and what a refusal leaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_fw.relay import Cause
from meter_fw.view import Caller, Role
from obis import catalogue
from obis.code import ObisCode
from prepay.transactions import Kind, Outcome
from protocol import axdr
from protocol.axdr import Data, double_long, enum, integer, octet_string, structure, unsigned
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem.disconnect_control import ControlState
from protocol.events import (
    ActionRequest,
    AttributeRef,
    InvokeId,
    MethodRef,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from tests.meter_fw.rig import MANAGER, PUBLIC, READER, Rig
from tests.strategies import data

NOBODY = Caller(Role.NOBODY, 77)
UNDEFINED = "OBJECT_UNDEFINED"
INCONSISTENT = "OBJECT_CLASS_INCONSISTENT"
DENIED = "READ_WRITE_DENIED"
SCOPE = "SCOPE_OF_ACCESS_VIOLATED"
TYPE = "TYPE_UNMATCHED"
ABSENT = ObisCode(0, 0, 97, 97, 0, 255)
BY_ENTRY = SelectiveAccess(2, axdr.null())

# --- the order of the checks: each row breaks its rule and every rule after it

GETS = [
    ("no such object", MANAGER, ABSENT, 99, 99, UNDEFINED),
    ("hidden from this client", PUBLIC, catalogue.ACCOUNT, 99, 99, UNDEFINED),
    ("hidden from a client without a role", NOBODY, catalogue.CLOCK, 99, 99, UNDEFINED),
    ("another class", PUBLIC, catalogue.CLOCK, 3, 99, INCONSISTENT),
    ("no such attribute", PUBLIC, catalogue.CLOCK, 8, 10, UNDEFINED),
    ("attribute 0", PUBLIC, catalogue.CLOCK, 8, 0, UNDEFINED),
    ("a negative attribute", PUBLIC, catalogue.CLOCK, 8, -1, UNDEFINED),
    ("no right to read", PUBLIC, catalogue.CLOCK, 8, 3, DENIED),
    ("an attribute that is not here", MANAGER, catalogue.CURRENT_ASSOCIATION, 15, 7, DENIED),
    ("no selective access", PUBLIC, catalogue.CLOCK, 8, 2, SCOPE),
    ("no selective access to a name", PUBLIC, catalogue.CLOCK, 8, 1, SCOPE),
    ("parameters of another type", MANAGER, catalogue.DAILY_PROFILE, 7, 2, TYPE),
]


@pytest.mark.parametrize(
    ("caller", "name", "class_id", "index", "expected"),
    [row[1:] for row in GETS],
    ids=[row[0] for row in GETS],
)
def test_a_get_is_checked_in_the_order_of_the_book(
    caller: Caller, name: ObisCode, class_id: int, index: int, expected: str
) -> None:
    """Object, class, attribute, right, scope, type: the first that is wrong is the answer."""
    found = Rig().get(name, class_id, index, caller=caller, access=BY_ENTRY)
    assert isinstance(found, DataAccessResult)
    assert found.name == expected


SETS = [
    ("no such object", MANAGER, ABSENT, 99, 99, UNDEFINED),
    ("hidden from this client", PUBLIC, catalogue.TRANSACTION, 99, 99, UNDEFINED),
    ("another class", PUBLIC, catalogue.CLOCK, 3, 99, INCONSISTENT),
    ("no such attribute", PUBLIC, catalogue.CLOCK, 8, 10, UNDEFINED),
    ("no right to write", PUBLIC, catalogue.CLOCK, 8, 2, DENIED),
    ("no right to write, reader", READER, catalogue.TRANSACTION, 1, 2, DENIED),
    ("nobody writes it", MANAGER, catalogue.CLOCK, 8, 3, DENIED),
    ("a logical name", MANAGER, catalogue.CLOCK, 8, 1, DENIED),
    ("selective access", MANAGER, catalogue.CLOCK, 8, 2, SCOPE),
]


@pytest.mark.parametrize(
    ("caller", "name", "class_id", "index", "expected"),
    [row[1:] for row in SETS],
    ids=[row[0] for row in SETS],
)
def test_a_set_is_checked_in_the_order_of_the_book(
    caller: Caller, name: ObisCode, class_id: int, index: int, expected: str
) -> None:
    """Object, class, attribute, right, scope: the first that is wrong is the answer."""
    rig = Rig()
    before = rig.kernel.state
    request = SetRequest(AttributeRef(class_id, name, index), axdr.null(), BY_ENTRY)
    response = rig.kernel.answer(caller, request)
    assert isinstance(response, SetResponse)
    assert response.result.name == expected
    assert rig.kernel.state is before


def test_a_value_of_another_type_comes_last() -> None:
    """Everything else was right."""
    assert Rig().set(catalogue.CLOCK, 8, axdr.null()) is DataAccessResult.TYPE_UNMATCHED


ACTIONS = [
    ("no such object", MANAGER, ABSENT, 99, 99, UNDEFINED),
    ("hidden from this client", PUBLIC, catalogue.DISCONNECT_CONTROL, 99, 99, UNDEFINED),
    ("another class", READER, catalogue.DISCONNECT_CONTROL, 3, 99, INCONSISTENT),
    ("no such method", READER, catalogue.DISCONNECT_CONTROL, 70, 3, UNDEFINED),
    ("method 0", READER, catalogue.DISCONNECT_CONTROL, 70, 0, UNDEFINED),
    ("a method that is not here", READER, catalogue.CLOCK, 8, 4, UNDEFINED),
    ("no right to call", READER, catalogue.DISCONNECT_CONTROL, 70, 1, DENIED),
    ("a parameter of another type", MANAGER, catalogue.DISCONNECT_CONTROL, 70, 1, TYPE),
]


@pytest.mark.parametrize(
    ("caller", "name", "class_id", "index", "expected"),
    [row[1:] for row in ACTIONS],
    ids=[row[0] for row in ACTIONS],
)
def test_an_action_is_checked_in_the_order_of_the_book(
    caller: Caller, name: ObisCode, class_id: int, index: int, expected: str
) -> None:
    """Object, class, method, right, type: the first that is wrong is the answer."""
    rig = Rig()
    before = rig.kernel.state
    assert rig.act(name, class_id, index, axdr.null(), caller=caller).name == expected
    assert rig.kernel.state is before


@pytest.mark.parametrize("number", range(16))
def test_an_answer_echoes_the_invoke_id_of_its_request(number: int) -> None:
    """Refused or not."""
    invoke = InvokeId(number, high_priority=bool(number % 2))
    kernel = Rig().kernel
    for index in (1, 2, 3):
        reconnect = MethodRef(70, catalogue.DISCONNECT_CONTROL, index)
        answer = kernel.answer(MANAGER, ActionRequest(reconnect, integer(0), invoke))
        assert answer.invoke == invoke


# --- methods and their parameters --------------------------------------------------------------

CLOCK, RELAY = catalogue.CLOCK, catalogue.DISCONNECT_CONTROL
ACCOUNT, CREDIT = catalogue.ACCOUNT, catalogue.TOKEN_CREDIT
EMERGENCY, GATEWAY = catalogue.EMERGENCY_CREDIT, catalogue.TOKEN_GATEWAY

#: methods that take nothing but a trigger
TRIGGERS = [(CLOCK, 8, 1), (CLOCK, 8, 2), (CLOCK, 8, 3), (RELAY, 70, 1), (RELAY, 70, 2)]
TRIGGERS += [(ACCOUNT, 111, 1), (ACCOUNT, 111, 2), (EMERGENCY, 112, 3)]
#: methods that need something to work with, and one thing that does
NEEDY = [
    (CLOCK, 8, 6, axdr.long_(1)),
    (CREDIT, 112, 1, double_long(1)),
    (CREDIT, 112, 2, double_long(1)),
    (GATEWAY, 115, 1, octet_string(b"no token")),
    (catalogue.CURRENT_ASSOCIATION, 15, 1, octet_string(b"no proof")),
]


@pytest.mark.parametrize(("name", "class_id", "index"), TRIGGERS)
def test_a_trigger_may_be_left_out(name: ObisCode, class_id: int, index: int) -> None:
    """Integer 0 or nothing at all: public clients do the one or the other."""
    one, other = Rig("il"), Rig("il")
    results = {
        one.act(name, class_id, index, integer(0)),
        other.act(name, class_id, index),
    }
    assert len(results) == 1
    assert results != {ActionResult.TYPE_UNMATCHED}
    assert one.kernel.state == other.kernel.state


@pytest.mark.parametrize(("name", "class_id", "index", "fits"), NEEDY)
def test_a_method_that_needs_a_parameter_does_nothing_without(
    name: ObisCode, class_id: int, index: int, fits: Data
) -> None:
    """No amount is not an amount of 0, and no token is not an empty one."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 500))
    before = rig.kernel.state
    assert rig.act(name, class_id, index) is ActionResult.TYPE_UNMATCHED
    assert rig.act(name, class_id, index, integer(0)) is ActionResult.TYPE_UNMATCHED
    assert rig.kernel.state is before
    assert rig.act(name, class_id, index, fits) is not ActionResult.TYPE_UNMATCHED


@pytest.mark.parametrize(("name", "class_id", "index"), TRIGGERS)
@pytest.mark.parametrize(
    "parameter", [axdr.null(), double_long(0), axdr.boolean(False), octet_string(b"")]
)
def test_a_trigger_of_another_type_is_none(
    name: ObisCode, class_id: int, index: int, parameter: Data
) -> None:
    """Whatever its value."""
    rig = Rig("il")
    before = rig.kernel.state
    assert rig.act(name, class_id, index, parameter) is ActionResult.TYPE_UNMATCHED
    assert rig.kernel.state is before


def test_invoke_credit_takes_an_unsigned_as_well() -> None:
    """As one public client sends it."""
    rig = Rig(start="2026-11-24T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300))
    assert rig.act(EMERGENCY, 112, 3, unsigned(0)) is ActionResult.SUCCESS


ALL_METHODS = [*TRIGGERS, *((name, class_id, index) for name, class_id, index, _ in NEEDY)]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["be-wal", "il"]), st.sampled_from(ALL_METHODS), data())
def test_any_value_to_any_method_is_answered(
    profile: str, method: tuple[ObisCode, int, int], value: Data
) -> None:
    """Whatever it is, and where it is refused nothing but the gateway's status has changed."""
    rig = Rig(profile)
    before = rig.kernel.state
    result = rig.act(*method, value)
    assert isinstance(result, ActionResult)
    if result is not ActionResult.SUCCESS and method[0] != GATEWAY:
        assert rig.kernel.state is before


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([(CLOCK, 8), (catalogue.TRANSACTION, 1)]), data())
def test_any_value_to_any_attribute_is_answered(target: tuple[ObisCode, int], value: Data) -> None:
    """Whatever it is; refused by its type it leaves no trace."""
    rig = Rig()
    before = rig.kernel.state
    if rig.set(*target, value) is DataAccessResult.TYPE_UNMATCHED:
        assert rig.kernel.state is before


# --- class 111 and 112 in both modes -----------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_activate_account_begins_with_nothing(profile: str) -> None:
    """Without an id there is no first balance to bring; done twice it is refused."""
    rig = Rig(profile)
    assert rig.act(ACCOUNT, 111, 1, integer(0)) is ActionResult.SUCCESS
    assert (rig.kernel.state.account.active, rig.balance) == (True, 0)
    assert rig.kernel.state.snapshot.sequence == (1 if profile == "be-wal" else 0)
    assert rig.act(ACCOUNT, 111, 1, integer(0)) is ActionResult.OTHER_REASON
    assert not rig.kernel.state.transactions


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_close_account_ends_prepayment(profile: str) -> None:
    """A local balance is paid out with it; a second time there is nothing to close."""
    rig = Rig(profile)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 700))
    assert rig.act(ACCOUNT, 111, 2, integer(0)) is ActionResult.SUCCESS
    assert not rig.kernel.state.account.active
    assert rig.balance == (700 if profile == "be-wal" else 0)
    assert rig.act(ACCOUNT, 111, 2, integer(0)) is ActionResult.OTHER_REASON


def test_activate_account_after_the_last_sequence_is_refused() -> None:
    """There is no newer snapshot than number 4294967295; the meter says so and goes on."""
    rig = Rig()
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0xFFFFFFFF, 700))
    rig.order(2, Kind.DEACTIVATE)
    assert rig.act(ACCOUNT, 111, 1, integer(0)) is ActionResult.OTHER_REASON
    assert not rig.kernel.state.account.active


def test_only_an_account_that_is_not_active_is_reset() -> None:
    """Else its money would be nobody's; a closed one is new again."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 500))
    assert rig.act(ACCOUNT, 111, 3, integer(0)) is ActionResult.OTHER_REASON
    rig.order(2, Kind.DEACTIVATE)
    assert rig.act(ACCOUNT, 111, 3, integer(0)) is ActionResult.SUCCESS
    assert rig.get(ACCOUNT, 111, 2) == structure(enum(1), enum(1))


# profile, active, method, amount, answer, balance after
CREDITS = [
    ("il", True, 1, 250, ActionResult.SUCCESS, 750),
    ("il", True, 1, -600, ActionResult.SUCCESS, -100),
    ("il", True, 2, 250, ActionResult.SUCCESS, 250),
    ("il", True, 2, -(1 << 31), ActionResult.SUCCESS, -(1 << 31)),
    ("il", True, 1, (1 << 31) - 501, ActionResult.SUCCESS, (1 << 31) - 1),
    ("il", True, 1, (1 << 31) - 500, ActionResult.SCOPE_OF_ACCESS_VIOLATED, 500),
    ("il", False, 1, 250, ActionResult.OTHER_REASON, 0),
    ("il", False, 2, 250, ActionResult.OTHER_REASON, 0),
    ("be-wal", True, 1, 250, ActionResult.OTHER_REASON, 500),
    ("be-wal", True, 2, 250, ActionResult.OTHER_REASON, 500),
    ("be-wal", False, 1, 250, ActionResult.OTHER_REASON, 0),
]


@pytest.mark.parametrize(("profile", "active", "index", "amount", "answer", "after"), CREDITS)
def test_a_credit_is_moved_by_hand_only_where_the_meter_owns_it(
    profile: str, active: bool, index: int, amount: int, answer: ActionResult, after: int
) -> None:
    """update_amount adds, set_amount_to_value replaces; both stay within 32 bits."""
    rig = Rig(profile, "2026-11-27T18:00")
    if active:
        rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 500))
    assert rig.act(CREDIT, 112, index, double_long(amount)) is answer
    assert rig.balance == after


@pytest.mark.parametrize(("name", "index"), [(CREDIT, 3), (EMERGENCY, 1), (EMERGENCY, 2)])
def test_each_credit_has_the_methods_that_mean_something_there(name: ObisCode, index: int) -> None:
    """The token credit is not invoked, and an advance is not topped up."""
    value = integer(0) if index == 3 else double_long(1)
    assert Rig("il").act(name, 112, index, value) is ActionResult.OBJECT_UNDEFINED


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_invoke_credit_is_refused_where_there_is_nothing_to_take(profile: str) -> None:
    """Prepayment off; money left; no such credit at all."""
    rig = Rig(profile, "2026-11-24T12:00")
    assert rig.act(EMERGENCY, 112, 3, integer(0)) is ActionResult.TEMPORARY_FAILURE
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, 500))
    assert rig.act(EMERGENCY, 112, 3, integer(0)) is ActionResult.TEMPORARY_FAILURE
    assert not rig.kernel.state.account.emergency_selected


# --- class 70 in every control state -----------------------------------------------------------


def connected() -> Rig:
    """Return a meter that supplies."""
    rig = Rig(start="2026-11-24T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300))
    return rig


def ready() -> Rig:
    """Return one that was cut for credit."""
    rig = connected()
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-30T06:00")))
    return rig


def disconnected() -> Rig:
    """Return one that the operator has opened."""
    rig = connected()
    rig.act(RELAY, 70, 1, integer(0))
    return rig


def disconnected_and_cut() -> Rig:
    """Return one that was cut for credit, and then opened by the operator."""
    rig = ready()
    rig.act(RELAY, 70, 1, integer(0))
    return rig


DONE, NOT_NOW = ActionResult.SUCCESS, ActionResult.TEMPORARY_FAILURE
C, D, R = ControlState.CONNECTED, ControlState.DISCONNECTED, ControlState.READY_FOR_RECONNECTION
BOTH = Cause.CREDIT | Cause.OPERATOR
SWITCHING = [
    (connected, 1, DONE, D, Cause.OPERATOR),
    (connected, 2, DONE, C, Cause.NONE),
    (ready, 1, DONE, D, BOTH),
    (ready, 2, NOT_NOW, R, Cause.CREDIT),
    (disconnected, 1, DONE, D, Cause.OPERATOR),
    (disconnected, 2, DONE, C, Cause.NONE),
    (disconnected_and_cut, 1, DONE, D, BOTH),
    (disconnected_and_cut, 2, DONE, R, Cause.CREDIT),
]


@pytest.mark.parametrize(("make", "index", "answer", "control", "causes"), SWITCHING)
def test_the_operator_switches_in_every_control_state(
    make: object, index: int, answer: ActionResult, control: ControlState, causes: Cause
) -> None:
    """Control state, output state and causes agree with each other, and with the answer."""
    rig = make()  # type: ignore[operator]  # one of the four above
    assert rig.act(RELAY, 70, index, integer(0)) is answer
    assert rig.get(RELAY, 70, 3) == axdr.enum(control)
    assert rig.get(RELAY, 70, 2) == axdr.boolean(control is C)
    assert rig.kernel.state.relay.causes == causes
    bits = "".join("1" if cause in causes else "0" for cause in Cause).ljust(8, "0")
    assert rig.get(catalogue.RELAY_CAUSES, 1) == axdr.bit_string(bits)


# --- the door ----------------------------------------------------------------------------------


def test_an_id_of_zeros_is_refused_as_too_old() -> None:
    """Nobody remembers it, and nothing is smaller."""
    rig = Rig()
    order = vendor.Order(bytes(16), Kind.ACTIVATE, rig.snapshot(1, 500)).to_data()
    expected = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    assert rig.set(catalogue.TRANSACTION, 1, order) is expected
    assert not rig.kernel.state.transactions


def test_an_id_of_a_token_is_not_an_id_for_an_order() -> None:
    """They share one memory."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.enter(rig.token(2, 500))
    assert rig.order(2, Kind.ADJUST, 500) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    rig.order(3, Kind.ADJUST, 500)
    assert rig.enter(rig.token(3, 500)) is ActionResult.OTHER_REASON
    assert rig.kernel.state.gateway.outcome is Outcome.TOKEN_USED
    assert rig.balance == 1000


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=12, max_size=12), st.sampled_from([Kind.SNAPSHOT, Kind.ARM]))
def test_any_12_octets_as_a_moment_of_an_order_are_answered(octets: bytes, kind: Kind) -> None:
    """Done, refused with an entry, or of the wrong type without: never an exception."""
    rig = connected()
    moment = octet_string(octets)
    number = axdr.double_long_unsigned(1)
    fields = (number, double_long(-300), double_long(0), moment)
    parameters = fields if kind is Kind.SNAPSHOT else (number, moment)
    order = axdr.structure(octet_string(b"\xfe" * 16), axdr.enum(kind), axdr.structure(*parameters))
    result = rig.set(catalogue.TRANSACTION, 1, order)
    remembered = len(rig.kernel.state.transactions) == 2
    assert remembered == (result is not DataAccessResult.TYPE_UNMATCHED)
    assert isinstance(rig.get(catalogue.ARMED_CUT, 1), Data)
    assert rig.kernel.display()
