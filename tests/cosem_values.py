"""Hypothesis strategies for values of declared types, as ``Data``: what a peer may be shown.

A declared type leaves open what the book fixes by other means: that a ``class_id`` is one of a
class, that an enum is one of a few numbers, that twelve octets are a date-time. ``values`` keeps to
that, so that whoever refuses one refuses the type.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protocol.axdr import Data, Tag, integer, unsigned
from protocol.cosem.types import AnyType, ArrayOf, ChoiceOf, Simple, StructureOf, Type
from protocol.cosem_time import CosemDate, CosemDateTime, CosemTime
from tests.strategies import PLAIN_VALUES, cosem_date_times, cosem_dates, cosem_times

#: Classes that everybody knows.
_KNOWN_CLASSES = (1, 3, 4, 7, 8, 9)
_MOST = 3  # elements of an array
_EPOCH, _END = datetime(2000, 1, 1), datetime(2090, 12, 31)  # noqa: DTZ001 - made aware where used


@dataclass(frozen=True)
class Manner:
    """How wide a choice of values is.

    Args:
        enums: the numbers of enums.
        octets: octet-strings of no particular length.
        text: visible-strings and utf8-strings.
        dates: COSEM dates.
        times: times of day.
        moments: dates with a time.
    """

    enums: SearchStrategy[int]
    octets: SearchStrategy[bytes]
    text: SearchStrategy[str]
    dates: SearchStrategy[bytes]
    times: SearchStrategy[bytes]
    moments: SearchStrategy[bytes]


def _date_times(deviation_limit: int) -> SearchStrategy[bytes]:
    return (
        cosem_date_times()
        .filter(lambda moment: abs(moment.deviation or 0) <= deviation_limit)
        .map(lambda moment: moment.to_bytes())
    )


#: Whatever the types allow; deviations of half a day at most, for nobody has more.
ANYTHING = Manner(
    st.integers(0, 255),
    st.binary(max_size=20),
    st.text(st.characters(max_codepoint=255), max_size=20),
    cosem_dates().map(lambda date: date.to_bytes()),
    cosem_times().map(lambda time: time.to_bytes()),
    _date_times(720),
)
#: What a meter in the field would have: 1 is among the numbers of nearly every enum, strings are
#: text, days are in the calendar, and nobody counts hundredths of a second.
PLAIN = Manner(
    st.just(1),
    st.text("ABCDEFGH", min_size=1, max_size=8).map(str.encode),
    st.text("ABCDEFGH", min_size=1, max_size=8),
    st.dates(_EPOCH.date(), _END.date()).map(lambda day: CosemDate.from_date(day).to_bytes()),
    st.builds(
        CosemTime, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.just(0)
    ).map(lambda time: time.to_bytes()),
    st.datetimes(_EPOCH, _END, timezones=st.just(UTC)).map(
        lambda moment: CosemDateTime.from_datetime(moment.replace(microsecond=0)).to_bytes()
    ),
)


def values(declared: Type, manner: Manner = ANYTHING) -> SearchStrategy[Data]:
    """Values of a declared type.

    Raises:
        TypeError: it is no type description.
    """
    match declared:
        case Simple(tag, length):
            return _simple(tag, length, manner)
        case StructureOf(fields):
            members = [
                st.sampled_from(_KNOWN_CLASSES).map(lambda number: Data(Tag.LONG_UNSIGNED, number))
                if name == "class_id"
                else values(member, manner)
                for name, member in fields
            ]
            return st.tuples(*members).map(lambda found: Data(Tag.STRUCTURE, found))
        case ArrayOf(element):
            several = st.lists(values(element, manner), max_size=_MOST)
            return several.map(lambda found: Data(Tag.ARRAY, tuple(found)))
        case ChoiceOf((Simple(Tag.UNSIGNED | Tag.INTEGER), Simple(Tag.UNSIGNED | Tag.INTEGER))):
            # The first is written: only what fits into both is the same number in either.
            return st.integers(0, 127).map(unsigned) | st.integers(0, 127).map(integer)
        case ChoiceOf(alternatives):
            return st.one_of([values(one, manner) for one in alternatives])
        case AnyType():
            return st.integers(0, 255).map(unsigned)
        case _:
            raise TypeError(f"{declared!r} is no type description")


def _simple(tag: Tag, length: int | None, manner: Manner) -> SearchStrategy[Data]:
    plain: SearchStrategy[object] = PLAIN_VALUES[tag]
    if tag is Tag.ENUM:
        plain = manner.enums
    elif tag in (Tag.VISIBLE_STRING, Tag.UTF8_STRING):
        plain = manner.text
    elif tag is Tag.DATE_TIME:
        plain = manner.moments
    elif tag is Tag.BIT_STRING and length is not None:
        plain = st.text("01", min_size=length, max_size=length)
    elif tag is Tag.OCTET_STRING:
        by_length = {None: manner.octets, 4: manner.times, 5: manner.dates, 12: manner.moments}
        fixed = st.binary(min_size=length or 0, max_size=length or 0)
        plain = by_length.get(length, fixed)
    return plain.map(lambda value: Data(tag, value))
