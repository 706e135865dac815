"""The wrapper of IEC 62056-47 over UDP: each datagram is a header and one whole APDU.

A datagram that is not exactly that - another version, a length that is not its own, an APDU that
is too long - is dropped without a word: its address may be forged, and whoever lost something
asks again. So nothing that is said here ever breaks the link; only silence ends it.
"""

from collections.abc import Iterator
from typing import ClassVar

from protocol.errors import DecodeError
from protocol.events import LinkEvent
from protocol.wrapper import HEADER_OCTETS, Header, WrapperLink, parse_header

#: Octets of a datagram over IPv4 beside its own header and that of IP.
MAX_DATAGRAM = 65_507


class DatagramLink(WrapperLink):
    """The datagrams between two addresses, a ``protocol.link.Link``; made like a ``WrapperLink``.

    ``receive`` takes one whole datagram at a time, and ``outgoing`` gives one whole datagram
    each time it is called, nothing when there is none.
    """

    LONGEST: ClassVar[int] = MAX_DATAGRAM - HEADER_OCTETS

    def outgoing(self) -> bytes:
        """Return, once, the next datagram that has to go out."""
        datagram = next(datagrams(self._outgoing), b"")
        del self._outgoing[: len(datagram)]
        return datagram

    def _frames(self) -> list[LinkEvent]:
        """Take the datagram out of the buffer, whatever it is."""
        datagram = bytes(self._buffer)
        self._buffer.clear()
        found = split(datagram)
        if found is None or found[0].length > self._max_apdu:
            return []
        return self._frame(*found)


def split(datagram: bytes) -> tuple[Header, bytes] | None:
    """Return header and APDU of a datagram; None when it is not one header and one whole APDU."""
    if len(datagram) < HEADER_OCTETS:
        return None
    header = parse_header(datagram[:HEADER_OCTETS])
    apdu = datagram[HEADER_OCTETS:]
    return (header, apdu) if header is not None and header.length == len(apdu) else None


def datagrams(octets: bytes | bytearray) -> Iterator[bytes]:
    """Yield the datagrams that stand one behind the other in ``octets``, as a firmware's port has.

    Raises:
        DecodeError: they are no datagrams of this protocol; nobody but we ourselves made them.
    """
    start = 0
    while start < len(octets):
        begun = octets[start : start + HEADER_OCTETS]
        header = parse_header(begun) if len(begun) == HEADER_OCTETS else None
        if header is None:
            raise DecodeError("no wrapper header where a datagram should begin")
        end = start + HEADER_OCTETS + header.length
        yield bytes(octets[start:end])
        start = end
