"""Capture files: pcapng is written, pcapng and the older pcap are read.

A pcapng file is a row of blocks: type, length, body, length again. A section header begins a
section, which may stand behind another one, so a file can always be appended to; interfaces say
of what kind their packets are; packets carry a time, a direction and a comment. Layouts and
numbers as in draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap, and as tshark reads them.

| block | type | body |
|---|---|---|
| section header | 0A0D0D0A | 1A2B3C4D, version 1.0, length of the section (-1: not told) |
| interface | 1 | link type, reserved, most octets of a packet, options |
| packet | 6 | interface, time (two halves), octets kept, octets there were, the packet, options |
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from msgspec import Struct

from headend.errors import UsageError

#: Link types: octets of a line as they are, told apart by whoever opens the file; IP packets.
USER0: Final = 147
RAW_IP: Final = 101
_ETHERNET, _NULL, _LOOP, _COOKED, _COOKED_2 = 1, 0, 108, 113, 276
_RAW_TOO: Final = (12, 14, 228, 229)

SECTION: Final = 0x0A0D0D0A
_INTERFACE, _SIMPLE, _PACKET = 1, 3, 6
_MAGIC = 0x1A2B3C4D
_COMMENT, _IF_NAME, _RESOLUTION, _FLAGS = 1, 2, 9, 2
#: Who said it, in a packet's flags.
_IN, _OUT = 1, 2

#: A block longer than this is none of ours, nor of anybody who captures meters.
LONGEST: Final = 1 << 20
#: Interfaces of a section.
_MOST_INTERFACES = 1024
#: The older format's first four octets as they stand in the file: byte order, and whether its
#: times have nanoseconds.
_OLDER: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


class Packet(Struct, frozen=True):
    """A packet of a capture.

    Args:
        link: its link type.
        nanoseconds: since 1970.
        octets: as far as they were kept.
        sent: whether whoever captured it had sent it; None where the file does not say.
        comment: what was noted beside it.
        interface: the name of where it was captured.
    """

    link: int
    nanoseconds: int
    octets: bytes
    sent: bool | None = None
    comment: str = ""
    interface: str = ""


# --- writing ------------------------------------------------------------------------------------


def section() -> bytes:
    """Return the block that begins a section."""
    return _block(SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1))


def interface(link: int, name: str) -> bytes:
    """Return the block of an interface; times are in microseconds, as nobody says otherwise."""
    options = _option(_IF_NAME, name.encode()) + _option(0, b"")
    return _block(_INTERFACE, struct.pack("<HHI", link, 0, 0) + options)


def packet(octets: bytes, milliseconds: int, *, sent: bool, comment: str) -> bytes:
    """Return the block of a packet of the last section's first interface."""
    time = milliseconds * 1000
    size = len(octets)
    head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, size, size)
    flags = struct.pack("<I", _OUT if sent else _IN)
    options = _option(_COMMENT, comment.encode()) + _option(_FLAGS, flags) + _option(0, b"")
    return _block(_PACKET, head + _padded(octets) + options)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)


# --- reading ------------------------------------------------------------------------------------


@dataclass
class _Interface:
    link: int
    name: str
    unit: tuple[int, int] = (1_000, 1)  # of time, in nanoseconds, as a fraction


@dataclass
class _Section:
    order: str
    interfaces: list[_Interface] = field(default_factory=list)


def read(file: BinaryIO) -> Iterator[Packet]:
    """Yield the packets of a capture, of a file that is still being written the whole ones.

    Raises:
        UsageError: it is no capture, or it is damaged; what stands before is yielded first.
    """
    first = file.read(4)
    if first in _OLDER:
        yield from _read_older(file, *_OLDER[first])
    elif first == SECTION.to_bytes(4, "big"):
        yield from _read_blocks(file)
    else:
        raise UsageError("no capture: neither pcapng nor pcap")


def _read_older(file: BinaryIO, order: str, unit: int) -> Iterator[Packet]:
    head = file.read(20)
    if len(head) < 20:
        return
    link = struct.unpack(f"{order}HHiIII", head)[5] & 0xFFFF
    while len(begin := file.read(16)) == 16:
        seconds, fraction, size, _ = struct.unpack(f"{order}IIII", begin)
        if size > LONGEST:
            raise UsageError(f"the capture is damaged: a packet of {size} octets")
        octets = file.read(size)
        if len(octets) < size:
            return
        yield Packet(link, seconds * 1_000_000_000 + fraction * unit, octets)


def _read_blocks(file: BinaryIO) -> Iterator[Packet]:
    present = _Section("<")
    kind_octets = SECTION.to_bytes(4, "big")
    while len(kind_octets) == 4:
        size_octets, body = file.read(4), b""
        if kind_octets == SECTION.to_bytes(4, "big"):
            body = file.read(4)  # by which the byte order of the rest is known
            if len(body) < 4:
                return
            present = _Section(_order(body))
        if len(size_octets) < 4:
            return
        (kind,) = struct.unpack(f"{present.order}I", kind_octets)
        (size,) = struct.unpack(f"{present.order}I", size_octets)
        if size % 4 or not 12 + len(body) <= size <= LONGEST:
            raise UsageError(f"the capture is damaged: a block of {size} octets")
        rest = file.read(size - 8 - len(body))
        if len(rest) < size - 8 - len(body):
            return  # the last one is being written
        body += rest[:-4]
        try:
            yield from _take(present, kind, body)
        except struct.error as error:
            raise UsageError("the capture is damaged: a block is too short") from error
        kind_octets = file.read(4)


def _order(magic: bytes) -> str:
    if magic == struct.pack("<I", _MAGIC):
        return "<"
    if magic == struct.pack(">I", _MAGIC):
        return ">"
    raise UsageError("the capture is damaged: a section has no byte order")


def _take(present: _Section, kind: int, body: bytes) -> Iterator[Packet]:
    """Learn from a block, and yield the packet that it has, if it has one."""
    order = present.order
    if kind == _INTERFACE:
        if len(present.interfaces) >= _MOST_INTERFACES:
            raise UsageError("the capture has too many interfaces")
        link = struct.unpack_from(f"{order}H", body)[0]
        options = _options(order, body[8:])
        name = options.get(_IF_NAME, b"").decode("utf-8", "replace")
        unit = _unit(options.get(_RESOLUTION, b"\x06"))
        present.interfaces.append(_Interface(link, name, unit))
    elif kind == _PACKET:
        number, high, low, size, _ = struct.unpack_from(f"{order}IIIII", body)
        if number >= len(present.interfaces) or size > len(body) - 20:
            raise UsageError("the capture is damaged: a packet of no interface, or cut short")
        of = present.interfaces[number]
        options = _options(order, body[20 + size + -size % 4 :])
        (flags,) = struct.unpack(f"{order}I", options.get(_FLAGS, b"").ljust(4, b"\0")[:4])
        sent = {_IN: False, _OUT: True}.get(flags & 3)
        time = (high << 32 | low) * of.unit[0] // of.unit[1]
        comment = options.get(_COMMENT, b"").decode("utf-8", "replace")
        yield Packet(of.link, time, body[20 : 20 + size], sent, comment, of.name)
    elif kind == _SIMPLE and present.interfaces:
        (size,) = struct.unpack_from(f"{order}I", body)
        yield Packet(present.interfaces[0].link, 0, body[4 : 4 + size])


def _unit(resolution: bytes) -> tuple[int, int]:
    """Return the nanoseconds of one unit: a power of ten, or with the high bit set one of two."""
    first = resolution[0] if resolution else 6
    return 1_000_000_000, 1 << (first & 0x7F) if first & 0x80 else 10**first


def _options(order: str, octets: bytes) -> dict[int, bytes]:
    """Return options by their codes; where one stands twice, the first."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(octets):
        code, size = struct.unpack_from(f"{order}HH", octets, at)
        if code == 0:
            break
        found.setdefault(code, octets[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return found


def ip_of(captured: Packet) -> bytes | None:
    """Return the IP packet within a packet; None where there is none, or it is not known."""
    octets, link = captured.octets, captured.link
    if link == RAW_IP or link in _RAW_TOO:
        return octets
    if link in (_NULL, _LOOP):
        return octets[4:]
    if link == _COOKED:
        return octets[16:] if octets[14:16] in _IP_TYPES else None
    if link == _COOKED_2:
        return octets[20:] if octets[:2] in _IP_TYPES else None
    if link == _ETHERNET:
        at = 12
        while octets[at : at + 2] in _TAGS:
            at += 4
        return octets[at + 2 :] if octets[at : at + 2] in _IP_TYPES else None
    return None


#: EtherTypes of IPv4 and IPv6, and of tags of virtual networks before them.
_IP_TYPES: Final = (b"\x08\x00", b"\x86\xdd")
_TAGS: Final = (b"\x81\x00", b"\x88\xa8")


def is_octets(link: int) -> bool:
    """Say whether packets of a link type are octets of a line as they are."""
    return USER0 <= link <= USER0 + 15
