"""Listening for what meters say unasked, on TCP or UDP: the sockets under ``headend.ears``."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from headend.clock import Clock
from headend.ears import Ear, Heard, Identity, Memory
from headend.errors import PortUnusable
from headend.transports import LinkKind, PortSpec
from headend.transports.tcp import parse_address
from protocol.timing import Instant, earliest
from protocol.udp import MAX_DATAGRAM

#: Meters that may be connected at a time; a further one drives out the one silent the longest.
CONNECTIONS = 64
#: Addresses of datagrams that are remembered, for whom they come in pieces.
ADDRESSES = 256
_CHUNK = 4096
_KINDS = {"tcp": LinkKind.WRAPPER, "udp": LinkKind.DATAGRAMS}
#: What a meter that does not read may keep waiting, in seconds.
_WRITE_TIMEOUT = 1.0


class Listener:
    """A port at which meters are heard; a context manager.

    Args:
        spec: ``tcp:HOST:PORT`` or ``udp:HOST:PORT``; port 0 takes a free one.
        identity: who listens.
        now: the clock.

    Raises:
        PortUnusable: it cannot be listened there.
    """

    def __init__(self, spec: PortSpec, identity: Identity, now: Clock) -> None:
        if spec.scheme not in _KINDS or spec.options:
            raise PortUnusable(
                f"{spec} cannot be listened at: write tcp:HOST:PORT or udp:HOST:PORT, or the line "
                "of a meter, serial:PATH or hdlc+tcp:HOST:PORT"
            )
        self._kind = _KINDS[spec.scheme]
        self._scheme = spec.scheme
        self._identity = identity
        self._memory = Memory()
        self._now = now
        self._selector = DefaultSelector()
        self._socket = _bind(spec.address, self._kind)
        self._selector.register(self._socket, EVENT_READ)
        self._connections: dict[socket.socket, Ear] = {}
        self._addresses: dict[str, Ear] = {}

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in [*self._connections, self._socket]:
            connection.close()
        self._selector.close()

    @property
    def place(self) -> str:
        """The spec of the address really listened at."""
        return f"{self._scheme}:{_named(self._socket.getsockname())}"

    def hear(self, until: Instant | None) -> Iterator[Heard]:
        """Yield what is heard, until a moment of the clock or, with None, for ever."""
        while until is None or self._now() < until:
            wake = earliest(until, *(ear.link.wake_at() for ear in self._connections.values()))
            wait = None if wake is None else max(0, wake - self._now()) / 1000
            for key, _mask in self._selector.select(wait):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)  # nothing else was registered
                if ready in self._connections:
                    yield from self._read(ready)
                elif ready is not self._socket:
                    continue  # driven out a moment ago
                elif self._kind is LinkKind.DATAGRAMS:
                    yield from self._datagram()
                else:
                    self._accept()
            for connection, ear in list(self._connections.items()):
                due = ear.link.wake_at()
                if due is not None and due <= self._now():
                    ear.receive(b"", self._now())
                    self._drop_if_broken(connection, ear)

    def _accept(self) -> None:
        with suppress(OSError):  # gone again
            connection, address = self._socket.accept()
            if len(self._connections) >= CONNECTIONS:  # who connects and says nothing is no meter
                self._drop(next(iter(self._connections)))
            connection.settimeout(_WRITE_TIMEOUT)
            ear = Ear(self._kind, _named(address), self._identity, self._memory)
            ear.receive(b"", self._now())  # from now on silence is counted
            self._connections[connection] = ear
            self._selector.register(connection, EVENT_READ)

    def _read(self, connection: socket.socket) -> Iterator[Heard]:
        ear = self._connections.pop(connection)
        self._connections[connection] = ear  # the one last heard is at the end
        try:
            octets = connection.recv(_CHUNK)
        except OSError:
            octets = b""
        if not octets:
            self._drop(connection)
            return
        heard = ear.receive(octets, self._now())
        try:  # before anybody is told: he may have heard enough
            connection.sendall(b"".join(iter(ear.link.outgoing, b"")))
        except OSError:
            self._drop(connection)
        else:
            self._drop_if_broken(connection, ear)
        yield from heard

    def _datagram(self) -> Iterator[Heard]:
        try:
            octets, address = self._socket.recvfrom(MAX_DATAGRAM)
        except OSError:
            return  # nobody was there where a confirmation went
        name = _named(address)
        ear = self._addresses.pop(name, None) or Ear(self._kind, name, self._identity, self._memory)
        self._addresses[name] = ear
        if len(self._addresses) > ADDRESSES:
            del self._addresses[next(iter(self._addresses))]
        heard = ear.receive(octets, self._now())
        for confirmation in iter(ear.link.outgoing, b""):
            with suppress(OSError):
                self._socket.sendto(confirmation, address)
        yield from heard

    def _drop_if_broken(self, connection: socket.socket, ear: Ear) -> None:
        if ear.link.broken:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        del self._connections[connection]
        self._selector.unregister(connection)
        connection.close()


def _named(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(address: str, kind: LinkKind) -> socket.socket:
    host, port = parse_address(address, least_port=0)
    wanted = socket.SOCK_DGRAM if kind is LinkKind.DATAGRAMS else socket.SOCK_STREAM
    try:
        family, made, _, _, place = socket.getaddrinfo(
            host, port, type=wanted, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, made)
    except (OSError, UnicodeError) as error:
        raise PortUnusable(f"{host[:64]!a} is no host to listen at") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        if kind is not LinkKind.DATAGRAMS:
            bound.listen(CONNECTIONS)
    except OSError as error:
        bound.close()
        raise PortUnusable(f"cannot listen at {address}: {error.strerror}") from error
    return bound
