"""Cells of fixed layout: values to octets and back."""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

import pytest
from construct import Bytes, Flag, GreedyBytes, Int8ub, Int16ub, Int32sb, Struct
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.nvram import Cell, CellError, CellKey


class Relay(IntEnum):
    DISCONNECTED = 0
    CONNECTED = 1


class Cause(IntFlag):
    CREDIT = 1
    OPERATOR = 2


class Plain(Enum):
    ONE = 1


@dataclass(frozen=True, slots=True)
class Entry:
    id: bytes
    relay: Relay
    causes: Cause
    amount: int
    booked: bool


ENTRY = Cell(
    7,
    2,
    Entry,
    Struct(
        "id" / Bytes(4),
        "relay" / Int8ub,
        "causes" / Int8ub,
        "amount" / Int32sb,
        "booked" / Flag,
    ),
)


@dataclass(frozen=True, slots=True)
class Counter:
    reserved: int


COUNTER = Cell(8, 1, Counter, Struct("reserved" / Int16ub))


@dataclass(frozen=True, slots=True)
class Odd:
    kind: Plain


entries = st.builds(
    Entry,
    st.binary(min_size=4, max_size=4),
    st.sampled_from(Relay),
    st.integers(0, 3).map(Cause),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
)


def test_an_entry_octet_by_octet() -> None:
    """The version, then the fields, big-endian."""
    entry = Entry(b"abcd", Relay.CONNECTED, Cause.CREDIT | Cause.OPERATOR, -2, True)
    assert ENTRY.encode(entry) == bytes.fromhex("02 61626364 01 03 fffffffe 01")
    assert ENTRY.size == 12


@given(entries)
def test_decoding_gives_back_what_was_encoded(entry: Entry) -> None:
    """With the types of the value, not only their numbers."""
    decoded = ENTRY.decode(ENTRY.encode(entry))
    assert decoded == entry
    assert [type(getattr(decoded, name)) for name in Entry.__slots__] == [
        type(getattr(entry, name)) for name in Entry.__slots__
    ]


def test_a_cell_of_one_field() -> None:
    """One field is no special case for the caller."""
    assert COUNTER.decode(COUNTER.encode(Counter(513))) == Counter(513)


def test_keys() -> None:
    """The kind is the cell's; the index is the caller's, or 0."""
    assert COUNTER.key() == CellKey(8, 0)
    assert ENTRY.key(63) == CellKey(7, 63)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(b"abc", Relay.CONNECTED, Cause(0), 0, False),
        Entry(b"abcde", Relay.CONNECTED, Cause(0), 0, False),
        Entry(b"abcd", Relay.CONNECTED, Cause(0), 2**31, False),
        Entry(b"abcd", Relay.CONNECTED, Cause(0), -(2**31) - 1, False),
        Entry(b"abcd", Relay.CONNECTED, Cause(256), 0, False),
    ],
    ids=["octets too few", "octets too many", "amount too large", "too small", "causes too many"],
)
def test_values_that_do_not_fit(entry: Entry) -> None:
    """Nothing is cut or filled silently."""
    with pytest.raises(CellError, match="Entry"):
        ENTRY.encode(entry)


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "02",
        "01 61626364 01 03 fffffffe 01",
        "02 61626364 01 03 fffffffe",
        "02 61626364 01 03 fffffffe 01 00",
        "02 61626364 07 03 fffffffe 01",
    ],
    ids=["none", "version only", "other version", "too short", "too long", "no such member"],
)
def test_octets_that_are_not_the_cells(octets: str) -> None:
    """Another version, length or member is an error by name, never another value."""
    with pytest.raises(CellError, match="Entry"):
        ENTRY.decode(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("record", "layout"),
    [
        (Counter, Struct("other" / Int8ub)),
        (Counter, Struct("reserved" / Int8ub, "more" / Int8ub)),
        (Counter, Struct("reserved" / GreedyBytes)),
        (Counter, Struct("reserved" / Bytes(255))),
        (Odd, Struct("kind" / Int8ub)),
    ],
    ids=["other name", "one more", "no fixed length", "too long", "no integers"],
)
def test_declarations_that_do_not_fit(record: type, layout: Struct) -> None:
    """They fail where they stand, at import."""
    with pytest.raises(TypeError):
        Cell(1, 1, record, layout)
