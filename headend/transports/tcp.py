"""``tcp:HOST:PORT``: DLMS over the TCP wrapper."""

import errno
import socket
from collections.abc import Mapping
from typing import Any

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable
from headend.transports import OPEN_TIMEOUT, LinkKind, TransportClosed
from headend.waiting import readable
from protocol.timing import Instant

LINK = LinkKind.WRAPPER

_CHUNK = 4096
#: A peer that takes nothing for so long has gone, in seconds.
_WRITE_TIMEOUT = 10.0
#: Names of this machine, where a simulated meter may run.
_HERE = ("localhost", "::1")


class TcpTransport:
    """Octets over one TCP connection.

    Args:
        connection: a connected socket; the transport closes it.
        now: the clock that deadlines are told by.
    """

    def __init__(self, connection: socket.socket, now: Clock) -> None:
        self._socket = connection
        self._now = now
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(_WRITE_TIMEOUT)

    def read(self, deadline: Instant) -> bytes:
        """Return what has come, or ``b""`` once ``deadline`` is reached."""
        wait = max(0, deadline - self._now())
        try:
            if not readable(self._socket.fileno(), wait):
                return b""
            octets = self._socket.recv(_CHUNK)
        except OSError as error:
            raise TransportClosed(f"the connection broke: {error.strerror or error}") from error
        if not octets:
            raise TransportClosed("the meter closed the connection")
        return octets

    def write(self, octets: bytes) -> None:
        """Send all of ``octets``."""
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise TransportClosed(f"the connection broke: {error.strerror or error}") from error

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return our address and port, and the meter's."""
        return ends_of(self._socket)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def ends_of(connected: socket.socket) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return both addresses and ports of a connected socket, as a capture shows them."""
    here, there = connected.getsockname()[:2], connected.getpeername()[:2]
    return here, there


def place(address: str) -> str:
    """Return the address itself: it means the same everywhere."""
    return address


def parse_address(address: str, *, least_port: int = 1) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        PortUnusable: it is not that.
    """
    host, _, digits = address.rpartition(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else -1
    if not host or not least_port <= number < 65536:
        raise PortUnusable(f"{address!r} is no address: write HOST:PORT")
    return host.strip("[]"), number


def here(host: str) -> bool:
    """Whether a host is this machine, where a simulated meter may run."""
    return host in _HERE or host.startswith("127.")


def start_hint(scheme: str, address: str, host: str) -> str:
    """Return how a simulated meter is started there; empty on another machine."""
    if not here(host):
        return ""
    return f"is the meter running? prepay-sim meter --port {scheme}:{address}"


def _plain(host: str) -> Any:  # octets too, which typeshed does not know of
    """Return an IPv4 address as octets: for a text, socket loads the tables of IDNA."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):  # a name, or what no host is called
        return host
    return host.encode("ascii")


def open_transport(
    address: str, options: Mapping[str, str], now: Clock, scheme: str = "tcp"
) -> TcpTransport:
    """Connect to ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        PortUnusable: the address cannot be understood.
        NoAnswer: there is no such host, nobody listens there, or not in time.
    """
    if options:
        known = "no option" if scheme == "tcp" else "the options window and length, not"
        raise PortUnusable(f"a port {scheme}: has {known} {next(iter(options))!r}")
    host, port = parse_address(address)
    try:
        connection = socket.create_connection((_plain(host), port), timeout=OPEN_TIMEOUT / 1000)
    except TimeoutError as error:
        raise NoAnswer(f"no answer from {address}: connecting took too long") from error
    except socket.gaierror as error:
        raise NoAnswer(f"no answer: {host!r} is no known host") from error
    except UnicodeError as error:  # no name that a host could have
        raise PortUnusable(f"{host!r} is no known host") from error
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            refused = f"no answer from {address}: connection refused"
            raise NoAnswer(refused, start_hint(scheme, address, host)) from error
        raise NoAnswer(f"no answer from {address}: {error.strerror or error}") from error
    return TcpTransport(connection, now)
