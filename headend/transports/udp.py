"""``udp:HOST:PORT``: DLMS over the wrapper in UDP datagrams.

Nothing is repeated here: a datagram that is lost shows as silence, and whoever asked asks again.
"""

import select
import socket
from collections.abc import Mapping

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable
from headend.transports import LinkKind, TransportClosed
from headend.transports.tcp import ends_of, here, parse_address, place
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
    """

    def __init__(self, connected: socket.socket, now: Clock, nobody: str) -> None:
        self._socket = connected
        self._now = now
        self._nobody = nobody

    def read(self, deadline: Instant) -> bytes:
        """Return the next datagram, or ``b""`` once ``deadline`` is reached."""
        while True:
            wait = max(0, deadline - self._now()) / 1000
            ready, _, _ = select.select([self._socket], [], [], wait)
            if not ready:
                return b""
            try:
                if datagram := self._socket.recv(MAX_DATAGRAM):
                    return datagram
            except OSError as error:
                raise TransportClosed(self._why(error)) from error

    def write(self, octets: bytes) -> None:
        """Send one datagram."""
        try:
            self._socket.send(octets)
        except OSError as error:
            raise TransportClosed(self._why(error)) from error

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return our address and port, and the meter's."""
        return ends_of(self._socket)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _why(self, error: OSError) -> str:
        if isinstance(error, ConnectionRefusedError):
            return self._nobody
        return f"cannot be sent or received: {error.strerror or error}"


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
    hint = f" prepay-sim meter --port udp:{address}" if here(host) else ""
    nobody = f"no answer from {address}: nobody listens there; is the meter running?{hint}"
    return UdpTransport(connected, now, nobody)
