"""Transports on real sockets and pseudo-terminals."""

import os
import pty
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headend.clock import system_clock
from headend.errors import NoAnswer, PortUnusable
from headend.transports import (
    LinkKind,
    PortSpec,
    Transport,
    TransportClosed,
    open_transport,
    schemes,
)
from protocol.hdlc import HdlcParameters
from protocol.timing import Instant, later

now = system_clock()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def soon() -> Instant:
    """Return a deadline that nobody waits for when all is well."""
    return later(now(), 5_000)


def opened(spec: str) -> Transport:
    """Open the transport of a spec."""
    return open_transport(PortSpec.parse(spec), now)


def read_exactly(transport: Transport, count: int) -> bytes:
    """Return the next octets."""
    octets = b""
    while len(octets) < count:
        some = transport.read(soon())
        assert some, "nothing came in time"
        octets += some
    return octets


# --- specs -------------------------------------------------------------------------------------


def test_every_scheme_has_a_link_a_place_and_an_opener() -> None:
    """A transport is one file; this walks them."""
    assert schemes() == ("hdlc+tcp", "optical", "optical+tcp", "serial", "tcp", "udp")
    links = {scheme: PortSpec(scheme, "x").link for scheme in schemes()}
    assert links == {
        "hdlc+tcp": LinkKind.HDLC,
        "optical": LinkKind.HDLC,
        "optical+tcp": LinkKind.HDLC,
        "serial": LinkKind.HDLC,
        "tcp": LinkKind.WRAPPER,
        "udp": LinkKind.DATAGRAMS,
    }


def test_a_spec_and_its_text_are_inverses() -> None:
    """Scheme, address and options."""
    text = "serial:./meter0?baud=9600&x=1"
    spec = PortSpec.parse(text)
    assert (spec.scheme, spec.address) == ("serial", "./meter0")
    assert str(spec) == text


@pytest.mark.parametrize(
    "text", ["", "serial", "serial:", "nosuch:x", "tcp:", "serial:x?baud", "serial:x?=1", ":x"]
)
def test_what_is_no_spec_is_wrong_usage(text: str) -> None:
    """And the message says how to write one."""
    with pytest.raises(PortUnusable, match=r"write|port"):
        PortSpec.parse(text)


def test_the_same_place_has_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A serial path counts from the working directory, and its options are no part of it."""
    monkeypatch.chdir(tmp_path)
    absolute = f"serial:{tmp_path / 'meter0'}"
    assert PortSpec.parse("serial:./meter0?baud=300").place == absolute
    assert PortSpec.parse(absolute).place == absolute


# --- TCP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "hdlc+tcp"])
def test_octets_pass_both_ways_over_tcp(scheme: str, listener: socket.socket) -> None:
    """Also more of them than one read takes."""
    host, port = listener.getsockname()
    transport = opened(f"{scheme}:{host}:{port}")
    peer, _ = listener.accept()
    with peer:
        many = bytes(range(256)) * 100
        transport.write(b"question")
        assert peer.recv(100) == b"question"
        sender = threading.Thread(target=peer.sendall, args=(many,))
        sender.start()
        assert read_exactly(transport, len(many)) == many
        sender.join()
        assert transport.read(now()) == b""
    with pytest.raises(TransportClosed):
        transport.read(soon())
    transport.close()
    transport.close()


def test_a_silent_peer_is_waited_for_until_the_deadline(listener: socket.socket) -> None:
    """And no longer: the empty answer comes when the clock says so."""
    host, port = listener.getsockname()
    transport = opened(f"tcp:{host}:{port}")
    deadline = later(now(), 50)
    assert transport.read(deadline) == b""
    assert now() >= deadline
    transport.close()


def test_nobody_listening_is_no_answer(listener: socket.socket) -> None:
    """Connection refused: the meter is not there, the spec is right."""
    host, port = listener.getsockname()
    listener.close()
    for scheme in ("tcp", "hdlc+tcp"):
        with pytest.raises(NoAnswer, match=r"refused$") as refused:
            opened(f"{scheme}:{host}:{port}")
        start = f"is the meter running? prepay-sim meter --port {scheme}:{host}:{port}"
        assert refused.value.hint == start


def test_an_unknown_host_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec can be understood, so it is not wrong usage."""

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", nobody)  # no name server is asked
    with pytest.raises(NoAnswer, match=r"'meter\.invalid' is no known host"):
        opened("tcp:meter.invalid:4059")


@pytest.mark.parametrize(
    "address", ["localhost", ":4059", "localhost:", "localhost:0", "localhost:65536", "h:٣", "h:-1"]
)
def test_what_is_no_tcp_address_is_wrong_usage(address: str) -> None:
    """HOST:PORT, with a port of 1 to 65535."""
    with pytest.raises(PortUnusable):
        opened(f"tcp:{address}")


def test_an_unknown_option_is_wrong_usage() -> None:
    """TCP has none, a serial port has one."""
    with pytest.raises(PortUnusable, match="option"):
        opened("tcp:localhost:4059?baud=9600")
    with pytest.raises(PortUnusable, match="baud"):
        opened("serial:/dev/null?parity=7")


# --- serial ------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the meter's end, and the path of the other."""
    master, slave = pty.openpty()
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_octets_pass_both_ways_over_a_pty(terminal: tuple[int, str]) -> None:
    """Every octet value arrives as it is: no echo, no translation."""
    master, path = terminal
    transport = opened(f"serial:{path}?baud=115200")
    every = bytes(range(256))
    transport.write(every)
    received = b""
    while len(received) < 256:
        received += os.read(master, 4096)
    assert received == every
    os.write(master, every)
    assert read_exactly(transport, 256) == every
    assert transport.read(later(now(), 10)) == b""
    transport.close()


def test_a_serial_port_has_one_user(terminal: tuple[int, str]) -> None:
    """Two head-ends on one line would garble each other."""
    _, path = terminal
    transport = opened(f"serial:{path}")
    with pytest.raises(PortUnusable, match="in use"):
        opened(f"serial:{path}")
    transport.close()


def test_a_serial_port_that_is_not_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meter that does not run, or a cable that is not plugged in; each with what to look at."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for path in ("./meter0", "./dangling"):
        with pytest.raises(NoAnswer, match=re.escape(f"{path} does not exist")) as gone:
            opened(f"serial:{path}")
        assert gone.value.hint == f"is the meter running? prepay-sim meter --port pty:{path}"
    with pytest.raises(NoAnswer, match=r"does not exist$") as gone:
        opened("serial:/dev/nosuchport")
    assert gone.value.hint == "is it plugged in?"


def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    """A file, a folder; and a baud rate that is none."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    for address, why in (
        (str(file), "not a serial port"),
        (str(tmp_path), "not a serial port"),
        ("/dev/null?baud=fast", "baud"),
    ):
        with pytest.raises(PortUnusable, match=why):
            opened(f"serial:{address}")


@pytest.mark.parametrize(
    ("spec", "proposed"),
    [
        ("hdlc+tcp:127.0.0.1:4060", HdlcParameters()),
        ("serial:./meter0?window=7", HdlcParameters(128, 128, 7, 7)),
        ("serial:./meter0?baud=9600&length=2030", HdlcParameters(2030, 2030)),
        ("hdlc+tcp:127.0.0.1:4060?length=512&window=3", HdlcParameters(512, 512, 3, 3)),
    ],
)
def test_a_spec_says_what_is_proposed_on_hdlc(spec: str, proposed: HdlcParameters) -> None:
    """Window and length in both directions; without them what every meter has."""
    assert PortSpec.parse(spec).hdlc == proposed


@pytest.mark.parametrize(
    "option",
    ["window=0", "window=8", "window=x", "window=-1", "length=0", "length=2031", "length=99999"],
)
def test_a_window_or_length_that_hdlc_does_not_have_is_refused(option: str) -> None:
    """1 to 7, and 1 to 2030."""
    with pytest.raises(PortUnusable):
        _ = PortSpec.parse(f"serial:./meter0?{option}").hdlc


def test_hdlc_options_are_no_concern_of_the_transport() -> None:
    """An HDLC port opens with them; a wrapper's has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}?window=3&length=512"
        opened(f"hdlc+tcp:{place}").close()
        with pytest.raises(PortUnusable, match="window"):
            opened(f"tcp:{place}")
