"""A small HTTP server beside a service: ``/health``, ``/ready`` and ``/metrics``.

| path | status | body |
|---|---|---|
| /health | 200 | the process answers |
| /ready | 200, 503 | each check and what is wrong with it |
| /metrics | 200 | see ``metrics`` |

Whoever can reach the port may ask; nothing here changes anything or tells of a customer. A
stranger gets few threads, few octets and little time: a request is read up to its blank line or
``_LONGEST`` octets, within ``_SECONDS`` from its first octet to its last, and answered once. When
all threads are busy the newest is served all the same: the oldest of whoever has the most is hung
up on, so that nobody's idle connections make a process look dead.
"""

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from headend.errors import PortUnusable
from headend.transports.tcp import parse_address

#: Octets of a request's head.
_LONGEST: Final = 4096
#: How long a request may take to come, and its answer to go.
_SECONDS: Final = 2.0
#: Requests at a time; a further one drives out another.
_THREADS: Final = 8
#: How long a thread that was driven out may take to end: a check may be asking a database.
_LEAVING: Final = 0.5
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}  # fmt: skip # a table
_JSON: Final = "application/json"

#: Says what is wrong; None when nothing is.
Check = Callable[[], str | None]
#: Status, media type and body.
Answer = tuple[int, str, bytes]


class HealthServer:
    """The server, in threads of its own; a context manager.

    Args:
        address: ``HOST:PORT``; port 0 takes a free one.
        checks: what has to be well before the service is ready, by name.
        metrics: gives the metrics and their media type.

    Raises:
        PortUnusable: it cannot be listened there.
    """

    def __init__(
        self,
        address: str,
        checks: Mapping[str, Check],
        metrics: Callable[[], tuple[str, bytes]],
    ) -> None:
        host, port = parse_address(address, least_port=0)
        self._checks = checks
        self._metrics = metrics
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._server = _Server(family, (host, port), self.answer)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "no host to listen at"
            raise PortUnusable(f"--http {address[:64]!a}: {why}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="http", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "HealthServer":
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SECONDS)

    @property
    def port(self) -> int:
        """The port really listened at."""
        found: int = self._server.socket.getsockname()[1]
        return found

    def answer(self, path: str) -> Answer:
        """Return the answer to a GET."""
        if path == "/health":
            return 200, _JSON, b'{"alive": true}\n'
        if path == "/ready":
            wrong = {name: check() for name, check in self._checks.items()}
            ready = not any(wrong.values())
            told = {"ready": ready, "checks": {n: w or "ok" for n, w in wrong.items()}}
            return 200 if ready else 503, _JSON, json.dumps(told).encode() + b"\n"
        if path == "/metrics":
            return 200, *self._metrics()
        return 404, _JSON, b'{"error": "/health, /ready or /metrics"}\n'


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False  # a stranger who waits keeps no service from ending
    request_queue_size = 16

    def __init__(
        self, family: int, address: tuple[str, int], answer: Callable[[str], Answer]
    ) -> None:
        self.address_family = family
        self.answer = answer
        self._free = threading.BoundedSemaphore(_THREADS)
        self._busy: dict[socket.socket, str] = {}  # the host of each; the oldest first
        self._changing = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; when all of them are busy another request gives way."""
        if not self._free.acquire(blocking=False):
            self._drive_out()
            if not self._free.acquire(timeout=_LEAVING):
                self.shutdown_request(request)
                return
        with self._changing:
            self._busy[request] = str(client_address[0])
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and let the next one have the thread's place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, once nobody can drive it out any more."""
        with self._changing:
            self._busy.pop(request, None)
        super().shutdown_request(request)

    def _drive_out(self) -> None:
        """Hang up on the oldest request of the host that has the most."""
        with self._changing:
            hosts = Counter(self._busy.values())
            most = max(hosts.values(), default=0)
            for request, host in self._busy.items():
                if hosts[host] == most:
                    del self._busy[request]
                    with suppress(OSError):  # it went by itself
                        request.shutdown(socket.SHUT_RDWR)  # its thread wakes, and closes it
                    return

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a stranger who goes is no event."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Read one request, answer it, hang up."""
        request: socket.socket = self.request
        try:
            self._send(*self._answer(_head(request)))
        except OSError:
            return  # it went, or took nothing

    def _answer(self, head: bytes | int) -> Answer:
        if isinstance(head, int):
            return head, _JSON, b""
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return 400, _JSON, b""
        if words[0] not in (b"GET", b"HEAD"):
            return 405, _JSON, b""
        status, media, body = self.server.answer(words[1].partition(b"?")[0].decode("latin-1"))
        return status, media, body if words[0] == b"GET" else b""

    def _send(self, status: int, media: str, body: bytes) -> None:
        allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {media}\r\n"
            f"Content-Length: {len(body)}\r\n{allow}Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        self.request.settimeout(_SECONDS)
        self.request.sendall(head.encode("ascii") + body)


def _head(request: socket.socket) -> bytes | int:
    """Return the head of a request, or the status that says why there is none.

    Raises:
        OSError: the line broke.
    """
    until = time.monotonic() + _SECONDS
    head = b""
    while b"\r\n\r\n" not in head:
        left = until - time.monotonic()
        if left <= 0:
            return 408
        request.settimeout(left)
        try:
            octets = request.recv(_LONGEST)
        except TimeoutError:
            return 408
        if not octets:
            return 400
        head += octets
        if len(head) > _LONGEST:
            return 431
    return head
