"""Data sets: ``address(value*unit)(value*unit)...``, several a line, a block of lines.

An address is an OBIS code or whatever a maker likes; iec62056-21 and the meters that print
``1-0:1.8.0*255(000123.4*kWh)`` have "*" in it, so only its value's bracket ends it. A group without
an address, behind another on its line, is another value of the same data set.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError, EncodeError

#: Characters of an address, a value and a unit; more than the book has, as real meters do.
MAX_ADDRESS, MAX_VALUE, MAX_UNIT = 32, 128, 16
#: Values of one data set.
MAX_VALUES: Final = 256
_LINE_END = "\r\n"
_ADDRESS = re.compile(r"[ -~]*", re.ASCII)
_GROUP: Final = re.compile(r"([^()/!]*)\(([^()*/!]*)(?:\*([^()*/!]*))?\)")
_NOT_IN_ADDRESS, _NOT_IN_VALUE = frozenset("()/!"), frozenset("()*/!")


class Value(Struct, frozen=True):
    """A value and its unit; without one the unit is empty."""

    text: str
    unit: str = ""

    def __post_init__(self) -> None:
        _check("a value", self.text, MAX_VALUE, _NOT_IN_VALUE)
        _check("a unit", self.unit, MAX_UNIT, _NOT_IN_VALUE)

    def __str__(self) -> str:
        return f"({self.text}*{self.unit})" if self.unit else f"({self.text})"


class DataSet(Struct, frozen=True):
    """An address and its values, one at least; an answer's address may be empty.

    Raises:
        EncodeError: characters that stand for something else, too many of them, or no value.
    """

    address: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        _check("an address", self.address, MAX_ADDRESS, _NOT_IN_ADDRESS)
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise EncodeError(f"a data set has 1 to {MAX_VALUES} values, not {len(self.values)}")

    @classmethod
    def of(cls, address: str, text: str, unit: str = "") -> "DataSet":
        """Return the data set of one value."""
        return cls(address, (Value(text, unit),))

    @property
    def text(self) -> str:
        """Its first value."""
        return self.values[0].text

    @property
    def unit(self) -> str:
        """The unit of its first value."""
        return self.values[0].unit

    def __str__(self) -> str:
        return self.address + "".join(str(value) for value in self.values)


def format_block(sets: Iterable[DataSet]) -> str:
    """Return data sets as a block of lines, one a line."""
    return "".join(f"{each}{_LINE_END}" for each in sets)


def parse_block(text: str) -> tuple[DataSet, ...]:
    """Return the data sets of a block; the end of its last line may be missing.

    Raises:
        DecodeError: what is written there are no data sets.
    """
    found: list[DataSet] = []
    for line in text.split(_LINE_END):
        found += parse_line(line)
    return tuple(found)


def parse_line(line: str) -> list[DataSet]:
    """Return the data sets of one line, none of an empty one.

    Raises:
        DecodeError: what is written there are no data sets.
    """
    groups: list[tuple[str, list[Value]]] = []
    place = 0
    try:
        while place < len(line):
            match = _GROUP.match(line, place)
            if match is None:
                raise DecodeError(f"no data set: {line[place : place + 40]!r}")
            address, value, unit = match.groups()
            if groups and not address:
                groups[-1][1].append(Value(value, unit or ""))
            else:
                groups.append((address, [Value(value, unit or "")]))
            place = match.end()
        return [DataSet(address, tuple(values)) for address, values in groups]
    except EncodeError as error:  # what may not be written may not be read either
        raise DecodeError(str(error)) from error


def _check(what: str, text: str, most: int, forbidden: frozenset[str]) -> None:
    if len(text) > most:
        raise EncodeError(f"{what} has at most {most} characters, not {len(text)}")
    if not _ADDRESS.fullmatch(text) or not forbidden.isdisjoint(text):
        raise EncodeError(f"{what} has no control characters and none of ()/!: {text!a}")
