"""The shape of a profile's file: a plain look at it never says yes where pydantic says no."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from prepay.profile import profile_names
from prepay.profile_schema import _File
from prepay.schema_table import Limits, NotPlain, Table, Text, model_of, read
from tests.prepay.test_profile import text_of

DOCUMENTS = {name: tomllib.loads(text_of(name)) for name in profile_names()}


def test_the_profiles_that_come_with_the_package_are_read_without_pydantic() -> None:
    """Importing it takes longer than a whole command; a reader that always fell back would."""
    program = (
        "import sys\n"
        "from prepay.profile import load_profile, profile_names\n"
        "for name in profile_names(): load_profile(name)\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def plainly(kind: type[Table], document: Any) -> dict[str, Any] | None:
    """Return what a plain look makes of a document; None where it does not say yes."""
    try:
        return values(read(kind, document))
    except NotPlain:
        return None


def judged(kind: type[Table], document: Any) -> dict[str, Any] | None:
    """Return what pydantic makes of it; None where it is refused."""
    try:
        return values(MODELS[kind].model_validate(document))
    except ValidationError:
        return None


def values(table: Any) -> dict[str, Any]:
    """Return a table, and what is in it, as dictionaries; types count, for True is no 1."""
    names = (
        type(table).model_fields if isinstance(table, BaseModel) else type(table).__annotations__
    )
    return {name: _plain(getattr(table, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, Table | BaseModel):
        return values(value)
    return [_plain(each) for each in value] if isinstance(value, list) else (type(value), value)


class Small(Table, keys={"end": "to"}):
    """A table with one of each."""

    text: Text
    name: Annotated[str, Limits(pattern=r"^[a-z]+$", max_length=4)] = "a"
    octet: Annotated[int, Limits(ge=0, le=255)] = 0
    angle: Annotated[float, Limits(ge=-60, le=60)] = 0.0
    flag: bool = False
    which: Literal["a", 1] = "a"
    some: Annotated[list[Text], Limits(min_length=1, max_length=2)] | None = None
    end: Text | None = None


MODELS: dict[Any, type[BaseModel]] = {kind: model_of(kind) for kind in (Small, _File)}
LEAST = {"text": "x"}
#: A document, whether it is as it should be, and whether a plain look says so.
EDGES: list[tuple[Any, bool, bool]] = [
    (LEAST, True, True),
    ({}, False, False),
    ([], False, False),
    (None, False, False),
    ({"text": ""}, False, False),
    ({"text": "x" * 120}, True, True),
    ({"text": "x" * 121}, False, False),
    ({"text": b"x"}, False, False),
    ({"text": None}, False, False),
    (LEAST | {"more": 1}, False, False),
    (LEAST | {"end": "x"}, False, False),  # in a file it has another name
    (LEAST | {"to": "x"}, True, True),
    (LEAST | {"name": "abcd"}, True, True),
    (LEAST | {"name": "abcde"}, False, False),
    (LEAST | {"name": "abc\n"}, False, False),
    (LEAST | {"name": "A"}, False, False),
    (LEAST | {"octet": 0}, True, True),
    (LEAST | {"octet": -1}, False, False),
    (LEAST | {"octet": 255}, True, True),
    (LEAST | {"octet": 256}, False, False),
    (LEAST | {"octet": True}, False, False),
    (LEAST | {"octet": 1.0}, False, False),
    (LEAST | {"angle": 60.0}, True, True),
    (LEAST | {"angle": 60.1}, False, False),
    (LEAST | {"angle": float("nan")}, False, False),
    (LEAST | {"angle": 60}, True, False),  # for pydantic to say
    (LEAST | {"flag": True}, True, True),
    (LEAST | {"flag": 1}, False, False),
    (LEAST | {"which": 1}, True, True),
    (LEAST | {"which": "b"}, False, False),
    (LEAST | {"some": []}, False, False),
    (LEAST | {"some": ["x"]}, True, True),
    (LEAST | {"some": ["x", ""]}, False, False),
    (LEAST | {"some": ["x"] * 2}, True, True),
    (LEAST | {"some": ["x"] * 3}, False, False),
    (LEAST | {"some": "x"}, False, False),
]


@pytest.mark.parametrize(("document", "right", "plain"), EDGES)
def test_at_each_limit_both_say_what_they_should(document: Any, right: bool, plain: bool) -> None:
    """And where both say yes, they read the same."""
    made, seen = judged(Small, document), plainly(Small, document)
    assert (made is not None, seen is not None) == (right, plain)
    assert seen is None or seen == made


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of everything in a document."""
    inner = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield (*path, key)
        yield from places(each, (*path, key))


ANYTHING = st.recursive(
    st.booleans() | st.integers(-2, 300) | st.floats() | st.text(max_size=3)
    | st.sampled_from(["x" * 120, "x" * 121, "local", "consumption", "a\n", 1, 3]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip # one alternative a line


@given(data=st.data())
def test_what_is_plainly_right_pydantic_holds_to_be_the_same(data: st.DataObject) -> None:
    """Whatever is changed, left out or added in a profile's file."""
    document = deepcopy(DOCUMENTS[data.draw(st.sampled_from(sorted(DOCUMENTS)))])
    for _ in range(data.draw(st.integers(0, 2))):
        *way, last = data.draw(st.sampled_from(list(places(document))))
        inner = document
        for key in way:
            inner = inner[key]
        how = data.draw(st.sampled_from(["changed", "left out", "added"]))
        if how == "left out":
            del inner[last]
        elif how == "changed":
            inner[last] = data.draw(ANYTHING)
        elif isinstance(inner, dict):
            inner[data.draw(st.text(max_size=3))] = data.draw(ANYTHING)
        else:
            inner.append(deepcopy(inner[0]))
    seen, made = plainly(_File, document), judged(_File, document)
    assert seen is None or seen == made
