"""The declared interface classes: a walk over the registry, and the tables of the book pinned."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.axdr import Tag, decode, encode, null
from protocol.cosem import CLASSES, collect, latest
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    DOUBLE_LONG,
    INTEGER,
    LOGICAL_NAME,
    NULL,
    UNSIGNED,
    AnyType,
    ArrayOf,
    ChoiceOf,
    Simple,
    StructureOf,
    TypeMismatch,
)
from tests.cosem_values import values

#: Attributes and methods of each class and version, as the public implementations count them.
COUNTS = {
    (1, 0): (2, 0),
    (3, 0): (3, 1),
    (4, 0): (5, 1),
    (5, 0): (9, 2),
    (6, 0): (4, 3),
    (7, 1): (8, 2),
    (8, 0): (9, 6),
    (9, 0): (2, 1),
    (10, 0): (2, 3),
    (11, 0): (2, 2),
    (12, 2): (4, 8),
    (12, 3): (6, 10),
    (12, 4): (6, 10),
    (15, 0): (8, 4),
    (15, 1): (9, 4),
    (15, 2): (11, 6),
    (15, 3): (11, 6),
    (17, 0): (2, 1),
    (18, 0): (7, 4),
    (19, 0): (9, 0),
    (19, 1): (9, 0),
    (20, 0): (10, 1),
    (21, 0): (4, 0),
    (22, 0): (4, 0),
    (23, 0): (9, 0),
    (23, 1): (9, 0),
    (25, 0): (5, 0),
    (27, 1): (4, 0),
    (28, 2): (7, 0),
    (29, 2): (6, 1),
    (40, 0): (7, 1),
    (40, 1): (10, 1),
    (40, 2): (13, 2),
    (41, 0): (6, 0),
    (42, 0): (10, 3),
    (43, 0): (2, 0),
    (44, 0): (5, 0),
    (45, 0): (4, 0),
    (47, 0): (8, 0),
    (47, 1): (8, 0),
    (48, 0): (10, 2),
    (62, 0): (6, 2),
    (62, 1): (6, 2),
    (64, 0): (5, 2),
    (64, 1): (6, 8),
    (68, 0): (6, 2),
    (70, 0): (4, 2),
    (70, 1): (4, 2),
    (71, 0): (11, 0),
    (72, 0): (12, 8),
    (72, 1): (14, 8),
    (74, 0): (2, 0),
    (100, 0): (7, 3),
    (111, 0): (19, 3),
    (112, 0): (11, 3),
    (113, 0): (13, 5),
    (115, 0): (6, 1),
    (116, 0): (12, 0),
    (124, 0): (10, 1),
}
CLOCK_NAME, ENERGY, SCRIPTS = (
    bytes.fromhex(name) for name in ("0000010000FF", "0100010800FF", "00000A0064FF")
)
every_class = pytest.mark.parametrize(
    "declared", CLASSES.values(), ids=lambda one: f"{one.name} {one.version}"
)


def test_the_registry_has_each_class_and_version() -> None:
    """Each with its number of attributes and methods, in the order of their ids."""
    counts = {key: (len(one.attributes), len(one.methods)) for key, one in CLASSES.items()}
    assert counts == COUNTS
    assert list(CLASSES) == sorted(CLASSES)


@every_class
def test_every_class_is_filed_under_its_own_id_and_version(declared: InterfaceClass) -> None:
    """And attribute 1 is the logical name."""
    assert CLASSES[declared.class_id, declared.version] is declared
    assert declared.attributes[0] == Attribute(1, "logical_name", LOGICAL_NAME)


@every_class
def test_members_are_found_by_index_and_name(declared: InterfaceClass) -> None:
    """Both ways lead to the same one; what the class has not is None."""
    for attribute in declared.attributes:
        assert declared.attribute(attribute.index) is attribute
        assert declared.attribute(attribute.name) is attribute
    for method in declared.methods:
        assert declared.method(method.index) is method
        assert declared.method(method.name) is method
    for absent in (0, -1, 99, "no such name"):
        assert declared.attribute(absent) is None
        assert declared.method(absent) is None


@every_class
def test_every_type_is_one_of_the_descriptions(declared: InterfaceClass) -> None:
    """To the last member of the innermost structure."""

    def walk(declared_type: object) -> None:
        match declared_type:
            case Simple() | AnyType():
                return
            case StructureOf(fields):
                assert len({name for name, _ in fields}) == len(fields)
                for _, inner in fields:
                    walk(inner)
            case ArrayOf(element):
                walk(element)
            case ChoiceOf(alternatives):
                assert len(alternatives) > 1
                for inner in alternatives:
                    walk(inner)
            case _:
                pytest.fail(f"{declared_type!r} is no type description")

    for attribute in declared.attributes:
        walk(attribute.type)
    for method in declared.methods:
        walk(method.parameter)
        walk(method.returns)


@every_class
@settings(max_examples=15)
@given(st.data())
def test_values_of_every_declared_type_go_there_and_back(
    declared: InterfaceClass, source: st.DataObject
) -> None:
    """Of attributes, parameters and return values: decoded to plain Python, and tagged again."""
    members = [*(one.type for one in declared.attributes)]
    members += [kind for one in declared.methods for kind in (one.parameter, one.returns)]
    kind = source.draw(st.sampled_from(members))
    value = source.draw(values(kind))
    plain = kind.from_data(value)
    assert kind.from_data(kind.to_data(plain)) == plain
    assert decode(encode(kind.to_data(plain))) == kind.to_data(plain)


def simple(tag: Tag, length: int | None = None) -> Simple:
    """Return the description of a plain type."""
    return Simple(tag, length)


PINNED = [
    (3, 3, StructureOf((("scaler", INTEGER), ("unit", simple(Tag.ENUM))))),
    (8, 2, simple(Tag.OCTET_STRING, 12)),
    (8, 3, simple(Tag.LONG)),
    (70, 2, simple(Tag.BOOLEAN)),
    (111, 3, UNSIGNED),
    (111, 4, simple(Tag.BIT_STRING, 8)),
    (111, 9, ArrayOf(LOGICAL_NAME)),
    (111, 18, simple(Tag.LONG_UNSIGNED)),
    (111, 19, DOUBLE_LONG),
    (112, 7, simple(Tag.BIT_STRING, 5)),
    (112, 8, simple(Tag.ENUM)),
    (113, 8, simple(Tag.DOUBLE_LONG_UNSIGNED)),
    (113, 9, simple(Tag.BIT_STRING, 2)),
    (113, 13, simple(Tag.LONG_UNSIGNED)),
    (115, 2, simple(Tag.OCTET_STRING)),
    (5, 8, simple(Tag.DOUBLE_LONG_UNSIGNED)),
    (18, 3, simple(Tag.BIT_STRING)),
    (23, 5, simple(Tag.LONG_UNSIGNED)),
    (71, 9, ArrayOf(simple(Tag.LONG_UNSIGNED))),
    (72, 13, simple(Tag.LONG_UNSIGNED)),
    (116, 6, simple(Tag.DOUBLE_LONG_UNSIGNED)),
    (124, 3, simple(Tag.LONG_UNSIGNED)),
]


@pytest.mark.parametrize(("class_id", "index", "expected"), PINNED)
def test_types_are_those_of_the_book(class_id: int, index: int, expected: object) -> None:
    """The ones that a meter would notice first."""
    declared = latest(class_id)
    assert declared is not None
    attribute = declared.attribute(index)
    assert attribute is not None
    assert attribute.type == expected


def test_the_object_list_is_that_of_version_1() -> None:
    """Class, version, logical name, and the rights to each attribute and method."""
    association = CLASSES[15, 1]
    object_list = association.attribute("object_list")
    assert object_list is not None
    rights = ([(1, 1, None), (2, 3, [1, 2])], [(1, 1)])
    value = [(3, 0, bytes(6), rights)]
    data = object_list.type.to_data(value)
    assert object_list.type.from_data(data) == value
    hls = association.method("reply_to_HLS_authentication")
    assert hls is not None
    assert hls.returns == simple(Tag.OCTET_STRING)


#: What one class has in several shapes: class, version, attribute, a value in each of them.
SHAPES = [
    (7, 1, 3, [[], [(8, CLOCK_NAME, 2, 0), (3, ENERGY, 2, 1)]]),
    (15, 0, 2, [[(3, 0, ENERGY, ([(2, 3, None)], [(1, True)]))]]),
    (15, 1, 2, [[(3, 0, ENERGY, ([(2, 3, [1, 2])], [(1, 1)]))]]),
    (15, 3, 2, [[(3, 0, ENERGY, ([(2, 0x0D, None)], [(1, 0x05)]))]]),
    (15, 1, 4, [(2, 16, 756, 5, 8, 1, 1), bytes.fromhex("60857405080101")]),
    (15, 2, 11, [(1, "operator")]),
    (44, 0, 5, [None, (b"user", b"secret")]),
    (47, 1, 8, [bytes(12)]),
    (62, 1, 3, [[(3, ENERGY, 2, 0)], [(3, ENERGY, 2, 0, null())]]),
    (64, 1, 6, [[], [(0, 0, b"1", b"issuer", b"subject", b"")]]),
    (71, 0, 11, [((SCRIPTS, 1), (SCRIPTS, 2))]),
    (72, 1, 3, [[], [(b"\x04", b"\x13")]]),
]


@pytest.mark.parametrize(("class_id", "version", "index", "shapes"), SHAPES)
def test_a_type_with_several_shapes_takes_each_of_them(
    class_id: int, version: int, index: int, shapes: list[Any]
) -> None:
    """The conditionals of the book: what is absent, restricted, or named in two ways."""
    attribute = CLASSES[class_id, version].attribute(index)
    assert attribute is not None
    for shape in shapes:
        assert attribute.type.from_data(attribute.type.to_data(shape)) == shape


def test_the_right_to_a_method_is_a_boolean_in_version_0_only() -> None:
    """So it is written; an enum is read there, and a boolean in later versions, all the same."""
    written = {}
    for version, allowed in ((0, True), (1, 1)):
        elements = CLASSES[15, version].attribute("object_list")
        assert elements is not None
        octets = encode(elements.type.to_data([(3, 0, ENERGY, ([], [(1, allowed)]))]))
        written[version] = octets[-2:]
    assert written == {0: b"\x03\x01", 1: b"\x16\x01"}


@pytest.mark.parametrize(
    ("identification", "options"),
    [(0, (0, 1, b"title")), (1, (b"serial", b"issuer"))],
)
def test_a_certificate_is_named_by_entity_or_by_serial(
    identification: int, options: tuple[Any, ...]
) -> None:
    """A structure of three and one of two; anything else is no certificate's name."""
    method = CLASSES[64, 1].method("export_certificate")
    assert method is not None
    named = (identification, options)
    assert method.parameter.from_data(method.parameter.to_data(named)) == named
    with pytest.raises(TypeMismatch):
        method.parameter.to_data((identification, (*options, b"more", b"still more")))


def module_of(**members: object) -> ModuleType:
    """Return a module with such members."""
    module = ModuleType("made_up")
    vars(module).update(members)
    return module


def test_a_class_that_is_declared_twice_is_refused() -> None:
    """At import; the same one imported by another module is not a second one."""
    one = InterfaceClass(9999, 0, "One", (Attribute(2, "value", NULL),))
    other = InterfaceClass(9999, 0, "Other", (Attribute(2, "value", NULL),))
    newer = InterfaceClass(9999, 1, "One", (Attribute(2, "value", NULL),))
    assert collect([module_of(ONE=one), module_of(AGAIN=one, NEWER=newer)]) == {
        (9999, 0): one,
        (9999, 1): newer,
    }
    with pytest.raises(ValueError, match="class 9999 version 0, which is declared already"):
        collect([module_of(ONE=one), module_of(OTHER=other)])


def test_the_latest_version_is_the_highest() -> None:
    """And a class that nobody declared has none."""
    association = latest(15)
    assert association is CLASSES[15, 3]
    assert latest(9999) is None


@pytest.mark.parametrize(
    ("attributes", "methods", "message"),
    [
        ((Attribute(3, "value", NULL),), (), "gaps"),
        ((Attribute(2, "value", NULL), Attribute(2, "other", NULL)), (), "gaps"),
        ((Attribute(2, "value", NULL), Attribute(3, "value", NULL)), (), "twice"),
        ((), (Method(2, "reset"),), "gaps"),
        ((), (Method(1, "reset"), Method(2, "reset")), "twice"),
    ],
)
def test_a_declaration_with_gaps_or_doubles_is_refused(
    attributes: tuple[Attribute, ...], methods: tuple[Method, ...], message: str
) -> None:
    """At import, where it cannot be overlooked."""
    with pytest.raises(ValueError, match=message):
        InterfaceClass(9999, 0, "Wrong", attributes, methods)


def test_an_object_can_narrow_the_open_types_of_its_class() -> None:
    """A register of amounts is a double-long; the class itself stays as it was."""
    register = CLASSES[3, 0]
    amounts = register.typed(value=DOUBLE_LONG)
    value = amounts.attribute("value")
    assert value is not None
    assert value.type == DOUBLE_LONG
    assert [one.name for one in amounts.attributes] == [one.name for one in register.attributes]
    assert CLASSES[3, 0].attribute("value") != value
    with pytest.raises(ValueError, match="no attribute price"):
        register.typed(price=DOUBLE_LONG)


def test_secrets_are_not_for_reading() -> None:
    """The hint says what the rights will not allow anyway."""
    secret = CLASSES[15, 1].attribute("secret")
    assert secret is not None
    assert secret.access == Access.WRITE
