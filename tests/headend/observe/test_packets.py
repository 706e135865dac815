"""IP packets around octets: parse is the inverse of making them, and checksums are right."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.observe.packets import ACK, FIN, PSH, SYN, TCP, UDP, Dialogue, End, Segment, parse

ENDS = [
    (End("192.0.2.1", 49152), End("192.0.2.2", 4059)),
    (End("2001:db8::1", 49152), End("fe80::2", 4059)),
]


def total(octets: bytes) -> int:
    """Return the ones' complement sum of 16-bit words, which is FFFF over a right checksum."""
    octets += b"\0" * (len(octets) % 2)
    found: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while found >> 16:
        found = (found & 0xFFFF) + (found >> 16)
    return found


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("protocol", [TCP, UDP])
@given(octets=st.binary(min_size=1, max_size=300), by_client=st.booleans())
def test_what_was_said_is_parsed(
    ends: tuple[End, End], protocol: int, octets: bytes, by_client: bool
) -> None:
    """Both ends, protocol and payload come back, over both versions of IP."""
    (packet,) = Dialogue(*ends, protocol).said(octets, by_client=by_client)
    source, destination = ends if by_client else ends[::-1]
    flags = PSH | ACK if protocol == TCP else 0
    assert parse(packet) == Segment(source, destination, protocol, octets, flags, 0)


@pytest.mark.parametrize("protocol", [TCP, UDP])
@given(octets=st.binary(min_size=1, max_size=64))
def test_the_checksums_are_right(protocol: int, octets: bytes) -> None:
    """Of IPv4's header, and of the body with addresses, protocol and length before it."""
    (packet,) = Dialogue(*ENDS[0], protocol).said(octets, by_client=True)
    head, body = packet[:20], packet[20:]
    assert total(head) == 0xFFFF
    assert total(head[12:20] + struct.pack(">HH", protocol, len(body)) + body) == 0xFFFF


def test_a_connection_counts_its_octets() -> None:
    """SYN and FIN count as one octet each; what is acknowledged is what the other has said."""
    talk = Dialogue(*ENDS[0], TCP)
    packets = [packet for _, packet in talk.opening()]
    packets += talk.said(b"four", by_client=True) + talk.said(b"sixsix", by_client=False)
    packets += [packet for _, packet in talk.closing()]
    found = [struct.unpack(">II", packet[24:32]) for packet in packets]
    assert found == [(0, 0), (0, 1), (1, 1), (1, 1), (1, 5), (5, 7), (7, 6), (6, 8)]
    assert [packet[33] for packet in packets] == [
        SYN, SYN | ACK, ACK, PSH | ACK, PSH | ACK, FIN | ACK, FIN | ACK, ACK,
    ]  # fmt: skip # a pair a packet


@pytest.mark.parametrize("size", [1, 0x8000, 0x8001, 0xFFFF, 0x10000])
def test_much_is_cut_into_segments(size: int) -> None:
    """No packet is longer than IP can say, and nothing is lost."""
    packets = Dialogue(*ENDS[0], TCP).said(bytes(size), by_client=True)
    segments = [parse(packet) for packet in packets]
    assert sum(len(each.payload) for each in segments if each is not None) == size
    assert max(len(packet) for packet in packets) <= 0xFFFF


@given(st.binary(max_size=80))
def test_whatever_comes_is_parsed_or_not(octets: bytes) -> None:
    """Anything may be in a capture; None says that it is nothing that is known."""
    for version in (b"\x45", b"\x4f", b"\x60", b""):
        found = parse(version + octets)
        assert found is None or found.protocol in (TCP, UDP)


def test_a_fragment_is_left_out() -> None:
    """Its payload begins in the middle of something."""
    packet = bytearray(Dialogue(*ENDS[0], UDP).said(b"octets", by_client=True)[0])
    packet[6:8] = b"\x20\x00"
    assert parse(bytes(packet)) is None
