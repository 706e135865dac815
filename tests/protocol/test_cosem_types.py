"""Type descriptions: plain values to COSEM and back, and what does not fit."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import axdr
from protocol.axdr import Data, Tag, decode, encode
from protocol.cosem import types
from protocol.cosem.types import (
    ANY,
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    NULL,
    OCTET_STRING,
    UNSIGNED,
    UTF8_STRING,
    ArrayOf,
    ChoiceOf,
    Simple,
    Type,
    TypeMismatch,
    bits,
    from_data,
    structure_of,
    to_data,
)
from tests.strategies import PLAIN_VALUES, data

PAIR = structure_of(first=UNSIGNED, second=ArrayOf(INTEGER))

CASES: list[tuple[Type, Any, Data]] = [
    (NULL, None, axdr.null()),
    (BOOLEAN, True, axdr.boolean(True)),
    (INTEGER, -5, axdr.integer(-5)),
    (ENUM, 3, axdr.enum(3)),
    (LOGICAL_NAME, bytes(6), axdr.octet_string(bytes(6))),
    (DATE_TIME, bytes(12), axdr.octet_string(bytes(12))),
    (bits(3), "101", axdr.bit_string("101")),
    (UTF8_STRING, "EUR", axdr.utf8_string("EUR")),
    (Simple(Tag.FLOAT32), 1, Data(Tag.FLOAT32, 1)),
    (ANY, axdr.unsigned(5), axdr.unsigned(5)),
    (ArrayOf(UNSIGNED), [], axdr.array()),
    (ArrayOf(UNSIGNED), [1, 2], axdr.array(axdr.unsigned(1), axdr.unsigned(2))),
    (PAIR, (1, [2]), axdr.structure(axdr.unsigned(1), axdr.array(axdr.integer(2)))),
    (ChoiceOf((NULL, ArrayOf(INTEGER))), None, axdr.null()),
    (ChoiceOf((NULL, ArrayOf(INTEGER))), [1], axdr.array(axdr.integer(1))),
]


@pytest.mark.parametrize(("declared", "value", "tagged"), CASES, ids=str)
def test_values_go_there_and_back(declared: Type, value: Any, tagged: Data) -> None:
    """A plain value gets the tags of its declared type and loses them again."""
    assert to_data(declared, value) == tagged
    assert from_data(declared, tagged) == value


@pytest.mark.parametrize("tag", sorted(PLAIN_VALUES))
@given(st.data())
def test_every_plain_type_goes_there_and_back(tag: Tag, source: st.DataObject) -> None:
    """``Simple`` knows the Python type of each tag."""
    value = source.draw(PLAIN_VALUES[tag])
    assert from_data(Simple(tag), to_data(Simple(tag), value)) == value
    assert decode(encode(to_data(Simple(tag), value))) == Data(tag, value)


@given(data())
def test_a_choice_of_nothing_and_anything_takes_everything(value: Data) -> None:
    """An open type leaves ``Data`` alone."""
    assert from_data(ANY, value) is value
    assert to_data(ANY, value) is value


MISFITS: list[tuple[Type, Any]] = [
    (UNSIGNED, "5"),
    (UNSIGNED, True),
    (UNSIGNED, None),
    (BOOLEAN, 1),
    (Simple(Tag.FLOAT32), True),
    (OCTET_STRING, "text"),
    (LOGICAL_NAME, bytes(5)),
    (bits(3), "10"),
    (PAIR, (1,)),
    (PAIR, [1, [2]]),
    (PAIR, (1, [None])),
    (ArrayOf(UNSIGNED), 5),
    (ArrayOf(UNSIGNED), [True]),
    (ChoiceOf((NULL, UNSIGNED)), b""),
    (ANY, 5),
]


@pytest.mark.parametrize(("declared", "value"), MISFITS, ids=str)
def test_a_plain_value_of_another_type_is_refused(declared: Type, value: Any) -> None:
    """Before it gets onto the line."""
    with pytest.raises(TypeMismatch):
        to_data(declared, value)


TAGGED_MISFITS: list[tuple[Type, Data]] = [
    (UNSIGNED, axdr.integer(5)),
    (LOGICAL_NAME, axdr.octet_string(bytes(7))),
    (bits(8), axdr.bit_string("1")),
    (PAIR, axdr.array()),
    (PAIR, axdr.structure()),
    (PAIR, axdr.structure(axdr.unsigned(1), axdr.array(), axdr.null())),
    (PAIR, axdr.structure(axdr.unsigned(1), axdr.array(axdr.enum(1)))),
    (ArrayOf(UNSIGNED), axdr.structure(axdr.unsigned(1))),
    (ArrayOf(UNSIGNED), axdr.array(axdr.null())),
    (ChoiceOf((NULL, UNSIGNED)), axdr.enum(1)),
]


@pytest.mark.parametrize(("declared", "tagged"), TAGGED_MISFITS, ids=str)
def test_a_received_value_of_another_type_is_refused(declared: Type, tagged: Data) -> None:
    """What a stranger sets or passes has the declared type or none."""
    with pytest.raises(TypeMismatch):
        from_data(declared, tagged)


def test_the_message_leads_to_the_member_that_does_not_fit() -> None:
    """By the names of the structures around it."""
    nest = structure_of(outer=structure_of(inner=DOUBLE_LONG))
    with pytest.raises(TypeMismatch, match="outer: inner: expected double-long, got enum"):
        from_data(nest, axdr.structure(axdr.structure(axdr.enum(1))))


def test_a_compact_array_is_read_as_an_array() -> None:
    """Some meters pack their profiles."""
    packed = axdr.compact_array([axdr.structure(axdr.unsigned(1), axdr.enum(2))] * 2)
    assert from_data(ArrayOf(structure_of(a=UNSIGNED, b=ENUM)), packed) == [(1, 2), (1, 2)]


@given(data())
def test_any_received_value_fits_or_is_a_mismatch(value: Data) -> None:
    """No other exception comes out of any description."""
    for declared, _, _ in CASES:
        try:
            declared.from_data(value)
        except TypeMismatch:
            continue


def test_every_constant_describes_itself() -> None:
    """For messages, and for people who list a class."""
    for value in vars(types).values():
        if isinstance(value, Simple | ArrayOf | ChoiceOf | types.StructureOf | types.AnyType):
            assert str(value)
    assert str(ArrayOf(LOGICAL_NAME)) == "array of octet-string(6)"
    assert str(PAIR) == "structure {first, second}"
    assert str(ChoiceOf((NULL, UNSIGNED))) == "null-data or unsigned"
