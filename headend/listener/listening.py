"""Listening for what meters say unasked, on TCP or UDP: the sockets under ``ears``.

What is there at one time is read together, kept together - one commit - and then confirmed.
What a source says beyond its rate is dropped unread, and a connection that does so is closed; a
meter says it again.
"""

import errno
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector

from headend.clock import Clock
from headend.errors import HeadendError, PortUnusable
from headend.listener.ears import Blocks, Ear, Heard, Identity, Keeper, Memory
from headend.listener.flood import Rates
from headend.transports import LinkKind, PortSpec
from headend.transports.tcp import parse_address
from protocol.events import Peer
from protocol.timing import Instant, earliest, later
from protocol.udp import MAX_DATAGRAM

#: Meters that may be connected at a time; a further one drives out the one silent the longest.
CONNECTIONS = 64
#: Addresses of datagrams that are remembered, for whom they come in pieces.
ADDRESSES = 256
#: Datagrams that are read together.
TOGETHER = 64
#: Datagrams, or pieces of a stream, that one host may send at once, and in a second: a
#: concentrator speaks for thousands of meters.
BURST, EACH_SECOND = 2_000, 400
_CHUNK = 4096
_KINDS = {"tcp": LinkKind.WRAPPER, "udp": LinkKind.DATAGRAMS}
#: What a meter that does not read may keep waiting, in seconds.
_WRITE_TIMEOUT = 1.0
#: What a process, or the machine, says that has no descriptor left ...
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})
#: ... how long nobody is taken then, in ms, and after which time it is said again.
_BREATH_MS, _COMPLAIN_MS = 200, 60_000


@dataclass(slots=True)
class _Said:
    """What one address said, on its way through the keeper.

    Args:
        ear: that read it.
        heard: what was read.
        whom: where confirmations go: a connection, or the address of datagrams.
    """

    ear: Ear
    whom: "socket.socket | tuple[str, int]"
    heard: list[Heard] = field(default_factory=list)


class Listener:
    """A port at which meters are heard; a context manager.

    Args:
        spec: ``tcp:HOST:PORT`` or ``udp:HOST:PORT``; port 0 takes a free one.
        identity: who listens.
        now: the clock.
        keeper: takes what was said before it is confirmed; remembers only counters unless told.

    Raises:
        PortUnusable: it cannot be listened there.
    """

    def __init__(
        self, spec: PortSpec, identity: Identity, now: Clock, keeper: Keeper | None = None
    ) -> None:
        if spec.scheme not in _KINDS or spec.options:
            raise PortUnusable(
                f"{spec} cannot be listened at: write tcp:HOST:PORT or udp:HOST:PORT, or the line "
                "of a meter, serial:PATH or hdlc+tcp:HOST:PORT"
            )
        self._kind = _KINDS[spec.scheme]
        self._scheme = spec.scheme
        self._identity = identity
        self._keeper = Memory() if keeper is None else keeper
        self._blocks = Blocks()
        self._rates = Rates(BURST, EACH_SECOND)
        self._now = now
        self._selector = DefaultSelector()
        self._socket = _bind(spec.address, self._kind)
        self._selector.register(self._socket, EVENT_READ)
        self._connections: dict[socket.socket, Ear] = {}
        self._addresses: dict[str, Ear] = {}
        self._resume: Instant | None = None  # when connections are taken again
        self._complained: Instant | None = None

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
            self._resume_accepting()
            dues = (ear.link.wake_at() for ear in self._connections.values())
            wake = earliest(until, self._resume, *dues)
            wait = None if wake is None else max(0, wake - self._now()) / 1000
            said: list[_Said] = []
            for key, _mask in self._selector.select(wait):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)  # nothing else was registered
                if ready in self._connections:
                    said += self._read(ready)
                elif ready is not self._socket:
                    continue  # driven out a moment ago
                elif self._kind is LinkKind.DATAGRAMS:
                    said += self._datagrams()
                else:
                    yield from self._accept()
            yield from self._settle(said)
            for connection, ear in list(self._connections.items()):
                due = ear.link.wake_at()
                if due is not None and due <= self._now():
                    ear.read(b"", self._now())
                    self._drop_if_broken(connection, ear)

    def _accept(self) -> Iterator[Heard]:
        """Take a connection; where no descriptor is left for it, say so and give one back."""
        try:
            connection, address = self._socket.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                yield from self._make_room()
            return  # else gone again
        if len(self._connections) >= CONNECTIONS:
            self._drop(self._superfluous())
        connection.settimeout(_WRITE_TIMEOUT)
        ear = self._ear(_named(address))
        ear.read(b"", self._now())  # from now on silence is counted
        self._connections[connection] = ear
        self._selector.register(connection, EVENT_READ)

    def _make_room(self) -> Iterator[Heard]:
        """Give a descriptor back, and take nobody for a while: who waits is always ready."""
        if self._connections:
            self._drop(self._superfluous())
        self._selector.unregister(self._socket)
        self._resume = later(self._now(), _BREATH_MS)
        if self._complained is None or later(self._complained, _COMPLAIN_MS) <= self._now():
            self._complained = self._now()
            yield Heard(self.place, Peer(0, 0), why="no file descriptor is left for connections")

    def _resume_accepting(self) -> None:
        if self._resume is not None and self._resume <= self._now():
            self._resume = None
            self._selector.register(self._socket, EVENT_READ)

    def _superfluous(self) -> socket.socket:
        """Return the connection silent the longest, of the host that has the most of them.

        Who connects and says nothing is no meter; nobody's connections keep all others out.
        """
        hosts = Counter(_host(ear.source) for ear in self._connections.values())
        most = max(hosts.values())
        return next(c for c, ear in self._connections.items() if hosts[_host(ear.source)] == most)

    def _ear(self, source: str) -> Ear:
        return Ear(self._kind, source, self._identity, self._keeper, self._blocks)

    def _read(self, connection: socket.socket) -> Iterator[_Said]:
        ear = self._connections.pop(connection)
        self._connections[connection] = ear  # the one last heard is at the end
        try:
            octets = connection.recv(_CHUNK)
        except OSError:
            octets = b""
        if octets and self._rates.allow(_host(ear.source), self._now()):
            yield _Said(ear, connection, ear.read(octets, self._now()))
        else:
            self._drop(connection)

    def _datagrams(self) -> Iterator[_Said]:
        for _ in range(TOGETHER):
            try:
                octets, address = self._socket.recvfrom(MAX_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                continue  # nobody was there where a confirmation went
            name = _named(address)
            if not self._rates.allow(_host(name), self._now()):
                continue
            ear = self._addresses.pop(name, None) or self._ear(name)
            self._addresses[name] = ear
            if len(self._addresses) > ADDRESSES:
                del self._addresses[next(iter(self._addresses))]
            yield _Said(ear, address, ear.read(octets, self._now()))

    def _settle(self, said: list[_Said]) -> Iterator[Heard]:
        """Have it kept, confirm what was, and only then tell."""
        read = [heard for each in said for heard in each.heard]
        try:
            kept = iter(self._keeper.keep(read, self._now()) if read else ())
        except HeadendError as error:  # the database is gone, or full: the meter says it again
            kept = iter([heard.refused(f"not kept: {error}") for heard in read])
        told = []
        for each in said:
            own = [next(kept) for _ in each.heard]
            try:
                told += each.ear.confirm(own, self._now())
            except HeadendError:  # no invocation counter could be leased: kept, not confirmed
                told += own
            self._flush(each)
        yield from told

    def _flush(self, said: _Said) -> None:
        confirmations = iter(said.ear.link.outgoing, b"")
        if not isinstance(said.whom, socket.socket):
            for confirmation in confirmations:
                with suppress(OSError):
                    self._socket.sendto(confirmation, said.whom)
        elif said.whom in self._connections:
            try:
                said.whom.sendall(b"".join(confirmations))
            except OSError:
                self._drop(said.whom)
            else:
                self._drop_if_broken(said.whom, said.ear)

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


def _host(name: str) -> str:
    return name.rpartition(":")[0]


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
