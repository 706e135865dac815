"""The octets on flash: the declaration, the codec compiled from it, and pinned examples."""

import zlib

import construct
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.nvram import CellKey
from meter_fw.nvram.layout import (
    HEADER,
    HEADER_LENGTH,
    MODULUS,
    RECORD,
    RECORD_OVERHEAD,
    Tag,
    compiled,
    decode_header,
    decode_record,
    encode_body,
    encode_header,
    encode_record,
    find_commit,
    following,
    is_blank,
    is_newer,
)
from tests.meter_fw.journal_strategies import changes, numbers


def test_a_header_octet_by_octet() -> None:
    """Magic, version, generation, CRC-32."""
    header = encode_header(0x01020304)
    assert header[:9] == b"OPnv\x01\x01\x02\x03\x04"
    assert header[9:] == zlib.crc32(header[:9]).to_bytes(4, "big")
    assert len(header) == HEADER_LENGTH


def test_a_record_octet_by_octet() -> None:
    """Tag, length, sequence, one cell put, one deleted, CRC-32 from the generation."""
    body = encode_body({CellKey(5, 0x0102): b"\xaa\xbb", CellKey(6, 7): None})
    record = encode_record(Tag.COMMIT, body, 9, 3)
    assert record[:-4] == bytes.fromhex("52 000b 00000009  0001 05 0102 02 aabb  06 0007")
    assert record[-4:] == zlib.crc32(record[:-4], 3).to_bytes(4, "big")


@given(numbers)
def test_headers_agree_with_the_declaration(generation: int) -> None:
    """What the codec writes, the declaration reads."""
    header = encode_header(generation)
    parsed = HEADER.parse(header)
    assert (parsed.fields.version, parsed.fields.generation) == (1, generation)
    assert decode_header(header) == generation


@given(changes, numbers, numbers, st.sampled_from(Tag))
def test_records_agree_with_the_declaration(
    news: dict[CellKey, bytes | None], sequence: int, generation: int, tag: Tag
) -> None:
    """What the codec writes, the declaration reads, builds again and the codec reads."""
    record = encode_record(tag, encode_body(news), sequence, generation)
    parsed = RECORD.parse(record)
    found: dict[CellKey, bytes | None] = {}
    found |= {CellKey(c.head.kind, c.head.index): bytes(c.value) for c in parsed.body.cells}
    found |= dict.fromkeys(CellKey(key.kind, key.index) for key in parsed.body.deleted)
    assert found == news
    assert (parsed.head.tag, parsed.head.sequence) == (tag, sequence)
    assert RECORD.build(parsed) == record
    decoded = decode_record(tag, b"\x00" + record, 1, generation)
    assert decoded == (sequence, news, 1 + len(record))


@given(st.binary(max_size=300), numbers)
def test_no_octets_upset_the_decoder(octets: bytes, generation: int) -> None:
    """Anything read from flash gives a record or None."""
    for tag in Tag:
        for start in range(len(octets) + 1):
            assert decode_record(tag, octets, start, generation) is None


@given(st.binary(max_size=60), numbers, st.sampled_from(Tag))
def test_a_right_check_over_a_wrong_body(body: bytes, generation: int, tag: Tag) -> None:
    """A body that is no body is no record, whatever its CRC says."""
    record = encode_record(tag, body, 1, generation)
    decoded = decode_record(tag, record, 0, generation)
    if decoded is not None:
        assert len(RECORD.parse(record).body.cells) == int.from_bytes(body[:2], "big")


@pytest.mark.parametrize(
    "body",
    ["", "00", "0001", "0001 05 0102 03 aabb", "0000 06 00", "ffff 05 0102 02 aabb", "0000 00"],
)
def test_bodies_cut_short(body: str) -> None:
    """Counts and lengths that claim more than there is are refused."""
    record = encode_record(Tag.COMMIT, bytes.fromhex(body), 1, 1)
    assert decode_record(Tag.COMMIT, record, 0, 1) is None


def test_a_record_of_another_generation_or_tag() -> None:
    """It is none of this block's."""
    record = encode_record(Tag.COMMIT, encode_body({CellKey(1): b"x"}), 1, 41)
    assert decode_record(Tag.COMMIT, record, 0, 41) is not None
    assert decode_record(Tag.COMMIT, record, 0, 40) is None
    assert decode_record(Tag.CHECKPOINT, record, 0, 41) is None


def test_finding_a_commit_wherever_it_begins() -> None:
    """The first one that is newer, past rubbish and past older ones."""
    body = encode_body({CellKey(0x52): b"RRRR"})
    old, new = (encode_record(Tag.COMMIT, body, sequence, 7) for sequence in (4, 5))
    image = b"RR\x00" + old[:-1] + old + b"R" + new + b"\xff" * 9
    found = find_commit(image, 0, 7, 4)
    assert found is not None
    assert found.sequence == 5
    assert image[found.end :] == b"\xff" * 9
    assert find_commit(image, 0, 7, 5) is None
    assert find_commit(image, 0, 8, 4) is None


@pytest.mark.parametrize(
    ("number", "than", "newer"),
    [
        (1, 0, True),
        (0, 1, False),
        (5, 5, False),
        (0, MODULUS - 1, True),
        (MODULUS - 1, 0, False),
        (MODULUS // 2 - 1, 0, True),
        (MODULUS // 2, 0, False),
    ],
)
def test_what_is_newer(number: int, than: int, newer: bool) -> None:
    """Serial number arithmetic: less than half the circle ahead."""
    assert is_newer(number, than) is newer


@given(numbers)
def test_the_following_number_is_newer(number: int) -> None:
    """Also where it wraps."""
    assert is_newer(following(number), number)
    assert 0 <= following(number) < MODULUS


def test_blank_octets() -> None:
    """Blank is every bit set."""
    assert is_blank(b"\xff" * 5)
    assert is_blank(b"")
    assert not is_blank(b"\xff\xff\xfe\xff")


@pytest.mark.parametrize("field", [construct.Int16ul, construct.GreedyBytes, construct.VarInt])
def test_declarations_that_do_not_compile(field: construct.Construct) -> None:
    """Little-endian fields and those without a fixed length are refused by name."""
    with pytest.raises(TypeError, match="fixed length"):
        compiled(construct.Struct("odd" / field))


def test_overheads() -> None:
    """What a record costs besides its body, as the specification says."""
    assert RECORD_OVERHEAD == 11
    assert HEADER_LENGTH == 13
