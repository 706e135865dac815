"""``--http``: health, readiness and metrics, for whoever reaches the port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headend.errors import PortUnusable
from headend.observe import health
from headend.observe.health import HealthServer


@pytest.fixture
def wrong() -> dict[str, str | None]:
    """Return what the checks say."""
    return {"database": None, "engine": None}


@pytest.fixture
def server(wrong: dict[str, str | None]) -> Iterator[HealthServer]:
    """Return a server."""
    checks = {name: lambda name=name: wrong[name] for name in wrong}
    with HealthServer("127.0.0.1:0", checks, lambda: ("text/plain", b"figures 1\n")) as made:
        yield made


def ask(server: HealthServer, request: bytes, *, patience: float = 5.0) -> tuple[int, bytes]:
    """Return status and body of the answer; 0 where there is none."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience) as line:
        line.sendall(request)
        answer = b""
        try:
            while octets := line.recv(65536):
                answer += octets
        except ConnectionError:
            pass  # it was hung up on with something unread
    if not answer:
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3}) [\w ]+\r\n", head)
    assert found is not None
    assert f"Content-Length: {len(body)}".encode() in head or request.startswith(b"HEAD")
    return int(found[1]), body


def get(server: HealthServer, path: str) -> tuple[int, bytes]:
    """Return the answer to a GET."""
    return ask(server, f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())


def test_a_process_that_answers_is_alive(server: HealthServer) -> None:
    """Whatever else is wrong."""
    assert get(server, "/health") == (200, b'{"alive": true}\n')


def test_ready_says_what_is_wrong(server: HealthServer, wrong: dict[str, str | None]) -> None:
    """By its check; 503 until all of them are well."""
    status, body = get(server, "/ready")
    assert (status, json.loads(body)["ready"]) == (200, True)
    wrong["database"] = "it does not answer"
    status, body = get(server, "/ready?verbose=1")
    assert status == 503
    assert json.loads(body) == {
        "ready": False, "checks": {"database": "it does not answer", "engine": "ok"},
    }  # fmt: skip # an object


def test_metrics_are_given_as_they_are(server: HealthServer) -> None:
    """To GET and, without them, to HEAD."""
    assert get(server, "/metrics") == (200, b"figures 1\n")
    assert ask(server, b"HEAD /metrics HTTP/1.0\r\n\r\n") == (200, b"")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET /\xff\x00 HTTP/1.1\r\n\r\n", 404),
        (b"POST /health HTTP/1.1\r\n\r\n", 405),
        (b"\x16\x03\x01 hello\r\n\r\n", 400),
        (b"GET /health\r\n\r\n", 400),
        (b"GET /health SPDY/3\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 431),
    ],
)
def test_whatever_comes_is_answered(server: HealthServer, request_: bytes, status: int) -> None:
    """In a few words, and the next one is served."""
    assert ask(server, request_)[0] in (status, 0 if status == 431 else status)
    assert get(server, "/health")[0] == 200


def test_who_says_nothing_is_hung_up_on(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Octet by octet too: what counts is the whole request."""
    monkeypatch.setattr(health, "_SECONDS", 0.3)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        try:
            for _ in range(50):
                line.sendall(b"G")
                time.sleep(0.05)
        except OSError:
            pass  # hung up
    assert time.monotonic() - begun < 2
    assert ask(server, b"GET /hea")[0] == 408


def test_of_too_many_at_once_the_oldest_gives_way(server: HealthServer) -> None:
    """Whoever says nothing, on however many connections: the next one is served, and at once."""
    where = ("127.0.0.1", server.port)
    idle = [socket.create_connection(where, timeout=5) for _ in range(health._THREADS)]
    time.sleep(0.1)
    begun = time.monotonic()
    for _ in range(3):
        assert get(server, "/health")[0] == 200
    assert time.monotonic() - begun < health._SECONDS / 2
    assert idle[0].recv(1) == b""
    idle[-1].settimeout(0.05)
    with pytest.raises(TimeoutError):
        idle[-1].recv(1)  # the newest may still ask
    for each in idle:
        each.close()


@pytest.mark.parametrize(
    "address", ["9464", "127.0.0.1:x", "192.0.2.7:1", "no.such.host.invalid:1"]
)
def test_where_nobody_can_listen_is_said(address: str) -> None:
    """As an error of usage."""
    with pytest.raises(PortUnusable):
        HealthServer(address, {}, lambda: ("", b""))


def test_a_port_in_use_is_said(server: HealthServer) -> None:
    """Two services cannot have the same."""
    with pytest.raises(PortUnusable, match="in use"):
        HealthServer(f"127.0.0.1:{server.port}", {}, lambda: ("", b""))


def test_a_service_is_seen_from_outside(tmp_path: Path) -> None:
    """``prepay serve --http``: ready once it runs, with a log of JSON lines."""
    words = ["serve", "--http", "127.0.0.1:0", "--log-format", "json", "--db", "h.db"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREPAY_")}
    with subprocess.Popen(
        [sys.executable, "-c", "from headend.cli import main; main()", *words],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=clean | {"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as served:  # fmt: skip # one call
        assert served.stderr is not None
        port = None
        said = []
        for line in served.stderr:
            said.append(line)
            if line.startswith("{") and (port := json.loads(line).get("port")):
                break
        assert port is not None, said
        url = ("127.0.0.1", port)
        status = 0
        for _ in range(200):
            with socket.create_connection(url, timeout=5) as asked:
                asked.sendall(b"GET /ready HTTP/1.1\r\n\r\n")
                status = int(asked.recv(65536).split(b" ")[1])
            if status == 200:
                break
            time.sleep(0.05)
        assert status == 200
        with socket.create_connection(url, timeout=5) as asked:
            asked.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert b"text/plain; version=0.0.4" in asked.recv(65536)
        served.send_signal(signal.SIGTERM)
        _, rest = served.communicate(timeout=60)
    last = json.loads(rest.strip().splitlines()[-1])
    assert (last["event"], last["ended"]) == ("worker over", {})
    assert served.returncode == 0
