"""Capture files: what is written can be read, and whatever is read does no harm."""

import io
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.errors import UsageError
from headend.observe import pcapng
from headend.observe.pcapng import Packet

PAYLOAD = bytes.fromhex("7EA00A00020041000000FF7E")


def read(octets: bytes) -> list[Packet]:
    """Return the packets of a file of these octets."""
    return list(pcapng.read(io.BytesIO(octets)))


@given(
    st.lists(st.tuples(st.binary(max_size=70), st.booleans(), st.text(max_size=20)), max_size=4),
    st.integers(0, 1 << 42),
    st.text(max_size=20),
)
def test_what_is_written_is_read(
    packets: list[tuple[bytes, bool, str]], time: int, name: str
) -> None:
    """Octets, direction, time, comment and interface come back, section behind section."""
    written = b""
    for octets, sent, comment in packets:
        written += pcapng.section() + pcapng.interface(pcapng.USER0, name)
        written += pcapng.packet(octets, time, sent=sent, comment=comment)
    assert read(written or pcapng.section()) == [
        Packet(pcapng.USER0, time * 1_000_000, octets, sent, comment, name)
        for octets, sent, comment in packets
    ]


def test_the_blocks_are_those_of_the_format() -> None:
    """Pinned octet by octet, as tshark 4.0 reads it."""
    written = pcapng.section() + pcapng.interface(101, "a")
    written += pcapng.packet(b"\x45", 1, sent=True, comment="c")
    assert written.hex() == (
        "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000"
        "0100000020000000650000000000000002000100610000000000000020000000"
        "06000000380000000000000000000000e8030000010000000100000045000000"
        "010001006300000002000400020000000000000038000000"
    )


@pytest.mark.parametrize(
    ("order", "magic", "unit"),
    [("<", 0xA1B2C3D4, 1000), (">", 0xA1B2C3D4, 1000), ("<", 0xA1B23C4D, 1), (">", 0xA1B23C4D, 1)],
)
def test_the_older_format_is_read_in_both_byte_orders(order: str, magic: int, unit: int) -> None:
    """With microseconds or nanoseconds, as its first octets say."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 147)
    body = struct.pack(f"{order}IIII", 5, 7, len(PAYLOAD), len(PAYLOAD)) + PAYLOAD
    (found,) = read(head + body)
    assert found == Packet(147, 5_000_000_000 + 7 * unit, PAYLOAD)


def test_a_section_of_the_other_byte_order_is_read() -> None:
    """Big-endian, with times in 1024ths of a second, behind a block of no interest."""

    def block(kind: int, body: bytes) -> bytes:
        size = struct.pack(">I", len(body) + 12)
        return struct.pack(">I", kind) + size + body + size

    told = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    told += block(5, b"statistics..")
    told += block(1, struct.pack(">HHI", 1, 0, 0) + struct.pack(">HHB3xHH", 9, 1, 0x8A, 0, 0))
    told += block(6, struct.pack(">IIIII", 0, 0, 2048, 2, 2) + b"ab\0\0")
    told += block(3, struct.pack(">I", 1) + b"c\0\0\0")
    assert read(told) == [Packet(1, 2_000_000_000, b"ab"), Packet(1, 0, b"c")]


WHOLE = pcapng.section() + pcapng.interface(147, "line") + pcapng.packet(
    PAYLOAD, 1, sent=True, comment=""
)  # fmt: skip # one file


@pytest.mark.parametrize("cut", range(4, len(WHOLE)))
def test_a_file_that_is_being_written_gives_its_whole_packets(cut: int) -> None:
    """Cut anywhere, nothing is wrong; the last packet is not there yet."""
    assert read(WHOLE[:cut]) == []


@given(st.data())
def test_a_damaged_file_is_refused_in_words(data: st.DataObject) -> None:
    """Whatever octets are changed, there are packets or a UsageError, nothing else."""
    octets = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UsageError):
        read(bytes(octets))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no capture"),
        (b"PK\x03\x04", "no capture"),
        (WHOLE[:28] + struct.pack("<II", 6, 0xFFFFFFF0), "a block of 4294967280 octets"),
        (WHOLE[:28] + struct.pack("<III", 6, 12, 12), "too short"),
        (WHOLE[:28] + WHOLE[60:], "of no interface"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20) + struct.pack("<IIII", 0, 0, 1 << 30, 0), "1073741824"),
    ],
)
def test_what_is_no_capture_is_named(octets: bytes, why: str) -> None:
    """Nothing is allocated for a length that somebody only claims."""
    with pytest.raises(UsageError, match=why):
        read(octets)


IP = b"\x45" + bytes(19)


@pytest.mark.parametrize(
    ("link", "octets"),
    [
        (101, IP),
        (228, IP),
        (0, b"\x02\0\0\0" + IP),
        (1, bytes(12) + b"\x08\0" + IP),
        (1, bytes(12) + b"\x81\0\0\x07\x08\0" + IP),
        (113, bytes(14) + b"\x08\0" + IP),
        (276, b"\x08\0" + bytes(18) + IP),
    ],
)
def test_ip_is_found_under_what_captures_have_around_it(link: int, octets: bytes) -> None:
    """Raw, loopback, Ethernet with and without a tag, both of Linux's cooked ones."""
    assert pcapng.ip_of(Packet(link, 0, octets)) == IP


@pytest.mark.parametrize("link", [1, 113, 276, 105, 147])
def test_where_there_is_no_ip_none_is_found(link: int) -> None:
    """Another EtherType, too few octets, a link type that is not known."""
    assert pcapng.ip_of(Packet(link, 0, bytes(30))) is None
    assert pcapng.ip_of(Packet(link, 0, b"")) is None
