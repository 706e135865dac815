"""Ports that the firmware opens by calling somebody, over TCP or UDP: a push goes out so.

Nothing here waits: a connection that is not there yet is looked at when the selector says that
it is, or given up when the firmware's patience ends. Hosts are numbers, for asking a name server
would wait; ``resolve`` does that once, when the meter is put together.
"""

import socket
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from meter_fw.board import Dial, PortId, PortKind
from protocol.udp import MAX_DATAGRAM, datagrams
from sim.ports.addresses import client_host, parse_address
from sim.ports.base import News, PortError, PortSpecError, Ready
from sim.ports.stream import Stream

_SCHEMES = ("tcp", "udp")


class Calls:
    """Every call of one meter.

    Args:
        selector: the world's.
    """

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._sockets: dict[PortId, socket.socket] = {}
        self._kinds: dict[PortId, PortKind] = {}
        self._streams: dict[PortId, Stream] = {}
        self._fresh = News()

    def dial(self, port: PortId, whom: Dial) -> None:
        """Begin to call; the outcome is news."""
        try:
            self._sockets[port] = connecting = _connecting(whom)
        except (OSError, UnicodeError, PortSpecError):
            self._fresh.closed.add(port)
            return
        self._kinds[port] = whom.kind
        if whom.kind is PortKind.UDP:
            self._fresh.opened[port] = whom.kind
            self._watch(connecting, EVENT_READ, lambda mask: self._on_datagram(port))
        else:
            self._watch(connecting, EVENT_WRITE, lambda mask: self._on_connected(port))

    def collect(self) -> News:
        """Return calls that came through or failed, and octets received."""
        news, self._fresh = self._fresh, News()
        for port, stream in list(self._streams.items()):
            data = stream.take()
            if data:
                news.rx[port] = data
            elif stream.ended:
                self._drop(port)
                news.closed.add(port)
        return news

    def send(self, port: PortId, data: bytes) -> None:
        """Send; octets for a call that is over are lost."""
        if port in self._streams:
            self._streams[port].write(data)
        elif port in self._sockets and self._kinds[port] is PortKind.UDP:
            for datagram in datagrams(data):
                with suppress(OSError):
                    self._sockets[port].send(datagram)

    def hang_up(self, port: PortId) -> None:
        """End a call once its octets are out."""
        if port in self._streams:
            self._streams[port].finish()
        elif port in self._sockets:
            self._selector.unregister(self._sockets[port])
            self._drop(port)

    def close(self) -> None:
        """End every call."""
        for stream in self._streams.values():
            stream.end()
        for port in list(self._sockets):
            if port not in self._streams:
                self._selector.unregister(self._sockets[port])
            self._drop(port)

    def _watch(self, connecting: socket.socket, mask: int, callback: Ready) -> None:
        self._selector.register(connecting, mask, callback)

    def _on_connected(self, port: PortId) -> None:
        connecting = self._sockets[port]
        self._selector.unregister(connecting)
        if connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._drop(port)
            self._fresh.closed.add(port)
            return
        self._streams[port] = Stream(connecting.fileno(), self._selector)
        self._fresh.opened[port] = self._kinds[port]

    def _on_datagram(self, port: PortId) -> None:
        if port in self._fresh.rx:
            return  # not collected yet
        try:
            self._fresh.rx[port] = self._sockets[port].recv(MAX_DATAGRAM + 1)
        except BlockingIOError:
            return
        except OSError:  # nobody listens there
            self._selector.unregister(self._sockets[port])
            self._drop(port)
            self._fresh.closed.add(port)

    def _drop(self, port: PortId) -> None:
        self._streams.pop(port, None)
        self._kinds.pop(port)
        self._sockets.pop(port).close()


def resolve(spec: str) -> str:
    """Return ``tcp:HOST:PORT`` or ``udp:HOST:PORT`` with the host as a number.

    Nothing, and ``hdlc`` for the local HDLC port, where nobody is called, stay as they are.

    Raises:
        PortSpecError: it is neither.
        PortError: there is no such host.
    """
    if spec in ("", "hdlc"):
        return spec
    scheme, _, rest = spec.partition(":")
    if scheme not in _SCHEMES:
        raise PortSpecError(f"{spec!r}: write tcp:HOST:PORT, udp:HOST:PORT or hdlc")
    host, port = parse_address(scheme, rest)
    if not port:
        raise PortSpecError(f"{spec!r}: port 0 is nobody's")
    try:
        place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except (OSError, UnicodeError) as error:
        raise PortError(f"{spec!a}: no such host") from error
    return f"{scheme}:{client_host(str(place[0]))}:{port}"


def _connecting(whom: Dial) -> socket.socket:
    """Return a socket on its way.

    Raises:
        PortSpecError, UnicodeError, OSError: it cannot even begin.
    """
    host, port = parse_address("push", whom.address)
    kind = socket.SOCK_DGRAM if whom.kind is PortKind.UDP else socket.SOCK_STREAM
    family, kind, _, _, place = socket.getaddrinfo(
        host, port, type=kind, flags=socket.AI_NUMERICHOST
    )[0]
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        with suppress(BlockingIOError):
            made.connect(place)
    except OSError:
        made.close()
        raise
    return made
