"""OBIS codes: every way of writing one, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.code import ObisCode, ObisError, ReducedCode, parse
from tests.strategies import groups, obis_codes, reduced_codes

ENERGY = ObisCode(1, 0, 1, 8, 0, 255)
DISPLAY = ReducedCode(None, None, 94, 32, 2, 1)

FORMS: list[tuple[str, ObisCode | ReducedCode]] = [
    ("1-0:1.8.0*255", ENERGY),
    ("1-0:1.8.0.255", ENERGY),
    ("1-0:1.8.0 255", ENERGY),
    ("1.0.1.8.0.255", ENERGY),
    ("1-0:1.8.0", ENERGY),
    (" 1-0:1.8.0*255\n", ENERGY),
    ("01-00:01.08.00*255", ENERGY),
    ("1-0:1.8.0*0", ObisCode(1, 0, 1, 8, 0, 0)),
    ("0-0:0.0.0*0", ObisCode(0, 0, 0, 0, 0, 0)),
    ("255-255:255.255.255*255", ObisCode(255, 255, 255, 255, 255, 255)),
    ("94.32.2 1", DISPLAY),
    ("94.32.2.1", DISPLAY),
    ("94.32.2*1", DISPLAY),
    ("1.8.0", ReducedCode(None, None, 1, 8, 0)),
    ("1.8", ReducedCode(None, None, 1, 8)),
    ("1.8*1", ReducedCode(None, None, 1, 8, None, 1)),
    ("1.8.0*255", ReducedCode(None, None, 1, 8, 0, 255)),
    ("1.8.0*0", ReducedCode(None, None, 1, 8, 0, 0)),
    ("1-1.8.0", ReducedCode(1, None, 1, 8, 0)),
    ("0:1.8.0", ReducedCode(None, 0, 1, 8, 0)),
    ("1-0:1.8", ReducedCode(1, 0, 1, 8)),
]


@pytest.mark.parametrize(("text", "code"), FORMS, ids=[repr(text) for text, _ in FORMS])
def test_every_form_is_read(text: str, code: ObisCode | ReducedCode) -> None:
    """Full, all dotted and reduced codes are read for what they are."""
    assert parse(text) == code
    assert type(parse(text)) is type(code)


@given(obis_codes() | reduced_codes())
def test_parse_and_format_are_inverses(code: ObisCode | ReducedCode) -> None:
    """What is formatted is read as the same code, its F group included."""
    read = parse(str(code))
    assert read == code
    assert type(read) is type(code)
    assert type(code).parse(str(code)) == code


@given(obis_codes())
def test_a_logical_name_and_its_octets_are_inverses(code: ObisCode) -> None:
    """The six octets are the six groups."""
    assert ObisCode.from_bytes(code.to_bytes()) == code
    assert code.to_bytes() == bytes(code)


@given(obis_codes())
def test_reducing_and_completing_are_inverses(code: ObisCode) -> None:
    """A and B come back from the profile, an F of 255 by itself."""
    assert code.reduce().complete(code.a, code.b) == code
    assert code.reduce().matches(code)
    assert parse(code.display()) == code.reduce()
    assert parse(code.display(".")) == code.reduce()


def test_the_display_codes_of_the_belgian_meter_are_one_register() -> None:
    """``94.32.2 1`` and ``94.32.2.1`` are C = 94, D = 32, E = 2, F = 1 under the profile's A, B."""
    code = ObisCode(0, 1, 94, 32, 2, 1)
    for text in ("94.32.2 1", "94.32.2.1"):
        assert ReducedCode.parse(text).complete(0, 1) == code
    assert code.display() == "94.32.2 1"
    assert code.display(".") == "94.32.2.1"


def test_completing_fills_only_what_was_left_out() -> None:
    """Groups that are written win over the profile's."""
    assert ReducedCode.parse("2-1.8*3").complete(1, 0, 9, 8) == ObisCode(2, 0, 1, 8, 9, 3)
    assert ReducedCode.parse("1.8").complete(1, 0) == ObisCode(1, 0, 1, 8, 255, 255)


def test_a_reduced_code_matches_the_codes_that_have_its_groups() -> None:
    """Groups that were left out match anything."""
    assert ReducedCode.parse("1.8").matches(ENERGY)
    assert not ReducedCode.parse("1.8.1").matches(ENERGY)
    assert not ReducedCode.parse("1.8.0*0").matches(ENERGY)


NO_CODES = [
    "", " ", "1", "1.8.", ".1.8", "1-0:", "1-0:1", "clock", "1.8.0.0.0", "1.0.1.8.0.255.0",
    "-1-0:1.8.0", "1-0:1.8.0*", "1-0:1.8.0**1", "1-0:1,8,0", "1.8 1", "٣.8.0", "1.8.0*1000",
    "1e3.8.0",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_CODES)
def test_what_is_no_code_is_refused_with_advice(text: str) -> None:
    """The error says how a code is written."""
    for read in (parse, ObisCode.parse, ReducedCode.parse):
        with pytest.raises(ObisError, match=r"write numbers 0\.\.255"):
            read(text)


@pytest.mark.parametrize("group", range(6))
@pytest.mark.parametrize("number", [256, 999])
def test_a_group_above_255_is_refused_by_its_letter(group: int, number: int) -> None:
    """Each of the six groups is checked, whichever way the code is made."""
    numbers = [0] * 6
    numbers[group] = number
    message = f"group {'ABCDEF'[group]} is {number}"
    a, b, c, d, e, f = numbers
    for text in (f"{a}-{b}:{c}.{d}.{e}*{f}", f"{a}.{b}.{c}.{d}.{e}.{f}"):
        with pytest.raises(ObisError, match=message):
            parse(text)
    with pytest.raises(ObisError, match=message):
        ObisCode.of(*numbers)
    with pytest.raises(ObisError, match=r"within 0\.\.255"):
        ObisCode(*numbers).to_bytes()


def test_a_group_below_0_is_refused() -> None:
    """The check has two sides."""
    with pytest.raises(ObisError, match="group C is -1"):
        ObisCode.of(1, 0, -1, 8, 0)
    with pytest.raises(ObisError, match="group F is -1"):
        ReducedCode.of(1, 8, 0, -1)


def test_the_two_kinds_are_not_taken_for_each_other() -> None:
    """Where only a full code will do, a reduced one is refused with advice, and vice versa."""
    with pytest.raises(ObisError, match="write all groups"):
        ObisCode.parse("1.8.0")
    with pytest.raises(ObisError, match="leave A and B out"):
        ReducedCode.parse("1-0:1.8.0")
    with pytest.raises(ObisError, match="use ObisCode"):
        ReducedCode.of(1, 8, 0, a=1, b=0)


@pytest.mark.parametrize("length", [0, 5, 7])
def test_a_logical_name_has_six_octets(length: int) -> None:
    """Anything else is refused."""
    with pytest.raises(ObisError, match="6 octets"):
        ObisCode.from_bytes(bytes(length))


@given(st.text(max_size=30) | st.text("0123456789-:.* &", max_size=30))
def test_any_text_is_a_code_or_an_obis_error(text: str) -> None:
    """Nothing else comes out of the parser."""
    try:
        code = parse(text)
    except ObisError:
        return
    assert parse(str(code)) == code


def test_a_long_text_does_not_fill_the_message() -> None:
    """Whatever was typed, the message fits a line."""
    with pytest.raises(ObisError) as caught:
        parse("x" * 100_000)
    assert len(str(caught.value)) < 200


@given(groups, groups, groups)
def test_completing_checks_the_groups_of_the_profile(c: int, d: int, e: int) -> None:
    """A profile with an A of 256 is found out."""
    with pytest.raises(ObisError, match="group A is 256"):
        ReducedCode.of(c, d, e).complete(256, 0)
