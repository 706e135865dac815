"""A meter's UDP port, and the calls that it makes, on real sockets."""

import socket
import time
from collections.abc import Callable, Iterator
from selectors import BaseSelector, DefaultSelector

import pytest

from meter_fw.board import Dial, PortId, PortKind
from protocol.wrapper import build_header
from sim.ports import open_port
from sim.ports.base import News, PortError, PortSpecError
from sim.ports.calls import Calls, resolve
from sim.ports.udp import ADDRESS_LIMIT, UdpPort

PATIENCE = 20.0
HELLO = build_header(16, 1, 5) + b"hello"
ANSWER = build_header(1, 16, 2) + b"ok"


@pytest.fixture
def selector() -> Iterator[BaseSelector]:
    """A selector for one test."""
    with DefaultSelector() as made:
        yield made


@pytest.fixture
def port(selector: BaseSelector) -> Iterator[UdpPort]:
    """A port at a free number of this machine."""
    opened = open_port("udp:127.0.0.1:0", selector)
    assert isinstance(opened, UdpPort)
    yield opened
    opened.close()


@pytest.fixture
def calls(selector: BaseSelector) -> Iterator[Calls]:
    """The calls of one meter."""
    made = Calls(selector)
    yield made
    made.close()


def client(port: UdpPort) -> socket.socket:
    """Return a client's socket, connected to the port."""
    host, number = port.client_spec.removeprefix("udp:").rsplit(":", 1)
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect((host, int(number)))
    made.settimeout(PATIENCE)
    return made


def turn(selector: BaseSelector, collect: Callable[[], News]) -> News:
    """Wait for something to happen, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for key, mask in selector.select(0.05):
            key.data(mask)
        if news := collect():
            return news
    raise AssertionError("nothing happened")


def test_each_address_is_a_line_of_its_own(port: UdpPort, selector: BaseSelector) -> None:
    """And is answered at that address."""
    lines = {}
    with client(port) as first, client(port) as second:
        for each in (first, second):
            each.send(HELLO)
            news = turn(selector, port.collect)
            ((line, octets),) = news.rx.items()
            assert (octets, news.opened) == (HELLO, {line: PortKind.UDP})
            lines[each] = line
        for each, line in lines.items():
            port.send(line, ANSWER)
            assert each.recv(100) == ANSWER


def test_one_datagram_a_turn(port: UdpPort, selector: BaseSelector) -> None:
    """So that the firmware sees where each one ends."""
    with client(port) as each:
        for number in range(3):
            each.send(bytes((number,)) * 3)
        for _ in range(5):  # a firmware that is slow to come
            for key, mask in selector.select(PATIENCE):
                key.data(mask)
        heard = [next(iter(turn(selector, port.collect).rx.values())) for _ in range(3)]
    assert heard == [b"\0\0\0", b"\1\1\1", b"\2\2\2"]


def test_what_the_firmware_says_at_once_goes_in_datagrams(
    port: UdpPort, selector: BaseSelector
) -> None:
    """Each with its header."""
    with client(port) as each:
        each.send(HELLO)
        ((line, _),) = turn(selector, port.collect).rx.items()
        port.send(line, ANSWER * 2)
        assert [each.recv(100), each.recv(100)] == [ANSWER, ANSWER]


def test_the_address_that_was_silent_longest_goes(port: UdpPort, selector: BaseSelector) -> None:
    """When one more comes than there is room for."""
    made = [client(port) for _ in range(ADDRESS_LIMIT + 1)]
    lines: list[PortId] = []
    for each in made:
        each.send(HELLO)
        news = turn(selector, port.collect)
        lines += news.rx
    assert news.closed == {lines[0]}
    made[0].send(HELLO)  # who comes again is somebody new
    news = turn(selector, port.collect)
    assert set(news.opened) == set(news.rx) != {lines[0]}
    for each in made:
        each.close()


def test_a_line_that_was_hung_up_is_forgotten(port: UdpPort, selector: BaseSelector) -> None:
    """Nothing goes there any more."""
    with client(port) as each:
        each.send(HELLO)
        ((line, _),) = turn(selector, port.collect).rx.items()
        port.hang_up(line)
        port.send(line, ANSWER)
        each.settimeout(0.1)
        with pytest.raises(TimeoutError):
            each.recv(100)


def test_an_address_that_is_taken_is_an_error(port: UdpPort, selector: BaseSelector) -> None:
    """Told in one line."""
    with pytest.raises(PortError, match="cannot listen"):
        open_port(port.client_spec, selector)


@pytest.mark.parametrize("spec", ["udp:", "udp:4059", "udp:host:x", "udp:host:70000"])
def test_what_is_no_address_is_an_error(spec: str, selector: BaseSelector) -> None:
    """With the form that it should have."""
    with pytest.raises(PortSpecError, match="HOST:PORT"):
        open_port(spec, selector)


# --- calls ---------------------------------------------------------------------------------------


def test_a_call_over_tcp_comes_through(calls: Calls, selector: BaseSelector) -> None:
    """And octets go both ways until it is hung up."""
    port = PortId("push#1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        calls.dial(port, Dial(PortKind.WRAPPER, f"127.0.0.1:{number}"))
        assert turn(selector, calls.collect).opened == {port: PortKind.WRAPPER}
        taken, _ = server.accept()
        with taken:
            calls.send(port, HELLO)
            assert taken.recv(100) == HELLO
            taken.send(ANSWER)
            assert turn(selector, calls.collect).rx == {port: ANSWER}
            calls.hang_up(port)
            assert turn(selector, calls.collect).closed == {port}
            assert taken.recv(100) == b""


def test_a_call_over_udp_is_open_at_once(calls: Calls, selector: BaseSelector) -> None:
    """Each datagram by itself."""
    port = PortId("push#1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        calls.dial(port, Dial(PortKind.UDP, f"127.0.0.1:{server.getsockname()[1]}"))
        assert calls.collect().opened == {port: PortKind.UDP}
        calls.send(port, HELLO * 2)
        heard, address = server.recvfrom(100)
        assert (heard, server.recv(100)) == (HELLO, HELLO)
        server.sendto(ANSWER, address)
        assert turn(selector, calls.collect).rx == {port: ANSWER}


@pytest.mark.parametrize("kind", [PortKind.WRAPPER, PortKind.UDP])
def test_a_call_that_nobody_takes_fails(
    kind: PortKind, calls: Calls, selector: BaseSelector
) -> None:
    """As soon as the network says so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    port = PortId("push#1")
    calls.dial(port, Dial(kind, f"127.0.0.1:{number}"))
    if kind is PortKind.UDP:
        calls.collect()
        calls.send(port, HELLO)
    assert turn(selector, calls.collect).closed == {port}
    calls.send(port, HELLO)  # goes nowhere
    calls.hang_up(port)


@pytest.mark.parametrize("address", ["", "nowhere", "no.such.host.invalid:1", "[::1:1", "\xff:1"])
def test_an_address_that_is_none_fails_without_a_wait(address: str, calls: Calls) -> None:
    """No name server is asked: a head-end may have set it to anything."""
    calls.dial(PortId("push#1"), Dial(PortKind.UDP, address))
    assert calls.collect().closed == {PortId("push#1")}


def test_a_call_can_be_given_up(calls: Calls, selector: BaseSelector) -> None:
    """Before it came through, without a trace."""
    calls.dial(PortId("push#1"), Dial(PortKind.WRAPPER, "192.0.2.1:4059"))
    calls.hang_up(PortId("push#1"))
    assert not calls.collect()
    assert not selector.get_map()


@pytest.mark.parametrize(
    ("spec", "resolved"),
    [
        ("", ""),
        ("udp:127.0.0.1:4059", "udp:127.0.0.1:4059"),
        ("tcp:[::1]:4059", "tcp:[::1]:4059"),
    ],
)
def test_a_destination_is_resolved_when_the_meter_is_made(spec: str, resolved: str) -> None:
    """To numbers."""
    assert resolve(spec) == resolved


@pytest.mark.parametrize("spec", ["serial:/dev/null", "udp:host", "udp:127.0.0.1:0", "4059"])
def test_a_destination_that_is_none_is_an_error(spec: str) -> None:
    """Of usage."""
    with pytest.raises(PortSpecError):
        resolve(spec)
