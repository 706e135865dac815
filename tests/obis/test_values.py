"""What a value is, and of which kind."""

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getmembers, isclass
from typing import Any

import msgspec
import pytest

import headend
import meter_fw
import obis
import prepay
import protocol
import sim
from obis.values import field_names, hiding, replace


class Pair(msgspec.Struct, frozen=True):
    low: int
    high: int = 9

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("the wrong way round")


@dataclass(frozen=True, slots=True)
class Plain:
    low: int
    high: int = 9


class Lock(Pair, frozen=True):
    key: bytes = b"sesame"

    __repr__ = hiding("key")


@pytest.mark.parametrize("kind", [Pair, Plain])
def test_a_copy_has_other_fields_and_the_first_stays(kind: type[Pair]) -> None:
    """Of a Struct as of a dataclass."""
    first = kind(1, 2)
    assert replace(first, high=3) == kind(1, 3)
    assert first == kind(1, 2)


@pytest.mark.parametrize("kind", [Pair, Plain])
def test_a_copy_has_no_field_that_the_value_has_not(kind: type[Pair]) -> None:
    """A word that is misspelled is no change that is silently lost."""
    with pytest.raises(TypeError):
        replace(kind(1), hihg=3)  # type: ignore[call-arg]  # the attempt itself


def test_a_copy_is_checked_as_the_first_was() -> None:
    """No copy is a way around what a value says about itself."""
    with pytest.raises(ValueError, match="the wrong way round"):
        replace(Pair(1, 2), low=3)


@pytest.mark.parametrize("value", [Pair(1), Plain(1), Pair, Plain])
def test_the_fields_of_a_value_have_names(value: object) -> None:
    """In their order, of a value as of its type."""
    assert field_names(value) == ("low", "high")


@pytest.mark.parametrize("other", [None, 1, (1, 2), int])
def test_what_is_no_value_has_no_fields(other: object) -> None:
    """So one question tells the two apart."""
    assert field_names(other) == ()


def test_what_is_hidden_does_not_show() -> None:
    """Everything else does, as in any value; and it counts as every other field."""
    assert repr(Lock(1)) == f"{Lock(1)}" == "Lock(low=1, high=9)"
    assert Lock(1) != Lock(1, 9, b"other")


def test_what_is_hidden_is_hidden_in_a_kind_of_it_too() -> None:
    """So nobody has to think of it twice."""

    class Safe(Lock, frozen=True):
        owner: str = ""

    assert repr(Safe(1, owner="me")).endswith("Safe(low=1, high=9, owner='me')")


def _classes() -> Iterator[type[Any]]:
    for room in (obis, protocol, prepay, meter_fw, headend, sim):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name.rpartition(".")[2] != "__main__" and ".migrations" not in module.name:
                for _, found in getmembers(import_module(module.name), isclass):
                    if found.__module__ == module.name:
                        yield found


def _has_a_reason(kind: Any) -> bool:
    """Say whether a frozen dataclass has a field that does not count, or room for another."""
    fields = kind.__dataclass_fields__.values()
    return any(not (each.compare and each.init) for each in fields) or kind.__dictoffset__ != 0


def test_only_what_is_there_is_hidden() -> None:
    """A word that is misspelled would show what it means to hide."""
    hidden = {kind: getattr(kind.__repr__, "hidden", ()) for kind in _classes()}
    assert sum(map(len, hidden.values())) > 30
    assert [kind for kind, names in hidden.items() if not {*names} <= {*field_names(kind)}] == []


def test_values_are_structs() -> None:
    """A dataclass is for what has fields that do not count, or keeps what it worked out."""
    kinds = list(_classes())
    structs = [kind for kind in kinds if issubclass(kind, msgspec.Struct)]
    assert len(structs) > 300
    assert [kind for kind in structs if not kind.__struct_config__.frozen] == []
    frozen = [
        kind
        for kind in kinds
        if "__dataclass_params__" in vars(kind) and kind.__dataclass_params__.frozen
    ]
    assert [kind for kind in frozen if not _has_a_reason(kind)] == []
