"""Hypothesis strategies for COSEM values, OBIS codes and COSEM times, for every room's tests."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from obis.code import ObisCode, ReducedCode
from protocol.axdr import CompactArray, Data, Tag, TypeDescription
from protocol.cosem_time import (
    DAY_LAST,
    DAY_SECOND_LAST,
    DEVIATION_LIMIT,
    MONTH_DST_BEGIN,
    MONTH_DST_END,
    ClockStatus,
    CosemDate,
    CosemDateTime,
    CosemTime,
)

# --- OBIS codes --------------------------------------------------------------------------------

groups = st.integers(0, 255)


def obis_codes() -> SearchStrategy[ObisCode]:
    """Full OBIS codes."""
    return st.builds(ObisCode, groups, groups, groups, groups, groups, groups)


def reduced_codes() -> SearchStrategy[ReducedCode]:
    """OBIS codes with at least one of A, B and E left out."""
    optional = st.none() | groups
    codes = st.builds(ReducedCode, optional, optional, groups, groups, optional, optional)
    return codes.filter(lambda code: None in (code.a, code.b, code.e))


# --- COSEM times -------------------------------------------------------------------------------


def cosem_dates() -> SearchStrategy[CosemDate]:
    """Dates with wildcards and special values, not all of them in the calendar."""
    return st.builds(
        CosemDate,
        st.none() | st.integers(0, 0xFFFE),
        st.none() | st.integers(1, 12) | st.sampled_from((MONTH_DST_BEGIN, MONTH_DST_END)),
        st.none() | st.integers(1, 31) | st.sampled_from((DAY_LAST, DAY_SECOND_LAST)),
        st.none() | st.integers(1, 7),
    )


def cosem_times() -> SearchStrategy[CosemTime]:
    """Times of day with wildcards."""
    return st.builds(
        CosemTime,
        st.none() | st.integers(0, 23),
        st.none() | st.integers(0, 59),
        st.none() | st.integers(0, 59),
        st.none() | st.integers(0, 99),
    )


def cosem_date_times() -> SearchStrategy[CosemDateTime]:
    """Dates and times with wildcards."""
    return st.builds(
        CosemDateTime,
        cosem_dates(),
        cosem_times(),
        st.none() | st.integers(-DEVIATION_LIMIT, DEVIATION_LIMIT),
        st.none() | st.integers(0, 0xFE).map(ClockStatus),
    )


def moments() -> SearchStrategy[datetime]:
    """Aware moments that a COSEM date-time holds exactly: hundredths, offsets of whole minutes."""
    offsets = st.integers(-DEVIATION_LIMIT, DEVIATION_LIMIT)
    zones = offsets.map(lambda minutes: timezone(timedelta(minutes=minutes))) | st.just(UTC)
    return st.datetimes(timezones=zones).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    )


# --- COSEM values ------------------------------------------------------------------------------


def _integers(bits: int, *, signed: bool) -> SearchStrategy[int]:
    return (
        st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
        if signed
        else st.integers(0, (1 << bits) - 1)
    )


#: The plain values of every wire type without parts, by its tag. No NaN: it equals nothing.
PLAIN_VALUES: dict[Tag, SearchStrategy[object]] = {
    Tag.NULL: st.none(),
    Tag.BOOLEAN: st.booleans(),
    Tag.BIT_STRING: st.text("01", max_size=20),
    Tag.DOUBLE_LONG: _integers(32, signed=True),
    Tag.DOUBLE_LONG_UNSIGNED: _integers(32, signed=False),
    Tag.OCTET_STRING: st.binary(max_size=20),
    Tag.VISIBLE_STRING: st.text(st.characters(max_codepoint=255), max_size=20),
    Tag.UTF8_STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    Tag.BCD: _integers(8, signed=False),
    Tag.INTEGER: _integers(8, signed=True),
    Tag.LONG: _integers(16, signed=True),
    Tag.UNSIGNED: _integers(8, signed=False),
    Tag.LONG_UNSIGNED: _integers(16, signed=False),
    Tag.LONG64: _integers(64, signed=True),
    Tag.LONG64_UNSIGNED: _integers(64, signed=False),
    Tag.ENUM: _integers(8, signed=False),
    Tag.FLOAT32: st.floats(width=32, allow_nan=False),
    Tag.FLOAT64: st.floats(allow_nan=False),
    Tag.DATE_TIME: st.binary(min_size=12, max_size=12),
    Tag.DATE: st.binary(min_size=5, max_size=5),
    Tag.TIME: st.binary(min_size=4, max_size=4),
    Tag.DELTA_INTEGER: _integers(8, signed=True),
    Tag.DELTA_LONG: _integers(16, signed=True),
    Tag.DELTA_DOUBLE_LONG: _integers(32, signed=True),
    Tag.DELTA_UNSIGNED: _integers(8, signed=False),
    Tag.DELTA_LONG_UNSIGNED: _integers(16, signed=False),
    Tag.DELTA_DOUBLE_LONG_UNSIGNED: _integers(32, signed=False),
    Tag.DONT_CARE: st.none(),
}


def plain_data(tag: Tag) -> SearchStrategy[Data]:
    """Values of one wire type without parts."""
    return PLAIN_VALUES[tag].map(lambda value: Data(tag, value))


def type_descriptions() -> SearchStrategy[TypeDescription]:
    """Types for the elements of a compact array, none of them without octets."""
    with_octets = sorted(PLAIN_VALUES.keys() - {Tag.NULL, Tag.DONT_CARE})
    leaves = st.sampled_from(with_octets).map(TypeDescription)

    def containers(inner: SearchStrategy[TypeDescription]) -> SearchStrategy[TypeDescription]:
        structures = st.lists(inner, min_size=1, max_size=3).map(
            lambda members: TypeDescription(Tag.STRUCTURE, tuple(members))
        )
        arrays = st.builds(
            lambda member, length: TypeDescription(Tag.ARRAY, (member,), length),
            inner,
            st.integers(1, 3),
        )
        return structures | arrays

    return st.recursive(leaves, containers, max_leaves=4)


def described(description: TypeDescription) -> SearchStrategy[Data]:
    """Values of a described type."""
    tag, members, length = description
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        return plain_data(tag)
    expected = members * length if tag == Tag.ARRAY else members
    return st.tuples(*map(described, expected)).map(lambda values: Data(tag, values))


def compact_arrays() -> SearchStrategy[Data]:
    """Compact arrays of up to four elements."""
    return type_descriptions().flatmap(
        lambda description: st.lists(described(description), max_size=4).map(
            lambda elements: Data(Tag.COMPACT_ARRAY, CompactArray(description, tuple(elements)))
        )
    )


def data(max_leaves: int = 12) -> SearchStrategy[Data]:
    """Values of every wire type, nested."""
    leaves = st.one_of(*map(plain_data, PLAIN_VALUES)) | compact_arrays()
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda tag, values: Data(tag, tuple(values)),
            st.sampled_from((Tag.ARRAY, Tag.STRUCTURE)),
            st.lists(inner, max_size=4),
        ),
        max_leaves=max_leaves,
    )
