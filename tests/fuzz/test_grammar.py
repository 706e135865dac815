"""Well-formed requests with any value, at every attribute and method there is, by the one client
who may do most: each has its answer, and the ledger adds up whatever he does.
"""

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meter_fw.board import PortKind
from meter_fw.server import CosemObject
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol.axdr import Data, Tag
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem.interface import Attribute, Method
from protocol.cosem.profile_generic import ENTRY_DESCRIPTOR, RANGE_DESCRIPTOR
from protocol.cosem.types import AnyType, ArrayOf, ChoiceOf, Simple, StructureOf, Type
from protocol.cosem.vendor import ORDER_TYPE
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    MethodRef,
    Request,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from tests.fuzz.bench import MANAGER, READER, Bench, Dialogue
from tests.fuzz.campaign import PROFILES, scaled
from tests.meter_fw.rig import number
from tests.strategies import PLAIN_VALUES, cosem_date_times, data, obis_codes

#: What a refused order may leave behind: that it was refused.
REMEMBERED = {"transactions", "history", "gateway", "tokens"}
#: The ends of the integers' ranges.
_INTEGERS = {
    **{Tag.DOUBLE_LONG: (-(1 << 31), (1 << 31) - 1), Tag.DOUBLE_LONG_UNSIGNED: (0, (1 << 32) - 1)},
    **{Tag.LONG: (-(1 << 15), (1 << 15) - 1), Tag.LONG_UNSIGNED: (0, (1 << 16) - 1)},
    **{Tag.INTEGER: (-128, 127), Tag.UNSIGNED: (0, 255), Tag.ENUM: (0, 255)},
}


ANYTHING = data(4)

# --- values of a declared type -----------------------------------------------------------------


def typed(declared: Type) -> SearchStrategy[Data]:
    """Values of a declared type, the ends of its range among them."""
    match declared:
        case Simple(tag=Tag.OCTET_STRING, length=length):
            return _octets(length).map(lambda value: Data(Tag.OCTET_STRING, value))
        case Simple(tag=Tag.BIT_STRING, length=int(length)):
            return st.text("01", min_size=length, max_size=length).map(
                lambda value: Data(Tag.BIT_STRING, value)
            )
        case Simple(tag=tag) if tag in _INTEGERS:
            least, most = _INTEGERS[tag]
            ends = st.sampled_from(sorted({least, least + 1, 0, 1, 2, 3, 4, 5, 6, most - 1, most}))
            return (ends | st.integers(least, most)).map(lambda value: Data(tag, value))
        case Simple(tag=tag):
            return PLAIN_VALUES[tag].map(lambda value: Data(tag, value))
        case StructureOf(fields=fields):
            members = st.tuples(*(typed(member) for _, member in fields))
            return members.map(lambda values: Data(Tag.STRUCTURE, values))
        case ArrayOf(element=element):
            elements = st.lists(typed(element), max_size=3)
            return elements.map(lambda values: Data(Tag.ARRAY, tuple(values)))
        case ChoiceOf(alternatives=alternatives):
            return st.one_of(*map(typed, alternatives))
        case AnyType():
            return ANYTHING
    raise AssertionError(f"no values for {declared}")


def _octets(length: int | None) -> SearchStrategy[bytes]:
    if length is None:
        return st.binary(max_size=60)
    some = st.binary(min_size=length, max_size=length)
    if length == 12:
        return some | cosem_date_times().map(lambda moment: moment.to_bytes())
    if length == 16:
        return some | st.integers(0, 9).map(number)
    return some


def orders() -> SearchStrategy[Data]:
    """Orders whose parameters suit their kind more often than chance would have it."""
    suited = st.sampled_from(
        [
            *((kind, 2) for kind in (Kind.ACTIVATE, Kind.SNAPSHOT)),
            *((kind, 0) for kind in (Kind.DEACTIVATE, Kind.DISARM)),
            *((Kind.ADJUST, 1), (Kind.ARM, 3), (Kind.TOKEN, 0)),
        ]
    )
    identity = ORDER_TYPE.fields[0][1]
    choice = ORDER_TYPE.fields[2][1]
    assert isinstance(choice, ChoiceOf)
    return suited.flatmap(
        lambda kind: st.builds(
            lambda given, parameters: Data(
                Tag.STRUCTURE, (given, Data(Tag.ENUM, int(kind[0])), parameters)
            ),
            typed(identity),
            typed(choice.alternatives[kind[1]]),
        )
    )


# --- requests ----------------------------------------------------------------------------------


@cache
def objects(profile: str) -> tuple[CosemObject, ...]:
    """Every object of a meter."""
    return tuple(Bench(profile).kernel._objects.values())


@cache
def members(profile: str) -> tuple[SearchStrategy[Request], ...]:
    """One strategy for each thing that can be asked of a meter."""
    asked = [_astray(profile), orders().map(_order), orders().map(_order)]
    for one in objects(profile):
        for attribute in one.declaration.attributes:
            asked += (_get(one, attribute), _set(one, attribute))
        asked += (_act(one, method) for method in one.declaration.methods)
    return tuple(asked)


def _order(order: Data) -> Request:
    return SetRequest(AttributeRef(1, catalogue.TRANSACTION, 2), order)


@st.composite
def requests(draw: st.DrawFn, profile: str) -> Request:
    """Requests at every attribute and method, orders more often, and some that go astray."""
    place = draw(st.integers(0, 3 * len(members(profile)) // 2 - 1))
    chosen = place if place < len(members(profile)) else place % 3
    return draw(members(profile)[chosen])


def _astray(profile: str) -> SearchStrategy[Request]:
    """Requests at objects of another class, members that no class has, unknown names."""
    names = st.sampled_from([one.logical_name for one in objects(profile)]) | obis_codes()
    class_ids, indices = (
        st.sampled_from((1, 7, 8, 15, 70, 111, 112, 115, 0xFFFF)),
        st.integers(0, 255),
    )
    attributes = st.builds(AttributeRef, class_ids, names, indices)
    methods = st.builds(MethodRef, class_ids, names, indices)
    return st.one_of(
        st.builds(GetRequest, attributes),
        st.builds(SetRequest, attributes, ANYTHING),
        st.builds(ActionRequest, methods, st.none() | ANYTHING),
    )


def _get(one: CosemObject, declared: Attribute) -> SearchStrategy[Request]:
    reference = AttributeRef(one.declaration.class_id, one.logical_name, declared.index)
    ranges = st.builds(SelectiveAccess, st.just(1), typed(RANGE_DESCRIPTOR) | _ranges())
    entries = st.builds(SelectiveAccess, st.just(2), typed(ENTRY_DESCRIPTOR))
    others = st.builds(SelectiveAccess, st.integers(0, 255), ANYTHING)
    return st.builds(GetRequest, st.just(reference), st.none() | ranges | entries | others)


def _set(one: CosemObject, declared: Attribute) -> SearchStrategy[Request]:
    reference = AttributeRef(one.declaration.class_id, one.logical_name, declared.index)
    return st.builds(SetRequest, st.just(reference), typed(declared.type) | ANYTHING)


def _act(one: CosemObject, declared: Method) -> SearchStrategy[Request]:
    reference = MethodRef(one.declaration.class_id, one.logical_name, declared.index)
    values = st.none() | typed(declared.parameter) | typed(declared.parameter) | ANYTHING
    return st.builds(ActionRequest, st.just(reference), values)


@cache
def _ranges() -> SearchStrategy[Data]:
    """Range descriptors that restrict by the clock, as the meter's profiles want it."""
    clock = Data(
        Tag.STRUCTURE,
        (
            Data(Tag.LONG_UNSIGNED, 8),
            Data(Tag.OCTET_STRING, catalogue.CLOCK.to_bytes()),
            Data(Tag.INTEGER, 2),
            Data(Tag.LONG_UNSIGNED, 0),
        ),
    )
    stamps = _octets(12).flatmap(
        lambda octets: st.sampled_from((Tag.OCTET_STRING, Tag.DATE_TIME)).map(
            lambda tag: Data(tag, octets)
        )
    )
    bound = stamps | ANYTHING
    return st.builds(
        lambda start, end: Data(Tag.STRUCTURE, (clock, start, end, Data(Tag.ARRAY, ()))),
        bound,
        bound,
    )


# --- the properties ----------------------------------------------------------------------------


@cache
def _past(profile: str) -> Bench:
    bench = Bench(profile)
    bench.activate()
    return bench


def result_of(answer: AssociationEvent) -> str:
    """Return the name of the result; an answer of another kind is none."""
    match answer:
        case GetResponse(result=Data()):
            return "SUCCESS"
        case GetResponse(result=DataAccessResult() as result) | SetResponse(result=result):
            return result.name
        case ActionResponse(result=acted):
            return acted.name
        case ExceptionRaised(service_error=error):
            return f"exception {error.name}"
    raise AssertionError(f"{answer} answers nothing")


def ask(bench: Bench, dialogue: Dialogue, request: Request) -> str:
    """Send a request, and check that only an accepted order changes more than the log."""
    before = bench.durable
    result = result_of(dialogue.ask(request))
    after = bench.durable
    differ = [name for name in after if after[name] is not before[name]]
    changed = {name for name in differ if after[name] != before[name]}
    if isinstance(request, GetRequest):
        assert not changed
    elif result != "SUCCESS":
        assert changed <= REMEMBERED
    if differ:  # else it adds up as it did before
        bench.check_ledger()
    return result


def check_reboot(bench: Bench) -> None:
    """Check that flash holds all that was answered for; a charge may be a quarter old."""
    before = bench.durable
    bench.boot()
    after = bench.durable
    assert after["totals"].charged <= before["totals"].charged
    assert after["totals"].charged == sum(charge.paid for charge in after["charges"])
    after["totals"] = replace(after["totals"], charged=before["totals"].charged)
    after["charges"] = before["charges"]
    assert after == before
    bench.check_ledger()


#: How many of the samples a member is tried with that nothing is bound to.
FEW = 3
#: One value of each kind that a careless rule might trip over.
SAMPLES: tuple[Data, ...] = (
    *(Data(Tag.NULL, None), Data(Tag.BOOLEAN, True), Data(Tag.ENUM, 255)),
    *(Data(Tag.INTEGER, 0), Data(Tag.LONG, 901), Data(Tag.LONG_UNSIGNED, 0)),
    *(Data(Tag.DOUBLE_LONG, -(1 << 31)), Data(Tag.DOUBLE_LONG, (1 << 31) - 1)),
    *(Data(Tag.DOUBLE_LONG_UNSIGNED, (1 << 32) - 1), Data(Tag.LONG64, -(1 << 63))),
    *(Data(Tag.OCTET_STRING, bytes(length)) for length in (0, 6, 12, 16, 37, 65)),
    *(Data(Tag.OCTET_STRING, b"\xff" * 12), Data(Tag.DATE_TIME, b"\xff" * 12)),
    *(Data(Tag.VISIBLE_STRING, ""), Data(Tag.BIT_STRING, ""), Data(Tag.FLOAT64, float("inf"))),
    *(Data(Tag.STRUCTURE, ()), Data(Tag.ARRAY, ()), Data(Tag.STRUCTURE, (Data(Tag.NULL, None),))),
)


class Samples:
    """Which values a member is tried with: each where it is open, else a few of them in turn."""

    def __init__(self) -> None:
        self._turn = 0

    def of(self, bound: object | None) -> Sequence[Data]:
        """Return values for what is bound to a member, None where nothing is.

        What is bound to nothing is refused before its value is looked at; a soak tries all even so.
        """
        self._turn += 1
        stride = 1 if bound is not None or scaled(1) > 1 else len(SAMPLES) // FEW
        return SAMPLES[self._turn % stride :: stride]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_member_answers_every_kind_of_value(profile: str) -> None:
    """No attribute and no method trips, whatever the type; the whole table, nothing drawn."""
    bench = _past(profile).copy()
    dialogue = Dialogue(bench, PortKind.WRAPPER, MANAGER).open()
    samples = Samples()
    for one in objects(profile):
        class_id, name = one.declaration.class_id, one.logical_name
        for index in range(len(one.declaration.attributes) + 2):
            reference, bound = AttributeRef(class_id, name, index), one.attributes.get(index)
            ask(bench, dialogue, GetRequest(reference))
            for value in samples.of(bound and bound.set):
                ask(bench, dialogue, SetRequest(reference, value))
            for value in samples.of(bound and bound.select):
                ask(bench, dialogue, GetRequest(reference, SelectiveAccess(1, value)))
        for index in range(len(one.declaration.methods) + 2):
            method = MethodRef(class_id, name, index)
            ask(bench, dialogue, ActionRequest(method, None))
            for value in samples.of(one.methods.get(index)):
                ask(bench, dialogue, ActionRequest(method, value))
    check_reboot(bench)


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.timeout(scaled(900))  # hypothesis may take five minutes to shrink what it found
@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=scaled(150))
@given(plan=st.data())
def test_every_request_has_an_answer_and_the_ledger_adds_up(
    profile: str, plan: st.DataObject
) -> None:
    """Days of anything that a management client can say, and of energy used in between."""
    bench = _past(profile).copy()
    dialogue = Dialogue(bench, PortKind.WRAPPER, MANAGER).open()
    for request in plan.draw(st.lists(requests(profile), min_size=1, max_size=8)):
        event(f"{type(request).__name__}: {ask(bench, dialogue, request)}")
        bench.use(plan.draw(st.sampled_from((0, 0, 1, 999, 10_000_000))))
        bench.check_ledger()
    check_reboot(bench)


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=scaled(50))
@given(plan=st.data())
def test_a_reader_changes_nothing(profile: str, plan: st.DataObject) -> None:
    """The same said with a password only: answers, and not a bit moves."""
    bench = _past(profile).copy()
    dialogue = Dialogue(bench, PortKind.HDLC, READER).open()
    before = bench.durable
    for request in plan.draw(st.lists(requests(profile), min_size=1, max_size=5)):
        result = result_of(dialogue.ask(request))
        assert isinstance(request, GetRequest) or result != ActionResult.SUCCESS.name
    assert bench.durable == before
    bench.check_ledger()
