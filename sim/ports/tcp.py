"""``tcp:HOST:PORT``: the DLMS wrapper over TCP; each connection is a line of its own."""

import contextlib
import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector

from meter_fw.board import PortId, PortKind
from sim.ports.addresses import bound, client_host, parse_address
from sim.ports.base import News, Ready
from sim.ports.stream import Stream

SCHEME = "tcp"
FORM = "tcp:HOST:PORT"
SUMMARY = "the DLMS wrapper over TCP; port 0 takes a free one"

#: Connections at a time; a further one drives out the one that was answered before all others.
CONNECTION_LIMIT = 16
#: Seconds after an answer in which nobody is driven out; if all are served, who comes is closed.
GRACE = 5.0


class TcpPort:
    """A listening socket and its connections.

    Args:
        scheme: how clients name this port, ``tcp`` or ``hdlc+tcp``.
        kind: what is spoken on its connections.
        address: host and port to listen at; port 0 takes a free one.
        selector: the world's.
        timer: seconds, from no particular moment.

    Raises:
        PortError: the address cannot be listened at.
    """

    def __init__(
        self,
        scheme: str,
        kind: PortKind,
        address: tuple[str, int],
        selector: BaseSelector,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._selector = selector
        self._listener = bound(address, socket.SOCK_STREAM, CONNECTION_LIMIT)
        host, port = self._listener.getsockname()[:2]
        self._spec = f"{scheme}:{client_host(host)}:{port}"
        self._timer = timer
        self._connections: dict[PortId, tuple[socket.socket, Stream]] = {}
        self._answered: dict[PortId, float] = {}  # when; the one last answered at the end
        self._accepted = 0
        self._fresh = News()
        callback: Ready = self._on_ready
        selector.register(self._listener, EVENT_READ, callback)

    @property
    def client_spec(self) -> str:
        """The scheme and the address really listened at; a loopback one for a wildcard."""
        return self._spec

    def collect(self) -> News:
        """Return new connections, octets received and connections that ended."""
        news, self._fresh = self._fresh, News()
        for line, (connection, stream) in list(self._connections.items()):
            data = stream.take()
            if data:
                news.rx[line] = data
            elif stream.ended:  # in the turn after its last octets, so that they are answered
                self._drop(line, connection)
                news.closed.add(line)
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Write to a connection; one that does not read is dropped."""
        if line in self._connections:
            self._answered_now(line)
            self._connections[line][1].write(data)

    def hang_up(self, line: PortId) -> None:
        """End a connection once its octets are out."""
        if line in self._connections:
            self._connections[line][1].finish()

    def close(self) -> None:
        """Stop listening and end every connection."""
        if self._listener.fileno() >= 0:
            self._selector.unregister(self._listener)
            self._listener.close()
        for line, (connection, stream) in list(self._connections.items()):
            stream.end()
            self._drop(line, connection)

    def _on_ready(self, _mask: int) -> None:
        try:
            connection, _peer = self._listener.accept()
        except OSError:
            return  # gone again before it was taken
        if len(self._connections) >= CONNECTION_LIMIT and not self._make_room():
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._accepted += 1
        line = PortId(f"{self._spec}#{self._accepted}")
        self._connections[line] = connection, Stream(connection.fileno(), self._selector)
        self._answered_now(line)
        self._fresh.opened[line] = self._kind

    def _answered_now(self, line: PortId) -> None:
        self._answered.pop(line, None)
        self._answered[line] = self._timer()

    def _make_room(self) -> bool:
        """End the connection that was answered before all others, if that is a while ago.

        Strangers who connect and say no more, or nothing that is worth an answer, must not keep
        others out for two minutes.
        """
        line, answered = next(iter(self._answered.items()))
        if self._timer() - answered < GRACE:
            return False
        connection, stream = self._connections[line]
        stream.end()
        self._drop(line, connection)
        self._fresh.closed.add(line)
        return True

    def _drop(self, line: PortId, connection: socket.socket) -> None:
        del self._connections[line]
        del self._answered[line]
        with contextlib.suppress(OSError):  # the peer may have reset it
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def open_port(rest: str, selector: BaseSelector) -> TcpPort:
    """Open the port that ``tcp:`` and ``rest`` name.

    Raises:
        PortSpecError: ``rest`` is not HOST:PORT.
        PortError: the address cannot be listened at.
    """
    return TcpPort(SCHEME, PortKind.WRAPPER, parse_address(SCHEME, rest), selector)
