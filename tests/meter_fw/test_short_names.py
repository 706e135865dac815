"""The meter by short names: where everything lies, the same rights, class 12, and ByShortNames."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meter_fw import lists
from meter_fw.association_sn import by_short_names
from meter_fw.catalogue import model
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from meter_fw.server import CosemObject
from meter_fw.short_names import PLACES, SPACE, ShortNames, execute
from meter_fw.view import Caller
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.transactions import Kind
from protocol.association.settings import SHORT_NAMES
from protocol.association.short_names_view import ByShortNames
from protocol.axdr import (
    Data,
    Tag,
    array,
    integer,
    long_unsigned,
    null,
    octet_string,
    structure,
)
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import short_names as names
from protocol.cosem import vendor
from protocol.cosem.association_sn import ASSOCIATION_SN
from protocol.cosem.types import from_data
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    GetRequest,
    GetResponse,
    MethodRef,
    Opened,
    OpenRequest,
    ReadRequest,
    ReadResponse,
    Request,
    Response,
    SelectiveAccess,
    SetRequest,
    SetResponse,
    ShortName,
    WriteRequest,
    WriteResponse,
)
from tests.meter_fw.client import WHO, Client
from tests.meter_fw.rig import MANAGER, PUBLIC, READER, Rig, factory, number

PROFILES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "prepay" / "profiles").glob("*.toml")
)
CALLERS = {"public": PUBLIC, "reader": READER, "management": MANAGER}
DENIED, UNDEFINED = DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED


def spaces(profile: str) -> Mapping[int, ShortNames]:
    """Return the address spaces of a meter's logical devices."""
    return model(factory(profile)).spaces


SPACE_1 = spaces("be-wal")[1]


def attribute(name: ObisCode, index: int) -> ShortName:
    """Return the short name of an attribute in the management device."""
    return ShortName(SPACE_1.base_names[name] + names.attribute_offset(index))


def method(name: ObisCode, index: int) -> ShortName:
    """Return the short name of a method in the management device."""
    declared = SPACE_1.objects[name].declaration
    return ShortName(SPACE_1.base_names[name] + names.method_offset(declared, index))


@dataclass
class Asker:
    """A caller who speaks short names to a meter on the bench."""

    rig: Rig
    caller: Caller = MANAGER

    def answer(self, request: Request) -> Response:
        """Execute one request of his."""
        return self.rig.kernel.answer(replace(self.caller, by_short_names=True), request)

    def read(self, *variables: ShortName) -> tuple[Data | DataAccessResult, ...]:
        """READ variables."""
        found = execute(self.rig.kernel.space(1), ReadRequest(variables), self.answer)
        assert isinstance(found, ReadResponse)
        return found.results

    def write(self, *pairs: tuple[ShortName, Data]) -> tuple[DataAccessResult, ...]:
        """WRITE variables."""
        variables, values = zip(*pairs, strict=True)
        found = execute(self.rig.kernel.space(1), WriteRequest(variables, values), self.answer)
        assert isinstance(found, WriteResponse)
        return found.results


# --- the address space ---------------------------------------------------------------------------


def test_base_names_that_were_given_stay_as_they_are() -> None:
    """Pinned: head-ends have them in their databases. Only ever add to this list, at its end."""
    assert PLACES[:30] == (
        "0-0:1.0.0*255",
        "0-0:19.0.0*255",
        "0-0:19.10.0*255",
        "0-0:19.10.1*255",
        "0-0:19.20.0*255",
        "0-0:19.40.0*255",
        "0-0:20.0.0*255",
        "0-0:22.0.0*255",
        "0-0:25.0.0*255",
        "0-0:25.9.0*255",
        "0-0:43.0.0*255",
        "0-0:43.1.0*255",
        "0-0:94.32.2*1",
        "0-0:94.32.2*2",
        "0-0:94.32.2*3",
        "0-0:96.1.0*255",
        "0-0:96.3.10*255",
        "0-0:128.0.0*255",
        "0-0:128.0.1*255",
        "0-0:128.1.0*255",
        "0-0:128.1.1*255",
        "0-0:128.1.2*255",
        "0-0:128.1.3*255",
        "0-0:128.1.4*255",
        "0-0:128.1.5*255",
        "0-0:128.1.6*255",
        "1-0:0.2.0*255",
        "1-0:1.7.0*255",
        "1-0:1.8.0*255",
        "1-0:99.2.0*255",
    )
    assert SPACE_1.base_names[catalogue.CLOCK] == 0x0100
    assert SPACE_1.base_names[catalogue.DISCONNECT_CONTROL] == 0x1100


@pytest.mark.parametrize("profile", PROFILES)
def test_every_object_has_a_row(profile: str) -> None:
    """Without one it would move when another is added: add it at the end of ``PLACES``."""
    fixed = {names.CURRENT_ASSOCIATION, 0xFB00, names.SAP_ASSIGNMENT, names.LOGICAL_DEVICE_NAME}
    for space in spaces(profile).values():
        unlisted = [
            str(name)
            for name, base in space.base_names.items()
            if base not in fixed and str(name) not in PLACES
        ]
        assert unlisted == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_base_name_is_the_same_in_every_meter(profile: str) -> None:
    """Whatever its profile and logical device, and nothing shares a place."""
    for space in spaces(profile).values():
        assert len(set(space.base_names.values())) == len(space.base_names)
        for name, base in space.base_names.items():
            assert base % SPACE == 0
            assert SPACE_1.base_names.get(name, base) == base


def test_reserved_base_names_are_those_of_the_book() -> None:
    """Association, SAP assignment, logical device name."""
    assert SPACE_1.base_names[catalogue.CURRENT_ASSOCIATION] == 0xFA00
    assert SPACE_1.base_names[catalogue.SAP_ASSIGNMENT] == 0xFC00
    assert SPACE_1.base_names[catalogue.LOGICAL_DEVICE_NAME] == 0xFD00


def made(text: str) -> CosemObject:
    """Return a clock of another name."""
    return replace(SPACE_1.objects[catalogue.CLOCK], logical_name=ObisCode.parse(text))


def space_of(*texts: str) -> ShortNames:
    """Return an address space of clocks and an association."""
    objects = {ObisCode.parse(text): made(text) for text in texts}
    return by_short_names({catalogue.CURRENT_ASSOCIATION: made("0-0:40.0.0*255"), **objects})


def test_an_object_without_a_row_lies_behind_the_last_one() -> None:
    """In the order of the names, and those that have a row stay where they are."""
    space = space_of("0-0:1.0.0*255", "9-9:9.9.9*9", "9-9:9.9.8*9")
    behind = SPACE * (len(PLACES) + 1)
    assert space.base_names[ObisCode.parse("0-0:1.0.0*255")] == 0x0100
    assert space.base_names[ObisCode.parse("9-9:9.9.8*9")] == behind
    assert space.base_names[ObisCode.parse("9-9:9.9.9*9")] == behind + SPACE


def test_more_objects_than_places_are_refused() -> None:
    """When the meter is made: 0xF900 is the last place."""
    left = 0xF9 - len(PLACES)
    space_of(*(f"9-9:9.9.{index}*9" for index in range(left)))
    with pytest.raises(ValueError, match="no place"):
        space_of(*(f"9-9:9.9.{index}*9" for index in range(left + 1)))


def test_every_member_is_found_where_it_lies_and_nothing_elsewhere() -> None:
    """Over all 65,536 addresses."""
    expected: dict[int, Any] = {}
    for name, base in SPACE_1.base_names.items():
        declared = SPACE_1.objects[name].declaration
        for each in declared.methods:
            place = base + names.method_offset(declared, each.index)
            expected[place] = MethodRef(declared.class_id, name, each.index)
        for one in declared.attributes:
            place = base + names.attribute_offset(one.index)
            expected[place] = AttributeRef(declared.class_id, name, one.index)
    found = {
        address: ref for address in range(0x10000) if (ref := SPACE_1.find(address)) is not None
    }
    assert found == expected


# --- READ and WRITE ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", CALLERS)
def test_every_attribute_reads_as_it_does_by_its_logical_name(role: str) -> None:
    """The same value, or the same refusal; the association apart, which is another object."""
    rig = Rig()
    asker = Asker(rig, CALLERS[role])
    for name, shown in SPACE_1.objects.items():
        if name == catalogue.CURRENT_ASSOCIATION:
            continue
        for one in shown.declaration.attributes:
            (found,) = asker.read(attribute(name, one.index))
            class_id = shown.declaration.class_id
            assert found == rig.get(name, class_id, one.index, caller=CALLERS[role]), name


def test_variables_are_read_in_their_order_and_one_that_fails_stops_no_other() -> None:
    """A method among them takes effect for those behind it."""
    asker = Asker(Rig())
    off = ShortName(method(catalogue.DISCONNECT_CONTROL, 1).address, SelectiveAccess(0, integer(0)))
    state = attribute(catalogue.DISCONNECT_CONTROL, 2)
    before, nowhere, done, after = asker.read(state, ShortName(0x0004), off, state)
    assert isinstance(before, Data)
    assert isinstance(after, Data)
    assert (before.value, nowhere, done, after.value) == (True, UNDEFINED, null(), False)


def test_a_plain_read_of_a_method_executes_nothing() -> None:
    """Scope-of-access-violated: it is executed by parameters or by WRITE."""
    rig = Rig()
    relay = rig.relay
    found = Asker(rig).read(method(catalogue.DISCONNECT_CONTROL, 1))
    assert found == (DataAccessResult.SCOPE_OF_ACCESS_VIOLATED,)
    assert rig.relay == relay


def test_write_executes_a_method() -> None:
    """null-data stands for no parameter; a parameterized name is refused."""
    rig = Rig()
    asker = Asker(rig)
    off = method(catalogue.DISCONNECT_CONTROL, 1)
    refused = (DataAccessResult.SCOPE_OF_ACCESS_VIOLATED,)
    assert asker.write((replace(off, access=SelectiveAccess(0, null())), integer(0))) == refused
    assert rig.relay == "connected"
    assert asker.write((off, null())) == (DataAccessResult.SUCCESS,)
    assert rig.relay == "disconnected"


def test_writes_are_committed_one_by_one() -> None:
    """A second one that is refused leaves the first done, across a power cut."""
    rig = Rig()
    asker = Asker(rig)
    door = attribute(catalogue.TRANSACTION, 2)
    activate = vendor.Order(number(1), Kind.ACTIVATE, rig.snapshot(1, 2000)).to_data()
    results = asker.write((door, activate), (door, integer(1)))
    assert results == (DataAccessResult.SUCCESS, DataAccessResult.TYPE_UNMATCHED)
    outcome = rig.last_outcome()
    rig.boot()
    assert rig.last_outcome() == outcome
    assert outcome.id == number(1)


@pytest.mark.parametrize("role", ["public", "reader"])
def test_nobody_may_by_short_names_what_he_may_not_by_logical_names(role: str) -> None:
    """Every attribute and method of the meter refuses a WRITE of these roles."""
    asker = Asker(Rig(), CALLERS[role])
    mine = {3, 4}  # of the association: read_by_logicalname and get_attributes&methods
    for name, shown in SPACE_1.objects.items():
        for one in shown.declaration.attributes:
            (found,) = asker.write((attribute(name, one.index), null()))
            assert found in (DENIED, UNDEFINED), name
        for each in shown.declaration.methods:
            if name == catalogue.CURRENT_ASSOCIATION and each.index in mine:
                continue
            (found,) = asker.write((method(name, each.index), null()))
            assert found in (DENIED, UNDEFINED), name


def test_values_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long-get-aborted for what goes beyond, and a short one behind it still comes."""
    asker = Asker(Rig())
    (listed,) = asker.read(attribute(catalogue.CURRENT_ASSOCIATION, 2))
    assert isinstance(listed, Data)
    monkeypatch.setattr(lists, "MAX_VALUES", 40)
    wanted = (attribute(catalogue.CURRENT_ASSOCIATION, 2), attribute(catalogue.CLOCK, 2))
    first, second = asker.read(*wanted)
    assert first == DataAccessResult.LONG_GET_ABORTED
    assert isinstance(second, Data)


# --- class 12 ------------------------------------------------------------------------------------


def plain(data: Data | DataAccessResult, index: int) -> Any:
    """Return an attribute of class 12 as plain values."""
    declared = ASSOCIATION_SN.attribute(index)
    assert declared is not None
    assert isinstance(data, Data)
    return from_data(declared.type, data)


def called(asker: Asker, index: int, parameter: Data) -> Data | DataAccessResult:
    """READ a method of the association with a parameter."""
    place = method(catalogue.CURRENT_ASSOCIATION, index).address
    (found,) = asker.read(ShortName(place, SelectiveAccess(0, parameter)))
    return found


ASSOCIATION = attribute(catalogue.CURRENT_ASSOCIATION, 2)
RIGHTS = attribute(catalogue.CURRENT_ASSOCIATION, 3)


@pytest.mark.parametrize("role", CALLERS)
def test_the_object_list_has_what_the_client_sees(role: str) -> None:
    """In the order of the base names, which are signed; class 12 in the place of class 15."""
    asker = Asker(Rig(), CALLERS[role])
    listed = plain(asker.read(ASSOCIATION)[0], 2)
    bases = [base & 0xFFFF for base, *_ in listed]
    assert bases == sorted(bases)
    for base, class_id, version, name in listed:
        shown = SPACE_1.objects[ObisCode.from_bytes(name)]
        assert (class_id, version) == (shown.declaration.class_id, shown.declaration.version)
        assert base & 0xFFFF == SPACE_1.base_names[shown.logical_name]
    assert (-0x600, 12, 2, bytes((0, 0, 40, 0, 0, 255))) in listed
    assert 15 not in {class_id for _, class_id, *_ in listed}
    visible = [one for one in SPACE_1.objects.values() if one.roles & CALLERS[role].role]
    assert len(listed) == len(visible)


@pytest.mark.parametrize("role", CALLERS)
def test_rights_are_those_of_class_15(role: str) -> None:
    """Object by object, in the same form."""
    rig = Rig()
    rights = {
        base & 0xFFFF: (attributes, methods)
        for base, attributes, methods in plain(Asker(rig, CALLERS[role]).read(RIGHTS)[0], 3)
    }
    listed = rig.get(catalogue.CURRENT_ASSOCIATION, 15, caller=CALLERS[role])
    from protocol.cosem.association_ln import ASSOCIATION_LN

    declared = ASSOCIATION_LN.attribute(2)
    assert declared is not None
    assert isinstance(listed, Data)
    for class_id, _, name, granted in from_data(declared.type, listed):
        if class_id != 15:
            assert rights[SPACE_1.base_names[ObisCode.from_bytes(name)]] == granted


def test_the_object_list_is_selected_by_class_and_by_object() -> None:
    """Selectors 1 and 2; what is not there is an empty list, what is malformed type-unmatched."""
    asker = Asker(Rig())
    clock = structure(long_unsigned(8), octet_string(catalogue.CLOCK.to_bytes()))
    one = plain(asker.read(replace(ASSOCIATION, access=SelectiveAccess(2, clock)))[0], 2)
    assert one == [(0x0100, 8, 0, catalogue.CLOCK.to_bytes())]
    nobody = structure(long_unsigned(9), octet_string(catalogue.CLOCK.to_bytes()))
    assert plain(asker.read(replace(ASSOCIATION, access=SelectiveAccess(2, nobody)))[0], 2) == []
    credits = replace(ASSOCIATION, access=SelectiveAccess(1, long_unsigned(112)))
    assert {class_id for _, class_id, *_ in plain(asker.read(credits)[0], 2)} == {112}
    wrong = replace(ASSOCIATION, access=SelectiveAccess(2, integer(1)))
    assert asker.read(wrong) == (DataAccessResult.TYPE_UNMATCHED,)
    unknown = replace(ASSOCIATION, access=SelectiveAccess(3, null()))
    assert asker.read(unknown) == (DataAccessResult.SCOPE_OF_ACCESS_VIOLATED,)


def identified(name: ObisCode, class_id: int, index: int) -> Data:
    """Return how read_by_logicalname names an attribute."""
    return structure(long_unsigned(class_id), octet_string(name.to_bytes()), integer(index))


def test_read_by_logicalname_gives_the_values_in_their_order() -> None:
    """Index 0 is a structure of all attributes."""
    asker = Asker(Rig())
    wanted = array(
        identified(catalogue.LOGICAL_DEVICE_NAME, 1, 2),
        identified(catalogue.LOGICAL_DEVICE_NAME, 1, 0),
    )
    found = called(asker, 3, wanted)
    (name,) = asker.read(attribute(catalogue.LOGICAL_DEVICE_NAME, 2))
    (own,) = asker.read(attribute(catalogue.LOGICAL_DEVICE_NAME, 1))
    assert isinstance(name, Data)
    assert isinstance(own, Data)
    assert found == structure(name, structure(own, name))


def test_read_by_logicalname_gives_nothing_where_one_is_refused() -> None:
    """Rights are the caller's: the public client is not shown the energy register."""
    energy = identified(catalogue.ACTIVE_ENERGY_IMPORT, 3, 2)
    clock = identified(catalogue.CLOCK, 8, 2)
    assert isinstance(called(Asker(Rig(), READER), 3, array(clock, energy)), Data)
    assert called(Asker(Rig(), PUBLIC), 3, array(clock, energy)) == UNDEFINED
    for nonsense in (integer(1), array(integer(1))):
        assert called(Asker(Rig()), 3, nonsense) == DataAccessResult.TYPE_UNMATCHED
    nobody = array(identified(ObisCode(9, 9, 9, 9, 9, 9), 1, 0))
    assert called(Asker(Rig()), 3, nobody) == UNDEFINED


def test_read_by_logicalname_is_bounded() -> None:
    """However often the same list is asked for at once."""
    everything = identified(catalogue.CURRENT_ASSOCIATION, 12, 3)
    found = called(Asker(Rig()), 3, array(*[everything] * 400))
    assert found in (DataAccessResult.LONG_GET_ABORTED, DataAccessResult.OTHER_REASON)


def test_get_attributes_and_methods_is_a_bit_a_member() -> None:
    """For the reader nothing is writable, and no method is his."""
    relay = structure(long_unsigned(70), octet_string(catalogue.DISCONNECT_CONTROL.to_bytes()))
    expected = {"reader": ("1111", "0000", "00"), "management": ("1111", "0000", "11")}
    for role, (reads, writes, calls) in expected.items():
        found = called(Asker(Rig(), CALLERS[role]), 4, array(relay))
        bits = [Data(Tag.BIT_STRING, text) for text in (reads, writes, calls)]
        assert found == array(structure(*bits))
    assert called(Asker(Rig(), PUBLIC), 4, array(relay)) == UNDEFINED


def test_the_proof_is_not_for_an_association_that_stands() -> None:
    """And the other methods of the class are not there, but for those that change secrets."""
    assert called(Asker(Rig()), 8, octet_string(bytes(17))) == DataAccessResult.OTHER_REASON
    for index in (1, 2, 7):
        assert called(Asker(Rig()), index, null()) == UNDEFINED


# --- on a line -----------------------------------------------------------------------------------


def client(rig: Rig, sap: int, *, by_logical_names: bool = False) -> Client:
    """Return a client that speaks short names on a port; it may be asked by logical ones."""
    settings = replace(WHO[sap], context=SHORT_NAMES[WHO[sap].context])
    found = Client(rig, settings, sap)
    if by_logical_names:
        found.association = ByShortNames(found.association)  # type: ignore[assignment] # the same methods
    return found


@pytest.mark.parametrize("sap", [PUBLIC_SAP, READER_SAP, MANAGEMENT_SAP])
def test_each_client_has_short_names_beside_logical_ones(sap: int) -> None:
    """With the mechanism and ciphering that he has there."""
    found = client(Rig(), sap)
    opened = found.open()
    assert isinstance(opened, Opened)
    assert opened.by_short_names
    assert opened.mechanism == WHO[sap].mechanism
    (value,) = getattr(found.say(ReadRequest((ShortName(0xFD08),))), "results", (None,))
    assert isinstance(value, Data)
    assert value.value.startswith(b"OPP")


def test_a_client_without_short_names_sees_class_15() -> None:
    """On the same port, after another has spoken short names."""
    rig = Rig()
    client(rig, READER_SAP).open()
    plain_client = Client(rig, WHO[READER_SAP], READER_SAP)
    assert isinstance(plain_client.open(), Opened)
    found = plain_client.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 1))
    assert isinstance(found, Data)
    assert plain_client.get(AttributeRef(12, catalogue.CURRENT_ASSOCIATION, 1)) == (
        DataAccessResult.OBJECT_CLASS_INCONSISTENT
    )


def test_whoever_asks_by_logical_names_is_answered_by_short_ones() -> None:
    """GET, SET and ACTION, with selection; the list is read once."""
    rig = Rig()
    found = client(rig, MANAGEMENT_SAP, by_logical_names=True)
    found.say(OpenRequest())
    clock = AttributeRef(8, catalogue.CLOCK, 2)
    before = found.get(clock)
    assert isinstance(before, Data)
    assert found.say(SetRequest(clock, before)) == SetResponse(DataAccessResult.SUCCESS)
    refused = found.say(SetRequest(AttributeRef(8, catalogue.CLOCK, 4), integer(1)))
    assert refused == SetResponse(DENIED)
    off = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
    assert found.say(ActionRequest(off, integer(0))) == ActionResponse(ActionResult.SUCCESS)
    assert rig.relay == "disconnected"
    again = found.say(ActionRequest(MethodRef(115, catalogue.TOKEN_GATEWAY, 1), integer(0)))
    assert again == ActionResponse(ActionResult.TYPE_UNMATCHED)
    by_entry = structure(
        Data(Tag.DOUBLE_LONG_UNSIGNED, 1),
        Data(Tag.DOUBLE_LONG_UNSIGNED, 1),
        long_unsigned(1),
        long_unsigned(0),
    )
    log = AttributeRef(7, catalogue.TRANSACTION_LOG, 2)
    rows = found.get(log, SelectiveAccess(2, by_entry))
    assert rows == array()


def test_the_list_of_class_15_is_made_of_that_of_class_12() -> None:
    """Each object with its rights, as the meter gives them by logical names."""
    rig = Rig()
    found = client(rig, READER_SAP, by_logical_names=True)
    found.say(OpenRequest())
    listed = found.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2))
    expected = rig.get(catalogue.CURRENT_ASSOCIATION, 15, caller=READER)
    assert isinstance(listed, Data)
    assert isinstance(expected, Data)

    def without_association(data: Data) -> set[Data]:
        return {one for one in data.value if one.value[0].value not in (12, 15)}

    assert without_association(listed) == without_association(expected)
    assert len(listed.value) == len(expected.value)


@pytest.mark.parametrize(
    ("attribute_", "result"),
    [
        (AttributeRef(1, ObisCode(9, 9, 9, 9, 9, 9), 2), UNDEFINED),
        (AttributeRef(3, catalogue.CLOCK, 2), DataAccessResult.OBJECT_CLASS_INCONSISTENT),
    ],
)
def test_what_is_not_listed_is_answered_at_once(
    attribute_: AttributeRef, result: DataAccessResult
) -> None:
    """As the meter would; nothing goes out, and the client asks to be called."""
    rig = Rig()
    found = client(rig, READER_SAP, by_logical_names=True)
    found.say(OpenRequest())
    found.get(AttributeRef(8, catalogue.CLOCK, 2))
    found.association.send(GetRequest(attribute_), rig.now)
    assert found.association.wake_at() == rig.now
    assert found.association.outgoing() == b""
    events: list[AssociationEvent] = found.association.receive(b"", rig.now)
    assert events == [GetResponse(result)]
    assert found.association.wake_at() is None
