"""Values as people write them."""

import json
from contextlib import suppress
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.errors import UsageError
from headend.reading.values import format_value, parse_value, to_json
from protocol import axdr
from protocol.axdr import Data, Tag

WRITTEN = {
    "null-data": axdr.null(),
    "boolean:true": axdr.boolean(True),
    "boolean:false": axdr.boolean(False),
    "integer:-128": axdr.integer(-128),
    "unsigned:255": axdr.unsigned(255),
    "long:-32768": axdr.long_(-32768),
    "double-long:-5": axdr.double_long(-5),
    "enum:2": axdr.enum(2),
    "octet-string:": axdr.octet_string(b""),
    "octet-string:07EA0B17": axdr.octet_string(bytes.fromhex("07EA0B17")),
    "visible-string:a,b}c:d": axdr.visible_string("a,b}c:d"),
    "bit-string:10100000": axdr.bit_string("10100000"),
    "structure{}": axdr.structure(),
    "structure{unsigned:1,array{enum:2,null-data},boolean:true}": axdr.structure(
        axdr.unsigned(1), axdr.array(axdr.enum(2), axdr.null()), axdr.boolean(True)
    ),
}


@pytest.mark.parametrize(("text", "data"), WRITTEN.items(), ids=list(WRITTEN))
def test_written_and_read_are_inverses(text: str, data: Data) -> None:
    """Each type, in the form that the help shows."""
    assert parse_value(text) == data
    assert format_value(data) == text


leaves = st.one_of(
    st.just(axdr.null()),
    st.booleans().map(axdr.boolean),
    st.integers(0, 255).map(axdr.enum),
    st.integers(-(2**31), 2**31 - 1).map(axdr.double_long),
    st.binary(max_size=20).map(axdr.octet_string),
    st.text("01", max_size=20).map(axdr.bit_string),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda many: axdr.structure(*many)),
        st.lists(inner, max_size=4).map(lambda many: axdr.array(*many)),
    ),
    max_leaves=12,
)


@given(values)
def test_every_value_comes_back(data: Data) -> None:
    """Formatting and parsing lose nothing."""
    assert parse_value(format_value(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "", "5", "octet-string", "octet-string:0", "octet-string:XY", "unsigned:256",
        "unsigned:-1", "integer:abc", "enum:", "boolean:maybe", "bit-string:12", "structure",
        "structure:1", "structure{unsigned:1", "structure{unsigned:1}x", "array{,}", "float32:1",
        "nonsense:5", "null-data:5", "long:" + "9" * 5000, "structure{" * 40,
    ],
)  # fmt: skip # a table
def test_what_is_no_value_is_wrong_usage(text: str) -> None:
    """One clear line, never a traceback."""
    with pytest.raises(UsageError, match=r"^value: "):
        parse_value(text)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_wrong_usage(text: str) -> None:
    """Nothing else comes out."""
    with suppress(UsageError):
        assert isinstance(parse_value(text), Data)


@pytest.mark.parametrize(
    ("number", "word"), [(nan, "NaN"), (inf, "Infinity"), (-inf, "-Infinity"), (1.5, 1.5)]
)
def test_a_number_that_json_has_not_is_a_word(number: float, word: Any) -> None:
    """Within a structure too; others stay numbers."""
    data = axdr.structure(Data(Tag.FLOAT64, number), Data(Tag.ARRAY, (Data(Tag.FLOAT32, number),)))
    assert json.loads(json.dumps(to_json(data), allow_nan=False)) == [word, [word]]


def test_json_has_octets_as_hexadecimal_and_structures_as_lists() -> None:
    """What ``--json`` shows of a value."""
    data = axdr.structure(axdr.octet_string(b"\x01\xff"), Data(Tag.ARRAY, (axdr.unsigned(7),)))
    assert to_json(data) == ["01FF", [7]]
