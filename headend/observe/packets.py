"""IP packets around what a session says, so that network tools take it for what it is.

A capture is made where the octets are written and read, above the operating system, so the
headers are made here: addresses and ports are the socket's own, the sequence numbers count from
where each side began, and checksums are right. Layouts of IPv4, IPv6, TCP and UDP as tshark reads
and verifies them.
"""

import socket
import struct
from typing import Final, NamedTuple

from msgspec import Struct

TCP: Final = 6
UDP: Final = 17
#: Flags of TCP.
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
#: Octets of one segment: what an IPv4 packet holds beside its headers, and less.
SEGMENT: Final = 0x8000
#: Addresses and ports of a line that has none: those of RFC 5737 that are for documentation.
NOWHERE: Final = (("192.0.2.1", 49152), ("192.0.2.2", 4059))

_V4 = struct.Struct(">BBHHHBBH4s4s")
_V6 = struct.Struct(">IHBB16s16s")
_TCP = struct.Struct(">HHIIBBHHH")
_UDP = struct.Struct(">HHHH")
_WINDOW = 0xFFFF
_HOPS = 64
_DONT_FRAGMENT = 0x4000
_SEQUENCES = 1 << 32


class End(NamedTuple):
    """One end: a numeric IP address, and a port."""

    host: str
    port: int


class Segment(Struct, frozen=True):
    """What a packet says.

    Args:
        source, destination: from where to where.
        protocol: ``TCP`` or ``UDP``.
        payload: the octets carried.
        flags, sequence: of TCP.
    """

    source: End
    destination: End
    protocol: int
    payload: bytes
    flags: int = 0
    sequence: int = 0


class Dialogue:
    """Makes the packets of one connection, or of datagrams between two ends.

    Args:
        client, server: the two ends.
        protocol: ``TCP`` or ``UDP``.
    """

    def __init__(self, client: End, server: End, protocol: int) -> None:
        self._ends = (client, server)
        self._protocol = protocol
        self._next = [0, 0]  # sequence numbers of client and server

    def opening(self) -> list[tuple[bool, bytes]]:
        """Return the handshake, each packet with whether the client sends it."""
        if self._protocol == UDP:
            return []
        return [self._tcp(True, SYN), self._tcp(False, SYN | ACK), self._tcp(True, ACK)]

    def said(self, octets: bytes, *, by_client: bool) -> list[bytes]:
        """Return the packets that carry octets: one datagram, or as many segments as it takes."""
        if self._protocol == UDP:
            source, destination = self._direction(by_client)
            return [udp_packet(source, destination, octets)]
        pieces = [octets[i : i + SEGMENT] for i in range(0, len(octets), SEGMENT)]
        return [self._tcp(by_client, PSH | ACK, piece)[1] for piece in pieces]

    def closing(self) -> list[tuple[bool, bytes]]:
        """Return the farewell of both sides."""
        if self._protocol == UDP:
            return []
        return [self._tcp(True, FIN | ACK), self._tcp(False, FIN | ACK), self._tcp(True, ACK)]

    def _direction(self, by_client: bool) -> tuple[End, End]:
        client, server = self._ends
        return (client, server) if by_client else (server, client)

    def _tcp(self, by_client: bool, flags: int, payload: bytes = b"") -> tuple[bool, bytes]:
        source, destination = self._direction(by_client)
        mine = 0 if by_client else 1
        acknowledged = self._next[1 - mine] if flags & ACK else 0
        packet = tcp_packet(source, destination, flags, self._next[mine], acknowledged, payload)
        step = len(payload) + bool(flags & (SYN | FIN))
        self._next[mine] = (self._next[mine] + step) % _SEQUENCES
        return by_client, packet


def udp_packet(source: End, destination: End, payload: bytes) -> bytes:
    """Return an IP packet with a datagram."""
    size = _UDP.size + len(payload)
    around = _pseudo(source, destination, UDP, size)
    head = _UDP.pack(source.port, destination.port, size, 0)
    check = _checksum(around + head + payload) or 0xFFFF  # 0 means that there is none
    return _ip(source, destination, UDP, head[:6] + check.to_bytes(2, "big") + payload)


def tcp_packet(
    source: End, destination: End, flags: int, sequence: int, acknowledged: int, payload: bytes
) -> bytes:
    """Return an IP packet with a segment."""

    def head(check: int) -> bytes:
        return _TCP.pack(
            source.port, destination.port, sequence, acknowledged,
            _TCP.size // 4 << 4, flags, _WINDOW, check, 0,
        )  # fmt: skip # as the fields stand

    around = _pseudo(source, destination, TCP, _TCP.size + len(payload))
    check = _checksum(around + head(0) + payload)
    return _ip(source, destination, TCP, head(check) + payload)


def _ip(source: End, destination: End, protocol: int, body: bytes) -> bytes:
    there, here = _packed(destination.host), _packed(source.host)
    if len(here) > 4:
        return _V6.pack(6 << 28, len(body), protocol, _HOPS, here, there) + body

    def head(check: int) -> bytes:
        size = _V4.size + len(body)
        fields = (0x45, 0, size, 0, _DONT_FRAGMENT, _HOPS, protocol, check)
        return _V4.pack(*fields, here, there)

    return head(_checksum(head(0))) + body


def _pseudo(source: End, destination: End, protocol: int, size: int) -> bytes:
    """Return what the checksums of TCP and UDP cover beside themselves."""
    here, there = _packed(source.host), _packed(destination.host)
    if len(here) == 4:
        return here + there + struct.pack(">BBH", 0, protocol, size)
    return here + there + struct.pack(">II", size, protocol)


def _packed(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host.partition("%")[0])


def _checksum(octets: bytes) -> int:
    """Return the ones' complement of the ones' complement sum of 16-bit words."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# --- reading ------------------------------------------------------------------------------------


def parse(packet: bytes) -> Segment | None:
    """Return what an IP packet says; None for fragments and what is not TCP or UDP over IP."""
    if not packet:
        return None
    version = packet[0] >> 4
    if version == 4:
        return _parse_v4(packet)
    return _parse_v6(packet) if version == 6 else None


def _parse_v4(packet: bytes) -> Segment | None:
    if len(packet) < _V4.size:
        return None
    first, _, size, _, fragment, _, protocol, _, here, there = _V4.unpack_from(packet)
    head = (first & 0x0F) * 4
    if head < _V4.size or fragment & 0x3FFF:
        return None
    # A size of 0 is what a network card leaves that cuts segments itself.
    body = packet[head:size] if size else packet[head:]
    return _parse_body(
        socket.inet_ntop(socket.AF_INET, here), socket.inet_ntop(socket.AF_INET, there),
        protocol, body,
    )  # fmt: skip # a pair a line


def _parse_v6(packet: bytes) -> Segment | None:
    if len(packet) < _V6.size:
        return None
    _, size, protocol, _, here, there = _V6.unpack_from(packet)
    return _parse_body(
        socket.inet_ntop(socket.AF_INET6, here), socket.inet_ntop(socket.AF_INET6, there),
        protocol, packet[_V6.size : _V6.size + size],
    )  # fmt: skip # a pair a line


def _parse_body(here: str, there: str, protocol: int, body: bytes) -> Segment | None:
    if protocol == UDP and len(body) >= _UDP.size:
        source, destination, size, _ = _UDP.unpack_from(body)
        return Segment(
            End(here, source), End(there, destination), UDP, body[_UDP.size : max(size, _UDP.size)]
        )
    if protocol == TCP and len(body) >= _TCP.size:
        source, destination, sequence, _, offset, flags, _, _, _ = _TCP.unpack_from(body)
        head = (offset >> 4) * 4
        if head >= _TCP.size:
            ends = End(here, source), End(there, destination)
            return Segment(*ends, TCP, body[head:], flags, sequence)
    return None
