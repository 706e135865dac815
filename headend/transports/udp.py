"""``udp:HOST:PORT``: DLMS over the wrapper in UDP datagrams.

Nothing is repeated here: a datagram that is lost shows as silence, and whoever asked asks again.
"""

import socket
from collections.abc import Mapping

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable
from headend.transports import LinkKind, TransportClosed
from headend.transports.tcp import ends_of, parse_address, place, start_hint
from headend.waiting import readable
from protocol.timing import Instant
from protocol.udp import MAX_DATAGRAM

__all__ = ["LINK", "UdpTransport", "open_transport", "place"]

LINK = LinkKind.DATAGRAMS


class UdpTransport:
    """Datagrams to and from one address.

    Args:
        connected: a connected socket; the transport closes it.
        now: the clock that deadlines are told by.
        nobody: what to say where nobody listens.
        hint: and what to do then.
    """

    def __init__(self, connected: socket.socket, now: Clock, nobody: str, hint: str = "") -> None:
        self._socket = connected
        self._now = now
        self._nobody, self._hint = nobody, hint

    def read(self, deadline: Instant) -> bytes:
        """Return the next datagram, or ``b""`` once ``deadline`` is reached."""
        while True:
            if not readable(self._socket.fileno(), max(0, deadline - self._now())):
                return b""
            try:
                if datagram := self._socket.recv(MAX_DATAGRAM):
                    return datagram
            except OSError as error:
                raise self._closed(error) from error

    def write(self, octets: bytes) -> None:
        """Send one datagram."""
        try:
            self._socket.send(octets)
        except OSError as error:
            raise self._closed(error) from error

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return our address and port, and the meter's."""
        return ends_of(self._socket)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _closed(self, error: OSError) -> TransportClosed:
        if isinstance(error, ConnectionRefusedError):
            return TransportClosed(self._nobody, self._hint)
        return TransportClosed(f"cannot be sent or received: {error.strerror or error}")


def open_transport(address: str, options: Mapping[str, str], now: Clock) -> UdpTransport:
    """Get ready for datagrams to and from ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        PortUnusable: the address cannot be understood.
        NoAnswer: there is no such host.
    """
    if options:
        raise PortUnusable(f"a UDP port takes no option {next(iter(options))!r}")
    host, port = parse_address(address)
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        connected = socket.socket(family, kind)
        connected.connect(where)
    except socket.gaierror as error:
        raise NoAnswer(f"no answer: {host!r} is no known host") from error
    except UnicodeError as error:  # no name that a host could have
        raise PortUnusable(f"{host!r} is no known host") from error
    except OSError as error:
        raise NoAnswer(f"no answer from {address}: {error.strerror or error}") from error
    nobody = f"no answer from {address}: nobody listens there"
    return UdpTransport(connected, now, nobody, start_hint("udp", address, host))
