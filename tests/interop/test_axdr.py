"""Our A-XDR against that of three peers, octet by octet, in their own processes.

What we write, a peer reads and writes back as it was; what a peer writes, we read as what it was
told. Values are made by hypothesis from a fixed seed, with the boundary lengths besides, and go to
each peer's process in one batch. pydlms-client knows every type, gurux-dlms all but the delta types
and dont-care, dlms-cosem those of ``COSEM``. Where one of them differs it has a row here, and a
number in KNOWN_FAULTS.md.

Nobody agrees with us, or with another, about these, so they are left alone: delta types are read
and written as the numbers they are and added to nothing (pydlms-client can add them up, by a
reading of its own); null-data is null-data, in a profile's rows as anywhere. By their sources all
three can put the row before and the capture period in the place of a time that was left out, once
they have the rows (dlms-cosem takes the period for minutes); that another value that was left out
is the one before it only pydlms-client says, and does when it is told to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protocol.axdr import (
    WIRE_TYPES,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    decode,
    decode_length,
    encode,
    octet_string,
)
from protocol.cosem.compact_data import decode_buffer
from protocol.cosem_time import CosemDate, CosemDateTime, CosemTime
from protocol.errors import DecodeError
from tests.interop.environments import DLMS_COSEM, GURUX, HERE, PYDLMS
from tests.interop.secured import PeerProcess
from tests.strategies import (
    PLAIN_VALUES,
    compact_arrays,
    cosem_date_times,
    cosem_dates,
    cosem_times,
    data,
    described,
    plain_data,
    type_descriptions,
)

pytestmark = pytest.mark.interop

EXAMPLES = 40
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
LENGTHS = (0, 1, 127, 128, 255, 256, 65535, 65536)
#: The types that dlms-cosem both reads and writes, and gurux-dlms whatever their value.
COSEM = {
    Tag.DOUBLE_LONG,
    Tag.DOUBLE_LONG_UNSIGNED,
    Tag.INTEGER,
    Tag.LONG,
    Tag.UNSIGNED,
    Tag.LONG_UNSIGNED,
    Tag.LONG64,
    Tag.LONG64_UNSIGNED,
    Tag.ENUM,
}
GURUX_ANY = COSEM | {Tag.NULL, Tag.BOOLEAN, Tag.BCD, Tag.FLOAT32, Tag.FLOAT64}

#: Asks a peer a batch of questions.
Ask = Callable[[str, Sequence[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ask(interpreters: dict[str, Path]) -> Iterator[Ask]:
    """Have a peer answer a batch, each in a process of its own."""
    with ExitStack() as stack:
        running = {
            peer.name: stack.enter_context(PeerProcess(interpreters[peer.name], "axdr.py"))
            for peer in (PYDLMS, GURUX, DLMS_COSEM)
        }
        yield lambda peer, batch: [running[peer].ask("", one) for one in batch]


def several(strategy: SearchStrategy[Data], examples: int = EXAMPLES) -> list[Data]:
    """Values of a strategy, always the same."""
    found: list[Data] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value: Data) -> None:
        found.append(value)

    keep()
    return found


def of(tag: Tag, values: SearchStrategy[Any] | None = None) -> list[Data]:
    """Values of a type without parts."""
    return several(plain_data(tag) if values is None else values.map(lambda one: Data(tag, one)))


def told(value: Data) -> Any:
    """A value as a peer's driver is told it: tag, and numbers, texts, hexadecimal or lists."""
    inner = value.value
    if isinstance(inner, CompactArray):
        return [value.tag, {"of": inner.description, "elements": list(map(told, inner.elements))}]
    if isinstance(inner, tuple):
        return [value.tag, list(map(told, inner))]
    return [value.tag, inner.hex() if isinstance(inner, bytes) else inner]


def plain(value: Data) -> Any:
    """A value without its types, as gurux-dlms shows what it has read."""
    inner = value.value
    if isinstance(inner, CompactArray):
        return list(map(plain, inner.elements))
    if isinstance(inner, tuple):
        return list(map(plain, inner))
    return inner.hex() if isinstance(inner, bytes) else inner


def check_both_ways(ask: Ask, peer: str, values: Sequence[Data]) -> None:
    """Check that the peer reads and writes back ours, and that we read what it writes."""
    octets = [encode(value) for value in values]
    back = ask(peer, [{"octets": one.hex()} for one in octets])
    made = ask(peer, [{"value": told(value)} for value in values])
    for value, sent, returned, written in zip(values, octets, back, made, strict=True):
        assert returned == {"octets": sent.hex()}, value
        if written.get("raised") != "NotImplementedError":  # our driver does not make these
            assert "octets" in written, (value, written)
            assert decode(bytes.fromhex(written["octets"])) == value


# --- pydlms-client: everything -------------------------------------------------------------------


def test_every_wire_type_is_judged() -> None:
    """The table has no type that is in none of the cases here."""
    containers = {Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY}
    assert {row.tag for row in WIRE_TYPES} == PLAIN_VALUES.keys() | containers


@pytest.mark.parametrize("tag", sorted(PLAIN_VALUES), ids=lambda tag: tag.type_name)
def test_pydlms_agrees_on_every_type_without_parts(ask: Ask, tag: Tag) -> None:
    """The delta types, bcd, dont-care and bit-strings of any length among them."""
    check_both_ways(ask, PYDLMS.name, of(tag))


def test_pydlms_agrees_on_arrays_and_structures_of_anything(ask: Ask) -> None:
    """Nested, and empty ones too."""
    check_both_ways(ask, PYDLMS.name, several(data(), 150))


def test_pydlms_agrees_on_compact_arrays_of_every_type(ask: Ask) -> None:
    """Of each simple type, and of arrays and structures of them."""
    simple = [
        Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(tag), tuple(of(tag)[:5])))
        for tag in sorted(PLAIN_VALUES.keys() - {Tag.NULL, Tag.DONT_CARE})
    ]
    check_both_ways(ask, PYDLMS.name, simple + several(compact_arrays(), 150))


@pytest.mark.parametrize(
    ("tag", "moments"),
    [
        (Tag.DATE_TIME, cosem_date_times()),
        (Tag.DATE, cosem_dates()),
        (Tag.TIME, cosem_times()),
    ],
    ids=["date-time", "date", "time"],
)
def test_pydlms_agrees_on_moments_with_every_wildcard(
    ask: Ask, tag: Tag, moments: SearchStrategy[CosemDateTime | CosemDate | CosemTime]
) -> None:
    """By its own classes for them; deviations of half a day at most, for it has no more."""
    octets = [
        one.value
        for one in several(moments.map(lambda moment: Data(tag, moment.to_bytes())), 100)
        if tag is not Tag.DATE_TIME
        or abs(CosemDateTime.from_bytes(one.value).deviation or 0) <= 720
    ]
    assert len(octets) > EXAMPLES
    sent = [(bytes((tag,)) + one).hex() for one in octets]
    answers = ask(PYDLMS.name, [{"moment": one} for one in sent])
    assert answers == [{"octets": one} for one in sent]


def test_lengths_are_written_alike(ask: Ask) -> None:
    """Of octet-strings at the boundaries of one, two and three octets of length."""
    strings = [octet_string(bytes(length)) for length in LENGTHS]
    check_both_ways(ask, PYDLMS.name, strings)
    check_both_ways(ask, GURUX.name, strings[:-1])


def test_gurux_has_no_length_of_three_octets(ask: Ask) -> None:
    """It writes four for 65536 octets, which may be, and refuses 83 01 00 00 (fault 55)."""
    text = octet_string(bytes(LENGTHS[-1]))
    refused, written = ask(GURUX.name, [{"octets": encode(text).hex()}, {"value": told(text)}])
    assert refused["text"] == "Invalid count."
    assert written["octets"].startswith("098400010000")
    assert decode(bytes.fromhex(written["octets"])) == text


# --- gurux-dlms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", sorted(GURUX_ANY), ids=lambda tag: tag.type_name)
def test_gurux_agrees_on_numbers_whatever_they_are(ask: Ask, tag: Tag) -> None:
    """Floats, bcd, enum, boolean and null-data included."""
    check_both_ways(ask, GURUX.name, of(tag))


def test_gurux_agrees_on_octets_texts_and_whole_octets_of_bits(ask: Ask) -> None:
    """Texts that can be printed, in ASCII; bit-strings whose length is a multiple of 8."""
    whole = st.binary(max_size=5).map(lambda octets: "".join(f"{one:08b}" for one in octets))
    values = of(Tag.OCTET_STRING) + of(Tag.BIT_STRING, whole)
    check_both_ways(
        ask, GURUX.name, values + of(Tag.VISIBLE_STRING, PRINTABLE) + of(Tag.UTF8_STRING, PRINTABLE)
    )


@pytest.mark.parametrize("tag", [Tag.ARRAY, Tag.STRUCTURE], ids=lambda tag: tag.type_name)
def test_gurux_agrees_on_containers(ask: Ask, tag: Tag) -> None:
    """Of types that it has a class for each; the others are fault 52."""
    kept = GURUX_ANY - {Tag.LONG, Tag.LONG64, Tag.BCD}
    leaves = st.one_of(*map(plain_data, sorted(kept)), plain_data(Tag.OCTET_STRING))
    inner = st.recursive(
        leaves,
        lambda deeper: st.builds(
            lambda kind, members: Data(kind, tuple(members)),
            st.sampled_from((Tag.ARRAY, Tag.STRUCTURE)),
            st.lists(deeper, min_size=1, max_size=4),
        ),
        max_leaves=8,
    )
    members = st.lists(inner, min_size=1, max_size=4)
    check_both_ways(ask, GURUX.name, of(tag, members.map(tuple)))


WILDCARDS = [
    ("07EA0B16070D2D1E32FFC400", range(0)),  # Sunday, 22 November 2026, 13:45:30.50, UTC+1
    ("FFFF0B16070D2D1E32FFC400", range(2)),
    ("07EAFF16070D2D1E32FFC400", range(2, 3)),
    ("07EA0BFF070D2D1E32FFC400", range(3, 4)),
    ("07EA0BFE070D2D1E32FFC400", range(3, 4)),  # the last day of the month
    ("07EA0BFD070D2D1E32FFC400", range(3, 4)),  # the last but one
    ("07EA0B16FF0D2D1E32FFC400", range(4, 5)),
    ("07EA0B1607FF2D1E32FFC400", range(5, 6)),
    ("07EA0B16070DFF1E32FFC400", range(6, 7)),
    ("07EA0B16070D2DFF32FFC400", range(7, 8)),
    ("07EA0B16070D2D1EFFFFC400", range(8, 9)),
    ("07EA0B16070D2D1E32800000", range(9, 11)),
    ("07EA0B16070D2D1E32FFC4FF", range(11, 12)),
    ("FFFFFFFFFFFFFFFFFF8000FF", range(12)),
]


def test_gurux_agrees_on_date_times_with_each_wildcard(ask: Ask) -> None:
    """Field by field, and all of them; the last days of a month too."""
    values = [Data(Tag.DATE_TIME, bytes.fromhex(octets)) for octets, _ in WILDCARDS]
    plain_one = values[0].value
    for value, (_, changed) in zip(values, WILDCARDS, strict=True):
        found = [place for place in range(12) if value.value[place] != plain_one[place]]
        assert set(found) <= set(changed), "each differs where it says"
    check_both_ways(ask, GURUX.name, values)


def test_gurux_agrees_on_dates_and_times_where_it_keeps_them(ask: Ask) -> None:
    """Dates without the day of the week, times without hundredths: see the faults below."""
    dates = [octets[:6] + octets[6:8] + "FF" for octets, _ in WILDCARDS]
    times = [octets[10:16] + end for octets, _ in WILDCARDS for end in ("00", "FF")]
    values = [Data(Tag.DATE, bytes.fromhex(octets)) for octets in dates]
    check_both_ways(
        ask, GURUX.name, values + [Data(Tag.TIME, bytes.fromhex(octets)) for octets in times]
    )


# octets; what gurux-dlms writes back, or what it raises; the number of the fault
GURUX_FAULTS = [
    ("040450", "040850", 48),
    ("0409FF80", "0410FF80", 48),
    ("0A02E963", "0A054539203633", 49),
    ("0C02C3A9", "0C054333204139", 49),
    ("0A0109", "0A023039", 49),
    ("1907EAFE16070D2D1E32FFC400", "1907EAFD16070D2D1E32FFC400", 50),
    ("1907EAFD16070D2D1E32FFC400", "1907EAFE16070D2D1E32FFC400", 50),
    ("1A07EA0B1607", "1A07EA0B16FF", 51),
    ("1B0D2D1E32", "1B0D2D1E00", 51),
    ("020110FFFE", "020105FFFFFFFE", 52),
    ("020114FFFFFFFFFFFFFFFE", "020105FFFFFFFE", 52),
    ("02010D12", "02010500000012", 52),
    ("1C01", "ValueError", 53),
    ("2100000001", "ValueError", 53),
    ("FF", "ValueError", 53),
    ("13110100", "ValueError", 54),
    ("13010002110401020304", "ValueError", 54),
]


@pytest.mark.parametrize(("sent", "answer", "fault"), GURUX_FAULTS)
def test_gurux_writes_other_octets_than_it_read(
    ask: Ask, sent: str, answer: str, fault: int
) -> None:
    """pydlms-client writes back what it read; the numbers are those of KNOWN_FAULTS.md."""
    assert f"\n| {fault} | gurux-dlms 1.0.203 |" in (HERE / "KNOWN_FAULTS.md").read_text()
    assert ask(PYDLMS.name, [{"octets": sent}]) == [{"octets": sent.lower()}]
    (found,) = ask(GURUX.name, [{"octets": sent}])
    assert (found.get("octets") or found["raised"]).lower() == answer.lower()
    assert decode(bytes.fromhex(sent)), "and we read it"


def test_gurux_reads_compact_arrays_of_simple_types_and_of_structures(ask: Ask) -> None:
    """It has no way to write one; what it reads is compared by value."""
    simple = [
        Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(tag), tuple(of(tag)[:5])))
        for tag in sorted(GURUX_ANY - {Tag.NULL})
    ]
    members = (Tag.DOUBLE_LONG_UNSIGNED, Tag.UNSIGNED, Tag.LONG, Tag.ENUM, Tag.BOOLEAN)
    described_as = TypeDescription(Tag.STRUCTURE, tuple(map(TypeDescription, members)))
    rows = several(described(described_as))
    table = Data(Tag.COMPACT_ARRAY, CompactArray(described_as, tuple(rows)))
    values = [*simple, table]
    answers = ask(GURUX.name, [{"read": encode(value).hex()} for value in values])
    for value, answer in zip(values, answers, strict=True):
        assert answer == {"plain": plain(value)}


# --- dlms-cosem ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", sorted(COSEM), ids=lambda tag: tag.type_name)
def test_dlms_cosem_agrees_on_integers(ask: Ask, tag: Tag) -> None:
    """All widths, and enum."""
    check_both_ways(ask, DLMS_COSEM.name, of(tag))


def test_dlms_cosem_agrees_on_strings_and_containers(ask: Ask) -> None:
    """Octet-strings of up to 127 octets (fault 22), visible-strings in ASCII."""
    strings = of(Tag.OCTET_STRING) + of(Tag.VISIBLE_STRING, PRINTABLE)
    leaves = st.one_of(*map(plain_data, sorted(COSEM)), st.sampled_from(strings))
    members = st.lists(leaves, max_size=4).map(tuple)
    nested = st.lists(members.map(lambda found: Data(Tag.STRUCTURE, found)), max_size=4).map(tuple)
    check_both_ways(
        ask, DLMS_COSEM.name, strings + of(Tag.STRUCTURE, members) + of(Tag.ARRAY, nested)
    )


def test_dlms_cosem_reads_null_data_booleans_and_date_times(ask: Ask) -> None:
    """It cannot write them (fault 56)."""
    octets = {"00": None, "0300": False, "0301": True, "03FF": True}
    answers = ask(DLMS_COSEM.name, [{"read": one} for one in octets])
    assert answers == [{"plain": value} for value in octets.values()]
    for one, value in octets.items():
        assert decode(bytes.fromhex(one)).value is value


@pytest.mark.parametrize(
    "sent", ["00", "0301", "0D12", "173F800000", "183FF0000000000000", "1B0D2D1E32", "1C01", "FF"]
)
def test_dlms_cosem_has_types_that_it_cannot_write(ask: Ask, sent: str) -> None:
    """Fault 56: null-data, booleans, bcd, floats, times; delta types it does not know."""
    (found,) = ask(DLMS_COSEM.name, [{"octets": sent}])
    assert found["raised"] in ("NotImplementedError", "KeyError")


# --- compact data --------------------------------------------------------------------------------


def _apart(description: TypeDescription, row: Data) -> tuple[bytes, bytes]:
    """A template, the counts of its arrays in it, and a buffer: the parts of a compact array."""
    template = encode(Data(Tag.COMPACT_ARRAY, CompactArray(description, ())))[1:-1]
    whole = encode(Data(Tag.COMPACT_ARRAY, CompactArray(description, (row,))))
    length, end = decode_length(whole, 1 + len(template))
    assert end + length == len(whole)
    return template, whole[end:]


def test_pydlms_reads_the_same_values_out_of_compact_data(ask: Ask) -> None:
    """Any template, and the book's logbook, which has its count in the buffer.

    Templates with arrays are told apart by which form they parse in, here as there.
    """
    kinds = st.lists(type_descriptions(), min_size=1, max_size=4).map(
        lambda members: TypeDescription(Tag.STRUCTURE, tuple(members))
    )
    tables = kinds.flatmap(
        lambda kind: described(kind).map(
            lambda row: Data(Tag.COMPACT_ARRAY, CompactArray(kind, (row,)))
        )
    )
    logbook = bytes.fromhex("0202110102020611"), bytes.fromhex("070200000001020000000304")
    cases = [logbook]
    for table in several(tables, 150):
        kind, (row,) = table.value
        cases.append(_apart(kind, row))
    batch = [{"template": first.hex(), "buffer": second.hex()} for first, second in cases]
    for (template, buffer), answer in zip(cases, ask(PYDLMS.name, batch), strict=True):
        if "octets" in answer:
            ours = [encode(value).hex() for value in decode_buffer(template, buffer)]
            assert answer == {"octets": ours}, (template.hex(), buffer.hex())
        else:  # counted arrays that happen to parse as uncounted ones: here as there
            with pytest.raises(DecodeError):
                decode_buffer(template, buffer)
    assert sum(bool(buffer) for _, buffer in cases) > EXAMPLES
