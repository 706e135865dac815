"""The declared interface classes: a walk over the registry, and the tables of the book pinned."""

from types import ModuleType

import pytest

from protocol.axdr import Tag
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
)

#: Attributes and methods of each class and version, as the public implementations count them.
COUNTS = {
    (1, 0): (2, 0),
    (3, 0): (3, 1),
    (4, 0): (5, 1),
    (7, 1): (8, 2),
    (8, 0): (9, 6),
    (15, 1): (9, 4),
    (64, 0): (5, 2),
    (70, 0): (4, 2),
    (111, 0): (19, 3),
    (112, 0): (11, 3),
    (113, 0): (13, 5),
    (115, 0): (6, 1),
}
every_class = pytest.mark.parametrize("declared", CLASSES.values(), ids=lambda one: one.name)


def test_the_registry_has_the_classes_of_the_meter() -> None:
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
    assert association is CLASSES[15, 1]
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
