"""``udp:HOST:PORT``: the DLMS wrapper over UDP; each address that sends is a line of its own.

One datagram a turn is taken from the operating system, so that the firmware sees where each one
ends; the rest waits there, or is lost, as datagrams are.
"""

import socket
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import Any

from meter_fw.board import PortId, PortKind
from protocol.udp import MAX_DATAGRAM, datagrams
from sim.ports.addresses import bound, client_host, parse_address
from sim.ports.base import News, Ready

SCHEME = "udp"
FORM = "udp:HOST:PORT"
SUMMARY = "the DLMS wrapper over UDP; port 0 takes a free one"

#: Addresses at a time; a further one drives out the one that was last heard before all others.
ADDRESS_LIMIT = 8


class UdpPort:
    """A bound socket, and a line for each address that has sent something.

    Args:
        address: host and port to listen at; port 0 takes a free one.
        selector: the world's.

    Raises:
        PortError: the address cannot be listened at.
    """

    def __init__(self, address: tuple[str, int], selector: BaseSelector) -> None:
        self._selector = selector
        self._socket = bound(address, socket.SOCK_DGRAM)
        self._lines: dict[Any, PortId] = {}  # by address, the one last heard at the end
        self._met = 0
        self._fresh = News()
        callback: Ready = self._on_ready
        selector.register(self._socket, EVENT_READ, callback)

    @property
    def client_spec(self) -> str:
        """The scheme and the address really listened at; a loopback one for a wildcard."""
        host, port = self._socket.getsockname()[:2]
        return f"{SCHEME}:{client_host(host)}:{port}"

    def collect(self) -> News:
        """Return the datagram received, and lines that came and went."""
        news, self._fresh = self._fresh, News()
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Send the datagrams that stand in ``data``; what does not get through is lost."""
        for address, known in self._lines.items():
            if known == line:
                for datagram in datagrams(data):
                    with suppress(OSError):
                        self._socket.sendto(datagram, address)

    def hang_up(self, line: PortId) -> None:
        """Forget the address of a line; whoever is there becomes a new one."""
        self._lines = {address: known for address, known in self._lines.items() if known != line}

    def close(self) -> None:
        """Stop listening."""
        if self._socket.fileno() >= 0:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._lines.clear()

    def _on_ready(self, _mask: int) -> None:
        if self._fresh.rx:
            return  # not collected yet
        try:
            datagram, address = self._socket.recvfrom(MAX_DATAGRAM + 1)
        except OSError:
            return  # nobody was there where an answer went
        self._fresh.rx[self._line(address)] = datagram

    def _line(self, address: Any) -> PortId:
        line = self._lines.pop(address, None)
        if line is None:
            if len(self._lines) >= ADDRESS_LIMIT:
                self._fresh.closed.add(self._lines.pop(next(iter(self._lines))))
            self._met += 1
            line = PortId(f"{self.client_spec}#{self._met}")
            self._fresh.opened[line] = PortKind.UDP
        self._lines[address] = line
        return line


def open_port(rest: str, selector: BaseSelector) -> UdpPort:
    """Open the port that ``udp:`` and ``rest`` name.

    Raises:
        PortSpecError: ``rest`` is not HOST:PORT.
        PortError: the address cannot be listened at.
    """
    return UdpPort(parse_address(SCHEME, rest), selector)
